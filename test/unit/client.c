// One client of a node: order, cuts, protocol errors, bounds. Data commands are checked against the key space
// alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/prng.h"
#include "node/state.h"
#include "test/support/driver.h"
#include "test/support/one_node.h"

#define SETUP                                                                                                \
    sk_node_config config;                                                                                   \
    world w;                                                                                                 \
    connection c;                                                                                            \
    world_prepare(&config);                                                                                  \
    world_open(&w, &config);                                                                                 \
    connect_client(&w, &c, "10.0.0.9:50000")
#define DONE                                                                                                 \
    disconnect(&w, &c);                                                                                      \
    world_close(&w)

static void append(sk_buffer *to, const char *text)
{
    sk_buffer_append_text(to, text);
}

// ---- Order ----

// A random request into `input`, its reply into `want`.
static void draw_request(sk_prng *prng, driver *model, sk_buffer *input, sk_buffer *want)
{
    static const char *const words[] = {"SET %s v%u", "GET %s",        "INCR n%s",       "DEL %s",
                                        "EXISTS %s",  "APPEND %s x%u", "GET %s",         "GET %s",
                                        "STRLEN %s",  "KEYS *",        "OBJECT FOO",     "NOSUCH a b",
                                        "GET",        "TYPE %s",       "SETRANGE %s 3 z"};
    static const char *const keys[] = {"a", "b", "c", "d"};
    char line[64];
    uint64_t kind = sk_prng_below(prng, sizeof words / sizeof words[0] + 2);
    if (kind >= sizeof words / sizeof words[0]) {
        unsigned number = (unsigned)sk_prng_below(prng, 10);
        sk_buffer_printf(input, kind & 1 ? "PING %u\r\n" : "ECHO %u\r\n", number);
        sk_buffer_printf(want, "$1\r\n%u\r\n", number);
        return;
    }
    // The format's numbers follow its keys; what it does not use is ignored.
    snprintf(line, sizeof line, words[kind], keys[sk_prng_below(prng, 4)],
             (unsigned)sk_prng_below(prng, 100));
    append(input, line);
    append(input, "\r\n");
    driver_ask(model, line);
    sk_buffer_append_slice(want, sk_buffer_slice(&model->reply));
}

static void replies_come_in_order(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        SETUP;
        sk_prng prng;
        sk_prng_init(&prng, seed);
        driver model;
        driver_open(&model, (sk_keyspace_limits){0});
        sk_buffer whole = {0}, want = {0};
        for (int i = 0; i < 300; i++) draw_request(&prng, &model, &whole, &want);
        size_t sent = 0;
        while (sent < whole.size) {
            size_t piece = (size_t)sk_prng_between(&prng, 1, 600);
            if (piece > whole.size - sent) piece = whole.size - sent;
            sk_buffer_append(&c.input, whole.data + sent, piece);
            sent += piece;
            feed(&w, &c);
            if (sk_prng_chance(&prng, 1, 3)) turn(&w, SK_MS);
            if (c.resumed) feed(&w, &c);
        }
        settle(&w, &c);
        assert_int_equal(c.output.size, want.size);
        assert_memory_equal(c.output.data, want.data, want.size);
        sk_buffer_deinit(&whole);
        sk_buffer_deinit(&want);
        driver_close(&model);
        DONE;
    }
}

// ---- The protocol ----

static void E01_E02_E06_errors_close(void **state)
{
    static const char *const inputs[][2] = {
        {"*1000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1\r\n$-2\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$9223372036854775807\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*2\r\n$3\r\nGET\r\n*1\r\n$1\r\na\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"},
        {"*1\r\n$4\r\nPINGxxPING\r\n", "-ERR Protocol error: expected CRLF after an argument\r\n"},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        SETUP;
        // What came before is answered first, what comes behind never.
        append(&c.input, "SET k v\r\nGET k\r\n");
        append(&c.input, inputs[i][0]);
        append(&c.input, "\r\nSET k w\r\n");
        settle(&w, &c);
        assert_null(c.client);
        sk_buffer_append_byte(&c.output, 0);
        char want[256];
        snprintf(want, sizeof want, "+OK\r\n$1\r\nv\r\n%s", inputs[i][1]);
        assert_string_equal((const char *)c.output.data, want);
        disconnect(&w, &c);
        connect_client(&w, &c, "10.0.0.9:50001");
        assert_string_equal(ask(&w, &c, "GET k"), "$1\r\nv\r\n");
        DONE;
    }
}

static void E04_cuts_change_nothing(void **state)
{
    static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nGET k\r\n\r\n*0\r\nNOSUCH "
                               "x\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
                               "INCR n\r\nGET n\r\nPING\r\n";
    static const char want[] =
        "+OK\r\n$4\r\na\r\nb\r\n-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n$0\r\n\r\n"
        ":1\r\n$1\r\n1\r\n+PONG\r\n";
    for (size_t cut = 0; cut <= sizeof text; cut++) { // the last round: every byte alone
        SETUP;
        for (size_t i = 0; i + 1 < sizeof text; i++) {
            sk_buffer_append_byte(&c.input, (uint8_t)text[i]);
            if (i + 1 == cut || cut == sizeof text) feed(&w, &c);
        }
        settle(&w, &c);
        sk_buffer_append_byte(&c.output, 0);
        assert_string_equal((const char *)c.output.data, want);
        DONE;
    }
}

static void E07_http_is_closed(void **state)
{
    SETUP;
    append(&c.input, "POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n");
    settle(&w, &c);
    assert_null(c.client);
    assert_int_equal(c.output.size, 0);
    disconnect(&w, &c);
    connect_client(&w, &c, "10.0.0.9:50001");
    assert_string_equal(ask(&w, &c, "GET k"), "$-1\r\n");
    DONE;
}

// ---- Bounds ----

static void E08_who_does_not_read_is_not_listened_to(void **state)
{
    SETUP;
    c.deaf = true;
    sk_buffer line = {0};
    append(&line, "NOSUCH ");
    for (int i = 0; i < 200; i++) append(&line, "x");
    append(&line, "\r\n");
    size_t sent = 0;
    for (int i = 0; i < 100000; i++) {
        if (c.input.size > 64 * 1024) break; // it takes no more
        sk_buffer_append_slice(&c.input, sk_buffer_slice(&line));
        sent++;
        if (i % 50 == 0) {
            feed(&w, &c);
            turn(&w, SK_MS);
        }
    }
    assert_in_range(sent, 1000, 20000);
    assert_in_range(c.unread->size, 1, 2 * 1024 * 1024);
    // Once it reads, everything is answered.
    listen_again(&w, &c);
    settle(&w, &c);
    size_t errors = 0;
    for (size_t i = 0; i < c.output.size; i++) errors += c.output.data[i] == '\n';
    assert_int_equal(errors, sent);
    sk_buffer_deinit(&line);
    DONE;
}

// A thousand requests for a large value fit in a few packets; their replies must not all be made at once.
static void E08_large_replies_are_bounded(void **state)
{
    enum { SIZE = 256 * 1024, LIMIT = 4 * 1024 * 1024 };
    sk_node_config config;
    world w;
    connection c;
    world_prepare(&config);
    config.client_output_max = LIMIT;
    world_open(&w, &config);
    connect_client(&w, &c, "10.0.0.9:50000");
    sk_buffer_printf(&c.input, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", SIZE);
    memset(sk_buffer_reserve(&c.input, SIZE), 'x', SIZE);
    c.input.size += SIZE;
    append(&c.input, "\r\n");
    settle(&w, &c);
    for (int kind = 0; kind < 2; kind++) { // reads, then reads ordered behind a write
        sk_buffer_clear(&c.output);
        if (kind) append(&c.input, "SET other v\r\n");
        for (int i = 0; i < 1000; i++) append(&c.input, "GET k\r\n");
        for (int i = 0; i < 2000 && c.client; i++) {
            if (i == 0 || c.resumed) feed(&w, &c);
            turn(&w, SK_MS);
            if (c.client) assert_true(c.client->out.capacity + c.client->held < 4 * LIMIT);
            assert_true(sk_sessions_memory(&w.node->spaces[SK_SPACE_DEFAULT]->sessions) < 2 * SIZE);
        }
        assert_null(c.client); // far more than it may leave unread in one turn
        disconnect(&w, &c);
        connect_client(&w, &c, "10.0.0.9:50001");
        assert_string_equal(ask(&w, &c, "PING"), "+PONG\r\n");
    }
    DONE;
}

// ---- Ends ----

// E10: killed, or gone, with a sliced command paused because nobody reads it.
static void E10_gone_while_a_job_is_paused(void **state)
{
    SETUP;
    for (int i = 0; i < 40000; i += 100) {
        append(&c.input, "MSET");
        for (int j = i; j < i + 100; j++) sk_buffer_printf(&c.input, " key%d v", j);
        append(&c.input, "\r\n");
    }
    settle(&w, &c);
    for (int way = 0; way < 2; way++) {
        connection other;
        connect_client(&w, &other, "10.0.0.8:40000");
        other.deaf = true;
        append(&other.input, "PING\r\nKEYS *\r\nPING\r\n");
        feed(&w, &other);
        for (int i = 0; i < 20; i++) turn(&w, SK_MS);
        assert_non_null(other.client->job);
        assert_true(other.unread != NULL);
        if (way == 0) {
            assert_string_equal(ask(&w, &c, "CLIENT KILL ADDR 10.0.0.8:40000"), ":1\r\n");
            assert_null(other.client);
        } else {
            sk_node_client_gone(w.node, other.client);
            other.client = NULL;
        }
        turn(&w, SK_MS);
        assert_int_equal(w.node->client_count, 1);
        disconnect(&w, &other);
    }
    // Paused and read again it comes to its end.
    c.deaf = true;
    append(&c.input, "PING\r\nKEYS *\r\nPING\r\n");
    feed(&w, &c);
    for (int i = 0; i < 20; i++) turn(&w, SK_MS);
    assert_non_null(c.client->job);
    sk_buffer_clear(&c.output);
    listen_again(&w, &c);
    settle(&w, &c);
    assert_memory_equal(c.output.data, "+PONG\r\n*40000\r\n", 15);
    assert_memory_equal(c.output.data + c.output.size - 7, "+PONG\r\n", 7);
    DONE;
}

static void what_a_gone_client_asked_takes_effect(void **state)
{
    SETUP;
    connection other;
    connect_client(&w, &other, "10.0.0.8:40000");
    append(&other.input, "SET a 1\r\nINCR a\r\nGET a\r\n");
    feed(&w, &other);
    sk_node_client_gone(w.node, other.client);
    other.client = NULL;
    assert_string_equal(ask(&w, &c, "GET a"), "$1\r\n2\r\n");
    assert_int_equal(w.node->client_count, 1);
    disconnect(&w, &other);
    DONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_in_order),
        cmocka_unit_test(E01_E02_E06_errors_close),
        cmocka_unit_test(E04_cuts_change_nothing),
        cmocka_unit_test(E07_http_is_closed),
        cmocka_unit_test(E08_who_does_not_read_is_not_listened_to),
        cmocka_unit_test(E08_large_replies_are_bounded),
        cmocka_unit_test(E10_gone_while_a_job_is_paused),
        cmocka_unit_test(what_a_gone_client_asked_takes_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
