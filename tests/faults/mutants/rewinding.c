/* A master whose libcurl has the whole body, and so sends it again by itself when a kept connection turns out to be dead. */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

#undef curl_easy_setopt /* a macro that checks types */

CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

static _Thread_local curl_read_callback read_body;
static _Thread_local void *read_from;

/* Reads all of the body, and lets libcurl keep a copy. */
static CURLcode set_body(CURL *easy, curl_off_t len)
{
    char *body = malloc((size_t)len + 1);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (read_body == NULL) { /* libcurl has it already: it may be repeated */
        free(body);
        return __real_curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, len);
    }
    if (body != NULL && read_body(body, 1, (size_t)len, read_from) == (size_t)len) {
        __real_curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, len);
        code = __real_curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
    }
    free(body);
    read_body = NULL;
    return code;
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    CURLcode code;
    va_list arguments;

    va_start(arguments, option);
    if (option == CURLOPT_READFUNCTION) {
        read_body = va_arg(arguments, curl_read_callback);
        code = CURLE_OK;
    } else if (option == CURLOPT_READDATA) {
        read_from = va_arg(arguments, void *);
        code = CURLE_OK;
    } else if (option == CURLOPT_POSTFIELDSIZE_LARGE) {
        code = set_body(easy, va_arg(arguments, curl_off_t));
    } else if (option < CURLOPTTYPE_OBJECTPOINT) {
        code = __real_curl_easy_setopt(easy, option, va_arg(arguments, long));
    } else {
        code = __real_curl_easy_setopt(easy, option, va_arg(arguments, void *));
    }
    va_end(arguments);
    return code;
}
