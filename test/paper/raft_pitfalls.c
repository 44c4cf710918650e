// What bit real systems (pitfalls, section C), each line by its id. R08, R09, R14-R19, R22, R26, R27, R32, R33 belong to parts outside
// the protocol or not built yet.
#include "test/support/raft_cluster.h"

static uint8_t flags_of(cluster *c, sk_node_id from, sk_node_id to, enum sk_raft_kind kind)
{
    const packet *p = cluster_find(c, from, to, kind);
    return p ? packet_message(p).flags : 0;
}

static void vote_from(cluster *c, sk_node_id to, sk_node_id from, uint64_t term)
{
    cluster_inject(
        c, to, from,
        &(sk_raft_message){.kind = SK_RAFT_VOTE, .term = term, .last_index = 99, .last_term = term - 1});
}

// The voter dies at each step of granting; what it says to the second candidate of the term must fit what the first heard.
static void R01_vote_is_durable_before_the_reply(void **state)
{
    (void)state;
    for (int died = 0; died < 4;
         died++) { // before the disk, after it, after the reply, with the record kept though not synced
        cluster *c = lab_new(3);
        lab_freeze(c);
        vote_from(c, 3, 1, 1);
        assert_int_equal(c->packet_count, 0); // held
        bool first = false;
        if (died == 1 || died == 2) {
            cluster_durable(c, 3);
            first = flags_of(c, 3, 1, SK_RAFT_VOTE_ANSWER) & SK_RAFT_GRANTED;
            assert_true(first);
        }
        if (died == 2) cluster_settle(c);
        cluster_drop_all(c);
        cluster_kill_keeping(c, 3, died == 3 ? 1 : 0);
        cluster_start(c, 3, false);
        c->nodes[3].disk_auto = false;
        raft_inside(c, 3)->election_at = c->now + 1000 * SK_S;
        vote_from(c, 3, 2, 1);
        cluster_durable(c, 3);
        bool second = flags_of(c, 3, 2, SK_RAFT_VOTE_ANSWER) & SK_RAFT_GRANTED;
        assert_true(first + second <= 1);
        assert_int_equal(second, died == 0); // and it does vote where it may
        cluster_close(c);
    }
}

static void R01_a_candidate_asks_only_with_its_own_vote_on_disk(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    lab_freeze(c);
    cluster_campaign(c, 1);
    cluster_settle(c);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_CANDIDATE);
    assert_int_equal(status_of(c, 2).epoch, 0); // nobody has been asked
    cluster_durable(c, 1);
    cluster_settle(c);
    assert_int_equal(raft_of(c, 2)->vote, 1);
    cluster_durable(c, 2);
    cluster_settle(c);
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    cluster_close(c);
}

static void R02_vote_survives_a_step_down_within_the_term(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    vote_from(c, 3, 1, 5);
    cluster_settle(c);
    assert_int_equal(raft_of(c, 3)->vote, 1);
    sk_raft_message heartbeat = {.kind = SK_RAFT_HEARTBEAT, .term = 5, .promise_ms = 10};
    cluster_inject(c, 3, 1, &heartbeat);
    c->now += 10 * SK_S;
    raft_inside(c, 3)->election_at = c->now; // the leader fell silent: it only asks around
    cluster_isolate(c, 3, true);
    cluster_turn(c, 3);
    cluster_inject(c, 3, 1, &heartbeat); // ... and hears it again
    c->now += 10 * SK_S;
    raft_inside(c, 3)->election_at = c->now;
    cluster_turn(c, 3);
    assert_int_equal(status_of(c, 3).leader, 0);
    cluster_heal(c);
    cluster_drop_all(c);
    vote_from(c, 3, 2, 5);
    cluster_durable(c, 3);
    assert_false(flags_of(c, 3, 2, SK_RAFT_VOTE_ANSWER) & SK_RAFT_GRANTED);
    assert_int_equal(raft_of(c, 3)->vote, 1);
    cluster_close(c);
}

static void R03_votes_are_counted_by_voter(void **state)
{
    (void)state;
    cluster *c = lab_new(5);
    lab_freeze(c);
    cluster_campaign(c, 1);
    cluster_turn(c, 1);
    cluster_drop_all(c);
    uint64_t attempt = raft_of(c, 1)->attempt;
    sk_raft_message pre = {.kind = SK_RAFT_PREVOTE_ANSWER, .flags = SK_RAFT_GRANTED, .attempt = attempt};
    for (int i = 0; i < 3; i++) cluster_inject(c, 1, 2, &pre);
    pre.attempt--; // of an earlier round
    cluster_inject(c, 1, 3, &pre);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_PRECANDIDATE);
    pre.attempt++;
    cluster_inject(c, 1, 3, &pre);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_CANDIDATE);
    cluster_durable(c, 1);
    uint64_t term = status_of(c, 1).epoch;
    sk_raft_message vote = {.kind = SK_RAFT_VOTE_ANSWER, .flags = SK_RAFT_GRANTED, .term = term};
    for (int i = 0; i < 3; i++) cluster_inject(c, 1, 2, &vote);
    for (sk_node_id id = 3; id <= 5; id++) cluster_inject(c, 1, id, &pre); // pre-votes are no votes
    vote.term = term - 1;
    cluster_inject(c, 1, 4, &vote);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_CANDIDATE);
    vote.term = term;
    cluster_inject(c, 1, 4, &vote);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_LEADER);
    cluster_close(c);
}

static sk_raft_message accepted(cluster *c, sk_node_id leader, sk_node_id from, uint64_t match)
{
    return (sk_raft_message){.kind = SK_RAFT_APPEND_ANSWER,
                             .term = status_of(c, leader).epoch,
                             .boot = c->nodes[from].boot,
                             .recovered = raft_of(c, from)->recovered,
                             .match = match};
}

// Figure 8: an entry of an earlier term on a majority is not committed by counting it.
static void R04_only_entries_of_the_own_term_are_counted(void **state)
{
    (void)state;
    cluster *c = lab_new(5);
    cluster_make_leader(c, 1); // term 1, entry 1
    cluster_isolate(c, 1, true);
    cluster_submit(c, 1, "x"); // entry 2 of term 1 stays here
    cluster_turn(c, 1);
    cluster_durable(c, 1);
    cluster_drop_all(c);
    cluster_kill(c, 1);
    cluster_start(c, 1, false);
    raft_inside(c, 1)->election_at = SK_NEVER;
    cluster_heal(c);
    // It is elected again, and its messages are in our hand.
    c->now += 100 * SK_S;
    cluster_campaign(c, 1);
    c->latency = SK_S; // of whoever answers by itself
    cluster_turn(c, 1);
    while (cluster_deliver_kind(c, 1, 0, SK_RAFT_PREVOTE)) {
    }
    while (cluster_deliver_kind(c, 0, 1, SK_RAFT_PREVOTE_ANSWER)) {
    }
    cluster_durable(c, 1);
    while (cluster_deliver_kind(c, 1, 0, SK_RAFT_VOTE)) {
    }
    for (sk_node_id id = 2; id <= 5; id++) cluster_durable(c, id);
    while (cluster_deliver_kind(c, 0, 1, SK_RAFT_VOTE_ANSWER)) {
    }
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    assert_int_equal(status_of(c, 1).last, 3);
    cluster_durable(c, 1);
    cluster_drop_all(c);
    uint64_t before = status_of(c, 1).committed;
    for (sk_node_id id = 2; id <= 4; id++) {
        sk_raft_message answer = accepted(c, 1, id, 2);
        cluster_inject(c, 1, id, &answer);
    }
    assert_int_equal(status_of(c, 1).committed, before); // everybody but one holds 2: still not
    for (sk_node_id id = 2; id <= 3; id++) {
        sk_raft_message answer = accepted(c, 1, id, 3);
        cluster_inject(c, 1, id, &answer);
    }
    assert_int_equal(status_of(c, 1).committed, 3);
    cluster_close(c);
}

static void R10_a_returning_node_disturbs_nobody(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c), away = 1 + leader % 3;
    uint64_t term = status_of(c, leader).epoch;
    cluster_isolate(c, away, true);
    cluster_run(c, 100 * c->timing.election_max);
    cluster_heal(c);
    cluster_run(c, 10 * SK_S);
    for (sk_node_id id = 1; id <= 3; id++) {
        assert_int_equal(status_of(c, id).epoch, term);
        assert_int_equal(status_of(c, id).leader, leader);
    }
    cluster_close(c);
}

static void R11_the_former_leader_may_be_helped(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_kill(c, 3);
    cluster_kill(c, 1);
    cluster_start(c, 1, false); // back before 2 has noticed
    assert_int_equal(status_of(c, 2).leader, 1);
    cluster_campaign(c, 1);
    cluster_settle(c);
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    cluster_close(c);
}

static void R11_a_granted_pre_vote_changes_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    sk_ns at = raft_of(c, 2)->election_at;
    uint64_t before = sk_raft.fingerprint(c->nodes[2].replica);
    cluster_inject(c, 2, 1, &(sk_raft_message){.kind = SK_RAFT_PREVOTE, .term = 7});
    assert_true(flags_of(c, 2, 1, SK_RAFT_PREVOTE_ANSWER) & SK_RAFT_GRANTED);
    assert_true(raft_of(c, 2)->election_at == at);
    assert_true(sk_raft.fingerprint(c->nodes[2].replica) == before);
    cluster_close(c);
}

static void R11_a_node_of_a_lower_term_catches_up(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    // 1 has the longer log in an old term; 2 and 3 a newer term and nothing to show for it.
    cluster_kill(c, 2);
    cluster_kill(c, 3);
    raft_inside(c, 1)->election_at = SK_NEVER;
    cluster_inject(c, 1, 2, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 1});
    sk_arena arena = {0};
    sk_raft_writer w =
        sk_raft_writer_begin(&arena, &(sk_raft_message){.kind = SK_RAFT_APPEND, .term = 1}, 100);
    sk_raft_writer_add(&w, 1, sk_slice_text("x"));
    cluster_receive(c, 1, 2, sk_raft_writer_end(&w));
    sk_arena_deinit(&arena);
    cluster_durable(c, 1);
    cluster_start(c, 2, false);
    cluster_start(c, 3, false);
    cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = 8});
    cluster_inject(c, 3, 2, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = 8});
    c->now += 100 * SK_S;
    raft_inside(c, 2)->election_at = raft_inside(c, 3)->election_at = SK_NEVER;
    for (int i = 0; i < 3 && status_of(c, 1).role != SK_ROLE_LEADER; i++) {
        cluster_campaign(c, 1);
        cluster_settle(c);
        c->now += SK_MS;
    }
    assert_int_equal(status_of(c, 1).role, SK_ROLE_LEADER);
    assert_true(status_of(c, 1).epoch >= 9);
    cluster_close(c);
}

static void R12_a_leader_that_hears_nobody_steps_down(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        cluster *c = cluster_new(3, 1);
        sk_node_id leader = cluster_elect(c);
        cluster_run(c, SK_S);
        for (sk_node_id id = 1; id <= 3; id++) {
            if (way == 0) c->cut[id][leader] = id != leader; // can send, cannot hear
            if (way == 1) c->cut[leader][id] = id != leader; // can hear, cannot send
        }
        uint64_t request = cluster_submit(c, leader, "x");
        cluster_run(c, 2 * c->timing.election_max);
        assert_int_not_equal(status_of(c, leader).role, SK_ROLE_LEADER);
        assert_int_equal(c->ends[request].kind, END_REFUSED);
        assert_int_equal(c->ends[request].why, SK_EUNKNOWN);
        cluster_run(c, 4 * c->timing.election_max);
        sk_node_id next = cluster_leader(c);
        assert_true(next && next != leader);
        cluster_close(c);
    }
}

// Held for 60 s: 3 alone sees everybody; or each sees its neighbours in a ring.
static void R13_partial_partitions_are_lived_with(void **state)
{
    (void)state;
    for (int shape = 0; shape < 2; shape++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            cluster *c = cluster_new(5, seed);
            cluster_elect(c);
            for (sk_node_id a = 1; a <= 5; a++) {
                for (sk_node_id b = 1; b <= 5; b++) {
                    bool bridge = (a <= 2 && b >= 4) || (a >= 4 && b <= 2);
                    sk_node_id apart = (sk_node_id)(a > b ? a - b : b - a);
                    c->cut[a][b] = a != b && (shape ? apart != 1 && apart != 4 : bridge);
                }
            }
            cluster_run(c, 10 * SK_S);
            uint64_t before = c->chosen_max;
            for (int i = 0; i < 50; i++) {
                sk_node_id leader = cluster_leader(c);
                if (leader) cluster_submit(c, leader, "x");
                cluster_run(c, SK_S);
            }
            assert_true(c->chosen_max >= before + 40); // it goes on, not now and then
            cluster_heal(c);
            cluster_run(c, 10 * c->timing.election_max);
            sk_node_id leader = cluster_leader(c);
            uint64_t request = cluster_submit(c, leader, "y");
            cluster_run(c, SK_S);
            assert_int_equal(c->ends[request].kind, END_APPLIED);
            cluster_close(c);
        }
    }
}

static void R20_a_leader_counts_itself_from_its_disk(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    lab_freeze(c);
    uint64_t request = cluster_submit(c, 1, "x");
    cluster_settle(c);
    cluster_durable(c, 2);
    cluster_settle(c);
    assert_int_equal(raft_of(c, 1)->peers[1].matched, status_of(c, 1).last);
    assert_int_equal(c->ends[request].kind, END_NONE); // one disk of three
    cluster_durable(c, 1);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    cluster_close(c);
}

static void R20_a_follower_acknowledges_from_its_disk_also_what_is_repeated(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    lab_freeze(c);
    cluster_submit(c, 1, "x");
    cluster_turn(c, 1);
    sk_slice again = slice_keep(cluster_find(c, 1, 2, SK_RAFT_APPEND)->bytes);
    cluster_settle(c);
    cluster_drop_all(c);
    cluster_receive(c, 2, 1, again); // nothing new in it
    sk_raft_message empty = {.kind = SK_RAFT_APPEND,
                             .term = status_of(c, 1).epoch,
                             .previous_index = status_of(c, 2).last,
                             .previous_term = status_of(c, 2).epoch};
    cluster_inject(c, 2, 1, &empty); // nothing at all in it
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_APPEND_ANSWER), 0);
    cluster_durable(c, 2);
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_APPEND_ANSWER), 3);
    slice_drop(again);
    cluster_close(c);
}

// Any quorum loses what it had not synced: nothing acknowledged is lost.
static void R20_no_acknowledged_write_is_lost_by_a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        cluster *c = cluster_new(3, seed);
        sk_node_id leader = cluster_elect(c);
        for (sk_node_id id = 1; id <= 3; id++) c->nodes[id].disk_latency = id * seed * SK_MS;
        for (int i = 0; i < 30; i++) {
            cluster_submit(c, leader, "x");
            cluster_run(c, 3 * SK_MS);
        }
        uint64_t acknowledged = c->chosen_max;
        for (sk_node_id id = 1; id <= 3; id++) cluster_kill(c, id);
        for (sk_node_id id = 1; id <= 3; id++) cluster_start(c, id, false);
        leader = cluster_elect(c);
        assert_true(c->nodes[leader].machine.position >= acknowledged); // equal there: raft_cluster.h checks
        cluster_close(c);
    }
}

static void R21_what_was_recovered_counts_as_durable(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    lab_freeze(c);
    cluster_submit(c, 1, "x");
    cluster_settle(c);
    cluster_kill_keeping(c, 2, 100); // in the page cache; the store syncs it before it hands it back
    cluster_start(c, 2, false);
    assert_int_equal(raft_of(c, 2)->record_durable, raft_of(c, 2)->record_last);
    assert_int_equal(raft_of(c, 2)->log.durable, status_of(c, 2).last);
    cluster_kill(c, 2); // the power goes
    cluster_start(c, 2, false);
    assert_int_equal(status_of(c, 2).last, status_of(c, 1).last);
    cluster_close(c);
}

static void entries_of(cluster *c, sk_node_id to, sk_node_id from, uint64_t term, uint64_t entry_term,
                       sk_raft_position previous, uint64_t commit, size_t count)
{
    sk_arena arena = {0};
    sk_raft_message header = {.kind = SK_RAFT_APPEND,
                              .term = term,
                              .previous_index = previous.index,
                              .previous_term = previous.term,
                              .commit = commit};
    sk_raft_writer writer = sk_raft_writer_begin(&arena, &header, count * sk_raft_entry_size(8));
    for (size_t i = 0; i < count; i++) sk_raft_writer_add(&writer, entry_term, sk_slice_text("y"));
    cluster_receive(c, to, from, sk_raft_writer_end(&writer));
    sk_arena_deinit(&arena);
}

static void entries_to(cluster *c, sk_node_id to, sk_node_id from, uint64_t term, sk_raft_position previous,
                       uint64_t commit, size_t count)
{
    entries_of(c, to, from, term, term, previous, commit, count);
}

static void R23_a_conflict_meets_entries_still_being_written(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    lab_freeze(c);
    entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 0, 3);
    uint64_t first_three = raft_of(c, 2)->record_last;
    entries_to(c, 2, 3, 2, (sk_raft_position){1, 1}, 0,
               2); // 2 and 3 are replaced while the disk still has them
    cluster_durable_upto(c, 2, first_three);
    assert_int_equal(raft_of(c, 2)->log.durable, 1); // the old completion says nothing of the new ones
    for (size_t i = 0; i < c->packet_count; i++) {
        sk_raft_message m = packet_message(&c->network[i]);
        if (c->network[i].to == 3 && m.kind == SK_RAFT_APPEND_ANSWER) assert_true(m.match <= 1);
    }
    cluster_durable(c, 2);
    assert_int_equal(packet_message(cluster_find(c, 2, 3, SK_RAFT_APPEND_ANSWER)).match, 3);
    cluster_kill(c, 2);
    cluster_start(c, 2, false);
    assert_int_equal(status_of(c, 2).last, 3);
    assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, 2), 2);
    cluster_close(c);
}

static void R23_nothing_applied_is_truncated(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    entries_to(c, 2, 1, 1, (sk_raft_position){0, 0}, 3, 3);
    assert_int_equal(status_of(c, 2).applied, 3);
    cluster_drop_all(c);
    entries_to(c, 2, 3, 2, (sk_raft_position){1, 1}, 3, 2);
    entries_to(c, 2, 3, 2, (sk_raft_position){3, 2}, 3, 2);
    assert_int_equal(raft_of(c, 2)->ignored[SK_RAFT_IGNORE_conflict_below_commit], 2);
    assert_int_equal(status_of(c, 2).last, 3);
    assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, 3), 1);
    assert_int_equal(cluster_count(c, 2, 3, SK_RAFT_APPEND_ANSWER), 0);
    cluster_close(c);
}

// What no honest leader does: other entries where it sent some in the same term (found by fuzzing).
static void R23_a_leader_contradicts_itself(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    entries_of(c, 2, 1, 2, 1, (sk_raft_position){0, 0}, 0, 3);
    cluster_drop_all(c);
    entries_of(c, 2, 1, 2, 2, (sk_raft_position){1, 1}, 3, 1);
    assert_int_equal(raft_of(c, 2)->ignored[SK_RAFT_IGNORE_conflict_below_commit], 1);
    assert_int_equal(status_of(c, 2).last, 3);
    assert_int_equal(sk_raft_log_term(&raft_of(c, 2)->log, 2), 1);
    assert_int_equal(cluster_count(c, 2, 1, SK_RAFT_APPEND_ANSWER), 0);
    cluster_close(c);
}

static void R24_completions_after_a_change_of_role(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    // Our own vote reaches the disk when somebody else already leads the term.
    lab_freeze(c);
    cluster_campaign(c, 1);
    cluster_settle(c);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_CANDIDATE);
    uint64_t term = status_of(c, 1).epoch;
    cluster_inject(c, 1, 2, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = term, .promise_ms = 10});
    cluster_durable(c, 1);
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_FOLLOWER);
    cluster_drop_all(c);
    cluster_close(c);

    // A leader's entries, snapshot and fetch complete when it leads no more.
    c = lab_new(3);
    cluster_make_leader(c, 1);
    lab_freeze(c);
    uint64_t request = cluster_submit(c, 1, "x"), before = status_of(c, 1).committed;
    cluster_settle(c);
    cluster_durable(c, 2); // its acknowledgement is under way
    cluster_inject(c, 1, 3,
                   &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = status_of(c, 1).epoch + 1});
    assert_int_equal(c->ends[request].why, SK_EUNKNOWN);
    cluster_durable(c, 1);
    cluster_settle(c);
    assert_int_equal(status_of(c, 1).committed, before);
    cluster_snapshot_sent(c, 1, 2, c->nodes[1].snapshot, true);
    sk_record record = {.kind = SK_RECORD_ENTRY, .position = 1, .epoch = 1};
    cluster_step(c, 1,
                 (sk_event){.kind = SK_EVENT_RECORDS, .records = {.from = 1, .list = &record, .count = 1}});
    assert_int_equal(raft_of(c, 1)->role, SK_RAFT_FOLLOWER);
    cluster_close(c);
}

static void R25_replies_reordered_repeated_late(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 1, true);
    for (int i = 0; i < 10; i++) cluster_submit(c, 1, "x");
    cluster_turn(c, 1);
    cluster_drop_all(c);
    const sk_raft_peer *peer = &raft_of(c, 1)->peers[1];
    sk_raft_message five = accepted(c, 1, 2, 5), three = accepted(c, 1, 2, 3);
    cluster_inject(c, 1, 2, &five);
    for (int i = 0; i < 2; i++) cluster_inject(c, 1, 2, &three);
    assert_int_equal(peer->matched, 5);
    uint64_t next = peer->next;
    sk_raft_message rejected = five;
    rejected.flags = SK_RAFT_REJECTED;
    rejected.match = 0;
    rejected.previous_index = 4;
    rejected.conflict_index = 1;
    for (int i = 0; i < 2; i++) cluster_inject(c, 1, 2, &rejected); // of before
    assert_int_equal(peer->matched, 5);
    assert_int_equal(peer->next, next);
    assert_false(peer->recovering);
    sk_raft_message old = accepted(c, 1, 2, 9);
    old.term--;
    cluster_inject(c, 1, 2, &old);
    assert_int_equal(peer->matched, 5);
    sk_raft_message late = accepted(c, 1, 2, 9);
    cluster_inject(c, 1, 3, &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = late.term + 1});
    late.term++;
    cluster_inject(c, 1, 2, &late); // after the step-down
    assert_true(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_wrong_role] >= 1);
    cluster_close(c);
}

static void R29_a_submit_elsewhere_is_certainly_not_ordered(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    // 2 and 3 each believe that the other leads.
    cluster_inject(c, 2, 3, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 1, .promise_ms = 100});
    cluster_inject(c, 3, 2, &(sk_raft_message){.kind = SK_RAFT_HEARTBEAT, .term = 2, .promise_ms = 100});
    for (sk_node_id id = 2; id <= 3; id++) {
        uint64_t last = status_of(c, id).last;
        uint64_t request = cluster_submit(c, id, "x");
        assert_int_equal(c->ends[request].why, SK_ENOTLEADER);
        assert_int_equal(c->ends[request].leader,
                         5 - id); // a hint, no forwarding: that is the node's, with its own bounds
        assert_int_equal(status_of(c, id).last, last);
    }
    cluster_close(c);
}

static void R30_waiters_end_when_a_snapshot_overtakes_them(void **state)
{
    (void)state;
    cluster *c = cluster_new_idle(3, 1);
    c->latency = 0;
    c->limits.pending_max = 6000;
    c->limits.message_bytes_max = 1024 * 1024;
    cluster_start_all(c);
    cluster_make_leader(c, 1);
    cluster_drop_all(c);
    uint64_t first = c->next_request + 1;
    for (int i = 0; i < 5000; i++) cluster_submit(c, 1, "x");
    cluster_durable(c, 1);
    uint64_t last = status_of(c, 1).last;
    c->latency = SK_S;
    sk_raft_message all = accepted(c, 1, 2, last);
    cluster_inject(c, 1, 2, &all);
    assert_int_equal(status_of(c, 1).committed, last);
    assert_true(status_of(c, 1).applied < last); // a step applies so much and no more
    cluster_inject(c, 1, 3,
                   &(sk_raft_message){.kind = SK_RAFT_VOTE_ANSWER, .term = status_of(c, 1).epoch + 1});
    image from = {.position = last, .epoch = 1};
    cluster_install(c, 1, from);
    size_t applied = 0, unknown = 0;
    for (uint64_t r = first; r < first + 5000; r++) {
        applied += c->ends[r].kind == END_APPLIED;
        unknown += c->ends[r].why == SK_EUNKNOWN;
    }
    assert_int_equal(applied + unknown, 5000);
    assert_true(unknown > 0);
    assert_int_equal(raft_of(c, 1)->submits_pending, 0);
    cluster_close(c);
}

static void R31_a_stalled_disk_causes_no_election(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        cluster *c = cluster_new(3, 1);
        sk_node_id leader = cluster_elect(c);
        sk_node_id slow = who ? 1 + leader % 3 : leader;
        uint64_t term = status_of(c, leader).epoch;
        c->nodes[slow].disk_auto = false;
        uint64_t request = 0;
        for (int i = 0; i < 50; i++) { // 5 s
            request = cluster_submit(c, leader, "x");
            cluster_run(c, 100 * SK_MS);
            assert_int_equal(c->ends[request].kind, END_APPLIED); // the other two go on
        }
        assert_int_equal(status_of(c, leader).epoch, term);
        c->nodes[slow].disk_auto = true;
        cluster_run(c, SK_S);
        assert_int_equal(status_of(c, leader).epoch, term);
        assert_int_equal(raft_of(c, slow)->log.durable, status_of(c, leader).last);
        if (who) assert_int_equal(raft_of(c, leader)->peers[slow - 1].matched, status_of(c, leader).last);
        cluster_close(c);
    }
}

// Both followers' disks stall: nothing commits, and nobody stands.
static void R31_heartbeats_do_not_wait_for_disks(void **state)
{
    (void)state;
    cluster *c = cluster_new(3, 1);
    sk_node_id leader = cluster_elect(c);
    uint64_t term = status_of(c, leader).epoch;
    for (sk_node_id id = 1; id <= 3; id++) c->nodes[id].disk_auto = id == leader;
    uint64_t request = cluster_submit(c, leader, "x");
    cluster_run(c, 5 * SK_S);
    uint64_t read = cluster_read(c, leader);
    cluster_run(c, 5 * SK_S);
    assert_int_equal(c->ends[request].kind, END_NONE);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    assert_int_equal(cluster_leader(c), leader);
    for (sk_node_id id = 1; id <= 3; id++) {
        c->nodes[id].disk_auto = true;
        cluster_durable(c, id);
    }
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    assert_int_equal(status_of(c, leader).epoch, term);
    cluster_close(c);
}

static void R25_answers_of_an_earlier_life_count_for_nothing(void **state)
{
    (void)state;
    cluster *c = lab_new(3);
    cluster_make_leader(c, 1);
    cluster_isolate(c, 1, true);
    for (int i = 0; i < 5; i++) cluster_submit(c, 1, "x");
    cluster_turn(c, 1);
    uint64_t last = status_of(c, 1).last, before = status_of(c, 1).committed;
    cluster_drop_all(c);
    cluster_durable(c, 1);
    sk_raft_message old = accepted(c, 1, 2, last); // it was on its way when its sender died
    c->nodes[2].boot++;
    sk_raft_message newer = accepted(c, 1, 2, 1);
    cluster_inject(c, 1, 2, &newer);
    cluster_inject(c, 1, 2, &old);
    assert_int_equal(status_of(c, 1).committed, before);
    assert_int_equal(raft_of(c, 1)->ignored[SK_RAFT_IGNORE_old_life], 1);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R01_vote_is_durable_before_the_reply),
        cmocka_unit_test(R01_a_candidate_asks_only_with_its_own_vote_on_disk),
        cmocka_unit_test(R02_vote_survives_a_step_down_within_the_term),
        cmocka_unit_test(R03_votes_are_counted_by_voter),
        cmocka_unit_test(R04_only_entries_of_the_own_term_are_counted),
        cmocka_unit_test(R10_a_returning_node_disturbs_nobody),
        cmocka_unit_test(R11_the_former_leader_may_be_helped),
        cmocka_unit_test(R11_a_granted_pre_vote_changes_nothing),
        cmocka_unit_test(R11_a_node_of_a_lower_term_catches_up),
        cmocka_unit_test(R12_a_leader_that_hears_nobody_steps_down),
        cmocka_unit_test(R13_partial_partitions_are_lived_with),
        cmocka_unit_test(R20_a_leader_counts_itself_from_its_disk),
        cmocka_unit_test(R20_a_follower_acknowledges_from_its_disk_also_what_is_repeated),
        cmocka_unit_test(R20_no_acknowledged_write_is_lost_by_a_power_cut),
        cmocka_unit_test(R21_what_was_recovered_counts_as_durable),
        cmocka_unit_test(R23_a_conflict_meets_entries_still_being_written),
        cmocka_unit_test(R23_nothing_applied_is_truncated),
        cmocka_unit_test(R23_a_leader_contradicts_itself),
        cmocka_unit_test(R24_completions_after_a_change_of_role),
        cmocka_unit_test(R25_replies_reordered_repeated_late),
        cmocka_unit_test(R29_a_submit_elsewhere_is_certainly_not_ordered),
        cmocka_unit_test(R30_waiters_end_when_a_snapshot_overtakes_them),
        cmocka_unit_test(R31_a_stalled_disk_causes_no_election),
        cmocka_unit_test(R31_heartbeats_do_not_wait_for_disks),
        cmocka_unit_test(R25_answers_of_an_earlier_life_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
