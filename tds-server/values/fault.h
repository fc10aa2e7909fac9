/* SQL Server's errors: one table of numbers, severities and texts, and the fault that a statement ends with.
 *
 * Knows nothing about how a message reaches a client. Fallible functions of the engine take a `struct fault *`, fill it
 * in and return -1. The first fault stays: fault_set() on a fault that is set already changes nothing.
 */
#ifndef SHARDGATE_TDS_FAULT_H
#define SHARDGATE_TDS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#define FAULT_MAX_TEXT 2048 /* bytes, the NUL included, as SQL Server's limit for a message */

struct fault {
    int number; /* 0: none */
    int severity;
    int state;
    int line; /* 0: the statement's */
    char text[FAULT_MAX_TEXT];
};

/* What an error does beyond its statement, with XACT_ABORT off. */
enum fault_effect {
    FAULT_ENDS_STATEMENT, /* the batch goes on */
    FAULT_ENDS_BATCH,     /* a statement that could not be compiled: the transaction stays open */
    FAULT_ROLLS_BACK      /* the batch ends and the transaction is rolled back */
};

/* Not SQL Server's own: what this server does not do. "%s is not supported by this server." */
#define FAULT_UNSUPPORTED 40517
/* Memory ran out (701), and an error of our own that should not happen (8630, severity 17). */
#define FAULT_MEMORY 701
#define FAULT_INTERNAL 8630
#define FAULT_CANCELLED (-1) /* the client's attention: no message is sent */

/* Sets number and text; the arguments fill the text's %s (const char *) and %d (int) in their order. Long strings are cut
 * at a character's end. Returns -1, always. */
int fault_set(struct fault *f, int number, ...);

/* The same with a text of the caller's (RAISERROR, the parser's errors). */
int fault_set_text(struct fault *f, int number, int severity, int state, int line, const char *text);

void fault_clear(struct fault *f);

enum fault_effect fault_effect(const struct fault *f);

#endif
