// Raft (Ongaro 2014, "the thesis"; Ongaro and Ousterhout 2014, "the paper"), private to this folder.
//
// Definitions
//   term       the epoch of the seam. state: term, vote and whether we are recovering, as last persisted
//   verified   our log is known to equal that of this term's leader up to here (memory, not disk)
//   round      a heartbeat sent to everybody; their numbers rise through a term
//   promise    every message of a leader says within how long the next will come; silence counts from there
//   patience   the silence that is borne, learnt within [election_min, election_max] (patience.c)
//   doubt      a leader that stays silent while something waits for it is asked for a sign of life; a live one answers at once,
//              so silence counts from that question, whatever was promised before (patience.c)
//   loyal      a follower that has heard its leader, whose link has not broken and whose promise plus patience has not
//              passed: it helps nobody else to office (thesis 4.2.3 and 9.6)
//   pledge     a follower's word to a leader that asked for a lease: for so long it helps nobody else to office, whatever
//              happens: neither a broken link nor a newer term nor a restart ends it (lease.c)
//   life       one start of a peer: its boot number
//   recovering a replica that has lost records it may have answered for. It follows, and neither votes nor
//   counts
//
// Invariants (check.c)
//   I1  a message of a term leaves only when that term's state is durable
//   I2  base <= applied <= commit <= last; verified <= last
//   I3  terms never fall along the log, and none is above the current term
//   I4  a leader's commit rises only to an entry of its own term that a majority holds on disk, recovering
//   ones not counted
//       (paper 5.4.2); a follower's to what its leader committed and it has verified
//   I5  entries up to commit are never truncated
//   I6  matched < next <= last + 1 for every peer of a leader; matched rises through a term and a life
//   I7  what is not durable, and what somebody waits for, is in memory
//   I8  reads are in order: those that may be served first; rounds and asks rise
//   I9  a recovering or halted replica holds no office and grants none
//
// Transitions (election.c: moves)
//   follower     -> precandidate   silence after the promise, or the link to the leader broke
//   precandidate -> candidate      a majority would vote for us
//   candidate    -> leader         a majority did, our own vote on disk
//   candidate    -> precandidate   no majority in time
//   any of them  -> follower       a newer term, or this term's leader spoke; a leader: no majority heard in
//   time any          -> halted         the disk failed
//
// Left open for membership change and transfer: peers is the configuration, counted only through majority()
// in commit.c and sk_quorum_granted() in election.c.
#ifndef SK_PROTOCOL_RAFT_RAFT_H
#define SK_PROTOCOL_RAFT_RAFT_H

#include "base/prng.h"
#include "protocol/protocol.h"
#include "protocol/raft/log.h"
#include "protocol/raft/message.h"

enum sk_raft_role {
    SK_RAFT_FOLLOWER,
    SK_RAFT_PRECANDIDATE,
    SK_RAFT_CANDIDATE,
    SK_RAFT_LEADER,
    SK_RAFT_HALTED,
    SK_RAFT_ROLE_COUNT,
};

// Why a message (or an event) was ignored; counted each.
#define SK_RAFT_REASONS(X)                                                                                   \
    X(malformed)             /* not a message, or a field that cannot be */                                  \
    X(not_member)            /* from nobody of the configuration, or from ourselves */                       \
    X(old_term)              /* an answer to an earlier term */                                              \
    X(wrong_role)            /* an answer to an office we no longer hold */                                  \
    X(loyal)                 /* a candidate while the leader is well */                                      \
    X(second_leader)         /* two leaders in one term */                                                   \
    X(conflict_below_commit) /* an append that would change what is committed */                             \
    X(impossible_index)      /* an answer about entries that we never sent */                                \
    X(stale)                 /* repeated or overtaken */                                                     \
    X(old_life)              /* an answer from before the peer's last start */                               \
    X(read_full)             /* more read requests than we keep */                                           \
    X(snapshot_old)          /* a snapshot not newer than what is applied */                                 \
    X(halted)

enum sk_raft_reason {
#define X(name) SK_RAFT_IGNORE_##name,
    SK_RAFT_REASONS(X)
#undef X
        SK_RAFT_REASON_COUNT
};

enum sk_raft_progress {
    SK_RAFT_PROBE,     // one append at a time until one fits
    SK_RAFT_REPLICATE, // appends flow without waiting, up to the bounds in flight
    SK_RAFT_SNAPSHOT,  // waits for the node to stream one
};

typedef struct sk_raft_inflight {
    uint64_t previous; // index before the first entry sent with it
    uint64_t last;     // index of the last one
    size_t bytes;
    sk_ns sent;
} sk_raft_inflight;

typedef struct sk_raft_peer {
    sk_node_id id;
    bool linked; // as last told
    bool down;   // told down and not up since: nothing is sent
    sk_ns heard;
    sk_ns round_trip; // smoothed

    // The rest only at a leader, from its election on.
    enum sk_raft_progress progress;
    uint64_t matched;
    uint64_t next;
    uint64_t received; // as last told: verified there, in memory
    sk_ring inflight;  // sk_raft_inflight
    size_t inflight_bytes;
    sk_ns sent;       // last append
    sk_ns progressed; // when matched or received last rose
    bool probing;     // PROBE: one is out
    sk_ns pace; // recent time from an append to its acknowledgement, line and disk together; 0: not known
    uint32_t retries;    // since progress was last made
    uint64_t fetching;   // first index of a fetch under way for it; 0: none
    sk_ns blocked_until; // after a failed snapshot
    uint32_t snapshot_failures;
    uint64_t round; // the last one answered
    sk_ns answered; // when it last answered in this term (election counts)
    sk_ns pledged;  // when the newest heartbeat of this term that it has answered was sent; 0: none
    uint64_t boot;  // its life; 0: not known yet
    uint64_t
        acknowledged;    // greatest matched of its earlier lives in this term: less on its disk now is a loss
    bool recovering;     // not counted
    bool lost;           // has to be told that it lost what it had acknowledged
    uint64_t heal_index; // an entry appended after it said that it is recovering; 0: none yet
} sk_raft_peer;

// A read waiting here, or a peer's request for a read index.
typedef struct sk_raft_read {
    uint64_t request; // ours (node's number), or the peer's
    sk_node_id peer;  // 0: ours
    uint64_t boot;    // the peer's life
    uint64_t
        round; // leader: the round that must be answered; follower: the ask that carries it; 0: not begun
    uint64_t index; // to be applied before it is served
    bool answered;  // index holds: only apply is waited for
    sk_ns since;
} sk_raft_read;

typedef struct sk_raft_replica {
    sk_node_id self;
    uint64_t boot;
    sk_limits limits;
    sk_timing timing;
    sk_lease lease;
    sk_prng prng;
    sk_ns now;
    sk_effects *out; // within a step

    // State, and the numbering of records.
    uint64_t term;
    sk_node_id vote;
    bool recovering;
    uint64_t pledge_ms; // the longest pledge ever made: a new life keeps it from its start
    uint64_t state_record; // the record that holds them
    uint64_t record_last;
    uint64_t record_durable;
    bool state_dirty;    // to be written yet
    bool refilled;       // recovered in this life: a REFILL that comes now is late, since only a start loses records
    bool healing;        // no longer recovering once state_record is durable
    uint64_t after_last; // greatest `after` of a message held back

    enum sk_raft_role role;
    sk_node_id leader;
    const char *why;
    bool started;
    bool first_choice; // stands early, once
    bool flush;      // something waits for the tick at the end of the turn
    sk_status shown; // as of the last status effect

    sk_raft_log log;
    uint64_t commit;
    uint64_t applied;
    uint64_t verified;
    uint64_t recovered;   // last index this life began with
    uint64_t base_shown;  // status.first - 1: what need not stay on disk
    uint64_t base_record; // log.base may be shown once this record is durable
    bool apply_fetching;
    uint64_t wanted_at; // applied when a snapshot was last wanted; 0: not since the last one
    uint32_t submits_pending;
    uint32_t reads_pending; // of this node

    sk_raft_peer peers[SK_VOTERS_MAX]; // the configuration, ourselves included
    size_t peer_count;
    size_t self_slot;

    // Measured (patience.c): up at once, down slowly.
    sk_ns lateness;    // of the leader's promised messages
    sk_ns disk;        // from a record to its being durable
    uint64_t disk_record; // the record that is being measured; 0: none
    sk_ns disk_since;

    // Follower, candidate
    sk_ns election_at;
    sk_ns loyal_until;
    sk_ns pledge_until;
    sk_node_id pledged_to; // 0: to whomever an earlier life knew
    uint64_t pledge_fresh_ms; // made in this turn: counted again from its end
    sk_ns spoke;    // when the leader was last heard
    sk_ns word_due; // and its next message is due; 0: it has promised none yet
    sk_ns asked_at; // the first thing asked of it since; of use while doubt_at is set
    sk_ns doubt_at; // look then whether it has spoken; SK_NEVER: nothing asked
    bool doubted;   // and it has not spoken since
    uint64_t attempt;
    uint32_t grants; // a bit a slot
    sk_ns ask_retry_at;
    uint64_t ask; // the last one used in this life

    // Leader
    uint64_t term_start; // index of the empty entry that begins the term
    sk_ns heartbeat_at;
    sk_ns active_until;
    sk_ns quorum_until; // steps down then, unless a majority answers before
    uint64_t round;

    sk_ring reads;         // sk_raft_read, those answered first
    size_t reads_answered; // so many
    bool void_tail;        // recovery: entries above the snapshot do not follow from it (N01)
    bool hole;             // while recovering from disk: entries are missing that a snapshot must have held
    uint64_t ignored[SK_RAFT_REASON_COUNT];
} sk_raft_replica;

const char *sk_raft_reason_name(enum sk_raft_reason reason);

static inline sk_raft_peer *sk_raft_peer_find(sk_raft_replica *raft, sk_node_id id)
{
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (raft->peers[i].id == id) return &raft->peers[i];
    }
    return NULL;
}

static inline bool sk_raft_is_self(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    return peer == &raft->peers[raft->self_slot];
}

static inline sk_ns sk_raft_earlier(sk_ns a, sk_ns b)
{
    return a < b ? a : b;
}

static inline sk_ns sk_raft_later(sk_ns a, sk_ns b)
{
    return a > b ? a : b;
}

// ---- raft.c ----

void sk_raft_ignore(sk_raft_replica *raft, enum sk_raft_reason reason);
// One record to disk; its payload must stay until the next step.
void sk_raft_persist(sk_raft_replica *raft, enum sk_record_kind kind, uint64_t position, uint64_t epoch,
                     sk_slice payload);
// Term, vote or recovering have changed: one record before anything else leaves this step.
static inline void sk_raft_state_changed(sk_raft_replica *raft)
{
    raft->state_dirty = true;
}
void sk_raft_state_write(sk_raft_replica *raft); // if they have
// Held until `after` and the current state are durable (I1).
void sk_raft_send(sk_raft_replica *raft, sk_node_id to, const sk_raft_message *message, uint64_t after,
                  enum sk_send_class class);
void sk_raft_send_bytes(sk_raft_replica *raft, sk_node_id to, sk_slice message, uint64_t after,
                        enum sk_send_class class);
void sk_raft_refuse(sk_raft_replica *raft, uint64_t request, int why);
void sk_raft_halt(sk_raft_replica *raft, const char *why);

// ---- election.c ----

void sk_raft_set_role(sk_raft_replica *raft, enum sk_raft_role role);
// To a newer term (persisted) or within this one; what only an office holder keeps is given up.
void sk_raft_become_follower(sk_raft_replica *raft, uint64_t term, sk_node_id leader);
// The leader of this term spoke: a promise of the next message.
void sk_raft_heed(sk_raft_replica *raft, sk_node_id leader, uint64_t promise_ms);
void sk_raft_election_tick(sk_raft_replica *raft);
// Our own vote has become durable.
void sk_raft_election_durable(sk_raft_replica *raft);
bool sk_raft_loyal(const sk_raft_replica *raft, sk_node_id candidate);
void sk_raft_leader_link_down(sk_raft_replica *raft);
void sk_raft_on_prevote(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_prevote_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_vote(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_vote_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);

// ---- patience.c ----

// The silence that is borne, and the longest that is drawn.
sk_ns sk_raft_patience(const sk_raft_replica *raft);
sk_ns sk_raft_patience_max(const sk_raft_replica *raft);
sk_ns sk_raft_silence(sk_raft_replica *raft); // a fresh random one between them
// The leader spoke and promised to do so again.
void sk_raft_measure_word(sk_raft_replica *raft, sk_ns promise);
// ... in a heartbeat, which also says what it measured.
void sk_raft_measure_heartbeat(sk_raft_replica *raft, sk_raft_peer *leader, uint64_t trip_us);
void sk_raft_measure_record(sk_raft_replica *raft); // record_last is on its way to the disk
void sk_raft_measure_durable(sk_raft_replica *raft);
// Something waits for the leader.
void sk_raft_asked(sk_raft_replica *raft);
void sk_raft_doubt_tick(sk_raft_replica *raft);
void sk_raft_on_doubt(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);

// ---- lease.c ----

// Leader: reads may be served now without a round. `now` must have been read after they came (R08).
bool sk_raft_lease_holds(const sk_raft_replica *raft);
uint64_t sk_raft_lease_ms(const sk_raft_replica *raft); // what a heartbeat asks for
// Follower: asked for a pledge; and counted again at the end of the turn, when the time is newer than the message.
void sk_raft_pledge(sk_raft_replica *raft, sk_node_id leader, uint64_t lease_ms);
void sk_raft_pledge_tick(sk_raft_replica *raft);
void sk_raft_pledge_start(sk_raft_replica *raft); // what an earlier life pledged
// Nobody but `candidate`'s rival may be helped to office.
bool sk_raft_pledged(const sk_raft_replica *raft, sk_node_id candidate);

// ---- heartbeat.c: a leader's rounds, and being heard ----

void sk_raft_heartbeat_begin(sk_raft_replica *raft); // at election
void sk_raft_active(sk_raft_replica *raft);          // there is work: heartbeats come fast for a while
void sk_raft_heartbeat_tick(sk_raft_replica *raft);
void sk_raft_heartbeat_to(sk_raft_replica *raft, sk_raft_peer *peer); // out of turn, in a round of its own
void sk_raft_on_heartbeat(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_heartbeat_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
// Every answer of a follower in this term passes here first. False: of an earlier life, ignore it.
bool sk_raft_heard(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
uint64_t sk_raft_promise_ms(const sk_raft_replica *raft);
uint8_t sk_raft_answer_flags(const sk_raft_replica *raft);
bool sk_raft_round_answered(const sk_raft_replica *raft, uint64_t round);

// ---- replication.c ----

void sk_raft_append(sk_raft_replica *raft, uint64_t request, sk_slice payload); // leader: one more entry
void sk_raft_replicate(sk_raft_replica *raft); // to all, what each may have now
void sk_raft_peer_restart(sk_raft_replica *raft, sk_raft_peer *peer, uint64_t next);
void sk_raft_peer_records(sk_raft_replica *raft, const sk_event *event);
void sk_raft_on_append(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_append_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
// How long what was sent may stay unacknowledged before it is sent again.
sk_ns sk_raft_retry_after(const sk_raft_replica *raft, const sk_raft_peer *peer);

// ---- commit.c ----

uint64_t sk_raft_majority(const sk_raft_replica *raft,
                          uint64_t (*value)(const sk_raft_replica *raft, const sk_raft_peer *peer));
void sk_raft_commit_advance(sk_raft_replica *raft);                // leader: count
void sk_raft_commit_learn(sk_raft_replica *raft, uint64_t commit); // follower: told
void sk_raft_apply(sk_raft_replica *raft);
void sk_raft_apply_records(sk_raft_replica *raft, const sk_event *event);
// Submits not yet committed can no longer be promised.
void sk_raft_submits_abandon(sk_raft_replica *raft);

// ---- read.c ----

void sk_raft_read_add(sk_raft_replica *raft, uint64_t request);
void sk_raft_reads_tick(sk_raft_replica *raft); // follower: ask; retry; give up
void sk_raft_reads_begin_round(sk_raft_replica *raft);
void sk_raft_reads_by_lease(sk_raft_replica *raft); // leader: serve all that wait, if the lease holds
bool sk_raft_reads_waiting(const sk_raft_replica *raft); // leader: some need a round answered
bool sk_raft_reads_new(const sk_raft_replica *raft);     // ... and some need one begun
void sk_raft_reads_settle(sk_raft_replica *raft);        // serve what can be served
void sk_raft_reads_abandon(sk_raft_replica *raft); // the office or the leader changed: those not answered
void sk_raft_reads_refuse(sk_raft_replica *raft);  // all
sk_ns sk_raft_reads_deadline(const sk_raft_replica *raft);
void sk_raft_on_read(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);
void sk_raft_on_read_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message);

// ---- snapshot.c ----

void sk_raft_snapshot_offer(sk_raft_replica *raft, sk_raft_peer *peer, uint64_t at_least);
void sk_raft_snapshot_taken(sk_raft_replica *raft, sk_raft_position position);
void sk_raft_snapshot_received(sk_raft_replica *raft, sk_raft_position position);
void sk_raft_snapshot_sent(sk_raft_replica *raft, sk_raft_peer *peer, sk_raft_position position, bool ok);
void sk_raft_snapshot_want(sk_raft_replica *raft); // if the log is long
void sk_raft_base_show(sk_raft_replica *raft);

// ---- recover.c ----

void sk_raft_recover(sk_raft_replica *raft, const sk_record *record);
void sk_raft_start(sk_raft_replica *raft, bool damaged);
// Leader: what `peer` had acknowledged in an earlier life is not on its disk: its word, votes included,
// cannot be relied on.
void sk_raft_peer_lost(sk_raft_peer *peer);
// Leader: what `peer` says of itself in an answer.
void sk_raft_peer_recovering(sk_raft_replica *raft, sk_raft_peer *peer, bool says);
// The index that `peer` must reach to be healed, when it may be told; else 0.
uint64_t sk_raft_heal_of(const sk_raft_replica *raft, const sk_raft_peer *peer);
// Follower: told to refill, or to be healed at `heal`.
void sk_raft_recovery_told(sk_raft_replica *raft, bool refill, uint64_t heal);
void sk_raft_recovery_durable(sk_raft_replica *raft);

// ---- check.c ----

void sk_raft_check(const sk_raft_replica *raft, bool whole);
uint64_t sk_raft_fingerprint(const sk_raft_replica *raft);

#endif
