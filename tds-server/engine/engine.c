#include "tds-server/engine/engine.h"

#include "tds-server/engine/bind.h"
#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/engine/exec.h"
#include "tds-server/engine/globals.h"
#include "tds-server/engine/sessions.h"
#include "tds-server/language/tsql_parse.h"
#include "tds-server/functions/typing.h"
#include "tds-server/engine/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct session_options default_options = {.quoted_identifier = true, .lock_timeout_ms = -1, .datefirst = 7, .isolation = ENGINE_READ_COMMITTED};

/* ---- the engine ---- */

/* Master is a database like the others: it has a catalogue, too. */
static int prepare_master(struct store *store, struct buf *error)
{
    sqlite3 *db = NULL;
    struct store_database *master = store_pin(store, "master", 6);
    int rc = sqlite3_open_v2(master->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, store_durable(store) ? "PRAGMA synchronous=FULL; BEGIN IMMEDIATE" : "PRAGMA synchronous=OFF; BEGIN IMMEDIATE",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK && sqlite3_table_column_metadata(db, NULL, "sg_object", NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
        rc = catalogue_initialise(db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        buf_printf(error, "%s: %s", master->path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    sqlite3_close(db);
    store_unpin(store, master);
    return rc == SQLITE_OK ? 0 : -1;
}

/* Once a process; where SQLite runs already, another engine has done it. */
static void configure_sqlite(void)
{
    /* Nobody asks how much memory SQLite has in use, and counting takes a lock that all sessions share. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* Pages one by one, and not twenty at once for each database of each session: most see a few. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

int engine_open(const char *folder, bool durable, struct engine **out, struct buf *error)
{
    *out = NULL;
    struct engine *e = calloc(1, sizeof *e);
    if (!e) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    pthread_mutex_init(&e->sessions_lock, NULL);
    configure_sqlite();
    if (store_open(folder, durable, &e->store, error) < 0 || prepare_master(e->store, error) < 0) {
        engine_close(e);
        return -1;
    }
    *out = e;
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    store_close(e->store);
    pthread_mutex_destroy(&e->sessions_lock);
    free(e);
}

/* ---- batches ---- */

void exec_free_batch(struct batch *b)
{
    if (!b)
        return;
    if (b->plan)
        plan_clear(b->plan);
    free(b->plan);
    arena_clear(&b->arena);
    free(b->variables);
    free(b->sql);
    free(b);
}

static bool is_single(const struct tsql_batch *tree)
{
    const struct tsql_statement *st = tree->statements;
    return st && !st->next && (st->kind == TSQL_SELECT || st->kind == TSQL_INSERT || st->kind == TSQL_UPDATE || st->kind == TSQL_DELETE);
}

/* Counts what DECLARE names in the statements, and when `to` is given adds it there. -1: 134, or no memory. */
static int collect_declared(struct engine_session *s, const struct tsql_statement *list, struct batch *to, size_t *count)
{
    for (const struct tsql_statement *st = list; st; st = st->next) {
        if (st->kind == TSQL_BLOCK && collect_declared(s, st->block, to, count) < 0)
            return -1;
        if (st->kind == TSQL_IF && (collect_declared(s, st->if_.then, to, count) < 0 || collect_declared(s, st->if_.otherwise, to, count) < 0))
            return -1;
        for (const struct tsql_declaration *d = st->kind == TSQL_DECLARE ? st->declarations : NULL; d; d = d->next) {
            ++*count;
            for (size_t i = 0; to && i < to->variable_count; i++) {
                const struct tsql_text *other = &to->variables[i].name;
                if (collate_name_equal(other->data, other->len, d->name.data, d->name.len)) {
                    s->fault.line = d->line;
                    return fault_set(&s->fault, 134, d->name.data);
                }
            }
            if (to)
                to->variables[to->variable_count++] = (struct variable){d->name, d->type.type, COLLATION_CI};
        }
    }
    return 0;
}

/* Gives the batch the variables that it declares, behind its parameters. Failures are the session's fault. */
static void add_declared(struct engine_session *s, struct batch *b)
{
    size_t count = 0;
    if (collect_declared(s, b->tree->statements, NULL, &count) < 0 || count == 0)
        return;
    if (b->variable_count + count > EXEC_MAX_VARIABLES) {
        fault_set(&s->fault, FAULT_UNSUPPORTED, "a batch with so many variables");
        return;
    }
    struct variable *all = calloc(b->variable_count + count, sizeof *all);
    for (size_t i = 0; all && i < b->variable_count; i++) {
        /* The names of parameters may stand behind the old array. */
        all[i] = b->variables[i];
        all[i].name.data = arena_copy(&b->arena, all[i].name.data, all[i].name.len);
        if (!all[i].name.data) {
            free(all);
            all = NULL;
        }
    }
    if (!all) {
        fault_set(&s->fault, FAULT_MEMORY);
        return;
    }
    free(b->variables);
    b->variables = all;
    count = 0;
    (void)collect_declared(s, b->tree->statements, b, &count);
}

/* Parses a text. `variables` are taken over. NULL with the session's fault. */
static struct batch *make_batch(struct engine_session *s, const char *sql, size_t len, struct variable *variables, size_t count)
{
    struct tsql_error error;
    struct batch *b = calloc(1, sizeof *b);
    if (!b) {
        free(variables);
        fault_set(&s->fault, FAULT_MEMORY);
        return NULL;
    }
    arena_init(&b->arena, TSQL_MAX_MEMORY);
    b->variables = variables;
    b->variable_count = count;
    b->param_count = count;
    b->quoted_identifier = s->options.quoted_identifier;
    b->database = s->current;
    b->sql = malloc(len + 1);
    b->plan = calloc(1, sizeof *b->plan);
    if (!b->sql || !b->plan) {
        fault_set(&s->fault, FAULT_MEMORY);
    } else {
        memcpy(b->sql, sql, len);
        b->sql[len] = '\0';
        b->len = len;
        if (tsql_parse(&b->arena, sql, len, b->quoted_identifier, &b->tree, &error) < 0)
            fault_set_text(&s->fault, error.number, error.severity, error.state, error.line, error.text);
        else
            add_declared(s, b);
    }
    if (s->fault.number != 0) {
        exec_free_batch(b);
        return NULL;
    }
    b->single = is_single(b->tree);
    return b;
}

static bool same_variables(const struct batch *b, const struct engine_param *params, size_t count)
{
    if (b->param_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct variable *v = &b->variables[i];
        size_t len = strlen(params[i].name);
        if (typing_pack(&v->type) != typing_pack(&params[i].value.type) || v->collation != params[i].collation || v->name.len != len ||
            memcmp(v->name.data, params[i].name, len) != 0)
            return false;
    }
    return true;
}

/* Takes the batch of this text out of the cache; NULL: it is not there. */
static struct batch *take_cached(struct engine_session *s, const char *sql, size_t len, const struct engine_param *params, size_t count)
{
    for (struct batch **link = &s->cached; *link; link = &(*link)->next) {
        struct batch *b = *link;
        if (b->len == len && b->database == s->current && b->quoted_identifier == s->options.quoted_identifier &&
            memcmp(b->sql, sql, len) == 0 && same_variables(b, params, count)) {
            *link = b->next;
            b->next = NULL;
            s->cached_count--;
            return b;
        }
    }
    return NULL;
}

static void put_cached(struct engine_session *s, struct batch *b)
{
    if (!b->single || b->len > EXEC_MAX_CACHED_BYTES) {
        exec_free_batch(b);
        return;
    }
    b->next = s->cached;
    s->cached = b;
    if (++s->cached_count <= EXEC_MAX_CACHED)
        return;
    struct batch **link = &s->cached;
    while ((*link)->next)
        link = &(*link)->next;
    exec_free_batch(*link);
    *link = NULL;
    s->cached_count--;
}

/* ---- sessions ---- */

int engine_session_open(struct engine *e, const char *database, const struct engine_sink *sink, struct engine_session **out)
{
    *out = NULL;
    if (database[0] == '\0')
        database = "master";
    struct engine_session *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    s->engine = e;
    s->sink = *sink;
    s->options = default_options;
    snprintf(s->about.login, sizeof s->about.login, "sa");
    s->functions.fault = &s->fault;
    buf_init(&s->output, CONVERT_MAX_BYTES);
    snprintf(s->home, sizeof s->home, "%s", database);
    s->current = store_pin(e->store, database, strlen(database));
    s->db = s->current ? store_connect(e->store) : NULL;
    if (!s->db || functions_register(s->db, &s->functions) != SQLITE_OK || views_register(s->db) != SQLITE_OK ||
        globals_register(s->db, s) != SQLITE_OK || sessions_register(s->db, s) != SQLITE_OK) {
        engine_session_close(s);
        return -1;
    }
    sessions_show(s, false);
    if (sessions_join(s) < 0) {
        engine_session_close(s);
        return -1;
    }
    s->writer.spid = s->spid;
    sqlite3_limit(s->db, SQLITE_LIMIT_VARIABLE_NUMBER, PLAN_MAX_PARAMETERS);
    transaction_watch(s);
    s->drops = store_drops(e->store);
    functions_set_now(&s->functions);
    *out = s;
    return 0;
}

static void drop_batches(struct engine_session *s)
{
    while (s->cached) {
        struct batch *next = s->cached->next;
        exec_free_batch(s->cached);
        s->cached = next;
    }
    s->cached_count = 0;
    while (s->prepared) {
        struct batch *next = s->prepared->next;
        exec_free_batch(s->prepared);
        s->prepared = next;
    }
}

void engine_session_close(struct engine_session *s)
{
    if (!s)
        return;
    sessions_leave(s);
    /* Nothing is told any more: the client is gone. */
    s->sink = (struct engine_sink){0};
    if (s->db) {
        transaction_abandon(s);
        drop_batches(s);
        connection_close(s);
    }
    store_unpin(s->engine->store, s->current);
    buf_clear(&s->functions.scratch);
    buf_clear(&s->output);
    free(s);
}

/* Back to the database of the login, when it is there still. */
static void go_home(struct engine_session *s)
{
    struct store_database *from = s->current, *home = store_pin(s->engine->store, s->home, strlen(s->home));
    if (!home)
        return;
    s->current = home;
    if (home != from && s->sink.database)
        (void)s->sink.database(s->sink.arg, from->name, home->name);
    store_unpin(s->engine->store, from);
}

void engine_session_reset(struct engine_session *s, bool keep_transaction)
{
    bool keep = keep_transaction && s->trancount > 0;
    enum engine_isolation isolation = s->options.isolation;
    struct engine_sink sink = s->sink;
    s->writer.cancelled = false;
    s->sink.transaction = NULL;
    if (!keep)
        transaction_abandon(s);
    s->sink = sink;
    go_home(s);
    while (s->prepared) {
        struct batch *next = s->prepared->next;
        exec_free_batch(s->prepared);
        s->prepared = next;
    }
    connection_forget_temporary(s);
    s->options = default_options;
    if (keep)
        s->options.isolation = isolation;
    s->rowcount = 0;
    s->error = 0;
    s->has_identity = false;
    s->identity_insert = 0;
}

const char *engine_session_database(const struct engine_session *s)
{
    return s->current->name;
}

int engine_session_spid(const struct engine_session *s)
{
    return s->spid;
}

uint64_t engine_session_transaction(const struct engine_session *s)
{
    return s->transaction;
}

void engine_cancel(struct engine_session *s)
{
    store_cancel(s->engine->store, &s->writer);
    sqlite3_interrupt(s->db);
}

/* ---- requests ---- */

/* Tells the session's fault, and a done with it. */
static int tell(struct engine_session *s)
{
    struct fault *f = &s->fault;
    int result = transaction_settle(s) == 0 && f->number == FAULT_CANCELLED ? -1 : 0;
    s->error = f->number;
    struct engine_message m = {.number = f->number, .severity = f->severity, .state = f->state, .line = f->line > 0 ? f->line : 1, .text = f->text};
    struct engine_done done = {.error = true};
    if (result == 0 && (s->sink.message(s->sink.arg, &m) != 0 || s->sink.done(s->sink.arg, &done) != 0))
        result = -1;
    fault_clear(f);
    return result;
}

/* A cancel that came too late for the request before must not end this one. */
static void start(struct engine_session *s)
{
    fault_clear(&s->fault);
    s->writer.cancelled = false;
    sessions_show(s, true);
}

static int finish(struct engine_session *s, int result)
{
    fault_clear(&s->fault);
    sessions_show(s, false);
    return result;
}

/* Where the parameter for the variable is: by name, else by place. */
static const struct engine_param *find_param(const struct variable *v, size_t place, const struct engine_param *params, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (params[i].name[0] != '\0' && collate_name_equal(params[i].name, strlen(params[i].name), v->name.data, v->name.len))
            return &params[i];
    }
    return place < count && params[place].name[0] == '\0' ? &params[place] : NULL;
}

/* Gives a variable its value, converted to the declared type where it came as another one. */
static int set_variable(struct run *r, size_t i, const struct value *in)
{
    struct variable_value *v = &r->values[i];
    const struct sqltype *type = &r->batch->variables[i].type;
    v->value = *in;
    if (typing_pack(&in->type) == typing_pack(type))
        return 0;
    struct value out;
    if (convert_value(in, type, 0, CONVERT_CAST, &v->own, &out, &r->session->fault) < 0)
        return -1;
    v->value = out;
    return 0;
}

static int set_variables(struct run *r, const struct engine_param *params, size_t count)
{
    struct engine_session *s = r->session;
    const struct batch *b = r->batch;
    for (size_t i = 0; i < b->variable_count; i++) {
        buf_init(&r->values[i].own, CONVERT_MAX_BYTES);
        r->values[i].value = (struct value){.type = b->variables[i].type, .null = true, .bytes = {"", 0}};
    }
    if (count > b->param_count)
        return fault_set(&s->fault, 8144, "sp_executesql");
    for (size_t i = 0; i < b->param_count; i++) {
        const struct engine_param *p = find_param(&b->variables[i], i, params, count);
        if (!p)
            return fault_set(&s->fault, 8178, b->sql, b->variables[i].name.data);
        if (set_variable(r, i, &p->value) < 0)
            return -1;
    }
    return 0;
}

int exec_next_row(struct run *r)
{
    struct engine_session *s = r->session;
    int more = s->writer.cancelled ? -1 : r->rows->next(r->rows->arg, r->row);
    if (more < 0) {
        r->stopped = true;
        return fault_set(&s->fault, FAULT_CANCELLED);
    }
    for (size_t i = 0; more > 0 && i < r->batch->param_count; i++) {
        if (set_variable(r, i, &r->row[i]) < 0)
            return -1;
    }
    return more;
}

/* Gives output parameters their values; the bytes live until the session's next request. */
static void return_variables(struct run *r, struct engine_param *params, size_t count)
{
    const struct batch *b = r->batch;
    struct buf *out = &r->session->output;
    buf_reset(out);
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        for (size_t i = 0; i < b->param_count; i++) {
            struct engine_param *p = (struct engine_param *)find_param(&b->variables[i], i, params, count);
            const struct value *v = &r->values[i].value;
            if (!p || !p->output)
                continue;
            if (pass == 0) {
                buf_append(out, v->bytes.data ? v->bytes.data : "", v->bytes.len);
                continue;
            }
            p->value = *v;
            p->value.bytes.data = buf_text(out) + at;
            at += v->bytes.len;
        }
    }
}

/* Runs a batch with its parameters. */
int exec_run(struct engine_session *s, struct batch *b, struct engine_param *params, size_t count)
{
    struct run r = {.session = s, .batch = b};
    int result;
    r.values = calloc(b->variable_count + 1, sizeof *r.values);
    if (!r.values) {
        fault_set(&s->fault, FAULT_MEMORY);
        return tell(s);
    }
    if (set_variables(&r, params, count) < 0) {
        result = tell(s);
    } else {
        result = exec_batch(&r);
        return_variables(&r, params, count);
    }
    for (size_t i = 0; i < b->variable_count; i++)
        buf_clear(&r.values[i].own);
    free(r.values);
    return result;
}

/* The variables of sp_executesql: names and types come with the parameters. Names are copied behind the array. */
static struct variable *copy_variables(const struct engine_param *params, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(params[i].name) + 1;
    struct variable *list = calloc(1, (count + 1) * sizeof *list + bytes);
    if (!list)
        return NULL;
    char *names = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(params[i].name);
        memcpy(names, params[i].name, len + 1);
        list[i] = (struct variable){{names, len}, params[i].value.type, params[i].collation};
        names += len + 1;
    }
    return list;
}

int engine_execute(struct engine_session *s, const char *sql, size_t len, struct engine_param *params, size_t count)
{
    start(s);
    if (count > EXEC_MAX_VARIABLES) {
        fault_set(&s->fault, 8144, "sp_executesql");
        return finish(s, tell(s));
    }
    struct batch *b = take_cached(s, sql, len, params, count);
    if (!b) {
        struct variable *variables = copy_variables(params, count);
        if (variables)
            b = make_batch(s, sql, len, variables, count);
        else
            fault_set(&s->fault, FAULT_MEMORY);
    }
    if (!b)
        return finish(s, tell(s));
    int result = exec_run(s, b, params, count);
    put_cached(s, b);
    return finish(s, result);
}

int engine_batch(struct engine_session *s, const char *sql, size_t len)
{
    return engine_execute(s, sql, len, NULL, 0);
}

/* ---- prepared statements ---- */

/* "@p1 int, @p2 nvarchar(4000)" as variables; they live in the batch, names in its arena. */
static int declare(struct engine_session *s, struct arena *arena, const char *text, size_t len, struct variable **out, size_t *count)
{
    struct tsql_declaration *list;
    struct tsql_error error;
    size_t n = 0;
    if (tsql_parse_declarations(arena, text, len, &list, &error) < 0)
        return fault_set_text(&s->fault, error.number, error.severity, error.state, error.line, error.text);
    for (const struct tsql_declaration *d = list; d; d = d->next)
        n++;
    struct variable *variables = calloc(n + 1, sizeof *variables);
    if (!variables)
        return fault_set(&s->fault, FAULT_MEMORY);
    n = 0;
    for (const struct tsql_declaration *d = list; d; d = d->next)
        variables[n++] = (struct variable){d->name, d->type.type, COLLATION_CI};
    *out = variables;
    *count = n;
    return 0;
}

struct batch *exec_make_batch(struct engine_session *s, const char *sql, size_t len, const char *declarations, size_t declarations_len)
{
    struct arena names;
    struct variable *variables = NULL;
    size_t count = 0;
    struct batch *b = NULL;
    arena_init(&names, TSQL_MAX_MEMORY);
    if (declare(s, &names, declarations, declarations_len, &variables, &count) == 0)
        b = make_batch(s, sql, len, variables, count);
    /* The names must live as long as the batch does. */
    for (size_t i = 0; b && i < count; i++) {
        b->variables[i].name.data = arena_copy(&b->arena, b->variables[i].name.data, b->variables[i].name.len);
        if (!b->variables[i].name.data) {
            fault_set(&s->fault, FAULT_MEMORY);
            exec_free_batch(b);
            b = NULL;
        }
    }
    arena_clear(&names);
    return b;
}

static struct batch **find_prepared(struct engine_session *s, int32_t handle)
{
    for (struct batch **link = &s->prepared; *link; link = &(*link)->next) {
        if ((*link)->handle == handle)
            return link;
    }
    return NULL;
}

int engine_prepare(struct engine_session *s, const char *sql, size_t len, const char *declarations, size_t declarations_len,
                   int32_t *handle, const struct engine_column **columns, size_t *column_count)
{
    start(s);
    *handle = 0;
    *columns = NULL;
    *column_count = 0;
    struct batch *b = exec_make_batch(s, sql, len, declarations, declarations_len);
    bool failed = !b;
    if (!failed && b->single)
        failed = exec_compile(s, b, b->tree->statements, b->plan) < 0 || transaction_settle(s) < 0;
    if (failed) {
        exec_free_batch(b);
        return finish(s, tell(s));
    }
    if (b->single && b->tree->statements->kind == TSQL_SELECT && !b->plan->assigned) {
        *columns = b->plan->query.columns;
        *column_count = b->plan->query.column_count;
    }
    b->handle = ++s->next_handle;
    b->next = s->prepared;
    s->prepared = b;
    *handle = b->handle;
    return finish(s, 0);
}

int engine_execute_prepared(struct engine_session *s, int32_t handle, struct engine_param *params, size_t count)
{
    start(s);
    struct batch **link = find_prepared(s, handle);
    if (!link) {
        fault_set(&s->fault, 8179, (int)handle);
        return finish(s, tell(s));
    }
    return finish(s, exec_run(s, *link, params, count));
}

int engine_load(struct engine_session *s, int32_t handle, const struct engine_rows *rows, uint64_t *count)
{
    start(s);
    *count = 0;
    struct batch **link = find_prepared(s, handle);
    if (!link) {
        fault_set(&s->fault, 8179, (int)handle);
        return finish(s, tell(s));
    }
    struct batch *b = *link;
    struct run r = {.session = s, .batch = b, .rows = rows};
    int result;
    r.values = calloc(b->variable_count + 1, sizeof *r.values);
    r.row = calloc(b->variable_count + 1, sizeof *r.row);
    if (r.values && r.row) {
        for (size_t i = 0; i < b->variable_count; i++)
            buf_init(&r.values[i].own, CONVERT_MAX_BYTES);
        s->rowcount = 0;
        result = exec_batch(&r);
        *count = result == 0 && s->error == 0 ? (uint64_t)s->rowcount : 0;
        for (size_t i = 0; i < b->variable_count; i++)
            buf_clear(&r.values[i].own);
    } else {
        fault_set(&s->fault, FAULT_MEMORY);
        result = tell(s);
    }
    free(r.values);
    free(r.row);
    return finish(s, result);
}

int engine_unprepare(struct engine_session *s, int32_t handle)
{
    start(s);
    struct batch **link = find_prepared(s, handle);
    if (!link) {
        fault_set(&s->fault, 8179, (int)handle);
        return finish(s, tell(s));
    }
    struct batch *b = *link;
    *link = b->next;
    exec_free_batch(b);
    return finish(s, 0);
}

/* ---- procedures ---- */

int engine_call(struct engine_session *s, const char *name, struct engine_param *params, size_t count)
{
    start(s);
    int result = exec_call(s, name, strlen(name), params, count);
    if (result < 0 && s->fault.number != 0)
        result = tell(s);
    return finish(s, result);
}

/* ---- the Transaction Manager's requests ---- */

static int finish_transaction(struct engine_session *s, int result)
{
    if (transaction_settle(s) < 0)
        result = -1;
    if (result < 0 && s->fault.number != 0)
        return finish(s, tell(s));
    return finish(s, result);
}

int engine_begin(struct engine_session *s, enum engine_isolation isolation, const char *name)
{
    start(s);
    if (isolation != ENGINE_ISOLATION_KEEP)
        s->options.isolation = isolation;
    return finish_transaction(s, transaction_begin(s, name, strlen(name)));
}

int engine_commit(struct engine_session *s)
{
    start(s);
    return finish_transaction(s, transaction_commit(s));
}

int engine_rollback(struct engine_session *s, const char *savepoint)
{
    start(s);
    return finish_transaction(s, transaction_rollback(s, savepoint, strlen(savepoint)));
}

int engine_save(struct engine_session *s, const char *savepoint)
{
    start(s);
    return finish_transaction(s, transaction_save(s, savepoint, strlen(savepoint)));
}
