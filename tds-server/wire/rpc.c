#include "tds-server/wire/rpc.h"

#include "tds-server/wire/wiretext.h"

#include <string.h>
#include <strings.h>

#define PARAMETERS_FIRST     16
#define PARAMETER_OUTPUT     0x01
#define NAME_BY_NUMBER       0xFFFF /* instead of a name's length */
#define BATCH_END_OLD        0x80   /* between calls, before TDS 7.2 */
#define BATCH_END            0xFF
#define BATCH_END_NO_EXECUTE 0xFE
#define TRANSACTION_BEGINS_NEXT 0x01

int rpc_skip_headers(const struct dialect *d, struct reader *r)
{
    if (d->version < DIALECT_72) {
        return 0;
    }
    uint32_t total = reader_u32le(r);
    if (r->failed || total < 4 || total - 4 > reader_left(r)) {
        return -1;
    }
    struct reader headers;
    reader_init(&headers, reader_bytes(r, total - 4), total - 4);
    while (reader_left(&headers) > 0) {
        uint32_t len = reader_u32le(&headers);
        if (len < 6 || reader_bytes(&headers, len - 4) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* UTF-16 as UTF-8 with a NUL behind it, in the arena. */
static char *take_text(const unsigned char *p, size_t bytes, struct arena *a, size_t *len)
{
    size_t need = wiretext_from_utf16(p, bytes, NULL);
    char *text = arena_alloc(a, need + 1);
    if (text == NULL) {
        return NULL;
    }
    wiretext_from_utf16(p, bytes, text);
    text[need] = '\0';
    if (len != NULL) {
        *len = need;
    }
    return text;
}

const char *rpc_read_batch(struct reader *r, struct arena *a, size_t *len)
{
    size_t bytes = reader_left(r);
    return take_text(reader_bytes(r, bytes), bytes, a, len);
}

/* --- RPC --- */

static const char *const procedure_names[] = {
    [RPC_CURSOR] = "sp_cursor",
    [RPC_CURSOR_OPEN] = "sp_cursoropen",
    [RPC_CURSOR_PREPARE] = "sp_cursorprepare",
    [RPC_CURSOR_EXECUTE] = "sp_cursorexecute",
    [RPC_CURSOR_PREPEXEC] = "sp_cursorprepexec",
    [RPC_CURSOR_UNPREPARE] = "sp_cursorunprepare",
    [RPC_CURSOR_FETCH] = "sp_cursorfetch",
    [RPC_CURSOR_OPTION] = "sp_cursoroption",
    [RPC_CURSOR_CLOSE] = "sp_cursorclose",
    [RPC_EXECUTE_SQL] = "sp_executesql",
    [RPC_PREPARE] = "sp_prepare",
    [RPC_EXECUTE] = "sp_execute",
    [RPC_PREPEXEC] = "sp_prepexec",
    [RPC_PREPEXEC_RPC] = "sp_prepexecrpc",
    [RPC_UNPREPARE] = "sp_unprepare",
};
#define PROCEDURES (sizeof procedure_names / sizeof procedure_names[0])

/* "sp_prepare", "sys.sp_prepare", "master..sp_prepare": the last part, or NULL when it is none of ours. */
static void find_procedure(struct rpc_call *call)
{
    const char *dot = strrchr(call->name, '.');
    const char *last = dot == NULL ? call->name : dot + 1;
    for (size_t i = 1; i < PROCEDURES; i++) {
        if (strcasecmp(last, procedure_names[i]) == 0) {
            call->procedure = (enum rpc_procedure)i;
            return;
        }
    }
}

/* NameLenProcID: a name, or 0xFFFF and a number. */
static int read_procedure(struct reader *r, struct arena *a, struct rpc_call *out)
{
    uint16_t units = reader_u16le(r);
    if (units == NAME_BY_NUMBER) {
        uint16_t number = reader_u16le(r);
        if (r->failed || number == 0 || number >= PROCEDURES) {
            return -1;
        }
        out->procedure = (enum rpc_procedure)number;
        out->name = procedure_names[number];
        return 0;
    }
    const unsigned char *p = reader_bytes(r, (size_t)units * 2);
    if (p == NULL || units == 0 || units > RPC_MAX_NAME) {
        return -1;
    }
    out->name = take_text(p, (size_t)units * 2, a, NULL);
    if (out->name == NULL) {
        return -1;
    }
    find_procedure(out);
    return 0;
}

/* The name (B_VARCHAR), status flags, TYPE_INFO, value. */
static int read_parameter(struct reader *r, struct arena *a, size_t ordinal, struct engine_param *out,
                          struct buf *error)
{
    static const char prefix[] =
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect.";
    struct wiretype type;
    size_t bytes = (size_t)reader_u8(r) * 2;
    const unsigned char *name = reader_bytes(r, bytes);
    uint8_t status = reader_u8(r);
    out->name = name == NULL ? NULL : take_text(name, bytes, a, NULL);
    if (out->name == NULL) {
        buf_printf(error, "%s Parameter %zu is malformed.", prefix, ordinal);
        return -1;
    }
    out->output = (status & PARAMETER_OUTPUT) != 0;
    out->collation = COLLATION_CI;
    struct buf reason;
    buf_init(&reason, error->max);
    int result = wiretype_read_info(r, &type, &reason);
    if (result == 0) {
        result = wiretype_read_value(r, &type, a, &out->value, &reason);
    }
    if (result != 0) {
        buf_printf(error, "%s Parameter %zu (\"%s\"): %s", prefix, ordinal, out->name, buf_text(&reason));
    }
    buf_clear(&reason);
    return result;
}

static bool is_batch_end(const struct dialect *d, unsigned char byte)
{
    if (d->version < DIALECT_72) {
        return byte == BATCH_END_OLD;
    }
    return byte == BATCH_END || byte == BATCH_END_NO_EXECUTE;
}

/* Makes room for one more parameter: the array doubles, what it leaves behind is freed with the request. */
static int grow_parameters(struct rpc_call *call, size_t *room, struct arena *a)
{
    if (call->count < *room) {
        return 0;
    }
    size_t more = *room == 0 ? PARAMETERS_FIRST : *room * 2;
    struct engine_param *params = arena_alloc(a, more * sizeof *params);
    if (params == NULL) {
        return -1;
    }
    if (call->count > 0) {
        memcpy(params, call->params, call->count * sizeof *params);
    }
    call->params = params;
    *room = more;
    return 0;
}

int rpc_read_call(const struct dialect *d, struct reader *r, struct arena *a, struct rpc_call *out, int *number,
                  struct buf *error)
{
    *out = (struct rpc_call){0};
    *number = 4002;
    if (read_procedure(r, a, out) != 0) {
        buf_append_text(
            error,
            "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.");
        return -1;
    }
    reader_u16le(r); /* option flags: recompile, no metadata */
    size_t room = 0;
    while (reader_left(r) > 0) {
        if (is_batch_end(d, *r->at)) {
            reader_u8(r);
            out->more = reader_left(r) > 0;
            return 0;
        }
        if (out->count == RPC_MAX_PARAMETERS) {
            *number = 8003;
            buf_printf(error,
                       "The incoming request has too many parameters. The server supports a maximum of %d parameters. "
                       "Reduce the number of parameters and resend the request.",
                       RPC_MAX_PARAMETERS);
            return -1;
        }
        *number = 8009;
        if (grow_parameters(out, &room, a) != 0) {
            buf_append_text(error, "There is insufficient system memory to run this query.");
            *number = 701;
            return -1;
        }
        if (read_parameter(r, a, out->count + 1, &out->params[out->count], error) != 0) {
            return -1;
        }
        out->count++;
    }
    return 0;
}

/* --- declarations --- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' ||
           c == '$' || c == '#' || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int rpc_name_parameters(const char *declarations, size_t len, struct engine_param *params, size_t count,
                        struct arena *a)
{
    /* declarations := [ declaration { ',' declaration } ] ;  declaration := @name type ['(' … ')'] … */
    const char *p = declarations;
    const char *end = declarations + len;
    size_t declared = 0;
    while (p < end && is_space(*p)) {
        p++;
    }
    while (p < end) {
        const char *name = p;
        while (p < end && is_name_byte(*p)) {
            p++;
        }
        size_t name_len = (size_t)(p - name);
        if (name_len < 2 || name[0] != '@') {
            return -1;
        }
        if (declared < count && params[declared].name[0] == '\0') {
            params[declared].name = arena_copy(a, name, name_len);
            if (params[declared].name == NULL) {
                return -1;
            }
        }
        declared++;
        /* To the comma behind the type; those in its parentheses do not count, nor what a default's quotes hold. */
        int depth = 0;
        bool quoted = false;
        for (; p < end && (quoted || depth > 0 || *p != ','); p++) {
            quoted ^= *p == '\'';
            depth += quoted ? 0 : (*p == '(') - (*p == ')');
        }
        if (p < end) {
            p++;
        }
        while (p < end && is_space(*p)) {
            p++;
        }
    }
    return (int)declared;
}

/* --- Transaction Manager --- */

/* A name behind its length in bytes. */
static const char *read_transaction_name(struct reader *r, struct arena *a)
{
    size_t bytes = reader_u8(r);
    const unsigned char *p = reader_bytes(r, bytes);
    return p == NULL ? NULL : take_text(p, bytes, a, NULL);
}

int rpc_read_transaction(struct reader *r, struct arena *a, struct rpc_transaction_request *out)
{
    *out = (struct rpc_transaction_request){.type = reader_u16le(r), .name = "", .next_name = ""};
    switch (out->type) {
    case TRANSACTION_BEGIN:
        out->isolation = reader_u8(r);
        out->name = read_transaction_name(r, a);
        break;
    case TRANSACTION_COMMIT:
    case TRANSACTION_ROLLBACK:
        out->name = read_transaction_name(r, a);
        out->begin_next = (reader_u8(r) & TRANSACTION_BEGINS_NEXT) != 0;
        if (out->begin_next) {
            out->isolation = reader_u8(r);
            out->next_name = read_transaction_name(r, a);
        }
        break;
    case TRANSACTION_SAVE:
        out->name = read_transaction_name(r, a);
        break;
    default:
        break;
    }
    bool bad_level = out->isolation > ENGINE_SNAPSHOT;
    return r->failed || out->name == NULL || out->next_name == NULL || bad_level ? -1 : 0;
}
