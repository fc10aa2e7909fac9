/* The CSV reader: what it reads does not depend on how much of the text it is shown at a time, every field lies in its record, every
 * record is valid UTF-8, and a record that is written again reads the same. */
#include "common/utf8.h"
#include "load/csv.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define OUTPUT_MAX (1 << 24)

static struct csv_record record, again;

static void check_record(const char *text, size_t len, const struct csv_format *format)
{
    const char *at = text;
    size_t lines = 0;

    CHECK(record.count >= 1 && record.count <= CSV_MAX_FIELDS && record.len > 0 && record.len <= len);
    CHECK(utf8_measure(text, record.len, NULL, NULL));
    for (size_t i = 0; i < record.len; i++)
        lines += text[i] == '\n';
    CHECK(lines == record.lines);
    for (size_t i = 0; i < record.count; i++) {
        const struct csv_field *f = &record.fields[i];
        CHECK(f->text >= at && f->len <= record.len && f->text + f->len <= text + record.len);
        CHECK(f->quoted || memchr(f->text, format->delimiter, f->len) == NULL);
        CHECK(f->quoted || memchr(f->text, '\n', f->len) == NULL);
        at = f->text + f->len;
    }
}

/* Every shorter text asks for more, finds the same fault, or is the same record with the rest behind it. */
static void check_pieces(const struct csv_format *format, const char *text, enum csv_result result, const struct csv_fault *fault)
{
    const size_t whole = result == CSV_RECORD ? record.len : fault->at;

    for (size_t known = 1; known <= whole; known++) {
        struct csv_fault other = {0};
        const enum csv_result early = csv_read(format, text, known, false, &again, &other);
        if (early == CSV_BAD) {
            CHECK(result == CSV_BAD && other.at == fault->at && other.what == fault->what);
        } else if (early == CSV_RECORD) {
            CHECK(result == CSV_RECORD && again.len == record.len && again.count == record.count);
        }
    }
}

/* All fields in quotes mean the same. */
static void check_round_trip(char delimiter)
{
    const struct csv_format format = {.delimiter = delimiter, .quotes = true};
    struct csv_fault fault;
    struct buf text, value, other;

    buf_init(&text, OUTPUT_MAX);
    buf_init(&value, OUTPUT_MAX);
    buf_init(&other, OUTPUT_MAX);
    for (size_t i = 0; i < record.count; i++) {
        buf_reset(&value);
        csv_append_value(&record.fields[i], &value);
        if (i > 0)
            buf_append_char(&text, delimiter);
        buf_append_char(&text, '"');
        for (size_t k = 0; k < value.len; k++) {
            if (value.data[k] == '"')
                buf_append_char(&text, '"');
            buf_append_char(&text, value.data[k]);
        }
        buf_append_char(&text, '"');
    }
    buf_append_char(&text, '\n');
    CHECK(csv_read(&format, text.data, text.len, true, &again, &fault) == CSV_RECORD);
    CHECK(again.len == text.len && again.count == record.count);
    for (size_t i = 0; i < record.count; i++) {
        buf_reset(&value);
        buf_reset(&other);
        csv_append_value(&record.fields[i], &value);
        csv_append_value(&again.fields[i], &other);
        CHECK(value.len == other.len && memcmp(buf_text(&value), buf_text(&other), value.len) == 0);
    }
    buf_clear(&text);
    buf_clear(&value);
    buf_clear(&other);
}

static void read_text(const struct csv_format *format, const char *text, size_t len)
{
    while (len > 0) {
        struct csv_fault fault = {0};
        const enum csv_result result = csv_read(format, text, len, true, &record, &fault);
        CHECK(result != CSV_MORE);
        if (result == CSV_BAD) {
            CHECK(fault.at <= len && fault.what != NULL && fault.what[0] != '\0');
            check_pieces(format, text, result, &fault);
            return;
        }
        check_record(text, len, format);
        check_pieces(format, text, result, &fault);
        check_round_trip(format->delimiter);
        text += record.len;
        len -= record.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct csv_format formats[] = {{',', true}, {'\t', true}, {'\t', false}};

    if (size > 4096) /* check_pieces reads each text as often as it has bytes */
        return 0;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        read_text(&formats[i], (const char *)data, size);
    return 0;
}
