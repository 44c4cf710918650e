// Rules of the paper (Ongaro and Ousterhout 2014, "p") and the thesis (Ongaro 2014, "t"), each by its
// section.
#include "test/support/raft_cluster.h"

// ---- Elections ----

static void p5_2_one_leader_is_elected(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        cluster *c = cluster_new(3, seed);
        sk_node_id leader = cluster_elect(c);
        uint64_t request = cluster_submit(c, leader, "x");
        cluster_run(c, SK_S);
        assert_int_equal(c->ends[request].kind, END_APPLIED);
        for (sk_node_id id = 1; id <= 3; id++) {
            assert_int_equal(status_of(c, id).leader, leader);
            assert_int_equal(status_of(c, id).applied, status_of(c, leader).applied);
        }
        cluster_close(c);
    }
}

static void p5_1_a_newer_term_ends_an_office(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    uint64_t term = status_of(c, 1).epoch;
    cluster_inject(c, 1, 2,
                   &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT_ANSWER, .term = term + 5, .boot = 1});
    assert_int_equal(status_of(c, 1).role, SK_ROLE_FOLLOWER);
    assert_int_equal(status_of(c, 1).epoch, term + 5);
    cluster_close(c);
}

static void p5_1_an_older_term_is_told(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    uint64_t term = status_of(c, 2).epoch;
    cluster_drop_all(c);
    cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_APPEND, .term = term - 1, .commit = 100});
    const packet *p = cluster_find(c, 2, 3, SK_RAFT_HEARTBEAT_ANSWER);
    assert_non_null(p);
    assert_int_equal(packet_message(p).term, term);
    assert_int_equal(status_of(c, 2).leader, 1);
    cluster_close(c);
}

static void p5_2_timeouts_are_random(void **state)
{
    (void)state;
    cluster *c = cluster_new(5, 3);
    for (sk_node_id a = 1; a <= 5; a++) {
        sk_ns at = raft_of(c, a)->election_at;
        assert_true(at >= c->now + c->timing.election_min && at <= c->now + c->timing.election_max);
        for (sk_node_id b = 1; b < a; b++) assert_true(at != raft_of(c, b)->election_at);
    }
    cluster_close(c);
}

static void p5_4_1_a_shorter_log_gets_no_vote(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    uint64_t last = status_of(c, 2).last, term = status_of(c, 2).epoch;
    struct {
        uint64_t index, term;
        bool granted;
    } const table[] = {
        {last, term, true},  {last + 1, term, true},      {last - 1, term, false},
        {1, term + 1, true}, {last + 9, term - 1, false}, {0, 0, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        c->now += 100 * SK_S; // nobody is loyal any more
        for (int real = 0; real < 2; real++) {
            cluster_drop_all(c);
            sk_raft_message ask = {.kind = real ? SK_RAFT_VOTE : SK_RAFT_PREVOTE,
                                   .term = status_of(c, 2).epoch + 1 + i,
                                   .last_index = table[i].index,
                                   .last_term = table[i].term};
            cluster_inject(c, 2, 3, &ask);
            cluster_durable(c, 2);
            const packet *p = cluster_find(c, 2, 3, real ? SK_RAFT_VOTE_ANSWER : SK_RAFT_PREVOTE_ANSWER);
            assert_non_null(p);
            assert_int_equal(packet_message(p).flags & SK_RAFT_GRANTED,
                             table[i].granted ? SK_RAFT_GRANTED : 0);
        }
    }
    cluster_close(c);
}

static void t9_6_without_pre_votes_the_term_stays(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    cluster_elect(c);
    cluster_isolate(c, 1, true);
    uint64_t term = status_of(c, 1).epoch;
    cluster_run(c, 60 * SK_S);
    assert_int_equal(status_of(c, 1).epoch, term);
    cluster_close(c);
}

static void t4_2_3_a_loyal_follower_helps_nobody(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    uint64_t term = status_of(c, 2).epoch, last = status_of(c, 2).last;
    cluster_drop_all(c);
    sk_raft_message vote = {
        .kind = SK_RAFT_VOTE, .term = term + 1, .last_index = last + 5, .last_term = term};
    cluster_inject(c, 2, 3, &vote);
    assert_int_equal(status_of(c, 2).epoch, term);
    assert_int_equal(c->packet_count, 0);
    sk_raft_message prevote = {.kind = SK_RAFT_PREVOTE, .term = term, .last_index = last, .last_term = term};
    cluster_inject(c, 2, 3, &prevote);
    assert_true(packet_message(cluster_find(c, 2, 3, SK_RAFT_PREVOTE_ANSWER)).flags & SK_RAFT_REJECTED);
    cluster_drop_all(c);
    cluster_link(c, 2, 1, false); // the link to the leader broke: free at once
    cluster_inject(c, 2, 3, &prevote);
    assert_true(packet_message(cluster_find(c, 2, 3, SK_RAFT_PREVOTE_ANSWER)).flags & SK_RAFT_GRANTED);
    assert_true(raft_of(c, 2)->election_at <= c->now + c->timing.election_min / 4 + 1);
    cluster_close(c);
}

// ---- Replication ----

static void p5_3_a_gap_is_rejected_with_a_hint(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    sk_raft_message append = {.kind = SK_RAFT_APPEND, .term = 2, .previous_index = 7, .previous_term = 1};
    cluster_inject(c, 2, 1, &append);
    cluster_durable(c, 2);
    sk_raft_message answer = packet_message(cluster_find(c, 2, 1, SK_RAFT_APPEND_ANSWER));
    assert_true(answer.flags & SK_RAFT_REJECTED);
    assert_int_equal(answer.conflict_index, 1);
    assert_int_equal(answer.conflict_term, 0);
    cluster_close(c);
}

// An append with entries of the given terms, payload "e<index>".
static void append_to(cluster *c, sk_node_id to, sk_node_id from, uint64_t term, sk_raft_position previous,
                      uint64_t commit, const uint64_t *terms, size_t count)
{
    sk_arena arena = {0};
    sk_raft_message header = {.kind = SK_RAFT_APPEND,
                              .term = term,
                              .previous_index = previous.index,
                              .previous_term = previous.term,
                              .commit = commit};
    sk_raft_writer writer = sk_raft_writer_begin(&arena, &header, count * sk_raft_entry_size(32));
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "e%zu", (size_t)previous.index + 1 + i);
        sk_raft_writer_add(&writer, terms[i], sk_slice_text(text));
    }
    cluster_receive(c, to, from, sk_raft_writer_end(&writer));
    sk_arena_deinit(&arena);
}

// Thesis figure 3.6: whatever a follower's log looks like, the leader's replaces it, a term at a time.
static void p5_3_logs_of_figure_7_converge(void **state)
{
    (void)state;
    static const uint64_t leader_log[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    static const uint64_t logs[][12] = {
        {1, 1, 1, 4, 4, 5, 5, 6, 6},          {1, 1, 1, 4},          {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, {1, 1, 1, 4, 4, 4, 4}, {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        cluster *c = lab_new(3);
        size_t count = 0;
        while (count < 12 && logs[i][count]) count++;
        append_to(c, 1, 3, 7, (sk_raft_position){0, 0}, 0, leader_log, 10);
        append_to(c, 2, 3, 7, (sk_raft_position){0, 0}, 0, logs[i], count);
        cluster_settle(c);
        bool ahead = logs[i][count - 1] == 7; // it would not vote: the leader is elected without it
        if (ahead) cluster_kill(c, 2);
        cluster_make_leader(c, 1);
        if (ahead) {
            cluster_start(c, 2, false);
            raft_inside(c, 2)->election_at = c->now + 1000 * SK_S;
        }
        cluster_run(c, 5 * SK_S);
        assert_int_equal(status_of(c, 2).last, status_of(c, 1).last);
        for (uint64_t at = 1; at <= status_of(c, 1).last; at++) {
            assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, at),
                             sk_raft_log_term(&raft_of(c, 1)->log, at));
        }
        assert_int_equal(c->nodes[2].machine.position, status_of(c, 1).committed);
        cluster_close(c);
    }
}

static void t3_5_back_off_skips_whole_terms(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    uint64_t terms[200];
    for (size_t i = 0; i < 200; i++) terms[i] = 1;
    append_to(c, 1, 3, 2, (sk_raft_position){0, 0}, 0, terms, 50);
    for (size_t i = 50; i < 200; i++) terms[i] = 2;
    append_to(c, 2, 3, 2, (sk_raft_position){0, 0}, 0, terms, 20);
    cluster_settle(c);
    cluster_kill(c, 3);
    cluster_make_leader(c, 1);
    cluster_run(c, SK_S);
    assert_int_equal(status_of(c, 2).last, status_of(c, 1).last);
    // 50 entries behind, found in one rejection, not in 30 steps: a handful of appends in all.
    assert_true(c->packet_id < 60);
    cluster_close(c);
}

static void p5_3_appends_repeated_change_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    const uint64_t terms[] = {1, 1, 1, 1};
    append_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, terms, 4);
    append_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 2, terms, 2); // an earlier, shorter one comes late
    assert_int_equal(status_of(c, 2).last, 4);
    assert_int_equal(status_of(c, 2).committed, 2);
    append_to(c, 2, 1, 1, (sk_raft_position){1, 1}, 3, terms, 1);
    assert_int_equal(status_of(c, 2).last, 4);
    cluster_close(c);
}

static void p5_3_commit_is_bounded_by_what_is_verified(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    const uint64_t terms[] = {1, 1, 1, 1};
    append_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, terms, 4);
    // A new leader whose log we have not compared: its commit index says nothing of our tail.
    cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 2, .commit = 4});
    assert_int_equal(status_of(c, 2).committed, 0);
    append_to(c, 2, 3, 2, (sk_raft_position){2, 1}, 4, terms, 0);
    assert_int_equal(status_of(c, 2).committed, 2);
    cluster_close(c);
}

static void t10_2_1_the_leader_sends_before_its_disk(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    lab_freeze(c);
    uint64_t request = cluster_submit(c, 1, "x");
    assert_int_equal(sk_raft.deadline(c->nodes[1].replica), 0); // at the end of the turn, all in one
    cluster_turn(c, 1);
    assert_int_equal(cluster_count(c, 1, 0, SK_RAFT_APPEND), 2);
    cluster_settle(c);
    cluster_durable(c, 2);
    cluster_durable(c, 3);
    cluster_settle(c);
    assert_int_equal(c->ends[request].kind, END_APPLIED); // two others hold it: ours may still be writing
    assert_true(raft_of(c, 1)->log.durable < status_of(c, 1).committed);
    cluster_close(c);
}

static void t10_2_2_appends_are_batched_and_pipelined_within_bounds(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.message_bytes_max = 100;
    c->limits.inflight_count_max = 3;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    c->latency = SK_MS;
    for (int i = 0; i < 100; i++) cluster_submit(c, 1, "0123456789");
    cluster_turn(c, 1);
    assert_int_equal(cluster_count(c, 1, 2, SK_RAFT_APPEND), 3); // no answer yet, three under way
    const packet *p = cluster_find(c, 1, 2, SK_RAFT_APPEND);
    assert_true(p->bytes.size <= 140 && packet_message(p).count > 2);
    cluster_run(c, SK_S);
    assert_int_equal(status_of(c, 2).last, status_of(c, 1).last);
    assert_int_equal(status_of(c, 1).committed, status_of(c, 1).last);
    cluster_close(c);
}

static void followers_in_step_are_sent_the_same_bytes(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    cluster_submit(c, 1, "x");
    cluster_turn(c, 1);
    const packet *a = cluster_find(c, 1, 2, SK_RAFT_APPEND), *b = cluster_find(c, 1, 3, SK_RAFT_APPEND);
    assert_true(a && b && sk_slice_equal(a->bytes, b->bytes));
    cluster_close(c);
}

static void a_broken_link_goes_on_where_it_was_acknowledged(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    c->cut[1][2] = true;
    cluster_submit(c, 1, "x");
    cluster_settle(c); // lost on the way to 2
    c->cut[1][2] = false;
    cluster_link(c, 1, 2, false);
    cluster_submit(c, 1, "y");
    cluster_turn(c, 1);
    assert_int_equal(cluster_count(c, 1, 2, SK_RAFT_APPEND), 0); // not into a broken link
    cluster_link(c, 1, 2, true);
    cluster_settle(c); // no time passes
    assert_int_equal(status_of(c, 2).last, status_of(c, 1).last);
    cluster_close(c);
}

static void a_lost_append_is_noticed_soon(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c), other = 1 + leader % 3;
    cluster_run(c, 10 * SK_S);
    cluster_submit(c, leader, "x");
    cluster_turn(c, leader);
    for (size_t i = c->packet_count; i > 0; i--) {
        if (c->network[i - 1].to == other) slice_drop(network_take(c, i - 1).bytes);
    }
    cluster_run(c, 5 * c->timing.heartbeat_active);
    assert_int_equal(status_of(c, other).applied, status_of(c, leader).last);
    cluster_close(c);
}

static void a_follower_that_lost_sight_is_answered_at_once(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_link(c, 2, 1, false);
    cluster_campaign(c, 2);
    cluster_settle(c); // no time passes
    assert_int_equal(status_of(c, 2).leader, 1);
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    cluster_close(c);
}

static void a_read_through_a_follower_brings_the_commit_with_it(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    assert_true(status_of(c, 2).committed < status_of(c, 1).committed);
    uint64_t read = cluster_read(c, 2);
    cluster_settle(c); // no time passes
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_int_equal(c->ends[read].position, status_of(c, 1).committed);
    cluster_close(c);
}

// Appends to node 3 pass a line of 250 kbit/s; heartbeats overtake them.
static sk_ns line_free;
static uint64_t line_bytes;

static bool slow_line(cluster *c, const packet *p)
{
    if (p->to != 3 || packet_message(p).kind != SK_RAFT_APPEND) return true;
    packet *own = &c->network[c->packet_count - 1];
    line_free = (line_free > c->now ? line_free : c->now) + p->bytes.size * 32 * SK_US;
    line_bytes += p->bytes.size;
    own->due = line_free;
    return true;
}

static void a_slow_line_is_not_flooded_with_repeats(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    line_free = 0;
    c->filter = slow_line;
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = 0;
    for (int round = 0; round < 3; round++) {
        line_bytes = 0;
        for (int i = 0; i < 200; i++) cluster_submit(c, 1, text);
        cluster_run(c, 20 * SK_S);
        assert_int_equal(raft_of(c, 1)->peers[2].matched, status_of(c, 1).last);
        assert_true(line_bytes < (round ? 230000 : 300000)); // once its pace is known, hardly any
    }
    cluster_close(c);
}

// ---- Limits ----

static void too_many_pending_are_refused_as_busy(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.pending_max = 5;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 1, true);
    for (int i = 0; i < 4; i++) cluster_submit(c, 1, "x");
    cluster_read(c, 1);
    uint64_t submit = cluster_submit(c, 1, "x"), read = cluster_read(c, 1);
    assert_int_equal(c->ends[submit].why, SK_EBUSY);
    assert_int_equal(c->ends[read].why, SK_EBUSY);
    cluster_close(c);
}

static void a_full_window_is_busy_and_recovers(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.window_bytes_max = 2000;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 1, true);
    uint64_t request = 0;
    for (int i = 0; i < 100; i++) request = cluster_submit(c, 1, "0123456789012345678901234567890123456789");
    assert_int_equal(c->ends[request].why, SK_EBUSY);
    assert_true(raft_of(c, 1)->log.bytes <= 2000);
    cluster_heal(c);
    cluster_run(c, 3 * SK_S);
    request = cluster_submit(c, cluster_leader(c), "0123456789012345678901234567890123456789");
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    cluster_close(c);
}

// A follower that can hold little takes a part of each message: the rest is to follow at once, not when patience ends.
static void a_small_window_is_filled_as_fast_as_it_empties(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.inflight_count_max = 1;
    cluster_start(c, 1, false);
    cluster_start(c, 2, false);
    c->limits.window_bytes_max = 1000;
    cluster_start(c, 3, false);
    cluster_isolate(c, 3, true);
    cluster_make_leader(c, 1);
    for (int i = 0; i < 300; i++) cluster_submit(c, 1, "0123456789");
    cluster_run(c, SK_S);
    c->latency = SK_MS;
    cluster_heal(c);
    cluster_run(c, 2 * SK_S);
    assert_true(raft_of(c, 3)->log.window.count < 30);
    assert_int_equal(status_of(c, 3).last, status_of(c, 1).last);
    cluster_close(c);
}

static void bytes_from_outside_are_never_believed(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    uint64_t before = sk_raft.fingerprint(c->nodes[1].replica);
    const char *junk[] = {"", "\x05", "\x63\x01", "\x05\x80zzzz",
                          "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"};
    for (size_t i = 0; i < 5; i++) cluster_receive(c, 1, 2, sk_slice_text(junk[i]));
    assert_int_equal(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_malformed], 5);
    cluster_inject(c, 1, 1, &(sk_raft_message){.kind = SK_RAFT_VOTE, .term = 99}); // from ourselves
    assert_int_equal(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_not_member], 1);
    sk_raft_message far = {
        .kind = SK_RAFT_APPEND_ANSWER, .term = status_of(c, 1).epoch, .match = 1000000, .boot = 1};
    cluster_inject(c, 1, 2, &far);
    assert_int_equal(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_impossible_index], 1);
    sk_raft_message twin = {.kind = SK_RAFT_HEARTBEAT, .term = status_of(c, 1).epoch, .promise_ms = 10};
    cluster_inject(c, 1, 2, &twin);
    assert_int_equal(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_second_leader], 1);
    assert_true(sk_raft.fingerprint(c->nodes[1].replica) == before);
    // Every kind with random fields: nothing aborts.
    sk_prng prng;
    sk_prng_init(&prng, 5);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        size_t size = sk_prng_below(&prng, sizeof bytes);
        for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)sk_prng_below(&prng, k < 12 ? 12 : 256);
        cluster_receive(c, (sk_node_id)sk_prng_between(&prng, 1, 3), (sk_node_id)sk_prng_between(&prng, 1, 3),
                        sk_slice_make(bytes, size));
        cluster_drop_all(c);
        c->now += SK_MS;
        memset(c->leader_of, 0,
               sizeof c->leader_of); // forged votes may elect anybody: only aborts count here
        memset(c->chosen, 0, sizeof c->chosen);
        memset(c->digest_at, 0, sizeof c->digest_at);
    }
    cluster_close(c);
}

// ---- Time ----

static void an_idle_cluster_is_quiet_and_an_active_one_is_not(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    cluster_run(c, 5 * SK_S);
    uint64_t before = c->packet_id, steps = c->steps;
    cluster_run(c, 10 * SK_S);
    uint64_t idle = c->packet_id - before;
    assert_true(idle <= 4 * 21); // two heartbeats and their answers twice a second
    assert_true(c->steps - steps <= 4 * 21 + 21);
    before = c->packet_id;
    cluster_run(c, 37 * SK_MS); // heartbeats keep to multiples of their interval, whenever work begins
    for (int i = 0; i < 100; i++) {
        cluster_submit(c, leader, "x");
        cluster_run(c, 100 * SK_MS);
    }
    assert_true(c->packet_id - before >= 4 * 190);
    assert_int_equal(raft_of(c, leader)->heartbeat_at % c->timing.heartbeat_active, 0);
    cluster_close(c);
}

static void commits_reach_followers_within_a_heartbeat(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    cluster_run(c, 10 * SK_S); // idle
    cluster_submit(c, leader, "x");
    cluster_run(c, c->timing.heartbeat_active + 10 * SK_MS);
    for (sk_node_id id = 1; id <= 3; id++)
        assert_int_equal(status_of(c, id).applied, status_of(c, leader).last);
    cluster_close(c);
}

static void silence_counts_from_the_promise(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    for (int i = 0; i < 50; i++) {
        cluster_inject(c, 2, 1, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 1, .promise_ms = 400});
        sk_ns at = raft_of(c, 2)->election_at;
        assert_true(at >= c->now + 400 * SK_MS + c->timing.election_min);
        assert_true(at <= c->now + 400 * SK_MS + c->timing.election_max);
        assert_true(raft_of(c, 2)->loyal_until == c->now + 400 * SK_MS + c->timing.election_min);
    }
    // Nobody can promise us away.
    cluster_inject(c, 2, 1,
                   &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 1, .promise_ms = UINT32_MAX});
    assert_true(raft_of(c, 2)->election_at <=
                c->now + 2 * c->timing.heartbeat_idle + SK_MS + c->timing.election_max);
    cluster_close(c);
}

static void round_trips_are_measured(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    c->latency = 20 * SK_MS;
    sk_node_id leader = cluster_elect(c);
    cluster_run(c, 10 * SK_S);
    sk_peer_status s = sk_raft.peer_status(c->nodes[leader].replica, 1 + leader % 3);
    assert_true(s.round_trip >= 38 * SK_MS && s.round_trip <= 42 * SK_MS);
    assert_int_equal(s.matched, status_of(c, leader).last);
    assert_int_equal(sk_raft.peer_status(c->nodes[leader].replica, 77).matched, 0);
    cluster_close(c);
}

static void one_node_commits_on_its_own_disk(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 1);
    c->nodes[1].disk_auto = false;
    cluster_run(c, SK_S);
    assert_int_equal(cluster_leader(c), 0); // its own vote is not on disk
    cluster_durable(c, 1);
    assert_int_equal(cluster_leader(c), 1);
    cluster_durable(c, 1);
    uint64_t request = cluster_submit(c, 1, "x"), read = cluster_read(c, 1);
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[request].kind, END_NONE);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    cluster_durable(c, 1);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    assert_true(sk_raft.deadline(c->nodes[1].replica) == SK_NEVER); // nothing to wake for
    cluster_close(c);
}

static void a_failed_disk_halts_for_good(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    c->nodes[leader].disk_auto = false;
    uint64_t request = cluster_submit(c, leader, "x"), read = cluster_read(c, leader);
    cluster_step(c, leader, (sk_event){.kind = SK_EVENT_DISK_FAILED, .disk_failed.error = SK_EIO});
    sk_status s = status_of(c, leader);
    assert_int_equal(s.role, SK_ROLE_HALTED);
    assert_non_null(s.why);
    assert_int_equal(c->ends[request].why, SK_EUNKNOWN);
    assert_int_equal(c->ends[read].why, SK_ENOTLEADER);
    cluster_drop_all(c);
    cluster_inject(c, leader, 1 + leader % 3, &(sk_raft_message){.kind = SK_RAFT_VOTE, .term = s.epoch + 9});
    assert_int_equal(c->packet_count, 0);
    assert_true(sk_raft.deadline(c->nodes[leader].replica) == SK_NEVER);
    sk_node_id next = cluster_elect(c);
    assert_true(next != leader);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p5_2_one_leader_is_elected),
        cmocka_unit_test(p5_1_a_newer_term_ends_an_office),
        cmocka_unit_test(p5_1_an_older_term_is_told),
        cmocka_unit_test(p5_2_timeouts_are_random),
        cmocka_unit_test(p5_4_1_a_shorter_log_gets_no_vote),
        cmocka_unit_test(t9_6_without_pre_votes_the_term_stays),
        cmocka_unit_test(t4_2_3_a_loyal_follower_helps_nobody),
        cmocka_unit_test(p5_3_a_gap_is_rejected_with_a_hint),
        cmocka_unit_test(p5_3_logs_of_figure_7_converge),
        cmocka_unit_test(t3_5_back_off_skips_whole_terms),
        cmocka_unit_test(p5_3_appends_repeated_change_nothing),
        cmocka_unit_test(p5_3_commit_is_bounded_by_what_is_verified),
        cmocka_unit_test(t10_2_1_the_leader_sends_before_its_disk),
        cmocka_unit_test(t10_2_2_appends_are_batched_and_pipelined_within_bounds),
        cmocka_unit_test(followers_in_step_are_sent_the_same_bytes),
        cmocka_unit_test(a_broken_link_goes_on_where_it_was_acknowledged),
        cmocka_unit_test(a_lost_append_is_noticed_soon),
        cmocka_unit_test(a_follower_that_lost_sight_is_answered_at_once),
        cmocka_unit_test(a_read_through_a_follower_brings_the_commit_with_it),
        cmocka_unit_test(a_slow_line_is_not_flooded_with_repeats),
        cmocka_unit_test(too_many_pending_are_refused_as_busy),
        cmocka_unit_test(a_full_window_is_busy_and_recovers),
        cmocka_unit_test(a_small_window_is_filled_as_fast_as_it_empties),
        cmocka_unit_test(bytes_from_outside_are_never_believed),
        cmocka_unit_test(an_idle_cluster_is_quiet_and_an_active_one_is_not),
        cmocka_unit_test(commits_reach_followers_within_a_heartbeat),
        cmocka_unit_test(silence_counts_from_the_promise),
        cmocka_unit_test(round_trips_are_measured),
        cmocka_unit_test(one_node_commits_on_its_own_disk),
        cmocka_unit_test(a_failed_disk_halts_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
