#include "load/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHOWN_MAX 4096

/* A whole text as its records: fields between |, records ended by $, quoted fields in ', then "!at what" for a fault. */
struct row {
    const char *text;
    const char *shown;
    char delimiter; /* 0: a comma */
    bool no_quotes;
};

#define ROW(in, out, ...) {.text = in, .shown = out, ##__VA_ARGS__}
static const struct row rows[] = {
    ROW("a,b\n", "a|b$"),
    ROW("a,b", "a|b$"),
    ROW("a,b\r\nc,d\r\n", "a|b$c|d$"),
    ROW("a\nb\n", "a$b$"),
    ROW(",\n", "|$"),
    ROW("\n", "$"),
    ROW("\n\na", "$$a$"),
    ROW("\"a\"\n", "'a'$"),
    ROW("\"a,b\",c\n", "'a,b'|c$"),
    ROW("\"\"\n", "''$"),
    ROW("\"\",\"\"", "''|''$"),
    ROW("\"a\"\"b\"\n", "'a\"b'$"),
    ROW("\"\"\"\"\n", "'\"'$"),
    ROW("\"\"\"a\"\"\"\n", "'\"a\"'$"),
    ROW("\"a\nb\"\nc\n", "'a\nb'$c$"),
    ROW("\"a\r\nb\",c\r\n", "'a\r\nb'|c$"),
    ROW("\"a\rb\"\n", "'a\rb'$"),
    ROW("a b , c \n", "a b | c $"),
    ROW("a;b\n", "a|b$", .delimiter = ';'),
    ROW("a\tb\n", "a|b$", .delimiter = '\t'),
    ROW("\"a\"\tb\"\n", "\"a\"|b\"$", .delimiter = '\t', .no_quotes = true),
    ROW("\"a\n", "\"a$", .no_quotes = true),
    ROW("caf\xC3\xA9,\xF0\x9F\x98\x80\n", "caf\xC3\xA9|\xF0\x9F\x98\x80$"),
    /* Faults. */
    ROW("a\"b\n", "!1 a quote inside a field that does not begin with one; write the field in quotes, and \"\" for each quote in it"),
    ROW("a,b\"\n", "!3 a quote inside a field that does not begin with one; write the field in quotes, and \"\" for each quote in it"),
    ROW("x\n\"a\"b\n", "x$!3 a closed quote must be followed by a delimiter or the line's end"),
    ROW("\"a\" ,b\n", "!3 a closed quote must be followed by a delimiter or the line's end"),
    ROW("a,\"b\n", "!2 the quote that opens here is never closed"),
    ROW("\"", "!0 the quote that opens here is never closed"),
    ROW("\"a\"\"", "!0 the quote that opens here is never closed"),
    ROW("a\rb\n", "!1 a carriage return without a line feed behind it"),
    ROW("a\r", "!1 a carriage return without a line feed behind it"),
    ROW("a,\xFF\n", "!2 this byte is not valid UTF-8"),
    ROW("a\n\"\xC3\"\n", "a$!1 this byte is not valid UTF-8"),
    ROW("\xED\xA0\x80\n", "!0 this byte is not valid UTF-8"),
    ROW("\xC3", "!0 this byte is not valid UTF-8"),
};

static struct csv_format format_of(const struct row *row)
{
    return (struct csv_format){.delimiter = row->delimiter != 0 ? row->delimiter : ',', .quotes = !row->no_quotes};
}

static void show_record(const struct csv_record *record, struct buf *out)
{
    for (size_t i = 0; i < record->count; i++) {
        buf_append_text(out, i > 0 ? "|" : "");
        buf_append_text(out, record->fields[i].quoted ? "'" : "");
        csv_append_value(&record->fields[i], out);
        buf_append_text(out, record->fields[i].quoted ? "'" : "");
    }
    buf_append_char(out, '$');
}

/* Reads all records, out of texts of exactly the bytes that are known, so that a sanitizer sees what is read behind them. At
 * first only `first` bytes of the text are known, then one more at a time. */
static void read_all(const struct row *row, size_t first, struct buf *out)
{
    static struct csv_record record;
    const struct csv_format format = format_of(row);
    const size_t whole = strlen(row->text);
    struct csv_fault fault;
    size_t at = 0, known = first;

    while (at < whole) {
        if (known <= at) {
            known++;
            continue;
        }
        char *text = malloc(known - at);
        assert_non_null(text);
        memcpy(text, row->text + at, known - at);
        const enum csv_result result = csv_read(&format, text, known - at, known == whole, &record, &fault);
        if (result == CSV_RECORD) {
            assert_true(record.len > 0 && record.len <= known - at);
            size_t lines = 0;
            for (size_t i = 0; i < record.len; i++)
                lines += text[i] == '\n';
            assert_int_equal(lines, record.lines);
            show_record(&record, out);
            at += record.len;
        } else if (result == CSV_BAD) {
            buf_printf(out, "!%zu %s", fault.at, fault.what);
            at = whole;
        } else {
            assert_int_equal(result, CSV_MORE);
            assert_true(known < whole);
            known++;
        }
        free(text);
    }
}

static void reads_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf shown;
        buf_init(&shown, SHOWN_MAX);
        read_all(&rows[i], strlen(rows[i].text), &shown);
        assert_string_equal(buf_text(&shown), rows[i].shown);
        buf_clear(&shown);
    }
}

static void does_not_care_where_pieces_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t first = 1; first < strlen(rows[i].text); first++) {
            struct buf shown;
            buf_init(&shown, SHOWN_MAX);
            read_all(&rows[i], first, &shown);
            assert_string_equal(buf_text(&shown), rows[i].shown);
            buf_clear(&shown);
        }
    }
}

/* A text of `len` bytes of `c`, with `head` before and `tail` behind them, is shown; `last` as given. */
static enum csv_result read_long(const char *head, char c, size_t len, const char *tail, bool last, struct csv_fault *fault)
{
    static const struct csv_format format = {.delimiter = ',', .quotes = true};
    static struct csv_record record;
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    buf_append_text(&text, head);
    buf_append_fill(&text, c, len);
    buf_append_text(&text, tail);
    assert_int_equal(buf_status(&text), 0);
    const enum csv_result result = csv_read(&format, text.data, text.len, last, &record, fault);
    buf_clear(&text);
    return result;
}

static void has_limits(void **state)
{
    struct csv_fault fault;

    (void)state;
    assert_int_equal(read_long("", 'x', CSV_MAX_FIELD, "\n", true, &fault), CSV_RECORD);
    assert_int_equal(read_long("\"", 'x', CSV_MAX_FIELD, "\"\n", true, &fault), CSV_RECORD);
    assert_int_equal(read_long("a,", 'x', CSV_MAX_FIELD + 1, "\n", true, &fault), CSV_BAD);
    assert_int_equal(fault.at, 2);
    assert_string_equal(fault.what, "a field longer than 8 MiB begins here");
    assert_int_equal(read_long("a,\"", 'x', CSV_MAX_FIELD + 1, "", false, &fault), CSV_BAD);
    assert_int_equal(fault.at, 2);
    assert_string_equal(fault.what, "a field longer than 8 MiB begins here; is its quote closed?");
    assert_int_equal(read_long("", ',', CSV_MAX_FIELDS - 1, "\n", true, &fault), CSV_RECORD);
    assert_int_equal(read_long("", ',', CSV_MAX_FIELDS, "\n", true, &fault), CSV_BAD);
    assert_string_equal(fault.what, "this row has more than 1024 fields");
}

/* Nothing makes a reader keep more and more text. */
static void never_asks_for_more_than_a_record(void **state)
{
    static const struct csv_format format = {.delimiter = ',', .quotes = true};
    static struct csv_record record;
    struct csv_fault fault;
    struct buf text;

    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    for (int i = 0; i < 3; i++) {
        buf_append_fill(&text, 'x', CSV_MAX_FIELD - 1);
        buf_append_char(&text, ',');
    }
    assert_int_equal(csv_read(&format, text.data, CSV_MAX_RECORD - 1, false, &record, &fault), CSV_MORE);
    assert_int_equal(csv_read(&format, text.data, text.len, false, &record, &fault), CSV_BAD);
    assert_string_equal(fault.what, "this row is longer than 16 MiB");
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_records),
        cmocka_unit_test(does_not_care_where_pieces_end),
        cmocka_unit_test(has_limits),
        cmocka_unit_test(never_asks_for_more_than_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
