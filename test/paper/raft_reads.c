// Linearizable reads: pitfalls R05 to R07 and R28 by id.
#include "test/support/raft_cluster.h"

// A leader of term 2 in the hand, with an uncommitted tail, its messages undelivered.
static void R05_reads_wait_for_the_terms_first_commit(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    cluster_kill(c, 1);
    lab_freeze(c);
    c->now += 100 * SK_S;
    raft_inside(c, 3)->election_at = SK_NEVER;
    cluster_campaign(c, 2);
    cluster_settle(c);
    cluster_durable(c, 2);
    cluster_settle(c);
    cluster_durable(c, 3); // its vote
    cluster_settle(c);
    assert_int_equal(status_of(c, 2).role, SK_ROLE_LEADER);
    uint64_t read = cluster_read(c, 2);
    cluster_settle(c); // its round is answered by everybody; the new entry is on no disk but held in memory
    assert_true(raft_of(c, 2)->peers[2].round >= 1);
    assert_int_equal(c->ends[read].kind, END_NONE);
    cluster_durable(c, 2);
    cluster_durable(c, 3);
    cluster_settle(c);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_true(c->ends[read].position >= raft_of(c, 2)->term_start);
    cluster_close(c);
}

static void R06_reads_need_a_round_begun_after_them(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id old = cluster_elect(c);
    cluster_run(c, SK_S);
    cluster_isolate(c, old, true);
    uint64_t early = cluster_read(c, old); // still believes to lead
    cluster_run(c, 8 * SK_S);
    sk_node_id leader = cluster_leader(c);
    assert_true(leader && leader != old);
    uint64_t write = cluster_submit(c, leader, "new");
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[write].kind, END_APPLIED);
    uint64_t late = cluster_read(c, old);
    cluster_run(c, 5 * SK_S);
    assert_int_equal(c->ends[early].kind, END_REFUSED);
    assert_int_equal(c->ends[late].kind, END_REFUSED);
    cluster_close(c);
}

static void R06_answers_to_an_earlier_round_serve_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    c->latency = SK_MS;
    c->now = raft_of(c, 1)->heartbeat_at;
    cluster_turn(c, 1); // a round begins
    while (cluster_deliver_kind(c, 1, 0, SK_RAFT_HEARTBEAT)) {
    }
    uint64_t read = cluster_read(c, 1); // the read comes while its answers are under way
    assert_int_equal(cluster_count(c, 0, 1, SK_RAFT_HEARTBEAT_ANSWER), 2);
    while (cluster_deliver_kind(c, 0, 1, SK_RAFT_HEARTBEAT_ANSWER)) {
    }
    assert_int_equal(c->ends[read].kind, END_NONE);
    cluster_turn(c, 1);
    while (cluster_deliver_kind(c, 1, 2, SK_RAFT_HEARTBEAT)) {
    }
    assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER));
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    cluster_close(c);
}

static void R06_a_round_needs_a_majority_of_voters(void **state)
{
    (void)state;
    cluster *c = lab_new(5);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    c->latency = SK_MS;
    uint64_t read = cluster_read(c, 1);
    cluster_turn(c, 1);
    assert_true(cluster_deliver_kind(c, 1, 2, SK_RAFT_HEARTBEAT));
    packet *p = cluster_find(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER);
    sk_slice again = slice_keep(p->bytes);
    assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_HEARTBEAT_ANSWER));
    for (int i = 0; i < 3; i++) cluster_receive(c, 1, 2, again); // one voter, however often
    slice_drop(again);
    assert_int_equal(c->ends[read].kind, END_NONE);
    assert_true(cluster_deliver_kind(c, 1, 3, SK_RAFT_HEARTBEAT));
    assert_true(cluster_deliver_kind(c, 3, 1, SK_RAFT_HEARTBEAT_ANSWER));
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    cluster_close(c);
}

static void R07_a_retried_read_index_has_a_fresh_number(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    c->latency = SK_MS;
    uint64_t read = cluster_read(c, 2);
    cluster_turn(c, 2);
    uint64_t first = packet_message(cluster_find(c, 2, 1, SK_RAFT_READ)).request;
    cluster_drop_all(c); // lost
    c->now += 2 * c->timing.heartbeat_active;
    cluster_turn(c, 2);
    uint64_t second = packet_message(cluster_find(c, 2, 1, SK_RAFT_READ)).request;
    assert_true(second > first);
    sk_raft_message answer = {.kind = SK_RAFT_READ_ANSWER,
                              .term = status_of(c, 2).epoch,
                              .boot = c->nodes[2].boot,
                              .request = first,
                              .read_index = status_of(c, 2).applied};
    cluster_inject(c, 2, 1, &answer); // the first one's answer comes after all: older than the retry
    assert_int_equal(c->ends[read].kind, END_NONE);
    answer.request = second;
    answer.boot--; // of an earlier life
    cluster_inject(c, 2, 1, &answer);
    assert_int_equal(c->ends[read].kind, END_NONE);
    answer.boot++;
    cluster_inject(c, 2, 1, &answer);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    cluster_close(c);
}

// The follower that asks and the leader are a majority of three: its question confirms the leader, and nobody else is asked.
static void R06_a_followers_question_confirms_the_leader_of_three(void **state)
{
    (void)state;
    for (size_t count = 3; count <= 5; count += 2) {
        cluster *c = lab_new(count);
        cluster_make_leader(c, 1);
        cluster_drop_all(c);
        c->latency = SK_MS;
        uint64_t read = cluster_read(c, 2);
        cluster_turn(c, 2);
        assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_READ));
        cluster_turn(c, 1);
        assert_int_equal(cluster_count(c, 1, 2, SK_RAFT_READ_ANSWER), count == 3);
        assert_int_equal(cluster_count(c, 1, 0, SK_RAFT_HEARTBEAT), count == 3 ? 0 : 4); // two of five are none
        if (count == 3) {
            assert_true(cluster_deliver_kind(c, 1, 2, SK_RAFT_READ_ANSWER));
            assert_int_equal(c->ends[read].kind, END_QUERIED);
            raft_inside(c, 1)->peers[1].recovering = true; // it has no vote: it confirms nobody
            cluster_drop_all(c);
            cluster_read(c, 2);
            cluster_turn(c, 2);
            assert_true(cluster_deliver_kind(c, 2, 1, SK_RAFT_READ));
            cluster_turn(c, 1);
            assert_int_equal(cluster_count(c, 1, 2, SK_RAFT_READ_ANSWER), 0);
        }
        cluster_close(c);
    }
}

static void R07_reads_through_a_follower_never_hang(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    sk_node_id follower = 1 + leader % 3;
    cluster_run(c, SK_S);
    uint64_t write = cluster_submit(c, leader, "x");
    cluster_run(c, 100 * SK_MS);
    uint64_t read = cluster_read(c, follower);
    cluster_run(c, 200 * SK_MS);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_true(c->ends[read].position >= c->ends[write].position);
    c->loss = 500; // every second message lost: asked again
    uint64_t first = c->next_request + 1;
    for (int i = 0; i < 20; i++) {
        cluster_read(c, follower);
        cluster_run(c, 50 * SK_MS);
    }
    c->loss = 0;
    c->cut[follower][leader] = true; // asks never arrive, heartbeats do
    uint64_t lost = cluster_read(c, follower);
    cluster_run(c, 2 * c->timing.election_max + SK_S);
    assert_int_equal(c->ends[lost].why, SK_ENOTLEADER);
    for (uint64_t r = first; r < lost; r++) assert_true(c->ends[r].kind != END_NONE);
    cluster_close(c);
}

static void R28_uncommitted_values_are_never_shown(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id old = cluster_elect(c);
    cluster_run(c, SK_S);
    uint64_t digest = c->nodes[old].machine.digest;
    cluster_isolate(c, old, true);
    uint64_t write = cluster_submit(c, old, "never"), read = cluster_read(c, old);
    cluster_run(c, 10 * SK_S);
    assert_int_equal(c->ends[write].why, SK_EUNKNOWN);
    assert_int_equal(c->ends[read].kind, END_REFUSED);
    assert_true(c->nodes[old].machine.digest == digest);
    sk_node_id leader = cluster_leader(c);
    cluster_submit(c, leader, "other");
    cluster_run(c, SK_S);
    cluster_heal(c);
    cluster_run(c, 5 * SK_S);
    read = cluster_read(c, old);
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_true(c->ends[read].digest == c->nodes[leader].machine.digest);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R05_reads_wait_for_the_terms_first_commit),
        cmocka_unit_test(R06_reads_need_a_round_begun_after_them),
        cmocka_unit_test(R06_answers_to_an_earlier_round_serve_nothing),
        cmocka_unit_test(R06_a_round_needs_a_majority_of_voters),
        cmocka_unit_test(R07_a_retried_read_index_has_a_fresh_number),
        cmocka_unit_test(R06_a_followers_question_confirms_the_leader_of_three),
        cmocka_unit_test(R07_reads_through_a_follower_never_hang),
        cmocka_unit_test(R28_uncommitted_values_are_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
