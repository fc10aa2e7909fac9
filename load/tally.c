#include "load/tally.h"

#include "common/json.h"

#include <stdio.h>

int tally_name(struct tally *t, const struct api_answer *metadata, const char *db)
{
    struct json_object *body = NULL;
    struct err e = ERR_INIT;
    const char *name = NULL;
    const char *suffix = NULL;

    if (metadata->result != API_ANSWERED || metadata->status != 200 || json_read(metadata->body, metadata->len, &body, &e) != 0)
        return -1;
    while (t->count < TALLY_MAX_SHARDS && answer_worker(body, t->count, &name, &suffix)) {
        struct tally_shard *s = &t->shards[t->count++];
        snprintf(s->worker, sizeof s->worker, "%s", name);
        snprintf(s->database, sizeof s->database, "%s%s", db, suffix);
    }
    json_free(body);
    return t->count > 0 ? 0 : -1;
}

void tally_add(struct tally *t, const struct answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct answer_shard *s = &a->shards[i];
        if (s->shard < t->count)
            t->shards[s->shard].rows += s->rows;
        t->rows += s->rows;
    }
}
