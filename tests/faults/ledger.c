#include "tests/faults/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY 4000

static unsigned below(struct ledger *l, unsigned limit)
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (unsigned)((l->random * UINT64_C(2685821657736338717)) >> 33) % limit;
}

/* A row's text follows from its version: some are longer than a page. */
static void write_body(int id, int version, char body[MAX_BODY + 32])
{
    int len = snprintf(body, 32, "%d/%d ", id, version);
    int more = (id * 131 + version * 977) % (version % 4 == 0 ? MAX_BODY : 200);
    memset(body + len, 'a' + version % 26, (size_t)more);
    body[len + more] = '\0';
}

static int id_of(const struct ledger *l, int item)
{
    return l->writer * LEDGER_ITEMS + item;
}

static int account_of(const struct ledger *l, unsigned account)
{
    return l->writer * LEDGER_ACCOUNTS + (int)account;
}

/* An item that is there (or is not), from a random place on; -1: none. */
static int find_item(struct ledger *l, bool there)
{
    int start = (int)below(l, LEDGER_ITEMS);
    for (int i = 0; i < LEDGER_ITEMS; i++) {
        int item = (start + i) % LEDGER_ITEMS;
        if ((l->attempted.version[item] != 0) == there)
            return item;
    }
    return -1;
}

/* ---- changes ---- */

static bool insert(struct ledger *l, struct client *c)
{
    char body[MAX_BODY + 32];
    int item = find_item(l, false);
    if (item < 0)
        return true;
    int version = l->next_version++;
    write_body(id_of(l, item), version, body);
    l->attempted.version[item] = version;
    return client_printf(c, "INSERT INTO Items (id, name, version, body) VALUES (%d, 'item %d', %d, '%s')", id_of(l, item), id_of(l, item),
                         version, body);
}

static bool insert_prepared(struct ledger *l, struct client *c)
{
    char body[MAX_BODY + 32];
    int item = find_item(l, false);
    if (item < 0)
        return true;
    if (l->insert == 0)
        l->insert = client_prepare(c, "INSERT INTO Items (id, name, version, body) VALUES (@id, CONCAT('item ', @id), @version, @body)",
                                   "@id int, @version int, @body varchar(8000)");
    if (l->insert == 0)
        return false;
    int version = l->next_version++;
    write_body(id_of(l, item), version, body);
    l->attempted.version[item] = version;
    return client_execute(c, l->insert, (int64_t[]){id_of(l, item), version}, 2, body);
}

static bool insert_several(struct ledger *l, struct client *c)
{
    char sql[4096] = "INSERT INTO Items (id, name, version, body) VALUES ";
    size_t len = strlen(sql);
    for (unsigned n = 2 + below(l, 3), i = 0; i < n; i++) {
        char body[MAX_BODY + 32];
        int item = find_item(l, false);
        if (item < 0)
            return true;
        while (l->next_version % 4 == 0)
            l->next_version++; /* a short one */
        int version = l->next_version++;
        write_body(id_of(l, item), version, body);
        l->attempted.version[item] = version;
        len += (size_t)snprintf(sql + len, sizeof sql - len, "%s(%d, 'item %d', %d, '%s')", i > 0 ? ", " : "", id_of(l, item),
                                id_of(l, item), version, body);
    }
    return client_run(c, sql);
}

static bool update(struct ledger *l, struct client *c)
{
    char body[MAX_BODY + 32];
    int item = find_item(l, true);
    if (item < 0)
        return insert(l, c);
    int version = l->next_version++;
    write_body(id_of(l, item), version, body);
    l->attempted.version[item] = version;
    return client_printf(c, "UPDATE Items SET version = %d, body = '%s' WHERE id = %d", version, body, id_of(l, item));
}

static bool delete(struct ledger *l, struct client *c)
{
    int item = find_item(l, true);
    if (item < 0)
        return insert(l, c);
    l->attempted.version[item] = 0;
    return client_printf(c, "DELETE FROM Items WHERE id = %d", id_of(l, item));
}

static bool transfer(struct ledger *l, struct client *c)
{
    unsigned from = below(l, LEDGER_ACCOUNTS), to = (from + 1 + below(l, LEDGER_ACCOUNTS - 1)) % LEDGER_ACCOUNTS;
    int amount = 1 + (int)below(l, 50);
    l->attempted.amount[from] -= amount;
    l->attempted.amount[to] += amount;
    return client_run(c, "BEGIN TRANSACTION") &&
           client_printf(c, "UPDATE Accounts SET amount = amount - %d WHERE id = %d", amount, account_of(l, from)) &&
           client_printf(c, "UPDATE Accounts SET amount = amount + %d WHERE id = %d", amount, account_of(l, to)) &&
           client_run(c, "COMMIT TRANSACTION");
}

static bool transaction(struct ledger *l, struct client *c)
{
    if (!client_run(c, "BEGIN TRANSACTION"))
        return false;
    for (unsigned n = 2 + below(l, 4); n > 0; n--) {
        if (!(below(l, 3) == 0 ? update(l, c) : insert_prepared(l, c)))
            return false;
    }
    return delete(l, c) && client_run(c, "COMMIT TRANSACTION");
}

static bool take_back(struct ledger *l, struct client *c)
{
    bool good = client_run(c, "BEGIN TRANSACTION") && insert_several(l, c) && delete(l, c);
    l->attempted = l->acknowledged;
    return good && client_run(c, "ROLLBACK TRANSACTION");
}

static const struct {
    bool (*make)(struct ledger *l, struct client *c);
    unsigned share;
} changes[] = {{insert, 3}, {insert_prepared, 5}, {insert_several, 2}, {update, 3}, {delete, 2}, {transfer, 3}, {transaction, 2}, {take_back, 1}};

/* ---- comparing ---- */

struct reading {
    const struct ledger *ledger;
    struct ledger_state found;
    int strangers; /* rows that nobody wrote so */
};

static int number(const struct value *v)
{
    return v->null ? -1 : (int)v->integer;
}

static void read_item(void *arg, const struct value *values, size_t count)
{
    struct reading *r = arg;
    char body[MAX_BODY + 32], name[32];
    int item = count == 4 ? number(&values[0]) - id_of(r->ledger, 0) : -1;
    if (item < 0 || item >= LEDGER_ITEMS || r->found.version[item] != 0 || number(&values[2]) <= 0) {
        r->strangers++;
        return;
    }
    r->found.version[item] = number(&values[2]);
    write_body(id_of(r->ledger, item), number(&values[2]), body);
    snprintf(name, sizeof name, "item %d", id_of(r->ledger, item));
    if (values[3].bytes.len != strlen(body) || memcmp(values[3].bytes.data, body, strlen(body)) != 0 ||
        values[1].bytes.len != strlen(name) || memcmp(values[1].bytes.data, name, strlen(name)) != 0)
        r->strangers++;
}

static void read_account(void *arg, const struct value *values, size_t count)
{
    struct reading *r = arg;
    int account = count == 2 ? number(&values[0]) - account_of(r->ledger, 0) : -1;
    if (account < 0 || account >= LEDGER_ACCOUNTS)
        r->strangers++;
    else
        r->found.amount[account] = values[1].integer;
}

static bool read_state(struct reading *r, struct client *c)
{
    const struct ledger *l = r->ledger;
    c->arg = r;
    c->row = read_item;
    bool good = client_printf(c, "SELECT id, name, version, body FROM Items WHERE id BETWEEN %d AND %d", id_of(l, 0), id_of(l, LEDGER_ITEMS - 1));
    c->row = read_account;
    good = good && client_printf(c, "SELECT id, amount FROM Accounts WHERE id BETWEEN %d AND %d", account_of(l, 0), account_of(l, LEDGER_ACCOUNTS - 1));
    c->row = NULL;
    return good;
}

/* ---- public ---- */

bool ledger_create(struct client *c, int writers)
{
    bool good = client_run(c, "CREATE TABLE Items (id INT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE, version INT NOT NULL, "
                              "body VARCHAR(8000) NOT NULL)") &&
                client_run(c, "CREATE TABLE Accounts (id INT NOT NULL PRIMARY KEY, amount BIGINT NOT NULL)") &&
                client_run(c, "CREATE INDEX ItemsByVersion ON Items (version)");
    for (int i = 0; i < writers * LEDGER_ACCOUNTS && good; i++)
        good = client_printf(c, "INSERT INTO Accounts (id, amount) VALUES (%d, %d)", i, LEDGER_AMOUNT);
    return good;
}

void ledger_init(struct ledger *l, int writer, uint64_t seed)
{
    *l = (struct ledger){.writer = writer, .random = seed * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)writer + 1, .next_version = 1};
    for (int i = 0; i < LEDGER_ACCOUNTS; i++)
        l->acknowledged.amount[i] = LEDGER_AMOUNT;
    l->attempted = l->acknowledged;
}

bool ledger_change(struct ledger *l, struct client *c)
{
    unsigned total = 0, i = 0;
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++)
        total += changes[k].share;
    for (unsigned choice = below(l, total); choice >= changes[i].share; i++)
        choice -= changes[i].share;
    l->attempted = l->acknowledged;
    l->unanswered = !changes[i].make(l, c);
    if (l->unanswered)
        return false;
    l->acknowledged = l->attempted;
    l->changes++;
    return true;
}

void ledger_new_session(struct ledger *l)
{
    l->insert = 0;
}

void ledger_give_up(struct ledger *l)
{
    l->attempted = l->acknowledged;
    l->unanswered = false;
}

static void compare(const struct ledger *l, const struct ledger_state *found, struct ledger_losses *losses)
{
    int old_ones = 0, new_ones = 0; /* where the two states differ */
    for (int i = 0; i < LEDGER_ITEMS + LEDGER_ACCOUNTS; i++) {
        int k = i - LEDGER_ITEMS;
        int64_t there = k < 0 ? found->version[i] : found->amount[k];
        int64_t before = k < 0 ? l->acknowledged.version[i] : l->acknowledged.amount[k];
        int64_t then = k < 0 ? l->attempted.version[i] : l->attempted.amount[k];
        if (there != before && (there != then || !l->unanswered))
            losses->missing++;
        else if (before != then && l->unanswered)
            there == before ? old_ones++ : new_ones++;
    }
    if (old_ones > 0 && new_ones > 0)
        losses->torn++;
}

bool ledger_settle(struct ledger *l, struct client *c, struct ledger_losses *losses)
{
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return false;
    r->ledger = l;
    bool good = read_state(r, c);
    if (good) {
        losses->broken += r->strangers > 0;
        compare(l, &r->found, losses);
        l->acknowledged = r->found;
        ledger_give_up(l);
    }
    free(r);
    return good;
}

void ledger_compare(const struct ledger *l, struct client *c, struct ledger_losses *losses)
{
    struct ledger copy = *l;
    if (!ledger_settle(&copy, c, losses))
        losses->broken++;
}
