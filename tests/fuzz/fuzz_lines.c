/* Lines of a stream: the first byte is the size of the pieces in which the rest comes; in one piece it gives the same lines. */
#include "common/lines.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define MAX_LINE 64
#define OUTPUT_MAX (1 << 24)

/* Writes each line with its number, and how it ended. */
static void split(const char *text, size_t len, size_t size, struct buf *out)
{
    struct lines l;
    const char *line;
    size_t line_len;
    int rc = 0;
    lines_init(&l, MAX_LINE);
    for (bool more = true; more && rc >= 0;) {
        size_t n = len < size ? len : size;
        char *piece = malloc(n > 0 ? n : 1); /* so that a sanitizer sees who reads behind it */
        CHECK(piece != NULL);
        memcpy(piece, text, n);
        text += n;
        len -= n;
        more = n > 0;
        lines_feed(&l, piece, n);
        if (!more)
            lines_end(&l);
        while ((rc = lines_next(&l, &line, &line_len)) > 0) {
            CHECK(line_len > 0 && line_len <= MAX_LINE && memchr(line, '\n', line_len) == NULL);
            buf_printf(out, "%llu:", (unsigned long long)l.number);
            buf_append(out, line, line_len);
            buf_append_char(out, '\n');
        }
        free(piece);
    }
    buf_printf(out, "%d at %llu", rc, rc < 0 ? (unsigned long long)l.number : 0);
    lines_clear(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf pieces, whole;
    if (size == 0)
        return 0;
    buf_init(&pieces, OUTPUT_MAX);
    buf_init(&whole, OUTPUT_MAX);
    split((const char *)data + 1, size - 1, data[0] % 32 + 1, &pieces);
    split((const char *)data + 1, size - 1, size, &whole);
    CHECK(pieces.len == whole.len && memcmp(pieces.data, whole.data, whole.len) == 0);
    buf_clear(&pieces);
    buf_clear(&whole);
    return 0;
}
