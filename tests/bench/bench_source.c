/* How fast shardgate-load makes JSON of a file, without sending it: `bench_source FILE [csv|ndjson|bcp]`. */
#include "load/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define REQUEST ((size_t)4 << 20)

int main(int argc, char **argv)
{
    struct source_options options = {.format = argc > 2 ? source_format_find(argv[2]) : SOURCE_CSV,
                                     .delimiter = ',',
                                     .null_text = "",
                                     .from_line = 1,
                                     .to_line = UINT64_MAX};
    enum source_result result = SOURCE_ROW;
    enum source_fault fault;
    struct source *source = NULL;
    struct rusage used;
    struct buf rows, error;
    uint64_t count = 0, line = 0, written = 0;

    buf_init(&rows, SIZE_MAX / 2);
    buf_init(&error, 4096);
    if (argc < 2 || options.format == SOURCE_FORMATS || source_open(&source, argv[1], &options, &fault, &error) != 0) {
        fprintf(stderr, "usage: bench_source FILE [csv|ndjson|bcp]\n%s\n", buf_text(&error));
        return EXIT_FAILURE;
    }
    while (result == SOURCE_ROW) {
        result = source_next(source, &rows, &line);
        count += result == SOURCE_ROW;
        if (rows.len >= REQUEST || result != SOURCE_ROW) {
            written += rows.len;
            buf_reset(&rows);
        }
    }
    getrusage(RUSAGE_SELF, &used);
    const double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("%s\n%.0f rows, %.1f MB read, %.1f MB made, %.3f s of CPU: %.0f rows/s, %.0f MB/s; at most %ld KiB of memory\n",
           result == SOURCE_END ? "" : source_error(source), (double)count, (double)source_bytes(source) / 1e6, (double)written / 1e6, cpu,
           (double)count / cpu, (double)source_bytes(source) / 1e6 / cpu, used.ru_maxrss);
    source_close(source);
    buf_clear(&rows);
    buf_clear(&error);
    return EXIT_SUCCESS;
}
