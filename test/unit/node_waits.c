// What waits in a node comes to its end by the deadlines that the node itself names: nobody else has to stir it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "node/state.h"
#include "test/support/one_node.h"

// Turns only when the node or the disk wants one.
static void run_by_deadlines(world *w, sk_ns length)
{
    sk_ns end = w->now + length;
    while (w->now < end) {
        sk_ns wanted = sk_node_turn(w->node);
        sk_ns disk = sim_disk_next(w->disk);
        sk_ns next = wanted < disk ? wanted : disk;
        if (next < w->now) next = w->now;
        w->now = next < end ? next : end;
        sim_disk_time(w->disk, w->now);
        sim_disk_run_until(w->disk, w->now);
        sk_node_time(w->node, w->now);
    }
    sk_node_turn(w->node);
}

// Time passes and the disk does nothing.
static void pass_without_disk(world *w, sk_ns length)
{
    for (sk_ns passed = 0; passed < length; passed += SK_MS) {
        w->now += SK_MS;
        sk_node_time(w->node, w->now);
        sk_node_turn(w->node);
    }
}

static void send_line(world *w, connection *from, const char *line)
{
    sk_buffer_append_text(&from->input, line);
    sk_buffer_append_text(&from->input, "\r\n");
    feed(w, from);
}

static bool answered(const connection *c, const char *start)
{
    return c->output.size >= strlen(start) && memcmp(c->output.data, start, strlen(start)) == 0;
}

// The replica is full when the clock is to be advanced: that is refused, and must be tried again.
static void L04_refused_advance_is_repeated(void **state)
{
    sk_node_config config;
    world w;
    connection c;
    world_prepare(&config);
    config.limits.pending_max = 2;
    world_open(&w, &config);
    connect_client(&w, &c, "10.0.0.9:50000");
    assert_string_equal(ask(&w, &c, "SET k v PX 100"), "+OK\r\n");
    send_line(&w, &c, "INCR a\r\nINCR b");
    pass_without_disk(&w, 200 * SK_MS);
    run_by_deadlines(&w, SK_S);
    sk_space_facts facts = sk_node_space_facts(w.node, SK_SPACE_DEFAULT, false);
    assert_int_equal(facts.keys, 2);
    assert_string_equal(ask(&w, &c, "GET k"), "$-1\r\n");
    disconnect(&w, &c);
    world_close(&w);
}

// A snapshot that failed is taken again, though nothing else happens.
static void failed_snapshot_is_repeated(void **state)
{
    sk_node_config config;
    world w;
    connection c;
    world_prepare(&config);
    config.limits.log_entries_max = 20;
    world_open(&w, &config);
    connect_client(&w, &c, "10.0.0.9:50000");
    assert_string_equal(ask(&w, &c, "SET k v"), "+OK\r\n");
    sim_disk_rule(w.disk, SIM_DISK_FAIL, 1u << SK_DISK_RENAME, 1, 1, SK_EIO);
    for (int i = 0; i < 22; i++) assert_int_equal(ask(&w, &c, "INCR n")[0], ':');
    run_by_deadlines(&w, 5 * SK_S);
    assert_true(sk_node_space_facts(w.node, SK_SPACE_DEFAULT, false).snapshot_position > 0);
    disconnect(&w, &c);
    world_close(&w);
}

// All room is taken by requests whose fate is unknown: who comes after them is answered in time all the same.
static void no_room_is_an_answer_too(void **state)
{
    sk_node_config config;
    world w;
    connection a, b;
    world_prepare(&config);
    config.origin_pending_max = 4;
    world_open(&w, &config);
    connect_client(&w, &a, "10.0.0.9:50000");
    connect_client(&w, &b, "10.0.0.9:50001");
    assert_string_equal(ask(&w, &a, "SET k v"), "+OK\r\n");
    sk_buffer_clear(&a.output);
    send_line(&w, &a, "INCR a\r\nINCR a\r\nINCR a\r\nINCR a");
    pass_without_disk(&w, config.request_timeout + 10 * SK_MS);
    assert_true(answered(&a, "-UNKNOWN"));
    send_line(&w, &b, "SET k w\r\nSET k x");
    assert_int_equal(b.output.size, 0);
    pass_without_disk(&w, config.request_timeout + 2 * SK_MS);
    assert_true(b.resumed);
    feed(&w, &b);
    pass_without_disk(&w, SK_MS);
    assert_true(answered(&b, "-CLUSTERDOWN"));
    run_by_deadlines(&w, SK_S); // the disk is back
    assert_true(b.resumed);
    sk_buffer_clear(&b.output);
    settle(&w, &b);
    assert_true(answered(&b, "+OK"));
    assert_string_equal(ask(&w, &a, "GET k"), "$1\r\nx\r\n");
    disconnect(&w, &a);
    disconnect(&w, &b);
    world_close(&w);
}

static size_t written_batches(const world *w)
{
    return (size_t)sk_wal_stats_of(w->node->wal).batches;
}

// commit-delay: a write waits for others as long as that and no longer, nobody is answered before the disk has it, and the disk is asked once.
static void writes_wait_for_each_other(void **state)
{
    sk_node_config config;
    world w;
    connection a, b;
    world_prepare(&config);
    config.commit_delay = 20 * SK_MS;
    world_open(&w, &config);
    connect_client(&w, &a, "10.0.0.9:50000");
    connect_client(&w, &b, "10.0.0.9:50001");
    assert_string_equal(ask(&w, &a, "SET k v"), "+OK\r\n");
    sk_buffer_clear(&a.output);
    run_by_deadlines(&w, SK_S);
    size_t before = written_batches(&w);
    send_line(&w, &a, "SET a 1");
    run_by_deadlines(&w, 10 * SK_MS);
    send_line(&w, &b, "SET b 1");
    run_by_deadlines(&w, 9 * SK_MS);
    assert_int_equal(a.output.size, 0);
    assert_int_equal(written_batches(&w), before);
    run_by_deadlines(&w, 5 * SK_MS);
    assert_true(answered(&a, "+OK") && answered(&b, "+OK"));
    assert_int_equal(written_batches(&w), before + 1);
    disconnect(&w, &a);
    disconnect(&w, &b);
    world_close(&w);
}

// Every timer comes late: only the disk, and what is due by itself, move things on.
static void run_by_disk(world *w, sk_ns length)
{
    sk_ns end = w->now + length;
    while (w->now < end) {
        while (sk_node_turn(w->node) <= w->now) continue;
        sk_ns next = sim_disk_next(w->disk);
        if (next > end) break;
        w->now = next;
        sim_disk_time(w->disk, w->now);
        sim_disk_run_until(w->disk, w->now);
        sk_node_time(w->node, w->now);
    }
}

// More is asked than the replica takes at a time: the rest goes on as soon as there is room, not when a timer says so (seeds 1014947 and
// 1023524 of crdt: a node with little room and late timers answered UNKNOWN beside an idle disk).
static void what_found_no_room_follows_the_next_answer(void **state)
{
    sk_node_config config;
    world w;
    connection c;
    world_prepare(&config);
    config.limits.pending_max = 4;
    world_open(&w, &config);
    connect_client(&w, &c, "10.0.0.9:50000");
    assert_string_equal(ask(&w, &c, "SPACE CREATE counts PREFIX c/ PROTOCOL crdt"), "+OK\r\n");
    const char *const lines[] = {"INCR a", "INCR c/a"};
    for (int kind = 0; kind < 2; kind++) {
        sk_buffer_clear(&c.output);
        for (int i = 0; i < 40; i++) send_line(&w, &c, lines[kind]);
        run_by_disk(&w, SK_S);
        assert_true(sk_client_idle(c.client));
        assert_null(memmem(c.output.data, c.output.size, "-", 1));
        assert_int_equal(memcmp(c.output.data + c.output.size - 5, ":40\r\n", 5), 0);
    }
    disconnect(&w, &c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L04_refused_advance_is_repeated),
        cmocka_unit_test(failed_snapshot_is_repeated),
        cmocka_unit_test(no_room_is_an_answer_too),
        cmocka_unit_test(writes_wait_for_each_other),
        cmocka_unit_test(what_found_no_room_follows_the_next_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
