/* Runs a fuzz target without a fuzzer: fuzz_json replays tests/fuzz/corpus/json/ and reports each file as one TAP test.
 * Files named as arguments are replayed instead: `./fuzz_json crash-1234`, under gdb or valgrind too. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return -1;
    }
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = -1;
    if (fseek(f, 0, SEEK_END) == 0) {
        long end = ftell(f);
        rewind(f);
        size = end > 0 ? (size_t)end : 0;
        /* Exactly as long as the file, so that a sanitizer sees every byte that is read behind it. */
        data = malloc(size > 0 ? size : 1);
        rc = end >= 0 && data && fread(data, 1, size, f) == size ? 0 : -1;
    }
    fclose(f);
    if (rc == 0) {
        LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    return rc;
}

/* One TAP line, flushed first: when the target dies, the last line names the file before the one that killed it. */
static int report(int number, const char *name, const char *path)
{
    printf("# %s\n", name);
    fflush(stdout);
    int rc = replay(path);
    printf("%sok %d - %s\n", rc == 0 ? "" : "not ", number, name);
    return rc;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_corpus(const char *target)
{
    char folder[4096], path[sizeof folder + 300];
    struct dirent **entries = NULL;
    int status = 0;
    snprintf(folder, sizeof folder, "%s/%s", FUZZ_CORPUS, target);
    int count = scandir(folder, &entries, not_hidden, alphasort);
    if (count <= 0) {
        printf("Bail out! %s has no files\n", folder);
        return EXIT_FAILURE;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (report(i + 1, entries[i]->d_name, path)) {
            status = EXIT_FAILURE;
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
    const char *target = strncmp(program, "fuzz_", 5) == 0 ? program + 5 : program;
    if (argc < 2) {
        return replay_corpus(target);
    }
    int status = 0;
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        if (report(i, argv[i], argv[i])) {
            status = EXIT_FAILURE;
        }
    }
    return status;
}
