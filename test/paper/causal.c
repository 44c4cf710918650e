// The causal protocol's rules (src/protocol/causal/causal.h), and the checklist's lines on causal broadcast by name: V01 to V04.
#include "protocol/merger/lives.h"
#include "test/support/causal_cluster.h"

// ---- Rules 1 and 2 ----

static void a_write_waits_for_its_own_disk_alone(void **state)
{
    run_a_write_waits_for_its_own_disk_alone(&sk_causal);
}

// A batch names only what is new to those who have the actor's earlier ones.
static void D11_a_disk_that_is_behind(void **state)
{
    run_a_disk_that_is_behind(&sk_causal);
    run_an_answer_waits_for_the_disk(&sk_causal);
    run_a_disk_slower_than_patience(&sk_causal);
    run_a_disk_that_stands_still(&sk_causal);
}

static void needs_are_trimmed(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 1);
    submit(&c, 1, "set other v");
    crdt_run(&c, SK_S);
    for (int i = 0; i < 100; i++) {
        submit(&c, 0, "set k%d v", i);
        crdt_run(&c, 10 * SK_MS);
    }
    assert_int_equal(counts(&c, 0)->needs_entries, 1);
    crdt_close(&c);
}

// ---- The checklist ----

static void V01_not_before_its_cause_through_a_third(void **state)
{
    for (int slow = 0; slow < 2; slow++) { // the direct message comes soon, or so late that the third must hand it on
        crdt_cluster c;
        open_cluster(&c, 3, 1);
        crdt_run(&c, SK_S);
        submit_first(&c, 0, "set question asked");
        delay(&c, 0, 2, slow ? 60 * SK_S : 15 * SK_MS);
        crdt_run(&c, 6 * SK_MS);
        reads_at(&c, 1, "get question", "$5\r\nasked\r\n");
        submit_first(&c, 1, "set answer given");
        crdt_run(&c, 6 * SK_MS);
        assert_int_equal(counts(&c, 2)->held, 1);
        reads_at(&c, 2, "get answer", "$-1\r\n");
        reads_at(&c, 2, "get question", "$-1\r\n");
        crdt_run(&c, SK_S);
        reads(&c, "get question", "$5\r\nasked\r\n");
        reads(&c, "get answer", "$5\r\ngiven\r\n");
        assert_int_equal(merger_of(&c, 2)->counts.asks > 0, slow);
        crdt_heal(&c);
        agree(&c);
        crdt_close(&c);
    }
}

// The same behind a restart: what a node read then is from its disk.
static void V01_a_new_life_needs_what_was_there(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 1);
    crdt_heal(&c);
    crdt_cut(&c, 1, 2, true);
    submit_first(&c, 1, "set question asked");
    arrive(&c, 1, 0);
    crdt_sync_disk(&c, &c.nodes[0]);
    restart(&c, 0);
    drop_link(&c, 0, 2);
    submit_first(&c, 0, "set answer given");
    arrive(&c, 0, 2);
    assert_int_equal(replica_of(&c, 2)->held.count, 1);
    reads_at(&c, 2, "get answer", "$-1\r\n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "mget question answer", "*2\r\n$5\r\nasked\r\n$5\r\ngiven\r\n");
    crdt_close(&c);
}

static void V02_a_lost_message_is_asked_for_and_never_skipped(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 2);
    crdt_run(&c, SK_S);
    submit_first(&c, 0, "incr n");
    drop_link(&c, 0, 1);
    drop_link(&c, 0, 2);
    // Nobody can ask: what comes behind is held, up to the bound, and dropped beyond it.
    const int more = SK_CAUSAL_HELD_COUNT + 500;
    for (int i = 0; i < more; i++) {
        submit(&c, 0, "incr n");
        delay(&c, 1, 0, 30 * SK_S);
        delay(&c, 2, 0, 30 * SK_S);
        crdt_run(&c, SK_MS);
        assert_true(replica_of(&c, 1)->held.count <= SK_CAUSAL_HELD_COUNT);
    }
    assert_int_equal(replica_of(&c, 1)->held.count, SK_CAUSAL_HELD_COUNT);
    assert_true(merger_of(&c, 1)->counts.ignored.held_full > 0);
    reads_at(&c, 1, "get n", "$-1\r\n");
    crdt_heal(&c);
    agree(&c);
    char expected[32];
    snprintf(expected, sizeof expected, "$4\r\n%d\r\n", more + 1);
    reads(&c, "get n", expected);
    crdt_close(&c);
}

// The last message of all has nothing behind it that would show the gap: the report does.
static void V02_the_last_message_is_lost(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 2);
    crdt_run(&c, SK_S);
    submit_first(&c, 0, "set k v");
    drop_link(&c, 0, 1);
    for (int i = 0; i < 20; i++) crdt_run(&c, 50 * SK_MS);
    reads(&c, "get k", "$1\r\nv\r\n");
    crdt_close(&c);
}

// Nor are the reports behind it there: a while of silence on a link that does not break.
static void V02_the_reports_are_lost(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 2);
    crdt_heal(&c);
    submit(&c, 0, "set k v");
    for (int i = 0; i < 3000; i++) {
        drop_link(&c, 0, 1);
        crdt_run(&c, SK_MS);
    }
    drop_link(&c, 0, 1);
    reads_at(&c, 1, "get k", "$-1\r\n");
    for (int i = 0; i < 40; i++) crdt_run(&c, SK_S);
    agree(&c);
    for (size_t i = 0; i < 2; i++) assert_true(replica_of(&c, i)->again_at == SK_NEVER);
    crdt_close(&c);
}

// What comes behind a gap shows it: nobody waits for a report.
static void V02_a_gap_is_asked_for_at_once(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 2);
    crdt_heal(&c);
    submit_first(&c, 0, "incr n");
    drop_link(&c, 0, 1);
    submit(&c, 0, "incr n");
    uint64_t reports = merger_of(&c, 1)->counts.reports_received;
    for (int i = 0; i < 10; i++) crdt_run(&c, 10 * SK_MS);
    reads_at(&c, 1, "get n", "$1\r\n2\r\n");
    assert_int_equal(merger_of(&c, 1)->counts.reports_received, reports);
    crdt_close(&c);
}

static void V03_the_sender_dies_half_way(void **state)
{
    run_the_sender_dies_half_way(&sk_causal);
}

// The sender's last batch came to one node only, and not to its own disk. That node is away while the others learn that the life is
// over: they must not close it before they have heard from all.
static void V03_the_last_word_of_a_life(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 3);
    submit(&c, 0, "incr k");
    crdt_heal(&c);
    submit(&c, 0, "incr k");
    drop_link(&c, 0, 2);
    arrive(&c, 0, 1);
    cut_off(&c, 1, true);
    crdt_crash(&c, &c.nodes[0]);
    crdt_run(&c, SK_S);
    crdt_start(&c, &c.nodes[0]);
    crdt_run(&c, 10 * SK_S);
    reads_at(&c, 0, "get k", "$1\r\n1\r\n");
    reads_at(&c, 1, "get k", "$1\r\n2\r\n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get k", "$1\r\n2\r\n");
    crdt_close(&c);
}

// What another made leaves when it is on the disk of who hands it on.
static void V03_what_is_handed_on_is_on_disk(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 3);
    crdt_heal(&c);
    submit_first(&c, 0, "incr n");
    arrive(&c, 0, 1);
    computer *n = &c.nodes[1];
    uint64_t durable = n->durable;
    receive(&c, 1, 3, &(sk_merger_message){.kind = SK_CAUSAL_ASK, .session = 1, .seen = *seen_of(&c, 2)});
    bool sent = false;
    for (size_t i = 0; i < n->effects.count; i++) {
        const sk_effect *effect = &n->effects.list[i];
        if (effect->kind != SK_EFFECT_SEND || effect->send.message.data[0] != SK_CAUSAL_LOGGED) continue;
        assert_true(effect->send.after > durable);
        sent = true;
    }
    assert_true(sent);
    crdt_close(&c);
}

// A report may be from before its sender knew of our present life, though it comes now: it waited for a disk.
static void V03_who_has_not_heard_is_waited_for(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 3);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    uint64_t old = merger_of(&c, 0)->life;
    restart(&c, 0);
    crdt_heal(&c);
    for (int heard = 0; heard < 2; heard++) {
        const sk_causal_replica *one = replica_of(&c, 0);
        const sk_causal_peer *peer = &one->peers[0];
        receive(&c, 0, peer->core.id,
                &(sk_merger_message){.kind = SK_CAUSAL_REPORT, .life = peer->core.life, .heard_life = heard ? one->core.life : old, .seen = peer->core.told});
        submit(&c, 0, "incr n");
        assert_int_equal(merger_of(&c, 0)->counts.closed, heard);
    }
    crdt_heal(&c);
    agree(&c);
    crdt_close(&c);
}

// A node knows that another has more of its life than itself, and has not got it yet.
static void V03_the_last_word_of_a_life_is_waited_for(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 3);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    submit(&c, 0, "incr n");
    drop_link(&c, 0, 2);
    arrive(&c, 0, 1);
    crdt_cut(&c, 1, 2, true);
    crdt_crash(&c, &c.nodes[0]);
    crdt_sync_disk(&c, &c.nodes[1]);
    crdt_start(&c, &c.nodes[0]);
    const sk_causal_replica *one = replica_of(&c, 0);
    while (one->peers[0].heard_life != one->core.life || one->peers[1].heard_life != one->core.life) {
        bool more = crdt_next(&c, c.now + SK_S);
        assert_true(more);
        const sk_ring *link = &c.links[1][0];
        if (link->count && ((const flight *)sk_ring_at(link, 0))->bytes[0] == SK_CAUSAL_LOGGED) drop_link(&c, 1, 0);
    }
    reads_at(&c, 0, "get n", "$1\r\n1\r\n");
    submit(&c, 0, "set k v");
    assert_int_equal(merger_of(&c, 0)->counts.closed, 0);
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get n", "$1\r\n2\r\n");
    crdt_close(&c);
}

// As before, but what came to one node only is held there, for it needs what that node does not have. It says that it has all that the
// others have of the life; it must not deliver more of it behind that.
static void V03_the_last_word_of_a_life_is_held(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 3);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    crdt_cut(&c, 1, 2, true);
    submit_first(&c, 1, "set k v");
    arrive(&c, 1, 0);
    crdt_sync_disk(&c, &c.nodes[0]);
    submit(&c, 0, "incr n"); // needs what node 3 does not have
    drop_link(&c, 0, 1);
    arrive(&c, 0, 2);
    assert_int_equal(replica_of(&c, 2)->held.count, 1);
    restart(&c, 0);
    while (sk_vector_compare(seen_of(&c, 0), seen_of(&c, 2)) != SK_ORDER_EQUAL) { // node 3 gets what it lacked
        bool more = crdt_next(&c, c.now + 100 * SK_MS);
        assert_true(more && sk_vector_covers(seen_of(&c, 0), seen_of(&c, 2)));
    }
    submit(&c, 0, "set over 1");
    crdt_heal(&c);
    submit(&c, 0, "set over 2");
    crdt_heal(&c);
    assert_int_equal(merger_of(&c, 0)->counts.closed, 1);
    agree(&c);
    reads(&c, "mget n k over", "*3\r\n$1\r\n1\r\n$1\r\nv\r\n$1\r\n2\r\n");
    crdt_close(&c);
}

// A lost disk, and a boot number that begins again: what the new life writes is new to all.
static void V04_a_restart_from_nothing(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 4);
    for (int i = 0; i < 30; i++) submit(&c, 0, "incr n");
    crdt_run(&c, 2 * SK_S);
    crdt_crash(&c, &c.nodes[0]);
    crdt_wipe(&c.nodes[0]);
    c.nodes[0].boot = 0;
    cut_off(&c, 0, true);
    crdt_start(&c, &c.nodes[0]);
    submit(&c, 0, "sadd s again");
    submit(&c, 0, "incr n");
    reads_at(&c, 0, "get n", "$1\r\n1\r\n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get n", "$2\r\n31\r\n");
    reads(&c, "sismember s again", ":1\r\n");
    crdt_close(&c);
}

static void V04_a_backup_from_within_a_retired_life(void **state)
{
    run_a_backup_from_within_a_life_that_is_over(&sk_causal);
}

// A backup, a clock set back and a boot number that begins again make the same life: others know more of it than its node does.
static void V04_a_life_that_others_know_better(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 4);
    uint64_t life = merger_of(&c, 0)->life;
    for (int i = 0; i < 5; i++) submit(&c, 0, "incr n");
    crdt_heal(&c);
    crdt_crash(&c, &c.nodes[0]);
    crdt_wipe(&c.nodes[0]);
    c.nodes[0].boot = 0;
    c.nodes[0].wall_offset_ms = (int64_t)(SK_S / SK_MS) - (int64_t)(c.now / SK_MS);
    crdt_start(&c, &c.nodes[0]);
    assert_true(merger_of(&c, 0)->life == life);
    crdt_run(&c, SK_S);
    assert_int_equal(merger_of(&c, 0)->counts.reborn, 1);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get n", "$1\r\n6\r\n");
    crdt_close(&c);
}

// The log is gone, and the clock with it: what is written before anybody is heard from is no part of a life that all know to be over
// (simulator, seed 2140).
static void V04_a_damaged_log_and_a_clock_set_back(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 4);
    for (int i = 0; i < 3; i++) {
        submit(&c, 0, "incr n");
        crdt_heal(&c);
        crdt_crash(&c, &c.nodes[0]);
        if (i == 2) crdt_wipe(&c.nodes[0]);
        c.nodes[0].damaged = i == 2;
        c.nodes[0].wall_offset_ms = i == 2 ? -1700000000000 : 0;
        crdt_start(&c, &c.nodes[0]);
        if (i < 2) crdt_heal(&c);
    }
    assert_int_equal(merger_of(&c, 1)->counts.closed, 2);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get n", "$1\r\n4\r\n");
    crdt_close(&c);
}

// Boot numbers leap, so their lower bits are no order: what starts later has the greater life all the same.
static void V04_lives_of_one_second_are_in_order(void **state)
{
    const sk_vector nothing = {0};
    uint64_t last = 0;
    for (uint64_t i = 1; i < 1000; i++) {
        uint64_t life = sk_life_choose(1, i * 12345677, 1700000000000 + i, &nothing, 0);
        assert_true(life > last && life >> SK_ACTOR_LIFE_BITS == 0);
        last = life;
    }
}

// A node that knows an earlier life of its own, or of others, to be over must know so again when it comes back: what it wrote then does
// not wait for it, and what it has told others that it has is there (seed 715).
static void V04_a_life_is_closed_by_a_batch(void **state)
{
    for (size_t writer = 0; writer < 2; writer++) {
        crdt_cluster c;
        sk_vector before = {0};
        open_cluster(&c, 2, 4);
        submit(&c, 0, "incr n");
        crdt_heal(&c);
        restart(&c, 0);
        crdt_heal(&c);
        submit(&c, 0, "incr n");
        crdt_heal(&c);
        for (size_t i = 0; i < 2; i++) assert_int_equal(merger_of(&c, i)->counts.closed, 1);
        agree(&c);
        crdt_cut(&c, 0, 1, true);
        restart(&c, writer);
        submit(&c, writer, "incr n"); // the first of its life: it needs all that is there
        crdt_sync_disk(&c, &c.nodes[writer]);
        sk_vector_copy(&before, seen_of(&c, writer));
        restart(&c, writer);
        assert_int_equal(sk_vector_compare(seen_of(&c, writer), &before), SK_ORDER_EQUAL);
        reads_at(&c, writer, "get n", "$1\r\n3\r\n");
        crdt_heal(&c);
        agree(&c);
        reads(&c, "get n", "$1\r\n3\r\n");
        sk_vector_deinit(&before);
        crdt_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_waits_for_its_own_disk_alone),
        cmocka_unit_test(D11_a_disk_that_is_behind),
        cmocka_unit_test(needs_are_trimmed),
        cmocka_unit_test(V01_not_before_its_cause_through_a_third),
        cmocka_unit_test(V01_a_new_life_needs_what_was_there),
        cmocka_unit_test(V02_a_lost_message_is_asked_for_and_never_skipped),
        cmocka_unit_test(V02_the_last_message_is_lost),
        cmocka_unit_test(V02_the_reports_are_lost),
        cmocka_unit_test(V02_a_gap_is_asked_for_at_once),
        cmocka_unit_test(V03_the_sender_dies_half_way),
        cmocka_unit_test(V03_the_last_word_of_a_life),
        cmocka_unit_test(V03_the_last_word_of_a_life_is_waited_for),
        cmocka_unit_test(V03_the_last_word_of_a_life_is_held),
        cmocka_unit_test(V03_what_is_handed_on_is_on_disk),
        cmocka_unit_test(V03_who_has_not_heard_is_waited_for),
        cmocka_unit_test(V04_a_restart_from_nothing),
        cmocka_unit_test(V04_a_backup_from_within_a_retired_life),
        cmocka_unit_test(V04_a_life_that_others_know_better),
        cmocka_unit_test(V04_a_damaged_log_and_a_clock_set_back),
        cmocka_unit_test(V04_lives_of_one_second_are_in_order),
        cmocka_unit_test(V04_a_life_is_closed_by_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
