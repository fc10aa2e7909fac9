#include "fcgi-master/rowscan.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* Behind the string that starts at `p`. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
    }
    return p < end ? p + 1 : end;
}

/* Behind the value that starts at `p`. */
static const char *skip_value(const char *p, const char *end)
{
    int depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (depth > 0 && (*p == '}' || *p == ']')) {
            depth--;
            p++;
        } else if (depth == 0 && (*p == ',' || *p == '}' || *p == ']' || *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
            break;
        } else {
            p++;
            continue;
        }
        if (depth == 0)
            break;
    }
    return p;
}

void rowscan_init(struct rowscan *s, struct json_slice array)
{
    s->at = array.len > 0 ? array.text + 1 : array.text; /* behind the '[' */
    s->end = array.text + array.len;
}

int rowscan_next(struct rowscan *s, struct json_slice *row)
{
    const char *p = skip_space(s->at, s->end);
    if (p < s->end && *p == ',')
        p = skip_space(p + 1, s->end);
    if (p == s->end || *p == ']')
        return 0;
    s->at = skip_value(p, s->end);
    *row = (struct json_slice){.text = p, .len = (size_t)(s->at - p)};
    return 1;
}

int rowscan_members(struct json_slice row, struct json_slice *values, size_t count)
{
    const char *p = row.text, *end = row.text + row.len;
    if (p == end || *p != '{')
        return -1;
    p++;
    for (size_t i = 0; i < count; i++) {
        p = skip_space(p, end);
        if (p == end || *p != '"')
            return -1;
        p = skip_space(skip_string(p, end), end);
        if (p == end || *p != ':')
            return -1;
        p = skip_space(p + 1, end);
        const char *from = p;
        p = skip_value(p, end);
        values[i] = (struct json_slice){.text = from, .len = (size_t)(p - from)};
        p = skip_space(p, end);
        if (p == end || *p != (i + 1 < count ? ',' : '}'))
            return -1;
        p++;
    }
    return p == end ? 0 : -1;
}

int rowscan_array(struct json_slice array, struct json_slice *values, size_t count)
{
    const char *p = array.text, *end = array.text + array.len;
    for (size_t i = 0; i < count; i++) {
        if (p == end || *p != (i == 0 ? '[' : ','))
            return -1;
        const char *from = skip_space(p + 1, end);
        p = skip_value(from, end);
        values[i] = (struct json_slice){.text = from, .len = (size_t)(p - from)};
        p = skip_space(p, end);
    }
    return p + 1 == end && *p == ']' ? 0 : -1;
}
