/* Requests as FastCGI hands them over: parameters one a line, NAME=VALUE, a blank line, then the body. Whatever they say, there
 * is one well-formed answer, whose problem is strict JSON; a query that is taken reads the same when it is written again;
 * and what the master takes of its headers is what their rules allow. An input that is an HTTP message instead is a part of a batch,
 * and has to be answered as the same request that comes alone, but where its answer is too long. libfcgi's streams are in memory here. */
#include <config.h>

#include "common/cluster.h"
#include "common/http_private.h"
#include "common/message.h"
#include "fcgi-master/exchange.h"
#include "tests/fuzz/fuzz.h"

#include <fcgiapp.h>
#include <string.h>

#define PARAMETERS 32
#define ANSWER_MAX (1 << 20)
#define PIECE 7
#define TIMEOUT_MS 5000
#define MAX_BODY 4096

/* The parameters and the body of an input. */
struct input {
    char *text; /* with a NUL behind each parameter */
    char *params[PARAMETERS + 1];
    unsigned char *body;
    size_t body_len;
};

static void split_input(const uint8_t *data, size_t size, struct input *in)
{
    size_t count = 0;
    *in = (struct input){.text = malloc(size + 1)};
    CHECK(in->text != NULL);
    memcpy(in->text, data, size);
    in->text[size] = '\0';
    char *p = in->text, *end = in->text + size;
    while (p < end && *p != '\n') {
        char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (line_end == NULL)
            line_end = end;
        *line_end = '\0';
        if (count < PARAMETERS && strchr(p, '=') != NULL)
            in->params[count++] = p;
        p = line_end < end ? line_end + 1 : end;
    }
    if (p < end)
        p++;
    in->body_len = (size_t)(end - p);
    in->body = malloc(in->body_len > 0 ? in->body_len : 1); /* so that a sanitizer sees who reads behind it */
    CHECK(in->body != NULL);
    memcpy(in->body, p, in->body_len);
}

/* NAME=VALUE of a header, as CGI names it. */
static void append_parameter(struct buf *out, const char *prefix, const struct message_text *name, const struct message_text *value)
{
    buf_append_text(out, prefix);
    for (size_t i = 0; i < name->len; i++) {
        char c = name->text[i];
        buf_append_char(out, c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
    buf_append_char(out, '=');
    buf_append(out, value->text, value->len);
    buf_append_char(out, '\n');
}

/* The input that is the same request. CGI has no difference between '-' and '_' in names: false where it matters. */
static bool write_input(const struct message *m, struct buf *out)
{
    static const struct message_text method = {"REQUEST_METHOD", 14}, uri = {"REQUEST_URI", 11};
    append_parameter(out, "", &method, &m->method);
    append_parameter(out, "", &uri, &m->target);
    for (size_t i = 0; i < m->field_count; i++) {
        const struct message_text *name = &m->fields[i].name;
        bool content = message_header(m, "Content-Type") == &m->fields[i].value || message_header(m, "Content-Length") == &m->fields[i].value;
        if (memchr(name->text, '_', name->len) != NULL)
            return false;
        append_parameter(out, content ? "" : "HTTP_", name, &m->fields[i].value);
    }
    buf_append_char(out, '\n');
    buf_append(out, m->body.text, m->body.len);
    return buf_status(out) == 0;
}

static void end_of_body(FCGX_Stream *s)
{
    s->isClosed = 1;
}

static void no_room(FCGX_Stream *s, int close)
{
    (void)close;
    CHECK(s->wrNext < s->stop);
}

/* What the handlers take */

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static void check_taken(const struct http *h, const struct exchange *x)
{
    const char *timeout = http_header(h, "X-Timeout-Ms");
    CHECK(x->timeout_ms >= 1 && x->timeout_ms <= TIMEOUT_MS);
    CHECK(timeout == NULL ? x->timeout_ms == TIMEOUT_MS
                          : strspn(timeout, "0123456789") == strlen(timeout) &&
                                x->timeout_ms == (atoll(timeout) < TIMEOUT_MS ? atoll(timeout) : TIMEOUT_MS));
    CHECK(x->key == NULL || (is_printable(x->key) && strlen(x->key) >= 1 && strlen(x->key) <= HTTP_KEY_MAX));
    CHECK(x->db[strspn(x->db, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0');
    CHECK(x->table[0] != '\0' && strlen(x->table) <= EXCHANGE_MAX_NAME);
}

static void append_encoded(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_printf(out, "%%%02x", (unsigned char)text[i]);
}

/* The members, written as a query with all of their bytes escaped, read the same again. */
static void check_query(const struct json_object *query)
{
    struct buf encoded, first, second;
    struct json_iter it = {0};
    const char *name;
    struct json_object *value, *read = NULL;
    struct err e = ERR_INIT;
    buf_init(&encoded, ANSWER_MAX);
    buf_init(&first, ANSWER_MAX);
    buf_init(&second, ANSWER_MAX);
    while (json_next(query, &it, &name, &value)) {
        size_t len = 0;
        CHECK(json_kind(value) == JSON_STRING);
        const char *text = json_string(value, &len);
        if (encoded.len > 0)
            buf_append_char(&encoded, '&');
        append_encoded(&encoded, name, strlen(name));
        buf_append_char(&encoded, '=');
        append_encoded(&encoded, text, len);
    }
    struct http again = {.query = buf_text(&encoded)};
    CHECK(http_query_object(&again, &read, &e) == 0);
    json_write_value(&first, query);
    json_write_value(&second, read);
    CHECK(buf_status(&encoded) == 0 && strcmp(buf_text(&first), buf_text(&second)) == 0);
    json_free(read);
    buf_clear(&encoded);
    buf_clear(&first);
    buf_clear(&second);
}

/* Handlers */

static const char *const members[] = {"db_name", "table", "condition", "shard_key", NULL};

static void answer(struct exchange *x, int rc)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (rc != 0) {
        CHECK(x->err.code != ERR_NONE && x->err.detail[0] != '\0');
        exchange_fail(x);
    } else {
        check_taken(x->h, x);
        json_write_value(&out, x->body);
        http_reply(x->h, 200, &out);
    }
    buf_clear(&out);
    exchange_close(x);
}

static void take_body(struct http *h, void *thread)
{
    struct exchange x;
    int rc = exchange_open(&x, h, thread);
    if (rc == 0)
        rc = exchange_read_body(&x, members, EXCHANGE_KEY_TAKEN);
    answer(&x, rc);
}

static void take_query(struct http *h, void *thread)
{
    struct exchange x;
    int rc = exchange_open(&x, h, thread);
    if (rc == 0)
        rc = exchange_read_query(&x, members, EXCHANGE_KEY_REFUSED);
    if (rc == 0)
        check_query(x.body);
    answer(&x, rc);
}

/* Any members, and a header that repeats what the client sent. */
static void take_any_query(struct http *h, void *thread)
{
    struct err e = ERR_INIT;
    struct json_object *query = NULL;
    (void)thread;
    if (http_query_object(h, &query, &e) != 0) {
        CHECK(e.code == ERR_BAD_FIELD || e.code == ERR_BAD_JSON);
        http_fail(h, &e, NULL);
        return;
    }
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    check_query(query);
    http_add_header(h, "X-Echo", http_query(h));
    json_write_value(&out, query);
    http_reply(h, 200, &out);
    buf_clear(&out);
}

/* The body piece by piece, as a stream; behind more than is held back, if the query says "long". */
static void take_pieces(struct http *h, void *thread)
{
    static const char more[HTTP_HELD + 1];
    struct err e = ERR_INIT;
    char piece[PIECE];
    size_t got = 0, all = 0;
    int rc;
    (void)thread;
    http_begin(h, 200, http_has_type(h, "application/x-ndjson") ? "application/x-ndjson" : "text/plain");
    if (strcmp(http_query(h), "long") == 0 && http_write(h, more, sizeof more) != 0)
        return;
    while ((rc = http_body_read(h, piece, sizeof piece, 1, &got, &e)) == 0 && got > 0) {
        all += got;
        CHECK(got <= sizeof piece && http_write(h, piece, got) == 0);
    }
    CHECK(all <= http_body_length(h));
    if (rc == 0)
        http_end(h);
    else if (http_take_back(h) == 0)
        http_fail(h, &e, NULL);
    else
        http_abort(h);
}

static const struct http_route routes[] = {
    {"POST", "/body", take_body, NULL, HTTP_WRITE},
    {"POST", "/query", take_query, NULL, HTTP_READ},
    {"GET", "/any", take_any_query, NULL, HTTP_READ},
    {"POST", "/pieces", take_pieces, NULL, HTTP_READ},
};

/* The answer */

enum { STATUS, CONTENT_TYPE, CONTENT_LENGTH, REQUEST_ID, WANTED };

struct head {
    char values[WANTED][128]; /* "" without it */
};

/* Each line of the head is one of ours, once. */
static void read_head(const char *head, const char *end, struct head *out)
{
    static const char *const known[] = {[STATUS] = "Status", [CONTENT_TYPE] = "Content-Type", [CONTENT_LENGTH] = "Content-Length",
                                        [REQUEST_ID] = "X-Request-Id", "X-Shardgate", "Server-Timing", "Cache-Control",
                                        "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
                                        "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Allow", "Retry-After", "X-Echo"};
    unsigned seen = 0;
    *out = (struct head){0};
    for (const char *p = head, *next; p < end; p = next + 2) {
        unsigned i = 0;
        next = memchr(p, '\r', (size_t)(end - p));
        CHECK(next != NULL && next[1] == '\n' && memchr(p, '\n', (size_t)(next - p)) == NULL);
        const char *colon = memchr(p, ':', (size_t)(next - p));
        CHECK(colon != NULL && colon[1] == ' ');
        while (i < sizeof known / sizeof known[0] && (known[i][0] != *p || strncmp(known[i], p, (size_t)(colon - p)) != 0 || known[i][colon - p] != '\0'))
            i++;
        CHECK(i < sizeof known / sizeof known[0] && (seen & 1u << i) == 0);
        seen |= 1u << i;
        size_t len = (size_t)(next - colon - 2);
        if (i < WANTED) {
            CHECK(len < sizeof out->values[i]);
            memcpy(out->values[i], colon + 2, len);
        }
    }
}

static void check_answer(const struct http *h, const char *text, size_t len)
{
    struct head head;
    struct err e = ERR_INIT;
    struct json_slice id = {.name = "request_id"};
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    CHECK(end != NULL);
    const char *body = end + 4;
    size_t body_len = (size_t)(text + len - body);
    read_head(text, end + 2, &head);
    int status = atoi(head.values[STATUS]);
    CHECK(status == 200 || status == 204 || (status >= 400 && status <= 599));
    CHECK(head.values[REQUEST_ID][0] != '\0' && strcmp(head.values[REQUEST_ID], http_request_id(h)) == 0);
    CHECK(head.values[CONTENT_LENGTH][0] == '\0' || (size_t)atoll(head.values[CONTENT_LENGTH]) == body_len);
    if (status >= 400) {
        CHECK(strcmp(head.values[CONTENT_TYPE], "application/problem+json") == 0 && json_slices(body, body_len, &id, 1, &e) == 0);
        CHECK(id.len == strlen(http_request_id(h)) + 2 && memcmp(id.text + 1, http_request_id(h), id.len - 2) == 0);
    } else if (strcmp(head.values[CONTENT_TYPE], "application/json") == 0) {
        CHECK(json_slices(body, body_len, NULL, 0, &e) == 0);
    }
}

/* The process, made once */

static void *open_master(void)
{
    static struct cluster cluster;
    static struct master master;
    struct buf error;
    buf_init(&error, 1000);
    CHECK(cluster_load(NULL, &cluster, &error) == 0);
    cluster.timeout_ms = TIMEOUT_MS;
    master.cluster = &cluster;
    master.rundir = "";
    master.breaker = breaker_new(cluster.worker_count, 1, 0);
    CHECK(master.breaker != NULL);
    buf_clear(&error);
    return exchange_thread_open(&master, 0);
}

static const struct http_app app = {
    .name = "fuzz", .routes = routes, .route_count = sizeof routes / sizeof routes[0], .max_body = MAX_BODY, .cors = true};
static unsigned char out_text[ANSWER_MAX];

/* The answer to a request that comes by itself, which lives until the next one; its status. */
static int answer_alone(const uint8_t *data, size_t size, void *thread, struct message_text *body)
{
    struct input in;
    struct http h;
    split_input(data, size, &in);
    FCGX_Stream from = {.rdNext = in.body, .wrNext = in.body + in.body_len, .stop = in.body + in.body_len, .stopUnget = in.body,
                        .isReader = 1, .fillBuffProc = end_of_body};
    FCGX_Stream to = {.rdNext = out_text + ANSWER_MAX, .wrNext = out_text, .stop = out_text + ANSWER_MAX, .emptyBuffProc = no_room};
    FCGX_Request fcgi = {.in = &from, .out = &to, .envp = in.params, .ipcFd = -1};
    http_init(&h, &app, &http_fcgi_port, &fcgi);
    http_fcgi_open(&h);
    http_answer(&h, thread);
    CHECK(h.state == STATE_DONE || h.state == STATE_BROKEN);
    size_t len = (size_t)(to.wrNext - out_text);
    check_answer(&h, (const char *)out_text, len);
    body->text = (const char *)memmem(out_text, len, "\r\n\r\n", 4) + 4;
    body->len = (size_t)((const char *)out_text + len - body->text);
    int status = h.status;
    http_clear(&h);
    free(in.text);
    free(in.body);
    return status;
}

/* Is the part's own request id taken? Else the answers have random ones. (And a 404 says whether it is a batch's.) */
static bool has_id(const struct message *m)
{
    static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const struct message_text *id = message_header(m, "X-Request-Id");
    for (size_t i = 0; id != NULL && i < id->len; i++) {
        if (memchr(taken, id->text[i], sizeof taken - 1) == NULL)
            return false;
    }
    return id != NULL && id->len > 0 && id->len <= HTTP_REQUEST_ID_MAX;
}

static void answer_part(const struct message *m, void *thread)
{
    char *none[] = {NULL};
    FCGX_Request fcgi = {.envp = none, .ipcFd = -1};
    struct http batch;
    struct buf out, input;
    struct message answered;
    struct message_text alone;
    size_t used = 0;
    buf_init(&out, ANSWER_MAX);
    buf_init(&input, ANSWER_MAX);
    http_init(&batch, &app, &http_fcgi_port, &fcgi);
    http_fcgi_open(&batch);
    CHECK(http_answer_part(&batch, m, thread, &out) == 0);
    CHECK(message_read_answer(buf_text(&out), out.len, &answered, &used) == 1 && used == out.len);
    const struct message_text *id = message_header(m, "X-Batch-Id"), *named = message_header(&answered, "X-Batch-Id");
    CHECK((id == NULL) == (named == NULL) && (id == NULL || (id->len == named->len && memcmp(id->text, named->text, id->len) == 0)));
    enum http_kind kind = http_part_kind(&batch, m);
    CHECK((kind == HTTP_ALONE) == (answered.status == 404));
    if (message_header(&answered, "X-Batch-Alone") != NULL) {
        CHECK(answered.status == 413 && kind == HTTP_READ);
    } else if (write_input(m, &input)) {
        CHECK(answer_alone((const uint8_t *)input.data, input.len, thread, &alone) == answered.status);
        CHECK(!has_id(m) || answered.status == 404 || (alone.len == answered.body.len && memcmp(alone.text, answered.body.text, alone.len) == 0));
    }
    http_clear(&batch);
    buf_clear(&out);
    buf_clear(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *thread;
    struct message m;
    struct message_text body;
    size_t used = 0;
    if (thread == NULL)
        CHECK((thread = open_master()) != NULL);
    if (message_read_request((const char *)data, size, &m, &used) == 1)
        answer_part(&m, thread);
    else
        (void)answer_alone(data, size, thread, &body);
    return 0;
}
