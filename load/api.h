/* Requests to the API, one after another over one kept connection. The one home of libcurl in this program.
 *
 * Knows nothing about rows or what answers mean. A request is sent once: libcurl is kept from sending it again by itself.
 */
#ifndef SHARDGATE_API_H
#define SHARDGATE_API_H

#include <stdbool.h>
#include <stddef.h>

#define API_CONNECT_S 10
#define API_TIMEOUT_S 600              /* of one request: a backstop far behind the gateway's own deadline */
#define API_MAX_ANSWER ((size_t)4 << 20) /* bytes */
#define API_MAX_URL 1024
#define API_MAX_PATH 2048
#define API_MAX_DETAIL 512

struct api;

enum api_result {
    API_ANSWERED,
    API_NOT_SENT,  /* no byte of the request went out */
    API_NO_ANSWER, /* something went out, and no whole answer came back */
};

struct api_answer {
    enum api_result result;
    int status;               /* HTTP status of API_ANSWERED */
    int retry_after_s;        /* 0 without the header */
    const char *body;         /* of API_ANSWERED; lives until the next request */
    size_t len;
    char detail[API_MAX_DETAIL]; /* why there is no answer */
};

/* `url` is http://host:port or https://…, with or without a path. `tick` (may be NULL) is called with `arg` about once a
 * second or more often while a request is under way, and ends it by returning true. 0; -1 for a URL that is none, with a message in
 * `detail`. */
int api_open(struct api **out, const char *url, bool (*tick)(void *arg), void *arg, char detail[API_MAX_DETAIL])
    __attribute__((warn_unused_result));
void api_close(struct api *a);

/* `path` has its query behind it, and less than API_MAX_PATH bytes. */
void api_get(struct api *a, const char *path, struct api_answer *out);
void api_post(struct api *a, const char *path, const char *content_type, const char *body, size_t len, struct api_answer *out);

#endif
