/* What a TDS client may send. The first byte chooses who reads the rest: PRELOGIN, LOGIN7, RPC requests, parameter
 * declarations, Transaction Manager requests, a batch, or a whole session that is logged in already, or not. All text
 * that comes out is valid UTF-8, all values fit their types, a session ends, and its answers can be read. */
#include "tds-server/wire/login.h"
#include "tds-server/wire/rpc.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_serve.h"
#include "tests/fuzz/fuzz_value.h"

#include <string.h>

#define ARENA_BYTES ((size_t)64 << 20)

static void read_login(const uint8_t *data, size_t size)
{
    struct login l;
    if (login_read(data, size, &l) == 0) {
        fuzz_check_text(l.user, strlen(l.user));
        fuzz_check_text(l.password, strlen(l.password));
        fuzz_check_text(l.database, strlen(l.database));
    }
    login_clear(&l);
}

static void read_prelogin(const uint8_t *data, size_t size)
{
    enum login_encryption encryption;
    if (login_read_prelogin(data, size, &encryption) == 0) {
        CHECK(encryption <= ENCRYPTION_REQUIRED);
    }
}

static void read_calls(const struct dialect *d, const uint8_t *data, size_t size)
{
    struct reader r;
    struct arena a;
    struct buf error;
    struct rpc_call call;
    int number;
    buf_init(&error, 4096);
    arena_init(&a, ARENA_BYTES);
    reader_init(&r, data, size);
    do {
        if (rpc_read_call(d, &r, &a, &call, &number, &error) != 0) {
            CHECK(error.len > 0 && number > 0);
            break;
        }
        for (size_t i = 0; i < call.count; i++) {
            fuzz_check_text(call.params[i].name, strlen(call.params[i].name));
            fuzz_check_form(&call.params[i].value, FUZZ_GROWTH);
            fuzz_check_written(&call.params[i].value);
        }
    } while (call.more);
    arena_clear(&a);
    buf_clear(&error);
}

static void read_declarations(const uint8_t *data, size_t size)
{
    struct engine_param params[4] = {{.name = ""}, {.name = ""}, {.name = ""}, {.name = ""}};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    int declared = rpc_name_parameters((const char *)data, size, params, 4, &a);
    for (int i = 0; i < declared && i < 4; i++) {
        CHECK(params[i].name[0] == '@');
    }
    arena_clear(&a);
}

static void read_transaction(const uint8_t *data, size_t size)
{
    struct rpc_transaction_request t;
    struct reader r;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    reader_init(&r, data, size);
    if (rpc_read_transaction(&r, &a, &t) == 0) {
        fuzz_check_text(t.name, strlen(t.name));
    }
    arena_clear(&a);
}

static void read_batch(const uint8_t *data, size_t size)
{
    static const struct dialect dialect = {DIALECT_74, true};
    struct reader r;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    reader_init(&r, data, size);
    if (rpc_skip_headers(&dialect, &r) == 0) {
        size_t len = 0;
        const char *sql = rpc_read_batch(&r, &a, &len);
        CHECK(sql != NULL);
        fuzz_check_text(sql, len);
    }
    arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dialect new_dialect = {DIALECT_74, true};
    static const struct dialect old_dialect = {DIALECT_71, false};
    if (size == 0) {
        return 0;
    }
    uint8_t choice = data[0];
    data++;
    size--;
    switch (choice % 9) {
    case 0:
        read_prelogin(data, size);
        break;
    case 1:
        read_login(data, size);
        break;
    case 2:
        read_calls(&new_dialect, data, size);
        break;
    case 3:
        read_calls(&old_dialect, data, size);
        break;
    case 4:
        read_declarations(data, size);
        break;
    case 5:
        read_transaction(data, size);
        break;
    case 6:
        fuzz_serve(data, size, false);
        break;
    case 7:
        fuzz_serve_logged_in(data, size);
        break;
    default:
        read_batch(data, size);
    }
    return 0;
}
