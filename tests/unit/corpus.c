#include "tests/unit/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void corpus_open(struct corpus *c)
{
    *c = (struct corpus){.file = fopen(TEST_DATA "/injection.tsv", "r")};
    assert_non_null(c->file);
    assert_true(getline(&c->line, &c->size, c->file) > 0); /* the heading */
}

/* The text up to the next tab, which is overwritten. */
static char *take_field(char **at)
{
    char *field = strsep(at, "\t");
    assert_non_null(field);
    return field;
}

bool corpus_next(struct corpus *c)
{
    json_free(c->body);
    c->body = NULL;
    const ssize_t len = getline(&c->line, &c->size, c->file);
    if (len <= 0)
        return false;
    c->line[strcspn(c->line, "\n")] = '\0';

    char *at = c->line;
    c->id = atoi(take_field(&at));
    take_field(&at); /* category */
    c->field = take_field(&at);
    c->rejected = strcmp(take_field(&at), "reject") == 0;

    struct buf text;
    struct json_object *value;
    struct err e = ERR_INIT;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "{\"payload\":%s}", take_field(&at));
    assert_int_equal(buf_status(&text), 0);
    c->payload = NULL;
    if (json_read(buf_text(&text), text.len, &c->body, &e) == 0 && json_member(c->body, "payload", &value))
        c->payload = json_string(value, &c->len);
    buf_clear(&text);
    return true;
}

void corpus_close(struct corpus *c)
{
    json_free(c->body);
    free(c->line);
    fclose(c->file);
}
