#include <config.h>

#include "load/api.h"

#include "common/buf.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct api {
    CURL *easy;
    char url[API_MAX_URL]; /* without a slash at its end */
    bool (*tick)(void *arg);
    void *arg;
    struct curl_slist *headers; /* of the request under way */
    const char *body;           /* of the request; NULL: a GET */
    size_t len;
    size_t sent;                /* bytes of it that libcurl took */
    struct buf answer;
    char error[CURL_ERROR_SIZE];
};

static bool has_scheme(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

int api_open(struct api **out, const char *url, bool (*tick)(void *arg), void *arg, char detail[API_MAX_DETAIL])
{
    size_t len = strlen(url);

    *out = NULL;
    while (len > 0 && url[len - 1] == '/')
        len--;
    if (len >= API_MAX_URL || !has_scheme(url)) {
        snprintf(detail, API_MAX_DETAIL, "http://host:port is expected");
        return -1;
    }
    struct api *a = calloc(1, sizeof *a);
    if (a == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (a->easy = curl_easy_init()) == NULL) {
        snprintf(detail, API_MAX_DETAIL, "out of memory");
        free(a);
        return -1;
    }
    memcpy(a->url, url, len);
    a->tick = tick;
    a->arg = arg;
    buf_init(&a->answer, API_MAX_ANSWER);
    *out = a;
    return 0;
}

void api_close(struct api *a)
{
    if (a == NULL)
        return;
    curl_easy_cleanup(a->easy);
    curl_global_cleanup();
    buf_clear(&a->answer);
    free(a);
}

/* libcurl's callbacks. */

static size_t read_body(char *to, size_t size, size_t count, void *arg)
{
    struct api *a = arg;
    size_t n = a->len - a->sent;
    if (n > size * count)
        n = size * count;
    if (n > 0)
        memcpy(to, a->body + a->sent, n);
    a->sent += n;
    return n;
}

static size_t write_answer(char *from, size_t size, size_t count, void *arg)
{
    struct api *a = arg;
    buf_append(&a->answer, from, size * count);
    return buf_status(&a->answer) == 0 ? size * count : 0;
}

static int ask_tick(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    const struct api *a = arg;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return a->tick != NULL && a->tick(a->arg);
}

static int add_header(struct api *a, const char *line)
{
    struct curl_slist *longer = curl_slist_append(a->headers, line);
    if (longer == NULL)
        return -1;
    a->headers = longer;
    return 0;
}

static int set_headers(struct api *a, const char *content_type)
{
    char line[128];

    if (content_type == NULL)
        return 0;
    snprintf(line, sizeof line, "Content-Type: %s", content_type);
    /* An empty Expect keeps libcurl from waiting for a "100 Continue" before it sends a long body. */
    return add_header(a, "Expect:") == 0 ? add_header(a, line) : -1;
}

static void set_options(struct api *a, const char *path)
{
    char url[API_MAX_URL + API_MAX_PATH];
    CURL *e = a->easy;

    snprintf(url, sizeof url, "%s%s", a->url, path);
    curl_easy_reset(e); /* keeps the connection */
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, a->error);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, a->headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_answer);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, a);
    if (a->body != NULL) {
        /* A body from a callback, and no seek function: libcurl cannot rewind it, and so cannot send it again by itself
         * when a kept connection turns out to be dead (it ends with error 65 then). Rows must not be written twice. */
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body);
        curl_easy_setopt(e, CURLOPT_READDATA, a);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->len);
    }
    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, ask_tick);
    curl_easy_setopt(e, CURLOPT_XFERINFODATA, a);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)API_CONNECT_S);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)API_TIMEOUT_S);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(e, CURLOPT_USERAGENT, PACKAGE_NAME "-load/" PACKAGE_VERSION);
}

static void fail(struct api *a, enum api_result result, const char *why, struct api_answer *out)
{
    out->result = result;
    snprintf(out->detail, sizeof out->detail, "%.240s: %s", a->url, why);
}

static void perform(struct api *a, const char *path, const char *content_type, struct api_answer *out)
{
    *out = (struct api_answer){.body = ""};
    a->sent = 0;
    a->error[0] = '\0';
    buf_reset(&a->answer);
    if (set_headers(a, content_type) != 0) {
        fail(a, API_NOT_SENT, "out of memory", out);
        goto out;
    }
    set_options(a, path);
    const CURLcode code = curl_easy_perform(a->easy);
    long request_bytes = 0, status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(a->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(a->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (code != CURLE_OK) {
        const bool unsent = request_bytes == 0 && a->sent == 0;
        const char *why = a->error[0] != '\0' ? a->error : curl_easy_strerror(code);
        fail(a, unsent ? API_NOT_SENT : API_NO_ANSWER, code == CURLE_ABORTED_BY_CALLBACK ? "given up" : why, out);
        goto out;
    }
    out->result = API_ANSWERED;
    out->status = (int)status;
    out->retry_after_s = retry_after > 0 && retry_after < 3600 ? (int)retry_after : 0;
    out->body = buf_text(&a->answer);
    out->len = a->answer.len;
out:
    curl_slist_free_all(a->headers);
    a->headers = NULL;
}

void api_get(struct api *a, const char *path, struct api_answer *out)
{
    a->body = NULL;
    perform(a, path, NULL, out);
}

void api_post(struct api *a, const char *path, const char *content_type, const char *body, size_t len, struct api_answer *out)
{
    a->body = body;
    a->len = len;
    perform(a, path, content_type, out);
}
