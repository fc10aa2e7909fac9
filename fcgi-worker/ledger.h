/* Which writes with an Idempotency-Key this shard has: what makes a repeat safe.
 *
 * A write notes its key in the transaction that holds it (the table gw_requests of the same database), so that either both
 * are there or none is. Whether a write whose answer was lost took effect is then a question that has an answer; and where
 * it did not, a fence is left behind, by which a late original fails.
 *
 *     ledger_open  →  (the write, with ledger_note())  →  on failure ledger_settle()  →  ledger_close
 *
 * Knows nothing about what the writes are.
 */
#ifndef SHARDGATE_WORKER_LEDGER_H
#define SHARDGATE_WORKER_LEDGER_H

#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_WAIT_MS 1000      /* how long a repeat waits for the first to end before it is 409 key_in_progress */
#define LEDGER_TICK_MS 5         /* by how much a fence's age may seem less than it is; no client repeats a request sooner */
#define LEDGER_MAX_DATABASES 256 /* databases whose ledger is known to be there; the others are asked each time */
#define LEDGER_PURGE_EVERY 256   /* writes between two steps of the purge, each of which takes STATEMENT_PURGE_ROWS keys away */

/* The process's: which keys are being worked on. Safe from any thread. */
struct ledger;
struct ledger *ledger_new(void); /* NULL when memory ran out */
void ledger_free(struct ledger *l);

/* One request's key. `key` is NULL for a request without one, of which all functions here think nothing. */
struct ledger_entry {
    struct request *r;
    const char *key;
    unsigned char hash[STATEMENT_HASH_BYTES];
    struct statement_note note;
    struct ledger_entry *next; /* of those that are worked on */
    bool listed;
};

/* Takes the request's Idempotency-Key, if it has one: waits while another request of this process works on the same key, and
 * makes the ledger where it is missing. 0, or -1 with the request's error set: ERR_BAD_FIELD for what is no key,
 * ERR_KEY_IN_PROGRESS. ledger_close() is due also after a failure. */
int ledger_open(struct ledger_entry *entry, struct request *r) __attribute__((warn_unused_result));
void ledger_close(struct ledger_entry *entry);

enum ledger_verdict {
    LEDGER_FAILED,  /* the request's error stands; its outcome may have become certain */
    LEDGER_AGAIN,   /* it did not take effect and cannot any more: the write may be tried again */
    LEDGER_REPLAYED /* it is there already, and changed *rows rows */
};

/* What to make of a write that failed with r->error. */
enum ledger_verdict ledger_settle(struct ledger_entry *entry, int64_t *rows);

/* Takes some of the keys away that are old enough, once in a while. For after the answer. */
void ledger_tidy(struct request *r);

#endif
