/* statement.h: the INSERTs. */
#include "common/lines.h"
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <stdlib.h>
#include <string.h>

int statement_inserts_init(struct statement_inserts *list, const struct schema_table *t, struct err *e)
{
    *list = (struct statement_inserts){.table = t};
    sqlvalue_init(&list->value);
    list->columns = calloc(t->column_count, sizeof(*list->columns));
    list->values = calloc(t->column_count, sizeof(*list->values));
    list->named = calloc(t->column_count, sizeof(*list->named));
    if (list->columns == NULL || list->values == NULL || list->named == NULL)
        return err_set(e, ERR_INTERNAL, "memory ran out");
    return 0;
}

void statement_inserts_clear(struct statement_inserts *list)
{
    for (size_t i = 0; i < list->count; i++)
        statement_clear(&list->items[i]);
    free(list->items);
    free(list->columns);
    free(list->values);
    free(list->named);
    sqlvalue_clear(&list->value);
    *list = (struct statement_inserts){0};
}

/* The column that the row's member `i` names: mostly the one that the same member of the row before named. */
static const struct schema_column *find_column(struct statement_inserts *list, size_t i, const char *name, struct err *e)
{
    const struct schema_table *t = list->table;
    if (i < t->column_count && list->named[i] != NULL && strcmp(list->named[i]->name, name) == 0)
        return list->named[i];
    const struct schema_column *c = statement_need_column(t, name, strlen(name), e);
    if (i < t->column_count)
        list->named[i] = c;
    return c;
}

/* Puts the row's members in the order of the table's columns. */
static int place_values(struct statement_inserts *list, const struct json_fields *row, struct err *e)
{
    memset(list->values, 0, list->table->column_count * sizeof(*list->values));
    for (size_t i = 0; i < row->count; i++) {
        const struct schema_column *c = find_column(list, i, row->items[i].name, e);
        if (c == NULL)
            return -1;
        size_t place = (size_t)(c - list->table->columns);
        if (list->values[place] != NULL)
            return err_set(e, ERR_BAD_FIELD, "column '%s' is named twice", c->name);
        list->values[place] = &row->items[i];
    }
    return 0;
}

/* Can the row that was placed become one more row of the last statement? */
static bool fits(const struct statement_inserts *list, size_t count)
{
    const struct statement *s = list->count > 0 ? &list->items[list->count - 1] : NULL;
    if (s == NULL || count == 0 || count != list->column_count || s->rows == STATEMENT_MAX_ROWS)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (list->values[list->columns[i]] == NULL)
            return false;
    }
    return true;
}

static struct statement *new_item(struct statement_inserts *list, struct err *e)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        struct statement *grown = reallocarray(list->items, capacity, sizeof(*grown));
        if (grown == NULL) {
            (void)err_set(e, ERR_INTERNAL, "memory ran out");
            return NULL;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    struct statement *s = &list->items[list->count++];
    statement_init(s);
    s->first_row = list->rows;
    return s;
}

/* INSERT INTO table (column, …) VALUES (?, …) for the columns that the row names, or DEFAULT VALUES for none. */
static int start_statement(struct statement_inserts *list, struct err *e)
{
    const struct schema_table *t = list->table;
    struct statement *s = new_item(list, e);
    if (s == NULL)
        return -1;
    buf_append_text(&s->sql, "INSERT INTO ");
    statement_append_object(&s->sql, t->database, "dbo", t->name);
    list->column_count = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        if (list->values[i] == NULL)
            continue;
        buf_append_text(&s->sql, list->column_count == 0 ? " (" : ", ");
        statement_append_name(&s->sql, t->columns[i].name);
        list->columns[list->column_count++] = i;
    }
    buf_append_text(&s->sql, list->column_count == 0 ? " " : ") ");
    s->values_at = s->sql.len;
    buf_append_text(&s->sql, list->column_count == 0 ? "DEFAULT VALUES" : "VALUES (");
    for (size_t i = 0; i < list->column_count; i++)
        buf_append_text(&s->sql, i == 0 ? "?" : ", ?");
    buf_append_text(&s->sql, list->column_count == 0 ? "" : ")");
    return statement_status(s, e);
}

int statement_inserts_add(struct statement_inserts *list, const struct json_fields *row, struct err *e)
{
    const struct schema_table *t = list->table;
    if (place_values(list, row, e) < 0 || (!fits(list, row->count) && start_statement(list, e) < 0))
        return -1;
    struct statement *s = &list->items[list->count - 1];
    s->rows++;
    for (size_t i = 0; i < list->column_count; i++) {
        const struct schema_column *c = &t->columns[list->columns[i]];
        if (sqltype_convert_field(statement_column_type(c), c->name, list->values[list->columns[i]], &list->value, e) < 0
            || statement_add_column_value(s, c, &list->value, e) < 0)
            return -1;
    }
    list->rows++;
    return 0;
}

static int add_value(struct statement_inserts *list, struct json_fields *fields, const struct json_object *row, struct err *e)
{
    if (json_kind(row) != JSON_OBJECT)
        return err_set(e, ERR_BAD_FIELD, "an object of column values is expected, not %s", json_kind_name(json_kind(row)));
    if (json_fields_from(fields, row, e) < 0)
        return -1;
    return statement_inserts_add(list, fields, e);
}

int statement_inserts_add_data(struct statement_inserts *list, const struct json_object *data, struct err *e)
{
    struct json_fields fields = {0};
    int rc = 0;

    if (json_kind(data) != JSON_ARRAY) {
        if ((rc = add_value(list, &fields, data, e)) < 0)
            (void)err_prefix(e, "data");
    } else if (json_array_length(data) == 0) {
        rc = err_set(e, ERR_BAD_FIELD, "data: at least one row is expected");
    }
    for (size_t i = 0; rc == 0 && json_kind(data) == JSON_ARRAY && i < json_array_length(data); i++) {
        if ((rc = add_value(list, &fields, json_array_at(data, i), e)) < 0)
            (void)err_prefix(e, "data[%zu]", i);
    }
    json_fields_clear(&fields);
    return rc;
}

int statement_inserts_add_lines(struct statement_inserts *list, const char *text, size_t len, struct err *e)
{
    struct json_fields fields = {0};
    struct lines lines;
    const char *line;
    size_t line_len;
    int got, rc = 0;

    lines_init(&lines, len);
    lines_feed(&lines, text, len);
    lines_end(&lines);
    while (rc == 0 && (got = lines_next(&lines, &line, &line_len)) != 0) {
        rc = got < 0 ? err_set(e, ERR_INTERNAL, "memory ran out") : json_fields_read(&fields, line, line_len, e);
        if (rc < 0 || (rc = statement_inserts_add(list, &fields, e)) < 0)
            (void)err_prefix(e, "data[%zu]", list->rows);
    }
    lines_clear(&lines);
    json_fields_clear(&fields);
    return rc;
}
