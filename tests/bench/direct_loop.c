/* What the database gives without a gateway: threads that each run one prepared statement by key over FreeTDS's ODBC
 * driver, in a loop.
 *
 *     direct_loop PORT PASSWORD DATABASE select|insert|update THREADS SECONDS FIRST_KEY KEYS
 *
 * The table is T (student_id INT PRIMARY KEY, name, grade); keys are FIRST_KEY … FIRST_KEY + KEYS - 1, inserts go on from
 * there. Prints {"requests":N,"seconds":S,"p50_ms":…,"p99_ms":…}; errors end it.
 */
#include <config.h>

#include <pthread.h>
#include <sql.h>
#include <sqlext.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 256
#define MAX_LAPS    2000000 /* of one thread */

struct mode {
    const char *name;
    const char *sql;
    int grows; /* each key once */
};

static const struct mode modes[] = {
    {"select", "SELECT [student_id], [name], [grade] FROM [dbo].[T] WHERE [student_id] = ?", 0},
    {"insert", "INSERT INTO [dbo].[T] ([student_id], [name], [grade]) VALUES (?, N'Ali', N'A')", 1},
    {"update", "UPDATE [dbo].[T] SET [grade] = N'B' WHERE [student_id] = ?", 0},
};

static const struct mode *mode;
static char connection[512];
static double until;
static int first_key, key_count, thread_count;

struct lane {
    pthread_t thread;
    int number;
    float *laps_ms;
    size_t count;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(SQLRETURN rc, SQLSMALLINT kind, SQLHANDLE handle)
{
    SQLCHAR state[6] = "", text[400] = "";
    SQLINTEGER number = 0;
    if (SQL_SUCCEEDED(rc) || rc == SQL_NO_DATA)
        return;
    SQLGetDiagRec(kind, handle, 1, state, &number, text, sizeof text, NULL);
    fprintf(stderr, "direct_loop: %s %d %s\n", (char *)state, (int)number, (char *)text);
    exit(EXIT_FAILURE);
}

static void *run(void *arg)
{
    struct lane *lane = arg;
    SQLHENV env;
    SQLHDBC dbc;
    SQLHSTMT stmt;
    SQLINTEGER key = 0;
    SQLLEN len = 0;
    unsigned seed = (unsigned)lane->number * 7919u + 1;
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(intptr_t)SQL_OV_ODBC3, 0);
    SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc);
    check(SQLDriverConnect(dbc, NULL, (SQLCHAR *)connection, SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT), SQL_HANDLE_DBC, dbc);
    SQLAllocHandle(SQL_HANDLE_STMT, dbc, &stmt);
    check(SQLPrepare(stmt, (SQLCHAR *)(uintptr_t)mode->sql, SQL_NTS), SQL_HANDLE_STMT, stmt);
    check(SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &key, 0, &len), SQL_HANDLE_STMT, stmt);
    for (double begin = now(); begin < until && lane->count < MAX_LAPS;) {
        key = mode->grows ? first_key + lane->number + (SQLINTEGER)lane->count * thread_count
                          : first_key + rand_r(&seed) % key_count;
        check(SQLExecute(stmt), SQL_HANDLE_STMT, stmt);
        SQLRETURN more = strcmp(mode->name, "select") == 0 ? SQLFetch(stmt) : SQL_NO_DATA;
        for (; more == SQL_SUCCESS; more = SQLFetch(stmt)) {
            SQLCHAR text[128];
            for (SQLUSMALLINT column = 1; column <= 3; column++)
                check(SQLGetData(stmt, column, SQL_C_CHAR, text, sizeof text, &len), SQL_HANDLE_STMT, stmt);
            len = 0;
        }
        SQLFreeStmt(stmt, SQL_CLOSE);
        double end = now();
        lane->laps_ms[lane->count++] = (float)((end - begin) * 1000);
        begin = end;
    }
    SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, env);
    return NULL;
}

static int by_length(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct lane lanes[MAX_THREADS];
    if (argc != 9 || atoi(argv[5]) < 1 || atoi(argv[5]) > MAX_THREADS || atoi(argv[8]) < 1) {
        fprintf(stderr, "usage: direct_loop PORT PASSWORD DATABASE select|insert|update THREADS SECONDS FIRST_KEY KEYS\n");
        return 64;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, argv[4]) == 0)
            mode = &modes[i];
    }
    if (mode == NULL)
        return 64;
    snprintf(connection, sizeof connection, "Driver=%s;Server=127.0.0.1;Port=%s;UID=sa;PWD=%s;Database=%s;TDS_Version=7.4;ClientCharset=UTF-8",
             TDS_ODBC_DRIVER, argv[1], argv[2], argv[3]);
    thread_count = atoi(argv[5]);
    first_key = atoi(argv[7]);
    key_count = atoi(argv[8]);
    double begin = now();
    until = begin + atof(argv[6]);
    for (int i = 0; i < thread_count; i++) {
        lanes[i].number = i;
        lanes[i].laps_ms = malloc(MAX_LAPS * sizeof(float));
        if (lanes[i].laps_ms == NULL || pthread_create(&lanes[i].thread, NULL, run, &lanes[i]) != 0)
            return EXIT_FAILURE;
    }
    size_t count = 0;
    for (int i = 0; i < thread_count; i++) {
        pthread_join(lanes[i].thread, NULL);
        count += lanes[i].count;
    }
    double seconds = now() - begin;
    float *all = malloc((count + 1) * sizeof *all);
    if (all == NULL || count == 0)
        return EXIT_FAILURE;
    size_t at = 0;
    for (int i = 0; i < thread_count; i++) {
        memcpy(all + at, lanes[i].laps_ms, lanes[i].count * sizeof *all);
        at += lanes[i].count;
        free(lanes[i].laps_ms);
    }
    qsort(all, count, sizeof *all, by_length);
    printf("{\"requests\":%zu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", count, seconds, (double)all[count / 2],
           (double)all[count * 99 / 100]);
    free(all);
    return EXIT_SUCCESS;
}
