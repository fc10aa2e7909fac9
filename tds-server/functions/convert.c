#include "tds-server/functions/convert_private.h"

#include "common/utf8.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/typing.h"

#include <math.h>
#include <string.h>

const char *convert_name(const struct sqltype *t)
{
    if (sqltype_is_small(t))
        return t->kind == SQLTYPE_MONEY ? "smallmoney" : "smalldatetime";
    return t->kind == SQLTYPE_DECIMAL ? "numeric" : typing_name(t->kind);
}

int convert_overflow(struct conversion *c, const char *what)
{
    return fault_set(c->fault, 8115, what, convert_name(c->to));
}

const char *convert_quoted(const struct conversion *c, char text[CONVERT_QUOTED_MAX])
{
    size_t len = c->in->bytes.len < CONVERT_QUOTED_MAX - 1 ? c->in->bytes.len : CONVERT_QUOTED_MAX - 1;
    while (len > 0 && len < c->in->bytes.len && ((unsigned char)c->in->bytes.data[len] & 0xC0) == 0x80)
        len--;
    memcpy(text, c->in->bytes.data, len);
    text[len] = '\0';
    return text;
}

void convert_trim(const char **p, const char **end)
{
    while (*p < *end && (**p == ' ' || **p == '\t' || **p == '\r' || **p == '\n'))
        (*p)++;
    while (*p < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\t' || (*end)[-1] == '\r' || (*end)[-1] == '\n'))
        (*end)--;
}

int convert_unsupported(struct conversion *c)
{
    return fault_set(c->fault, 529, typing_name(c->in->type.kind), typing_name(c->to->kind));
}

struct decimal convert_input_decimal(const struct value *in)
{
    return (struct decimal){in->decimal, in->type.scale};
}

/* ---- to dates and times ---- */

/* How a style reads 01/02/03. */
static enum moment_order style_order(int style)
{
    switch (style % 100) {
    case 3: case 4: case 5:
        return MOMENT_DMY;
    case 2: case 11:
        return MOMENT_YMD;
    default:
        return MOMENT_MDY;
    }
}

static int to_datetime(struct conversion *c)
{
    const struct value *in = c->in;
    struct moment m = {.days = MOMENT_DAY_1900};
    char form[MOMENT_TEXT];
    bool ok = true;
    switch (typing_class(in->type.kind)) {
    case TYPE_STRING:
        if (!moment_from_text(in->bytes.data, in->bytes.len, style_order(c->style), &m))
            return fault_set(c->fault, 241);
        break;
    case TYPE_DATETIME:
        m = moment_from_value(in);
        if (typing_conversion(in->type.kind, c->to->kind) == CONVERSION_NONE)
            return convert_unsupported(c);
        break;
    case TYPE_INTEGER:
    case TYPE_BIT:
        if (c->to->kind != SQLTYPE_DATETIME)
            return convert_unsupported(c);
        ok = in->integer > -MOMENT_DAYS && in->integer < MOMENT_DAYS && moment_add_ticks(&m, in->integer, 0);
        break;
    case TYPE_DECIMAL:
    case TYPE_FLOAT: {
        if (c->to->kind != SQLTYPE_DATETIME)
            return convert_unsupported(c);
        double days = typing_class(in->type.kind) == TYPE_FLOAT ? in->real : decimal_to_double(convert_input_decimal(in));
        ok = fabs(days) < MOMENT_DAYS;
        double whole = ok ? floor(days) : 0;
        ok = ok && moment_add_ticks(&m, (int64_t)whole, (int64_t)((days - whole) * (double)MOMENT_TICKS_PER_DAY));
        break;
    }
    default:
        return convert_unsupported(c);
    }
    size_t len = ok ? moment_to_form(m, c->to, form) : 0;
    if (len == 0) {
        if (typing_class(in->type.kind) <= TYPE_FLOAT)
            return convert_overflow(c, "expression");
        return fault_set(c->fault, 242, convert_name(&in->type), convert_name(c->to));
    }
    buf_reset(c->scratch);
    buf_append(c->scratch, form, len);
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    c->out->bytes.data = buf_text(c->scratch);
    c->out->bytes.len = len;
    return 0;
}

/* ---- to UNIQUEIDENTIFIER and binaries ---- */

static int to_guid(struct conversion *c)
{
    const struct value *in = c->in;
    unsigned char bytes[VALUE_GUID_LEN];
    enum type_class from = typing_class(in->type.kind);
    if (from == TYPE_GUID) {
        c->out->bytes = in->bytes;
        return 0;
    }
    if (from == TYPE_STRING) {
        const char *p = in->bytes.data, *end = p + in->bytes.len;
        while (p < end && end[-1] == ' ')
            end--;
        /* What stands behind a whole GUID is ignored, as in SQL Server. */
        size_t len = (size_t)(end - p);
        size_t take = len > 0 && *p == '{' ? 38 : 36;
        if (!value_guid_from_text(p, len > take ? take : len, bytes))
            return fault_set(c->fault, 8169);
    } else if (from == TYPE_BINARY) {
        unsigned char wire[VALUE_GUID_LEN] = {0};
        memcpy(wire, in->bytes.data, in->bytes.len < sizeof wire ? in->bytes.len : sizeof wire);
        value_guid_from_wire(wire, bytes);
    } else {
        return convert_unsupported(c);
    }
    buf_reset(c->scratch);
    buf_append(c->scratch, bytes, sizeof bytes);
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    c->out->bytes.data = buf_text(c->scratch);
    c->out->bytes.len = sizeof bytes;
    return 0;
}

/* Brings bytes to the length of the type; BINARY is padded with zeros. */
static int set_bytes(struct conversion *c, const char *data, size_t len)
{
    if (c->to->length != SQLTYPE_MAX) {
        size_t limit = (size_t)c->to->length;
        if (len > limit) {
            for (size_t i = limit; c->mode == CONVERT_ASSIGN && i < len; i++) {
                if (data[i] != 0 || c->to->kind == SQLTYPE_VARBINARY)
                    return fault_set(c->fault, 8152);
            }
            len = limit;
        } else if (c->to->kind == SQLTYPE_BINARY && len < limit) {
            struct buf padded;
            buf_init(&padded, CONVERT_MAX_BYTES);
            buf_append(&padded, data, len);
            buf_append_fill(&padded, '\0', limit - len);
            buf_clear(c->scratch);
            *c->scratch = padded;
            if (buf_status(c->scratch) < 0)
                return fault_set(c->fault, FAULT_MEMORY);
            data = c->scratch->data;
            len = limit;
        }
    }
    c->out->bytes.data = data;
    c->out->bytes.len = len;
    return 0;
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static int bytes_from_text(struct conversion *c)
{
    const char *p = c->in->bytes.data;
    size_t len = c->in->bytes.len;
    struct buf bytes;
    buf_init(&bytes, CONVERT_MAX_BYTES);
    bool ok = true;
    if (c->style == 1 || c->style == 2) {
        if (c->style == 1) {
            ok = len >= 2 && p[0] == '0' && (p[1] | 32) == 'x';
            p += ok ? 2 : 0;
            len -= ok ? 2 : 0;
        }
        ok = ok && len % 2 == 0;
        for (size_t i = 0; ok && i < len; i += 2) {
            int high = hex_digit(p[i]), low = hex_digit(p[i + 1]);
            ok = high >= 0 && low >= 0;
            buf_append_char(&bytes, (char)(high << 4 | low));
        }
    } else if (sqltype_is_unicode(&c->in->type)) {
        for (size_t i = 0; i < len;) {
            uint32_t cp;
            size_t n = utf8_decode(p + i, len - i, &cp);
            i += n == 0 ? 1 : n;
            if (n == 0)
                cp = 0xFFFD;
            if (cp >= 0x10000) {
                buf_append_u16le(&bytes, (uint16_t)(0xD800 + ((cp - 0x10000) >> 10)));
                cp = 0xDC00 + ((cp - 0x10000) & 0x3FF);
            }
            buf_append_u16le(&bytes, (uint16_t)cp);
        }
    } else {
        buf_append(&bytes, p, len);
    }
    if (!ok) {
        buf_clear(&bytes);
        return fault_set(c->fault, 8114, typing_name(c->in->type.kind), typing_name(c->to->kind));
    }
    buf_clear(c->scratch);
    *c->scratch = bytes;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_bytes(c, buf_text(c->scratch), c->scratch->len);
}

static int to_binary(struct conversion *c)
{
    const struct value *in = c->in;
    unsigned char made[VALUE_GUID_LEN];
    size_t size;
    switch (typing_class(in->type.kind)) {
    case TYPE_BINARY:
        return set_bytes(c, in->bytes.data, in->bytes.len);
    case TYPE_STRING:
        return bytes_from_text(c);
    case TYPE_INTEGER:
    case TYPE_BIT:
        size = in->type.kind == SQLTYPE_BIGINT ? 8 : in->type.kind == SQLTYPE_INT ? 4 : in->type.kind == SQLTYPE_SMALLINT ? 2 : 1;
        for (size_t i = 0; i < size; i++)
            made[i] = (unsigned char)((uint64_t)in->integer >> (8 * (size - 1 - i)));
        break;
    case TYPE_GUID:
        size = sizeof made;
        value_guid_to_wire((const unsigned char *)in->bytes.data, made);
        break;
    default:
        return convert_unsupported(c);
    }
    /* Numbers keep their last bytes, and BINARY is filled from the left. */
    struct buf bytes;
    buf_init(&bytes, CONVERT_MAX_BYTES);
    size_t limit = c->to->length == SQLTYPE_MAX ? size : (size_t)c->to->length;
    bool number = typing_class(in->type.kind) != TYPE_GUID;
    if (number && c->to->kind == SQLTYPE_BINARY && limit > size)
        buf_append_fill(&bytes, '\0', limit - size);
    size_t skip = number && size > limit ? size - limit : 0;
    buf_append(&bytes, made + skip, size - skip);
    buf_clear(c->scratch);
    *c->scratch = bytes;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_bytes(c, buf_text(c->scratch), c->scratch->len);
}

/* ---- */

int convert_value(const struct value *in, const struct sqltype *to, int style, enum convert_mode mode, struct buf *scratch,
                  struct value *out, struct fault *f)
{
    static int (*const convert[])(struct conversion *c) = {
        [TYPE_INTEGER] = convert_to_integer, [TYPE_BIT] = convert_to_integer,   [TYPE_DECIMAL] = convert_to_decimal, [TYPE_FLOAT] = convert_to_float,
        [TYPE_STRING] = convert_to_string,   [TYPE_DATETIME] = to_datetime, [TYPE_GUID] = to_guid,   [TYPE_BINARY] = to_binary,
    };
    *out = (struct value){.type = *to, .null = in->null};
    if (in->null)
        return 0;
    struct conversion c = {in, to, style, mode, scratch, out, f};
    return convert[typing_class(to->kind)](&c);
}
