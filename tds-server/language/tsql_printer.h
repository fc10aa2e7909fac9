/* What the two files of tsql_print share: names, types and lists as T-SQL. Private to them. */
#ifndef SHARDGATE_TDS_TSQL_PRINTER_H
#define SHARDGATE_TDS_TSQL_PRINTER_H

#include "tds-server/language/tsql_tree.h"

extern const char *const tsql_operators[]; /* by enum tsql_op */

void tsql_print_name(struct tsql_text name, struct buf *out);
void tsql_print_text(struct tsql_text text, struct buf *out); /* as it stands */
void tsql_print_object(const struct tsql_name *n, struct buf *out);
void tsql_print_column(const struct tsql_column_ref *c, struct buf *out);
void tsql_print_words(const struct tsql_word *w, struct buf *out);
void tsql_print_name_list(const struct tsql_word *w, struct buf *out); /* in parentheses; nothing for NULL */
void tsql_print_type(const struct tsql_type *t, struct buf *out);
void tsql_print_values(const struct tsql_expr *e, struct buf *out);
void tsql_print_order(const struct tsql_order *o, struct buf *out);
void tsql_print_query(const struct tsql_query *q, struct buf *out);
void tsql_print_subquery(const struct tsql_query *q, struct buf *out); /* in parentheses */

#endif
