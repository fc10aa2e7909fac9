/* Whole conversations with a session, on the double of the engine: what is sent, and the answer as text. */
#include "common/log.h"
#include "tds-server/wire/login.h"
#include "tests/unit/engine_fake.h"
#include "tests/unit/tds_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define V71  0x71000001u
#define V72  0x72090002u
#define V73A 0x730A0003u
#define V73B 0x730B0003u
#define V74  0x74000004u

static struct buf text; /* the answer under test */
static struct buf request;

static int set_up(void **state)
{
    (void)state;
    buf_init(&text, (size_t)1 << 28);
    buf_init(&request, (size_t)1 << 28);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_clear(&text);
    buf_clear(&request);
    return 0;
}

/* Sends what is in `request`, and asserts the answer. */
static void expect(struct client *c, enum packet_type type, unsigned status, const char *answer)
{
    client_send(c, type, status, request.data, request.len);
    buf_reset(&request);
    buf_reset(&text);
    client_read_text(c, &text);
    assert_string_equal(buf_text(&text), answer);
}

static void expect_batch(struct client *c, const char *sql, const char *answer)
{
    client_send_batch(c, sql);
    buf_reset(&text);
    client_read_text(c, &text);
    assert_string_equal(buf_text(&text), answer);
}

/* --- login --- */

static void login_is_answered_in_order(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_put_login(&request, V74, CLIENT_USER, CLIENT_PASSWORD, "SchoolDB", true);
    expect(&c, PACKET_LOGIN7, 0,
           "ENVCHANGE 1 'SchoolDB' 'master'\n"
           "INFO 5701 severity 0 state 2 'Changed database context to 'SchoolDB'.' line 1\n"
           "ENVCHANGE 7 0x0904D02400 0x\n"
           "ENVCHANGE 2 'us_english' ''\n"
           "INFO 5703 severity 0 state 1 'Changed language setting to us_english.' line 1\n"
           "LOGINACK 74000004 'Microsoft SQL Server'\n"
           "ENVCHANGE 4 '4096' '4096'\n"
           "FEATUREEXTACK 0a:0x01\n"
           "DONE 00 00 0\n");
    client_close(&c);
}

static void each_version_is_answered_with_itself(void **state)
{
    (void)state;
    static const struct {
        uint32_t version;
        const char *acknowledged;
    } rows[] = {
        {V71, "LOGINACK 71000001"},
        {0x71000000, "LOGINACK 71000001"},
        {V72, "LOGINACK 72090002"},
        {V73A, "LOGINACK 730a0003"},
        {V73B, "LOGINACK 730b0003"},
        {V74, "LOGINACK 74000004"},
        {0x08000000, "LOGINACK 74000004"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c);
        if (rows[i].version < V72 && rows[i].version > 0x70000000) {
            c.dialect.version = DIALECT_71;
        }
        client_put_login(&request, rows[i].version, CLIENT_USER, CLIENT_PASSWORD, "", false);
        client_send(&c, PACKET_LOGIN7, 0, request.data, request.len);
        buf_reset(&request);
        buf_reset(&text);
        client_read_text(&c, &text);
        assert_non_null(strstr(buf_text(&text), rows[i].acknowledged));
        assert_non_null(strstr(buf_text(&text), "ENVCHANGE 7 0x0904D02000 0x\n")); /* no UTF-8 for who did not ask */
        assert_null(strstr(buf_text(&text), "FEATUREEXTACK"));
        client_close(&c);
    }
}

static void wrong_logins_are_refused_alike(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        const char *password;
        const char *answer;
    } rows[] = {
        {"sa", "wrong", "ERROR 18456 severity 14 state 1 'Login failed for user 'sa'.' line 1\nDONE 02 00 0\n"},
        {"sa", "", "ERROR 18456 severity 14 state 1 'Login failed for user 'sa'.' line 1\nDONE 02 00 0\n"},
        {"sa", CLIENT_PASSWORD "x", "ERROR 18456 severity 14 state 1 'Login failed for user 'sa'.' line 1\nDONE 02 00 0\n"},
        {"nobody", CLIENT_PASSWORD, "ERROR 18456 severity 14 state 1 'Login failed for user 'nobody'.' line 1\nDONE 02 00 0\n"},
        {"", "", "ERROR 18456 severity 14 state 1 'Login failed for user ''.' line 1\nDONE 02 00 0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c);
        client_put_login(&request, V74, rows[i].user, rows[i].password, "", true);
        expect(&c, PACKET_LOGIN7, 0, rows[i].answer);
        buf_reset(&text);
        client_read_text(&c, &text);
        assert_string_equal(buf_text(&text), "closed\n");
        client_close(&c);
    }
}

static void unknown_database_is_4060_then_18456(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_put_login(&request, V74, CLIENT_USER, CLIENT_PASSWORD, "nowhere", true);
    expect(&c, PACKET_LOGIN7, 0,
           "ERROR 4060 severity 11 state 1 'Cannot open database \"nowhere\" requested by the login. The login failed.' line 1\n"
           "ERROR 18456 severity 14 state 1 'Login failed for user 'sa'.' line 1\n"
           "DONE 02 00 0\n");
    client_close(&c);
}

static void windows_logins_and_old_versions_are_refused(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_put_login(&request, V74, CLIENT_USER, CLIENT_PASSWORD, "", false);
    request.data[25] = (char)0x80;
    expect(&c, PACKET_LOGIN7, 0,
           "ERROR 18452 severity 14 state 1 'Login failed. This server takes SQL Server authentication only: Windows and token "
           "authentication are not supported.' line 1\nDONE 02 00 0\n");
    client_close(&c);

    client_open(&c);
    client_put_login(&request, 0x70000000, CLIENT_USER, CLIENT_PASSWORD, "", false);
    client_send(&c, PACKET_LOGIN7, 0, request.data, request.len);
    buf_reset(&request);
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_non_null(strstr(buf_text(&text), "TDS versions before 7.1 are not supported"));
    client_close(&c);
}

static void refusals_are_told_at_login(void **state)
{
    (void)state;
    struct client c;
    client_open_refused(&c, "No more.");
    client_put_login(&request, V74, CLIENT_USER, CLIENT_PASSWORD, "", true);
    expect(&c, PACKET_LOGIN7, 0, "ERROR 17809 severity 20 state 1 'No more.' line 1\nDONE 02 00 0\n");
    client_close(&c);
}

static void prelogin_is_answered_without_encryption(void **state)
{
    (void)state;
    static const unsigned char hello[] = {0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, 0};
    struct client c;
    client_open(&c);
    buf_append(&request, hello, sizeof hello);
    client_send(&c, PACKET_PRELOGIN, 0, request.data, request.len);
    buf_reset(&text);
    assert_true(client_read(&c, &text));
    assert_int_equal(text.data[0], 0);  /* the version comes first */
    assert_int_equal(text.data[27], 2); /* ENCRYPT_NOT_SUP */

    /* Once only: a second one ends the connection. */
    client_send(&c, PACKET_PRELOGIN, 0, request.data, request.len);
    buf_reset(&text);
    assert_false(client_read(&c, &text));
    buf_reset(&request);
    client_close(&c);
}

static void clients_that_require_encryption_are_told_and_left(void **state)
{
    (void)state;
    static const unsigned char hello[] = {0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, 1};
    struct client c;
    client_open(&c);
    client_send(&c, PACKET_PRELOGIN, 0, hello, sizeof hello);
    buf_reset(&text);
    assert_true(client_read(&c, &text));
    assert_int_equal(text.data[27], 2);
    assert_false(client_read(&c, &text));
    client_close(&c);
}

static void encryption_is_agreed_on_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        enum login_encryption wanted;
        bool offered;
        bool required;
        enum login_encryption answer;
        bool agreed;
    } rows[] = {
        {ENCRYPTION_OFF, false, false, ENCRYPTION_NOT_SUP, true},     {ENCRYPTION_ON, false, false, ENCRYPTION_NOT_SUP, false},
        {ENCRYPTION_NOT_SUP, false, false, ENCRYPTION_NOT_SUP, true}, {ENCRYPTION_REQUIRED, false, false, ENCRYPTION_NOT_SUP, false},
        {ENCRYPTION_OFF, true, false, ENCRYPTION_OFF, true},          {ENCRYPTION_ON, true, false, ENCRYPTION_ON, true},
        {ENCRYPTION_NOT_SUP, true, false, ENCRYPTION_NOT_SUP, true},  {ENCRYPTION_REQUIRED, true, false, ENCRYPTION_ON, true},
        {ENCRYPTION_OFF, true, true, ENCRYPTION_REQUIRED, true},      {ENCRYPTION_ON, true, true, ENCRYPTION_ON, true},
        {ENCRYPTION_NOT_SUP, true, true, ENCRYPTION_REQUIRED, false}, {ENCRYPTION_REQUIRED, true, true, ENCRYPTION_ON, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum login_encryption answer = login_choose_encryption(rows[i].wanted, rows[i].offered, rows[i].required);
        assert_int_equal(answer, rows[i].answer);
        assert_int_equal(login_agrees(rows[i].wanted, answer), rows[i].agreed);
    }
}

/* --- batches --- */

static void batches_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *answer;
    } rows[] = {
        {"select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n"},
        {"rows 3", "COLUMNS INT ''\nROW 1\nROW 2\nROW 3\nDONE 10 c1 3\n"},
        {"rows 0", "COLUMNS INT ''\nDONE 10 c1 0\n"},
        {"fail", "ERROR 208 severity 16 state 1 'Invalid object name 'fail'.' line 1\nDONE 02 00 0\n"},
        {"use Other", "ENVCHANGE 1 'Other' 'master'\nDONE 00 00 0\n"},
        {"use master", "ENVCHANGE 1 'master' 'Other'\nDONE 00 00 0\n"},
        {"print h\xC3\xA9llo", "INFO 0 severity 0 state 1 'h\xC3\xA9llo' line 1\nDONE 00 00 0\n"},
        {"", "DONE 00 00 0\n"},
    };
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_batch(&c, rows[i].sql, rows[i].answer);
    }
    client_close(&c);
}

static void types_are_told_in_the_clients_dialect(void **state)
{
    (void)state;
    static const char numbers[] = " 255 -32768 -2147483648 -9223372036854775808 1 -123.45 9223372036854775807000 -1234.5678 0.10000000000000001 0.5"
                                  " 'abc   ' 'na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x98\x80' 'long \xE2\x82\xAC' 'x\xC3\xA9  '"
                                  " '\xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80' '' 'text \xC3\xBC'";
    static const char binaries[] = " 0x0305E82C33019A0CD3118"
                                   "94FE004253F 0x010200 0xDEAD00BEEF 0x00FF\n";
    static const char known_times[] = " '2026-11-22' '13:05:00.1234567' '2026-11-22 13:05:00.1230000' '2026-11-22 13:05:00.1234567'"
                                      " '2026-11-22 11:05:00.1230000 +02:00'";
    static const char text_times[] = " '2026-11-22' '13:05:00.1234567' '2026-11-22 13:05:00.1230000' '2026-11-22 13:05:00.1234567'"
                                     " '2026-11-22 13:05:00.123 +02:00'";
    static const struct {
        uint32_t version;
        bool utf8;
        const char *strings; /* CHAR … TEXT, as the client is told */
        const char *times;
        const char *nulls;
    } rows[] = {
        {V74, true, "CHAR(6) 'CHAR' VARCHAR(50) 'VARCHAR' VARCHAR(MAX) 'VARCHAR'", known_times, "NBCROW"},
        {V74, false, "NCHAR(6) 'CHAR' NVARCHAR(50) 'VARCHAR' NVARCHAR(MAX) 'VARCHAR'", known_times, "NBCROW"},
        {V73B, false, "NCHAR(6) 'CHAR' NVARCHAR(50) 'VARCHAR' NVARCHAR(MAX) 'VARCHAR'", known_times, "NBCROW"},
        {V73A, false, "NCHAR(6) 'CHAR' NVARCHAR(50) 'VARCHAR' NVARCHAR(MAX) 'VARCHAR'", known_times, "ROW"},
        {V72, false, "NCHAR(6) 'CHAR' NVARCHAR(50) 'VARCHAR' NVARCHAR(MAX) 'VARCHAR'", text_times, "ROW"},
        {V71, false, "NCHAR(6) 'CHAR' NVARCHAR(50) 'VARCHAR' NVARCHAR(MAX) 'VARCHAR'", text_times, "ROW"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c);
        client_log_in(&c, rows[i].version, rows[i].utf8);
        client_send_batch(&c, "select types");
        buf_reset(&text);
        client_read_text(&c, &text);

        struct buf want;
        buf_init(&want, 1 << 16);
        assert_non_null(strstr(buf_text(&text), rows[i].strings));
        buf_printf(&want, "ROW%s%s%s", numbers, rows[i].times, binaries);
        assert_non_null(strstr(buf_text(&text), want.data));
        buf_reset(&want);
        buf_append_text(&want, rows[i].nulls);
        for (int n = 0; n < 26; n++) {
            buf_append_text(&want, " NULL");
        }
        buf_append_text(&want, "\nDONE 10 c1 2\n");
        assert_non_null(strstr(buf_text(&text), want.data));
        buf_clear(&want);
        client_close(&c);
    }
}

static void long_answers_come_in_packets(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    expect_batch(&c, "text 1000000", "COLUMNS NVARCHAR(MAX) 't'\nROW 'abcdefghijklmnopqrst… 1000000 bytes'\nDONE 10 c1 1\n");

    client_send_batch(&c, "rows 100000");
    buf_reset(&text);
    client_read_text(&c, &text);
    static const char end[] = "ROW 99999\nROW 100000\nDONE 10 c1 100000\n";
    assert_string_equal(buf_text(&text) + text.len - strlen(end), end);
    client_close(&c);
}

static void long_requests_come_in_packets(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_append_text(&sql, "select 1");
    buf_append_fill(&sql, ' ', 300000);
    c.packet_size = PACKET_SIZE_MIN;
    expect_batch(&c, sql.data, "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    buf_clear(&sql);
    client_close(&c);
}

/* --- RPC --- */

static void put_rpc_number(unsigned char number)
{
    if (request.len == 0) {
        client_put_headers(&request);
    }
    buf_append_u16le(&request, 0xFFFF);
    buf_append_u16le(&request, number);
    buf_append_u16le(&request, 0);
}

static void put_rpc_name(const char *name)
{
    if (request.len == 0) {
        client_put_headers(&request);
    }
    buf_append_u16le(&request, (uint16_t)strlen(name));
    client_put_utf16(&request, name);
    buf_append_u16le(&request, 0);
}

static void put_nvarchar(const char *name, const char *value)
{
    buf_append_char(&request, (char)strlen(name));
    client_put_utf16(&request, name);
    buf_append(&request, "\0\xE7\x40\x1F\x09\x04\xD0\x24\0", 9);
    buf_append_u16le(&request, (uint16_t)(strlen(value) * 2));
    client_put_utf16(&request, value);
}

static void put_int(const char *name, bool output, int32_t value)
{
    buf_append_char(&request, (char)strlen(name));
    client_put_utf16(&request, name);
    buf_append_char(&request, output);
    buf_append(&request, "\x26\x04\x04", 3);
    buf_append_u32le(&request, (uint32_t)value);
}

static void executesql_takes_positions_names_and_output(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);

    put_rpc_number(10);
    put_nvarchar("", "x");
    put_nvarchar("", "@a int, @b nvarchar(4000)");
    put_int("", false, 7);
    put_nvarchar("", "seven");
    expect(&c, PACKET_RPC, 0,
           "COLUMNS INT '@a' NVARCHAR(4000) '@b'\nROW 7 'seven'\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nDONEPROC 00 00 0\n");

    put_rpc_name("sp_executesql");
    put_nvarchar("@statement", "x");
    put_nvarchar("@params", "@b nvarchar(10), @a int OUTPUT");
    put_int("@a", true, 21);
    put_nvarchar("@b", "");
    expect(&c, PACKET_RPC, 0,
           "COLUMNS INT '@a' NVARCHAR(4000) '@b'\nROW 21 ''\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\n"
           "RETURNVALUE 2 '@a' INT 42\nDONEPROC 00 00 0\n");

    put_rpc_number(10);
    put_nvarchar("", "select 1");
    expect(&c, PACKET_RPC, 0, "COLUMNS INT ''\nROW 1\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nDONEPROC 00 00 0\n");
    client_close(&c);
}

static void rpc_errors_leave_the_connection_usable(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);

    put_rpc_name("sp_who");
    expect(&c, PACKET_RPC, 0,
           "ERROR 2812 severity 16 state 1 'Could not find stored procedure 'sp_who'.' line 1\nDONEINPROC 03 00 0\nRETURNSTATUS 2812\nDONEPROC 02 00 0\n");
    put_rpc_number(2);
    expect(&c, PACKET_RPC, 0,
           "ERROR 16955 severity 16 state 1 'Could not create an acceptable cursor: this server has none.' line 1\nRETURNSTATUS 16955\nDONEPROC 02 00 0\n");
    put_rpc_name("sys.sp_cursorfetch");
    expect(&c, PACKET_RPC, 0,
           "ERROR 16955 severity 16 state 1 'Could not create an acceptable cursor: this server has none.' line 1\nRETURNSTATUS 16955\nDONEPROC 02 00 0\n");
    put_rpc_number(14);
    expect(&c, PACKET_RPC, 0,
           "ERROR 40510 severity 16 state 1 'sp_prepexecrpc is not supported.' line 1\nRETURNSTATUS 40510\nDONEPROC 02 00 0\n");
    put_rpc_number(10);
    expect(&c, PACKET_RPC, 0,
           "ERROR 214 severity 16 state 1 'Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.' line 1\n"
           "RETURNSTATUS 214\nDONEPROC 02 00 0\n");
    put_rpc_number(10);
    put_nvarchar("", "x");
    put_nvarchar("", "@a int, @b int");
    put_int("", false, 1);
    expect(&c, PACKET_RPC, 0,
           "ERROR 8178 severity 16 state 1 'The parameterized query '(@a int, @b int)x' expects 2 parameters, of which only 1 were "
           "supplied.' line 1\nRETURNSTATUS 8178\nDONEPROC 02 00 0\n");
    put_rpc_number(10);
    put_nvarchar("", "x");
    put_nvarchar("", "@a int");
    put_int("", false, 1);
    put_int("", false, 2);
    expect(&c, PACKET_RPC, 0,
           "ERROR 8144 severity 16 state 1 'Procedure or function has too many arguments specified.' line 1\nRETURNSTATUS 8144\n"
           "DONEPROC 02 00 0\n");
    put_rpc_number(10);
    put_nvarchar("", "fail");
    expect(&c, PACKET_RPC, 0,
           "ERROR 208 severity 16 state 1 'Invalid object name 'fail'.' line 1\nDONEINPROC 03 00 0\nRETURNSTATUS 208\nDONEPROC 02 00 0\n");
    put_rpc_number(10);
    put_nvarchar("", "x");
    buf_append(&request, "\0\0\xF3", 3);
    expect(&c, PACKET_RPC, 0,
           "ERROR 8009 severity 16 state 1 'The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. "
           "Parameter 2 (\"\"): Data type 0xF3 (table-valued parameter) is not supported.' line 1\nDONEPROC 02 00 0\n");
    buf_append(&request, "\xFF\xFF\xFF\xFF", 4);
    expect(&c, PACKET_RPC, 0,
           "ERROR 4002 severity 16 state 1 'The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended "
           "unexpectedly.' line 1\nDONE 02 00 0\n");
    put_rpc_name("sp_reset_connection");
    expect(&c, PACKET_RPC, 0, "RETURNSTATUS 0\nDONEPROC 00 00 0\n");
    client_close(&c);
}

static void statements_are_prepared_executed_and_dropped(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);

    put_rpc_number(11); /* sp_prepare */
    put_int("", true, 0);
    put_nvarchar("", "");
    put_nvarchar("", "select 1");
    put_int("", false, 1);
    expect(&c, PACKET_RPC, 0, "COLUMNS INT ''\nDONEINPROC 01 00 0\nRETURNSTATUS 0\nRETURNVALUE 0 '' INT 1\nDONEPROC 00 00 0\n");

    put_rpc_number(13); /* sp_prepexec */
    put_int("", true, 0);
    put_nvarchar("", "@a int");
    put_nvarchar("", "x");
    put_int("", false, 5);
    expect(&c, PACKET_RPC, 0,
           "COLUMNS INT ''\nROW 5\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nRETURNVALUE 0 '' INT 2\nDONEPROC 00 00 0\n");

    put_rpc_name("sp_execute");
    put_int("", false, 1);
    expect(&c, PACKET_RPC, 0, "COLUMNS INT ''\nROW 1\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nDONEPROC 00 00 0\n");

    put_rpc_number(15); /* sp_unprepare */
    put_int("", false, 1);
    expect(&c, PACKET_RPC, 0, "RETURNSTATUS 0\nDONEPROC 00 00 0\n");

    put_rpc_number(12);
    put_int("", false, 1);
    expect(&c, PACKET_RPC, 0,
           "ERROR 8179 severity 16 state 1 'Could not find prepared statement with that handle.' line 1\nDONEINPROC 03 00 0\n"
           "RETURNSTATUS 8179\nDONEPROC 02 00 0\n");
    client_close(&c);
}

static void several_calls_in_one_request(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    put_rpc_number(10);
    put_nvarchar("", "select 1");
    buf_append_char(&request, (char)0xFF);
    put_rpc_number(10);
    put_nvarchar("", "fail");
    buf_append_char(&request, (char)0xFF);
    put_rpc_number(10);
    put_nvarchar("", "select 1");
    expect(&c, PACKET_RPC, 0,
           "COLUMNS INT ''\nROW 1\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nDONEPROC 01 00 0\n"
           "ERROR 208 severity 16 state 1 'Invalid object name 'fail'.' line 1\nDONEINPROC 03 00 0\nRETURNSTATUS 208\nDONEPROC 03 00 0\n"
           "COLUMNS INT ''\nROW 1\nDONEINPROC 11 c1 1\nRETURNSTATUS 0\nDONEPROC 00 00 0\n");
    client_close(&c);
}

/* --- transactions, reset, attention --- */

static void transaction_requests(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);

    client_put_headers(&request);
    buf_append(&request, "\x05\0\x02\0", 4); /* begin, READ COMMITTED, no name */
    expect(&c, PACKET_TRANSACTION, 0, "ENVCHANGE 8 0x0807060504030201 0x\nDONE 00 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x09\0\x04s\0p\0", 7); /* save, "sp" */
    expect(&c, PACKET_TRANSACTION, 0, "DONE 00 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x07\0\0\x01\x04\x04n\0m\0", 10); /* commit, and begin the next */
    expect(&c, PACKET_TRANSACTION, 0,
           "ENVCHANGE 9 0x 0x0807060504030201\nDONE 01 00 0\nENVCHANGE 8 0x0807060504030201 0x\nDONE 00 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x08\0\0\0", 4); /* rollback */
    expect(&c, PACKET_TRANSACTION, 0, "ENVCHANGE 10 0x 0x0807060504030201\nDONE 00 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x07\0\0\0", 4);
    expect(&c, PACKET_TRANSACTION, 0,
           "ERROR 3902 severity 16 state 1 'The request has no corresponding BEGIN TRANSACTION.' line 1\nDONE 02 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\0\0", 2); /* the address of a distributed transaction coordinator */
    expect(&c, PACKET_TRANSACTION, 0,
           "ERROR 40510 severity 16 state 1 'Transaction Manager request 0 is not supported: there are no distributed transactions.' line "
           "1\nDONE 02 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x05\0\x06\0", 4); /* no such isolation level */
    expect(&c, PACKET_TRANSACTION, 0,
           "ERROR 4002 severity 16 state 1 'The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended "
           "unexpectedly.' line 1\nDONE 02 00 0\n");
    client_put_headers(&request);
    buf_append(&request, "\x05\0\x02\x40", 4); /* a name that is not there */
    expect(&c, PACKET_TRANSACTION, 0,
           "ERROR 4002 severity 16 state 1 'The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended "
           "unexpectedly.' line 1\nDONE 02 00 0\n");
    client_close(&c);
}

static void reset_comes_first(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_put_headers(&request);
    client_put_utf16(&request, "select 1");
    expect(&c, PACKET_BATCH, PACKET_RESET, "ENVCHANGE 18 0x 0x\nCOLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

static void a_reset_may_keep_the_transaction(void **state)
{
    (void)state;
    static const struct {
        unsigned reset;
        const char *then; /* to a commit */
    } rows[] = {
        {PACKET_RESET_SKIP, "ENVCHANGE 9 0x 0x0807060504030201\nDONE 00 00 0\n"},
        {PACKET_RESET, "ERROR 3902 severity 16 state 1 'The request has no corresponding BEGIN TRANSACTION.' line 1\nDONE 02 00 0\n"},
        {PACKET_RESET | PACKET_RESET_SKIP, "ENVCHANGE 9 0x 0x0807060504030201\nDONE 00 00 0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c);
        client_log_in(&c, V74, true);
        client_put_headers(&request);
        buf_append(&request, "\x05\0\0\0", 4);
        expect(&c, PACKET_TRANSACTION, 0, "ENVCHANGE 8 0x0807060504030201 0x\nDONE 00 00 0\n");
        client_put_headers(&request);
        client_put_utf16(&request, "select 1");
        expect(&c, PACKET_BATCH, rows[i].reset, "ENVCHANGE 18 0x 0x\nCOLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
        client_put_headers(&request);
        buf_append(&request, "\x07\0\0\0", 4);
        expect(&c, PACKET_TRANSACTION, 0, rows[i].then);
        client_close(&c);
    }
}

static void severe_errors_end_the_connection(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_send_batch(&c, "fail badly");
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "ERROR 9001 severity 21 state 1 'The log is not available.' line 1\nDONE 02 00 0\n");
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "closed\n");
    client_close(&c);
}

static void idle_clients_are_given_up(void **state)
{
    (void)state;
    struct client c;
    client_open_idle(&c, 5);
    client_log_in(&c, V74, true);
    client_send_batch(&c, "select 1");
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "closed\n");
    client_close(&c);
}

static void attention_ends_a_request_and_is_answered_once(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    static const useconds_t pauses[] = {0, 50000}; /* read together with the batch, or seen by the watch */
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        client_send_batch(&c, "hang");
        usleep(pauses[i]);
        client_send(&c, PACKET_ATTENTION, 0, NULL, 0);
        buf_reset(&text);
        client_read_text(&c, &text);
        client_read_text(&c, &text);
        assert_string_equal(buf_text(&text), "DONE 100 00 0\nDONE 20 00 0\n");
    }
    expect_batch(&c, "select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");

    /* With nothing to end it is answered all the same. */
    expect(&c, PACKET_ATTENTION, 0, "DONE 20 00 0\n");
    expect_batch(&c, "select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

static void an_attention_before_the_engine_has_begun_is_not_lost(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_send_batch(&c, "hang late");
    usleep(50000);
    client_send(&c, PACKET_ATTENTION, 0, NULL, 0);
    buf_reset(&text);
    client_read_text(&c, &text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "DONE 100 00 0\nDONE 20 00 0\n");
    expect_batch(&c, "select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

static void attention_gives_up_a_message_that_is_not_whole(void **state)
{
    (void)state;
    static const unsigned char half[] = {PACKET_BATCH, 0, 0, 12, 0, 0, 1, 0, 'a', 0, 'b', 0};
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_send_raw(&c, half, sizeof half);
    expect(&c, PACKET_ATTENTION, 0, "DONE 20 00 0\n");
    expect_batch(&c, "select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

static void ignored_messages_do_nothing(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_put_headers(&request);
    client_put_utf16(&request, "use Other");
    expect(&c, PACKET_BATCH, PACKET_IGNORE, "DONE 02 00 0\n");
    client_close(&c);
}

static void a_client_that_leaves_ends_its_request(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    client_send_batch(&c, "hang");
    client_close(&c); /* waits for the session's thread */
}

#define BULK_COLUMNS "\x81\x01\0" "\0\0\0\0\x09\0" "\x26\x04" "\x01" "a\0" /* one INT column, a */
#define BULK_DONE "\xFD\0\0\0\0\0\0\0\0\0\0\0\0"

static void bulk_loads_follow_their_announcement(void **state)
{
    (void)state;
    static const char rows[] = BULK_COLUMNS "\xD1\x04\x01\0\0\0" "\xD1\0" BULK_DONE;
    static const char torn[] = BULK_COLUMNS "\xD1\x04\x01\0\0\0" "\xD1\x04\x01";
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    for (int i = 0; i < 2 * ENGINE_FAKE_PREPARED_MAX; i++) { /* what was prepared is given back */
        expect_batch(&c, "INSERT BULK t ([a] int)", "DONE 00 00 0\n");
        buf_append(&request, rows, sizeof rows - 1);
        expect(&c, PACKET_BULK, 0, "DONE 10 f0 2\n");
    }
    expect_batch(&c, "insert bulk t ([a] int) with (TABLOCK)", "DONE 00 00 0\n");
    buf_append(&request, torn, sizeof torn - 1);
    expect(&c, PACKET_BULK, 0, "ERROR 4804 severity 16 state 1 'The supplied value is not a valid instance of data type int.' line 1\nDONE 02 00 0\n");
    buf_append(&request, rows, sizeof rows - 1);
    expect(&c, PACKET_BULK, 0,
           "ERROR 4804 severity 16 state 1 'Rows of a bulk load came without the INSERT BULK that tells of them.' line 1\nDONE 02 00 0\n");
    expect_batch(&c, "INSERT BULK t ([a])", "ERROR 102 severity 15 state 1 'Incorrect syntax near ')'.' line 1\nDONE 02 00 0\n");
    client_close(&c);
}

static void too_long_requests_are_refused_and_forgotten(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    c.packet_size = PACKET_SIZE_MAX;
    client_put_headers(&request);
    buf_append_fill(&request, ' ', MESSAGE_MAX);
    expect(&c, PACKET_BATCH, 0,
           "ERROR 701 severity 17 state 1 'The request is longer than the 64 MiB that this server takes.' line 1\nDONE 02 00 0\n");
    buf_clear(&request);
    expect_batch(&c, "select 1", "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

/* --- garbage --- */

static void garbage_closes_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\x12\x01\0\x07\0\0\x01\0", 8},                      /* shorter than its header */
        {"\x12\x01\xFF\xFF\0\0\x01\0", 8},                    /* longer than any packet */
        {"\x12\x01\0\x09\0\0\x01\0\0", 9},                    /* PRELOGIN that ends in an option */
        {"\x12\x01\0\x0E\0\0\x01\0\x01\0\xFF\0\x01\xFF", 14}, /* an option that lies outside */
        {"\x10\x01\0\x08\0\0\x01\0", 8},                      /* an empty LOGIN7 */
        {"\x01\x01\0\x08\0\0\x01\0", 8},                      /* a batch before login */
        {"\x06\x01\0\x08\0\0\x01\0", 8},
        {"\x16\x03\x01\x02\0\x01\0\x01\xFC", 9}, /* TLS from the first byte */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c);
        client_send_raw(&c, rows[i].bytes, rows[i].len);
        buf_reset(&text);
        client_read_text(&c, &text);
        assert_string_equal(buf_text(&text), "closed\n");
        client_close(&c);
    }
}

/* Each byte of a good login set to others: any answer will do, but there is one, or an end. */
static void spoilt_logins_do_no_harm(void **state)
{
    (void)state;
    static const unsigned char values[] = {0, 1, 0x7F, 0x80, 0xFF};
    client_put_login(&request, V74, CLIENT_USER, CLIENT_PASSWORD, "x", true);
    for (size_t at = 0; at < request.len; at++) {
        for (size_t i = 0; i < sizeof values; i++) {
            struct client c;
            char before = request.data[at];
            client_open(&c);
            request.data[at] = (char)values[i];
            client_send(&c, PACKET_LOGIN7, 0, request.data, request.len);
            shutdown(c.fd, SHUT_WR);
            buf_reset(&text);
            client_read(&c, &text);
            request.data[at] = before;
            client_close(&c);
        }
    }
}

static void slow_clients_are_understood(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_log_in(&c, V74, true);
    static const unsigned char batch[] = {PACKET_BATCH, PACKET_END, 0, 46, 0, 0, 1, 0, 22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0, 1, 0, 0, 0, 's', 0, 'e', 0, 'l', 0, 'e', 0, 'c', 0, 't', 0, ' ', 0, '1', 0};
    for (size_t i = 0; i < sizeof batch; i++) {
        client_send_raw(&c, batch + i, 1);
    }
    buf_reset(&text);
    client_read_text(&c, &text);
    assert_string_equal(buf_text(&text), "COLUMNS INT ''\nROW 1\nDONE 10 c1 1\n");
    client_close(&c);
}

int main(void)
{
    setenv("SHARDGATE_LOG", "error", 0); /* logins fail on purpose here */
    log_open("test_session");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_is_answered_in_order),
        cmocka_unit_test(each_version_is_answered_with_itself),
        cmocka_unit_test(wrong_logins_are_refused_alike),
        cmocka_unit_test(unknown_database_is_4060_then_18456),
        cmocka_unit_test(windows_logins_and_old_versions_are_refused),
        cmocka_unit_test(refusals_are_told_at_login),
        cmocka_unit_test(prelogin_is_answered_without_encryption),
        cmocka_unit_test(clients_that_require_encryption_are_told_and_left),
        cmocka_unit_test(encryption_is_agreed_on_as_the_table_says),
        cmocka_unit_test(batches_are_answered),
        cmocka_unit_test(types_are_told_in_the_clients_dialect),
        cmocka_unit_test(long_answers_come_in_packets),
        cmocka_unit_test(long_requests_come_in_packets),
        cmocka_unit_test(executesql_takes_positions_names_and_output),
        cmocka_unit_test(rpc_errors_leave_the_connection_usable),
        cmocka_unit_test(statements_are_prepared_executed_and_dropped),
        cmocka_unit_test(several_calls_in_one_request),
        cmocka_unit_test(transaction_requests),
        cmocka_unit_test(reset_comes_first),
        cmocka_unit_test(a_reset_may_keep_the_transaction),
        cmocka_unit_test(severe_errors_end_the_connection),
        cmocka_unit_test(idle_clients_are_given_up),
        cmocka_unit_test(attention_ends_a_request_and_is_answered_once),
        cmocka_unit_test(an_attention_before_the_engine_has_begun_is_not_lost),
        cmocka_unit_test(attention_gives_up_a_message_that_is_not_whole),
        cmocka_unit_test(ignored_messages_do_nothing),
        cmocka_unit_test(a_client_that_leaves_ends_its_request),
        cmocka_unit_test(bulk_loads_follow_their_announcement),
        cmocka_unit_test(too_long_requests_are_refused_and_forgotten),
        cmocka_unit_test(garbage_closes_the_connection),
        cmocka_unit_test(spoilt_logins_do_no_harm),
        cmocka_unit_test(slow_clients_are_understood),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
