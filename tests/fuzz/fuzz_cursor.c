/* Tokens of clients, any bytes at all. The input is tried as a token as it stands; then as the values of a token that is
 * made of it, which has to be read again, whole, and not at all with one character changed. */
#include "fcgi-master/cursor.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cursor_seal seal = {.token = "secret", .query = "query", .place = "place"};
    struct err e = ERR_INIT;
    struct cursor written, read;
    struct buf token;
    cursor_init(&written);
    cursor_init(&read);
    buf_init(&token, CURSOR_MAX_TOKEN);
    CHECK(cursor_read(&seal, (const char *)data, size, &read, &e) != 0 && e.code == ERR_BAD_FIELD);
    CHECK(read.values.len == 0);
    e = ERR_INIT;
    written.shard = size & 0xFFFF;
    written.repeats = size * 3;
    buf_append(&written.values, data, size);
    if (cursor_write(&seal, &written, &token, &e) == 0) {
        CHECK(cursor_read(&seal, token.data, token.len, &read, &e) == 0);
        CHECK(read.shard == written.shard && read.repeats == written.repeats && read.values.len == size && (size == 0 || memcmp(read.values.data, data, size) == 0));
        size_t at = (size > 0 ? data[0] * 7919u : 0) % token.len;
        token.data[at] = token.data[at] == 'A' ? 'B' : 'A';
        cursor_clear(&read);
        CHECK(cursor_read(&seal, token.data, token.len, &read, &e) != 0);
    }
    cursor_clear(&written);
    cursor_clear(&read);
    buf_clear(&token);
    return 0;
}
