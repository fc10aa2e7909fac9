/* Rows out of a file of CSV, of NDJSON, or of SQL Server's bcp: each as one JSON object, with the line where it begins.
 *
 * Knows nothing about HTTP or tables. A CSV value is a JSON string or null: the API converts strings to the columns' types.
 * An object of NDJSON is checked and passed on as it is. Memory does not grow with the file.
 */
#ifndef SHARDGATE_SOURCE_H
#define SHARDGATE_SOURCE_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_MAX_LINE ((size_t)16 << 20) /* bytes of a line of NDJSON */

enum source_format {
    SOURCE_CSV,    /* RFC 4180 */
    SOURCE_NDJSON, /* one JSON object a line; empty lines are passed over */
    SOURCE_BCP,    /* what `bcp … out FILE -c` writes: no quotes, empty is NULL, one NUL character is the empty string */
    SOURCE_FORMATS
};

struct source_options {
    enum source_format format;
    char delimiter;        /* of CSV and bcp; ASCII, printable or tab, and not '"' */
    const char *null_text; /* what means NULL when it stands without quotes; "" as a rule */
    const char *columns;   /* names with commas between them, itself a record of CSV; NULL: the first record has them */
    uint64_t from_line;    /* only rows that begin on this line or behind it … */
    uint64_t to_line;      /* … and not behind this one */
};

struct source;

/* The format that a file's name ends with (.csv .tsv .ndjson .jsonl), SOURCE_FORMATS for none; and the one of that name. */
enum source_format source_format_of_file(const char *path);
enum source_format source_format_find(const char *name);

enum source_fault {
    SOURCE_FAULT_MISSING, /* the file cannot be opened */
    SOURCE_FAULT_OPTION,  /* the option `columns` is wrong */
    SOURCE_FAULT_FILE,    /* what the file begins with is wrong */
};

/* Opens `path` ("-": standard input), and reads the columns' names of CSV. 0; -1 with *fault and a message that names the file or
 * option in `error`. `options` is copied, its texts are borrowed. */
int source_open(struct source **out, const char *path, const struct source_options *options, enum source_fault *fault,
                struct buf *error) __attribute__((warn_unused_result));
void source_close(struct source *s);

enum source_result { SOURCE_ROW, SOURCE_END, SOURCE_STOPPED, SOURCE_BAD };

/* Appends the next row to `out` and stores the line where it begins, counted from 1. SOURCE_STOPPED: the user wants to stop.
 * SOURCE_BAD: source_error() says what is wrong ("data.csv:17:5: …"); nothing was appended, and nothing more will come. */
enum source_result source_next(struct source *s, struct buf *out, uint64_t *line);
const char *source_error(const struct source *s);

/* The line where the next row begins, or after SOURCE_BAD the bad one. */
uint64_t source_line(const struct source *s);

/* Bytes of the file that were read as rows, and of the whole file (0: a pipe). */
uint64_t source_bytes(const struct source *s);
uint64_t source_size(const struct source *s);

#endif
