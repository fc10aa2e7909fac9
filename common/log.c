#include "common/log.h"

#include "common/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};
#define LEVELS (sizeof level_names / sizeof level_names[0])

/* Both are set once, before any thread starts. */
static const char *program_name = "shardgate";
static enum log_level threshold = LOG_LEVEL_INFO;

/* Copies text into out (of `room` bytes, no NUL) and returns the length; what would not fit is left out. Control
 * characters (C0, DEL, C1), line separators and malformed bytes become \n or \xNN. */
static size_t escape(const char *text, char *out, size_t room)
{
    size_t left = strlen(text), len = 0;
    while (left > 0) {
        uint32_t cp = 0;
        size_t n = utf8_decode(text, left, &cp);
        char escaped[8] = "";
        const char *piece = text;
        size_t piece_len = n;
        if (n == 0 || cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x2028 || cp == 0x2029) {
            n = 1;
            piece = escaped;
            piece_len = (size_t)(*text == '\n' ? snprintf(escaped, sizeof escaped, "\\n")
                                               : snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*text));
        }
        if (piece_len > room - len) {
            break;
        }
        memcpy(out + len, piece, piece_len);
        len += piece_len;
        text += n;
        left -= n;
    }
    return len;
}

static void write_line(enum log_level level, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void write_line(enum log_level level, const char *format, va_list args)
{
    if (level > threshold) {
        return;
    }
    int saved = errno; /* callers log in the middle of handling errno */
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);

    char line[LOG_LINE_MAX];
    char when[32];
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    int head = snprintf(line, sizeof line, "%s.%03ldZ %.64s %s: ", when, now.tv_nsec / 1000000, program_name,
                        level_names[level]);
    size_t len = head > 0 ? (size_t)head : 0;

    char text[LOG_LINE_MAX] = "";
    errno = saved; /* for %m */
    vsnprintf(text, sizeof text, format, args);
    len += escape(text, line + len, sizeof line - len - 1);
    line[len++] = '\n';

    /* One write a line: lines of several threads and processes do not mix. There is nobody to tell of a failure. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
    errno = saved;
}

void log_open(const char *program)
{
    program_name = program;
    threshold = LOG_LEVEL_INFO;
    const char *wanted = getenv("SHARDGATE_LOG");
    if (!wanted || !*wanted) {
        return;
    }
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(wanted, level_names[i]) == 0) {
            threshold = (enum log_level)i;
            return;
        }
    }
    log_warning("SHARDGATE_LOG=%s is none of error, warning, info, debug; info is used", wanted);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}
