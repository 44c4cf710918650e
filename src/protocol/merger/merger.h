// What the replicas of a mergeable machine (machine.h) have in common, whatever they promise: crdt and causal are such.
//
//    sk_crdt_replica       sk_causal_replica      rules, what is recorded, in which order changes are taken, who is asked and when
//           \                     /
//            first member: sk_merger             a life and its number, records and their positions, a turn's submits and answers,
//                                                asks and answers to asks, reports, what all have seen
//
// It knows no protocol and calls none: a protocol calls from its own step, in the order that its rules want. Words: an actor is a node in
// one of its lives (clock/vector.h); `seen` (V) is the machine's vector, `base` (B) what every member is known to have seen.
//
// Left to each, for its rules differ: what a life's beginning writes (crdt a record, causal its first batch); what others bring (crdt applies
// what fits, causal waits for what a batch needs); whom to ask, and what comes back (a state, merged as it comes; a log, or a state put
// aside); whom to tell again; when what all have seen may be settled; how a node's earlier lives are closed.
//
// Memory: a protocol owns its sk_merger and its peers, which do not move; it deinits before the machine is closed. What is sent or recorded
// is copied to the step's arena. What has effects is called within start or step only, while `out` is set. Nothing here fails: what others
// sent and is wrong is ignored and counted.
//
// A disk that is behind. What a replica records waits in memory, and other spaces' votes wait behind it. So while too much waits, submits are
// refused, and what peers send of themselves is dropped. A report tells of all that was dropped, and it is asked for, once what the last
// answer brought is on disk; parts of an answer are taken, but the next one is granted when they are on disk. So it comes as fast as the disk
// takes it, whoever else writes here.
//
// Invariants (sk_merger_check): B <= V; we ask, and answer, linked peers only; parts under way are bounded.
#ifndef SK_PROTOCOL_MERGER_MERGER_H
#define SK_PROTOCOL_MERGER_MERGER_H

#include "protocol/merger/lives.h"
#include "protocol/merger/message.h"
#include "protocol/protocol.h"

enum {
    SK_MERGER_PART_SIZE = 64 * 1024, // of operations, a log or a state, about; one that is greater travels whole
    SK_MERGER_PARTS_MAX = 4,         // of an answer to an ask: sent and not acknowledged
};

// From a change to the report of it. What others made is on their disks, and nobody takes it from us, or forgets it, before it is on ours: so
// its sync waits for the report, or for a sync that is asked for before.
#define SK_MERGER_REPORT_PAUSE (200 * SK_MS)

typedef struct sk_merger_peer {
    sk_node_id id;
    bool linked;
    sk_ns round_trip, heard;
    bool reported;  // `told` and the life are what it said
    sk_vector told; // its V, durable there
    uint64_t life;  // its present one
    bool mend;      // its digest differs: ask it for everything
    sk_ns mended;   // when it was last asked for everything
    // What it asked us for.
    bool asking;
    sk_machine_walk *walk;       // NULL: nothing, or something else than the state
    uint64_t session;            // the last one that we answered: none is answered twice, or out of order. 0: none on this link
    uint64_t sent, acknowledged; // parts
    sk_ns until;                 // given up when nothing is acknowledged: a walk holds on to a state that is past
} sk_merger_peer;

// What we asked for.
typedef struct sk_merger_ask {
    sk_merger_peer *peer; // NULL: nothing
    uint64_t session;
    uint64_t parts; // received
    uint64_t held;  // the record that our grant of the last one waits for, so nothing can come; 0: none
    sk_ns until;    // given up when nothing comes
} sk_merger_ask;

typedef struct sk_merger_answer {
    uint64_t request;
    size_t from, size; // in replies
} sk_merger_answer;

typedef struct sk_merger_counts {
    uint64_t asks, given_up, full_walks;
    uint64_t reports_sent, reports_received, mismatches, closed, reborn;
    struct { // messages, or parts of one, by why
        uint64_t malformed, not_a_member, not_linked, other_session, held_full, disk_behind;
    } ignored;
} sk_merger_counts;

typedef struct sk_merger {
    sk_node_id self;
    uint64_t life;  // our present one
    uint64_t lived; // greatest of our lives that is known, even if all that it changed was lost
    uint64_t boot;
    uint64_t born_ms;
    sk_machine *machine;
    const sk_mergeable_ops *ops;
    const sk_merger_form *form;
    sk_limits limits;
    sk_merger_peer *peers[SK_MEMBERS_MAX]; // the protocol's own
    size_t peer_count;
    bool started, halted;
    bool loading; // the state is half way to a peer's, and not shown to anybody (causal alone)
    const char *why;

    sk_ns now;
    uint64_t wall_ms;
    bool disk_behind; // as in the event
    sk_effects *out;

    uint64_t number;    // last record
    uint64_t recovered; // last record recovered
    uint64_t first;     // first record still needed
    uint64_t bytes;     // in records since the last snapshot
    uint64_t durable;
    bool snapshot_asked;
    uint64_t send_after; // no message leaves before this record is on disk; 0: the protocol says it of each

    sk_buffer operations; // ours, of this turn
    sk_buffer replies;    // of this turn's submits, one after another
    sk_merger_answer *answers;
    size_t answer_count, answer_capacity;

    sk_vector reported; // V as we last told it
    sk_ns report_at;
    sk_merger_ask ask;
    uint64_t session; // of the last ask
    uint64_t brought; // the last record of an answer, or of a join
    bool owed;        // somebody is to be asked when that is on disk
    sk_merger_counts counts;
    sk_buffer scratch;
    sk_buffer head; // of a message
} sk_merger;

static inline const sk_vector *sk_merger_seen(const sk_merger *merger)
{
    return merger->ops->seen(merger->machine);
}

static inline sk_actor sk_merger_self(const sk_merger *merger)
{
    return sk_actor_make(merger->self, merger->life);
}

// ---- merger.c: its beginning and its end, records, messages ----

// `merger` is zeroed. The protocol adds its peers, each member in turn; itself is passed over.
void sk_merger_init(sk_merger *merger, const sk_setup *setup, const sk_merger_form *form);
void sk_merger_add_peer(sk_merger *merger, sk_node_id id, sk_merger_peer *peer);
void sk_merger_deinit(sk_merger *merger); // and of the peers what is here

// What any record tells. False: it is none of ours (else its payload has at least the kind).
bool sk_merger_recover(sk_merger *merger, const sk_record *record);
// A life greater than `beyond` and than all that are known, told to the machine. Writes nothing.
void sk_merger_begin_life(sk_merger *merger, uint64_t beyond);
// Recovery is over: begins a life, and gives one position to all that was recovered.
void sk_merger_start(sk_merger *merger, sk_ns now, uint64_t beyond, sk_effects *out);
// A step begins. False: the replica is halted, and that was all.
bool sk_merger_step(sk_merger *merger, const sk_event *event, sk_effects *out);

void sk_merger_persist(sk_merger *merger, uint8_t kind, sk_slice bytes, sk_ns within); // within: as in the effect
void sk_merger_on_snapshot(sk_merger *merger, const sk_event *event);
void sk_merger_halt(sk_merger *merger); // the disk failed

// The peer whose message it is. NULL: it is ignored. `*out` is to be deinited in both cases.
sk_merger_peer *sk_merger_on_receive(sk_merger *merger, const sk_event *event, sk_merger_message *out);
// What a peer has sent of itself is not taken now. Counted; it will be asked for.
bool sk_merger_declines(sk_merger *merger);
sk_merger_peer *sk_merger_find_peer(const sk_merger *merger, sk_node_id id); // NULL: no peer of that number
void sk_merger_send(sk_merger *merger, sk_node_id to, const sk_merger_message *message, uint64_t after);
size_t sk_merger_send_to_linked(sk_merger *merger, const sk_merger_message *message, uint64_t after); // how many they are

// When the machine or this turn wants a tick, or at `at`, whichever is earlier.
sk_ns sk_merger_deadline(const sk_merger *merger, sk_ns at);
uint64_t sk_merger_mix_vector(uint64_t hash, const sk_vector *vector);
uint64_t sk_merger_fingerprint(const sk_merger *merger); // of the machine, the records and the vectors
sk_status sk_merger_status(const sk_merger *merger);
sk_peer_status sk_merger_peer_status(const sk_merger *merger, sk_node_id id);
void sk_merger_check(const sk_merger *merger);

// ---- live.c: submits and answers ----

bool sk_merger_admit(sk_merger *merger, const sk_event *event); // false: the submit is refused
void sk_merger_run(sk_merger *merger, const sk_event *event);   // on the machine; its answer waits for the turn's end
void sk_merger_on_read(sk_merger *merger, const sk_event *event);
void sk_merger_clear_due(sk_merger *merger);
// The end of a turn, when its operations are recorded: they are forgotten, and its answers leave with the last record.
void sk_merger_answer_all(sk_merger *merger);

// ---- sync.c: asks for what is missed, and answers to them ----

bool sk_merger_may_ask(sk_merger *merger); // nobody is asked yet, and the disk has what was brought before, if it is behind
bool sk_merger_may_mend(const sk_merger *merger, const sk_merger_peer *peer); // ask it for everything now
bool sk_merger_is_ahead(const sk_merger *merger, const sk_merger_peer *peer); // it has seen something that we have not
void sk_merger_ask_peer(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, bool everything); // kind: of the message
bool sk_merger_is_asked(sk_merger *merger, const sk_merger_peer *peer, const sk_merger_message *message); // it is the next part; else ignored
// Records are on disk. True: somebody is to be asked now, for it could not be before.
bool sk_merger_on_durable(sk_merger *merger, const sk_event *event);
void sk_merger_grant(sk_merger *merger, const sk_merger_peer *peer, uint8_t kind, const sk_merger_message *message);
bool sk_merger_claims_ours(const sk_merger *merger, const sk_vector *vector); // nobody but we know how far our present life has come
// A life that no honest node has (C11), unless its node said so itself, or it is in V: were it believed, nothing greater would be left for its node to begin.
bool sk_merger_is_absurd(const sk_merger *merger, sk_actor actor);

// False: such an ask was answered before. Else what the peer asked for before is over, and the protocol may open a walk.
bool sk_merger_begin_answer(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message);
void sk_merger_open_walk(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message); // of the state, as asked
bool sk_merger_on_grant(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message); // false: of an answer that is over
bool sk_merger_has_room(const sk_merger_peer *peer); // for another part
void sk_merger_send_part(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, uint64_t after); // what is in scratch
void sk_merger_send_end(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, uint64_t after); // of a walk with its vectors
void sk_merger_stop_answering(sk_merger *merger, sk_merger_peer *peer);

// Ends what is not acknowledged any more. True: whom we asked sends nothing any more, either; the protocol gives that up.
bool sk_merger_sync_tick(sk_merger *merger);
sk_ns sk_merger_sync_deadline(const sk_merger *merger);

// ---- report.c: who has seen what ----

void sk_merger_changed(sk_merger *merger); // V has grown: it is to be reported
bool sk_merger_report_due(sk_merger *merger); // now; and it is taken to be told
// The protocol gives the kind and what only its reports have. It leaves when all of V is on disk: others forget what everybody has.
void sk_merger_report(sk_merger *merger, sk_node_id to, sk_merger_message *message);
void sk_merger_hear(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *report);
// A life beyond which to begin another: the peer knows more of our present one than we do, so it had changes before, of a backup's future.
// 0: it does not.
uint64_t sk_merger_outlived(sk_merger *merger, const sk_merger_peer *peer);
// The same V and another digest: counted, to be mended. exact: on neither side a change is under way.
void sk_merger_compare(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *report, bool exact);
// All members, ourselves included, have seen it: nobody will ask for differences below. When that may be said is the protocol's.
void sk_merger_settle(sk_merger *merger);

#endif
