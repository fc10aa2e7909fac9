#include "fcgi-master/spread.h"

#include "fcgi-master/router.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void spread_clear(struct spread *sp)
{
    for (size_t i = 0; sp->bodies != NULL && i < sp->shards; i++)
        buf_clear(&sp->bodies[i]);
    free(sp->bodies);
    free(sp->row_shards);
    *sp = (struct spread){0};
}

static int route_row(const struct table *t, const struct spread_target *target, const struct json_object *row, size_t i,
                     size_t shards, size_t *shard, struct err *e)
{
    struct router_key key;
    char name[32];
    snprintf(name, sizeof name, "data[%zu]", i);
    router_key_init(&key);
    int rc = table_check_row(t, row, e) != 0 ? err_prefix(e, "%s", name)
                                             : router_row(t, shards, row, name, target->shard_key, &key, e);
    *shard = key.shard;
    router_key_clear(&key);
    return rc;
}

/* {"db_name":…,"table":…,"data":[…]} for each shard that has rows */
static int write_bodies(struct spread *sp, const struct spread_target *target, const struct json_object *data, struct err *e)
{
    sp->bodies = calloc(sp->shards, sizeof *sp->bodies);
    if (sp->bodies == NULL)
        return err_set(e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < sp->shards; i++)
        buf_init(&sp->bodies[i], SIZE_MAX / 2); /* together about as long as the client's body */
    for (size_t i = 0; i < sp->rows; i++) {
        struct buf *b = &sp->bodies[sp->row_shards[i]];
        if (b->len == 0) {
            buf_append_text(b, "{\"db_name\":");
            json_write_text(b, target->db);
            buf_append_text(b, ",\"table\":");
            json_write_text(b, target->table);
            buf_append_text(b, ",\"data\":[");
        } else {
            buf_append_char(b, ',');
        }
        json_write_value(b, json_array_at(data, i));
    }
    int rc = 0;
    for (size_t i = 0; i < sp->shards; i++) {
        if (sp->bodies[i].len > 0)
            buf_append_text(&sp->bodies[i], "]}");
        if (buf_status(&sp->bodies[i]) != 0)
            rc = err_set(e, ERR_INTERNAL, "out of memory");
    }
    return rc;
}

int spread_rows(struct spread *sp, const struct table *t, const struct spread_target *target, const struct json_object *data,
                size_t shards, struct shardset *set, struct err *e)
{
    *sp = (struct spread){.rows = json_array_length(data), .shards = shards};
    sp->row_shards = calloc(sp->rows, sizeof *sp->row_shards);
    if (sp->row_shards == NULL)
        return err_set(e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < sp->rows; i++) {
        if (route_row(t, target, json_array_at(data, i), i, shards, &sp->row_shards[i], e) != 0)
            return -1;
        shardset_add(set, sp->row_shards[i]);
    }
    return shardset_count(set) == 1 ? 0 : write_bodies(sp, target, data, e);
}

const struct buf *spread_body(const struct spread *sp, size_t shard)
{
    return sp->bodies != NULL ? &sp->bodies[shard] : NULL;
}

size_t spread_place(const struct spread *sp, size_t shard, size_t index)
{
    for (size_t i = 0; i < sp->rows; i++) {
        if (sp->row_shards[i] == shard && index-- == 0)
            return i;
    }
    return sp->rows;
}
