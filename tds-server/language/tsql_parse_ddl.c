/* Statements that change the schema: databases, tables, indexes. */
#include "tds-server/language/tsql_parser.h"

#include <stdlib.h>
#include <string.h>

/* ── Constraints ── */

/* action := NO ACTION | CASCADE | SET NULL | SET DEFAULT */
static int parse_action(struct tsql_parser *p, enum tsql_action *out)
{
    if (tsql_take_word(p, WORD_CASCADE)) {
        *out = TSQL_CASCADE;
        return 0;
    }
    if (tsql_take_word(p, WORD_SET)) {
        *out = tsql_at_word(p, WORD_NULL) ? TSQL_SET_NULL : TSQL_SET_DEFAULT;
        return tsql_take_word(p, WORD_NULL) ? 0 : tsql_expect_word(p, WORD_DEFAULT);
    }
    *out = TSQL_NO_ACTION;
    return tsql_expect_word(p, WORD_NO) == 0 ? tsql_expect_word(p, WORD_ACTION) : -1;
}

/* references := REFERENCES object ['(' names ')'] { ON (DELETE | UPDATE) action } [NOT FOR REPLICATION] */
static int parse_references(struct tsql_parser *p, struct tsql_constraint *c)
{
    c->kind = TSQL_FOREIGN_KEY;
    if (tsql_expect_word(p, WORD_REFERENCES) != 0 || tsql_parse_object_name(p, &c->references) != 0)
        return -1;
    if (tsql_at(p, '(') && tsql_parse_name_list(p, false, &c->references_columns) != 0)
        return -1;
    while (tsql_at_words(p, WORD_ON, WORD_DELETE) || tsql_at_words(p, WORD_ON, WORD_UPDATE)) {
        tsql_advance(p);
        enum tsql_action *action = tsql_at_word(p, WORD_DELETE) ? &c->on_delete : &c->on_update;
        tsql_advance(p);
        if (parse_action(p, action) != 0)
            return -1;
    }
    return p->failed ? -1 : 0;
}

/* Options in a WITH that would make something else of the table or index. */
static int refuse_options(struct tsql_parser *p)
{
    static const char *const refused[] = {"DATA_DELETION", "FILETABLE_DIRECTORY", "IGNORE_DUP_KEY", "LEDGER", "MEMORY_OPTIMIZED", "SYSTEM_VERSIONING"};
    struct tsql_parser start = *p;
    while (!p->failed && !tsql_at(p, TOKEN_END) && !tsql_at(p, ')')) {
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
            if (tsql_at_text(p, refused[i])) {
                tsql_advance(p);
                if (tsql_take(p, '=') && tsql_at_word(p, WORD_OFF))
                    break;
                return tsql_refuse_clause(p, refused[i]);
            }
        }
        tsql_advance(p);
    }
    if (p->failed)
        return -1;
    *p = start;
    return 0;
}

/* storage := [WITH ('(' … ')' | FILLFACTOR '=' n)] [ON (name | '(' … ')')] [TEXTIMAGE_ON name]      (read over) */
static int skip_storage(struct tsql_parser *p)
{
    if (tsql_at_word_then(p, WORD_WITH, '(')) {
        tsql_advance(p);
        if (refuse_options(p) != 0 || tsql_skip_parentheses(p) != 0)
            return -1;
    } else if (tsql_at_words(p, WORD_WITH, WORD_FILLFACTOR)) {
        tsql_advance(p);
        tsql_advance(p);
        if (tsql_expect(p, '=') != 0 || tsql_expect(p, TOKEN_INTEGER) != 0)
            return -1;
    }
    while ((tsql_at_word(p, WORD_ON) && tsql_peek(p)->kind != TOKEN_WORD) || (tsql_at_word(p, WORD_ON) && !tsql_peek(p)->reserved) ||
           tsql_at_text(p, "TEXTIMAGE_ON")) {
        struct tsql_text filegroup;
        tsql_advance(p);
        if (tsql_parse_name(p, &filegroup) != 0)
            return -1;
        if (tsql_at(p, '(') && tsql_skip_parentheses(p) != 0)
            return -1;
    }
    return p->failed ? -1 : 0;
}

/* key := (PRIMARY KEY | UNIQUE) [CLUSTERED | NONCLUSTERED] ['(' keys ')'] [storage] */
static int parse_key(struct tsql_parser *p, struct tsql_constraint *c, bool of_table)
{
    c->kind = TSQL_UNIQUE;
    if (!tsql_take_word(p, WORD_UNIQUE)) {
        c->kind = TSQL_PRIMARY_KEY;
        if (tsql_expect_word(p, WORD_PRIMARY) != 0 || tsql_expect_word(p, WORD_KEY) != 0)
            return -1;
    }
    c->clustered = tsql_take_word(p, WORD_CLUSTERED);
    c->nonclustered = !c->clustered && tsql_take_word(p, WORD_NONCLUSTERED);
    if (of_table && tsql_parse_name_list(p, true, &c->columns) != 0)
        return -1;
    return skip_storage(p);
}

static int skip_not_for_replication(struct tsql_parser *p)
{
    if (!tsql_at_words(p, WORD_NOT, WORD_FOR))
        return p->failed ? -1 : 0;
    tsql_advance(p);
    tsql_advance(p);
    return tsql_expect_word(p, WORD_REPLICATION);
}

/* check := CHECK '(' condition ')' */
static int parse_check(struct tsql_parser *p, struct tsql_constraint *c)
{
    c->kind = TSQL_CHECK;
    tsql_advance(p);
    if (skip_not_for_replication(p) != 0 || tsql_expect(p, '(') != 0)
        return -1;
    c->value = tsql_parse_condition(p);
    return c->value != NULL ? tsql_expect(p, ')') : -1;
}

/* default := DEFAULT value [FOR name]      (FOR in ALTER TABLE only) */
static int parse_default(struct tsql_parser *p, struct tsql_constraint *c, bool of_table)
{
    c->kind = TSQL_DEFAULT_CONSTRAINT;
    tsql_advance(p);
    c->value = tsql_parse_value(p);
    if (c->value == NULL || !of_table)
        return c->value != NULL ? 0 : -1;
    c->columns = TSQL_NEW(p, struct tsql_word);
    if (c->columns == NULL || tsql_expect_word(p, WORD_FOR) != 0)
        return -1;
    return tsql_parse_name(p, &c->columns->text);
}

/* foreign := FOREIGN KEY ['(' names ')'] references */
static int parse_foreign(struct tsql_parser *p, struct tsql_constraint *c, bool of_table)
{
    tsql_advance(p);
    if (tsql_expect_word(p, WORD_KEY) != 0)
        return -1;
    if (of_table && tsql_parse_name_list(p, false, &c->columns) != 0)
        return -1;
    return parse_references(p, c);
}

static bool at_constraint(const struct tsql_parser *p)
{
    static const enum tsql_keyword words[] = {WORD_CONSTRAINT, WORD_PRIMARY, WORD_UNIQUE, WORD_CHECK,
                                              WORD_DEFAULT,    WORD_FOREIGN, WORD_REFERENCES};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (tsql_at_word(p, words[i]))
            return true;
    }
    return false;
}

/* constraint := [CONSTRAINT name] (key | check | default | foreign | references) */
static struct tsql_constraint *parse_constraint(struct tsql_parser *p, bool of_table)
{
    struct tsql_constraint *c = TSQL_NEW(p, struct tsql_constraint);
    if (c == NULL)
        return NULL;
    c->line = p->token.line;
    if (tsql_take_word(p, WORD_CONSTRAINT) && tsql_parse_name(p, &c->name) != 0)
        return NULL;
    int status;
    if (tsql_at_word(p, WORD_PRIMARY) || tsql_at_word(p, WORD_UNIQUE))
        status = parse_key(p, c, of_table);
    else if (tsql_at_word(p, WORD_CHECK))
        status = parse_check(p, c);
    else if (tsql_at_word(p, WORD_DEFAULT))
        status = parse_default(p, c, of_table);
    else if (tsql_at_word(p, WORD_FOREIGN))
        status = parse_foreign(p, c, of_table);
    else if (tsql_at_word(p, WORD_REFERENCES) && !of_table)
        status = parse_references(p, c);
    else
        status = tsql_fail_here(p);
    return status == 0 && skip_not_for_replication(p) == 0 ? c : NULL;
}

/* ── Columns ── */

/* integer := [+|-] digits */
static int parse_integer(struct tsql_parser *p, int64_t *out)
{
    bool minus = tsql_at(p, '-');
    if (minus || tsql_at(p, '+'))
        tsql_advance(p);
    if (!tsql_at(p, TOKEN_INTEGER))
        return tsql_fail_here(p);
    /* Digits beyond the range come as the largest; the identity column's own type refuses them or not. */
    long long n = strtoll(p->token.text.data, NULL, 10);
    *out = minus ? -n : n;
    tsql_advance(p);
    return 0;
}

/* identity := IDENTITY ['(' integer ',' integer ')'] [NOT FOR REPLICATION] */
static int parse_identity(struct tsql_parser *p, struct tsql_column_def *d)
{
    tsql_advance(p);
    d->identity = true;
    d->identity_seed = 1;
    d->identity_increment = 1;
    if (tsql_take(p, '(')) {
        if (parse_integer(p, &d->identity_seed) != 0 || tsql_expect(p, ',') != 0 || parse_integer(p, &d->identity_increment) != 0 ||
            tsql_expect(p, ')') != 0)
            return -1;
    }
    return skip_not_for_replication(p);
}

static int fail_repeated(struct tsql_parser *p, const struct tsql_column_def *d)
{
    return tsql_fail(p, 8146, p->token.line, "A repeated or contradicting clause was given for column '%.*s'.",
                     tsql_error_cut(d->name.len, d->name.data), d->name.data);
}

/* nullability := NULL | NOT NULL */
static int parse_nullability(struct tsql_parser *p, struct tsql_column_def *d, bool *written)
{
    if (*written)
        return fail_repeated(p, d);
    *written = true;
    d->not_null = tsql_take_word(p, WORD_NOT);
    d->null_given = !d->not_null;
    return tsql_expect_word(p, WORD_NULL);
}

static int refuse_column_option(struct tsql_parser *p)
{
    static const struct {
        enum tsql_keyword word;
        const char *name;
    } refused[] = {{WORD_ROWGUIDCOL, "ROWGUIDCOL"}, {WORD_SPARSE, "SPARSE"}, {WORD_PERSISTED, "PERSISTED"}, {WORD_INDEX, "inline INDEX"}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (tsql_at_word(p, refused[i].word))
            return tsql_refuse_clause(p, refused[i].name);
    }
    static const char *const others[] = {"ENCRYPTED", "FILESTREAM", "GENERATED", "HIDDEN", "MASKED"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (tsql_at_text(p, others[i]))
            return tsql_refuse_clause(p, others[i]);
    }
    return p->failed ? -1 : 0;
}

/* column := name type { nullability | identity | constraint } */
static struct tsql_column_def *parse_column(struct tsql_parser *p)
{
    struct tsql_column_def *d = TSQL_NEW(p, struct tsql_column_def);
    if (d == NULL)
        return NULL;
    d->line = p->token.line;
    if (tsql_parse_name(p, &d->name) != 0)
        return NULL;
    if (tsql_at_word(p, WORD_AS)) {
        tsql_refuse_clause(p, "computed column");
        return NULL;
    }
    if (tsql_parse_type(p, true, &d->type) != 0)
        return NULL;
    bool nullability = false;
    struct tsql_constraint **end = &d->constraints;
    for (;;) {
        if (refuse_column_option(p) != 0)
            return NULL;
        if (tsql_at_word(p, WORD_NULL) || tsql_at_words(p, WORD_NOT, WORD_NULL)) {
            if (parse_nullability(p, d, &nullability) != 0)
                return NULL;
        } else if (tsql_at_word(p, WORD_IDENTITY)) {
            if (d->identity) {
                fail_repeated(p, d);
                return NULL;
            }
            if (parse_identity(p, d) != 0)
                return NULL;
        } else if (tsql_at_word(p, WORD_COLLATE) && d->type.collation.len == 0) {
            tsql_advance(p);
            if (tsql_parse_name(p, &d->type.collation) != 0)
                return NULL;
        } else if (at_constraint(p)) {
            *end = parse_constraint(p, false);
            if (*end == NULL)
                return NULL;
            end = &(*end)->next;
        } else {
            break;
        }
    }
    d->not_null |= d->type.implied_not_null && !nullability;
    return p->failed ? NULL : d;
}

/* elements := (column | constraint) {',' (column | constraint)} [','] */
static int parse_elements(struct tsql_parser *p, bool trailing_comma, struct tsql_column_def **columns, struct tsql_constraint **constraints)
{
    struct tsql_column_def **column_end = columns;
    struct tsql_constraint **constraint_end = constraints;
    do {
        if (trailing_comma && *columns != NULL && tsql_at(p, ')'))
            break;
        if (at_constraint(p)) {
            *constraint_end = parse_constraint(p, true);
            if (*constraint_end == NULL)
                return -1;
            constraint_end = &(*constraint_end)->next;
        } else {
            if (tsql_at_word(p, WORD_INDEX))
                return tsql_refuse_clause(p, "inline INDEX");
            if (tsql_at_words(p, WORD_PERIOD, WORD_FOR))
                return tsql_refuse_clause(p, "PERIOD FOR");
            *column_end = parse_column(p);
            if (*column_end == NULL)
                return -1;
            column_end = &(*column_end)->next;
        }
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* ── CREATE ── */

/* create_table := TABLE object '(' elements ')' [storage] */
static int parse_create_table(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_create_table *t = TSQL_NEW(p, struct tsql_create_table);
    tsql_advance(p);
    if (t == NULL)
        return -1;
    s->kind = TSQL_CREATE_TABLE;
    s->create_table = t;
    if (tsql_parse_object_name(p, &t->table) != 0 || tsql_expect(p, '(') != 0 ||
        parse_elements(p, true, &t->columns, &t->constraints) != 0)
        return -1;
    if (t->columns == NULL)
        return tsql_fail_here(p);
    return tsql_expect(p, ')') == 0 ? skip_storage(p) : -1;
}

/* create_database := DATABASE name [COLLATE name] */
static int parse_create_database(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_CREATE_DATABASE;
    tsql_advance(p);
    if (tsql_parse_name(p, &s->create_database.name) != 0)
        return -1;
    if (tsql_at_word(p, WORD_ON) || tsql_at_word(p, WORD_WITH))
        return tsql_refuse_clause(p, tsql_at_word(p, WORD_ON) ? "CREATE DATABASE ON" : "CREATE DATABASE WITH");
    return tsql_take_word(p, WORD_COLLATE) ? tsql_parse_name(p, &s->create_database.collation) : 0;
}

/* create_index := [UNIQUE] [CLUSTERED | NONCLUSTERED] INDEX name ON object '(' keys ')' [INCLUDE '(' names ')'] [WHERE condition] [storage] */
static int parse_create_index(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_create_index *i = TSQL_NEW(p, struct tsql_create_index);
    if (i == NULL)
        return -1;
    s->kind = TSQL_CREATE_INDEX;
    s->create_index = i;
    i->unique = tsql_take_word(p, WORD_UNIQUE);
    i->clustered = tsql_take_word(p, WORD_CLUSTERED);
    if (!i->clustered)
        tsql_take_word(p, WORD_NONCLUSTERED);
    if (tsql_at_text(p, "COLUMNSTORE"))
        return tsql_refuse_clause(p, "COLUMNSTORE INDEX");
    if (tsql_expect_word(p, WORD_INDEX) != 0 || tsql_parse_name(p, &i->name) != 0 || tsql_expect_word(p, WORD_ON) != 0 ||
        tsql_parse_object_name(p, &i->table) != 0 || tsql_parse_name_list(p, true, &i->columns) != 0)
        return -1;
    if (tsql_take_word(p, WORD_INCLUDE) && tsql_parse_name_list(p, false, &i->include) != 0)
        return -1;
    if (tsql_take_word(p, WORD_WHERE)) {
        i->where = tsql_parse_condition(p);
        if (i->where == NULL)
            return -1;
    }
    return skip_storage(p);
}

/* "CREATE view" is refused as CREATE VIEW. */
static int refuse_verb(struct tsql_parser *p, const char *verb, struct tsql_text word)
{
    char what[64];
    size_t len = strlen(verb);
    memcpy(what, verb, len);
    what[len++] = ' ';
    for (size_t c = 0; c < word.len && len < sizeof(what) - 1; c++)
        what[len++] = (char)(word.data[c] >= 'a' && word.data[c] <= 'z' ? word.data[c] - 'a' + 'A' : word.data[c]);
    what[len] = '\0';
    return tsql_refuse_statement(p, what);
}

/* Refuses "CREATE VIEW" by both words when the second one is a word that SQL Server knows there. */
static int refuse_object(struct tsql_parser *p, const char *verb)
{
    static const enum tsql_keyword objects[] = {
        WORD_AUTHORIZATION, WORD_ASSEMBLY, WORD_CREDENTIAL, WORD_FULLTEXT, WORD_FUNCTION, WORD_INDEX,  WORD_LOGIN,
        WORD_PARTITION,     WORD_PROC,     WORD_PROCEDURE,  WORD_ROLE,     WORD_RULE,     WORD_SCHEMA, WORD_SEQUENCE,
        WORD_SERVER,        WORD_STATISTICS, WORD_SYNONYM,  WORD_TRIGGER,  WORD_TYPE,     WORD_USER,   WORD_VIEW,
        WORD_DEFAULT,       WORD_DATABASE, WORD_XML,        WORD_EXTERNAL, WORD_PRIMARY, WORD_COLUMN,
    };
    if (tsql_at_words(p, WORD_OR, WORD_ALTER)) {
        tsql_advance(p);
        tsql_advance(p);
        return refuse_object(p, "CREATE OR ALTER");
    }
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        if (tsql_at_word(p, objects[i]))
            return refuse_verb(p, verb, p->token.source);
    }
    static const char *const others[] = {
        "AGGREGATE",  "APPLICATION", "ASYMMETRIC", "AVAILABILITY", "BROKER",   "CERTIFICATE", "COLUMNSTORE", "CONTRACT", "CRYPTOGRAPHIC",
        "ENDPOINT",   "EVENT",       "MASTER",     "MATERIALIZED", "MESSAGE",  "QUEUE",       "REMOTE",      "RESOURCE", "ROUTE",
        "SEARCH",     "SECURITY",    "SELECTIVE",  "SENSITIVITY",  "SERVICE",  "SIGNATURE",   "SPATIAL",     "SYMMETRIC", "WORKLOAD",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (tsql_at_text(p, others[i]))
            return refuse_verb(p, verb, p->token.source);
    }
    return tsql_fail_here(p);
}

/* create := CREATE (create_database | create_table | create_index) */
int tsql_parse_create(struct tsql_parser *p, struct tsql_statement *s)
{
    tsql_advance(p);
    if (tsql_at_word(p, WORD_TABLE))
        return parse_create_table(p, s);
    if (tsql_at_word(p, WORD_DATABASE))
        return parse_create_database(p, s);
    if (tsql_at_word(p, WORD_UNIQUE) || tsql_at_word(p, WORD_CLUSTERED) || tsql_at_word(p, WORD_NONCLUSTERED) || tsql_at_word(p, WORD_INDEX))
        return parse_create_index(p, s);
    return refuse_object(p, "CREATE");
}

/* ── ALTER ── */

/* drop_list := ([COLUMN | CONSTRAINT] [IF EXISTS] name {',' name}) {',' …}      (the word holds until the next one) */
static int parse_drop_list(struct tsql_parser *p, struct tsql_alter_table *a)
{
    struct tsql_word **columns = &a->drop_columns, **constraints = &a->drop_constraints;
    bool column = false;
    a->kind = TSQL_ALTER_DROP;
    do {
        if (tsql_at_word(p, WORD_COLUMN) || tsql_at_word(p, WORD_CONSTRAINT)) {
            column = tsql_at_word(p, WORD_COLUMN);
            tsql_advance(p);
            if (tsql_take_word(p, WORD_IF)) {
                a->if_exists = true;
                if (tsql_expect_word(p, WORD_EXISTS) != 0)
                    return -1;
            }
        }
        struct tsql_word *w = TSQL_NEW(p, struct tsql_word);
        if (w == NULL || tsql_parse_name(p, &w->text) != 0)
            return -1;
        if (column) {
            *columns = w;
            columns = &w->next;
        } else {
            *constraints = w;
            constraints = &w->next;
        }
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* alter_table := ALTER TABLE object ( [WITH (CHECK | NOCHECK)] ADD elements | ALTER COLUMN name type [nullability] | DROP drop_list ) */
static int parse_alter_table(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_alter_table *a = TSQL_NEW(p, struct tsql_alter_table);
    tsql_advance(p);
    if (a == NULL)
        return -1;
    s->kind = TSQL_ALTER_TABLE;
    s->alter_table = a;
    if (tsql_parse_object_name(p, &a->table) != 0)
        return -1;
    if (tsql_at_words(p, WORD_WITH, WORD_CHECK) || tsql_at_words(p, WORD_WITH, WORD_NOCHECK)) {
        tsql_advance(p);
        tsql_advance(p);
        if (!tsql_at_word(p, WORD_ADD))
            return tsql_at_word(p, WORD_CHECK) ? tsql_refuse_clause(p, "CHECK CONSTRAINT") : tsql_fail_here(p);
    }
    if (tsql_take_word(p, WORD_ADD)) {
        a->kind = TSQL_ALTER_ADD;
        return parse_elements(p, false, &a->columns, &a->constraints);
    }
    if (tsql_take_word(p, WORD_DROP))
        return parse_drop_list(p, a);
    if (tsql_at_word(p, WORD_CHECK) || tsql_at_word(p, WORD_NOCHECK))
        return tsql_refuse_clause(p, tsql_at_word(p, WORD_CHECK) ? "CHECK CONSTRAINT" : "NOCHECK CONSTRAINT");
    static const char *const refused[] = {"DISABLE", "ENABLE", "REBUILD", "SWITCH"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (tsql_at_text(p, refused[i]))
            return refuse_verb(p, "ALTER TABLE", p->token.source);
    }
    if (tsql_at_word(p, WORD_SET))
        return refuse_verb(p, "ALTER TABLE", p->token.source);
    if (tsql_expect_word(p, WORD_ALTER) != 0 || tsql_expect_word(p, WORD_COLUMN) != 0)
        return -1;
    a->kind = TSQL_ALTER_COLUMN;
    a->columns = parse_column(p);
    if (a->columns == NULL)
        return -1;
    return a->columns->constraints == NULL && !a->columns->identity ? 0 : tsql_fail_here(p);
}

/* alter := ALTER alter_table */
int tsql_parse_alter(struct tsql_parser *p, struct tsql_statement *s)
{
    tsql_advance(p);
    return tsql_at_word(p, WORD_TABLE) ? parse_alter_table(p, s) : refuse_object(p, "ALTER");
}

/* ── DROP ── */

/* if_exists := [IF EXISTS] */
static int parse_if_exists(struct tsql_parser *p, bool *out)
{
    *out = tsql_take_word(p, WORD_IF);
    return *out ? tsql_expect_word(p, WORD_EXISTS) : 0;
}

/* drop_table := TABLE [IF EXISTS] object {',' object} */
static int parse_drop_table(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_name_item **end = &s->drop_table.tables;
    s->kind = TSQL_DROP_TABLE;
    tsql_advance(p);
    if (parse_if_exists(p, &s->drop_table.if_exists) != 0)
        return -1;
    do {
        struct tsql_name_item *item = TSQL_NEW(p, struct tsql_name_item);
        if (item == NULL || tsql_parse_object_name(p, &item->name) != 0)
            return -1;
        *end = item;
        end = &item->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* drop_database := DATABASE [IF EXISTS] name {',' name} */
static int parse_drop_database(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_word **end = &s->drop_database.names;
    s->kind = TSQL_DROP_DATABASE;
    tsql_advance(p);
    if (parse_if_exists(p, &s->drop_database.if_exists) != 0)
        return -1;
    do {
        struct tsql_word *w = TSQL_NEW(p, struct tsql_word);
        if (w == NULL || tsql_parse_name(p, &w->text) != 0)
            return -1;
        *end = w;
        end = &w->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* drop_item := name ON object [storage] | [[database '.'] schema '.'] table '.' name      (the old form) */
static struct tsql_drop_index_item *parse_drop_index_item(struct tsql_parser *p)
{
    struct tsql_drop_index_item *item = TSQL_NEW(p, struct tsql_drop_index_item);
    struct tsql_name name;
    if (item == NULL || tsql_parse_object_name(p, &name) != 0)
        return NULL;
    item->name = name.name;
    if (name.schema.len > 0) {
        item->table = (struct tsql_name){.database = name.server, .schema = name.database, .name = name.schema, .line = name.line};
        return item;
    }
    if (tsql_expect_word(p, WORD_ON) != 0 || tsql_parse_object_name(p, &item->table) != 0)
        return NULL;
    return skip_storage(p) == 0 ? item : NULL;
}

/* drop_index := INDEX [IF EXISTS] drop_item {',' drop_item} */
static int parse_drop_index(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_drop_index_item **end = &s->drop_index.items;
    s->kind = TSQL_DROP_INDEX;
    tsql_advance(p);
    if (parse_if_exists(p, &s->drop_index.if_exists) != 0)
        return -1;
    do {
        *end = parse_drop_index_item(p);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* drop := DROP (drop_table | drop_database | drop_index) */
int tsql_parse_drop(struct tsql_parser *p, struct tsql_statement *s)
{
    tsql_advance(p);
    if (tsql_at_word(p, WORD_TABLE))
        return parse_drop_table(p, s);
    if (tsql_at_word(p, WORD_DATABASE))
        return parse_drop_database(p, s);
    if (tsql_at_word(p, WORD_INDEX))
        return parse_drop_index(p, s);
    return refuse_object(p, "DROP");
}
