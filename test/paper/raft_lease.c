// Reads by lease: pitfall R08 and what keeps a lease from being believed too long (src/protocol/raft/lease.c).
#include "test/support/raft_cluster.h"

enum { LEASE_MS = 500, DRIFT_PPM = 100000 }; // a tenth: what is left for certain is 500 / 1.1 * 0.9 = 409 ms

static cluster *lab_leased(size_t count)
{
    cluster *c = cluster_new_idle(count, 1);
    c->latency = 0;
    c->lease = (sk_lease){.length = LEASE_MS * SK_MS, .drift_ppm = DRIFT_PPM};
    cluster_start_all(c);
    for (sk_node_id id = 1; id <= count; id++) raft_inside(c, id)->election_at = c->now + 1000 * SK_S;
    return c;
}

// Node 1 leads and has just been answered; nothing is delivered by itself from here on.
static cluster *leader_in_the_hand(size_t count)
{
    cluster *c = lab_leased(count);
    cluster_make_leader(c, 1);
    c->now = raft_of(c, 1)->heartbeat_at;
    cluster_settle(c);
    assert_true(sk_raft_lease_holds(raft_of(c, 1)));
    cluster_drop_all(c);
    c->latency = SK_MS;
    return c;
}

static void a_lease_serves_without_a_message(void **state)
{
    (void)state;
    cluster *c = leader_in_the_hand(3);
    uint64_t read = cluster_read(c, 1);
    cluster_turn(c, 1);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_int_equal(c->packet_count, 0);
    read = cluster_read(c, 2); // through a follower: one round trip, and nobody else is asked
    cluster_turn(c, 2);
    assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_READ));
    cluster_turn(c, 1);
    assert_int_equal(c->packet_count, 1);
    assert_true(cluster_deliver_kind(c, 1, 2, SK_RAFT_READ_ANSWER));
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    cluster_close(c);
}

static void R08_a_lease_runs_from_when_its_round_was_sent(void **state)
{
    (void)state;
    cluster *c = leader_in_the_hand(3);
    c->now = raft_of(c, 1)->heartbeat_at + SK_S; // the old one is over
    sk_ns sent = c->now;
    cluster_turn(c, 1);
    while (cluster_deliver_kind(c, 1, 0, SK_RAFT_HEARTBEAT)) {
    }
    cluster_turn(c, 2);
    cluster_turn(c, 3);
    c->now += 300 * SK_MS; // the answers take their time
    while (cluster_deliver_kind(c, 0, 1, SK_RAFT_HEARTBEAT_ANSWER)) {
    }
    assert_true(sk_raft_lease_holds(raft_of(c, 1)));
    c->now = sent + 409 * SK_MS;
    cluster_turn(c, 1);
    assert_true(sk_raft_lease_holds(raft_of(c, 1)));
    c->now = sent + 410 * SK_MS; // less the drift of two clocks
    cluster_turn(c, 1);
    cluster_drop_all(c);
    uint64_t read = cluster_read(c, 1); // ... to which the time of the read is compared, not that of the last turn
    cluster_turn(c, 1);
    assert_int_equal(c->ends[read].kind, END_NONE);
    assert_int_equal(cluster_count(c, 1, 0, SK_RAFT_HEARTBEAT), 2); // a round instead
    cluster_close(c);
}

static void R08_one_answer_gives_no_lease(void **state)
{
    (void)state;
    cluster *c = leader_in_the_hand(5);
    c->now = raft_of(c, 1)->heartbeat_at + SK_S;
    cluster_turn(c, 1);
    assert_true(cluster_deliver_kind(c, 1, 2, SK_RAFT_HEARTBEAT));
    assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER));
    assert_false(sk_raft_lease_holds(raft_of(c, 1)));
    assert_true(cluster_deliver_kind(c, 1, 3, SK_RAFT_HEARTBEAT));
    assert_true(cluster_deliver_kind(c, 3, 1, SK_RAFT_HEARTBEAT_ANSWER));
    assert_true(sk_raft_lease_holds(raft_of(c, 1)));
    cluster_close(c);
}

static bool grants(cluster *c, sk_node_id voter, sk_node_id candidate)
{
    cluster_drop_all(c);
    cluster_inject(c, voter, candidate,
                   &(sk_raft_message){.kind = SK_RAFT_PREVOTE, .term = 90, .last_index = 99, .last_term = 90, .attempt = 1});
    cluster_durable(c, voter);
    packet *p = cluster_find(c, voter, candidate, SK_RAFT_PREVOTE_ANSWER);
    assert_true(p != NULL);
    bool pre = packet_message(p).flags & SK_RAFT_GRANTED;
    cluster_inject(c, voter, candidate, &(sk_raft_message){.kind = SK_RAFT_VOTE, .term = 91, .last_index = 99, .last_term = 90});
    cluster_durable(c, voter);
    p = cluster_find(c, voter, candidate, SK_RAFT_VOTE_ANSWER);
    bool vote = p && packet_message(p).flags & SK_RAFT_GRANTED;
    assert_true(pre || !vote);
    return vote;
}

// Nothing ends a pledge early: not the link's breaking, not a newer term, not a restart.
static void R08_a_pledge_is_kept_whatever_happens(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        cluster *c = leader_in_the_hand(3);
        uint64_t term = status_of(c, 2).epoch;
        sk_ns until = raft_of(c, 2)->pledge_until;
        assert_true(until >= c->now + LEASE_MS * SK_MS);
        switch (what) {
        case 1: cluster_link(c, 2, 1, false); break;
        case 2: // a vote it never asked for brings a newer term
            cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .flags = SK_RAFT_REJECTED, .term = term + 1});
            assert_int_equal(status_of(c, 2).epoch, term + 1);
            break;
        case 3:
            cluster_kill(c, 2);
            cluster_start(c, 2, false);
            until = c->now + LEASE_MS * SK_MS; // it does not know how much was left
            break;
        default: break;
        }
        c->now = until - 1;
        raft_inside(c, 2)->loyal_until = 0;
        raft_inside(c, 2)->election_at = c->now;
        cluster_turn(c, 2);
        assert_int_equal(raft_of(c, 2)->role, SK_RAFT_FOLLOWER); // it does not stand either
        assert_false(grants(c, 2, 3));
        c->now = until;
        assert_true(grants(c, 2, 3));
        cluster_close(c);
    }
}

// A process is paused between reading its clock and reading its sockets: the message it then finds is younger than its time.
static void R08_a_pledge_counts_from_a_time_read_after_the_message(void **state)
{
    (void)state;
    cluster *c = leader_in_the_hand(3);
    cluster_inject(c, 2, 1, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT,
                                               .term = status_of(c, 1).epoch,
                                               .promise_ms = 10,
                                               .lease_ms = LEASE_MS,
                                               .round = 1});
    c->now += 10 * SK_S;
    cluster_turn(c, 2);
    assert_true(raft_of(c, 2)->pledge_until >= c->now + LEASE_MS * SK_MS);
    cluster_close(c);
}

static void R08_the_first_pledge_waits_for_the_disk(void **state)
{
    (void)state;
    cluster *c = lab_leased(3);
    lab_freeze(c);
    sk_raft_message heartbeat = {.kind = SK_RAFT_HEARTBEAT, .term = 1, .promise_ms = 10, .lease_ms = LEASE_MS, .round = 1};
    cluster_inject(c, 2, 1, &heartbeat);
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER), 0);
    cluster_durable(c, 2);
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER), 1);
    cluster_drop_all(c);
    heartbeat.round = 2;
    cluster_inject(c, 2, 1, &heartbeat);
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER), 1); // R31: never again
    heartbeat.lease_ms = SK_RAFT_LEASE_MS_MAX + 1; // more than anybody would keep
    cluster_drop_all(c);
    cluster_inject(c, 2, 1, &heartbeat);
    assert_int_equal(c->packet_count, 0);
    cluster_close(c);
}

static void R05_R08_a_new_leader_serves_nothing_before_its_first_commit(void **state)
{
    (void)state;
    cluster *c = lab_leased(3);
    cluster_make_leader(c, 1);
    cluster_kill(c, 1);
    lab_freeze(c);
    c->now += 100 * SK_S;
    raft_inside(c, 3)->election_at = SK_NEVER;
    cluster_campaign(c, 2);
    for (sk_node_id id = 2; status_of(c, 2).role != SK_ROLE_LEADER; id = 5 - id) {
        cluster_settle(c);
        cluster_durable(c, id);
    }
    cluster_settle(c);
    while (!sk_raft_lease_holds(raft_of(c, 2))) { // pledges first wait for the disk, entries still do
        cluster_settle(c);
        c->now = raft_of(c, 2)->heartbeat_at;
    }
    uint64_t read = cluster_read(c, 2);
    if (raft_of(c, 2)->commit < raft_of(c, 2)->term_start) {
        cluster_turn(c, 2);
        assert_int_equal(c->ends[read].kind, END_NONE);
    }
    cluster_durable(c, 2);
    cluster_durable(c, 3);
    cluster_settle(c);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_true(c->ends[read].position >= raft_of(c, 2)->term_start);
    cluster_close(c);
}

// By time: the leader is cut off and goes on serving for a while; whatever it serves is older than the next leader's first write.
static void R08_no_stale_read_across_a_change_of_leader(void **state)
{
    (void)state;
    size_t served = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        cluster *c = cluster_new_idle(3, seed);
        c->lease = (sk_lease){.length = 1200 * SK_MS, .drift_ppm = 1000}; // longer than patience: the pledge is what holds
        c->timing.heartbeat_idle = c->timing.heartbeat_active;
        cluster_start_all(c);
        sk_node_id old = cluster_elect(c);
        cluster_run(c, SK_S);
        cluster_isolate(c, old, true);
        for (sk_node_id id = 1; id <= 3; id++) {
            if (id != old) cluster_link(c, id, old, false); // they stand as soon as they may
        }
        sk_node_id leader = 0;
        uint64_t write = 0;
        for (int i = 0; i < 3000; i++) {
            uint64_t read = cluster_read(c, old);
            cluster_run(c, SK_MS);
            bool fresh = c->ends[read].kind == END_QUERIED;
            served += fresh;
            if (write && c->ends[write].kind == END_APPLIED) assert_false(fresh);
            if (!leader && cluster_leader(c) != old) leader = cluster_leader(c);
            if (leader && !write) write = cluster_submit(c, leader, "x");
        }
        assert_true(write && c->ends[write].kind == END_APPLIED);
        cluster_close(c);
    }
    assert_true(served > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_serves_without_a_message),
        cmocka_unit_test(R08_a_lease_runs_from_when_its_round_was_sent),
        cmocka_unit_test(R08_one_answer_gives_no_lease),
        cmocka_unit_test(R08_a_pledge_is_kept_whatever_happens),
        cmocka_unit_test(R08_a_pledge_counts_from_a_time_read_after_the_message),
        cmocka_unit_test(R08_the_first_pledge_waits_for_the_disk),
        cmocka_unit_test(R05_R08_a_new_leader_serves_nothing_before_its_first_commit),
        cmocka_unit_test(R08_no_stale_read_across_a_change_of_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
