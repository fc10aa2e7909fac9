/* One line a message on standard error: time, program, level, text. Control characters in the text are escaped, so that
 * no client can forge a line. Knows nothing about who reads it. Safe from any thread. */
#ifndef SHARDGATE_LOG_H
#define SHARDGATE_LOG_H

#define LOG_LINE_MAX 4096 /* bytes of a line, the newline included; longer texts are cut */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Names the program in each line ("worker go"). `program` must live as long as the process. The level is INFO, or what
 * SHARDGATE_LOG says (error, warning, info, debug). */
void log_open(const char *program);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
