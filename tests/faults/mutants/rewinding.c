/* A master whose libcurl has the whole body, and so sends it again by itself when a kept connection turns out to be dead. */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

#undef curl_easy_setopt /* a macro that checks types */

CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

static _Thread_local curl_read_callback read_body; /* its argument is the handle's private one, too */
static _Thread_local curl_off_t length;

/* Reads all of the body, and lets libcurl keep a copy. */
static CURLcode copy_body(CURL *easy)
{
    char *body = malloc((size_t)length + 1);
    void *call = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (body != NULL && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK
        && read_body(body, 1, (size_t)length, call) == (size_t)length)
        code = __real_curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
    free(body);
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
    } else if (option == CURLOPT_POSTFIELDSIZE_LARGE) {
        length = va_arg(arguments, curl_off_t);
        code = __real_curl_easy_setopt(easy, option, length);
    } else if (option == CURLOPT_POSTFIELDS) {
        char *body = va_arg(arguments, char *);
        code = body == NULL ? copy_body(easy) : __real_curl_easy_setopt(easy, option, body);
    } else if (option < CURLOPTTYPE_OBJECTPOINT) {
        code = __real_curl_easy_setopt(easy, option, va_arg(arguments, long));
    } else {
        code = __real_curl_easy_setopt(easy, option, va_arg(arguments, void *));
    }
    va_end(arguments);
    return code;
}
