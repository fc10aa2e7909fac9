#include "tds-server/engine/exec_write.h"

#include "tds-server/functions/convert.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fault *fault_of(struct writer *w)
{
    return &w->run->session->fault;
}

/* ---- messages ---- */

/* The names are made for who needs them, a message: most statements do without. */
static void name_table(struct writer *w)
{
    if (w->table_name[0] != '\0')
        return;
    struct engine_session *s = w->run->session;
    const struct cat_table *t = w->w->table;
    const char *schema = "dbo", *database = "";
    for (size_t i = 0; i < w->plan->database_count; i++) {
        if (w->plan->databases[i].id != w->w->database)
            continue;
        const struct cat_schema *c = catalogue_schema_by_id(w->plan->databases[i].catalogue, t->schema);
        schema = c ? c->name.data : schema;
    }
    for (size_t i = 0; i < s->attached_count; i++) {
        if (s->attached[i].database->id == w->w->database)
            database = s->attached[i].database->name;
    }
    snprintf(w->object_name, sizeof w->object_name, "%s.%s", schema, t->name.data);
    snprintf(w->table_name, sizeof w->table_name, "%.300s.%.700s", database, w->object_name);
}

static const char *table_name(struct writer *w)
{
    name_table(w);
    return w->table_name;
}

static const char *object_name(struct writer *w)
{
    name_table(w);
    return w->object_name;
}

void exec_append_value(struct buf *out, const struct value *v)
{
    struct buf scratch;
    struct value text;
    struct fault ignored = {0};
    struct sqltype type = typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX);
    int style = typing_class(v->type.kind) == TYPE_BINARY ? 1 : v->type.kind == SQLTYPE_DATETIME ? 121 : 0;
    buf_init(&scratch, CONVERT_MAX_BYTES);
    if (v->null)
        buf_append_text(out, "<NULL>");
    else if (convert_value(v, &type, style, CONVERT_CAST, &scratch, &text, &ignored) == 0)
        buf_append(out, text.bytes.data, text.bytes.len);
    buf_clear(&scratch);
}

/* The new value of a column in this row; NULL when the statement does not write it. */
static const struct value *value_of(const struct writer *w, const struct value *values, int column)
{
    for (size_t i = 0; i < w->w->target_count; i++) {
        if (w->w->targets[i].column->id == column)
            return &values[i];
    }
    return NULL;
}

/* Reads the value that a row not written by this statement has; for the message of a duplicate key. */
static void append_stored(struct writer *w, struct buf *out, int column, int64_t row)
{
    const struct cat_column *c = catalogue_column_by_id(w->w->table, column);
    sqlite3_stmt *stmt = NULL;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT c%d FROM d%d.t%d WHERE rowid = ?1", column, w->w->database, w->w->table->id);
    if (sqlite3_prepare_v2(w->run->session->db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, row);
        if (sqlite3_step(stmt) == SQLITE_ROW) {
            struct value v;
            cell_read_column(stmt, 0, &c->type, &v);
            exec_append_value(out, &v);
        }
    }
    sqlite3_finalize(stmt);
}

/* Which index SQLite's message names: "UNIQUE constraint failed: t1001.c1, t1001.c2" or "… index 'n1001_2'". */
static const struct cat_index *find_violated(const struct writer *w, const char *message)
{
    const struct cat_table *t = w->w->table;
    const char *p = strstr(message, "failed: ");
    if (!p)
        return NULL;
    p += 8;
    int id = 0;
    if (strncmp(p, "index '", 7) == 0) {
        const char *underscore = strchr(p, '_');
        id = underscore ? atoi(underscore + 1) : 0;
    }
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        char columns[CATALOGUE_MAX_KEY * 24] = "";
        size_t len = 0;
        for (size_t i = 0; i < x->count; i++)
            len += (size_t)snprintf(columns + len, sizeof columns - len, "%st%d.c%d", i > 0 ? ", " : "", t->id, x->columns[i]);
        if (x->unique && (x->id == id || (id == 0 && strcmp(columns, p) == 0)))
            return x;
    }
    return NULL;
}

static int duplicate_fault(struct writer *w, const struct value *values, int64_t row)
{
    const struct cat_index *x = find_violated(w, sqlite3_errmsg(w->run->session->db));
    if (!x)
        return fault_set(fault_of(w), FAULT_INTERNAL, sqlite3_errmsg(w->run->session->db));
    struct buf key;
    buf_init(&key, FAULT_MAX_TEXT);
    for (size_t i = 0; i < x->count; i++) {
        const struct value *v = value_of(w, values, x->columns[i]);
        if (i > 0)
            buf_append_text(&key, ", ");
        if (v)
            exec_append_value(&key, v);
        else
            append_stored(w, &key, x->columns[i], row);
    }
    if (x->kind == CAT_INDEX)
        fault_set(fault_of(w), 2601, object_name(w), x->name.data, buf_text(&key));
    else
        fault_set(fault_of(w), 2627, x->kind == CAT_PRIMARY_KEY ? "PRIMARY KEY" : "UNIQUE KEY", x->name.data, object_name(w), buf_text(&key));
    buf_clear(&key);
    return -1;
}

/* ---- one row ---- */

static int convert_target(struct writer *w, size_t i, const struct value *in)
{
    const struct cat_column *c = w->w->targets[i].column;
    struct value *out = &w->values[i];
    struct fault *f = fault_of(w);
    if (in->null && !c->nullable)
        return fault_set(f, 515, c->name.data, table_name(w), w->verb);
    if (convert_value(in, &c->type, 0, CONVERT_ASSIGN, &w->own[i], out, f) == 0)
        return 0;
    if (f->number == 8152) {
        /* The message shows what would have fitted. */
        struct fault ignored = {0};
        struct value cut;
        struct buf shown;
        buf_init(&shown, FAULT_MAX_TEXT);
        fault_clear(f);
        if (convert_value(in, &c->type, 0, CONVERT_CAST, &w->own[i], &cut, &ignored) == 0)
            exec_append_value(&shown, &cut);
        fault_set(f, 2628, table_name(w), c->name.data, buf_text(&shown));
        buf_clear(&shown);
    }
    return -1;
}

static int next_identity(struct writer *w, const struct cat_column *c, struct value *out)
{
    int64_t low, high, next;
    if (__builtin_add_overflow(w->identity, c->identity_increment, &next))
        return fault_set(fault_of(w), 8115, "IDENTITY", typing_name(c->type.kind));
    *out = (struct value){.type = c->type};
    if (typing_class(c->type.kind) == TYPE_DECIMAL) {
        out->decimal = next;
    } else {
        typing_integer_range(c->type.kind, &low, &high);
        if (next < low || next > high)
            return fault_set(fault_of(w), 8115, "IDENTITY", typing_name(c->type.kind));
        out->integer = next;
    }
    w->identity = next;
    w->identity_used = true;
    return 0;
}

/* An explicit number moves the identity on, so that it is not given again. */
static void note_identity(struct writer *w, const struct cat_column *c, const struct value *v)
{
    int64_t n = typing_class(c->type.kind) == TYPE_DECIMAL ? (int64_t)v->decimal : v->integer;
    bool further = c->identity_increment > 0 ? n > w->identity : n < w->identity;
    if (further)
        w->identity = n;
    w->identity_used = true;
}

static int read_row(struct writer *w, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < w->w->target_count; i++) {
        const struct plan_target *t = &w->w->targets[i];
        struct value in = {.type = t->column->type, .null = true};
        if (t->source == PLAN_IDENTITY) {
            if (next_identity(w, t->column, &w->values[i]) < 0)
                return -1;
            continue;
        }
        const struct sqltype *type = t->source >= 0 ? &w->plan->query.columns[t->source].type : NULL;
        if (type && w->w->direct) {
            in = *exec_param(w->run, w->w->direct[t->source]);
            in.type = *type;
        } else if (type) {
            cell_read_column(stmt, t->source, type, &in);
        }
        if (convert_target(w, i, &in) < 0)
            return -1;
        if (t->column->identity)
            note_identity(w, t->column, &w->values[i]);
    }
    return 0;
}

/* Binds the row's values to a query over it. */
static int bind_row(struct writer *w, struct plan_query *q)
{
    struct engine_session *s = w->run->session;
    const struct cat_table *t = w->w->table;
    if (exec_prepare(s, q->sql, &q->stmt) < 0 || exec_bind(w->run, q) < 0)
        return -1;
    size_t used = (size_t)sqlite3_bind_parameter_count(q->stmt);
    for (size_t i = 0; i < q->param_count && i < used; i++) {
        size_t place = q->params[i].variable;
        if (q->params[i].kind != PLAN_CELL)
            continue;
        struct value old;
        const struct value *v = place < t->column_count ? value_of(w, w->values, t->columns[place].id) : &old;
        if (place >= t->column_count)
            cell_read_column(w->plan->query.stmt, w->w->old_first + (int)(place - t->column_count), &q->params[i].type, &old);
        if (v && cell_bind(q->stmt, (int)i + 1, v) != SQLITE_OK)
            return fault_set(&s->fault, FAULT_MEMORY);
    }
    return 0;
}

static int check_row(struct writer *w)
{
    struct engine_session *s = w->run->session;
    struct plan_query *q = &w->w->checks;
    if (!q->sql)
        return 0;
    if (bind_row(w, q) < 0)
        return -1;
    int result = exec_step(s, q->stmt);
    for (size_t i = 0; result > 0 && i < q->column_count; i++) {
        /* Unknown passes, as SQL has it. */
        if (sqlite3_column_type(q->stmt, (int)i) != SQLITE_NULL && sqlite3_column_int(q->stmt, (int)i) == 0) {
            const struct cat_check *k = w->w->check_of[i];
            const struct cat_column *c = k->column ? catalogue_column_by_id(w->w->table, k->column) : NULL;
            char column[600] = "";
            char database[512];
            if (c)
                snprintf(column, sizeof column, ", column '%.500s'", c->name.data);
            snprintf(database, sizeof database, "%.*s", (int)strcspn(table_name(w), "."), table_name(w));
            fault_set(&s->fault, 547, w->verb, "CHECK", k->name.data, database, object_name(w), column);
            result = -1;
        }
    }
    sqlite3_reset(q->stmt);
    return result < 0 ? -1 : 0;
}

/* OUTPUT: tells the client of the row. */
static int output_row(struct writer *w)
{
    struct engine_session *s = w->run->session;
    struct plan_query *q = &w->w->output;
    if (!q->sql)
        return 0;
    if (bind_row(w, q) < 0)
        return -1;
    struct value *values = calloc(q->column_count, sizeof *values);
    int result = values ? exec_step(s, q->stmt) : fault_set(&s->fault, FAULT_MEMORY);
    if (result > 0) {
        for (size_t i = 0; i < q->column_count; i++)
            cell_read_column(q->stmt, (int)i, &q->columns[i].type, &values[i]);
        if (s->sink.row(s->sink.arg, values, q->column_count) != 0) {
            w->run->stopped = true;
            result = fault_set(&s->fault, FAULT_CANCELLED);
        }
    }
    free(values);
    sqlite3_reset(q->stmt);
    return result < 0 ? -1 : 0;
}

int exec_write_row(struct writer *w, const struct value *values, int64_t row, bool *duplicate)
{
    struct engine_session *s = w->run->session;
    sqlite3_stmt *stmt = w->w->stmt;
    size_t n = w->w->target_count;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        if (w->w->targets[i].changed)
            rc = cell_bind(stmt, (int)i + 1, &values[i]);
    }
    if (rc == SQLITE_OK && w->w->key >= 0)
        rc = sqlite3_bind_int64(stmt, (int)n + 1, row);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
            rc = SQLITE_OK;
    }
    int result = 0;
    bool equal = rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID;
    if (equal && duplicate)
        *duplicate = true;
    else if (equal)
        result = duplicate_fault(w, values, row);
    else if (rc != SQLITE_OK)
        result = runtime_sqlite_fault(s, rc);
    sqlite3_reset(stmt);
    return result;
}

/* ---- foreign keys ---- */

static bool names_columns(const struct cat_foreign_key *k, const int *columns, size_t count)
{
    return k->count == count && memcmp(k->columns, columns, count * sizeof *columns) == 0;
}

/* The key that PRAGMA foreign_key_check numbers `id` in table `child`. */
static const struct cat_foreign_key *find_foreign_key(struct writer *w, const struct cat_table *child, int id)
{
    sqlite3_stmt *stmt = NULL;
    char sql[96];
    int columns[CATALOGUE_MAX_KEY], other = 0;
    size_t count = 0;
    snprintf(sql, sizeof sql, "PRAGMA d%d.foreign_key_list(t%d)", w->w->database, child->id);
    if (exec_prepare(w->run->session, sql, &stmt) < 0)
        return NULL;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (sqlite3_column_int(stmt, 0) != id || count == CATALOGUE_MAX_KEY)
            continue;
        other = atoi((const char *)sqlite3_column_text(stmt, 2) + 1);
        columns[count++] = atoi((const char *)sqlite3_column_text(stmt, 3) + 1);
    }
    sqlite3_finalize(stmt);
    for (const struct cat_foreign_key *k = child->foreign_keys; k; k = k->next) {
        if (k->other == other && names_columns(k, columns, count))
            return k;
    }
    return NULL;
}

/* Says which foreign key is broken: the first that SQLite finds. */
static int foreign_key_fault(struct writer *w)
{
    struct engine_session *s = w->run->session;
    const struct catalogue *c = NULL;
    sqlite3_stmt *stmt = NULL;
    char sql[64], database[512], table[1024], column[600] = "";
    for (size_t i = 0; i < w->plan->database_count; i++) {
        if (w->plan->databases[i].id == w->w->database)
            c = w->plan->databases[i].catalogue;
    }
    snprintf(sql, sizeof sql, "PRAGMA d%d.foreign_key_check", w->w->database);
    if (!c || exec_prepare(s, sql, &stmt) < 0)
        return -1;
    const struct cat_foreign_key *k = NULL;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        const struct cat_table *child = catalogue_table_by_id(c, atoi((const char *)sqlite3_column_text(stmt, 0) + 1));
        k = child ? find_foreign_key(w, child, sqlite3_column_int(stmt, 3)) : NULL;
    }
    sqlite3_finalize(stmt);
    if (!k)
        return fault_set(&s->fault, FAULT_INTERNAL, "a foreign key is broken that is not known");
    /* Whoever loses a row is told of the table that refers to it, whoever adds one of the table that lacks it. */
    bool child = k->table == w->w->table->id && w->plan->statement->kind != TSQL_DELETE;
    const struct cat_table *t = catalogue_table_by_id(c, child ? k->other : k->table);
    const struct cat_column *of = t ? catalogue_column_by_id(t, child ? k->other_columns[0] : k->columns[0]) : NULL;
    const struct cat_schema *schema = t ? catalogue_schema_by_id(c, t->schema) : NULL;
    snprintf(table, sizeof table, "%s.%s", schema ? schema->name.data : "dbo", t ? t->name.data : "");
    if (of && k->count == 1)
        snprintf(column, sizeof column, ", column '%.500s'", of->name.data);
    snprintf(database, sizeof database, "%.*s", (int)strcspn(table_name(w), "."), table_name(w));
    return fault_set(&s->fault, 547, w->verb, child ? "FOREIGN KEY" : "REFERENCE", k->name.data, database, table, column);
}

/* SQLite counts what the deferred keys miss; at the end of a statement nothing may be missing. */
static int check_foreign_keys(struct writer *w)
{
    int missing = 0, highest = 0;
    sqlite3_db_status(w->run->session->db, SQLITE_DBSTATUS_DEFERRED_FKS, &missing, &highest, 0);
    return missing > 0 ? foreign_key_fault(w) : 0;
}

/* ---- the identity's last number ---- */

static const struct cat_column *identity_column(const struct cat_table *t)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].identity)
            return &t->columns[i];
    }
    return NULL;
}

static int open_identity(struct writer *w, const struct cat_column *c)
{
    struct engine_session *s = w->run->session;
    bool on = s->identity_insert == w->w->table->id && s->identity_insert_database == w->w->database;
    if (w->w->identity_explicit && !on)
        return fault_set(&s->fault, 544, w->w->table->name.data);
    if (!w->w->identity_explicit && on)
        return fault_set(&s->fault, 545, w->w->table->name.data);
    char sql[160];
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof sql, "SELECT last FROM d%d.sg_column WHERE object_id = %d AND column_id = %d", w->w->database, w->w->table->id, c->id);
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        bool used = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        w->identity = used ? sqlite3_column_int64(stmt, 0) : c->identity_seed - c->identity_increment;
        rc = SQLITE_DONE;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : runtime_sqlite_fault(s, rc);
}

static int close_identity(struct writer *w, const struct cat_column *c)
{
    struct engine_session *s = w->run->session;
    if (!w->identity_used)
        return 0;
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE d%d.sg_column SET last = %lld WHERE object_id = %d AND column_id = %d", w->w->database,
             (long long)w->identity, w->w->table->id, c->id);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return runtime_sqlite_fault(s, rc);
    s->has_identity = true;
    s->identity = w->identity;
    return 0;
}

/* ---- all rows ---- */

/* Writes the row of the query, whose old number is `row`. */
static int put_row(struct writer *w, int64_t row, int64_t *count)
{
    bool duplicate = false;
    if (read_row(w, w->plan->query.stmt) < 0 || check_row(w) < 0 ||
        exec_write_row(w, w->values, row, w->w->park_sql ? &duplicate : NULL) < 0 || (duplicate && exec_park(w, row) < 0) ||
        output_row(w) < 0)
        return -1;
    ++*count;
    return 0;
}

/* Writes all rows that the query has for the parameters' values. */
static int write_rows(struct writer *w, int64_t *count)
{
    struct engine_session *s = w->run->session;
    int64_t last_row = 0;
    int more;
    if (w->w->direct)
        return put_row(w, 0, count);
    if (exec_bind(w->run, &w->plan->query) < 0)
        return -1;
    sqlite3_stmt *stmt = w->plan->query.stmt;
    while ((more = exec_step(s, stmt)) > 0) {
        int64_t row = 0;
        if (w->w->key >= 0) {
            row = sqlite3_column_int64(stmt, w->w->key);
            /* A join can bring a row more than once; its first match counts. */
            if (*count > 0 && row == last_row)
                continue;
            last_row = row;
        }
        if (put_row(w, row, count) < 0)
            return -1;
    }
    sqlite3_reset(stmt);
    return more < 0 ? -1 : exec_unpark(w);
}

/* Writes the rows of the statement, or those of each row of a bulk load. */
static int write_all(struct writer *w, int64_t *count)
{
    struct engine_session *s = w->run->session;
    const struct plan_query *output = &w->w->output;
    if (output->sql && s->sink.columns(s->sink.arg, output->columns, output->column_count) != 0) {
        w->run->stopped = true;
        return fault_set(&s->fault, FAULT_CANCELLED);
    }
    if (w->w->direct)
        transaction_note_read(s); /* a key that is there already may be another's, not yet on the disk */
    if (!w->run->rows)
        return write_rows(w, count);
    int more;
    while ((more = exec_next_row(w->run)) > 0) {
        if (write_rows(w, count) < 0)
            return -1;
    }
    return more;
}

int exec_write(struct run *r, struct plan *p, int64_t *count)
{
    struct engine_session *s = r->session;
    struct writer w = {.run = r, .plan = p, .w = &p->write};
    size_t n = p->write.target_count;
    int result = -1;
    w.verb = p->statement->kind == TSQL_INSERT ? "INSERT" : p->statement->kind == TSQL_UPDATE ? "UPDATE" : "DELETE";
    *count = 0;
    w.values = calloc(n + 1, sizeof *w.values);
    w.own = calloc(n + 1, sizeof *w.own);
    if (!w.values || !w.own) {
        fault_set(&s->fault, FAULT_MEMORY);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        buf_init(&w.own[i], CONVERT_MAX_BYTES);
    const struct cat_column *identity = p->statement->kind == TSQL_INSERT ? identity_column(p->write.table) : NULL;
    if ((!p->write.direct && exec_prepare(s, p->query.sql, &p->query.stmt) < 0) || exec_prepare(s, p->write.sql, &p->write.stmt) < 0)
        goto out;
    if (identity && open_identity(&w, identity) < 0)
        goto out;
    result = write_all(&w, count);
    if (result == 0)
        result = check_foreign_keys(&w);
    if (result == 0 && identity)
        result = close_identity(&w, identity);

out:
    sqlite3_reset(p->query.stmt);
    exec_forget_parked(&w);
    for (size_t i = 0; w.own && i < n; i++)
        buf_clear(&w.own[i]);
    free(w.own);
    free(w.values);
    return result;
}
