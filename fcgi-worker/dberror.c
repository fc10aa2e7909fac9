#include "fcgi-worker/dberror.h"

#include <string.h>

/* FreeTDS's own numbers (freetds/tds.h, enum of TDSE…): the driver gives them where the server would give its own. */
enum {
    CLIENT_FIRST = 20000,
    CLIENT_WRITE = 20006, /* "Write to the server failed" */
    CLIENT_CONNECT = 20009,
    CLIENT_LAST = 20999
};

#define LOG_UNAVAILABLE 9001 /* the server could not bring its log to the disk: a commit may be there after a restart, or not */

static const struct {
    int number;
    enum err_code code;
} numbers[] = {
    {102, ERR_INTERNAL},              /* syntax: a bug of ours, for no byte of the client is in the text */
    {156, ERR_INTERNAL},
    {105, ERR_INTERNAL},
    {137, ERR_INTERNAL},
    {8179, ERR_INTERNAL},
    {8180, ERR_INTERNAL},
    {206, ERR_BAD_VALUE},             /* operand type clash */
    {220, ERR_BAD_VALUE},             /* arithmetic overflow */
    {232, ERR_BAD_VALUE},             /* overflow of REAL and FLOAT */
    {234, ERR_BAD_VALUE},             /* of MONEY */
    {235, ERR_BAD_VALUE},             /* conversion to MONEY */
    {236, ERR_BAD_VALUE},
    {241, ERR_BAD_VALUE},             /* conversion to date and time */
    {242, ERR_BAD_VALUE},
    {244, ERR_BAD_VALUE},             /* overflow of small integers */
    {245, ERR_BAD_VALUE},             /* conversion */
    {246, ERR_BAD_VALUE},
    {248, ERR_BAD_VALUE},
    {249, ERR_BAD_VALUE},
    {257, ERR_BAD_VALUE},             /* no implicit conversion */
    {271, ERR_BAD_VALUE},             /* a computed column */
    {295, ERR_BAD_VALUE},
    {306, ERR_BAD_VALUE},             /* text cannot be compared */
    {402, ERR_BAD_VALUE},             /* types are incompatible in the operator */
    {515, ERR_BAD_VALUE},             /* NULL where none may be */
    {517, ERR_BAD_VALUE},
    {544, ERR_BAD_VALUE},             /* an identity column */
    {2628, ERR_BAD_VALUE},            /* truncation */
    {8102, ERR_BAD_VALUE},            /* update of an identity column */
    {8114, ERR_BAD_VALUE},            /* conversion */
    {8115, ERR_BAD_VALUE},            /* arithmetic overflow */
    {8116, ERR_BAD_VALUE},            /* the argument's type */
    {8117, ERR_BAD_VALUE},            /* the operand's type */
    {8134, ERR_BAD_VALUE},            /* division by zero */
    {8152, ERR_BAD_VALUE},            /* truncation */
    {8169, ERR_BAD_VALUE},            /* conversion to UNIQUEIDENTIFIER */
    {207, ERR_UNKNOWN_COLUMN},
    {208, ERR_NO_SUCH_TABLE},
    {3701, ERR_NO_SUCH_TABLE},        /* DROP of what does not exist; the caller knows what it dropped */
    {4902, ERR_NO_SUCH_TABLE},
    {911, ERR_NO_SUCH_DATABASE},
    {4060, ERR_NO_SUCH_DATABASE},
    {1801, ERR_ALREADY_EXISTS},
    {2714, ERR_ALREADY_EXISTS},
    {2601, ERR_DUPLICATE_KEY},
    {2627, ERR_DUPLICATE_KEY},
    {547, ERR_CONSTRAINT_VIOLATION},
    {1222, ERR_DEADLINE_EXCEEDED},    /* lock wait: refused, so nothing was done */
    {1205, ERR_DEADLOCK},
    {1101, ERR_STORAGE_FULL},
    {1105, ERR_STORAGE_FULL},
    {9002, ERR_STORAGE_FULL},
    {LOG_UNAVAILABLE, ERR_SHARD_UNAVAILABLE},
};

/* The same for numbers that are not in the table, by the SQLSTATE's class. What is left is the server's own trouble. */
static const struct {
    const char *state;
    enum err_code code;
} states[] = {
    {"22", ERR_BAD_VALUE},
    {"23", ERR_CONSTRAINT_VIOLATION},
    {"42", ERR_BAD_VALUE},
};

static bool is_client_number(int number)
{
    return number == 0 || (number >= CLIENT_FIRST && number <= CLIENT_LAST);
}

static bool in_class(const struct dberror *r, const char *state)
{
    return strncmp(r->state, state, strlen(state)) == 0;
}

static enum err_code code_of_number(int number)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].number == number)
            return numbers[i].code;
    }
    return ERR_NONE;
}

static enum err_code code_of(const struct dberror *r)
{
    enum err_code code = code_of_number(r->number);
    for (size_t i = 0; code == ERR_NONE && i < sizeof(states) / sizeof(states[0]); i++) {
        if (in_class(r, states[i].state))
            code = states[i].code;
    }
    return code == ERR_NONE ? ERR_SHARD_UNAVAILABLE : code;
}

/* The server's error that counts: one of the table before any other, since servers add general ones ("The statement has
 * been terminated.", 3621) to the specific one. NULL when the server sent none. */
static const struct dberror *server_error(const struct dberror *records, size_t count)
{
    const struct dberror *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_client_number(records[i].number) || in_class(&records[i], "01"))
            continue;
        if (code_of_number(records[i].number) != ERR_NONE)
            return &records[i];
        if (found == NULL)
            found = &records[i];
    }
    return found;
}

enum dberror_kind dberror_classify(const struct dberror *records, size_t count)
{
    bool unsent = false;

    for (size_t i = 0; i < count; i++) {
        if (in_class(&records[i], "HYT"))
            return DBERROR_TIMEOUT;
    }
    if (server_error(records, count) != NULL)
        return DBERROR_REFUSED;
    for (size_t i = 0; i < count; i++) {
        if (!is_client_number(records[i].number) || in_class(&records[i], "01"))
            continue;
        /* 08S01 without a number is the driver's answer on a connection that it knows to be dead; a write that failed
         * left the request without its last packet, which no server executes */
        unsent = (records[i].number == 0 && strcmp(records[i].state, "08S01") == 0) || records[i].number == CLIENT_WRITE
                 || records[i].number == CLIENT_CONNECT;
        if (!unsent)
            return DBERROR_LOST;
    }
    return unsent ? DBERROR_UNSENT : DBERROR_LOST;
}

/* The message without the prefixes in brackets that driver and driver manager put before it. */
static const char *bare_message(const struct dberror *r)
{
    const char *p = r->message;
    while (*p == '[' && strchr(p, ']') != NULL)
        p = strchr(p, ']') + 1;
    return p;
}

int dberror_set(const struct dberror *records, size_t count, enum dberror_phase phase, const char *shard, struct err *e)
{
    const struct dberror *error = server_error(records, count);

    if (phase == DBERROR_CONNECT) {
        /* the server's reasons to refuse a login name the user: they are for the log, not for the client */
        (void)err_set(e, ERR_SHARD_UNAVAILABLE, "the database of shard '%s' %s", shard,
                      error != NULL ? "refused the login" : "does not answer");
        if (error != NULL)
            e->sql_error = error->number;
        return -1;
    }
    switch (dberror_classify(records, count)) {
    case DBERROR_TIMEOUT:
        (void)err_set(e, ERR_DEADLINE_EXCEEDED, "the database of shard '%s' did not answer in time", shard);
        break;
    case DBERROR_UNSENT:
        (void)err_set(e, ERR_SHARD_UNAVAILABLE, "the connection to the database of shard '%s' was lost", shard);
        return -1;
    case DBERROR_LOST:
        (void)err_set(e, ERR_SHARD_UNAVAILABLE, "the connection to the database of shard '%s' was lost before its answer came", shard);
        break;
    case DBERROR_REFUSED:
    default: {
        enum err_code code = code_of(error);
        (void)err_set(e, code, "%s", code == ERR_INTERNAL ? "the database did not understand the worker's statement" : bare_message(error));
        e->sql_error = error->number;
        if (error->number != LOG_UNAVAILABLE)
            return -1;
        break;
    }
    }
    /* a write that was sent and not answered, or whose commit the log may have or not: nobody knows */
    if (phase == DBERROR_WRITING) {
        e->outcome = OUTCOME_UNKNOWN;
        e->retry = RETRY_NO;
    }
    return -1;
}
