// Replication of a mergeable machine: every node takes writes at once and tells the others; what was missed is caught up by differences.
//
// Words. An actor is a node in one of its lives (clock/vector.h). `seen` (V) is the machine's vector: of each actor, all changes up to
// the counter are in the state. `base` (B) is what every member is known to have seen: the machine has forgotten how to tell differences
// below it.
//
// Rules, and the function for each:
//   1  A submit runs on the machine inside step. Its operations are persisted in one record with all others of the turn, and sent to every
//      linked peer at the turn's end; its answer leaves when the record is durable. Operations may leave earlier: a life that loses its
//      last writes never numbers again, so no dot is used twice (C02). So a life is on disk before anybody hears of it, whatever the
//      clock shows, and stays there when a snapshot takes the log's place.                       live.c: flush; crdt.c: begin_life
//   2  Operations of an actor are applied in the order of their counters, each once: a gap is never applied over (C07); what comes
//      behind it is held, bounded, while the gap is asked for.                                                  live.c: on_operations
//   3  From a peer's own mouth only: operations are those of lives of the node that sends them (C11).           live.c: on_operations
//   4  Whoever learns that a peer has seen more (its report, or a gap) asks it for what changed since its own V: one ask at a time. The
//      other walks a snapshot of its state and sends chunks, as many under way as are acknowledged, then V and B as of the snapshot, which
//      the asker joins. An ask that stands still is given up and another peer is asked.                         sync.c
//   5  A report is V, a digest and the wall time. It is sent when a link comes up and when V has changed, after a pause, and again, less and
//      less often, to who is not known to have seen the same; so an idle space is quiet. Equal V and unequal digests: counted, and mended by a full
//      walk.                                                                                                    report.c: on_report
//   6  A peer that knows more of our present life than we do knows one that a lost disk has made us forget: we begin another. (Lives are
//      numbered by time, so it takes a restored backup and a clock that went back.) What was written before that is lost. report.c: rebirth
//   7  What all members have reported to have seen is settled (B). A node closes its earlier lives once no member can have more of them than
//      it, so vectors do not grow with restarts (C12). Who has all that it had of them then takes that over; others ask.   report.c: close_lives
//   8  A walk is sent from what is on our disk: whoever brings something to somebody keeps it, unless its disk goes back, and rule 7 can
//      know that nobody has more of a life.                                                                    sync.c: send_chunks
//   9  A peer that reports less than it once did has a disk that went back. What half a walk brought here from it, V does not tell: so we tell
//      it, and it asks, whatever our V is, before it closes anything.                                          report.c: notice_back
// What a causal replica does in the same way is in merger/merger.h.
//
// Invariants (sk_crdt_check): the merger's; held bytes are bounded, and none are of a peer that is not linked.
#ifndef SK_PROTOCOL_CRDT_CRDT_H
#define SK_PROTOCOL_CRDT_CRDT_H

#include "protocol/crdt/message.h"
#include "protocol/merger/merger.h"

enum { SK_CRDT_HELD_MAX = 4 << 20 }; // bytes of operations held behind a gap, of one peer

typedef struct sk_crdt_peer {
    sk_merger_peer core;  // what it asks for is a walk, always
    bool told_here;       // its report came on this link
    uint64_t heard_life;  // ours, as it had heard it then
    bool went_back;       // its disk, and it has not asked us since
    bool owed;            // it says that ours did: we are to ask it
    sk_buffer held;       // its operations behind a gap
    uint64_t walk_number; // our last record when its walk began
} sk_crdt_peer;

typedef struct sk_crdt_counts {
    uint64_t operations_sent, operations_received, operations_held;
    uint64_t chunks_sent, chunks_received;
    uint64_t gaps;        // records passed over in recovery, since others before them are missing
    uint64_t not_its_own; // messages ignored
} sk_crdt_counts;

typedef struct sk_crdt_replica {
    sk_merger core; // send_after: the record that says our life
    sk_crdt_peer *peers;

    bool gap;            // records before those recovered are missing
    uint64_t kept;       // first one not given back: until our life stands behind the snapshot
    uint64_t life_again; // the last record that says our life

    sk_vector closed; // what we had of our earlier lives when we closed them
    sk_vector torn;   // what those had told from whom we got half a walk: until it is covered, the state has more than V says
    sk_ns repeat_at, repeat_pause; // of reports to peers that are not known to have seen the same
    sk_crdt_counts counts;
} sk_crdt_replica;

// live.c
void sk_crdt_on_operations(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations);
void sk_crdt_apply_held(sk_crdt_replica *crdt);
void sk_crdt_flush(sk_crdt_replica *crdt); // the end of a turn

// sync.c
void sk_crdt_on_ask(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message);
void sk_crdt_on_chunk(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message);
void sk_crdt_on_grant(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message);
void sk_crdt_on_done(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message);
void sk_crdt_ask_somebody(sk_crdt_replica *crdt); // somebody who has seen more, if nobody is asked yet
void sk_crdt_persist_joined(sk_crdt_replica *crdt, const sk_vector *seen, const sk_vector *base, bool full);
void sk_crdt_sync_tick(sk_crdt_replica *crdt);
void sk_crdt_sync_drop(sk_crdt_replica *crdt, sk_crdt_peer *peer); // its link is gone

// crdt.c
void sk_crdt_begin_life(sk_crdt_replica *crdt, uint64_t beyond); // a greater one than that

// report.c
void sk_crdt_on_report(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message);
void sk_crdt_report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer);
void sk_crdt_report_tick(sk_crdt_replica *crdt);
sk_ns sk_crdt_report_deadline(const sk_crdt_replica *crdt);
void sk_crdt_settle(sk_crdt_replica *crdt);
void sk_crdt_close_lives(sk_crdt_replica *crdt); // our earlier ones, if they are over

static inline const sk_vector *sk_crdt_seen(const sk_crdt_replica *crdt)
{
    return sk_merger_seen(&crdt->core);
}

void sk_crdt_check(const sk_crdt_replica *crdt);
// The replica behind the contract's handle, for INFO and tests.
sk_crdt_replica *sk_crdt_of(sk_replica *replica);

#endif
