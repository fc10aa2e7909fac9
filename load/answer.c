#include "load/answer.h"

#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WAIT_S 1
#define MAX_WAIT_S     30

static const char *text_member(const struct json_object *obj, const char *name)
{
    struct json_object *v = NULL;
    size_t len = 0;
    return json_kind(obj) == JSON_OBJECT && json_member(obj, name, &v) && json_kind(v) == JSON_STRING ? json_string(v, &len) : "";
}

/* false when it is not there or no count. */
static bool number_member(const struct json_object *obj, const char *name, uint64_t *out)
{
    struct json_object *v = NULL;
    size_t len = 0;
    char *end = NULL;
    if (json_kind(obj) != JSON_OBJECT || !json_member(obj, name, &v) || json_kind(v) != JSON_NUMBER)
        return false;
    const char *text = json_number(v, &len);
    *out = strtoull(text, &end, 10);
    return text[0] != '-' && *end == '\0';
}

static enum answer_outcome read_outcome(const struct json_object *obj)
{
    const char *text = text_member(obj, "outcome");
    if (strcmp(text, "applied") == 0)
        return ANSWER_APPLIED;
    return strcmp(text, "not_applied") == 0 ? ANSWER_NOT_APPLIED : ANSWER_UNKNOWN;
}

/* Elements of "shards" that name no shard, or rows that were written without their number, leave something unknown. */
static void read_shards(struct answer *a)
{
    struct json_object *list = NULL;
    if (!json_member(a->body, "shards", &list) || json_kind(list) != JSON_ARRAY)
        return;
    const size_t count = json_array_length(list);
    a->shards = calloc(count + 1, sizeof *a->shards);
    if (a->shards == NULL) {
        a->unknown = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct json_object *v = json_array_at(list, i);
        struct answer_shard *s = &a->shards[a->count];
        uint64_t shard = 0;
        if (!number_member(v, "shard", &shard)) {
            a->unknown = true;
            continue;
        }
        *s = (struct answer_shard){.shard = (size_t)shard,
                                   .worker = text_member(v, "worker"),
                                   .database = text_member(v, "database"),
                                   .detail = text_member(v, "detail"),
                                   .outcome = read_outcome(v)};
        const bool counted = number_member(v, "rows_affected", &s->rows);
        if (s->outcome == ANSWER_UNKNOWN || (s->outcome == ANSWER_APPLIED && !counted))
            a->unknown = true;
        a->rows += s->rows;
        a->count++;
    }
}

/* The number behind `name` and before `end_name`: what is behind both, or NULL when the text is another. */
static const char *read_number(const char *text, const char *name, const char *end_name, uint64_t *out)
{
    char *end = NULL;
    if (strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] < '0' || text[strlen(name)] > '9')
        return NULL;
    *out = strtoull(text + strlen(name), &end, 10);
    return strncmp(end, end_name, strlen(end_name)) == 0 ? end + strlen(end_name) : NULL;
}

/* "line 18 (row 17): column …", as the worker's word perhaps, "worker go: line …": *row becomes the row's number, counted from 0,
 * and what is left of the text is written without its name. The lines are the request's, which nobody has seen. */
static void read_detail(const char *text, char out[ANSWER_MAX_DETAIL], size_t *row)
{
    const char *place = text;
    uint64_t line = 0, number = 0;

    *row = ANSWER_NO_ROW;
    if (strncmp(text, "worker ", 7) == 0 && strstr(text, ": ") != NULL)
        place = strstr(text, ": ") + 2;
    const char *behind = read_number(place, "line ", " (row ", &line);
    if (behind != NULL)
        behind = read_number(behind, "", "): ", &number);
    if (behind != NULL && number < SIZE_MAX)
        *row = (size_t)number;
    snprintf(out, ANSWER_MAX_DETAIL, "%.*s%s", behind != NULL ? (int)(place - text) : 0, text, behind != NULL ? behind : text);
}

static void read_problem(const struct api_answer *from, struct answer *a)
{
    const enum answer_outcome outcome = read_outcome(a->body);
    read_detail(text_member(a->body, "detail"), a->detail, &a->bad_row);
    snprintf(a->code, sizeof a->code, "%d %s", from->status, text_member(a->body, "code"));
    snprintf(a->request_id, sizeof a->request_id, "%s", text_member(a->body, "request_id"));
    if (outcome == ANSWER_UNKNOWN || (outcome == ANSWER_APPLIED && a->rows == 0))
        a->unknown = true;
    a->again = outcome == ANSWER_NOT_APPLIED && !a->unknown && a->rows == 0 && strcmp(text_member(a->body, "retry"), "after") == 0;
    a->wait_s = from->retry_after_s;
}

static void read_success(const struct api_answer *from, uint64_t rows, struct answer *a)
{
    if (from->status == 200 && strcmp(text_member(a->body, "status"), "ok") == 0 && a->rows == rows && !a->unknown) {
        a->loaded = true;
        return;
    }
    a->unknown = true;
    snprintf(a->detail, sizeof a->detail, "an answer that does not fit the request: status %d, %" PRIu64 " of %" PRIu64 " rows",
             from->status, a->rows, rows);
}

void answer_read(const struct api_answer *from, uint64_t rows, struct answer *out)
{
    struct err e = ERR_INIT;

    *out = (struct answer){.bad_row = ANSWER_NO_ROW};
    if (from->result != API_ANSWERED) {
        out->unknown = from->result == API_NO_ANSWER;
        out->again = from->result == API_NOT_SENT;
        snprintf(out->detail, sizeof out->detail, "%s", from->detail);
    } else if (json_read(from->body, from->len, &out->body, &e) != 0) {
        out->body = NULL;
        out->unknown = true;
        snprintf(out->detail, sizeof out->detail, "an answer with status %d that the gateway did not write", from->status);
    } else {
        read_shards(out);
        if (from->status >= 400)
            read_problem(from, out);
        else
            read_success(from, rows, out);
    }
    if (out->wait_s < DEFAULT_WAIT_S)
        out->wait_s = DEFAULT_WAIT_S;
    if (out->wait_s > MAX_WAIT_S)
        out->wait_s = MAX_WAIT_S;
}

void answer_clear(struct answer *a)
{
    free(a->shards);
    json_free(a->body);
    *a = (struct answer){0};
}

bool answer_worker(const struct json_object *metadata, size_t i, const char **name, const char **suffix)
{
    struct json_object *list = NULL;
    if (!json_member(metadata, "workers", &list) || json_kind(list) != JSON_ARRAY || i >= json_array_length(list))
        return false;
    *name = text_member(json_array_at(list, i), "name");
    *suffix = text_member(json_array_at(list, i), "suffix");
    return true;
}
