// Causal broadcast of a mergeable machine's changes: every node takes writes at once, and no node shows a change before what it followed.
//
// Words. An actor is a node in one of its lives (clock/vector.h). A *batch* is a run of one actor's changes with what it *needs*: a
// vector. To *deliver* a batch is to apply it to the machine. `seen` (V) is the machine's vector: of each actor, what was delivered. A
// *causal* set of changes holds with each change all that its node had delivered before making it. `base` (B): what every member is known
// to have seen, below which the machine cannot tell differences.
//
// Rules, and the function for each:
//   1  A submit runs on the machine inside step. What a turn changes is one batch (or a few, when it is much), which needs what was
//      delivered here before. It is recorded, sent to every linked peer, and its answers leave when it is on disk.   live.c: flush
//   2  A batch is delivered when V has all that it needs, each once, whoever brings it. So V is causal at every step, and what readers see
//      too (V01).                                                                                                live.c: deliver
//   3  A batch that came too early is held. What is held is bounded: beyond it batches are dropped, counted and asked for again, for a gap
//      is never passed over (V02). A gap that does not fill by itself is asked for.                              live.c: hold
//   4  What was delivered is kept in a log bounded in bytes, in the order of delivery, which is a causal order. Whoever misses something is
//      sent the log from there: by any node that has it, whoever made it (V03).                                  log.c, sync.c
//   5  Who was away for longer than the log reaches (V08) is sent the state, as chunks. They are put aside and merged in one step at their
//      end, with V: until then readers see the state before. What is too much for one step is merged in slices, and the space
//      answers nothing meanwhile: it *loads*.                                                                    sync.c: on_done
//   6  A report is V, a digest and the wall time, sent when a link comes up, to who has begun a new life, and, after a pause, when V has
//      changed. It shows what was lost on the way, even the last batch of all. While a peer does not report the same V it is told again, more and
//      more seldom, and asked for its report: one may be lost too. An idle space is quiet.                       report.c
//   7  Every start is a new life, numbered by time: nothing it makes looks like something old (V04). A peer that knows more of our present
//      life than we do knows one that was lost: we begin another.                                                report.c: rebirth
//   8  What all members have reported to have seen is settled (B). A node closes its earlier lives by a batch, once no member can have
//      more of them than it: delivered, it makes one entry of them, so vectors do not grow with restarts.        report.c: life_over
//   9  Our own batches are sent at once, behind a life's first, which waits for our disk: a life that was heard of must be known here after a
//      power cut, or a later one could have a lesser number, and be closed with it (C02). What others made is handed on only from our disk: so
//      whoever brings it to somebody has it for good, and rule 8 can know that nobody has more of a life.    sync.c: send_parts
// V, retired lives included, is thus made by what was delivered, and by nothing else: the same V means the same everywhere, and after a
// recovery too.
// Members are the founders, for now: no vector has a slot for anybody else (V05). They are trusted: any may hand on what others made.
// What a crdt replica does in the same way is in merger/merger.h.
//
// Invariants (sk_causal_check): the merger's; the log begins right behind `floor` <= V; held, log and staged bytes are bounded; what is held
// is not deliverable.
#ifndef SK_PROTOCOL_CAUSAL_CAUSAL_H
#define SK_PROTOCOL_CAUSAL_CAUSAL_H

#include "base/ring.h"
#include "protocol/causal/message.h"
#include "protocol/merger/merger.h"

enum {
    SK_CAUSAL_HELD_BYTES = 4 << 20,
    SK_CAUSAL_HELD_COUNT = 1024,
    SK_CAUSAL_STEP_BYTES = 256 * 1024, // of a peer's state, merged in one step
    SK_CAUSAL_STAGED_BYTES = 64 << 20, // of it, put aside before: so many, or limits.log_bytes_max if that is more
};

// A batch in the log or held: owned bytes.
typedef struct sk_causal_entry {
    sk_actor actor;
    uint64_t first, last; // of a chunk in recovery: its record's number, and nothing
    uint64_t closes;
    uint8_t *bytes;
    size_t size;
} sk_causal_entry;

typedef struct sk_causal_peer {
    sk_merger_peer core;
    uint64_t heard_life; // ours, as far as it had heard from us
    bool held_of;        // it brought a batch that was held: it has what that needs
    uint64_t cursor;     // of the log: the next entry to look at for it
    sk_vector has;       // what it had when it asked
} sk_causal_peer;

typedef struct sk_causal_counts {
    uint64_t batches_sent, batches_received, delivered, repeated, held;
    uint64_t log_syncs, state_syncs, loads;
    uint64_t needs_entries; // entries of `needs` in our batches
    uint64_t forged, too_big, while_loading, stale, asked_before; // messages or batches ignored
} sk_causal_counts;

typedef struct sk_causal_replica {
    sk_merger core; // send_after: 0, batches wait for life_record
    sk_causal_peer *peers;

    uint64_t flushed;   // counter of our life: batches tell all up to there
    uint64_t life_record; // the first of our life; 0: it has done nothing
    sk_vector announced; // what batches of our life said that they need

    sk_ring held; // sk_causal_entry
    size_t held_bytes;
    sk_ns gap_at; // when to ask for what is missing

    sk_ring log; // sk_causal_entry, the first one's number is log_first
    uint64_t log_first;
    size_t log_bytes;
    sk_vector floor; // of each actor, the last that the log does not have

    sk_ring staged; // sk_causal_entry: chunks put aside, at most sk_causal_staged_max
    size_t staged_bytes;
    // core.loading: all of them are here and in the log, and some are merged.
    bool join_full; // what they make whole
    sk_vector join_since, join_seen, join_base; // since: V when we asked

    sk_ns again_at, again_pause; // a peer has not reported the V that we have: when to ask it to
    uint64_t delivered_before;   // counts.delivered when we asked
    sk_causal_counts counts;
    sk_vector needs; // scratch
} sk_causal_replica;

// causal.c
void sk_causal_begin_life(sk_causal_replica *causal, uint64_t beyond);

// live.c
void sk_causal_on_submit(sk_causal_replica *causal, const sk_event *event);
void sk_causal_on_batches(sk_causal_replica *causal, sk_causal_peer *peer, sk_slice batches);
void sk_causal_deliver_held(sk_causal_replica *causal);
void sk_causal_drop_held(sk_causal_replica *causal);
void sk_causal_flush(sk_causal_replica *causal); // the end of a turn
bool sk_causal_recover_batch(sk_causal_replica *causal, sk_slice bytes); // false: it does not follow what is here

// log.c
void sk_causal_log_add(sk_causal_replica *causal, const sk_causal_batch *batch);
void sk_causal_log_trim(sk_causal_replica *causal); // what all members have
bool sk_causal_log_reaches(const sk_causal_replica *causal, const sk_vector *seen); // it has all that is beyond
void sk_causal_log_restart(sk_causal_replica *causal); // V came without batches: the log begins here
void sk_causal_entries_clear(sk_ring *ring);
sk_causal_entry *sk_causal_entry_push(sk_ring *ring, sk_slice bytes);

// sync.c
void sk_causal_on_ask(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_on_logged(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_on_logged_all(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_on_chunk(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_on_grant(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_on_done(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_ask_somebody(sk_causal_replica *causal); // somebody who has seen more, if nobody is asked yet
void sk_causal_sync_tick(sk_causal_replica *causal);
sk_ns sk_causal_sync_deadline(const sk_causal_replica *causal);
void sk_causal_sync_drop(sk_causal_replica *causal, sk_causal_peer *peer); // its link is gone
void sk_causal_load_tick(sk_causal_replica *causal);
void sk_causal_recover_chunk(sk_causal_replica *causal, uint64_t number, sk_slice bytes); // number: of the record
void sk_causal_recover_joined(sk_causal_replica *causal, uint64_t number, sk_slice bytes);

// report.c
void sk_causal_on_report(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message);
void sk_causal_report_to(sk_causal_replica *causal, sk_causal_peer *peer, bool wanted); // wanted: it is to do the same
void sk_causal_watch(sk_causal_replica *causal); // V or a link has changed: peers are to report
void sk_causal_report_tick(sk_causal_replica *causal);
void sk_causal_changed(sk_causal_replica *causal); // V has grown
void sk_causal_settle(sk_causal_replica *causal);
uint64_t sk_causal_life_over(const sk_causal_replica *causal); // our last life that is over and not closed; 0: none

static inline const sk_vector *sk_causal_seen(const sk_causal_replica *causal)
{
    return sk_merger_seen(&causal->core);
}

static inline size_t sk_causal_staged_max(const sk_causal_replica *causal)
{
    size_t most = causal->core.limits.log_bytes_max;
    return most > SK_CAUSAL_STAGED_BYTES ? most : SK_CAUSAL_STAGED_BYTES;
}

static inline sk_actor sk_causal_self(const sk_causal_replica *causal)
{
    return sk_merger_self(&causal->core);
}

void sk_causal_check(const sk_causal_replica *causal);
// The replica behind the contract's handle, for INFO and tests.
sk_causal_replica *sk_causal_of(sk_replica *replica);

#endif
