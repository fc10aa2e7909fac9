/* A worker that leaves the key out on the way to its ledger. */
#include "common/http.h"

#include <stddef.h>
#include <string.h>

const char *__real_http_header(const struct http *h, const char *name);
const char *__wrap_http_header(const struct http *h, const char *name);

const char *__wrap_http_header(const struct http *h, const char *name)
{
    return strcmp(name, "Idempotency-Key") == 0 ? NULL : __real_http_header(h, name);
}
