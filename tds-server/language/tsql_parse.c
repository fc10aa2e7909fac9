/* Batches and the statements that are no queries, no changes of rows and none of the schema: transactions, SET, EXEC, IF. */
#include "tds-server/language/tsql_parser.h"

#include <stdio.h>
#include <string.h>

static struct tsql_statement *parse_statement(struct tsql_parser *p, bool first);

/* ── Transactions and blocks ── */

static bool take_tran(struct tsql_parser *p)
{
    return tsql_take_word(p, WORD_TRAN) || tsql_take_word(p, WORD_TRANSACTION);
}

/* block := { statement {';'} } END */
static int parse_block(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_statement **end = &s->block;
    s->kind = TSQL_BLOCK;
    if (tsql_enter(p) != 0)
        return -1;
    p->statement_ended = true;
    while (!tsql_at_word(p, WORD_END)) {
        if (tsql_take(p, ';')) {
            p->statement_ended = true;
            continue;
        }
        *end = parse_statement(p, false);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    }
    if (s->block == NULL)
        return tsql_fail_here(p);
    tsql_leave(p);
    tsql_advance(p);
    return p->failed ? -1 : 0;
}

/* begin := BEGIN (TRAN | TRANSACTION) [name] | BEGIN block */
static int parse_begin(struct tsql_parser *p, struct tsql_statement *s)
{
    tsql_advance(p);
    if (tsql_at_word(p, WORD_DISTRIBUTED))
        return tsql_refuse_statement(p, "BEGIN DISTRIBUTED TRANSACTION");
    if (tsql_at_text(p, "DIALOG") || tsql_at_text(p, "CONVERSATION"))
        return tsql_refuse_statement(p, tsql_at_text(p, "DIALOG") ? "BEGIN DIALOG" : "BEGIN CONVERSATION");
    if (tsql_at_word(p, WORD_TRY) || tsql_at_word(p, WORD_CATCH))
        return tsql_refuse_statement(p, "BEGIN TRY");
    if (!take_tran(p))
        return parse_block(p, s);
    s->kind = TSQL_BEGIN_TRAN;
    return tsql_at_name(p) ? tsql_parse_name(p, &s->text) : p->failed ? -1 : 0;
}

/* end_tran := (COMMIT | ROLLBACK) [WORK | (TRAN | TRANSACTION) [name]] */
static int parse_end_tran(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = tsql_at_word(p, WORD_COMMIT) ? TSQL_COMMIT_TRAN : TSQL_ROLLBACK_TRAN;
    tsql_advance(p);
    if (take_tran(p))
        return tsql_at_name(p) ? tsql_parse_name(p, &s->text) : p->failed ? -1 : 0;
    tsql_take_word(p, WORD_WORK);
    return p->failed ? -1 : 0;
}

/* save := SAVE (TRAN | TRANSACTION) name */
static int parse_save(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_SAVE_TRAN;
    tsql_advance(p);
    return take_tran(p) ? tsql_parse_name(p, &s->text) : tsql_fail_here(p);
}

/* if := IF condition statement [[';'] ELSE statement] */
static int parse_if(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_IF;
    tsql_advance(p);
    if (tsql_enter(p) != 0)
        return -1;
    s->if_.condition = tsql_parse_condition(p);
    if (s->if_.condition == NULL)
        return -1;
    p->statement_ended = true;
    s->if_.then = parse_statement(p, false);
    if (s->if_.then == NULL)
        return -1;
    if (tsql_at(p, ';')) {
        const struct tsql_token *next = tsql_peek(p);
        if (next->kind == TOKEN_WORD && next->word == WORD_ELSE)
            tsql_advance(p);
    }
    if (tsql_take_word(p, WORD_ELSE)) {
        p->statement_ended = true;
        s->if_.otherwise = parse_statement(p, false);
        if (s->if_.otherwise == NULL)
            return -1;
    }
    tsql_leave(p);
    return p->failed ? -1 : 0;
}

/* ── SET ── */

static struct tsql_text upper_copy(struct tsql_parser *p, struct tsql_text text)
{
    char *copy = arena_copy(p->arena, text.data, text.len);
    if (copy == NULL) {
        tsql_fail(p, TSQL_ERROR_MEMORY, p->token.line, "There is insufficient system memory to run this query.");
        return (struct tsql_text){0};
    }
    for (size_t i = 0; i < text.len; i++) {
        if (copy[i] >= 'a' && copy[i] <= 'z')
            copy[i] = (char)(copy[i] - 'a' + 'A');
    }
    return (struct tsql_text){copy, text.len};
}

static int add_option(struct tsql_parser *p, struct tsql_set *set, struct tsql_text text)
{
    struct tsql_word *w = TSQL_NEW(p, struct tsql_word), **end = &set->options;
    if (w == NULL)
        return -1;
    w->text = upper_copy(p, text);
    while (*end != NULL)
        end = &(*end)->next;
    *end = w;
    return p->failed ? -1 : 0;
}

/* isolation := TRANSACTION ISOLATION LEVEL (READ UNCOMMITTED | READ COMMITTED | REPEATABLE READ | SNAPSHOT | SERIALIZABLE) */
static int parse_isolation(struct tsql_parser *p, struct tsql_set *set)
{
    static const struct {
        enum tsql_keyword first, second;
        const char *name;
    } levels[] = {
        {WORD_READ, WORD_UNCOMMITTED, "READ UNCOMMITTED"}, {WORD_READ, WORD_COMMITTED, "READ COMMITTED"},
        {WORD_REPEATABLE, WORD_READ, "REPEATABLE READ"},   {WORD_SNAPSHOT, WORD_NONE, "SNAPSHOT"},
        {WORD_SERIALIZABLE, WORD_NONE, "SERIALIZABLE"},
    };
    set->kind = TSQL_SET_ISOLATION;
    tsql_advance(p);
    if (tsql_expect_word(p, WORD_ISOLATION) != 0 || tsql_expect_word(p, WORD_LEVEL) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        bool single = levels[i].second == WORD_NONE;
        if (single ? !tsql_at_word(p, levels[i].first) : !tsql_at_words(p, levels[i].first, levels[i].second))
            continue;
        tsql_advance(p);
        if (!single)
            tsql_advance(p);
        return add_option(p, set, (struct tsql_text){levels[i].name, strlen(levels[i].name)});
    }
    return tsql_fail_here(p);
}

/* on_off := ON | OFF */
static int parse_on_off(struct tsql_parser *p, bool *out)
{
    *out = tsql_take_word(p, WORD_ON);
    return *out ? 0 : tsql_expect_word(p, WORD_OFF);
}

static struct tsql_expr *parse_word_value(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_LITERAL, p->token.line);
    struct tsql_text name;
    if (e == NULL || tsql_parse_name(p, &name) != 0)
        return NULL;
    e->literal = (struct tsql_literal){.kind = TSQL_STRING, .text = name, .type = {.kind = SQLTYPE_VARCHAR, .length = (int)name.len}};
    return e;
}

static struct tsql_expr *parse_variable(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, tsql_at(p, TOKEN_GLOBAL) ? TSQL_GLOBAL : TSQL_VARIABLE, p->token.line);
    if (e == NULL)
        return NULL;
    e->text = p->token.text;
    tsql_advance(p);
    return p->failed ? NULL : e;
}

/* argument := [+|-] literal | @v | @@global | word */
static struct tsql_expr *parse_argument_value(struct tsql_parser *p)
{
    if (tsql_at(p, TOKEN_VARIABLE) || tsql_at(p, TOKEN_GLOBAL))
        return parse_variable(p);
    return tsql_at_name(p) ? parse_word_value(p) : tsql_parse_literal(p);
}

static bool takes_on_off(const struct tsql_set *set)
{
    for (const struct tsql_word *w = set->options; w != NULL; w = w->next) {
        if (strcmp(w->text.data, "QUOTED_IDENTIFIER") == 0)
            return true;
    }
    return false;
}

/* option := STATISTICS name | name ;  reserved words may be names here (ROWCOUNT, TEXTSIZE) */
static int parse_option_name(struct tsql_parser *p, struct tsql_set *set)
{
    if (tsql_at_word(p, WORD_STATISTICS)) {
        static const char *const names[] = {"STATISTICS IO", "STATISTICS PROFILE", "STATISTICS TIME", "STATISTICS XML"};
        tsql_advance(p);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (tsql_at_text(p, names[i] + strlen("STATISTICS "))) {
                tsql_advance(p);
                return add_option(p, set, (struct tsql_text){names[i], strlen(names[i])});
            }
        }
        return tsql_fail_here(p);
    }
    if (tsql_at_word(p, WORD_ROWCOUNT) || tsql_at_word(p, WORD_TEXTSIZE)) {
        struct tsql_text name = p->token.source;
        tsql_advance(p);
        return add_option(p, set, name);
    }
    struct tsql_text name;
    if (tsql_parse_name(p, &name) != 0)
        return -1;
    return add_option(p, set, name);
}

/* options := option {',' option} (ON | OFF) | option ['='] argument */
static int parse_options(struct tsql_parser *p, struct tsql_set *set)
{
    do {
        if (parse_option_name(p, set) != 0)
            return -1;
    } while (tsql_take(p, ','));
    if (tsql_at_word(p, WORD_ON) || tsql_at_word(p, WORD_OFF)) {
        set->kind = TSQL_SET_ON_OFF;
        if (parse_on_off(p, &set->on) != 0)
            return -1;
        if (takes_on_off(set))
            p->quoted_identifier = set->on;
        return 0;
    }
    if (set->options->next != NULL)
        return tsql_fail_here(p);
    set->kind = TSQL_SET_VALUE;
    set->value = parse_argument_value(p);
    return set->value != NULL ? 0 : -1;
}

/* set := SET ( isolation | IDENTITY_INSERT object (ON | OFF) | @v '=' value | options ) */
static int parse_set(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_set *set = TSQL_NEW(p, struct tsql_set);
    tsql_advance(p);
    if (set == NULL)
        return -1;
    s->kind = TSQL_SET;
    s->set = set;
    if (tsql_at_word(p, WORD_TRANSACTION) || tsql_at_word(p, WORD_TRAN))
        return parse_isolation(p, set);
    if (tsql_take_word(p, WORD_IDENTITY_INSERT)) {
        set->kind = TSQL_SET_IDENTITY_INSERT;
        return tsql_parse_object_name(p, &set->table) == 0 ? parse_on_off(p, &set->on) : -1;
    }
    if (!tsql_at(p, TOKEN_VARIABLE))
        return parse_options(p, set);
    set->kind = TSQL_SET_VARIABLE;
    set->options = TSQL_NEW(p, struct tsql_word);
    if (set->options == NULL)
        return -1;
    set->options->text = p->token.text;
    tsql_advance(p);
    if (tsql_expect(p, '=') != 0)
        return -1;
    set->value = tsql_parse_value(p);
    return set->value != NULL ? 0 : -1;
}

/* ── EXEC ── */

static bool at_argument(const struct tsql_parser *p)
{
    return tsql_at_literal(p) || tsql_at(p, '-') || tsql_at(p, '+') || tsql_at(p, TOKEN_VARIABLE) || tsql_at(p, TOKEN_GLOBAL) ||
           tsql_at_word(p, WORD_DEFAULT) || (tsql_at_name(p) && !tsql_at_word(p, WORD_GO));
}

/* argument := [@name '='] (argument_value | DEFAULT) [OUT | OUTPUT] */
static struct tsql_argument *parse_argument(struct tsql_parser *p)
{
    struct tsql_argument *a = TSQL_NEW(p, struct tsql_argument);
    if (a == NULL)
        return NULL;
    if (tsql_at(p, TOKEN_VARIABLE) && tsql_peek(p)->kind == '=') {
        a->name = p->token.text;
        tsql_advance(p);
        tsql_advance(p);
    }
    if (tsql_at_word(p, WORD_DEFAULT)) {
        a->value = tsql_new_expr(p, TSQL_DEFAULT, p->token.line);
        tsql_advance(p);
    } else {
        a->value = parse_argument_value(p);
    }
    if (a->value == NULL)
        return NULL;
    if (a->value->kind == TSQL_VARIABLE)
        a->output = tsql_take_word(p, WORD_OUTPUT) || tsql_take_word(p, WORD_OUT);
    return p->failed ? NULL : a;
}

/* exec := [EXEC | EXECUTE] [@v '='] object [argument {',' argument}] */
static int parse_exec(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_exec *exec = TSQL_NEW(p, struct tsql_exec);
    if (exec == NULL)
        return -1;
    s->kind = TSQL_EXEC;
    s->exec = exec;
    if (!tsql_take_word(p, WORD_EXEC))
        tsql_take_word(p, WORD_EXECUTE);
    if (tsql_at(p, '('))
        return tsql_refuse_statement(p, "EXECUTE of a character string");
    if (tsql_at_word(p, WORD_AS))
        return tsql_refuse_statement(p, "EXECUTE AS");
    if (tsql_at(p, TOKEN_VARIABLE)) {
        exec->result = p->token.text;
        tsql_advance(p);
        if (tsql_expect(p, '=') != 0)
            return -1;
    }
    if (tsql_parse_object_name(p, &exec->procedure) != 0)
        return -1;
    if (!at_argument(p))
        return p->failed ? -1 : 0;
    struct tsql_argument **end = &exec->arguments;
    do {
        *end = parse_argument(p);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* dbcc := DBCC USEROPTIONS [WITH NO_INFOMSGS]: as the procedure [dbcc useroptions] */
static int parse_dbcc(struct tsql_parser *p, struct tsql_statement *s)
{
    static const char name[] = "dbcc useroptions";
    tsql_advance(p);
    if (!tsql_text_equals(p->token.source, "USEROPTIONS"))
        return tsql_refuse_statement(p, "DBCC");
    s->kind = TSQL_EXEC;
    s->exec = TSQL_NEW(p, struct tsql_exec);
    if (s->exec == NULL)
        return -1;
    s->exec->procedure.name = (struct tsql_text){name, sizeof(name) - 1};
    s->exec->procedure.line = p->token.line;
    tsql_advance(p);
    if (!tsql_take_word(p, WORD_WITH))
        return 0;
    if (!tsql_text_equals(p->token.source, "NO_INFOMSGS"))
        return tsql_fail_here(p);
    tsql_advance(p);
    return p->failed ? -1 : 0;
}

/* ── Statements ── */

/* select := query [OPTION '(' … ')'] */
static int parse_select_statement(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes)
{
    s->kind = TSQL_SELECT;
    s->select = tsql_parse_query(p, ctes);
    return s->select != NULL ? tsql_parse_option(p) : -1;
}

/* with := ctes (select | insert | update | delete) */
static int parse_with(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_cte *ctes = NULL;
    if (!p->statement_ended)
        return tsql_fail(p, 319, p->token.line,
                         "Incorrect syntax near the keyword 'with'. If this statement is a common table expression, the previous "
                         "statement must be terminated with a semicolon.");
    if (tsql_parse_ctes(p, &ctes) != 0)
        return -1;
    if (tsql_at_word(p, WORD_INSERT))
        return tsql_parse_insert(p, s, ctes);
    if (tsql_at_word(p, WORD_UPDATE))
        return tsql_parse_update(p, s, ctes);
    if (tsql_at_word(p, WORD_DELETE))
        return tsql_parse_delete(p, s, ctes);
    if (tsql_at_word(p, WORD_MERGE))
        return tsql_refuse_statement(p, "MERGE");
    return parse_select_statement(p, s, ctes);
}

static int parse_select(struct tsql_parser *p, struct tsql_statement *s)
{
    return parse_select_statement(p, s, NULL);
}

static int parse_insert(struct tsql_parser *p, struct tsql_statement *s)
{
    return tsql_parse_insert(p, s, NULL);
}

static int parse_update(struct tsql_parser *p, struct tsql_statement *s)
{
    return tsql_parse_update(p, s, NULL);
}

static int parse_delete(struct tsql_parser *p, struct tsql_statement *s)
{
    return tsql_parse_delete(p, s, NULL);
}

/* use := USE name */
static int parse_use(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_USE;
    tsql_advance(p);
    return tsql_parse_name(p, &s->text);
}

/* declare := DECLARE variable {',' variable} ;  variable := @name [AS] type ['=' value] */
static int parse_declare(struct tsql_parser *p, struct tsql_statement *s)
{
    struct tsql_declaration **end = &s->declarations;
    s->kind = TSQL_DECLARE;
    tsql_advance(p);
    if (!tsql_at(p, TOKEN_VARIABLE) && tsql_at_name(p))
        return tsql_refuse_statement(p, "DECLARE CURSOR");
    do {
        struct tsql_declaration *d = TSQL_NEW(p, struct tsql_declaration);
        if (d == NULL)
            return -1;
        if (!tsql_at(p, TOKEN_VARIABLE))
            return tsql_fail_here(p);
        d->name = p->token.text;
        d->line = p->token.line;
        tsql_advance(p);
        tsql_take_word(p, WORD_AS);
        if (tsql_at_word(p, WORD_TABLE))
            return tsql_refuse_clause(p, "table variable");
        if (tsql_at_word(p, WORD_CURSOR))
            return tsql_refuse_statement(p, "DECLARE CURSOR");
        if (tsql_parse_type(p, true, &d->type) != 0)
            return -1;
        if (tsql_take(p, '=') && (d->value = tsql_parse_value(p)) == NULL)
            return -1;
        *end = d;
        end = &d->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* print := PRINT value */
static int parse_print(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_PRINT;
    tsql_advance(p);
    s->value = tsql_parse_value(p);
    return s->value != NULL ? 0 : -1;
}

/* raise_values := argument_value ',' argument_value ',' argument_value {',' argument_value} */
static int parse_raise_values(struct tsql_parser *p, bool more, struct tsql_statement *s)
{
    struct tsql_expr **end = &s->values;
    size_t count = 0;
    do {
        *end = tsql_at_name(p) ? NULL : parse_argument_value(p);
        if (*end == NULL)
            return tsql_fail_here(p);
        end = &(*end)->next;
        count++;
    } while ((more || count < 3) && tsql_take(p, ','));
    return count >= 3 ? 0 : tsql_expect(p, ',');
}

/* raiserror := RAISERROR '(' raise_values ')' [WITH option {',' option}] */
static int parse_raiserror(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_RAISERROR;
    tsql_advance(p);
    if (tsql_expect(p, '(') != 0 || parse_raise_values(p, true, s) != 0 || tsql_expect(p, ')') != 0)
        return -1;
    if (!tsql_at_word(p, WORD_WITH))
        return 0;
    do {
        tsql_advance(p);
        if (tsql_at_text(p, "LOG") || tsql_at_text(p, "SETERROR"))
            return tsql_refuse_clause(p, tsql_at_text(p, "LOG") ? "RAISERROR WITH LOG" : "RAISERROR WITH SETERROR");
        if (!tsql_at_text(p, "NOWAIT"))
            return tsql_fail_here(p);
        tsql_advance(p);
    } while (tsql_at(p, ','));
    return p->failed ? -1 : 0;
}

/* throw := THROW raise_values */
static int parse_throw(struct tsql_parser *p, struct tsql_statement *s)
{
    int line = p->token.line;
    s->kind = TSQL_THROW;
    tsql_advance(p);
    if (tsql_at(p, ';') || tsql_at(p, TOKEN_END) || tsql_at_word(p, WORD_END))
        return tsql_fail(p, 10704, line,
                         "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH "
                         "block, or add error parameters to the THROW statement.");
    return parse_raise_values(p, false, s);
}

static const struct {
    enum tsql_keyword word;
    int (*parse)(struct tsql_parser *p, struct tsql_statement *s);
} statements[] = {
    {WORD_SELECT, parse_select},     {WORD_INSERT, parse_insert},        {WORD_UPDATE, parse_update},
    {WORD_DELETE, parse_delete},     {WORD_WITH, parse_with},            {WORD_SET, parse_set},
    {WORD_BEGIN, parse_begin},       {WORD_COMMIT, parse_end_tran},      {WORD_ROLLBACK, parse_end_tran},
    {WORD_SAVE, parse_save},         {WORD_EXEC, parse_exec},            {WORD_EXECUTE, parse_exec},
    {WORD_DBCC, parse_dbcc},         {WORD_IF, parse_if},                {WORD_CREATE, tsql_parse_create},   {WORD_ALTER, tsql_parse_alter},
    {WORD_DROP, tsql_parse_drop},    {WORD_TRUNCATE, tsql_parse_truncate}, {WORD_USE, parse_use},
    {WORD_PRINT, parse_print},       {WORD_DECLARE, parse_declare},      {WORD_RAISERROR, parse_raiserror},
    {WORD_THROW, parse_throw},
};

/* Statements that SQL Server has and this server has not. */
static const struct {
    enum tsql_keyword word;
    const char *name;
} refused[] = {
    {WORD_BACKUP, "BACKUP"},         {WORD_BREAK, "BREAK"},           {WORD_BULK, "BULK INSERT"},   {WORD_CHECKPOINT, "CHECKPOINT"},
    {WORD_CLOSE, "CLOSE"},           {WORD_CONTINUE, "CONTINUE"},              {WORD_DEALLOCATE, "DEALLOCATE"},
    {WORD_DENY, "DENY"},             {WORD_DUMP, "DUMP"},          {WORD_FETCH, "FETCH"},
    {WORD_GOTO, "GOTO"},             {WORD_GRANT, "GRANT"},           {WORD_KILL, "KILL"},          {WORD_LOAD, "LOAD"},
    {WORD_MERGE, "MERGE"},           {WORD_OPEN, "OPEN"},             {WORD_READTEXT, "READTEXT"},
    {WORD_RECONFIGURE, "RECONFIGURE"}, {WORD_RESTORE, "RESTORE"},     {WORD_RETURN, "RETURN"},      {WORD_REVERT, "REVERT"},
    {WORD_REVOKE, "REVOKE"},         {WORD_SETUSER, "SETUSER"},       {WORD_SHUTDOWN, "SHUTDOWN"},
    {WORD_UPDATETEXT, "UPDATETEXT"}, {WORD_WAITFOR, "WAITFOR"},       {WORD_WHILE, "WHILE"},        {WORD_WRITETEXT, "WRITETEXT"},
};

/* Those that begin with a word that is none of the grammar's, told by the second word. */
static const struct {
    const char *first, *second;
} refused_pairs[] = {
    {"ADD", "SIGNATURE"},       {"ADD", "SENSITIVITY"},      {"DISABLE", "TRIGGER"}, {"ENABLE", "TRIGGER"}, {"END", "CONVERSATION"},
    {"GET", "CONVERSATION"},    {"MOVE", "CONVERSATION"},    {"RECEIVE", "*"},       {"RECEIVE", "TOP"},    {"SEND", "ON"},
};

static int refuse_pair(struct tsql_parser *p)
{
    if (p->token.kind != TOKEN_WORD)
        return 0;
    const struct tsql_token *next = tsql_peek(p);
    if (next->kind == ':')
        return tsql_refuse_statement(p, "GOTO");
    for (size_t i = 0; i < sizeof(refused_pairs) / sizeof(refused_pairs[0]); i++) {
        if (tsql_text_equals(p->token.source, refused_pairs[i].first) && tsql_text_equals(next->source, refused_pairs[i].second)) {
            char name[64];
            snprintf(name, sizeof(name), "%s %s", refused_pairs[i].first, refused_pairs[i].second);
            return tsql_refuse_statement(p, next->kind == TOKEN_WORD ? name : refused_pairs[i].first);
        }
    }
    return 0;
}

/* statement := one of `statements` by its first word | '(' query | exec without its word, first in a batch */
static int parse_statement_body(struct tsql_parser *p, struct tsql_statement *s, bool first)
{
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (tsql_at_word(p, statements[i].word))
            return statements[i].parse(p, s);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (tsql_at_word(p, refused[i].word))
            return tsql_refuse_statement(p, refused[i].name);
    }
    if (tsql_at(p, '('))
        return parse_select(p, s);
    if (refuse_pair(p) != 0)
        return -1;
    if (first && tsql_at_name(p) && !tsql_at_word(p, WORD_GO))
        return parse_exec(p, s);
    return tsql_fail_here(p);
}

static struct tsql_statement *parse_statement(struct tsql_parser *p, bool first)
{
    struct tsql_statement *s = TSQL_NEW(p, struct tsql_statement);
    if (s == NULL)
        return NULL;
    s->line = p->token.line;
    p->max_recursion = -1;
    if (parse_statement_body(p, s, first) != 0)
        return NULL;
    s->max_recursion = p->max_recursion;
    p->statement_ended = false;
    return p->failed ? NULL : s;
}

/* batch := { ';' | statement } */
int tsql_parse(struct arena *arena, const char *sql, size_t len, bool quoted_identifier, struct tsql_batch **out, struct tsql_error *e)
{
    struct tsql_parser p;
    tsql_parser_init(&p, arena, sql, len, quoted_identifier, e);
    struct tsql_batch *batch = TSQL_NEW(&p, struct tsql_batch);
    if (batch == NULL)
        return -1;
    struct tsql_statement **end = &batch->statements;
    while (!tsql_at(&p, TOKEN_END)) {
        if (tsql_take(&p, ';')) {
            p.statement_ended = true;
            continue;
        }
        *end = parse_statement(&p, batch->statements == NULL);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    }
    /* A look ahead that was taken back may have left its error there. */
    *e = (struct tsql_error){0};
    *out = batch;
    return 0;
}

/* declaration := @name [AS] type ['=' argument_value] [OUT | OUTPUT] */
static struct tsql_declaration *parse_declaration(struct tsql_parser *p)
{
    struct tsql_declaration *d = TSQL_NEW(p, struct tsql_declaration);
    if (d == NULL)
        return NULL;
    if (!tsql_at(p, TOKEN_VARIABLE)) {
        tsql_fail_here(p);
        return NULL;
    }
    d->name = p->token.text;
    tsql_advance(p);
    tsql_take_word(p, WORD_AS);
    if (tsql_parse_type(p, true, &d->type) != 0)
        return NULL;
    if (tsql_take(p, '=')) {
        d->value = parse_argument_value(p);
        if (d->value == NULL)
            return NULL;
    }
    d->output = tsql_take_word(p, WORD_OUTPUT) || tsql_take_word(p, WORD_OUT);
    return p->failed ? NULL : d;
}

/* declarations := [declaration {',' declaration}] */
int tsql_parse_declarations(struct arena *arena, const char *text, size_t len, struct tsql_declaration **out, struct tsql_error *e)
{
    struct tsql_parser p;
    tsql_parser_init(&p, arena, text, len, true, e);
    *out = NULL;
    if (tsql_at(&p, TOKEN_END))
        return 0;
    struct tsql_declaration **end = out;
    do {
        *end = parse_declaration(&p);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(&p, ','));
    return tsql_expect(&p, TOKEN_END);
}
