#include "fcgi-master/router.h"

#include "common/fnv1a.h"

#include <inttypes.h>
#include <string.h>

#define FLOAT_EXACT_DIGITS 15

static const char *const source_names[] = {
    [ROUTER_SHARD_KEY] = "shard_key", [ROUTER_SHARD_COLUMN] = "shard_column", [ROUTER_STUDENT_ID] = "student_id",
    [ROUTER_USER_ID] = "user_id",     [ROUTER_ROW_HASH] = "row_hash",
};

const char *router_source_name(enum router_source source)
{
    return source_names[source];
}

void router_key_init(struct router_key *key)
{
    *key = (struct router_key){0};
    buf_init(&key->text, ROUTER_MAX_KEY);
}

void router_key_clear(struct router_key *key)
{
    buf_clear(&key->text);
}

size_t router_shard(const void *text, size_t len, size_t shards)
{
    return fnv1a_32(text, len) % shards;
}

static int finish_key(struct router_key *key, enum router_source source, size_t shards, struct err *e)
{
    if (buf_status(&key->text) != 0)
        return err_set(e, ERR_BAD_FIELD, "%s: longer than %d bytes", router_source_name(source), ROUTER_MAX_KEY);
    key->source = source;
    key->shard = router_shard(buf_text(&key->text), key->text.len, shards);
    return 0;
}

int router_shard_key(const struct table *t, size_t shards, const struct json_object *shard_key, struct router_key *out,
                     struct err *e)
{
    if (sqltype_key_text(table_shard_type(t), "shard_key", shard_key, &out->text, e) != 0)
        return -1;
    return finish_key(out, ROUTER_SHARD_KEY, shards, e);
}

/* The row's member for a column, matched as column names are; false when there is none or it is null. `given` tells a null
 * from an absent one. */
static bool find_value(const struct json_object *row, const char *column, const struct json_object **value, bool *given)
{
    struct json_iter it = {0};
    const char *name = NULL;
    struct json_object *v = NULL;
    *given = false;
    while (json_next(row, &it, &name, &v)) {
        if (!table_same_name(name, strlen(name), column, strlen(column)))
            continue;
        *given = true;
        *value = v;
        return json_kind(v) != JSON_NULL;
    }
    return false;
}

/* The canonical key of a value as the column stores it. */
static int stored_key(const struct sqltype *type, const char *column, const struct sqlvalue *stored, struct buf *out, struct err *e)
{
    bool quoted = !sqltype_is_integer(type) && type->kind != SQLTYPE_BIT;
    if (!sqltype_key_from_text(type, buf_text(&stored->text), stored->text.len, quoted, out))
        return err_set(e, ERR_BAD_VALUE, "%s: the value cannot be a shard key", column);
    return buf_status(out) == 0 ? 0 : err_set(e, ERR_BAD_VALUE, "%s: longer than %d bytes", column, ROUTER_MAX_KEY);
}

/* The canonical key of a row's own value: first as the column will store it, then as keys are written. */
static int column_key(const struct sqltype *type, const char *column, const struct json_object *value, struct buf *out,
                      struct err *e)
{
    int rc = -1;
    struct sqlvalue stored;
    sqlvalue_init(&stored);
    if (type == NULL) {
        rc = sqltype_key_text(NULL, column, value, out, e);
        goto out;
    }
    rc = sqltype_convert(type, column, value, &stored, e);
    if (rc == 0)
        rc = stored_key(type, column, &stored, out, e);
out:
    sqlvalue_clear(&stored);
    if (rc == 0 && buf_status(out) != 0)
        return err_set(e, ERR_BAD_VALUE, "%s: longer than %d bytes", column, ROUTER_MAX_KEY);
    return rc;
}

/* Tables without a shard column, and rows without a value in it, route by these. */
static const struct {
    const char *name;
    enum router_source source;
} fallbacks[] = {{"student_id", ROUTER_STUDENT_ID}, {"user_id", ROUTER_USER_ID}};

static int fallback_key(const struct table *t, size_t shards, const struct json_object *row, struct router_key *out,
                        struct err *e)
{
    for (size_t i = 0; i < sizeof fallbacks / sizeof fallbacks[0]; i++) {
        const char *name = fallbacks[i].name;
        const struct json_object *value = NULL;
        bool given = false;
        if (!find_value(row, name, &value, &given))
            continue;
        const struct table_column *c = table_find_column(t, name, strlen(name));
        const struct sqltype *type = c != NULL && c->known_type && sqltype_can_shard(&c->type) ? &c->type : NULL;
        if (column_key(type, name, value, &out->text, e) != 0)
            return -1;
        return finish_key(out, fallbacks[i].source, shards, e);
    }
    return 1;
}

static int row_hash(size_t shards, const struct json_object *row, struct router_key *out, struct err *e)
{
    int rc = -1;
    struct buf canonical;
    buf_init(&canonical, SIZE_MAX / 2); /* as long as the body that the row came in, about */
    json_write_canonical(&canonical, row);
    if (buf_status(&canonical) != 0) {
        err_set(e, ERR_INTERNAL, "out of memory");
        goto out;
    }
    uint32_t hash = fnv1a_32(buf_text(&canonical), canonical.len);
    buf_printf(&out->text, "%08" PRIx32, hash);
    out->source = ROUTER_ROW_HASH;
    out->shard = hash % shards;
    rc = buf_status(&out->text) == 0 ? 0 : err_set(e, ERR_INTERNAL, "out of memory");
out:
    buf_clear(&canonical);
    return rc;
}

int router_stored(const struct table *t, size_t shards, const struct sqlvalue *stored, struct router_key *out, struct err *e)
{
    if (stored_key(table_shard_type(t), t->shard_column->name, stored, &out->text, e) != 0)
        return -1;
    return finish_key(out, ROUTER_SHARD_COLUMN, shards, e);
}

int router_row(const struct table *t, size_t shards, const struct json_object *row, const char *row_name,
               const struct json_object *shard_key, struct router_key *out, struct err *e)
{
    int rc = -1;
    const struct table_column *column = t->shard_column;
    const struct json_object *value = NULL;
    bool given = false;
    bool has_value = column != NULL && find_value(row, column->name, &value, &given);
    struct buf own;
    buf_init(&own, ROUTER_MAX_KEY);
    if (has_value && column_key(table_shard_type(t), column->name, value, &own, e) != 0) {
        err_prefix(e, "%s", row_name);
        goto out;
    }

    if (shard_key != NULL) {
        if (router_shard_key(t, shards, shard_key, out, e) != 0)
            goto out;
        if (has_value && (own.len != out->text.len || memcmp(buf_text(&own), buf_text(&out->text), own.len) != 0)) {
            err_set(e, ERR_SHARD_KEY_MISMATCH, "shard_key: '%.64s' differs from the %s of %s, '%.64s'",
                    buf_text(&out->text), column->name, row_name, buf_text(&own));
            goto out;
        }
        rc = 0;
        goto out;
    }
    if (has_value) {
        buf_append(&out->text, own.data, own.len);
        rc = finish_key(out, ROUTER_SHARD_COLUMN, shards, e);
        goto out;
    }
    if (column != NULL && column->has_default && !given) {
        err_set(e, ERR_MISSING_FIELD,
                "%s: column '%s': the shard column would get its default; give it a value, or a shard_key", row_name,
                column->name);
        goto out;
    }
    rc = fallback_key(t, shards, row, out, e);
    if (rc < 0)
        err_prefix(e, "%s", row_name);
    if (rc == 1)
        rc = row_hash(shards, row, out, e);
out:
    buf_clear(&own);
    return rc;
}

/* Where a condition may be true.
 *
 * Each node is asked on which shards it may be true, or, below a NOT, on which it may be false (`want`). SQL's logic has
 * three values: a comparison with NULL is neither, so it is on no shard, whichever is wanted. */
struct narrowing {
    const struct table *table;
    const struct sqltype *type; /* of the shard column, NULL when conditions cannot narrow */
    size_t shards;
};

static bool is_null(const struct predicate_operand *o)
{
    return o->kind == PREDICATE_NULLVAL;
}

/* The bare shard column: a function around it may map many keys to one value. */
static bool is_shard_column(const struct narrowing *n, const struct predicate_operand *o)
{
    const char *name = n->type != NULL ? n->table->shard_column->name : "";
    return o->kind == PREDICATE_COLUMN && o->function_count == 0 &&
           table_same_name(o->text, o->len, name, strlen(name));
}

/* Appends the key that rows equal to this literal have; false when the literal does not say. */
static bool literal_key(const struct narrowing *n, const struct predicate_operand *o, struct buf *out)
{
    if ((o->kind != PREDICATE_NUMBER && o->kind != PREDICATE_STRING) || o->function_count != 0)
        return false;
    bool quoted = o->kind == PREDICATE_STRING;
    /* T-SQL compares a string column with a number as numbers: '01001' = 1001, but the two hash apart. */
    if (sqltype_is_string(n->type) && !quoted)
        return false;
    if (!sqltype_key_from_text(n->type, o->text, o->len, quoted, out) || buf_status(out) != 0)
        return false;
    /* With a FLOAT it compares as FLOAT, to which integers of more digits than these are not all different. */
    return o->type != PREDICATE_FLOAT || out->len <= FLOAT_EXACT_DIGITS;
}

/* No integer equals a decimal with a fraction: 1.5. */
static bool is_fraction(const struct narrowing *n, const struct predicate_operand *o)
{
    if (!sqltype_is_integer(n->type) || o->kind != PREDICATE_NUMBER || o->type != PREDICATE_DECIMAL ||
        o->function_count != 0)
        return false;
    const char *point = memchr(o->text, '.', o->len);
    size_t digits = point != NULL ? (size_t)(o->text + o->len - (point + 1)) : 0;
    for (size_t i = 0; i < digits; i++) {
        if (point[1 + i] != '0')
            return true;
    }
    return false;
}

static struct shardset literal_shards(const struct narrowing *n, const struct predicate_operand *o)
{
    struct shardset set = shardset_all(n->shards);
    struct buf key;
    buf_init(&key, ROUTER_MAX_KEY);
    if (is_null(o) || is_fraction(n, o))
        set = shardset_none();
    else if (literal_key(n, o, &key))
        set = shardset_one(router_shard(buf_text(&key), key.len, n->shards));
    buf_clear(&key);
    return set;
}

static struct shardset equal_shards(const struct narrowing *n, const struct predicate_operand *a,
                                    const struct predicate_operand *b)
{
    if (is_shard_column(n, a))
        return literal_shards(n, b);
    if (is_shard_column(n, b))
        return literal_shards(n, a);
    return shardset_all(n->shards);
}

static bool same_key(const struct narrowing *n, const struct predicate_operand *a, const struct predicate_operand *b)
{
    struct buf left;
    struct buf right;
    buf_init(&left, ROUTER_MAX_KEY);
    buf_init(&right, ROUTER_MAX_KEY);
    bool same = literal_key(n, a, &left) && literal_key(n, b, &right) && left.len == right.len &&
                memcmp(buf_text(&left), buf_text(&right), left.len) == 0;
    buf_clear(&left);
    buf_clear(&right);
    return same;
}

static struct shardset may_be(const struct narrowing *n, const struct predicate_node *node, bool want);

/* OR wanted true, and AND wanted false, hold where one child does; the other two where all do. */
static struct shardset children_shards(const struct narrowing *n, const struct predicate_node *node, bool want,
                                       bool any)
{
    struct shardset set = any ? shardset_none() : shardset_all(n->shards);
    for (size_t i = 0; i < node->child_count; i++) {
        struct shardset child = may_be(n, node->children[i], want);
        set = any ? shardset_union(set, child) : shardset_intersection(set, child);
    }
    return set;
}

static struct shardset in_shards(const struct narrowing *n, const struct predicate_node *node, bool want)
{
    const struct predicate_operand *o = node->operands;
    if (is_null(&o[0]))
        return shardset_none();
    bool narrows = is_shard_column(n, &o[0]);
    struct shardset set = want && narrows ? shardset_none() : shardset_all(n->shards);
    for (size_t i = 1; i < node->operand_count; i++) {
        if (!want && is_null(&o[i]))
            return shardset_none(); /* x <> NULL is never true, so neither is NOT IN */
        if (want && narrows)
            set = shardset_union(set, literal_shards(n, &o[i]));
    }
    return set;
}

static struct shardset between_shards(const struct narrowing *n, const struct predicate_node *node, bool want)
{
    const struct predicate_operand *o = node->operands;
    if (is_null(&o[0]) || (want && (is_null(&o[1]) || is_null(&o[2]))) || (is_null(&o[1]) && is_null(&o[2])))
        return shardset_none();
    if (want && is_shard_column(n, &o[0]) && same_key(n, &o[1], &o[2]))
        return literal_shards(n, &o[1]);
    return shardset_all(n->shards);
}

static struct shardset comparison_shards(const struct narrowing *n, const struct predicate_node *node, bool want)
{
    for (size_t i = 0; i < node->operand_count; i++) {
        if (is_null(&node->operands[i]))
            return shardset_none();
    }
    bool equal = (node->op == PREDICATE_EQ && want) || (node->op == PREDICATE_NE && !want);
    return equal ? equal_shards(n, &node->operands[0], &node->operands[1]) : shardset_all(n->shards);
}

static struct shardset may_be(const struct narrowing *n, const struct predicate_node *node, bool want)
{
    if (node->negated)
        want = !want;
    switch (node->op) {
    case PREDICATE_OR:
        return children_shards(n, node, want, want);
    case PREDICATE_AND:
        return children_shards(n, node, want, !want);
    case PREDICATE_NOT:
        return may_be(n, node->children[0], !want);
    case PREDICATE_IN:
        return in_shards(n, node, want);
    case PREDICATE_BETWEEN:
        return between_shards(n, node, want);
    case PREDICATE_IS_NULL: /* a row without key is wherever its other keys sent it */
        return shardset_all(n->shards);
    case PREDICATE_EQ:
    case PREDICATE_NE:
    case PREDICATE_LT:
    case PREDICATE_LE:
    case PREDICATE_GT:
    case PREDICATE_GE:
    case PREDICATE_LIKE:
        return comparison_shards(n, node, want);
    }
    return shardset_all(n->shards);
}

struct shardset router_condition(const struct table *t, size_t shards, const struct predicate *p)
{
    struct narrowing n = {.table = t, .type = table_shard_type(t), .shards = shards};
    /* By another collation 'ali' = 'ALI', whose keys hash apart. */
    if (n.type != NULL && sqltype_is_string(n.type) && !t->shard_column->binary)
        n.type = NULL;
    return may_be(&n, predicate_root(p), true);
}

struct column_check {
    const struct table *table;
    struct err *e;
};

static int check_column(void *arg, const struct predicate_operand *column)
{
    struct column_check *check = arg;
    if (table_find_column(check->table, column->text, column->len) != NULL)
        return 0;
    return err_set(check->e, ERR_UNKNOWN_COLUMN, "condition: the table has no column '%.*s' (byte %zu)",
                   column->len > 128 ? 128 : (int)column->len, column->text, column->offset);
}

int router_check_columns(const struct table *t, const struct predicate *p, struct err *e)
{
    struct column_check check = {.table = t, .e = e};
    return predicate_each_column(p, check_column, &check);
}
