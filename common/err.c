#include "common/err.h"

#include "common/json.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
    int status;
    const char *name;
    enum err_retry retry;
};

/* A problem that is written though no error was set is a bug of ours, hence 500 for ERR_NONE. */
static const struct row rows[ERR_CODES] = {
    [ERR_NONE] = {500, "internal", RETRY_NO},
    [ERR_BAD_JSON] = {400, "bad_json", RETRY_NO},
    [ERR_MISSING_FIELD] = {400, "missing_field", RETRY_NO},
    [ERR_BAD_FIELD] = {400, "bad_field", RETRY_NO},
    [ERR_BAD_NAME] = {400, "bad_name", RETRY_NO},
    [ERR_BAD_TYPE] = {400, "bad_type", RETRY_NO},
    [ERR_BAD_CONDITION] = {400, "bad_condition", RETRY_NO},
    [ERR_SHARD_KEY_REQUIRED] = {400, "shard_key_required", RETRY_NO},
    [ERR_SHARD_KEY_MISMATCH] = {400, "shard_key_mismatch", RETRY_NO},
    [ERR_UNSAFE_STATEMENT] = {400, "unsafe_statement", RETRY_NO},
    [ERR_UNKNOWN_COLUMN] = {400, "unknown_column", RETRY_NO},
    [ERR_BAD_REQUEST] = {400, "bad_request", RETRY_NO},
    [ERR_UNAUTHORIZED] = {401, "unauthorized", RETRY_NO},
    [ERR_NO_SUCH_PATH] = {404, "no_such_path", RETRY_NO},
    [ERR_NO_SUCH_DATABASE] = {404, "no_such_database", RETRY_NO},
    [ERR_NO_SUCH_TABLE] = {404, "no_such_table", RETRY_NO},
    [ERR_METHOD_NOT_ALLOWED] = {405, "method_not_allowed", RETRY_NO},
    [ERR_ALREADY_EXISTS] = {409, "already_exists", RETRY_NO},
    [ERR_DUPLICATE_KEY] = {409, "duplicate_key", RETRY_NO},
    [ERR_CONSTRAINT_VIOLATION] = {409, "constraint_violation", RETRY_NO},
    [ERR_KEY_IN_PROGRESS] = {409, "key_in_progress", RETRY_NO},
    [ERR_SCHEMA_CHANGED] = {409, "schema_changed", RETRY_NO},
    [ERR_BODY_TOO_LARGE] = {413, "body_too_large", RETRY_NO},
    [ERR_NOT_JSON] = {415, "not_json", RETRY_NO},
    [ERR_BAD_VALUE] = {422, "bad_value", RETRY_NO},
    [ERR_KEY_REUSED] = {422, "key_reused", RETRY_NO},
    [ERR_TOO_BUSY] = {429, "too_busy", RETRY_AFTER},
    [ERR_INTERNAL] = {500, "internal", RETRY_NO},
    [ERR_BAD_WORKER_ANSWER] = {502, "bad_worker_answer", RETRY_NO},
    [ERR_SHARD_UNAVAILABLE] = {503, "shard_unavailable", RETRY_AFTER},
    [ERR_DEADLOCK] = {503, "deadlock", RETRY_AFTER},
    [ERR_DEADLINE_EXCEEDED] = {504, "deadline_exceeded", RETRY_NO},
    [ERR_STORAGE_FULL] = {507, "storage_full", RETRY_NO},
};

static const struct {
    int status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},         {401, "Unauthorized"},          {404, "Not Found"},
    {405, "Method Not Allowed"},  {409, "Conflict"},              {413, "Content Too Large"},
    {415, "Unsupported Media Type"}, {422, "Unprocessable Content"}, {429, "Too Many Requests"},
    {500, "Internal Server Error"}, {502, "Bad Gateway"},          {503, "Service Unavailable"},
    {504, "Gateway Timeout"},     {507, "Insufficient Storage"},
};

static const char *const outcome_names[] = {
    [OUTCOME_NOT_APPLIED] = "not_applied",
    [OUTCOME_APPLIED] = "applied",
    [OUTCOME_UNKNOWN] = "unknown",
};

static const char *const retry_names[] = {
    [RETRY_NO] = "no",
    [RETRY_AFTER] = "after",
    [RETRY_SAME_KEY] = "same_key",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What a detail is made of before it is cut: as much more as the rest of a character at the cut can be long, so that a
 * character which is cut off there is never mistaken for a malformed one. */
#define RAW_MAX (ERR_DETAIL_MAX + UTF8_MAX_BYTES)

/* Stores `raw` as the detail: valid UTF-8 whatever the input, cut at a character's end. */
static void store_detail(struct err *e, const char *raw)
{
    size_t left = strlen(raw), len = 0;
    while (left > 0) {
        size_t n = utf8_decode(raw, left, NULL);
        const char *piece = n > 0 ? raw : UTF8_REPLACEMENT;
        size_t piece_len = n > 0 ? n : strlen(UTF8_REPLACEMENT);
        if (piece_len > ERR_DETAIL_MAX - 1 - len) {
            break;
        }
        memcpy(e->detail + len, piece, piece_len);
        len += piece_len;
        raw += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
    e->detail[len] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
    if (e->code != ERR_NONE) {
        return -1;
    }
    char raw[RAW_MAX] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);

    e->code = code;
    e->outcome = OUTCOME_NOT_APPLIED;
    e->retry = rows[code].retry;
    e->retry_after_s = e->retry == RETRY_AFTER ? 1 : 0;
    e->sql_error = 0;
    store_detail(e, raw);
    return -1;
}

int err_prefix(struct err *e, const char *format, ...)
{
    char raw[RAW_MAX] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);

    size_t len = strlen(raw);
    snprintf(raw + len, sizeof raw - len, ": %s", e->detail);
    store_detail(e, raw);
    return -1;
}

void err_quote(struct buf *b, const char *text, size_t len)
{
    const char *end = text + len, *cut = len > ERR_QUOTE_MAX ? text + ERR_QUOTE_MAX : end;
    buf_append_char(b, '"');
    for (size_t n; text < cut; text += n) {
        uint32_t cp = 0;
        n = utf8_decode(text, (size_t)(end - text), &cp);
        if (n == 0) {
            n = 1;
            buf_append_text(b, UTF8_REPLACEMENT);
        } else if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x2028 || cp == 0x2029) {
            buf_printf(b, "\\u%04x", (unsigned)cp);
        } else {
            buf_append(b, text, n);
        }
    }
    buf_append_text(b, text < end ? "…\"" : "\"");
}

static const struct row *row_of(enum err_code code)
{
    return code < ERR_CODES ? &rows[code] : &rows[ERR_INTERNAL];
}

int err_status(enum err_code code)
{
    return row_of(code)->status;
}

const char *err_name(enum err_code code)
{
    return row_of(code)->name;
}

const char *err_title(enum err_code code)
{
    int status = err_status(code);
    for (size_t i = 0; i < COUNT(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "";
}

enum err_code err_find(const char *name)
{
    for (enum err_code code = ERR_NONE + 1; code < ERR_CODES; code++) {
        if (strcmp(rows[code].name, name) == 0) {
            return code;
        }
    }
    return ERR_NONE;
}

const char *err_outcome_name(enum err_outcome outcome)
{
    return outcome_names[outcome];
}

bool err_outcome_find(const char *name, enum err_outcome *out)
{
    for (size_t i = 0; i < COUNT(outcome_names); i++) {
        if (strcmp(outcome_names[i], name) == 0) {
            *out = (enum err_outcome)i;
            return true;
        }
    }
    return false;
}

void err_doubt(struct err *e)
{
    if (e->outcome != OUTCOME_NOT_APPLIED || e->retry == RETRY_SAME_KEY || err_status(e->code) < 429)
        return;
    e->outcome = OUTCOME_UNKNOWN;
    e->retry = RETRY_SAME_KEY;
}

const char *err_retry_name(enum err_retry retry)
{
    return retry_names[retry];
}

void err_write_problem(const struct err *e, const char *request_id, const char *shards, struct buf *out)
{
    buf_append_text(out, "{\"type\":\"about:blank\",\"title\":");
    json_write_text(out, err_title(e->code));
    buf_printf(out, ",\"status\":%d,\"code\":\"%s\",\"detail\":", err_status(e->code), err_name(e->code));
    json_write_text(out, e->detail);
    buf_printf(out, ",\"outcome\":\"%s\",\"retry\":\"%s\"", err_outcome_name(e->outcome), err_retry_name(e->retry));
    if (e->sql_error != 0) {
        buf_printf(out, ",\"sql_error\":%d", e->sql_error);
    }
    buf_append_text(out, ",\"request_id\":");
    json_write_text(out, request_id);
    buf_append_text(out, ",\"shards\":");
    buf_append_text(out, shards ? shards : "[]");
    buf_append_char(out, '}');
}
