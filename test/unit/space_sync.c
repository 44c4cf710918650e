// When what others wrote in a mergeable space is synced: with the report of it, or before for whoever waits. Nothing of one's own waits. And
// what becomes of what waits.
#include "base/alloc.h"
#include "store/wal.h"
#include "test/support/group.h"

enum { WRITES = 150 }; // one a millisecond

typedef struct setting {
    group g;
    connection writer, other; // at nodes 1 and 2
} setting;

static void open_all(setting *s, const char *protocol)
{
    char line[100];
    group_prepare(&s->g, 3);
    group_open(&s->g);
    GROUP_UNTIL(&s->g, group_leader(&s->g));
    group_connect(&s->g, 1, &s->writer);
    group_connect(&s->g, 2, &s->other);
    snprintf(line, sizeof line, "SPACE CREATE made PREFIX m/ PROTOCOL %s", protocol);
    GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, 1, &s->writer, "SET ready 1"), "+OK\r\n") == 0);
    assert_string_equal(group_ask(&s->g, 1, &s->writer, line), "+OK\r\n");
    for (sk_node_id id = 1; id <= 2; id++) {
        connection *c = id == 1 ? &s->writer : &s->other;
        GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, id, c, "SET m/ready 1"), "+OK\r\n") == 0);
    }
    group_run(&s->g, 5 * SK_S); // until all is told
}

static void close_all(setting *s)
{
    group_disconnect(&s->g, 1, &s->writer);
    group_disconnect(&s->g, 2, &s->other);
    group_close(&s->g);
}

static uint64_t syncs(setting *s, sk_node_id id)
{
    return sk_wal_stats_of(s->g.nodes[id].w.node->wal).syncs;
}

static void write_some(setting *s)
{
    for (int i = 0; i < WRITES; i++) {
        char line[50];
        snprintf(line, sizeof line, "SET m/%d %d", i, i);
        group_send(&s->g, 1, &s->writer, line);
        group_turn(&s->g);
    }
}

static uint64_t not_synced(setting *s, sk_node_id id)
{
    sk_node *node = s->g.nodes[id].w.node;
    return sk_node_space_facts(node, node->space_count - 1, false).not_synced;
}

static void others_writes_wait_for_the_report(setting *s)
{
    uint64_t before[3] = {0, syncs(s, 1), syncs(s, 2)};
    write_some(s);
    assert_true(syncs(s, 1) - before[1] >= WRITES / 4); // it answers each: at most what came during a sync goes together
    assert_true(syncs(s, 2) - before[2] <= 4);
    assert_true(not_synced(s, 2) > 0);
    group_run(&s->g, 400 * SK_MS);
    assert_int_equal(not_synced(s, 2), 0);
    assert_true(syncs(s, 2) > before[2]);
}

static void own_writes_do_not_wait(setting *s)
{
    write_some(s);
    assert_true(not_synced(s, 2) > 0);
    sk_ns before = s->g.now;
    assert_string_equal(group_ask(&s->g, 2, &s->other, "SET m/own 1"), "+OK\r\n");
    assert_true(s->g.now - before < 50 * SK_MS);
    assert_int_equal(not_synced(s, 2), 0); // all that came before it is in the log before it
    // Nor does an answer that changes nothing, behind what others wrote.
    write_some(s);
    assert_true(not_synced(s, 2) > 0);
    before = s->g.now;
    assert_string_equal(group_ask(&s->g, 2, &s->other, "DEL m/none"), ":0\r\n");
    assert_true(s->g.now - before < 50 * SK_MS);
}

static void a_token_does_not_wait(setting *s)
{
    write_some(s);
    assert_true(not_synced(s, 2) > 0);
    sk_ns before = s->g.now;
    assert_string_equal(group_ask(&s->g, 2, &s->other, "GET m/3"), "$1\r\n3\r\n");
    assert_int_equal(group_ask(&s->g, 2, &s->other, "SESSION TOKEN")[0], '$');
    assert_true(s->g.now - before < 50 * SK_MS);
    assert_int_equal(not_synced(s, 2), 0);
}

// Rule of protocol.h. A chunk that waited while its asker began anew was taken for the answer to its next question (seed 1033366).
static void no_message_outlives_its_link(setting *s)
{
    write_some(s);
    group_run(&s->g, 250 * SK_MS); // a report is due, and waits for the disk
    sk_space *space = s->g.nodes[2].w.node->spaces[s->g.nodes[2].w.node->space_count - 1];
    assert_true(space->held.count >= 2);
    group_unlink(&s->g, 2, 1);
    assert_true(space->held.count > 0); // to the third
    group_unlink(&s->g, 2, 3);
    assert_int_equal(space->held.count, 0);
    group_link(&s->g, 2, 1);
    group_link(&s->g, 2, 3);
}

static void run(const char *protocol, void (*test)(setting *))
{
    setting *s = sk_alloc_zeroed(sizeof *s);
    open_all(s, protocol);
    test(s);
    close_all(s);
    sk_free(s);
}

static void what_others_wrote_waits_for_the_report(void **state)
{
    run("crdt", others_writes_wait_for_the_report);
    run("causal", others_writes_wait_for_the_report);
}

static void nothing_of_ones_own_waits(void **state)
{
    run("crdt", own_writes_do_not_wait);
    run("causal", own_writes_do_not_wait);
}

static void tokens_do_not_wait(void **state)
{
    run("crdt", a_token_does_not_wait);
    run("causal", a_token_does_not_wait);
}

static void C07_what_waits_for_the_disk_goes_with_its_link(void **state)
{
    run("crdt DURABILITY volatile", no_message_outlives_its_link);
    run("causal DURABILITY volatile", no_message_outlives_its_link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_wrote_waits_for_the_report),
        cmocka_unit_test(nothing_of_ones_own_waits),
        cmocka_unit_test(tokens_do_not_wait),
        cmocka_unit_test(C07_what_waits_for_the_disk_goes_with_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
