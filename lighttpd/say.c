#include <config.h>

#include "lighttpd/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void say(const char *format, ...)
{
    va_list args;

    fputs("shardgate: ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void say_step(const char *what, const char *where, const char *outcome)
{
    printf("  %-24s %-21s %s\n", what, where, outcome);
    fflush(stdout);
}

int complain(const char *format, ...)
{
    va_list args;

    fputs("shardgate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return -1;
}

char *text(const char *format, ...)
{
    va_list args;
    char *result;
    int len;

    va_start(args, format);
    len = vasprintf(&result, format, args);
    va_end(args);
    if (len < 0) {
        complain("out of memory");
        abort();
    }
    return result;
}
