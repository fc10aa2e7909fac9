#include "tds-server/engine/exec.h"

#include "tds-server/engine/bind.h"
#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/engine/globals.h"
#include "tds-server/functions/typing.h"

#include <stdlib.h>
#include <string.h>

enum { COMMAND_SELECT = 0xC1, COMMAND_INSERT = 0xC3, COMMAND_DELETE = 0xC4, COMMAND_UPDATE = 0xC5 };

/* ---- SQLite statements ---- */

int exec_prepare(struct engine_session *s, const char *sql, sqlite3_stmt **stmt)
{
    if (*stmt)
        return 0;
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    return rc == SQLITE_OK ? 0 : runtime_sqlite_fault(s, rc);
}

int exec_step(struct engine_session *s, sqlite3_stmt *stmt)
{
    bool first = !sqlite3_stmt_busy(stmt);
    int rc = sqlite3_step(stmt);
    if (first)
        transaction_note_read(s); /* the snapshot is taken */
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    if (s->fault.number != 0)
        return -1; /* one of our functions has said what is wrong */
    return runtime_sqlite_fault(s, rc);
}

/* Finds a parameter's value; PLAN_SESSION's bytes are made in `scratch`. */
static int param_value(struct run *r, const struct plan_param *p, struct buf *scratch, struct value *out)
{
    switch (p->kind) {
    case PLAN_CONSTANT:
        *out = p->constant;
        return 0;
    case PLAN_VARIABLE:
        *out = r->values[p->variable].value;
        return 0;
    default:
        break;
    }
    struct value args[GLOBALS_MAX_ARGS];
    struct buf bytes[GLOBALS_MAX_ARGS];
    int result = 0;
    for (size_t i = 0; i < p->arg_count; i++) {
        buf_init(&bytes[i], CONVERT_MAX_BYTES);
        if (result == 0)
            result = param_value(r, &p->args[i], &bytes[i], &args[i]);
    }
    if (result == 0)
        result = globals_call(p->function, r->session, args, p->arg_count, scratch, out);
    for (size_t i = 0; i < p->arg_count; i++)
        buf_clear(&bytes[i]);
    return result;
}

const struct value *exec_param(const struct run *r, const struct plan_param *p)
{
    return p->kind == PLAN_CONSTANT ? &p->constant : &r->values[p->variable].value;
}

int exec_bind(struct run *r, struct plan_query *q)
{
    struct engine_session *s = r->session;
    /* A literal that was converted when it was bound is a parameter that nothing refers to; the last may be such. */
    size_t used = (size_t)sqlite3_bind_parameter_count(q->stmt);
    for (size_t i = 0; i < q->param_count && i < used; i++) {
        const struct plan_param *p = &q->params[i];
        struct value v;
        int rc;
        /* A literal that was converted stands nowhere in the text, nor does its parameter. */
        if ((int)i >= sqlite3_bind_parameter_count(q->stmt))
            break;
        if (p->kind == PLAN_CELL)
            continue;
        if (p->kind != PLAN_SESSION) {
            rc = cell_bind(q->stmt, (int)i + 1, exec_param(r, p));
        } else {
            struct buf scratch;
            buf_init(&scratch, CONVERT_MAX_BYTES);
            if (param_value(r, p, &scratch, &v) < 0) {
                buf_clear(&scratch);
                return -1;
            }
            rc = cell_bind(q->stmt, (int)i + 1, &v);
            /* The bytes go with the buffer: SQLite has to have its own. */
            if (rc == SQLITE_OK && !v.null && typing_class(v.type.kind) >= TYPE_STRING)
                rc = sqlite3_bind_text64(q->stmt, (int)i + 1, v.bytes.data, v.bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
            buf_clear(&scratch);
        }
        if (rc != SQLITE_OK)
            return runtime_sqlite_fault(s, rc);
    }
    return 0;
}

/* ---- plans ---- */

static bool is_good(struct engine_session *s, const struct plan *p)
{
    if (!p->statement)
        return false;
    for (size_t i = 0; i < p->database_count; i++) {
        if (!connection_reuse(s, p->databases[i].id, p->databases[i].version))
            return false;
    }
    return true;
}

int exec_compile(struct engine_session *s, const struct batch *batch, const struct tsql_statement *statement, struct plan *plan)
{
    if (is_good(s, plan))
        return 0;
    plan_clear(plan);
    int result = bind_statement(s, statement, batch->variables, batch->variable_count, plan);
    if (result < 0)
        plan_clear(plan); /* half a plan must not be taken for a good one when the cached batch runs again */
    return result;
}

/* ---- variables ---- */

/* Assigns with conversion to the variable's type. */
static int assign(struct run *r, size_t i, const struct value *v)
{
    struct engine_session *s = r->session;
    struct variable_value *to = &r->values[i];
    struct buf scratch;
    struct value out;
    buf_init(&scratch, CONVERT_MAX_BYTES);
    int result = convert_value(v, &r->batch->variables[i].type, 0, CONVERT_CAST, &scratch, &out, &s->fault);
    if (result == 0) {
        struct buf own;
        buf_init(&own, CONVERT_MAX_BYTES);
        buf_append(&own, out.bytes.data, out.bytes.len);
        if (buf_status(&own) < 0)
            result = fault_set(&s->fault, FAULT_MEMORY);
        buf_clear(&to->own);
        to->own = own;
        to->value = out;
        to->value.bytes.data = buf_text(&to->own);
    }
    buf_clear(&scratch);
    return result;
}

int exec_assign(struct run *r, struct tsql_text name, const struct value *v)
{
    for (size_t i = 0; i < r->batch->variable_count; i++) {
        const struct variable *to = &r->batch->variables[i];
        if (collate_name_equal(to->name.data, to->name.len, name.data, name.len))
            return assign(r, i, v);
    }
    return fault_set(&r->session->fault, 137, name.data);
}

/* SERIALIZABLE and UPDLOCK and their like: nobody changes what a transaction has read. */
static int hold_databases(struct engine_session *s, const struct plan *p)
{
    if (s->trancount == 0 || (s->options.isolation <= ENGINE_READ_COMMITTED && !p->locks))
        return 0;
    for (size_t i = 0; i < p->database_count; i++) {
        struct attachment *a = connection_reuse(s, p->databases[i].id, p->databases[i].version);
        if (a && transaction_hold(s, a) < 0)
            return -1;
    }
    return 0;
}

/* Computes one value: of IF, PRINT, SET @v =. Calls `use` with it. */
int exec_evaluate(struct run *r, const struct tsql_expr *e, int (*use)(struct run *r, const struct value *v, void *arg), void *arg)
{
    struct engine_session *s = r->session;
    struct plan p = {0};
    int result = -1;
    if (bind_value(s, e, r->batch->variables, r->batch->variable_count, &p) == 0 && hold_databases(s, &p) == 0 &&
        exec_prepare(s, p.query.sql, &p.query.stmt) == 0 &&
        exec_bind(r, &p.query) == 0 && exec_step(s, p.query.stmt) > 0) {
        struct value v;
        cell_read_column(p.query.stmt, 0, &p.query.columns[0].type, &v);
        result = use(r, &v, arg);
    }
    plan_clear(&p);
    return result;
}

/* ---- statements: 0, or -1 with the session's fault; *done is what the client is told ---- */

static int stop(struct run *r)
{
    r->stopped = true;
    return fault_set(&r->session->fault, FAULT_CANCELLED);
}

/* The next row, unless SET ROWCOUNT says that these are enough. */
static int next_row(struct engine_session *s, sqlite3_stmt *stmt, int64_t count)
{
    return s->options.row_limit > 0 && count >= s->options.row_limit ? 0 : exec_step(s, stmt);
}

/* `more` is what the first step said. The columns go first, also where there is an error instead of a row. */
static int send_rows(struct run *r, struct plan_query *q, int more, int64_t *count)
{
    struct engine_session *s = r->session;
    struct value fixed[32];
    struct value *values = q->column_count <= 32 ? fixed : malloc(q->column_count * sizeof *values);
    if (!values)
        return fault_set(&s->fault, FAULT_MEMORY);
    if (s->sink.columns(s->sink.arg, q->columns, q->column_count) != 0)
        more = stop(r);
    if (more > 0 && transaction_settle(s) < 0)
        more = -1;
    for (; more > 0; more = next_row(s, q->stmt, *count)) {
        for (size_t i = 0; i < q->column_count; i++)
            cell_read_column(q->stmt, (int)i, &q->columns[i].type, &values[i]);
        ++*count;
        if (s->sink.row(s->sink.arg, values, q->column_count) != 0) {
            more = stop(r);
            break;
        }
    }
    if (values != fixed)
        free(values);
    return more;
}

/* SELECT @a = …: the last row's values stay. */
static int assign_rows(struct run *r, struct plan *p, int more, int64_t *count)
{
    for (; more > 0; more = next_row(r->session, p->query.stmt, *count)) {
        ++*count;
        for (size_t i = 0; i < p->query.column_count; i++) {
            struct value v;
            cell_read_column(p->query.stmt, (int)i, &p->query.columns[i].type, &v);
            if (assign(r, p->assigned[i], &v) < 0)
                return -1;
        }
    }
    return more;
}

/* Compiles and takes the first step, whose result goes to *more. -1 when it cannot even start. */
static int start_select(struct run *r, const struct tsql_statement *st, struct plan *p, int *more)
{
    struct engine_session *s = r->session;
    for (int tries = 0;; tries++) {
        if (exec_compile(s, r->batch, st, p) < 0)
            return -1;
        if (p->database_count > 0 && s->trancount == 0 && s->options.implicit_transactions && transaction_begin(s, "", 0) < 0)
            return -1;
        if (hold_databases(s, p) < 0)
            return -1;
        int result = exec_prepare(s, p->query.sql, &p->query.stmt);
        if (result == 0)
            result = exec_bind(r, &p->query);
        if (result == 0 && s->options.fmtonly)
            *more = 0;
        else
            *more = result == 0 ? exec_step(s, p->query.stmt) : -1;
        /* A schema that another session changed since it was looked at: SQLite misses what the plan names. Once more. */
        bool outdated = *more < 0 && s->fault.number == FAULT_INTERNAL && !is_good(s, p);
        if (!outdated || tries == EXEC_MAX_TRIES)
            return result;
        fault_clear(&s->fault);
    }
}

static int run_write(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    struct engine_session *s = r->session;
    int64_t count = 0;
    done->command = st->kind == TSQL_INSERT ? COMMAND_INSERT : st->kind == TSQL_UPDATE ? COMMAND_UPDATE : COMMAND_DELETE;
    if (s->options.row_limit > 0)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "a change of rows under SET ROWCOUNT");
    /* What cannot be compiled writes nothing and waits for nobody. */
    if (exec_compile(s, r->batch, st, p) < 0)
        return -1;
    int database = p->write.database;
    if (transaction_begin_write(s, connection_find(s, database)) < 0)
        return -1;
    /* What the plan is made from does not change any more. */
    int result = exec_compile(s, r->batch, st, p);
    if (result == 0 && p->write.database != database)
        result = fault_set(&s->fault, FAULT_UNSUPPORTED, "a change of a table that moves between databases meanwhile");
    if (result == 0)
        result = exec_write(r, p, &count);
    if (transaction_end_write(s, result == 0) < 0)
        result = -1;
    s->rowcount = result == 0 ? count : 0;
    done->has_count = !s->options.nocount && result == 0;
    done->count = (uint64_t)s->rowcount;
    return result;
}

static int run_select(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    struct engine_session *s = r->session;
    int64_t count = 0;
    int more;
    if (exec_into(st)) {
        int made = exec_select_into(r, st, done, run_write);
        done->command = COMMAND_SELECT;
        return made;
    }
    if (start_select(r, st, p, &more) < 0)
        return -1;
    int result = p->assigned ? assign_rows(r, p, more, &count) : send_rows(r, &p->query, more, &count);
    sqlite3_reset(p->query.stmt);
    s->rowcount = count;
    done->command = COMMAND_SELECT;
    done->has_count = !s->options.nocount && !p->assigned;
    done->count = (uint64_t)count;
    return result;
}

static int run_use(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    struct engine_session *s = r->session;
    struct store_database *d = store_pin(s->engine->store, st->text.data, st->text.len);
    if (!d)
        return fault_set(&s->fault, 911, st->text.data);
    const char *from = s->current->name;
    store_unpin(s->engine->store, s->current);
    s->current = d;
    return s->sink.database && s->sink.database(s->sink.arg, from, d->name) != 0 ? stop(r) : 0;
}

static int run_create_database(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    struct engine_session *s = r->session;
    enum collation collation;
    const struct tsql_text *wanted = &st->create_database.collation;
    if (s->trancount > 0)
        return fault_set(&s->fault, 226, "CREATE DATABASE");
    if (wanted->len > 0 && !typing_collation(wanted->data, wanted->len, &collation))
        return fault_set(&s->fault, 448, wanted->data);
    if (wanted->len > 0 && collation != COLLATION_CI)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "a database whose own collation tells case");
    return store_create(s->engine->store, st->create_database.name.data, st->create_database.name.len, catalogue_initialise, &s->fault);
}

static int run_drop_database(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    struct engine_session *s = r->session;
    if (s->trancount > 0)
        return fault_set(&s->fault, 226, "DROP DATABASE");
    for (const struct tsql_word *w = st->drop_database.names; w; w = w->next) {
        if (st->drop_database.if_exists && store_find_id(s->engine->store, w->text.data, w->text.len) == 0)
            continue;
        if (store_drop(s->engine->store, w->text.data, w->text.len, &s->fault) < 0)
            return -1;
    }
    return 0;
}

static int run_create_table(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_create_table(r->session, st->create_table);
}

static int run_alter_table(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_alter_table(r->session, st->alter_table);
}

static int run_drop_table(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_drop_table(r->session, &st->drop_table);
}

static int run_create_index(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_create_index(r->session, st->create_index);
}

static int run_drop_index(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_drop_index(r->session, &st->drop_index);
}

static int run_truncate(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return ddl_truncate(r->session, &st->table);
}

static int run_begin(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    int result = transaction_begin(r->session, st->text.data, st->text.len);
    return result != 0 && r->session->fault.number == 0 ? stop(r) : result;
}

static int run_commit(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)st, (void)p, (void)done;
    return transaction_commit(r->session);
}

static int run_rollback(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return transaction_rollback(r->session, st->text.data, st->text.len);
}

static int run_save(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return transaction_save(r->session, st->text.data, st->text.len);
}

static int use_assign(struct run *r, const struct value *v, void *arg)
{
    return assign(r, *(const size_t *)arg, v);
}

static int run_set(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    struct engine_session *s = r->session;
    const struct tsql_set *set = st->set;
    if (set->kind != TSQL_SET_VARIABLE)
        return settings_apply(r, set);
    for (size_t i = 0; i < r->batch->variable_count; i++) {
        const struct variable *v = &r->batch->variables[i];
        if (collate_name_equal(v->name.data, v->name.len, set->options->text.data, set->options->text.len))
            return exec_evaluate(r, set->value, use_assign, &i);
    }
    return fault_set(&s->fault, 137, set->options->text.data);
}

static int use_declare(struct run *r, const struct value *v, void *arg)
{
    return exec_assign(r, *(const struct tsql_text *)arg, v);
}

/* The variables are there from the batch's start; here they get their first values. */
static int run_declare(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    for (const struct tsql_declaration *d = st->declarations; d; d = d->next) {
        struct tsql_text name = d->name;
        if (d->value && exec_evaluate(r, d->value, use_declare, &name) < 0)
            return -1;
    }
    return 0;
}

static int use_print(struct run *r, const struct value *v, void *arg)
{
    (void)arg;
    struct engine_session *s = r->session;
    struct sqltype type = typing_string(SQLTYPE_NVARCHAR, 4000);
    struct buf scratch, text;
    struct value out;
    buf_init(&scratch, CONVERT_MAX_BYTES);
    buf_init(&text, CONVERT_MAX_BYTES);
    int result = convert_value(v, &type, 0, CONVERT_CAST, &scratch, &out, &s->fault);
    if (result == 0) {
        buf_append(&text, out.bytes.data, out.null ? 0 : out.bytes.len);
        struct engine_message m = {.state = 1, .line = 1, .text = buf_text(&text)};
        result = transaction_settle(s);
        if (result == 0 && s->sink.message(s->sink.arg, &m) != 0)
            result = stop(r);
    }
    buf_clear(&scratch);
    buf_clear(&text);
    return result;
}

static int run_print(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return exec_evaluate(r, st->value, use_print, NULL);
}

static int run_exec(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    int result = exec_execute(r, st->exec);
    return result < 0 && r->session->fault.number == 0 ? stop(r) : result;
}

static int run_raise(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done)
{
    (void)p, (void)done;
    return exec_raise(r, st);
}

static int (*const run_kind[])(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done) = {
    [TSQL_SELECT] = run_select,
    [TSQL_INSERT] = run_write,
    [TSQL_UPDATE] = run_write,
    [TSQL_DELETE] = run_write,
    [TSQL_TRUNCATE] = run_truncate,
    [TSQL_CREATE_DATABASE] = run_create_database,
    [TSQL_DROP_DATABASE] = run_drop_database,
    [TSQL_USE] = run_use,
    [TSQL_CREATE_TABLE] = run_create_table,
    [TSQL_ALTER_TABLE] = run_alter_table,
    [TSQL_DROP_TABLE] = run_drop_table,
    [TSQL_CREATE_INDEX] = run_create_index,
    [TSQL_DROP_INDEX] = run_drop_index,
    [TSQL_BEGIN_TRAN] = run_begin,
    [TSQL_COMMIT_TRAN] = run_commit,
    [TSQL_ROLLBACK_TRAN] = run_rollback,
    [TSQL_SAVE_TRAN] = run_save,
    [TSQL_SET] = run_set,
    [TSQL_PRINT] = run_print,
    [TSQL_EXEC] = run_exec,
    [TSQL_DECLARE] = run_declare,
    [TSQL_RAISERROR] = run_raise,
    [TSQL_THROW] = run_raise,
};

/* ---- what an error ends ---- */

static void tell_fault(struct run *r, const struct tsql_statement *st)
{
    struct engine_session *s = r->session;
    struct fault *f = &s->fault;
    struct engine_message m = {.number = f->number, .severity = f->severity, .state = f->state, .line = f->line > 0 ? f->line : st->line,
                               .text = f->text};
    if (s->sink.message(s->sink.arg, &m) != 0)
        r->stopped = true;
    bool writes = st->kind == TSQL_INSERT || st->kind == TSQL_UPDATE || st->kind == TSQL_DELETE;
    if (writes && fault_effect(f) == FAULT_ENDS_STATEMENT && !r->stopped) {
        struct engine_message terminated = {.number = 3621, .state = 0, .line = m.line, .text = "The statement has been terminated."};
        if (s->sink.message(s->sink.arg, &terminated) != 0)
            r->stopped = true;
    }
}

/* After a failed statement: tells the client, and ends what the error ends. */
static void fail(struct run *r, const struct tsql_statement *st, struct engine_done *done)
{
    struct engine_session *s = r->session;
    enum fault_effect effect = fault_effect(&s->fault);
    s->error = s->fault.number;
    done->error = true;
    if (s->fault.number == FAULT_CANCELLED) {
        r->stopped = true;
        fault_clear(&s->fault);
        return;
    }
    tell_fault(r, st);
    bool aborts = s->options.xact_abort && effect == FAULT_ENDS_STATEMENT && s->fault.severity >= 11 && st->kind != TSQL_RAISERROR;
    if (effect == FAULT_ROLLS_BACK || aborts || (effect == FAULT_ENDS_BATCH && s->options.xact_abort))
        transaction_abandon(s);
    if (effect != FAULT_ENDS_STATEMENT || aborts)
        r->returned = true;
    fault_clear(&s->fault);
}

static void exec_list(struct run *r, const struct tsql_statement *list, bool more);

/* What SET FMTONLY ON leaves in force. */
static bool runs_when_described(const struct tsql_statement *st)
{
    bool assigns = st->kind == TSQL_SET && st->set->kind == TSQL_SET_VARIABLE;
    return st->kind == TSQL_SELECT || (st->kind == TSQL_SET && !assigns) || st->kind == TSQL_USE;
}

static int use_condition(struct run *r, const struct value *v, void *arg)
{
    (void)r;
    *(bool *)arg = !v->null && v->integer != 0;
    return 0;
}

static void exec_statement(struct run *r, const struct tsql_statement *st, bool more)
{
    struct engine_session *s = r->session;
    struct engine_done done = {0};
    if (st->kind == TSQL_BLOCK) {
        exec_list(r, st->block, more);
        return;
    }
    functions_set_now(&s->functions);
    int result;
    if (s->options.fmtonly && !runs_when_described(st)) {
        result = 0;
    } else if (st->kind == TSQL_IF) {
        bool yes = false;
        result = exec_evaluate(r, st->if_.condition, use_condition, &yes);
        const struct tsql_statement *branch = yes ? st->if_.then : st->if_.otherwise;
        if (result == 0 && branch) {
            exec_statement(r, branch, more);
            return;
        }
    } else if ((size_t)st->kind >= sizeof run_kind / sizeof run_kind[0] || !run_kind[st->kind]) {
        result = fault_set(&s->fault, FAULT_UNSUPPORTED, "this statement");
    } else if (r->batch->single) {
        result = run_kind[st->kind](r, st, r->batch->plan, &done);
    } else {
        struct plan p = {0};
        result = run_kind[st->kind](r, st, &p, &done);
        plan_clear(&p);
    }
    /* A transaction that has the writer's lock goes on: what it has seen is settled when it ends. */
    if ((result != 0 || !s->writing) && transaction_settle(s) < 0)
        result = -1;
    if (result == 0)
        s->error = 0;
    else
        fail(r, st, &done);
    done.more = more && !r->returned;
    if (!r->stopped && s->sink.done(s->sink.arg, &done) != 0)
        r->stopped = true;
}

static void exec_list(struct run *r, const struct tsql_statement *list, bool more)
{
    for (const struct tsql_statement *st = list; st && !r->stopped && !r->returned; st = st->next) {
        if (r->session->writer.cancelled) {
            r->stopped = true;
            return;
        }
        exec_statement(r, st, more || st->next != NULL);
    }
}

int exec_batch(struct run *r)
{
    struct batch *batch = r->batch;
    batch->running = true;
    exec_list(r, batch->tree->statements, false);
    batch->running = false;
    return r->stopped ? -1 : 0;
}
