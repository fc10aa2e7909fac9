/* The engine, from a text to its last row. The input is a script: batches parted by lines "GO", or "GO 2" when the second
 * of two sessions runs the next one. A batch that opens with '?' is prepared and executed, and executed again at the
 * script's end. It runs over two small tables that are there, inside a transaction that is rolled back, or without one
 * when its first byte is '!'.
 *
 * Whatever the text: errors have numbers and texts, rows have the types that their columns tell and can be written to the
 * wire, transactions begin and end in turn, a batch can be cancelled, and afterwards the session answers.
 */
#include "common/utf8.h"
#include "tds-server/engine/engine.h"
#include "tds-server/engine/runtime.h"
#include "tds-server/functions/typing.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_value.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX     65536
#define SESSIONS      2
#define COLUMNS_MAX   4096
#define ROWS_MAX      2000   /* of one batch; then its client goes away */
#define DONES_MAX     2000
#define STEPS         1000   /* SQLite's instructions between two looks at the clock */
#define TICKS_MAX     500    /* such looks before a batch is cancelled */
#define PATIENCE_MS   3000   /* before the watcher cancels what makes no steps */
#define WATCH_MS      250
#define FILES_MAX     16
#define FILE_MAX      ((size_t)1 << 20)
#define UNWRAPPED     '!'
#define PREPARED      '?'
#define PREPARED_MAX  8
#define NUMBER_OF_USERS 50000 /* and above: a message that the batch raises itself */

static const char schema[] =
    "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(20), c NVARCHAR(MAX), d DECIMAL(10,2), e DATETIME2(3), f FLOAT,"
    " g UNIQUEIDENTIFIER, h VARBINARY(50), i BIT, m MONEY, k CHAR(3), o DATETIMEOFFSET(2), w TIME(0), n NCHAR(4))\n"
    "CREATE TABLE u (id INT IDENTITY(1,1) PRIMARY KEY, t_id INT REFERENCES t (id) ON DELETE CASCADE, name NVARCHAR(50) NOT NULL DEFAULT N'x',"
    " CONSTRAINT short CHECK (LEN(name) < 30), CONSTRAINT one UNIQUE (name))\n"
    "CREATE INDEX by_a ON t (a DESC, b)\n"
    "INSERT INTO t VALUES (1, 10, 'one', N'eins', 1.50, '2024-02-29 13:05:00.123', 0.5, '6F9619FF-8B86-D011-B42D-00C04FC964FF', 0x0102, 1, 12.34, 'a',"
    " '2024-02-29 13:05:00.12 +02:00', '23:59:59', N'\xC3\xA9'),"
    " (2, NULL, '', NULL, -99999999.99, '0001-01-01', -1e308, NULL, 0x, 0, -922337203685477.5808, NULL, NULL, NULL, NULL),"
    " (3, 2147483647, 'ONE ', N'\xF0\x9F\x98\x80', 0, '9999-12-31 23:59:59.999', 0, '00000000-0000-0000-0000-000000000000', NULL, NULL, 0, 'abc',"
    " '0001-01-01 00:00 +00:00', '00:00', N'abcd')\n"
    "INSERT INTO u (t_id, name) VALUES (1, N'first'), (1, N'second'), (3, N'third'), (NULL, N'fourth')";

/* A session and what its sink has seen of the batch under way. */
struct client {
    struct engine_session *session;
    struct sqltype types[COLUMNS_MAX];
    size_t columns;
    size_t rows;
    size_t dones;
    size_t errors;
    int64_t first; /* an integer of the last row */
    unsigned ticks;
    bool stopped;         /* the batch was told to end */
    uint64_t transaction; /* as told */
    int32_t prepared[PREPARED_MAX];
    size_t prepared_count;
};

struct file {
    char name[256];
    char *data;
    size_t len;
};

static struct {
    char folder[64];
    struct file files[FILES_MAX]; /* the folder as it is when an input starts */
    size_t file_count;
    struct engine *engine;
    struct client clients[SESSIONS];
    bool changed; /* something was committed */
    pthread_mutex_t lock;
    struct engine_session *running; /* for the watcher */
    int64_t since_ms;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- what a client sees ---- */

static int stop(struct client *c)
{
    c->stopped = true;
    return -1;
}

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    struct client *c = arg;
    CHECK(count > 0 && count <= COLUMNS_MAX);
    for (size_t i = 0; i < count; i++) {
        fuzz_check_text(columns[i].name, strlen(columns[i].name));
        c->types[i] = columns[i].type;
    }
    c->columns = count;
    return 0;
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    struct client *c = arg;
    CHECK(count == c->columns);
    for (size_t i = 0; i < count; i++) {
        CHECK(typing_pack(&values[i].type) == typing_pack(&c->types[i]));
        fuzz_check_form(&values[i], 1);
        if (c->rows == 0) {
            fuzz_check_written(&values[i]);
        }
    }
    c->first = values[0].null ? 0 : values[0].integer;
    return ++c->rows > ROWS_MAX ? stop(c) : 0;
}

static int on_done(void *arg, const struct engine_done *done)
{
    struct client *c = arg;
    CHECK(!done->error || c->errors > 0);
    return ++c->dones > DONES_MAX ? stop(c) : 0;
}

static int on_message(void *arg, const struct engine_message *m)
{
    struct client *c = arg;
    CHECK(m->line >= 1 && m->severity >= 0 && m->severity <= 25);
    fuzz_check_text(m->text, strlen(m->text));
    if (m->severity > 10) {
        CHECK(m->number > 0 && (m->text[0] != '\0' || m->number >= NUMBER_OF_USERS)); /* THROW 50000, '', 1 */
        c->errors++;
    }
    return 0;
}

static int on_database(void *arg, const char *from, const char *to)
{
    (void)arg;
    fuzz_check_text(from, strlen(from));
    fuzz_check_text(to, strlen(to));
    return 0;
}

static int on_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    struct client *c = arg;
    CHECK(type >= 8 && type <= 10);
    CHECK(from == c->transaction && (type == 8) == (to != 0));
    c->transaction = to;
    return 0;
}

/* ---- limits ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* SQLite asks after so many steps; non-zero is as good as an attention. */
static int on_steps(void *arg)
{
    struct client *c = arg;
    if (++c->ticks % TICKS_MAX != 0) {
        return 0;
    }
    c->stopped = true;
    return 1;
}

static int on_commit(void *arg)
{
    (void)arg;
    world.changed = true;
    return 0;
}

/* Cancels what runs without steps. libFuzzer's own timeout finds what does not even end then. */
static void *watch(void *arg)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = WATCH_MS * 1000000L}, NULL);
        pthread_mutex_lock(&world.lock);
        if (world.running != NULL && now_ms() - world.since_ms > PATIENCE_MS) {
            engine_cancel(world.running);
        }
        pthread_mutex_unlock(&world.lock);
    }
    return arg;
}

static void set_running(struct engine_session *s)
{
    pthread_mutex_lock(&world.lock);
    world.running = s;
    world.since_ms = now_ms();
    pthread_mutex_unlock(&world.lock);
}

/* ---- the folder ---- */

static void path_of(const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", world.folder, name);
}

static void remove_files(void)
{
    char path[512];
    DIR *d = opendir(world.folder);
    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;) {
        path_of(entry->d_name, path);
        unlink(path);
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void remove_folder(void)
{
    remove_files();
    rmdir(world.folder);
}

static void keep_files(void)
{
    DIR *d = opendir(world.folder);
    CHECK(d != NULL);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        char path[512];
        path_of(entry->d_name, path);
        struct stat st;
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        CHECK(world.file_count < FILES_MAX && (size_t)st.st_size <= FILE_MAX);
        struct file *f = &world.files[world.file_count++];
        FILE *in = fopen(path, "rb");
        snprintf(f->name, sizeof f->name, "%s", entry->d_name);
        f->len = (size_t)st.st_size;
        f->data = malloc(f->len + 1);
        CHECK(in != NULL && f->data != NULL && fread(f->data, 1, f->len, in) == f->len);
        fclose(in);
    }
    closedir(d);
}

static void restore_files(void)
{
    remove_files();
    for (size_t i = 0; i < world.file_count; i++) {
        char path[512];
        path_of(world.files[i].name, path);
        FILE *out = fopen(path, "wb");
        CHECK(out != NULL && fwrite(world.files[i].data, 1, world.files[i].len, out) == world.files[i].len);
        CHECK(fclose(out) == 0);
    }
}

/* ---- sessions ---- */

static void open_engine(void)
{
    struct buf error;
    buf_init(&error, 4096);
    CHECK(engine_open(world.folder, false, &world.engine, &error) == 0);
    buf_clear(&error);
    world.changed = false;
}

static struct client *open_client(size_t number)
{
    struct client *c = &world.clients[number];
    if (c->session == NULL) {
        const struct engine_sink sink = {on_columns, on_row, on_done, on_message, on_database, on_transaction, c};
        CHECK(engine_session_open(world.engine, "", &sink, &c->session) == 0);
        sqlite3_progress_handler(c->session->db, STEPS, on_steps, c);
        sqlite3_commit_hook(c->session->db, on_commit, NULL);
        c->transaction = 0;
        c->prepared_count = 0;
    }
    return c;
}

static void close_clients(void)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        if (world.clients[i].session != NULL) {
            engine_session_close(world.clients[i].session);
            world.clients[i].session = NULL;
        }
    }
}

static void begin_run(struct client *c)
{
    c->columns = c->rows = c->dones = c->errors = 0;
    c->ticks = 0;
    c->stopped = false;
    set_running(c->session);
}

static void end_run(const struct client *c, int result)
{
    set_running(NULL);
    CHECK(result == 0 || result == -1);
    CHECK(engine_session_transaction(c->session) == c->transaction);
}

static void run(struct client *c, const char *sql, size_t len)
{
    begin_run(c);
    end_run(c, engine_batch(c->session, sql, len));
}

static void run_prepared(struct client *c, int32_t handle)
{
    begin_run(c);
    end_run(c, engine_execute_prepared(c->session, handle, NULL, 0));
}

static void prepare(struct client *c, const char *sql, size_t len)
{
    const struct engine_column *columns;
    size_t count;
    int32_t handle;
    begin_run(c);
    int result = engine_prepare(c->session, sql, len, "", 0, &handle, &columns, &count);
    end_run(c, result);
    if (handle == 0) {
        CHECK(result != 0 || c->errors > 0);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fuzz_check_text(columns[i].name, strlen(columns[i].name));
    }
    c->prepared[c->prepared_count++] = handle;
    run_prepared(c, handle);
}

static void run_text(struct client *c, const char *sql)
{
    run(c, sql, strlen(sql));
}

/* Whatever came before, the session is there. */
static void check_answers(struct client *c)
{
    run_text(c, "SET FMTONLY OFF SET ROWCOUNT 0 SELECT 1");
    CHECK(c->errors == 0 && !c->stopped);
    CHECK(c->rows == 1 && c->columns == 1 && c->types[0].kind == SQLTYPE_INT && c->first == 1);
}

/* Nothing may wait for the other session's transaction: nobody would end it. */
static void end_transaction(struct client *c)
{
    c->errors = 0;
    while (c->session != NULL && c->transaction != 0) {
        CHECK((c->errors == 0 ? engine_commit(c->session) : engine_rollback(c->session, "")) == 0);
    }
}

static void set_up(void)
{
    pthread_t thread;
    snprintf(world.folder, sizeof world.folder, "%s/fuzz_engine-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(world.folder) != NULL);
    atexit(remove_folder);
    open_engine();
    struct client *c = open_client(0);
    run_text(c, schema);
    CHECK(c->errors == 0);
    close_clients();
    engine_close(world.engine);
    keep_files();
    open_engine();
    CHECK(pthread_create(&thread, NULL, watch, NULL) == 0);
    pthread_detach(thread);
}

/* ---- the script ---- */

/* Is this line a "GO"? Which session runs what follows then? */
static bool is_go(const char *line, size_t len, size_t *session)
{
    if (len < 2 || strncasecmp(line, "go", 2) != 0 || (len > 2 && (len != 4 || line[2] != ' ' || line[3] < '1' || line[3] > '2'))) {
        return false;
    }
    *session = len > 2 ? (size_t)(line[3] - '1') : 0;
    return true;
}

static void run_piece(struct client *c, const char *sql, size_t len)
{
    if (len > 0 && sql[0] == PREPARED && c->prepared_count < PREPARED_MAX) {
        prepare(c, sql + 1, len - 1);
    } else {
        run(c, sql, len);
    }
}

/* What was prepared before the script changed this and that. */
static void run_prepared_again(struct client *c)
{
    for (size_t i = 0; i < c->prepared_count; i++) {
        run_prepared(c, c->prepared[i]);
        CHECK(engine_unprepare(c->session, c->prepared[i]) == 0);
    }
}

static void run_script(const char *text, size_t len)
{
    size_t session = 0, next = 0;
    const char *start = text, *end = text + len;
    for (const char *line = text; line <= end;) {
        const char *stop_at = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
        if (stop_at == NULL) {
            stop_at = end;
        }
        bool go = is_go(line, (size_t)(stop_at - line), &next);
        if (go || stop_at == end) {
            end_transaction(&world.clients[1 - session]);
            run_piece(open_client(session), start, (size_t)((go ? line : end) - start));
            session = next;
            start = stop_at < end ? stop_at + 1 : end;
        }
        line = stop_at + 1;
    }
}

/* The wire hands on nothing but UTF-8. */
static void make_utf8(char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_decode(text + at, len - at, NULL);
        if (n == 0) {
            text[at] = '?';
            n = 1;
        }
        at += n;
    }
}

static bool mentions_databases(const char *text, size_t len)
{
    for (size_t i = 0; i + 8 <= len; i++) {
        if (strncasecmp(text + i, "database", 8) == 0) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world.engine == NULL) {
        set_up();
    }
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    char *text = malloc(size);
    CHECK(text != NULL);
    memcpy(text, data, size);
    make_utf8(text, size);
    bool wrapped = text[0] != UNWRAPPED;
    struct client *c = open_client(0);
    if (wrapped) {
        run_text(c, "BEGIN TRANSACTION");
    }
    run_script(wrapped ? text : text + 1, wrapped ? size : size - 1);
    for (size_t i = 0; i < SESSIONS; i++) {
        if (world.clients[i].session != NULL) {
            end_transaction(&world.clients[1 - i]);
            run_prepared_again(&world.clients[i]);
            check_answers(&world.clients[i]);
        }
    }
    close_clients();
    if (world.changed || mentions_databases(text, size)) {
        engine_close(world.engine);
        restore_files();
        open_engine();
    }
    free(text);
    return 0;
}
