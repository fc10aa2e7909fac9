/* Statements that change rows: INSERT, UPDATE, DELETE, TRUNCATE. */
#include "tds-server/language/tsql_parser.h"

/* output := [OUTPUT items [INTO object ['(' names ')']]] */
static int parse_output(struct tsql_parser *p, struct tsql_output *out)
{
    int depth = 0;
    if (!tsql_take_word(p, WORD_OUTPUT))
        return p->failed ? -1 : 0;
    if (tsql_parse_items(p, true, &out->items, &depth) != 0)
        return -1;
    if (!tsql_take_word(p, WORD_INTO))
        return p->failed ? -1 : 0;
    if (tsql_at(p, TOKEN_VARIABLE))
        return tsql_refuse_clause(p, "table variable");
    if (tsql_parse_object_name(p, &out->into) != 0)
        return -1;
    return tsql_at(p, '(') ? tsql_parse_name_list(p, false, &out->into_columns) : 0;
}

/* target := object [hints]      (whoever writes has locked the database already) */
static int parse_target(struct tsql_parser *p, struct tsql_name *out)
{
    bool locks = false;
    if (tsql_at(p, TOKEN_VARIABLE))
        return tsql_refuse_clause(p, "table variable");
    if (tsql_at_word(p, WORD_OPENQUERY) || tsql_at_word(p, WORD_OPENROWSET))
        return tsql_refuse_clause(p, "OPENROWSET");
    return tsql_parse_object_name(p, out) == 0 ? tsql_parse_hints(p, &locks) : -1;
}

/* where := [WHERE condition] */
static int parse_where(struct tsql_parser *p, struct tsql_expr **out)
{
    if (!tsql_take_word(p, WORD_WHERE))
        return p->failed ? -1 : 0;
    if (tsql_at_words(p, WORD_CURRENT, WORD_OF))
        return tsql_refuse_clause(p, "WHERE CURRENT OF");
    *out = tsql_parse_condition(p);
    return *out != NULL ? 0 : -1;
}

/* from := [FROM sources] */
static int parse_from(struct tsql_parser *p, struct tsql_source **out)
{
    int depth = 0;
    p->tables = 0;
    if (!tsql_take_word(p, WORD_FROM))
        return p->failed ? -1 : 0;
    return tsql_parse_sources(p, out, &depth);
}

/* insert_source := VALUES rows | DEFAULT VALUES | [ctes] query */
static int parse_insert_source(struct tsql_parser *p, struct tsql_insert *insert)
{
    int depth = 0;
    if (tsql_take_word(p, WORD_VALUES)) {
        insert->kind = TSQL_INSERT_VALUES;
        return tsql_parse_rows(p, true, &insert->rows, &depth);
    }
    if (tsql_take_word(p, WORD_DEFAULT)) {
        insert->kind = TSQL_INSERT_DEFAULTS;
        return tsql_expect_word(p, WORD_VALUES);
    }
    if (tsql_at_word(p, WORD_EXEC) || tsql_at_word(p, WORD_EXECUTE))
        return tsql_refuse_statement(p, "INSERT EXEC");
    if (!tsql_at_word(p, WORD_SELECT) && !tsql_at(p, '('))
        return tsql_fail_here(p);
    insert->kind = TSQL_INSERT_QUERY;
    insert->query = tsql_parse_query(p, NULL);
    return insert->query != NULL ? 0 : -1;
}

/* insert := INSERT [top] [INTO] target ['(' names ')'] [output] insert_source [option] */
int tsql_parse_insert(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes)
{
    struct tsql_insert *insert = TSQL_NEW(p, struct tsql_insert);
    int depth = 0;
    tsql_advance(p);
    if (insert == NULL)
        return -1;
    if (tsql_at_word(p, WORD_BULK))
        return tsql_refuse_statement(p, "INSERT BULK");
    s->kind = TSQL_INSERT;
    s->insert = insert;
    insert->ctes = ctes;
    if (tsql_parse_top(p, false, &insert->top, &depth) != 0)
        return -1;
    tsql_take_word(p, WORD_INTO);
    if (parse_target(p, &insert->table) != 0)
        return -1;
    const struct tsql_token *next = tsql_peek(p);
    bool query = next->kind == '(' || (next->kind == TOKEN_WORD && next->word == WORD_SELECT);
    if (tsql_at(p, '(') && !query && tsql_parse_name_list(p, false, &insert->columns) != 0)
        return -1;
    if (parse_output(p, &insert->output) != 0 || parse_insert_source(p, insert) != 0)
        return -1;
    return tsql_parse_option(p);
}

/* assignment_op := '=' | '+=' | '-=' | '*=' | '/=' | '%=' | '&=' | '|=' | '^=' */
static int parse_assignment_op(struct tsql_parser *p, enum tsql_op *op)
{
    static const struct {
        int kind;
        enum tsql_op op;
    } rows[] = {
        {'=', TSQL_NO_OP},          {TOKEN_ADD_SET, TSQL_ADD},     {TOKEN_SUB_SET, TSQL_SUB},
        {TOKEN_MUL_SET, TSQL_MUL},  {TOKEN_DIV_SET, TSQL_DIV},     {TOKEN_MOD_SET, TSQL_MOD},
        {TOKEN_AND_SET, TSQL_BIT_AND}, {TOKEN_OR_SET, TSQL_BIT_OR}, {TOKEN_XOR_SET, TSQL_BIT_XOR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (tsql_take(p, rows[i].kind)) {
            *op = rows[i].op;
            return 0;
        }
    }
    return tsql_fail_here(p);
}

/* assignment := [@v '='] column assignment_op (value | DEFAULT) | @v assignment_op value */
static struct tsql_assignment *parse_assignment(struct tsql_parser *p)
{
    struct tsql_assignment *a = TSQL_NEW(p, struct tsql_assignment);
    if (a == NULL)
        return NULL;
    a->line = p->token.line;
    bool column = true;
    if (tsql_at(p, TOKEN_VARIABLE)) {
        a->variable = p->token.text;
        tsql_advance(p);
        column = false;
        /* @v = column = value: only a look behind the name tells it from @v = column. */
        if (tsql_at(p, '=')) {
            struct tsql_parser start = *p;
            struct tsql_name name;
            tsql_advance(p);
            column = tsql_at_name(p) && tsql_parse_object_name(p, &name) == 0 && !tsql_at(p, '(') && p->token.kind != TOKEN_END;
            enum tsql_op op;
            column = column && parse_assignment_op(p, &op) == 0;
            *p = start;
            if (column)
                tsql_advance(p);
        }
    }
    if (column) {
        struct tsql_name name;
        if (tsql_parse_object_name(p, &name) != 0)
            return NULL;
        a->column = (struct tsql_column_ref){name.server, name.database, name.schema, name.name};
    }
    if (parse_assignment_op(p, &a->op) != 0)
        return NULL;
    if (column && tsql_at_word(p, WORD_DEFAULT)) {
        a->value = tsql_new_expr(p, TSQL_DEFAULT, p->token.line);
        tsql_advance(p);
    } else {
        a->value = tsql_parse_value(p);
    }
    return a->value != NULL && !p->failed ? a : NULL;
}

/* update := UPDATE [top] target SET assignment {',' assignment} [output] [from] [where] [option] */
int tsql_parse_update(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes)
{
    struct tsql_update *update = TSQL_NEW(p, struct tsql_update);
    int depth = 0;
    tsql_advance(p);
    if (update == NULL)
        return -1;
    if (tsql_at_word(p, WORD_STATISTICS))
        return tsql_refuse_statement(p, "UPDATE STATISTICS");
    s->kind = TSQL_UPDATE;
    s->update = update;
    update->ctes = ctes;
    if (tsql_parse_top(p, false, &update->top, &depth) != 0 || parse_target(p, &update->table) != 0 ||
        tsql_expect_word(p, WORD_SET) != 0)
        return -1;
    struct tsql_assignment **end = &update->set;
    do {
        *end = parse_assignment(p);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(p, ','));
    if (parse_output(p, &update->output) != 0 || parse_from(p, &update->from) != 0 || parse_where(p, &update->where) != 0)
        return -1;
    return tsql_parse_option(p);
}

/* delete := DELETE [top] [FROM] target [output] [from] [where] [option] */
int tsql_parse_delete(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes)
{
    struct tsql_delete *delete_ = TSQL_NEW(p, struct tsql_delete);
    int depth = 0;
    tsql_advance(p);
    if (delete_ == NULL)
        return -1;
    s->kind = TSQL_DELETE;
    s->delete_ = delete_;
    delete_->ctes = ctes;
    if (tsql_parse_top(p, false, &delete_->top, &depth) != 0)
        return -1;
    tsql_take_word(p, WORD_FROM);
    if (parse_target(p, &delete_->table) != 0 || parse_output(p, &delete_->output) != 0 ||
        parse_from(p, &delete_->from) != 0 || parse_where(p, &delete_->where) != 0)
        return -1;
    return tsql_parse_option(p);
}

/* truncate := TRUNCATE TABLE object */
int tsql_parse_truncate(struct tsql_parser *p, struct tsql_statement *s)
{
    s->kind = TSQL_TRUNCATE;
    tsql_advance(p);
    if (tsql_expect_word(p, WORD_TABLE) != 0)
        return -1;
    return tsql_parse_object_name(p, &s->table);
}
