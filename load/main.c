/* shardgate-load: the command line. */
#include <config.h>

#include "load/loader.h"
#include "load/report.h"
#include "load/stop.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: shardgate-load FILE --db NAME --table NAME [OPTION]...\n"
    "Loads the rows of a CSV or NDJSON file into a sharded table, through Shardgate's API.\n"
    "\n"
    "  FILE                a .csv, .tsv, .ndjson or .jsonl file; - is standard input, with --format\n"
    "  --db NAME           the database\n"
    "  --table NAME        the table, which has to be there\n"
    "  --url URL           the API (http://127.0.0.1:8080)\n"
    "  --format FORMAT     csv, ndjson, or bcp: what SQL Server's bcp -c writes (by the file's name)\n"
    "\n"
    "CSV and bcp:\n"
    "  --columns A,B,C     the columns' names; without it the first line has them\n"
    "  --delimiter C       what stands between fields: one character, or tab (a comma; a tab for .tsv and bcp)\n"
    "  --null TEXT         an unquoted field that is TEXT means NULL (an empty one)\n"
    "\n"
    "  --batch N           rows of a request (4000); up to 4000 a shard's rows in it are one transaction\n"
    "  --from-line N       pass over rows that begin before line N of the file\n"
    "  --to-line N         stop behind line N\n"
    "  --retries N         tries after a refusal that left nothing behind (3)\n"
    "  --quiet             no progress, and no table when all is well\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 all rows are loaded, 1 some are not, 2 of some it is unknown, 64 usage, 66 no such file,\n"
    "69 no API there. When something fails, the last lines say what is loaded and how to go on.\n";

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "shardgate-load: %s%s%s\nTry shardgate-load --help.\n", what, value == NULL ? "" : ": ", value == NULL ? "" : value);
    return -1;
}

static int read_number(const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || n < least || n > most) {
        char what[96];
        snprintf(what, sizeof what, "%s takes a number from %llu to %llu", name, (unsigned long long)least, (unsigned long long)most);
        return complain(what, text);
    }
    *out = n;
    return 0;
}

static int read_delimiter(const char *text, char *out)
{
    const bool is_tab = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0;

    *out = is_tab ? '\t' : text[0];
    if (is_tab || (strlen(text) == 1 && ((text[0] > ' ' && text[0] < 0x7F && text[0] != '"') || text[0] == '\t')))
        return 0;
    return complain("--delimiter takes one printable ASCII character that is no quote, or tab", text);
}

enum option_code {
    OPTION_DB = 1,
    OPTION_TABLE,
    OPTION_URL,
    OPTION_FORMAT,
    OPTION_COLUMNS,
    OPTION_DELIMITER,
    OPTION_NULL_TEXT,
    OPTION_BATCH,
    OPTION_FROM_LINE,
    OPTION_TO_LINE,
    OPTION_RETRIES,
    OPTION_QUIET,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option known[] = {
    {"db", required_argument, NULL, OPTION_DB},
    {"table", required_argument, NULL, OPTION_TABLE},
    {"url", required_argument, NULL, OPTION_URL},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"columns", required_argument, NULL, OPTION_COLUMNS},
    {"delimiter", required_argument, NULL, OPTION_DELIMITER},
    {"null", required_argument, NULL, OPTION_NULL_TEXT},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"from-line", required_argument, NULL, OPTION_FROM_LINE},
    {"to-line", required_argument, NULL, OPTION_TO_LINE},
    {"retries", required_argument, NULL, OPTION_RETRIES},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int read_option(struct loader_options *o, int option, const char *value)
{
    uint64_t n = 0;

    switch (option) {
    case OPTION_DB:
        o->db = value;
        return 0;
    case OPTION_TABLE:
        o->table = value;
        return 0;
    case OPTION_URL:
        o->url = value;
        return 0;
    case OPTION_FORMAT:
        o->source.format = source_format_find(value);
        return o->source.format != SOURCE_FORMATS ? 0 : complain("--format takes csv, ndjson or bcp", value);
    case OPTION_COLUMNS:
        o->source.columns = value;
        return 0;
    case OPTION_DELIMITER:
        return read_delimiter(value, &o->source.delimiter);
    case OPTION_NULL_TEXT:
        o->source.null_text = value;
        return 0;
    case OPTION_BATCH:
        return read_number("--batch", value, 1, LOADER_MAX_ROWS, &o->rows);
    case OPTION_FROM_LINE:
        return read_number("--from-line", value, 1, UINT64_MAX, &o->source.from_line);
    case OPTION_TO_LINE:
        return read_number("--to-line", value, 1, UINT64_MAX, &o->source.to_line);
    case OPTION_RETRIES:
        if (read_number("--retries", value, 0, LOADER_MAX_RETRIES, &n) != 0)
            return -1;
        o->retries = (int)n;
        return 0;
    case OPTION_QUIET:
        o->quiet = true;
        return 0;
    default:
        return complain("bad option", NULL);
    }
}

static bool ends_with(const char *text, const char *suffix)
{
    const size_t len = strlen(text), n = strlen(suffix);
    return len >= n && strcmp(text + len - n, suffix) == 0;
}

/* What the options leave open, and whether they fit together. */
static int complete_options(struct loader_options *o)
{
    struct source_options *s = &o->source;

    if (o->db == NULL || o->table == NULL)
        return complain("--db and --table are needed", NULL);
    if (s->format == SOURCE_FORMATS)
        s->format = source_format_of_file(o->file);
    if (s->format == SOURCE_FORMATS)
        return complain("--format csv, ndjson or bcp is needed, for the file's name does not tell", o->file);
    if (s->format == SOURCE_NDJSON && (s->columns != NULL || s->delimiter != '\0' || s->null_text != NULL))
        return complain("--columns, --delimiter and --null are not for NDJSON, whose rows name their columns", NULL);
    if (s->delimiter == '\0')
        s->delimiter = s->format == SOURCE_BCP || ends_with(o->file, ".tsv") ? '\t' : ',';
    if (s->format == SOURCE_BCP && s->columns == NULL)
        return complain("--columns is needed, for bcp writes no line with the columns' names", NULL);
    if (s->null_text == NULL)
        s->null_text = "";
    return 0;
}

/* 0 to go on, else what to exit with plus 1. */
static int read_arguments(struct loader_options *o, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            return EXIT_SUCCESS + 1;
        }
        if (option == OPTION_VERSION) {
            puts("shardgate-load " PACKAGE_VERSION);
            return EXIT_SUCCESS + 1;
        }
        if (option == '?') {
            fputs("Try shardgate-load --help.\n", stderr);
            return REPORT_EXIT_USAGE + 1;
        }
        if (read_option(o, option, optarg) != 0)
            return REPORT_EXIT_USAGE + 1;
    }
    if (argc - optind != 1) {
        complain(argc == optind ? "a file to load is needed" : "one file at a time", NULL);
        return REPORT_EXIT_USAGE + 1;
    }
    o->file = argv[optind];
    return complete_options(o) == 0 ? 0 : REPORT_EXIT_USAGE + 1;
}

int main(int argc, char **argv)
{
    struct loader_options options = {
        .url = "http://127.0.0.1:8080",
        .rows = LOADER_ROWS,
        .retries = LOADER_RETRIES,
        .source = {.format = SOURCE_FORMATS, .from_line = 1, .to_line = UINT64_MAX},
    };
    struct loader_result result;

    setlocale(LC_CTYPE, "");
    int status = read_arguments(&options, argc, argv);
    if (status != 0)
        return status - 1;
    signal(SIGPIPE, SIG_IGN);
    stop_listen();
    loader_run(&options, &result);
    status = report_print(&options, &result);
    loader_clear(&result);
    return status;
}
