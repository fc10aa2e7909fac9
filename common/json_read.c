/* The reader of json.h. One strict pass checks the text and, where a tree is wanted, builds it out of json-c's objects.
 * json-c's own parser is not used: two parsers that disagree about one text are what smuggling attacks live on. */
#include "common/fnv1a.h"
#include "common/json.h"
#include "common/json_build.h"
#include "common/utf8.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *text, *p, *end; /* text <= p <= end */
    struct err *e;
    bool build; /* make a tree; else only check */
    int depth;

    /* Where names, and strings with escapes, are put without their escapes. Each takes less room than in the text, its
     * NUL included, so `pool` has text's length and never moves. */
    char *pool, *pool_next;

    /* A stack of the names of all objects that are open, the innermost's on top. */
    struct json_name *names;
    size_t name_count, name_room;

    struct json_slice *slices; /* of the outermost object's members */
    size_t slice_count;
    struct json_fields *fields; /* where they are put, NULL for nowhere; pool and names are its then */
    enum json_kind kind;        /* of the value that was scanned last */
    const char *value;          /* its text: of a string without quotes and escapes, else as it stands */
    size_t value_len;
};

struct json_name {
    char *text; /* in the pool, NUL-terminated */
    uint32_t hash;
    uint32_t offset; /* of its opening quote */
};

/* A string or a number inside the text or the pool. */
struct piece {
    const char *text;
    size_t len;
};

static int out_of_memory(struct scan *s)
{
    return err_set(s->e, ERR_INTERNAL, "out of memory while reading JSON");
}

static size_t offset_of(const struct scan *s, const char *at)
{
    return (size_t)(at - s->text);
}

/* Refuses what stands at s->p. */
static int unexpected(struct scan *s, const char *expected)
{
    size_t offset = offset_of(s, s->p);
    if (s->p == s->end) {
        return err_set(s->e, ERR_BAD_JSON, "body: unexpected end at byte %zu; %s is expected", offset, expected);
    }
    uint32_t cp;
    if (utf8_decode(s->p, (size_t)(s->end - s->p), &cp) == 0) {
        return err_set(s->e, ERR_BAD_JSON, "body: invalid UTF-8 at byte %zu", offset);
    }
    if (cp > 0x20 && cp < 0x7F) {
        return err_set(s->e, ERR_BAD_JSON, "body: unexpected character '%c' at byte %zu; %s is expected", (char)cp, offset,
                       expected);
    }
    return err_set(s->e, ERR_BAD_JSON, "body: unexpected character U+%04X at byte %zu; %s is expected", (unsigned)cp, offset,
                   expected);
}

/* ws = *( %x20 / %x09 / %x0A / %x0D ) */
static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
    }
}

static bool at(const struct scan *s, char c)
{
    return s->p < s->end && *s->p == c;
}

/* 4HEXDIG */
static int scan_hex4(struct scan *s, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        unsigned char c = s->p < s->end ? (unsigned char)*s->p : 0;
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (c | 0x20) - 'a' + 10u;
        } else {
            return unexpected(s, "a hexadecimal digit");
        }
        *unit = *unit << 4 | digit;
    }
    return 0;
}

/* escape ( … / %x75 4HEXDIG ), a surrogate only as the first half of a pair. Writes the character to *out. */
static int scan_escape(struct scan *s, char **out)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *start = s->p++;
    const char *found = s->p < s->end && *s->p ? strchr(plain, *s->p) : NULL;
    if (found) {
        s->p++;
        *(*out)++ = meant[found - plain];
        return 0;
    }
    if (!at(s, 'u')) {
        return unexpected(s, "one of \"\\/bfnrtu behind a backslash");
    }
    s->p++;
    uint32_t cp, low;
    if (scan_hex4(s, &cp)) {
        return -1;
    }
    if (cp >= 0xD800 && cp <= 0xDFFF) {
        bool pair = cp <= 0xDBFF && s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u';
        if (pair) {
            s->p += 2;
            if (scan_hex4(s, &low)) {
                return -1;
            }
            pair = low >= 0xDC00 && low <= 0xDFFF;
        }
        if (!pair) {
            return err_set(s->e, ERR_BAD_JSON, "body: lone surrogate \\u%04x at byte %zu", (unsigned)cp,
                           offset_of(s, start));
        }
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    }
    *out += utf8_encode(cp, *out);
    return 0;
}

/* string = quotation-mark *char quotation-mark. The result lies in the text, or at pool_next when it had escapes. */
static int scan_string(struct scan *s, struct piece *out)
{
    const char *run = ++s->p; /* what follows is not copied yet */
    char *copy = NULL;
    for (;;) {
        unsigned char c = s->p < s->end ? (unsigned char)*s->p : 0;
        if (c == '"') {
            break;
        }
        if (c == '\\') {
            copy = copy ? copy : s->pool_next;
            memcpy(copy, run, (size_t)(s->p - run));
            copy += s->p - run;
            if (scan_escape(s, &copy)) {
                return -1;
            }
            run = s->p;
        } else if (c < 0x20) {
            return unexpected(s, s->p < s->end ? "an escape for a control character" : "'\"'");
        } else {
            size_t n = c < 0x80 ? 1 : utf8_decode(s->p, (size_t)(s->end - s->p), NULL);
            if (n == 0) {
                return unexpected(s, "'\"'");
            }
            s->p += n;
        }
    }
    size_t rest = (size_t)(s->p - run);
    *out = (struct piece){run, rest};
    if (copy) {
        memcpy(copy, run, rest);
        *out = (struct piece){s->pool_next, (size_t)(copy - s->pool_next) + rest};
    }
    s->p++;
    return 0;
}

static bool skip_digits(struct scan *s)
{
    const char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        s->p++;
    }
    return s->p > start;
}

/* number = [ minus ] int [ frac ] [ exp ]. *integer: it has neither frac nor exp. */
static int scan_number(struct scan *s, struct piece *out, bool *integer)
{
    const char *start = s->p;
    *integer = true;
    if (at(s, '-')) {
        s->p++;
    }
    if (at(s, '0')) {
        s->p++;
    } else if (!skip_digits(s)) {
        return unexpected(s, "a digit");
    }
    if (at(s, '.')) {
        *integer = false;
        s->p++;
        if (!skip_digits(s)) {
            return unexpected(s, "a digit");
        }
    }
    if (at(s, 'e') || at(s, 'E')) {
        *integer = false;
        s->p++;
        if (at(s, '+') || at(s, '-')) {
            s->p++;
        }
        if (!skip_digits(s)) {
            return unexpected(s, "a digit");
        }
    }
    *out = (struct piece){start, (size_t)(s->p - start)};
    return 0;
}

/* Hands a new object on; NULL means that memory ran out. */
static int built(struct scan *s, struct json_object *v, struct json_object **out)
{
    *out = v;
    return v ? 0 : out_of_memory(s);
}

static int build_number(struct scan *s, struct piece number, bool integer, struct json_object **out)
{
    /* A character that is no part of the number follows it in the text, so that there is room for the NUL. */
    char *copy = s->pool_next;
    memcpy(copy, number.text, number.len);
    copy[number.len] = '\0';
    return built(s, json_build_number(copy, number.len, integer), out);
}

static int scan_literal(struct scan *s, const char *word, const char *expected)
{
    for (; *word; word++, s->p++) {
        if (!at(s, *word)) {
            return unexpected(s, expected);
        }
    }
    return 0;
}

/* Member names. */

/* Keeps a name in the pool and on the stack. Returns the pool's copy, NULL when the name is refused. */
static const char *push_name(struct scan *s, struct piece name, size_t offset)
{
    if (memchr(name.text, '\0', name.len)) {
        err_set(s->e, ERR_BAD_JSON, "body: NUL in the member name at byte %zu", offset);
        return NULL;
    }
    if (s->name_count == s->name_room) {
        size_t room = s->name_room ? s->name_room * 2 : 32;
        struct json_name *names = realloc(s->names, room * sizeof *names);
        if (!names) {
            out_of_memory(s);
            return NULL;
        }
        s->names = names;
        s->name_room = room;
    }
    char *copy = s->pool_next;
    memmove(copy, name.text, name.len); /* a name with escapes is there already */
    copy[name.len] = '\0';
    s->pool_next += name.len + 1;
    s->names[s->name_count++] = (struct json_name){copy, fnv1a_32(copy, name.len), (uint32_t)offset};
    return copy;
}

static int compare_names(const void *x, const void *y)
{
    const struct json_name *a = x, *b = y;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    int order = strcmp(a->text, b->text);
    return order ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Takes the names from `base` on off the stack; refuses two that are equal. Sorting keeps this at n log n for any names,
 * also for those that someone chose for their equal hashes. */
static int pop_names(struct scan *s, size_t base)
{
    size_t count = s->name_count - base;
    if (count == 0) {
        return 0;
    }
    struct json_name *names = s->names + base;
    s->name_count = base;
    s->pool_next = names[0].text; /* their texts lie behind one another */
    qsort(names, count, sizeof *names, compare_names);
    const struct json_name *first = NULL;
    for (size_t i = 1; i < count; i++) {
        bool equal = names[i].hash == names[i - 1].hash && strcmp(names[i].text, names[i - 1].text) == 0;
        if (equal && (!first || names[i].offset < first->offset)) {
            first = &names[i];
        }
    }
    if (!first) {
        return 0;
    }
    struct buf quoted;
    buf_init(&quoted, ERR_DETAIL_MAX);
    err_quote(&quoted, first->text, strlen(first->text));
    err_set(s->e, ERR_BAD_JSON, "body: duplicate key %s at byte %u", buf_text(&quoted), (unsigned)first->offset);
    buf_clear(&quoted);
    return -1;
}

/* Structure. Each function leaves s->p behind what it read; *out stays NULL when no tree is built. */

static int scan_value(struct scan *s, struct json_object **out);

/* '{' or '[', one level down */
static int enter(struct scan *s)
{
    if (s->depth == JSON_MAX_DEPTH) {
        return err_set(s->e, ERR_BAD_JSON, "body: more than %d levels at byte %zu", JSON_MAX_DEPTH, offset_of(s, s->p));
    }
    s->depth++;
    s->p++;
    skip_space(s);
    return 0;
}

static void keep_slice(struct scan *s, const char *name, const char *start)
{
    for (size_t i = 0; i < s->slice_count; i++) {
        if (strcmp(s->slices[i].name, name) == 0) {
            s->slices[i].text = start;
            s->slices[i].len = (size_t)(s->p - start);
        }
    }
}

/* Adds the value that was scanned last. A string with escapes lies at pool_next: it is to stay there. */
static int keep_field(struct scan *s, const char *name)
{
    struct json_fields *f = s->fields;
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 16;
        struct json_field *items = realloc(f->items, room * sizeof *items);
        if (!items) {
            return out_of_memory(s);
        }
        f->items = items;
        f->room = room;
    }
    f->items[f->count++] = (struct json_field){.name = name, .kind = s->kind, .text = s->value, .len = s->value_len};
    if (s->value == s->pool_next) {
        s->pool_next += s->value_len;
    }
    return 0;
}

/* member = string name-separator value */
static int scan_member(struct scan *s, struct json_object *obj)
{
    size_t offset = offset_of(s, s->p);
    struct piece name;
    if (!at(s, '"')) {
        return unexpected(s, "a member name in double quotes");
    }
    if (scan_string(s, &name)) {
        return -1;
    }
    const char *key = push_name(s, name, offset);
    if (!key) {
        return -1;
    }
    skip_space(s);
    if (!at(s, ':')) {
        return unexpected(s, "':'");
    }
    s->p++;
    skip_space(s);
    const char *start = s->p;
    struct json_object *value = NULL;
    if (scan_value(s, &value)) {
        return -1;
    }
    if (s->depth == 1) {
        keep_slice(s, key, start);
        if (s->fields && keep_field(s, key)) {
            return -1;
        }
    }
    return !obj || json_build_member(obj, key, value) == 0 ? 0 : out_of_memory(s);
}

/* element of an array = value */
static int scan_element(struct scan *s, struct json_object *array)
{
    struct json_object *value = NULL;
    if (scan_value(s, &value)) {
        return -1;
    }
    return !array || json_build_element(array, value) == 0 ? 0 : out_of_memory(s);
}

/* object = begin-object [ member *( value-separator member ) ] end-object
 * array  = begin-array  [ value  *( value-separator value ) ]  end-array */
static int scan_items(struct scan *s, struct json_object *parent, char close, const char *expected,
                      int (*scan_item)(struct scan *, struct json_object *))
{
    if (enter(s)) {
        return -1;
    }
    if (!at(s, close)) {
        for (;;) {
            if (scan_item(s, parent)) {
                return -1;
            }
            skip_space(s);
            if (!at(s, ',')) {
                break;
            }
            s->p++;
            skip_space(s);
        }
    }
    if (!at(s, close)) {
        return unexpected(s, expected);
    }
    s->p++;
    s->depth--;
    return 0;
}

static int scan_object(struct scan *s, struct json_object **out)
{
    size_t base = s->name_count;
    struct json_object *obj = NULL;
    if (s->build && built(s, json_build_object(), &obj)) {
        return -1;
    }
    if (scan_items(s, obj, '}', "',' or '}'", scan_member) || pop_names(s, base)) {
        json_free(obj);
        return -1;
    }
    *out = obj;
    return 0;
}

static int scan_array(struct scan *s, struct json_object **out)
{
    struct json_object *array = NULL;
    if (s->build && built(s, json_build_array(), &array)) {
        return -1;
    }
    if (scan_items(s, array, ']', "',' or ']'", scan_element)) {
        json_free(array);
        return -1;
    }
    *out = array;
    return 0;
}

/* A literal, an object or an array keeps its text as it stands. */
static int keep_raw(struct scan *s, enum json_kind kind, const char *start)
{
    s->kind = kind;
    s->value = start;
    s->value_len = (size_t)(s->p - start);
    return 0;
}

/* value = false / null / true / object / array / number / string */
static int scan_value(struct scan *s, struct json_object **out)
{
    const char *start = s->p;
    struct piece piece;
    bool integer;
    switch (s->p < s->end ? *s->p : '\0') {
    case '{':
        return scan_object(s, out) ? -1 : keep_raw(s, JSON_OBJECT, start);
    case '[':
        return scan_array(s, out) ? -1 : keep_raw(s, JSON_ARRAY, start);
    case '"':
        if (scan_string(s, &piece)) {
            return -1;
        }
        s->kind = JSON_STRING;
        s->value = piece.text;
        s->value_len = piece.len;
        return s->build ? built(s, json_build_string(piece.text, piece.len), out) : 0;
    case 't':
        if (scan_literal(s, "true", "true")) {
            return -1;
        }
        (void)keep_raw(s, JSON_BOOL, start);
        return s->build ? built(s, json_build_boolean(true), out) : 0;
    case 'f':
        if (scan_literal(s, "false", "false")) {
            return -1;
        }
        (void)keep_raw(s, JSON_BOOL, start);
        return s->build ? built(s, json_build_boolean(false), out) : 0;
    case 'n':
        return scan_literal(s, "null", "null") ? -1 : keep_raw(s, JSON_NULL, start);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        if (scan_number(s, &piece, &integer)) {
            return -1;
        }
        (void)keep_raw(s, JSON_NUMBER, start);
        return s->build ? build_number(s, piece, integer, out) : 0;
    default:
        return unexpected(s, "a value");
    }
}

/* A pool for a text of this length, and the stack of names: kept from text to text where fields are read. */
static int take_room(struct scan *s, size_t len)
{
    struct json_fields *f = s->fields;
    if (!f) {
        s->pool = s->pool_next = malloc(len);
        return s->pool ? 0 : -1;
    }
    if (f->pool_room < len) {
        char *pool = realloc(f->pool, len);
        if (!pool) {
            return -1;
        }
        f->pool = pool;
        f->pool_room = len;
    }
    s->pool = s->pool_next = f->pool;
    s->names = f->names;
    s->name_room = f->name_room;
    return 0;
}

static void give_room(struct scan *s)
{
    if (s->fields) {
        s->fields->names = s->names;
        s->fields->name_room = s->name_room;
        return;
    }
    free(s->names);
    free(s->pool);
}

/* JSON-text = ws object ws */
static int scan_text(struct scan *s, const char *text, size_t len, struct json_object **out)
{
    struct json_object *root = NULL;
    int rc = -1;
    s->text = s->p = text;
    s->end = text + len;
    if (len > INT_MAX) { /* json-c's lengths */
        return err_set(s->e, ERR_BODY_TOO_LARGE, "body: more than %d bytes", INT_MAX);
    }
    skip_space(s);
    if (s->p == s->end) {
        return err_set(s->e, ERR_BAD_JSON, "body: empty; one JSON object is expected");
    }
    if (take_room(s, len)) {
        return out_of_memory(s);
    }
    if (!at(s, '{')) {
        unexpected(s, "one JSON object");
        goto out;
    }
    if (scan_object(s, &root)) {
        goto out;
    }
    skip_space(s);
    if (s->p < s->end) {
        unexpected(s, "nothing behind the object");
        goto out;
    }
    *out = root;
    root = NULL;
    rc = 0;
out:
    json_free(root);
    give_room(s);
    return rc;
}

int json_read(const char *text, size_t len, struct json_object **out, struct err *e)
{
    struct scan s = {.e = e, .build = true};
    *out = NULL;
    return scan_text(&s, text, len, out);
}

int json_slices(const char *text, size_t len, struct json_slice *slices, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        slices[i].text = NULL;
        slices[i].len = 0;
    }
    struct scan s = {.e = e, .slices = slices, .slice_count = count};
    struct json_object *none = NULL;
    return scan_text(&s, text, len, &none);
}


int json_fields_read(struct json_fields *f, const char *text, size_t len, struct err *e)
{
    struct scan s = {.e = e, .fields = f};
    struct json_object *none = NULL;
    f->count = 0;
    return scan_text(&s, text, len, &none);
}

int json_fields_from(struct json_fields *f, const struct json_object *obj, struct err *e)
{
    struct scan s = {.e = e, .fields = f};
    struct json_iter it = {0};
    const char *name;
    struct json_object *v;
    f->count = 0;
    while (json_next(obj, &it, &name, &v)) {
        s.kind = json_kind(v);
        s.value = "";
        s.value_len = 0;
        if (s.kind == JSON_STRING) {
            s.value = json_string(v, &s.value_len);
        } else if (s.kind == JSON_NUMBER) {
            s.value = json_number(v, &s.value_len);
        } else if (s.kind == JSON_BOOL) {
            s.value = json_boolean(v) ? "true" : "false";
            s.value_len = strlen(s.value);
        }
        if (keep_field(&s, name)) {
            return -1;
        }
    }
    return 0;
}

void json_fields_clear(struct json_fields *f)
{
    free(f->items);
    free(f->pool);
    free(f->names);
    *f = (struct json_fields){0};
}
