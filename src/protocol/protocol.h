// The seam between a replication protocol and everything else.
//
// A protocol is a deterministic state machine. Everything enters as an event, everything leaves as an effect; it has
// no socket, file, clock, random source, thread or log sink.
//
//              event (now, what happened)                      effect (what to do, and what must be on disk first)
//    node  ------------------------------>  step(replica)  ------------------------------>  node
//
// Records. A replica numbers its own records 1, 2, 3, ... in the order of its persist effects, going on after the
// last one recovered. The node writes them to the shared log in that order; `durable(n)` means that all up to n are
// on disk. A send or an apply's answer names the n that must be durable before it may leave (`after`; 0: at once).
//
// Positions. What a protocol orders has positions 1, 2, 3, ...; apply effects come in order of position, each
// exactly once since open (an installed snapshot skips forward). Position 0 is the empty state.
//
// One turn. The node feeds all events of a loop turn, then, for every replica whose deadline() is now or past,
// one tick: that is where a protocol sends what it gathered in the turn (batching), starts a read round, or campaigns.
//
// Life of a submit: exactly one of
//    apply carrying its request   ordered and committed; the node answers with the machine's result
//    refuse(SK_ENOTLEADER)        certainly not ordered, nor will it be
//    refuse(SK_EBUSY)             certainly not ordered: a bounded queue is full
//    refuse(SK_EUNKNOWN)          the replica lost its office with it in flight: it may yet be ordered
//    answer                       a mergeable replica ran it on its machine inside step: the reply, and what must be durable first
// Life of a read: exactly one of query(request, position), to be run on the machine as soon as `position` is applied
// (it always is when the effect is emitted), or refuse(SK_ENOTLEADER | SK_EBUSY): it may be asked again.
//
// Ownership: step borrows its event and copies what it keeps; effects and what they point to stay valid until the
// next step of the same replica.
#ifndef SK_PROTOCOL_PROTOCOL_H
#define SK_PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "protocol/machine.h"
#include "wire/record.h"

typedef uint32_t sk_node_id; // 1 ... SK_NODE_ID_MAX; 0 is nobody
enum { SK_NODE_ID_MAX = 255, SK_VOTERS_MAX = 9, SK_MEMBERS_MAX = 32 };

typedef struct sk_member {
    sk_node_id id;
    bool voter; // else it learns (membership change: a later capability)
} sk_member;

// ---- Events ----

enum sk_event_kind {
    SK_EVENT_TICK,
    SK_EVENT_LINK,
    SK_EVENT_RECEIVE,
    SK_EVENT_SUBMIT,
    SK_EVENT_READ,
    SK_EVENT_WAITING, // this node has just asked the leader for something outside the protocol (requests forwarded to be ordered)
    SK_EVENT_DURABLE,
    SK_EVENT_DISK_FAILED,
    SK_EVENT_RECORDS,
    SK_EVENT_SNAPSHOT_TAKEN,
    SK_EVENT_SNAPSHOT_RECEIVED,
    SK_EVENT_SNAPSHOT_SENT,
};

typedef struct sk_event {
    enum sk_event_kind kind;
    sk_ns now; // never less than in the event before
    // Only mergeable replicas look at these.
    uint64_t wall_ms;  // this node's wall time, since 1970, for better or worse
    bool disk_behind;  // too much waits for this node's disk: what need not be recorded now should not be
    union {
        struct { // the link to a peer came up or went down; a fresh round trip may come with `up` repeated
            sk_node_id peer;
            bool up;
            sk_ns round_trip; // 0: not measured
        } link;
        struct { // from: authenticated by the link; message: bytes from outside
            sk_node_id from;
            sk_slice message;
        } receive;
        struct { // request: the node's own number for it, not 0, not reused while in flight
            uint64_t request;
            sk_slice command;
            uint64_t seed; // for a mergeable replica's machine: what chooses at random, and the form of the reply
            uint8_t resp;
        } submit;
        struct {
            uint64_t request;
        } read;
        struct { // all records up to `number` are on disk
            uint64_t number;
        } durable;
        struct { // nothing after the last durable() will ever be on disk: this log is finished
            int error;
        } disk_failed;
        struct {
            // Answer to fetch (list is a run of entries from the position asked, as many as the node read at once,
            // at least one) or, with error != 0, its failure: SK_ECOMPACTED, SK_ECORRUPT or SK_EIO.
            uint64_t from;
            const sk_record *list;
            size_t count;
            int error;
        } records;
        struct {
            // taken: the machine's state at `position` is safely in a snapshot; entries up to it may be forgotten.
            // received: a peer's snapshot is durable and the machine has been restored from it.
            // sent: the transfer to `peer` that snapshot_offered began has ended; ok: the peer has installed it.
            uint64_t position;
            uint64_t epoch;
            sk_node_id peer;
            bool ok;
        } snapshot;
    };
} sk_event;

// ---- Effects ----

enum sk_effect_kind {
    SK_EFFECT_SEND,
    SK_EFFECT_PERSIST,
    SK_EFFECT_FETCH,
    SK_EFFECT_APPLY,
    SK_EFFECT_QUERY,
    SK_EFFECT_REFUSE,
    SK_EFFECT_SNAPSHOT_WANTED,
    SK_EFFECT_SNAPSHOT_OFFERED,
    SK_EFFECT_STATUS,
    SK_EFFECT_ANSWER,
};

enum sk_send_class {
    SK_SEND_URGENT, // votes, heartbeats, read rounds: overtake bulk
    SK_SEND_BULK,
};

typedef struct sk_effect {
    enum sk_effect_kind kind;
    union {
        struct { // to == self is allowed: it comes back as receive once `after` is durable
            sk_node_id to;
            sk_slice message;
            uint64_t after; // should the link end before that, it is not sent
            enum sk_send_class class;
        } send;
        struct { // within: nobody waits for it, so its sync may (0: at once). Who is given an `after` that is not durable ends the wait
            sk_record record;
            sk_ns within;
        } persist;
        struct { // entries [from, to], which are on disk and no longer in memory
            uint64_t from;
            uint64_t to;
        } fetch;
        struct { // request: 0 when nobody here waits for it; payload empty: nothing for the machine (position moves)
            uint64_t position;
            uint64_t epoch;
            uint64_t request;
            sk_slice payload;
            uint64_t after;
        } apply;
        struct {
            uint64_t request;
            uint64_t position;
        } query;
        struct { // leader: who might do better, 0 if unknown
            uint64_t request;
            int why;
            sk_node_id leader;
        } refuse;
        struct {
            uint64_t request;
            sk_slice reply;
            uint64_t after;
        } answer;
        struct { // a peer needs more than the log holds: stream it the newest snapshot, which is at least `at_least`
            sk_node_id to;
            uint64_t at_least;
        } snapshot_offered;
        // snapshot_wanted has no fields: the log is long, take one of what is applied when convenient.
        // status has none either: something shown by status() that others act on (leader, role, epoch) has changed.
    };
} sk_effect;

// What a step produced. Owned by the caller, reused from step to step. Zero-initialised is valid.
typedef struct sk_effects {
    sk_effect *list;
    size_t count;
    size_t capacity;
    sk_arena arena; // messages and payloads built by the step
} sk_effects;

sk_effect *sk_effects_add(sk_effects *out, enum sk_effect_kind kind); // the rest zeroed
void sk_effects_reset(sk_effects *out);
void sk_effects_deinit(sk_effects *out);

// ---- Setup, status ----

enum sk_role { SK_ROLE_FOLLOWER, SK_ROLE_CANDIDATE, SK_ROLE_LEADER, SK_ROLE_LEARNER, SK_ROLE_HALTED };

typedef struct sk_status {
    enum sk_role role;
    sk_node_id leader; // 0: none known
    uint64_t epoch;
    uint64_t first;     // first position still in the log
    uint64_t last;      // last position in the log
    uint64_t committed; // known to be ordered for good
    uint64_t applied;   // emitted as apply
    bool recovering;    // neither votes nor counts until a live leader has refilled it
    bool loading;       // a mergeable replica: the machine is half way to a peer's state, not to be read, nor kept in a snapshot
    const char *why;    // a reason for HALTED or recovering, static text; NULL otherwise
} sk_status;

typedef struct sk_peer_status {
    uint64_t matched;    // known equal to ours up to here (leader only)
    sk_ns round_trip;    // 0: not measured
    sk_ns heard;         // when it was last heard of; 0: never
    bool linked;
    uint64_t boot;       // its life, as last heard of (leader only); 0: not known
    bool recovering;     // it has lost records and is not counted (leader only)
} sk_peer_status;

typedef struct sk_limits {
    size_t window_bytes_max;     // log entries kept in memory
    size_t message_bytes_max;    // one message to a peer
    size_t inflight_bytes_max;   // sent to one peer and not yet acknowledged
    uint32_t inflight_count_max; // messages likewise
    uint32_t pending_max;        // submits and reads accepted and not yet ended
    uint64_t log_entries_max;    // more than these since the last snapshot: snapshot_wanted
    size_t log_bytes_max;        // likewise in bytes
} sk_limits;

typedef struct sk_timing {
    sk_ns heartbeat_active; // between a leader's messages while there is work
    sk_ns heartbeat_idle;   // and when there is none; each message promises which
    sk_ns election_min;     // silence after the promised time before a follower stands: never less, whatever was measured,
    sk_ns election_max;     // and never more
} sk_timing;

// How reads are kept linearizable without asking anybody: whoever leads is promised by a majority that for `length` they
// help nobody else to office, and serves reads for so long, less what clocks may differ.
typedef struct sk_lease {
    sk_ns length; // 0: no leases, every read is confirmed by a round
    uint32_t drift_ppm; // no clock runs faster or slower than true time by more parts in a million
} sk_lease;

// What the disk gave back. The node replays the records themselves through recover().
typedef struct sk_recovery {
    uint64_t snapshot_position; // 0: none
    uint64_t snapshot_epoch;
} sk_recovery;

typedef struct sk_setup {
    sk_node_id self;
    const sk_member *members; // the founding configuration, self included
    size_t member_count;
    uint64_t boot;
    uint64_t seed; // all randomness comes from here
    sk_limits limits;
    sk_timing timing;
    sk_lease lease;
    sk_recovery recovery;
    bool first_choice; // a new replica that had better lead: it stands as soon as the others can be there (no promise, no right)
    sk_ns now;
    uint64_t wall_ms;    // as in events
    sk_machine *machine; // a mergeable replica's, as restored from the snapshot; others have none
} sk_setup;

// ---- The protocol ----

typedef struct sk_replica sk_replica;

typedef struct sk_protocol {
    const char *name; // as in SPACE CREATE ... PROTOCOL name

    // Needs of commands that it can honour.
    bool total_order;
    bool read_modify_write;
    bool multi_key;
    // Runs commands on its machine inside step, on every node, and merges what others ran (machine.h): submits end in answers.
    bool mergeable;

    // A replica from the founding configuration and what recovery found. Never NULL.
    sk_replica *(*open)(const sk_setup *setup);
    void (*close)(sk_replica *replica);
    // One recovered record, in the order written, before start. Records already covered by the snapshot, or numbered
    // twice (written forward into a new segment), may come too.
    void (*recover)(sk_replica *replica, const sk_record *record);
    // Recovery is over: the first step. Effects as of any step. `damaged`: the log had interior damage, now or in an earlier life
    // and not yet healed: neither vote nor count until refilled (design.md section 6).
    void (*start)(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out);
    void (*step)(sk_replica *replica, const sk_event *event, sk_effects *out);
    // When it next wants a tick: a time, 0 for the end of this turn, SK_NEVER.
    sk_ns (*deadline)(const sk_replica *replica);
    // A hash of all state that matters.
    uint64_t (*fingerprint)(const sk_replica *replica);
    sk_status (*status)(const sk_replica *replica);
    // What is known of `peer`; zeros for somebody unknown.
    sk_peer_status (*peer_status)(const sk_replica *replica, sk_node_id peer);
    // Aborts if an invariant does not hold (verify builds run it after every step).
    void (*check)(const sk_replica *replica);
} sk_protocol;

extern const sk_protocol sk_raft;
extern const sk_protocol sk_crdt;
extern const sk_protocol sk_causal;

// The table of protocols: NULL when there is none of that name.
const sk_protocol *sk_protocol_find(const char *name);

#endif
