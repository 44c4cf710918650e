// The causal protocol's catching up by log and state, its bounds, and what is not honest: the checklist's lines by name from V05 on. Those before
// are in causal.c.
#include "test/support/causal_cluster.h"

// Members are the founders: nobody else is heard, and no vector waits for one.
static void V05_strangers_are_not_heard(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 5);
    submit(&c, 0, "set k v");
    crdt_heal(&c);
    uint64_t digest = crdt_digest(&c.nodes[0]);
    const sk_causal_entry *entry = NULL;
    submit(&c, 1, "set k other");
    entry = sk_ring_at(&replica_of(&c, 1)->log, replica_of(&c, 1)->log.count - 1);
    receive(&c, 0, 9, &(sk_merger_message){.kind = SK_CAUSAL_BATCHES, .bytes = sk_slice_make(entry->bytes, entry->size)});
    assert_int_equal(merger_of(&c, 0)->counts.ignored.not_a_member, 1);
    assert_true(crdt_digest(&c.nodes[0]) == digest);
    crdt_close(&c);
}

// Who has taken over a state has no batches of it: who asks it for them is sent the state.
static void V05_a_state_begins_the_log_anew(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 5);
    crdt_heal(&c);
    merger_of(&c, 0)->limits.window_bytes_max = 1000;
    for (size_t i = 0; i < 3; i++) crdt_cut(&c, i, (i + 1) % 3, true);
    for (int i = 0; i < 100; i++) submit(&c, 0, "set k%d v%d", i, i);
    crdt_run(&c, SK_S);
    crdt_cut(&c, 2, 0, false);
    crdt_run(&c, 2 * SK_S);
    assert_int_equal(counts(&c, 2)->state_syncs, 1);
    crdt_crash(&c, &c.nodes[0]);
    submit(&c, 2, "set last v");
    crdt_cut(&c, 1, 2, false);
    for (int i = 0; i < 20; i++) crdt_run(&c, 100 * SK_MS);
    assert_int_equal(counts(&c, 1)->state_syncs, 1);
    assert_int_equal(sk_vector_compare(seen_of(&c, 1), seen_of(&c, 2)), SK_ORDER_EQUAL);
    reads_at(&c, 1, "dbsize", ":101\r\n");
    crdt_heal(&c);
    agree(&c);
    crdt_close(&c);
}

static void until_state_is_taken(crdt_cluster *c, size_t node)
{
    uint64_t before = counts(c, node)->state_syncs;
    while (counts(c, node)->state_syncs == before) {
        bool more = crdt_next(c, c->now + SK_S);
        assert_true(more);
    }
}

// A power cut keeps the first records of a state that was taken over, and not the last: what comes behind it in the log is another
// state's (simulator, seed 4786).
static void V05_a_state_in_the_log_is_whole_or_nothing(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 5);
    crdt_heal(&c);
    merger_of(&c, 0)->limits.window_bytes_max = 1000;
    crdt_cut(&c, 0, 1, true);
    for (int i = 0; i < 100; i++) submit(&c, 0, "set k%d v%d", i, i);
    crdt_run(&c, SK_S);
    crdt_cut(&c, 0, 1, false);
    uint64_t durable = c.nodes[1].durable;
    until_state_is_taken(&c, 1);
    c.nodes[1].durable = durable + 1; // a chunk, and no vector
    crdt_crash(&c, &c.nodes[1]);
    assert_int_equal(c.nodes[1].records.count, 1);
    crdt_start(&c, &c.nodes[1]);
    reads_at(&c, 1, "dbsize", ":0\r\n");
    until_state_is_taken(&c, 1);
    crdt_cut(&c, 0, 1, true);
    submit(&c, 1, "set own v");
    crdt_sync_disk(&c, &c.nodes[1]);
    restart(&c, 1);
    reads_at(&c, 1, "mget k99 own", "*2\r\n$3\r\nv99\r\n$1\r\nv\r\n");
    crdt_heal(&c);
    agree(&c);
    crdt_close(&c);
}

// Differences in the log make nothing whole if what they are the difference to is lost with a snapshot (seeds 41, 382, 1422).
static void V05_differences_to_what_is_lost(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 5);
    submit(&c, 0, "set first v");
    crdt_heal(&c);
    merger_of(&c, 0)->limits.window_bytes_max = 1000;
    crdt_snapshot(&c, &c.nodes[1]);
    crdt_cut(&c, 0, 1, true);
    for (int i = 0; i < 100; i++) submit(&c, 0, "set k%d v%d", i, i);
    crdt_run(&c, SK_S);
    crdt_cut(&c, 0, 1, false);
    until_state_is_taken(&c, 1);
    crdt_sync_disk(&c, &c.nodes[1]);
    crdt_crash(&c, &c.nodes[1]);
    sk_buffer_clear(&c.nodes[1].snapshot);
    c.nodes[1].snapshot_position = 0;
    crdt_start(&c, &c.nodes[1]);
    reads_at(&c, 1, "dbsize", ":0\r\n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "mget first k99", "*2\r\n$1\r\nv\r\n$3\r\nv99\r\n");
    crdt_close(&c);
}

static size_t sent_of_kind(const computer *n, enum sk_causal_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < n->effects.count; i++) {
        const sk_effect *effect = &n->effects.list[i];
        count += effect->kind == SK_EFFECT_SEND && effect->send.message.data[0] == kind;
    }
    return count;
}

// The two answers would come as one: parts of the first, and the vector of the second (simulator, seed 5170).
static void V05_an_ask_that_comes_twice_is_answered_once(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 2, 5);
    crdt_heal(&c);
    submit(&c, 0, "set k v");
    sk_vector nothing = {0};
    const sk_merger_message ask = {.kind = SK_CAUSAL_ASK, .session = 7, .seen = nothing};
    receive(&c, 0, 2, &ask);
    assert_int_equal(sent_of_kind(&c.nodes[0], SK_CAUSAL_DONE) + sent_of_kind(&c.nodes[0], SK_CAUSAL_LOGGED_ALL), 1);
    receive(&c, 0, 2, &ask);
    assert_int_equal(c.nodes[0].effects.count, 0);
    assert_int_equal(counts(&c, 0)->asked_before, 1);
    // Nor is the end of a state taken behind parts of a log.
    sk_causal_replica *replica = replica_of(&c, 1);
    replica->core.ask = (sk_merger_ask){.peer = &replica->peers[0].core, .session = 77, .until = SK_NEVER, .parts = 1};
    receive(&c, 1, 1, &(sk_merger_message){.kind = SK_CAUSAL_DONE, .session = 77, .number = 2, .seen = *seen_of(&c, 0)});
    assert_int_equal(counts(&c, 1)->forged, 1);
    crdt_heal(&c);
    agree(&c);
    crdt_close(&c);
}

static void V06_counters_near_their_ends(void **state)
{
    const uint64_t starts[] = {((uint64_t)1 << 32) - 10, SK_COUNTER_MAX - ((uint64_t)1 << 40) - 10, SK_COUNTER_MAX - 10};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        crdt_cluster c;
        open_cluster(&c, 3, 6);
        crdt_run(&c, SK_S);
        for (size_t i = 0; i < 3; i++) { // as if so many changes had been seen by all
            sk_mergeable *state_of = &sk_mergespace_of(c.nodes[i].machine)->state;
            for (size_t k = 0; k < 3; k++) sk_vector_raise(&state_of->seen, sk_causal_self(replica_of(&c, k)), starts[s]);
            replica_of(&c, i)->flushed = starts[s];
            sk_causal_log_restart(replica_of(&c, i));
        }
        for (int i = 0; i < 60; i++) {
            submit(&c, (size_t)i % 3, "incr n");
            submit(&c, (size_t)i % 3, "sadd s m%d", i);
            if (i % 7 == 0) drop_link(&c, (size_t)i % 3, (size_t)(i + 1) % 3);
            crdt_run(&c, 10 * SK_MS);
        }
        crdt_heal(&c);
        agree(&c);
        reads(&c, "get n", "$2\r\n60\r\n");
        reads(&c, "scard s", ":60\r\n");
        crdt_close(&c);
    }
}

// A client that moves: its token is a vector, and the next node serves it when it has all of that.
static void V07_a_session_moves(void **state)
{
    crdt_cluster c;
    sk_vector token = {0};
    open_cluster(&c, 3, 7);
    crdt_run(&c, SK_S);
    submit(&c, 0, "set mine 1");
    sk_vector_copy(&token, seen_of(&c, 0));
    drop_link(&c, 0, 1);
    delay(&c, 0, 2, 5 * SK_MS);
    assert_false(sk_vector_covers(seen_of(&c, 1), &token));
    reads_at(&c, 1, "get mine", "$-1\r\n"); // what it would lose without
    while (!sk_vector_covers(seen_of(&c, 1), &token)) {
        assert_true(c.now < 10 * SK_S);
        crdt_run(&c, SK_MS);
    }
    reads_at(&c, 1, "get mine", "$1\r\n1\r\n");
    submit(&c, 1, "set next 2"); // writes follow reads: nobody sees it without the other
    crdt_run(&c, 2 * SK_S);
    reads(&c, "mget mine next", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    sk_vector_deinit(&token);
    crdt_close(&c);
}

static void V08_silence_is_not_remembered_for_ever(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 8);
    c.limits.window_bytes_max = 256 * 1024;
    for (size_t i = 0; i < 3; i++) merger_of(&c, i)->limits.window_bytes_max = 256 * 1024;
    for (int i = 0; i < 100; i++) submit(&c, 0, "set old%d v", i);
    crdt_run(&c, 2 * SK_S);
    cut_off(&c, 2, true);
    const int changes = 24 * 3600 / 2 / SLOW;
    size_t most = 0;
    for (int i = 0; i < changes; i++) { // for a day
        submit(&c, (size_t)i % 2, "set key%d value%d", i % 1000, i);
        crdt_run(&c, 2 * SLOW * SK_S);
        if (c.nodes[i % 2].records.count > 2000) crdt_snapshot(&c, &c.nodes[i % 2]);
        if (replica_of(&c, 0)->log_bytes > most) most = replica_of(&c, 0)->log_bytes;
    }
    assert_true(most <= 256 * 1024 && replica_of(&c, 0)->floor.count);
    uint64_t before = c.bytes[0][2] + c.bytes[1][2];
    sk_ns back = c.now;
    cut_off(&c, 2, false);
    while (sk_vector_compare(seen_of(&c, 2), seen_of(&c, 0)) != SK_ORDER_EQUAL) {
        crdt_run(&c, 10 * SK_MS);
        assert_true(c.now - back < 5 * SK_S);
    }
    assert_true(counts(&c, 2)->state_syncs > 0);
    print_message("figure: silent through %d changes: log at most %zu bytes, %llu bytes to catch up\n", changes, most,
                  (unsigned long long)(c.bytes[0][2] + c.bytes[1][2] - before));
    crdt_heal(&c);
    agree(&c);
    assert_int_equal(replica_of(&c, 0)->log.count, 0); // all have all
    crdt_close(&c);
}

// ---- Rules 4 and 5: catching up ----

// Away for less than the log reaches: what was missed comes as it happened, from whoever is there.
static void the_log_is_handed_on(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 10);
    crdt_run(&c, SK_S);
    cut_off(&c, 2, true);
    for (int i = 0; i < 500; i++) {
        submit(&c, (size_t)i % 2, "set k%d v%d", i % 20, i);
        crdt_run(&c, 10 * SK_MS);
    }
    crdt_crash(&c, &c.nodes[0]);
    crdt_cut(&c, 2, 1, false);
    crdt_run(&c, 2 * SK_S);
    assert_int_equal(counts(&c, 2)->state_syncs, 0);
    assert_true(crdt_digest(&c.nodes[2]) == crdt_digest(&c.nodes[1]));
    reads_at(&c, 2, "get k19", "$4\r\nv499\r\n");
    crdt_heal(&c);
    agree(&c);
    crdt_close(&c);
}

static void fill(crdt_cluster *c, int count)
{
    char value[513];
    memset(value, 'x', 512);
    value[512] = 0;
    for (int i = 0; i < count; i++) {
        submit(c, 0, "set big%d %s", i, value);
        if (i % 50 == 0) crdt_run(c, 5 * SK_MS);
    }
}

static void answers_nothing(crdt_cluster *c, computer *n)
{
    uint64_t answered = n->answered;
    crdt_submit(c, n, "set k v");
    assert_int_equal(n->answered, answered);
    crdt_step(c, n, (sk_event){.kind = SK_EVENT_READ, .read = {.request = 1}});
    assert_int_equal(n->effects.count, 1);
    assert_int_equal(n->effects.list[0].kind, SK_EFFECT_REFUSE);
    assert_int_equal(n->effects.list[0].refuse.why, SK_EAGAIN);
}

// A great state is merged in slices: nothing is answered meanwhile, and a power cut in between leaves the state before or the one after.
static void a_great_state_is_loaded(void **state)
{
    for (int cut = 0; cut < 3; cut++) { // none; what was written of it is lost; it lasts
        crdt_cluster c;
        open_cluster(&c, 2, 11);
        crdt_cut(&c, 0, 1, true);
        fill(&c, 6000);
        submit(&c, 1, "set own 1");
        crdt_run(&c, SK_S);
        sk_vector before = {0};
        sk_vector_copy(&before, seen_of(&c, 1));
        crdt_cut(&c, 0, 1, false);
        while (!merger_of(&c, 1)->loading) {
            bool more = crdt_next(&c, 100 * SK_S);
            assert_true(more);
        }
        assert_int_equal(counts(&c, 1)->loads, 1);
        answers_nothing(&c, &c.nodes[1]);
        if (cut) {
            if (cut == 2) crdt_sync_disk(&c, &c.nodes[1]);
            crdt_cut(&c, 0, 1, true);
            restart(&c, 1);
            assert_false(merger_of(&c, 1)->loading);
            bool whole = sk_vector_covers(seen_of(&c, 1), seen_of(&c, 0));
            if (!whole) assert_int_equal(sk_vector_compare(seen_of(&c, 1), &before), SK_ORDER_EQUAL);
            assert_true(whole || cut == 1);
            reads_at(&c, 1, "dbsize", whole ? ":6001\r\n" : ":1\r\n");
        }
        crdt_heal(&c);
        agree(&c);
        reads(&c, "dbsize", ":6001\r\n");
        sk_vector_deinit(&before);
        crdt_close(&c);
    }
}

// ---- What is not honest ----

static void nonsense_changes_nothing(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 13);
    submit(&c, 0, "set k v");
    crdt_heal(&c);
    uint64_t digest = crdt_digest(&c.nodes[0]);
    sk_causal_replica *replica = replica_of(&c, 0);
    sk_vector claim = {0};
    sk_vector_raise(&claim, sk_causal_self(replica), 1000000);
    replica->core.ask = (sk_merger_ask){.peer = &replica->peers[0].core, .session = 77, .until = SK_NEVER};
    receive(&c, 0, 2, &(sk_merger_message){.kind = SK_CAUSAL_DONE, .session = 77, .number = 1, .seen = claim});
    assert_int_equal(counts(&c, 0)->forged, 1);
    assert_true(sk_vector_get(sk_causal_seen(replica), sk_causal_self(replica)) < 1000);
    submit(&c, 1, "set other v");
    const sk_causal_entry *entry = sk_ring_at(&replica_of(&c, 1)->log, replica_of(&c, 1)->log.count - 1);
    for (size_t size = 0; size < entry->size; size++) { // cut anywhere
        receive(&c, 0, 2, &(sk_merger_message){.kind = SK_CAUSAL_BATCHES, .bytes = sk_slice_make(entry->bytes, size)});
    }
    receive_nonsense(&c, 0, 2, 5000);
    assert_true(crdt_digest(&c.nodes[0]) == digest);
    sk_vector_deinit(&claim);
    crdt_close(&c);
}

static void an_idle_space_is_quiet(void **state)
{
    run_an_idle_space_is_quiet(&sk_causal);
}

static void restarts_do_not_pile_up(void **state)
{
    crdt_cluster c;
    run_restarts_do_not_pile_up(&sk_causal, &c, 600 / SLOW);
    for (size_t i = 0; i < 3; i++) assert_true(replica_of(&c, i)->floor.count <= 6);
    crdt_close(&c);
}

// While a member is silent nobody can know that a life is over: one entry for each, until the first write behind its return.
static void restarts_while_a_member_is_silent(void **state)
{
    crdt_cluster c;
    open_cluster(&c, 3, 16);
    crdt_heal(&c);
    cut_off(&c, 2, true);
    enum { RESTARTS = 20 };
    for (int i = 0; i < RESTARTS; i++) {
        submit(&c, 0, "incr n");
        crdt_run(&c, SK_S);
        restart(&c, 0);
        crdt_run(&c, SK_S);
    }
    assert_int_equal(seen_of(&c, 1)->count, RESTARTS);
    crdt_heal(&c);
    submit(&c, 0, "incr n");
    crdt_heal(&c);
    for (size_t i = 0; i < 3; i++) assert_int_equal(seen_of(&c, i)->count, 2);
    agree(&c);
    reads(&c, "get n", "$2\r\n21\r\n");
    crdt_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(V05_strangers_are_not_heard),
        cmocka_unit_test(V05_a_state_begins_the_log_anew),
        cmocka_unit_test(V05_a_state_in_the_log_is_whole_or_nothing),
        cmocka_unit_test(V05_differences_to_what_is_lost),
        cmocka_unit_test(V05_an_ask_that_comes_twice_is_answered_once),
        cmocka_unit_test(V06_counters_near_their_ends),
        cmocka_unit_test(V07_a_session_moves),
        cmocka_unit_test(V08_silence_is_not_remembered_for_ever),
        cmocka_unit_test(the_log_is_handed_on),
        cmocka_unit_test(a_great_state_is_loaded),
        cmocka_unit_test(nonsense_changes_nothing),
        cmocka_unit_test(an_idle_space_is_quiet),
        cmocka_unit_test(restarts_do_not_pile_up),
        cmocka_unit_test(restarts_while_a_member_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
