/* What the launcher says to whoever started it: progress on standard output, trouble on standard error. */
#ifndef SHARDGATE_SAY_H
#define SHARDGATE_SAY_H

/* "shardgate: …" on standard output. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One step of the start: "  tds-server go      127.0.0.1:14331   up". */
void say_step(const char *what, const char *where, const char *outcome);

/* "shardgate: …" on standard error. Returns -1, always, so that a function that fails can return it. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The formatted text, which the caller frees; ends the program when memory runs out, as the launcher can do nothing then. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
