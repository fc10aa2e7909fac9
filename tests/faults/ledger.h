/* Work for a database, and the book of what was acknowledged of it, to be compared with what is there after a fault.
 *
 * Several writers work in one database, each on rows of its own. Everything a writer does is a change from one state to
 * the next: autocommit statements of one row and of several, prepared or not, and transactions that move amounts, insert
 * rows together or are rolled back. So what is there must be the state after the last acknowledged change, or, when the
 * last one was not answered, that or the one after it: never less, never more, never a part.
 */
#ifndef SHARDGATE_TESTS_LEDGER_H
#define SHARDGATE_TESTS_LEDGER_H

#include "tests/faults/client.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_ITEMS 200   /* rows of a writer */
#define LEDGER_ACCOUNTS 4  /* of a writer */
#define LEDGER_AMOUNT 1000 /* what each account begins with */

struct ledger_state {
    int version[LEDGER_ITEMS]; /* 0: the row is not there */
    int64_t amount[LEDGER_ACCOUNTS];
};

struct ledger {
    int writer;
    uint64_t random;
    int32_t insert;   /* the session's prepared statement; 0: none yet */
    int next_version; /* of a row that is written */
    struct ledger_state acknowledged;
    struct ledger_state attempted; /* what the change under way leads to */
    bool unanswered;               /* the last change was not acknowledged */
    int changes;                   /* that were acknowledged */
};

/* Makes the tables and the accounts of writers 0 to `writers` - 1. */
bool ledger_create(struct client *c, int writers);

void ledger_init(struct ledger *l, int writer, uint64_t seed);

/* Makes one change. true: acknowledged. Else `c` has the error, and a transaction may be open. */
bool ledger_change(struct ledger *l, struct client *c);
/* The writer has another session now. */
void ledger_new_session(struct ledger *l);

/* After an error that the database survived: nothing of the change may be left. */
void ledger_give_up(struct ledger *l);

struct ledger_losses {
    int missing; /* rows and accounts that are not as they were acknowledged, nor as the unanswered change leaves them */
    int torn;    /* writers whose unanswered change is there in part */
    int broken;  /* writers whose rows could not be read or are none of ours */
};

/* After a fault that a client survived: looks which of the two states is there and goes on from it, as clients do. false:
 * it could not be read. What is lost counts in `losses`. */
bool ledger_settle(struct ledger *l, struct client *c, struct ledger_losses *losses);

/* Compares, and adds to `losses`. */
void ledger_compare(const struct ledger *l, struct client *c, struct ledger_losses *losses);

#endif
