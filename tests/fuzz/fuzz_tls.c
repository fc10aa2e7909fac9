/* A session with encryption offered: PRELOGIN, the handshake's records in packets, and what comes instead of them. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_serve(data, size, true);
    return 0;
}
