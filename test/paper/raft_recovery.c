// What a start finds, what it must have lost, and what comes back from the disk late: lines of the pitfalls (section C) by their ids.
#include "test/support/raft_cluster.h"

static void forget_record(member *m, size_t at)
{
    slice_drop(m->disk[at].record.payload);
    memmove(m->disk + at, m->disk + at + 1, (m->disk_count - at - 1) * sizeof *m->disk);
    m->disk_count--;
}

static void forget_entries(member *m, uint64_t from, uint64_t to)
{
    for (size_t i = m->disk_count; i-- > 0;) {
        const sk_record *record = &m->disk[i].record;
        if (record->kind == SK_RECORD_ENTRY && record->position >= from && record->position <= to) forget_record(m, i);
    }
}

static bool granted(cluster *c, sk_node_id from, sk_node_id to, enum sk_raft_kind kind)
{
    const packet *p = cluster_find(c, from, to, kind);
    return p && packet_message(p).flags & SK_RAFT_GRANTED;
}

// The term is on disk already when the vote is given: the vote is one more record, and its answer waits for that one.
static void R01_a_vote_in_a_known_term_is_written_too(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    lab_freeze(c);
    cluster_inject(c, 3, 2, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = 5});
    cluster_durable(c, 3);
    assert_int_equal(status_of(c, 3).epoch, 5);
    sk_raft_message ask = {.kind = SK_RAFT_VOTE, .term = 5, .last_index = 9, .last_term = 4};
    cluster_inject(c, 3, 1, &ask);
    assert_int_equal(c->packet_count, 0); // held
    cluster_durable(c, 3);
    assert_true(granted(c, 3, 1, SK_RAFT_VOTE_ANSWER));
    cluster_drop_all(c);
    cluster_kill(c, 3);
    cluster_start(c, 3, false);
    assert_int_equal(raft_of(c, 3)->vote, 1);
    cluster_inject(c, 3, 2, &ask);
    cluster_durable(c, 3);
    assert_non_null(cluster_find(c, 3, 2, SK_RAFT_VOTE_ANSWER));
    assert_false(granted(c, 3, 2, SK_RAFT_VOTE_ANSWER));
    cluster_close(c);
}

// The leader names an entry up to which a damaged replica must hold its log; the log comes in many small messages.
static void D06_refilled_only_when_it_holds_what_was_asked(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->limits.message_bytes_max = 64;
    c->limits.inflight_count_max = 1;
    c->latency = 0;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    for (int i = 0; i < 400; i++) cluster_submit(c, 1, "0123456789"); // many heartbeats long
    cluster_settle(c);
    cluster_kill(c, 3);
    forget_entries(&c->nodes[3], 2, UINT64_MAX);
    cluster_start(c, 3, true);
    c->latency = SK_MS;
    uint64_t heal = 0;
    for (int i = 0; i < 20000 && status_of(c, 3).recovering; i++) {
        cluster_run(c, SK_MS / 4);
        if (raft_of(c, 1)->peers[2].heal_index > heal) heal = raft_of(c, 1)->peers[2].heal_index;
    }
    assert_false(status_of(c, 3).recovering);
    assert_true(heal > 400);
    assert_true(raft_of(c, 3)->verified >= heal);
    assert_true(raft_of(c, 3)->log.durable >= heal);
    cluster_close(c);
}

// An entry has outlived the record of its term: the vote of that term is lost with the record.
static void D12_a_log_newer_than_its_state_has_no_vote(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    uint64_t term = status_of(c, 1).epoch;
    cluster_kill(c, 3);
    member *m = &c->nodes[3];
    for (size_t i = m->disk_count; i-- > 0;) {
        if (m->disk[i].record.kind == SK_RECORD_STATE) forget_record(m, i);
    }
    cluster_start(c, 3, false);
    assert_true(status_of(c, 3).recovering && status_of(c, 3).why);
    assert_int_equal(status_of(c, 3).epoch, term);
    cluster_inject(c, 3, 2, &(sk_raft_message){.kind = SK_RAFT_VOTE, .term = term, .last_index = 99, .last_term = term});
    cluster_settle(c);
    assert_int_equal(raft_of(c, 3)->vote, 0);
    c->latency = SK_MS;
    cluster_run(c, 5 * SK_S);
    assert_false(status_of(c, 3).recovering); // refilled by the leader
    cluster_close(c);
}

// Only a start loses records: who has been refilled since does not stand aside again because an old heartbeat comes late.
static void D06_a_late_refill_changes_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    c->latency = SK_MS;
    cluster_kill(c, 3);
    member *m = &c->nodes[3];
    for (size_t i = m->disk_count; i-- > 0;) forget_record(m, i); // all of it, and it does not know
    cluster_start(c, 3, false);
    assert_false(status_of(c, 3).recovering);
    for (int i = 0; i < 1000 && !status_of(c, 3).recovering; i++) cluster_run(c, 10 * SK_MS);
    assert_true(status_of(c, 3).recovering); // the leader knows better
    cluster_run(c, 5 * SK_S);
    assert_false(status_of(c, 3).recovering);
    sk_raft_message late = {.kind = SK_RAFT_HEARTBEAT, .flags = SK_RAFT_REFILL, .term = status_of(c, 1).epoch, .boot = raft_of(c, 3)->boot};
    cluster_inject(c, 3, 1, &late);
    assert_false(status_of(c, 3).recovering);
    cluster_close(c);
}

// Nothing behind a missing entry is taken, behind a snapshot or in the middle of the log.
static void N05_a_gap_ends_the_log(void **state)
{
    (void)state;
    for (int with_snapshot = 0; with_snapshot < 2; with_snapshot++) {
        cluster *c = lab_new(3);
        cluster_make_leader(c, 1);
        for (int i = 0; i < 9; i++) {
            cluster_submit(c, 1, "x");
            cluster_settle(c);
            if (i == 4 && with_snapshot) cluster_take_snapshot(c, 3);
        }
        uint64_t base = with_snapshot ? c->nodes[3].snapshot.position : 3;
        cluster_kill(c, 3);
        forget_entries(&c->nodes[3], base + 1, base + 1);
        cluster_start(c, 3, false);
        assert_int_equal(status_of(c, 3).last, base);
        c->latency = SK_MS;
        cluster_run(c, 10 * SK_S);
        assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
        assert_true(c->nodes[3].machine.digest == c->nodes[1].machine.digest);
        cluster_close(c);
    }
}

// A read of the log was asked for in an earlier term of office; what it brings has been replaced since.
static void R24_a_late_read_is_not_sent(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.window_bytes_max = 400;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    uint64_t term = status_of(c, 1).epoch;
    cluster_isolate(c, 3, true);
    cluster_make_leader(c, 2);
    cluster_make_leader(c, 1);
    for (int i = 0; i < 60; i++) {
        cluster_submit(c, 1, "0123456789");
        cluster_settle(c);
    }
    c->nodes[1].fetch_auto = false;
    cluster_heal(c);
    for (int i = 0; i < 100 && !c->nodes[1].fetch_count; i++) cluster_run(c, 50 * SK_MS);
    assert_true(c->nodes[1].fetch_count > 0);
    uint64_t from = c->nodes[1].fetches[0].from;
    cluster_settle(c);
    // Behind what node 3 has stands an entry that would follow from it, and is committed by its number.
    sk_record old[4];
    size_t count = 0;
    for (uint64_t at = from; at == from || old[count - 1].payload.size == 0; at++) {
        assert_true(count < 4 && at <= status_of(c, 1).committed);
        bool replaced = sk_raft_log_term(&raft_of(c, 1)->log, at) > term;
        old[count++] = (sk_record){.kind = SK_RECORD_ENTRY, .position = at, .epoch = term,
                                   .payload = sk_slice_text(replaced ? "replaced" : "")};
    }
    cluster_step(c, 1, (sk_event){.kind = SK_EVENT_RECORDS, .records = {.from = from, .list = old, .count = count}});
    c->nodes[1].fetch_auto = true;
    cluster_run(c, 5 * SK_S);
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    assert_true(c->nodes[3].machine.digest == c->nodes[1].machine.digest);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R01_a_vote_in_a_known_term_is_written_too),
        cmocka_unit_test(D06_refilled_only_when_it_holds_what_was_asked),
        cmocka_unit_test(D06_a_late_refill_changes_nothing),
        cmocka_unit_test(D12_a_log_newer_than_its_state_has_no_vote),
        cmocka_unit_test(N05_a_gap_ends_the_log),
        cmocka_unit_test(R24_a_late_read_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
