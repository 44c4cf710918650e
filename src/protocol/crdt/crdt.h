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
//      clock shows, and stays there when a snapshot takes the log's place.                       live.c: on_submit, flush; crdt.c: begin_life
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
//   8  A walk is sent from what is on our disk: whoever brings something to somebody has it for good, and rule 7 can know that nobody has
//      more of a life.                                                                                         sync.c: send_chunks
//
// Invariants (sk_crdt_check): B <= V; held bytes and walks are bounded; nothing is under way with a peer that is not linked.
#ifndef SK_PROTOCOL_CRDT_CRDT_H
#define SK_PROTOCOL_CRDT_CRDT_H

#include "protocol/crdt/message.h"
#include "protocol/protocol.h"

enum {
    SK_CRDT_CHUNK_SIZE = 64 * 1024,  // about; a greater value travels whole
    SK_CRDT_CHUNKS_MAX = 4,          // sent and not acknowledged
    SK_CRDT_HELD_MAX = 4 << 20,      // bytes of operations held behind a gap, of one peer
};

// From a change to the report of it. What others wrote is on their disks, and they forget nothing before we report it: so nobody waits for it
// to be on ours, and its sync waits for the report, or for a sync that is asked for before.
#define SK_CRDT_REPORT_PAUSE (200 * SK_MS)

// Why a message was ignored: counted.
#define SK_CRDT_IGNORES(X) X(malformed) X(not_a_member) X(not_its_own) X(not_linked) X(other_session) X(held_full) X(halted)
enum sk_crdt_ignore {
#define X(name) SK_CRDT_IGNORE_##name,
    SK_CRDT_IGNORES(X)
#undef X
    SK_CRDT_IGNORE_COUNT
};

typedef struct sk_crdt_peer {
    sk_node_id id;
    bool linked;
    sk_ns round_trip, heard;
    bool reported;     // `told` and the rest are what it said
    bool told_here;    // and on this link
    sk_vector told;    // its V, durable there
    uint64_t life;     // its present one
    int64_t ahead_ms;  // its wall time minus ours, when it reported
    sk_buffer held;    // its operations behind a gap
    bool mend;         // its digest differs: ask it for everything
    sk_ns mended;      // when it was last asked for everything
    // What it asked us for.
    sk_machine_walk *walk; // NULL: nothing
    uint64_t walk_session; // the last that it asked for; 0: none on this link
    uint64_t walk_sent, walk_acknowledged; // chunks
    uint64_t walk_number; // our last record when it began
    sk_ns walk_until;  // closed when nothing is acknowledged: it holds on to a state that is past
} sk_crdt_peer;

// What we asked for.
typedef struct sk_crdt_ask {
    sk_crdt_peer *peer; // NULL: nothing
    uint64_t session;
    uint64_t chunks; // received
    sk_ns until;     // given up when nothing comes
} sk_crdt_ask;

typedef struct sk_crdt_answer {
    uint64_t request;
    size_t from, size; // in replies
} sk_crdt_answer;

typedef struct sk_crdt_counts {
    uint64_t operations_sent, operations_received, operations_held;
    uint64_t asks, chunks_sent, chunks_received, full_walks, given_up;
    uint64_t gaps; // records passed over in recovery, since others before them are missing
    uint64_t reports_sent, reports_received, mismatches, closed, reborn;
    uint64_t ignored[SK_CRDT_IGNORE_COUNT];
} sk_crdt_counts;

typedef struct sk_crdt_replica {
    sk_node_id self;
    uint64_t life;     // our present one
    uint64_t boot;
    uint64_t born_ms;
    sk_machine *machine;
    const sk_mergeable_ops *ops;
    sk_limits limits;
    sk_crdt_peer *peers;
    size_t peer_count;
    bool started, halted;
    const char *why;

    sk_ns now;
    uint64_t wall_ms;
    sk_effects *out;

    uint64_t number;    // last record
    uint64_t recovered; // last record recovered
    bool gap;           // records before it are missing
    uint64_t first;     // first record still needed
    uint64_t kept;      // first one not given back: until our life stands behind the snapshot
    uint64_t life_record; // that says our life
    uint64_t life_again;  // and the last that does
    uint64_t lived;     // greatest of our lives that recovery found, even if all that it changed was lost
    uint64_t bytes;     // in records since the last snapshot
    uint64_t durable;
    bool snapshot_asked;

    sk_buffer operations;    // ours, of this turn
    sk_buffer replies;       // of this turn's submits, one after another
    sk_crdt_answer *answers;
    size_t answer_count, answer_capacity;

    sk_vector reported;  // V as we last told it
    sk_vector closed;    // what we had of our earlier lives when we closed them
    sk_ns report_at;
    sk_ns repeat_at, repeat_pause; // of reports to peers that are not known to have seen the same
    sk_crdt_ask ask;
    uint64_t session;
    sk_crdt_counts counts;
    sk_buffer scratch;
    sk_buffer head; // of a message
} sk_crdt_replica;

// live.c
void sk_crdt_on_submit(sk_crdt_replica *crdt, const sk_event *event);
void sk_crdt_on_operations(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations);
void sk_crdt_apply_held(sk_crdt_replica *crdt);
void sk_crdt_clear_due(sk_crdt_replica *crdt);
void sk_crdt_flush(sk_crdt_replica *crdt); // the end of a turn
void sk_crdt_persist(sk_crdt_replica *crdt, enum sk_crdt_record kind, sk_slice bytes, sk_ns within); // within: as in the effect

// sync.c
void sk_crdt_on_ask(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message);
void sk_crdt_on_chunk(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message);
void sk_crdt_on_grant(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message);
void sk_crdt_on_done(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message);
void sk_crdt_ask_somebody(sk_crdt_replica *crdt); // somebody who has seen more, if nobody is asked yet
void sk_crdt_persist_joined(sk_crdt_replica *crdt, const sk_vector *seen, const sk_vector *base, bool full);
void sk_crdt_sync_tick(sk_crdt_replica *crdt);
sk_ns sk_crdt_sync_deadline(const sk_crdt_replica *crdt);
void sk_crdt_sync_drop(sk_crdt_replica *crdt, sk_crdt_peer *peer); // its link is gone

// crdt.c
void sk_crdt_begin_life(sk_crdt_replica *crdt, uint64_t beyond); // a greater one than that

// report.c
void sk_crdt_on_report(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message);
void sk_crdt_report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer);
void sk_crdt_report_tick(sk_crdt_replica *crdt);
sk_ns sk_crdt_report_deadline(const sk_crdt_replica *crdt);
void sk_crdt_changed(sk_crdt_replica *crdt); // V has grown
void sk_crdt_settle(sk_crdt_replica *crdt);
void sk_crdt_close_lives(sk_crdt_replica *crdt); // our earlier ones, if they are over
bool sk_crdt_is_ahead(const sk_crdt_replica *crdt, const sk_crdt_peer *peer); // it has seen something that we have not

static inline const sk_vector *sk_crdt_seen(const sk_crdt_replica *crdt)
{
    return crdt->ops->seen(crdt->machine);
}

static inline void sk_crdt_ignore(sk_crdt_replica *crdt, enum sk_crdt_ignore why)
{
    crdt->counts.ignored[why]++;
}

void sk_crdt_send(sk_crdt_replica *crdt, sk_node_id to, const sk_crdt_message *message, uint64_t after);
// The same in two steps, for one that goes to several; the bytes are valid as the effects are.
sk_slice sk_crdt_encode(sk_crdt_replica *crdt, const sk_crdt_message *message);
void sk_crdt_send_encoded(sk_crdt_replica *crdt, sk_node_id to, sk_slice message, uint64_t after);
void sk_crdt_check(const sk_crdt_replica *crdt);
// The replica behind the contract's handle, for INFO and tests.
sk_crdt_replica *sk_crdt_of(sk_replica *replica);

#endif
