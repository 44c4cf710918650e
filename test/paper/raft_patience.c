// How long a silent leader is borne: learnt patience, doubt (docs/raft.md, "Time"), and what they must leave alone (R10, R13, R31).
#include "test/support/raft_cluster.h"

static void waiting(cluster *c, sk_node_id id)
{
    cluster_step(c, id, (sk_event){.kind = SK_EVENT_WAITING});
}

// An idle cluster whose leader's promises are long.
static cluster *idle_cluster(size_t count, sk_node_id *leader)
{
    cluster *c = cluster_new_idle(count, 1);
    c->timing.heartbeat_idle = 60 * SK_S;
    cluster_start_all(c);
    *leader = cluster_elect(c);
    cluster_run(c, 100 * SK_S);
    assert_int_equal(cluster_leader(c), *leader);
    return c;
}

static void doubt_shortens_an_idle_leaders_promise(void **state)
{
    (void)state;
    sk_node_id old;
    cluster *c = idle_cluster(3, &old);
    sk_node_id asks = 1 + old % 3;
    cluster_isolate(c, old, true); // frozen: no link breaks
    cluster_run(c, SK_S);
    assert_int_equal(status_of(c, asks).leader, old);
    waiting(c, asks);
    cluster_run(c, c->timing.heartbeat_active + c->timing.election_min - 10 * SK_MS);
    assert_int_equal(cluster_leader(c), old); // within patience nobody stands
    cluster_run(c, 2 * c->timing.election_max);
    assert_true(cluster_leader(c) && cluster_leader(c) != old);
    cluster_close(c);
}

static void a_live_leader_answers_a_doubt_at_once(void **state)
{
    (void)state;
    sk_node_id leader;
    cluster *c = idle_cluster(3, &leader);
    sk_node_id asks = 1 + leader % 3, third = 1 + asks % 3;
    uint64_t term = status_of(c, leader).epoch;
    sk_ns promised = raft_of(c, third)->election_at;
    waiting(c, asks);
    cluster_run(c, c->timing.heartbeat_active + 10 * SK_MS);
    assert_true(raft_of(c, asks)->spoke > raft_of(c, asks)->asked_at);
    assert_false(raft_of(c, asks)->doubted);
    assert_false(raft_of(c, third)->doubted); // it has asked for itself
    assert_true(raft_of(c, third)->election_at >= promised - c->timing.election_max);
    cluster_run(c, 10 * c->timing.election_max);
    assert_int_equal(status_of(c, leader).role, SK_ROLE_LEADER);
    assert_int_equal(status_of(c, leader).epoch, term);
    cluster_close(c);
}

// Who has heard the leader since it asked asks nothing more, and its timer is not set anew for every request.
static void an_answered_question_raises_no_doubt(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    waiting(c, 2);
    sk_ns at = raft_of(c, 2)->doubt_at;
    assert_true(at != SK_NEVER && sk_raft.deadline(c->nodes[2].replica) <= at);
    c->now += SK_MS;
    cluster_submit(c, 1, "x");
    cluster_settle(c); // the leader's append is its word
    waiting(c, 2);
    assert_true(raft_of(c, 2)->doubt_at == at);
    c->now = at;
    cluster_turn(c, 2);
    assert_int_equal(cluster_count(c, 2, 0, SK_RAFT_DOUBT), 0);
    assert_true(raft_of(c, 2)->doubt_at > at && raft_of(c, 2)->doubt_at != SK_NEVER); // for what was asked later
    c->latency = SK_MS;
    c->now = raft_of(c, 2)->doubt_at;
    cluster_turn(c, 2);
    assert_int_equal(cluster_count(c, 2, 0, SK_RAFT_DOUBT), 2);
    assert_true(raft_of(c, 2)->loyal_until <= c->now + c->timing.election_min);
    assert_true(raft_of(c, 2)->doubt_at == SK_NEVER);
    cluster_close(c);
}

// Cut off from the leader alone, a node may doubt as it likes: the others ask for themselves and stay loyal.
static void R13_a_bridged_nodes_doubt_leaves_the_leader_alone(void **state)
{
    (void)state;
    for (size_t count = 3; count <= 5; count += 2) {
        sk_node_id leader;
        cluster *c = idle_cluster(count, &leader);
        sk_node_id cut = (sk_node_id)(1 + leader % count);
        uint64_t term = status_of(c, leader).epoch;
        for (int i = 0; i < 60; i++) {
            c->cut[leader][cut] = c->cut[cut][leader] = i % 10 != 9; // it hears the leader again now and then
            waiting(c, cut);
            cluster_run(c, SK_S);
            assert_int_equal(status_of(c, leader).role, SK_ROLE_LEADER);
            assert_int_equal(status_of(c, leader).epoch, term);
        }
        cluster_close(c);
    }
}

static void R31_doubt_does_not_count_a_stalled_disk(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    uint64_t term = status_of(c, leader).epoch;
    for (sk_node_id id = 1; id <= 3; id++) c->nodes[id].disk_auto = false; // nothing is acknowledged at all
    for (int i = 0; i < 300; i++) {
        cluster_submit(c, leader, "x");
        waiting(c, 1 + leader % 3);
        cluster_run(c, 100 * SK_MS);
    }
    assert_int_equal(status_of(c, leader).role, SK_ROLE_LEADER);
    assert_int_equal(status_of(c, leader).epoch, term);
    cluster_close(c);
}

static void patience_is_learnt_within_its_bounds(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->timing.election_min = 200 * SK_MS;
    c->timing.election_max = 3 * SK_S;
    cluster_start_all(c);
    sk_node_id leader = cluster_elect(c), follower = 1 + leader % 3;
    cluster_run(c, 5 * SK_S);
    assert_true(sk_raft_patience(raft_of(c, follower)) == 200 * SK_MS); // all is quick
    c->latency = 100 * SK_MS; // a slow line: eight round trips
    cluster_run(c, 60 * SK_S);
    assert_true(raft_of(c, follower)->peers[leader - 1].round_trip >= 190 * SK_MS);
    assert_true(sk_raft_patience(raft_of(c, follower)) == 1500 * SK_MS); // half of the greatest
    c->latency = SK_MS;
    cluster_run(c, 300 * SK_S);
    assert_true(sk_raft_patience(raft_of(c, follower)) == 200 * SK_MS);
    c->cut[leader][follower] = true; // one message 150 ms late
    sk_ns due = raft_of(c, follower)->word_due;
    cluster_run(c, due + 150 * SK_MS - c->now);
    c->cut[leader][follower] = false;
    sk_raft_message heartbeat = {.kind = SK_RAFT_HEARTBEAT, .term = status_of(c, leader).epoch, .promise_ms = 500};
    cluster_inject(c, follower, leader, &heartbeat);
    sk_ns learnt = sk_raft_patience(raft_of(c, follower));
    assert_true(learnt > 500 * SK_MS && learnt <= 600 * SK_MS);
    for (int i = 0; i < 200; i++) { // a hundred heartbeats in time, and it is forgotten
        c->now += 400 * SK_MS;
        cluster_inject(c, follower, leader, &heartbeat);
    }
    assert_true(sk_raft_patience(raft_of(c, follower)) == 200 * SK_MS);
    cluster_close(c);
}

static void patience_covers_an_election_on_slow_disks(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->timing.election_min = 100 * SK_MS;
    c->timing.election_max = 10 * SK_S;
    for (sk_node_id id = 1; id <= 3; id++) c->nodes[id].disk_latency = 300 * SK_MS;
    cluster_start_all(c);
    sk_node_id leader = cluster_elect(c);
    for (int i = 0; i < 5; i++) {
        cluster_submit(c, leader, "x");
        cluster_run(c, SK_S);
    }
    for (sk_node_id id = 1; id <= 3; id++) {
        assert_true(sk_raft_patience(raft_of(c, id)) >= 1200 * SK_MS);
        assert_true(sk_raft_patience(raft_of(c, id)) <= 2 * SK_S);
    }
    uint64_t term = status_of(c, leader).epoch;
    cluster_kill(c, leader);
    cluster_run(c, 10 * SK_S);
    sk_node_id next = cluster_leader(c);
    assert_true(next && status_of(c, next).epoch == term + 1); // the first vote has the time it needs
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubt_shortens_an_idle_leaders_promise),
        cmocka_unit_test(a_live_leader_answers_a_doubt_at_once),
        cmocka_unit_test(an_answered_question_raises_no_doubt),
        cmocka_unit_test(R13_a_bridged_nodes_doubt_leaves_the_leader_alone),
        cmocka_unit_test(R31_doubt_does_not_count_a_stalled_disk),
        cmocka_unit_test(patience_is_learnt_within_its_bounds),
        cmocka_unit_test(patience_covers_an_election_on_slow_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
