#include <config.h>

#include "common/cluster.h"

#include "common/err.h"
#include "common/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX (1024 * 1024)
#define KEY_MAX 96 /* "workers[255].tds.password_file" and an unknown name behind it */

/* A JSON value, where it stands in the text, and how messages call it. */
struct place {
    struct json_object *value;
    const char *at; /* its key, or its first byte where it has none */
    char key[KEY_MAX];
};

/* Every port that the cluster binds, so that two keys cannot name one. */
struct port {
    int number;
    char key[KEY_MAX];
};

struct reader {
    const char *file;
    struct buf text; /* the file, comments blanked */
    struct buf *error;
    struct cluster *cluster;
    struct port ports[1 + 2 * CLUSTER_MAX_WORKERS];
    size_t port_count;
};

/* KEY_NESTED: an object or array, which the caller reads itself. */
enum key_kind { KEY_INT, KEY_SIZE, KEY_BOOL, KEY_TEXT, KEY_NULLABLE_TEXT, KEY_NESTED };

/* A key of an object: where its value goes, and what is allowed. */
struct key {
    const char *name;
    enum key_kind kind;
    size_t offset;      /* of the member in the struct that the object fills */
    long long min, max; /* KEY_INT, KEY_SIZE */
    bool (*valid)(const char *text); /* KEY_TEXT */
    const char *expected; /* KEY_TEXT: for messages, "a file's path" */
};

#define KEY_GIVEN(index) (1U << (index))

/* Where things stand */

/* Sets "FILE:LINE: key 'KEY': …". Returns -1. */
__attribute__((format(printf, 4, 5))) static int fail(struct reader *r, const char *at, const char *key, const char *format, ...)
{
    size_t line = 1;
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    for (const char *p = buf_text(&r->text); p < at; p++)
        line += *p == '\n';
    buf_printf(r->error, "%s:%zu: ", r->file, line);
    if (key != NULL)
        buf_printf(r->error, "key '%s': ", key);
    buf_append_text(r->error, message);
    return -1;
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* Behind the string that starts at `p`. */
static const char *skip_string(const char *p)
{
    for (p++; *p != '"' && *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return *p == '"' ? p + 1 : p;
}

/* Behind the value that starts at `p`, in text that json_read() has taken. */
static const char *skip_value(const char *p)
{
    size_t depth = 0;

    do {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        else if (*p == '\0')
            return p;
        p++;
    } while (depth > 0 || (*p != '\0' && strchr(",]} \t\r\n", *p) == NULL));
    return p;
}

/* The key `name` in the text of the object at `object`; the object itself when it cannot be found (its name is written
 * with escapes). */
static const char *find_key(const char *object, const char *name)
{
    size_t len = strlen(name);
    const char *p = skip_space(object + 1);

    while (*p == '"') {
        const char *behind = skip_string(p);

        if ((size_t)(behind - p) == len + 2 && memcmp(p + 1, name, len) == 0)
            return p;
        p = skip_space(behind);                        /* ':' */
        p = skip_space(skip_value(skip_space(p + 1))); /* ',' or '}' */
        p = skip_space(*p == ',' ? p + 1 : p);
    }
    return object;
}

/* The text of the value whose key is at `at`. */
static const char *value_at(const char *at)
{
    return *at == '"' ? skip_space(skip_space(skip_string(at)) + 1) : at;
}

/* Fills `child` for the member `name` of the object `p`. false when it is absent: `child` is a place for messages then. */
static bool find_member(const struct place *p, const char *name, struct place *child)
{
    const char *object = value_at(p->at);
    bool found = p->value != NULL && json_member(p->value, name, &child->value);
    int len = snprintf(child->key, sizeof(child->key), "%s%s%s", p->key, *p->key != '\0' ? "." : "", name);

    if (len >= (int)sizeof(child->key))
        memcpy(child->key + sizeof(child->key) - 4, "...", 4);
    for (char *c = child->key; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ')
            *c = '?';
    }
    child->at = found ? find_key(object, name) : object;
    return found;
}

/* Values */

static bool is_made_of(const char *text, const char *allowed, size_t max)
{
    size_t len = strlen(text);

    return len > 0 && len <= max && strspn(text, allowed) == len;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_address(const char *text)
{
    struct in_addr address;

    return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_role(const char *text)
{
    return strcmp(text, "primary") == 0 || strcmp(text, "backup") == 0;
}

static bool is_worker_name(const char *text)
{
    return is_made_of(text, LOWER DIGITS "_-", 32) && text[0] >= 'a' && text[0] <= 'z';
}

static bool is_suffix(const char *text)
{
    return is_made_of(text, UPPER LOWER DIGITS "_", 16);
}

static bool is_host(const char *text)
{
    return is_made_of(text, UPPER LOWER DIGITS ".:-_", 255);
}

static bool is_encrypt(const char *text)
{
    return strcmp(text, "off") == 0 || strcmp(text, "request") == 0 || strcmp(text, "require") == 0;
}

/* Names and paths end up in files of one line a value. */
static bool is_line(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    }
    return *text != '\0' && strlen(text) < 4096;
}

/* A decimal integer from min to max, without sign, fraction or exponent. */
static bool parse_integer(const char *text, long long min, long long max, long long *out)
{
    char *end;

    if (!is_made_of(text, DIGITS, 18))
        return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && *out >= min && *out <= max;
}

static int read_integer(struct reader *r, const struct place *p, const struct key *k, long long *out)
{
    size_t len;

    if (json_kind(p->value) != JSON_NUMBER || !parse_integer(json_number(p->value, &len), k->min, k->max, out))
        return fail(r, p->at, p->key, "an integer from %lld to %lld was expected", k->min, k->max);
    return 0;
}

static int read_text(struct reader *r, const struct place *p, const struct key *k, char **out)
{
    const char *text;
    size_t len;

    if (p->value == NULL && k->kind == KEY_NULLABLE_TEXT)
        return 0;
    if (json_kind(p->value) != JSON_STRING)
        return fail(r, p->at, p->key, "%s was expected", k->expected);
    text = json_string(p->value, &len);
    if (strlen(text) != len || !k->valid(text))
        return fail(r, p->at, p->key, "%s was expected", k->expected);
    *out = strdup(text);
    return *out != NULL ? 0 : fail(r, p->at, p->key, "out of memory");
}

static int read_key(struct reader *r, const struct place *p, const struct key *k, void *into)
{
    char *member = (char *)into + k->offset;
    long long number;

    switch (k->kind) {
    case KEY_INT:
    case KEY_SIZE:
        if (read_integer(r, p, k, &number) != 0)
            return -1;
        if (k->kind == KEY_INT)
            *(int *)(void *)member = (int)number;
        else
            *(size_t *)(void *)member = (size_t)number;
        return 0;
    case KEY_BOOL:
        if (json_kind(p->value) != JSON_BOOL)
            return fail(r, p->at, p->key, "true or false was expected");
        *(bool *)(void *)member = json_boolean(p->value);
        return 0;
    case KEY_TEXT:
    case KEY_NULLABLE_TEXT:
        return read_text(r, p, k, (char **)(void *)member);
    case KEY_NESTED:
        return 0;
    }
    return -1;
}

/* Reads the object `p` by its table, in the table's order, after refusing members that are not in it. `given` tells which
 * keys were there. */
static int read_object(struct reader *r, const struct place *p, const struct key *keys, size_t count, void *into, unsigned *given)
{
    struct json_iter it = {0};
    const char *name;
    struct json_object *value;

    *given = 0;
    if (json_kind(p->value) != JSON_OBJECT)
        return fail(r, p->at, p->key, "an object was expected");
    while (json_next(p->value, &it, &name, &value)) {
        struct place child;
        size_t i = 0;

        while (i < count && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == count) {
            (void)find_member(p, name, &child);
            return fail(r, child.at, child.key, "there is no such key");
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct place child;

        if (!find_member(p, keys[i].name, &child))
            continue;
        *given |= KEY_GIVEN(i);
        if (read_key(r, &child, &keys[i], into) != 0)
            return -1;
    }
    return 0;
}

/* Gives a text its default unless the file gave it a value. */
static int default_text(struct reader *r, const struct place *p, char **member, const char *value)
{
    if (*member == NULL)
        *member = strdup(value);
    return *member != NULL ? 0 : fail(r, p->at, p->key, "out of memory");
}

static void default_size(size_t *member, size_t value)
{
    if (*member == 0)
        *member = value;
}

/* Notes that the key `name` of the object `p` names this port. */
static int claim_port(struct reader *r, const struct place *p, const char *name, int number)
{
    struct port *next = &r->ports[r->port_count];
    struct place child;

    (void)find_member(p, name, &child);
    for (size_t i = 0; i < r->port_count; i++) {
        if (r->ports[i].number == number)
            return fail(r, child.at, child.key, "port %d is that of %s already", number, r->ports[i].key);
    }
    next->number = number;
    memcpy(next->key, child.key, sizeof(next->key));
    r->port_count++;
    return 0;
}

/* tds: { … } of a worker */

enum { TDS_EMBEDDED, TDS_HOST, TDS_PORT, TDS_USER, TDS_PASSWORD_FILE, TDS_ENCRYPT, TDS_CA_FILE };

static const struct key tds_keys[] = {
    [TDS_EMBEDDED] = {.name = "embedded", .kind = KEY_BOOL, .offset = offsetof(struct cluster_tds, embedded)},
    [TDS_HOST] = {.name = "host", .kind = KEY_TEXT, .offset = offsetof(struct cluster_tds, host), .valid = is_host,
                  .expected = "a host's name or address"},
    [TDS_PORT] = {.name = "port", .kind = KEY_INT, .offset = offsetof(struct cluster_tds, port), .min = 1, .max = 65535},
    [TDS_USER] = {.name = "user", .kind = KEY_TEXT, .offset = offsetof(struct cluster_tds, user), .valid = is_line,
                  .expected = "a login's name"},
    [TDS_PASSWORD_FILE] = {.name = "password_file", .kind = KEY_TEXT, .offset = offsetof(struct cluster_tds, password_file),
                           .valid = is_line, .expected = "a file's path"},
    [TDS_ENCRYPT] = {.name = "encrypt", .kind = KEY_TEXT, .offset = offsetof(struct cluster_tds, encrypt), .valid = is_encrypt,
                     .expected = "\"off\", \"request\" or \"require\""},
    [TDS_CA_FILE] = {.name = "ca_file", .kind = KEY_NULLABLE_TEXT, .offset = offsetof(struct cluster_tds, ca_file),
                     .valid = is_line, .expected = "a file's path or null"},
};

static int read_tds(struct reader *r, const struct place *p, bool present, size_t shard, struct cluster_tds *tds)
{
    static const int own_server_only[] = {TDS_HOST, TDS_USER, TDS_PASSWORD_FILE, TDS_CA_FILE};
    unsigned given = 0;
    struct place child;

    if (present && read_object(r, p, tds_keys, sizeof(tds_keys) / sizeof(tds_keys[0]), tds, &given) != 0)
        return -1;
    if ((given & KEY_GIVEN(TDS_EMBEDDED)) == 0)
        tds->embedded = (given & KEY_GIVEN(TDS_HOST)) == 0;

    for (size_t i = 0; tds->embedded && i < sizeof(own_server_only) / sizeof(own_server_only[0]); i++) {
        const char *name = tds_keys[own_server_only[i]].name;

        if ((given & KEY_GIVEN(own_server_only[i])) != 0) {
            (void)find_member(p, name, &child);
            return fail(r, child.at, child.key, "only a server that is not embedded has it");
        }
    }
    if (tds->port == 0)
        tds->port = tds->embedded ? 14331 + (int)shard : 1433;
    if (tds->embedded) {
        if (claim_port(r, p, "port", tds->port) != 0 || default_text(r, p, &tds->host, cluster_address(r->cluster)) != 0 ||
            default_text(r, p, &tds->password_file, "secrets/tds") != 0)
            return -1;
    } else if (tds->host == NULL || tds->password_file == NULL) {
        (void)find_member(p, tds->host == NULL ? "host" : "password_file", &child);
        return fail(r, child.at, child.key, "a server that is not embedded needs it");
    }
    if (default_text(r, p, &tds->user, "sa") != 0)
        return -1;
    return default_text(r, p, &tds->encrypt, tds->embedded ? "off" : "require");
}

/* workers: [ … ] */

enum { WORKER_NAME, WORKER_SUFFIX, WORKER_PORT, WORKER_THREADS, WORKER_LANES, WORKER_TDS };

static const struct key worker_keys[] = {
    [WORKER_NAME] = {.name = "name", .kind = KEY_TEXT, .offset = offsetof(struct cluster_worker, name),
                     .valid = is_worker_name, .expected = "a name of at most 32 of a-z 0-9 _ -, a letter first,"},
    [WORKER_SUFFIX] = {.name = "suffix", .kind = KEY_TEXT, .offset = offsetof(struct cluster_worker, suffix),
                       .valid = is_suffix, .expected = "at most 16 of A-Z a-z 0-9 _"},
    [WORKER_PORT] = {.name = "port", .kind = KEY_INT, .offset = offsetof(struct cluster_worker, port), .min = 1, .max = 65535},
    [WORKER_THREADS] = {.name = "threads", .kind = KEY_INT, .offset = offsetof(struct cluster_worker, threads),
                        .min = 1, .max = CLUSTER_MAX_THREADS},
    [WORKER_LANES] = {.name = "lanes", .kind = KEY_INT, .offset = offsetof(struct cluster_worker, lanes),
                      .min = 1, .max = CLUSTER_MAX_THREADS},
    [WORKER_TDS] = {.name = "tds", .kind = KEY_NESTED},
};

/* The first deployment's workers. */
static const struct {
    const char *name, *suffix;
} known_workers[] = {{"go", "GO"}, {"python", "PY"}, {"node", "NODE"}};

#define KNOWN_WORKERS (sizeof(known_workers) / sizeof(known_workers[0]))

/* A worker without a name is one of the first deployment's or w3, w4 …; without a suffix it has its name in capitals. */
static int default_names(struct reader *r, const struct place *p, size_t shard, struct cluster_worker *w)
{
    char text[64];

    snprintf(text, sizeof(text), "w%zu", shard);
    if (default_text(r, p, &w->name, shard < KNOWN_WORKERS ? known_workers[shard].name : text) != 0)
        return -1;
    snprintf(text, sizeof(text), "%.16s", w->name);
    for (char *c = text; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (*c == '-')
            *c = '_';
    }
    for (size_t i = 0; i < KNOWN_WORKERS; i++) {
        if (strcmp(w->name, known_workers[i].name) == 0)
            snprintf(text, sizeof(text), "%s", known_workers[i].suffix);
    }
    return default_text(r, p, &w->suffix, text);
}

static int read_worker(struct reader *r, const struct place *p, size_t shard)
{
    struct cluster_worker *w = &r->cluster->workers[shard];
    struct place child;
    unsigned given = 0;

    if (p->value != NULL && read_object(r, p, worker_keys, sizeof(worker_keys) / sizeof(worker_keys[0]), w, &given) != 0)
        return -1;
    if (default_names(r, p, shard, w) != 0)
        return -1;
    for (size_t i = 0; i < shard; i++) {
        const struct cluster_worker *other = &r->cluster->workers[i];
        bool same_name = strcmp(w->name, other->name) == 0;

        if (same_name || strcasecmp(w->suffix, other->suffix) == 0) {
            (void)find_member(p, same_name ? "name" : "suffix", &child);
            return fail(r, child.at, child.key, "'%s' is that of workers[%zu] already", same_name ? w->name : w->suffix, i);
        }
    }
    if (w->port == 0)
        w->port = 8081 + (int)shard;
    if (w->threads == 0)
        w->threads = 4;
    if (w->lanes == 0)
        w->lanes = 8;
    if (claim_port(r, p, "port", w->port) != 0)
        return -1;
    (void)find_member(p, "tds", &child);
    return read_tds(r, &child, (given & KEY_GIVEN(WORKER_TDS)) != 0, shard, &w->tds);
}

static int read_workers(struct reader *r, const struct place *p, bool given)
{
    size_t count = KNOWN_WORKERS;
    const char *at = p->at;

    if (given) {
        if (json_kind(p->value) != JSON_ARRAY)
            return fail(r, p->at, p->key, "an array was expected");
        count = json_array_length(p->value);
        if (count == 0 || count > CLUSTER_MAX_WORKERS)
            return fail(r, p->at, p->key, "1 to %d workers were expected", CLUSTER_MAX_WORKERS);
        at = skip_space(value_at(p->at) + 1);
    }
    r->cluster->workers = calloc(count, sizeof(*r->cluster->workers));
    if (r->cluster->workers == NULL)
        return fail(r, p->at, p->key, "out of memory");
    r->cluster->worker_count = count;
    for (size_t i = 0; i < count; i++) {
        struct place worker = {.value = given ? json_array_at(p->value, i) : NULL, .at = at};

        snprintf(worker.key, sizeof(worker.key), "workers[%zu]", i);
        if (given && json_kind(worker.value) != JSON_OBJECT)
            return fail(r, worker.at, worker.key, "an object was expected");
        if (read_worker(r, &worker, i) != 0)
            return -1;
        if (given) {
            at = skip_space(skip_value(at));
            at = skip_space(*at == ',' ? at + 1 : at);
        }
    }
    return 0;
}

/* The whole file */

enum { MASTER_PORT, MASTER_ROLE, MASTER_THREADS, MASTER_BATCHING };

static const struct key master_keys[] = {
    [MASTER_PORT] = {.name = "port", .kind = KEY_INT, .offset = offsetof(struct cluster, master_port), .min = 1, .max = 65535},
    [MASTER_ROLE] = {.name = "role", .kind = KEY_TEXT, .offset = offsetof(struct cluster, master_role), .valid = is_role,
                     .expected = "\"primary\" or \"backup\""},
    [MASTER_THREADS] = {.name = "threads", .kind = KEY_INT, .offset = offsetof(struct cluster, master_threads),
                        .min = 1, .max = CLUSTER_MAX_THREADS},
    [MASTER_BATCHING] = {.name = "batching", .kind = KEY_BOOL, .offset = offsetof(struct cluster, batching)},
};

#define LIMIT(member, least, most) {.name = #member, .kind = KEY_SIZE, .offset = offsetof(struct cluster, limits.member), .min = (least), .max = (most)}
static const struct key limit_keys[] = {
    LIMIT(max_rows, 1, CLUSTER_MAX_ROWS),
    LIMIT(max_groups, 1, CLUSTER_MAX_ROWS),
    LIMIT(max_memory, CLUSTER_MIN_MEMORY, CLUSTER_MAX_MEMORY),
    LIMIT(max_scatter, 1, CLUSTER_MAX_WORKERS),
};
#undef LIMIT

enum { TOP_BIND, TOP_MAX_BODY, TOP_TIMEOUT, TOP_LIMITS, TOP_MASTER, TOP_WORKERS };

static const struct key top_keys[] = {
    [TOP_BIND] = {.name = "bind", .kind = KEY_TEXT, .offset = offsetof(struct cluster, bind), .valid = is_address,
                  .expected = "an IPv4 address"},
    [TOP_MAX_BODY] = {.name = "max_body", .kind = KEY_SIZE, .offset = offsetof(struct cluster, max_body),
                      .min = 1024, .max = CLUSTER_MAX_BODY},
    [TOP_TIMEOUT] = {.name = "timeout_ms", .kind = KEY_INT, .offset = offsetof(struct cluster, timeout_ms),
                     .min = 1, .max = CLUSTER_MAX_TIMEOUT_MS},
    [TOP_LIMITS] = {.name = "limits", .kind = KEY_NESTED},
    [TOP_MASTER] = {.name = "master", .kind = KEY_NESTED},
    [TOP_WORKERS] = {.name = "workers", .kind = KEY_NESTED},
};

/* MASTER_PORT and MASTER_ROLE win over the file. */
static int read_environment(struct reader *r)
{
    const char *port = getenv("MASTER_PORT");
    const char *role = getenv("MASTER_ROLE");
    long long number;

    if (port != NULL && *port != '\0') {
        if (!parse_integer(port, 1, 65535, &number)) {
            buf_append_text(r->error, "environment: MASTER_PORT: an integer from 1 to 65535 was expected");
            return -1;
        }
        r->cluster->master_port = (int)number;
    }
    if (role != NULL && *role != '\0') {
        if (!is_role(role)) {
            buf_printf(r->error, "environment: MASTER_ROLE: %s was expected", master_keys[MASTER_ROLE].expected);
            return -1;
        }
        free(r->cluster->master_role);
        r->cluster->master_role = strdup(role);
    }
    return 0;
}

static int read_cluster(struct reader *r, const struct place *top)
{
    struct cluster *c = r->cluster;
    struct place child;
    unsigned given;
    unsigned master_given;
    unsigned limits_given;

    if (read_object(r, top, top_keys, sizeof(top_keys) / sizeof(top_keys[0]), c, &given) != 0 ||
        default_text(r, top, &c->bind, "127.0.0.1") != 0)
        return -1;
    if (c->max_body == 0)
        c->max_body = 8 << 20;
    if (c->timeout_ms == 0)
        c->timeout_ms = 5000;

    (void)find_member(top, "limits", &child);
    if ((given & KEY_GIVEN(TOP_LIMITS)) != 0 &&
        read_object(r, &child, limit_keys, sizeof(limit_keys) / sizeof(limit_keys[0]), c, &limits_given) != 0)
        return -1;
    default_size(&c->limits.max_rows, 10000000);
    default_size(&c->limits.max_groups, 1000000);
    default_size(&c->limits.max_memory, (size_t)256 << 20);
    default_size(&c->limits.max_scatter, CLUSTER_MAX_WORKERS);

    c->batching = true;
    (void)find_member(top, "master", &child);
    if ((given & KEY_GIVEN(TOP_MASTER)) != 0 &&
        read_object(r, &child, master_keys, sizeof(master_keys) / sizeof(master_keys[0]), c, &master_given) != 0)
        return -1;
    if (read_environment(r) != 0 || default_text(r, &child, &c->master_role, "primary") != 0)
        return -1;
    if (c->master_port == 0)
        c->master_port = 8080;
    if (c->master_threads == 0)
        c->master_threads = 16;
    if (claim_port(r, &child, "port", c->master_port) != 0)
        return -1;

    (void)find_member(top, "workers", &child);
    return read_workers(r, &child, (given & KEY_GIVEN(TOP_WORKERS)) != 0);
}

/* Overwrites comments by spaces, so that the strict reader takes the rest and every byte stays in its place. */
static int blank_comments(struct reader *r)
{
    char *p = r->text.data;

    while (*p != '\0') {
        char *end;

        if (*p == '"') {
            p += skip_string(p) - p;
            continue;
        }
        if (p[0] == '/' && p[1] == '/') {
            end = p + strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            end = strstr(p + 2, "*/");
            if (end == NULL)
                return fail(r, p, NULL, "the comment has no end");
            end += 2;
        } else {
            p++;
            continue;
        }
        for (; p < end; p++) {
            if (*p != '\n' && *p != '\r')
                *p = ' ';
        }
    }
    return 0;
}

static int read_file(struct reader *r)
{
    FILE *file = fopen(r->file, "re");
    char part[4096];
    size_t len;
    int reason = errno;

    if (file != NULL) {
        while ((len = fread(part, 1, sizeof(part), file)) > 0)
            buf_append(&r->text, part, len);
        reason = ferror(file) ? errno : 0;
        fclose(file);
    }
    if (reason != 0) {
        buf_printf(r->error, "%s: %s", r->file, strerror(reason));
        return -1;
    }
    if (buf_status(&r->text) != 0) {
        buf_printf(r->error, "%s: larger than %d bytes", r->file, FILE_MAX);
        return -1;
    }
    return 0;
}

/* json_read() takes its text for a request's and gives the offset of what is wrong: "body: … at byte 12". */
static int fail_json(struct reader *r, const struct err *e)
{
    static const char prefix[] = "body: ";
    const char *detail = e->detail;
    const char *byte = NULL;
    size_t offset = 0;

    for (const char *p = strstr(e->detail, "byte "); p != NULL; p = strstr(p + 1, "byte "))
        byte = p;
    if (byte != NULL)
        offset = (size_t)strtoull(byte + strlen("byte "), NULL, 10);
    if (offset > r->text.len)
        offset = r->text.len;
    if (strncmp(detail, prefix, sizeof(prefix) - 1) == 0)
        detail += sizeof(prefix) - 1;
    return fail(r, buf_text(&r->text) + offset, NULL, "%s", detail);
}

int cluster_load(const char *path, struct cluster *out, struct buf *error)
{
    struct reader *r = calloc(1, sizeof(*r));
    struct place top = {0};
    struct err e = ERR_INIT;
    int rc = -1;

    memset(out, 0, sizeof(*out));
    if (r == NULL) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    r->file = path != NULL ? path : "defaults";
    r->error = error;
    r->cluster = out;
    buf_init(&r->text, FILE_MAX);
    if (path == NULL)
        buf_append_text(&r->text, "{}");
    else if (read_file(r) != 0)
        goto out;
    if (r->text.len > 0 && blank_comments(r) != 0)
        goto out;
    if (json_read(buf_text(&r->text), r->text.len, &top.value, &e) != 0) {
        rc = fail_json(r, &e);
        goto out;
    }
    top.at = skip_space(buf_text(&r->text));
    rc = read_cluster(r, &top);
out:
    json_free(top.value);
    buf_clear(&r->text);
    free(r);
    return rc;
}

const char *cluster_address(const struct cluster *c)
{
    return strcmp(c->bind, "0.0.0.0") == 0 ? "127.0.0.1" : c->bind;
}

void cluster_clear(struct cluster *c)
{
    for (size_t i = 0; i < c->worker_count; i++) {
        struct cluster_worker *w = &c->workers[i];

        free(w->name);
        free(w->suffix);
        free(w->tds.host);
        free(w->tds.user);
        free(w->tds.password_file);
        free(w->tds.encrypt);
        free(w->tds.ca_file);
    }
    free(c->workers);
    free(c->bind);
    free(c->master_role);
    memset(c, 0, sizeof(*c));
}
