#include "fcgi-master/batch.h"

#include "fcgi-master/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void batch_init(struct batch *b)
{
    *b = (struct batch){0};
    buf_init(&b->text, SIZE_MAX / 2); /* full at BATCH_MAX_BYTES; what a line may have limits the last one */
}

void batch_clear(struct batch *b)
{
    buf_clear(&b->text);
    free(b->places);
    b->places = NULL;
    b->rows = b->room = 0;
}

void batch_reset(struct batch *b)
{
    if (b->text.cap > 2 * BATCH_MAX_BYTES) /* one long row would stay for ever */
        buf_clear(&b->text);
    buf_reset(&b->text);
    b->rows = 0;
}

int batch_add(struct batch *b, const char *text, size_t len, struct batch_place place)
{
    if (b->rows == b->room) {
        size_t room = b->room == 0 ? 64 : b->room * 2;
        struct batch_place *grown = reallocarray(b->places, room, sizeof *grown);
        if (grown == NULL)
            return -1;
        b->places = grown;
        b->room = room;
    }
    b->places[b->rows++] = place;
    buf_append(&b->text, text, len);
    buf_append_char(&b->text, '\n');
    return buf_status(&b->text);
}

bool batch_is_full(const struct batch *b)
{
    return b->rows >= BATCH_MAX_ROWS || b->text.len >= BATCH_MAX_BYTES;
}

bool batch_has_room(const struct batch *b, size_t len, size_t max)
{
    return b->text.len < max && len < max - b->text.len;
}

void batch_rename(const struct batch *b, struct err *e)
{
    size_t index = 0;
    char name[64];
    const char *rest = merge_row_index(e->detail, &index);
    if (rest == NULL || index >= b->rows)
        return;
    snprintf(name, sizeof name, "line %" PRIu64 " (row %" PRIu64 ")", b->places[index].line, b->places[index].row);
    merge_rename_row(e, rest, name);
}
