/* CSV by RFC 4180: one record at a time, out of text that holds it whole.
 *
 * Knows nothing about files, columns' names or JSON. Nothing is copied: fields are slices of the text. Who reads a file
 * shows csv_read() what there is; while the end of the record is not in it, the answer is CSV_MORE, and the same place is
 * shown again with more behind it. So no state lives between calls, and it does not matter where a file's pieces end.
 *
 *   record := field { delimiter field } ( LF | CR LF | end of the text )
 *   field  := '"' { any byte but '"', or '""' } '"'  |  { any byte but '"', delimiter, CR, LF }
 */
#ifndef SHARDGATE_CSV_H
#define SHARDGATE_CSV_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_MAX_FIELDS 1024                  /* of a record: as many as SQL Server's tables have columns */
#define CSV_MAX_FIELD ((size_t)8 << 20)      /* bytes of a field as it stands in the text */
#define CSV_MAX_RECORD ((size_t)16 << 20)    /* bytes of a record; CSV_MORE is never the answer to that much text */

struct csv_format {
    char delimiter; /* ASCII; neither '"' (with quotes) nor CR nor LF */
    bool quotes;    /* false: '"' is a character like others, and a field ends at a delimiter or line end always */
};

struct csv_field {
    const char *text; /* without the quotes around it */
    size_t len;
    bool quoted;
    bool doubled; /* has '""' inside, which stand for '"' */
};

struct csv_record {
    size_t count;
    size_t len;   /* bytes of the text that the record takes, its line end included */
    size_t lines; /* line ends (LF) in them */
    struct csv_field fields[CSV_MAX_FIELDS];
};

struct csv_fault {
    size_t at;        /* byte of the text */
    const char *what; /* for a message behind "line 3, column 5: " */
};

enum csv_result { CSV_RECORD, CSV_MORE, CSV_BAD };

/* Reads the record at the start of `text`, of which `len` > 0 bytes are known; `last`: nothing follows them. CSV_RECORD fills
 * *record in, CSV_BAD *fault. Invalid UTF-8 is CSV_BAD; an empty line is a record of one empty field. */
enum csv_result csv_read(const struct csv_format *format, const char *text, size_t len, bool last, struct csv_record *record,
                         struct csv_fault *fault);

/* Appends what the field means: its text with each '""' as one '"'. */
void csv_append_value(const struct csv_field *field, struct buf *out);

#endif
