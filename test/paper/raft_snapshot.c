// Snapshots, compaction, reading back, recovery and damage: pitfalls N01, N02, N04, N05 (N03 waits for membership change) and
// section 6 of the design, by name.
#include "test/support/raft_cluster.h"

static void entries_to(cluster *c, sk_node_id to, sk_node_id from, uint64_t term, sk_raft_position previous,
                       uint64_t commit, size_t count)
{
    sk_arena arena = {0};
    sk_raft_message header = {.kind = SK_RAFT_APPEND,
                              .term = term,
                              .previous_index = previous.index,
                              .previous_term = previous.term,
                              .commit = commit};
    sk_raft_writer writer = sk_raft_writer_begin(&arena, &header, count * sk_raft_entry_size(8));
    for (size_t i = 0; i < count; i++) sk_raft_writer_add(&writer, term, sk_slice_text("y"));
    cluster_receive(c, to, from, sk_raft_writer_end(&writer));
    sk_arena_deinit(&arena);
}

// A cluster whose node 3 is away while the others go on and compact.
static cluster *one_far_behind(size_t entries)
{
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.window_bytes_max = 400;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 3, true);
    for (size_t i = 0; i < entries; i++) {
        cluster_submit(c, 1, "0123456789");
        cluster_settle(c);
    }
    assert_int_equal(status_of(c, 1).applied, status_of(c, 1).last);
    cluster_take_snapshot(c, 1);
    cluster_submit(c, 1, "after");
    cluster_settle(c);
    return c;
}

static void N01_divergent_entry_at_the_snapshots_index(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) { // the truncate record reaches the disk, or is lost with the power
        cluster *c = lab_new(3);
        entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, 8); // an uncommitted tail of term 1
        cluster_durable(c, 2);
        cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 2, .promise_ms = 10});
        c->nodes[2].disk_auto = false;
        cluster_durable(c, 2);
        cluster_install(c, 2, (image){.position = 5, .epoch = 2});
        assert_int_equal(status_of(c, 2).last, 5); // 5 was another entry, so 6 to 8 are void
        assert_int_equal(status_of(c, 2).applied, 5);
        assert_int_equal(status_of(c, 2).first,
                         1); // the disk keeps the evidence until the truncation is there
        if (!lost) {
            cluster_durable(c, 2);
            assert_int_equal(status_of(c, 2).first, 6);
            cluster_drop_all(c);
            entries_to(c, 2, 3, 2, (sk_raft_position){5, 2}, 0, 2);
            cluster_durable(c, 2);
            assert_int_equal(packet_message(cluster_find(c, 2, 3, SK_RAFT_APPEND_ANSWER)).match, 7);
        }
        cluster_kill(c, 2);
        cluster_start(c, 2, false);
        assert_int_equal(status_of(c, 2).last, lost ? 5 : 7);
        assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, 5), 2);
        cluster_close(c);
    }
}

// The tail's terms are above the snapshot's: only the entry at its index betrays them.
static void N01_a_tail_of_newer_terms_is_void_too(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, 5);
    entries_to(c, 2, 3, 3, (sk_raft_position){5, 1}, 0, 3);
    cluster_inject(c, 2, 1, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 4, .promise_ms = 10});
    cluster_durable(c, 2);
    c->nodes[2].disk_auto = false;
    cluster_install(c, 2, (image){.position = 5, .epoch = 2});
    assert_int_equal(status_of(c, 2).last, 5);
    cluster_kill(c, 2); // the truncate record is lost
    cluster_start(c, 2, false);
    assert_int_equal(status_of(c, 2).last, 5);
    assert_int_equal(status_of(c, 2).first, 1); // what betrays the tail stays until the truncation is on disk
    entries_to(c, 2, 1, 4, (sk_raft_position){5, 2}, 0, 2); // new ones in its place
    cluster_durable(c, 2);
    assert_int_equal(status_of(c, 2).first, 6);
    cluster_kill(c, 2);
    cluster_start(c, 2, false);
    assert_int_equal(status_of(c, 2).last, 7);
    assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, 7), 4);
    cluster_close(c);
}

static void N01_a_tail_that_follows_from_the_snapshot_stays(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, 8);
    cluster_install(c, 2, (image){.position = 5, .epoch = 1});
    assert_int_equal(status_of(c, 2).last, 8);
    assert_int_equal(status_of(c, 2).committed, 5);
    cluster_durable(c, 2);
    cluster_kill(c, 2);
    cluster_start(c, 2, false);
    assert_int_equal(status_of(c, 2).last, 8);
    cluster_close(c);
}

static void N02_old_and_repeated_snapshots_do_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 6, 8);
    cluster_take_snapshot(c, 2);
    uint64_t before = sk_raft.fingerprint(c->nodes[2].replica);
    const struct {
        uint64_t position, epoch;
    } stale[] = {{6, 1}, {3, 1}, {1, 1}, {6, 1}};
    for (size_t i = 0; i < 4; i++) {
        for (int kind = SK_EVENT_SNAPSHOT_TAKEN; kind <= SK_EVENT_SNAPSHOT_RECEIVED; kind++) {
            cluster_step(c, 2,
                         (sk_event){.kind = (enum sk_event_kind)kind,
                                    .snapshot = {.position = stale[i].position, .epoch = stale[i].epoch}});
        }
    }
    assert_true(sk_raft.fingerprint(c->nodes[2].replica) == before);
    assert_int_equal(raft_of(c, 2)->ignored[SK_RAFT_IGNORE_snapshot_old], 8);
    // Nor does the end of a transfer that nobody began.
    cluster_make_leader(c, 2);
    uint64_t next = raft_of(c, 2)->peers[0].next;
    cluster_snapshot_sent(c, 2, 1, (image){.position = 3, .epoch = 1}, true);
    assert_int_equal(raft_of(c, 2)->peers[0].next, next);
    cluster_close(c);
}

static void N04_a_failed_transfer_is_tried_again_with_patience(void **state)
{
    (void)state;
    cluster *c = one_far_behind(30);
    c->nodes[1].snapshot_auto = false;
    cluster_heal(c);
    cluster_run(c, 2 * SK_S);
    assert_int_equal(c->nodes[1].snapshots_offered, 1); // one at a time, however long it takes
    sk_ns failed[4];
    for (int i = 0; i < 4; i++) {
        assert_true(c->nodes[1].offers[3] >= raft_of(c, 1)->log.floor.index);
        c->nodes[1].offers[3] = 0;
        cluster_snapshot_sent(c, 1, 3, c->nodes[1].snapshot, false);
        sk_ns from = c->now;
        for (int k = 0; k < 1000 && !c->nodes[1].offers[3]; k++) cluster_run(c, 50 * SK_MS);
        assert_true(c->nodes[1].offers[3]);
        failed[i] = c->now - from;
    }
    assert_true(failed[0] >= c->timing.election_min && failed[3] >= 4 * failed[0]);
    c->nodes[1].snapshot_auto = true;
    cluster_run(c, 2 * SK_S);
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    assert_true(c->nodes[3].machine.digest == c->nodes[1].machine.digest);
    cluster_close(c);
}

static void N04_a_broken_link_ends_the_transfer(void **state)
{
    (void)state;
    cluster *c = one_far_behind(30);
    c->nodes[1].snapshot_auto = false;
    cluster_heal(c);
    cluster_run(c, 2 * SK_S);
    assert_true(c->nodes[1].offers[3]);
    cluster_link(c, 1, 3, false);
    c->nodes[1].offers[3] = 0;
    cluster_run(c, 2 * SK_S);
    cluster_link(c, 1, 3, true);
    c->nodes[1].snapshot_auto = true;
    cluster_run(c, 5 * SK_S);
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    cluster_close(c);
}

// Power cut after each record of: entries, snapshot, compaction, more entries; and of an installation.
static void N05_no_gap_between_snapshot_and_log(void **state)
{
    (void)state;
    for (size_t keep = 0; keep < 12; keep++) {
        cluster *c = one_far_behind(10);
        cluster_heal(c);
        c->nodes[3].disk_auto = false;
        cluster_run(c, 100 * SK_MS);
        for (int i = 0; i < 5; i++) {
            cluster_submit(c, 1, "more");
            cluster_run(c, 200 * SK_MS);
        }
        assert_true(status_of(c, 3).applied >= c->nodes[1].snapshot.position);
        cluster_kill_keeping(c, 3, keep);
        cluster_start(c, 3, false);
        sk_status s = status_of(c, 3);
        assert_true(s.applied == c->nodes[3].snapshot.position && s.last >= s.applied);
        c->nodes[3].disk_auto = true;
        cluster_run(c, 5 * SK_S);
        assert_int_equal(status_of(c, 3).applied, status_of(c, cluster_leader(c)).applied);
        cluster_close(c);
    }
}

static void N05_entries_behind_a_snapshot_stay_while_memory_allows(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 3, true);
    for (int i = 0; i < 10; i++) {
        cluster_submit(c, 1, "x");
        cluster_settle(c);
    }
    cluster_take_snapshot(c, 1);
    cluster_heal(c);
    cluster_run(c, 5 * SK_S);
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    assert_int_equal(c->nodes[1].snapshots_offered, 0); // a slow peer does not cost a snapshot
    cluster_close(c);
}

static void a_long_log_wants_a_snapshot(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(1, 1);
    c->limits.log_entries_max = 100;
    cluster_start_all(c);
    cluster_run(c, SK_S);
    for (int i = 0; i < 99; i++) {
        cluster_submit(c, 1, "x");
        cluster_settle(c);
    }
    assert_int_equal(c->nodes[1].snapshots_wanted, 0);
    for (int i = 0; i < 10; i++) {
        cluster_submit(c, 1, "x");
        cluster_settle(c);
    }
    assert_int_equal(c->nodes[1].snapshots_wanted, 1); // once
    cluster_take_snapshot(c, 1);
    assert_int_equal(status_of(c, 1).first, status_of(c, 1).applied + 1);
    for (int i = 0; i < 90; i++) {
        cluster_submit(c, 1, "x");
        cluster_settle(c);
    }
    assert_int_equal(c->nodes[1].snapshots_wanted, 1);
    cluster_close(c);
}

// ---- Reading back ----

static void what_fell_out_of_memory_is_read_back_for_a_peer(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.window_bytes_max = 400;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 3, true);
    for (int i = 0; i < 60; i++) {
        cluster_submit(c, 1, "0123456789");
        cluster_settle(c);
    }
    assert_true(raft_of(c, 1)->log.bytes <= 400);
    assert_true(raft_of(c, 1)->log.window.count < 10);
    cluster_heal(c);
    cluster_run(c, 5 * SK_S);
    assert_true(c->nodes[1].fetches_answered > 0);
    assert_int_equal(c->nodes[1].snapshots_offered, 0);
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    assert_true(c->nodes[3].machine.digest == c->nodes[1].machine.digest);
    cluster_close(c);
}

static void what_cannot_be_read_back_is_replaced_by_a_snapshot(void **state)
{
    (void)state;
    static const int errors[] = {SK_ECOMPACTED, SK_ECORRUPT, SK_EIO};
    for (size_t i = 0; i < 3; i++) {
        cluster *c = cluster_new_idle(3, 1);
        c->latency = 0;
        c->limits.window_bytes_max = 400;
        cluster_start_all(c);
        cluster_make_leader(c, 1);
        cluster_isolate(c, 3, true);
        for (int k = 0; k < 60; k++) {
            cluster_submit(c, 1, "0123456789");
            cluster_settle(c);
        }
        c->nodes[1].fetch_auto = false;
        cluster_heal(c);
        for (int k = 0; k < 100 && !c->nodes[1].fetch_count; k++) cluster_run(c, 50 * SK_MS);
        uint64_t from = c->nodes[1].fetches[0].from;
        c->nodes[1].snapshot_auto = false;
        cluster_answer_fetch(c, 1, errors[i]);
        assert_true(c->nodes[1].offers[3] >= from);
        c->nodes[1].snapshot_auto = c->nodes[1].fetch_auto = true;
        cluster_run(c, 5 * SK_S);
        assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
        cluster_close(c);
    }
}

static void a_restart_applies_what_is_no_longer_in_memory(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(1, 1);
    c->limits.window_bytes_max = 400;
    cluster_start_all(c);
    cluster_run(c, SK_S);
    for (int i = 0; i < 60; i++) {
        cluster_submit(c, 1, "0123456789");
        cluster_settle(c);
    }
    uint64_t digest = c->nodes[1].machine.digest, applied = status_of(c, 1).applied;
    cluster_kill(c, 1);
    cluster_start(c, 1, false);
    assert_true(raft_of(c, 1)->log.bytes <= 400);
    cluster_run(c, SK_S);
    assert_int_equal(status_of(c, 1).applied, applied + 1); // and the empty entry of its new term
    assert_true(c->nodes[1].machine.digest == digest);
    assert_true(c->nodes[1].fetches_answered > 0);
    cluster_close(c);
}

static void a_log_that_cannot_be_read_halts(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(1, 1);
    c->limits.window_bytes_max = 400;
    cluster_start_all(c);
    cluster_run(c, SK_S);
    for (int i = 0; i < 60; i++) {
        cluster_submit(c, 1, "0123456789");
        cluster_settle(c);
    }
    cluster_kill(c, 1);
    c->nodes[1].fetch_auto = false;
    cluster_start(c, 1, false);
    cluster_run(c, SK_S);
    cluster_answer_fetch(c, 1, SK_ECORRUPT);
    assert_int_equal(status_of(c, 1).role, SK_ROLE_HALTED);
    assert_non_null(status_of(c, 1).why);
    cluster_close(c);
}

// ---- Recovery ----

static void recovery_takes_the_last_word_on_each_position(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    static const uint8_t vote_two[2] = {2, 0}, vote_none[2] = {0, 0};
    const sk_record records[] = {
        {.kind = SK_RECORD_STATE, .number = 1, .epoch = 1, .payload = {vote_none, 2}},
        {.kind = SK_RECORD_ENTRY, .number = 2, .position = 1, .epoch = 1, .payload = sk_slice_text("a")},
        {.kind = SK_RECORD_ENTRY, .number = 3, .position = 2, .epoch = 1, .payload = sk_slice_text("b")},
        {.kind = SK_RECORD_ENTRY, .number = 4, .position = 3, .epoch = 1, .payload = sk_slice_text("c")},
        {.kind = SK_RECORD_STATE, .number = 5, .epoch = 3, .payload = {vote_two, 2}},
        {.kind = SK_RECORD_ENTRY,
         .number = 6,
         .position = 2,
         .epoch = 3,
         .payload = sk_slice_text("B")}, // replaces 2 and 3
        {.kind = SK_RECORD_ENTRY, .number = 7, .position = 5, .epoch = 3, .payload = sk_slice_text("gap")},
        {.kind = SK_RECORD_STATE, .number = 1, .epoch = 1, .payload = {vote_none, 2}}, // carried forward: old
        {.kind = SK_RECORD_STATE,
         .number = 4,
         .epoch = 3,
         .payload = {vote_none, 2}}, // also of the same term
        {.kind = SK_RECORD_ENTRY,
         .number = 3,
         .position = 2,
         .epoch = 1,
         .payload = sk_slice_text("b")}, // again
        {.kind = SK_RECORD_ENTRY, .number = 8, .position = 3, .epoch = 2, .payload = sk_slice_text("falls")},
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        member *m = &c->nodes[1];
        m->disk_capacity = 16;
        if (!m->disk) m->disk = sk_alloc(16 * sizeof *m->disk);
        m->disk[m->disk_count] = (stored){.record = records[i]};
        m->disk[m->disk_count++].record.payload = slice_keep(records[i].payload);
    }
    cluster_start(c, 1, false);
    const sk_raft_replica *raft = raft_of(c, 1);
    assert_int_equal(raft->term, 3);
    assert_int_equal(raft->vote, 2);
    assert_int_equal(raft->log.last, 2);
    assert_int_equal(sk_raft_log_term(&raft->log, 2), 3);
    assert_true(raft->recovering); // what stood in the gap is missing
    assert_int_equal(raft->record_last, 9);
    cluster_close(c);
}

// C6: an entry that a received snapshot overruled stays on disk below the truncate record. If that snapshot is gone, it must not come
// back as part of the order, nor may what is left vote.
static void N05_a_snapshot_gone_leaves_no_overruled_entries(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    static const uint8_t vote_none[2] = {0, 0};
    const sk_record records[] = {
        {.kind = SK_RECORD_STATE, .number = 1, .epoch = 1, .payload = {vote_none, 2}},
        {.kind = SK_RECORD_ENTRY, .number = 2, .position = 1, .epoch = 1, .payload = sk_slice_text("a")},
        {.kind = SK_RECORD_ENTRY, .number = 3, .position = 2, .epoch = 1, .payload = sk_slice_text("overruled")},
        {.kind = SK_RECORD_STATE, .number = 4, .epoch = 2, .payload = {vote_none, 2}},
        {.kind = SK_RECORD_TRUNCATE, .number = 5, .position = 3, .epoch = 2}, // behind the snapshot at 2
        {.kind = SK_RECORD_ENTRY, .number = 6, .position = 3, .epoch = 2, .payload = sk_slice_text("c")},
    };
    member *m = &c->nodes[1];
    m->disk_capacity = 16;
    m->disk = sk_alloc(16 * sizeof *m->disk);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        m->disk[m->disk_count] = (stored){.record = records[i]};
        m->disk[m->disk_count++].record.payload = slice_keep(records[i].payload);
    }
    cluster_start(c, 1, false);
    const sk_raft_replica *raft = raft_of(c, 1);
    assert_int_equal(raft->log.last, 0);
    assert_true(raft->recovering);
    cluster_close(c);
}

// ---- Damage ----

static void a_recovering_replica_grants_nothing_and_never_stands(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_kill(c, 3);
    cluster_start(c, 3, true);
    cluster_durable(c, 3);
    sk_raft_message ask = {.kind = SK_RAFT_PREVOTE, .term = 8, .last_index = 99, .last_term = 8};
    cluster_inject(c, 3, 2, &ask);
    assert_true(packet_message(cluster_find(c, 3, 2, SK_RAFT_PREVOTE_ANSWER)).flags & SK_RAFT_REJECTED);
    ask.kind = SK_RAFT_VOTE;
    cluster_inject(c, 3, 2, &ask);
    cluster_durable(c, 3);
    assert_true(packet_message(cluster_find(c, 3, 2, SK_RAFT_VOTE_ANSWER)).flags & SK_RAFT_REJECTED);
    assert_int_equal(raft_of(c, 3)->vote, 0);
    cluster_inject(c, 3, 2, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 9, .promise_ms = 10});
    cluster_kill(c, 1);
    cluster_kill(c, 2);
    cluster_run(c, 60 * SK_S);
    assert_int_equal(status_of(c, 3).role, SK_ROLE_FOLLOWER);
    assert_int_equal(status_of(c, 3).leader, 0);
    assert_int_equal(status_of(c, 3).epoch, 9);
    cluster_close(c);
}

static void a_damaged_replica_neither_votes_nor_counts_and_heals(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    for (int i = 0; i < 5; i++) cluster_submit(c, 1, "x");
    cluster_settle(c);
    cluster_kill(c, 3);
    member *m = &c->nodes[3];
    for (int i = 0; i < 4; i++) slice_drop(m->disk[--m->disk_count].record.payload);
    c->nodes[2].disk_auto = false; // what would heal it does not get committed
    cluster_start(c, 3, true);
    assert_true(status_of(c, 3).recovering && status_of(c, 3).why);
    cluster_run(c, 100 * SK_MS);
    cluster_drop_all(c);
    cluster_inject(c, 3, 2,
                   &(sk_raft_message){.kind = SK_RAFT_PREVOTE, .term = 8, .last_index = 99, .last_term = 8});
    assert_true(packet_message(cluster_find(c, 3, 2, SK_RAFT_PREVOTE_ANSWER)).flags & SK_RAFT_REJECTED);
    // Without 2 there is no majority of those that count: neither commits, nor reads, nor office.
    cluster_kill(c, 2);
    uint64_t request = cluster_submit(c, 1, "y"), read = cluster_read(c, 1);
    cluster_run(c, 900 * SK_MS);
    assert_int_equal(c->ends[request].kind, END_NONE);
    assert_int_equal(c->ends[read].kind, END_NONE);
    assert_true(raft_of(c, 1)->peers[2].recovering);
    assert_int_equal(raft_of(c, 1)->peers[2].matched, status_of(c, 1).last); // it follows all the same
    cluster_run(c, 10 * SK_S);
    assert_int_equal(cluster_leader(c), 0);
    assert_true(status_of(c, 3).recovering);
    // It says so in every life until it is healed.
    cluster_kill(c, 3);
    cluster_start(c, 3, false);
    assert_true(status_of(c, 3).recovering);
    c->nodes[2].disk_auto = true;
    cluster_start(c, 2, false);
    cluster_elect(c);
    cluster_run(c, 5 * SK_S);
    assert_false(status_of(c, 3).recovering);
    assert_null(status_of(c, 3).why);
    cluster_kill(c, 3);
    cluster_start(c, 3, false);
    assert_false(status_of(c, 3).recovering);
    cluster_close(c);
}

// A recovering replica may have voted in a newer term before it was damaged. It is healed only by an entry appended after the
// leader knew: the candidate it may have helped cannot have that one (docs/raft.md, C2).
static void healing_waits_for_an_entry_committed_since(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_kill(c, 3);
    cluster_start(c, 3, true);
    lab_freeze(c);
    cluster_durable(c, 3); // that it is recovering
    uint64_t last = status_of(c, 1).last;
    c->now += c->timing.heartbeat_idle;
    cluster_settle(c); // the leader learns of it
    assert_true(status_of(c, 1).last > last);
    cluster_durable(c, 3); // it holds the leader's whole log
    cluster_settle(c);
    c->now += c->timing.heartbeat_active;
    cluster_settle(c);
    assert_true(status_of(c, 3).recovering); // nobody else has the new entry on disk
    cluster_durable(c, 1);
    cluster_durable(c, 2);
    cluster_settle(c);
    c->now += c->timing.heartbeat_active;
    cluster_settle(c);
    assert_true(status_of(c, 3).recovering); // told, and not yet on its disk
    cluster_durable(c, 3);
    assert_false(status_of(c, 3).recovering);
    cluster_close(c);
}

static void a_wiped_replica_is_told(void **state)
{
    (void)state;
    for (int older = 0; older < 2;
         older++) { // an empty disk; or an old image of it, its length made up by entries long replaced
        cluster *c = lab_new(3);
        if (older) {
            entries_to(c, 3, 2, 1, (sk_raft_position){0, 0}, 0, 9);
            cluster_durable(c, 3);
        }
        size_t image_count = c->nodes[3].disk_count;
        uint64_t image_durable = c->nodes[3].durable_number;
        cluster_kill(c, 2); // does not see the tail of 3
        cluster_start(c, 2, false);
        raft_inside(c, 2)->election_at = SK_NEVER;
        for (sk_node_id id = 1; id <= 2; id++) {
            cluster_inject(c, id, 3, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = 4});
        }
        cluster_isolate(c, 3, true);
        cluster_make_leader(c, 1);
        cluster_submit(c, 1, "x");
        cluster_settle(c);
        cluster_heal(c);
        cluster_run(c, 3 * SK_S);
        assert_int_equal(raft_of(c, 1)->peers[2].matched, status_of(c, 1).last);
        cluster_kill(c, 3);
        member *m = &c->nodes[3];
        while (m->disk_count > image_count) slice_drop(m->disk[--m->disk_count].record.payload);
        m->durable_number = image_durable;
        if (!older) cluster_wipe(c, 3);
        cluster_start(c, 3, false);
        raft_inside(c, 3)->election_at = SK_NEVER;
        c->nodes[2].disk_auto = false; // so that it is not healed before we look
        bool was = false;
        for (int i = 0; i < 30 && !was; i++) {
            cluster_run(c, 50 * SK_MS);
            was = status_of(c, 3).recovering;
        }
        assert_true(was);
        assert_non_null(status_of(c, 3).why);
        c->nodes[2].disk_auto = true;
        cluster_durable(c, 2);
        cluster_run(c, 3 * SK_S);
        assert_false(status_of(c, 3).recovering);
        assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
        cluster_close(c);
    }
}

static void an_honest_restart_is_not_called_a_loss(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    for (int i = 0; i < 20; i++) {
        cluster_submit(c, 1, "x");
        cluster_settle(c);
        cluster_kill(c, 3);
        cluster_start(c, 3, false);
        cluster_run(c, 700 * SK_MS);
        assert_false(status_of(c, 3).recovering);
        assert_false(raft_of(c, 1)->peers[2].recovering);
    }
    assert_int_equal(status_of(c, 3).applied, status_of(c, 1).applied);
    cluster_close(c);
}

// A node always starts: without peers nothing can be refilled, so it serves what is left.
static void a_damaged_replica_that_is_alone_serves_what_is_left(void **state)
{
    cluster *c = cluster_new_idle(1, 1);
    c->latency = 0;
    cluster_start_all(c);
    cluster_run(c, 3 * SK_S);
    cluster_submit(c, 1, "kept");
    cluster_settle(c);
    uint64_t applied = status_of(c, 1).applied;
    cluster_kill(c, 1);
    cluster_start(c, 1, true);
    cluster_run(c, 3 * SK_S);
    assert_false(status_of(c, 1).recovering);
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    assert_true(status_of(c, 1).applied > applied);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(N01_divergent_entry_at_the_snapshots_index),
        cmocka_unit_test(N01_a_tail_of_newer_terms_is_void_too),
        cmocka_unit_test(N01_a_tail_that_follows_from_the_snapshot_stays),
        cmocka_unit_test(N02_old_and_repeated_snapshots_do_nothing),
        cmocka_unit_test(N04_a_failed_transfer_is_tried_again_with_patience),
        cmocka_unit_test(N04_a_broken_link_ends_the_transfer),
        cmocka_unit_test(N05_no_gap_between_snapshot_and_log),
        cmocka_unit_test(N05_entries_behind_a_snapshot_stay_while_memory_allows),
        cmocka_unit_test(a_long_log_wants_a_snapshot),
        cmocka_unit_test(what_fell_out_of_memory_is_read_back_for_a_peer),
        cmocka_unit_test(what_cannot_be_read_back_is_replaced_by_a_snapshot),
        cmocka_unit_test(a_restart_applies_what_is_no_longer_in_memory),
        cmocka_unit_test(a_log_that_cannot_be_read_halts),
        cmocka_unit_test(recovery_takes_the_last_word_on_each_position),
        cmocka_unit_test(N05_a_snapshot_gone_leaves_no_overruled_entries),
        cmocka_unit_test(a_recovering_replica_grants_nothing_and_never_stands),
        cmocka_unit_test(a_damaged_replica_neither_votes_nor_counts_and_heals),
        cmocka_unit_test(healing_waits_for_an_entry_committed_since),
        cmocka_unit_test(a_wiped_replica_is_told),
        cmocka_unit_test(an_honest_restart_is_not_called_a_loss),
        cmocka_unit_test(a_damaged_replica_that_is_alone_serves_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
