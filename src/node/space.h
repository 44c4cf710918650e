// One space on this node: a replica of its protocol, the machine it drives, the replicated sessions and clock around it.
//
//     event --> replica --> effects --+--> persist --> wal          (number -> sequence kept until durable)
//                                     +--> send    --> peer, at once or held until its records are durable
//                                     +--> apply   --> envelope: clock, session --> machine --> reply to its origin
//                                     +--> query   --> reads
//                                     +--> fetch, snapshots --> wal, transfer
//
// Invariants: applied ascends by one (or jumps at an installed snapshot); held sends leave in the order they came, the first of them when
// its `after` is on disk; marks ascend in both number and sequence.
//
// Durability. `always`: what was answered is on disk. `group` and `volatile` (crdt and causal only): an answer leaves at once, and the log is
// written and synced when the oldest record has waited for half of the `window` (or with whatever else is synced sooner). The other half is
// the disk's: if it takes longer, answers wait for it as in `always`. So whatever the disk does, a power cut, or a kill, takes of what was
// answered only what was answered within one window, and what waits for the disk does not grow without bound. What such a loss must not do is make this node number two changes alike: the first
// record of a life is synced before its answer, and recovery begins a life greater than that of any record (C01, C02).
// Messages that say what is on disk here (`after`) wait as ever, so nobody settles or retires anything on the word of a node that may lose it.
#ifndef SK_NODE_SPACE_H
#define SK_NODE_SPACE_H

#include "base/ring.h"
#include "node/answers.h"
#include "node/envelope.h"
#include "node/forward.h"
#include "node/kind.h"
#include "node/local_reads.h"
#include "node/origin.h"
#include "node/reads.h"
#include "node/rules.h"
#include "node/session.h"
#include "node/snapshot_job.h"
#include "node/transfer.h"
#include "protocol/machine.h"
#include "protocol/protocol.h"
#include "store/snapshot.h"
#include "store/wal.h"

typedef struct sk_node sk_node;

// The space's clock (design.md section 8): applied value in the state, proposals from elapsed boot time while we lead.
typedef struct sk_space_clock {
    uint64_t applied_ms;
    int64_t wall_offset_ms;
    bool has_offset;
    uint64_t base_ms; // the clock was base_ms at base_time, as far as this leader knows
    sk_ns base_time;
    uint64_t proposed_ms;      // greatest ever put into an entry in this term of office
    int64_t proposed_offset_ms; // likewise, last
    bool proposed_offset_known;
    bool advancing; // an entry that only moves the clock is under way
    sk_ns advance_again; // it was refused: not before this time
} sk_space_clock;

struct sk_space {
    sk_node *node;
    size_t index; // in node->spaces
    uint32_t id;
    const char *name; // owned
    uint32_t number;  // for SELECT; 0: the system space, or not known yet
    sk_buffer prefix; // empty: the default space's
    const sk_space_kind *kind;
    const sk_protocol *protocol; // of the kind
    sk_list marked;   // node->marked, while records of it are not durable
    bool closing;     // dropped: nothing but what is with the disk goes on
    sk_replica *replica;
    sk_machine *machine;
    sk_status status; // as of the last step

    sk_ring marks; // persisted, not yet durable
    sk_ring held;  // sends waiting for durability
    sk_ring own;   // messages to ourselves
    sk_ring answers; // answers.h
    sk_list fetches; // reads of the log under way
    uint64_t durable_number;
    uint64_t released;

    uint64_t applied, applied_epoch;
    sk_sessions sessions;
    sk_space_clock clock;
    sk_rules rules;
    sk_buffer reply;    // scratch of apply
    sk_buffer envelope; // scratch of submit
    uint64_t refused;   // last submit that the replica refused; 0: none since it was looked at

    sk_origin origin;
    sk_reads reads;
    sk_local_reads local_reads;
    enum sk_reads_mode read_mode; // of connections that chose none
    enum sk_durability durability;
    uint32_t durability_ms;
    sk_ns window, sync_within; // 0: at once
    uint64_t persisted_epoch, durable_epoch; // of the last record appended, and on disk, since the start; of a mergeable space: the life
    sk_forwarding origins[SK_FOUNDERS_MAX]; // one for each of node->peers

    sk_snapshot_info snapshot; // newest on disk; position 0: none
    bool snapshot_wanted;
    sk_snapshot_job job;
    sk_transfers transfers;
    uint64_t applies, snapshots_taken, snapshots_installed, repeats, gaps, turned_away, fetched; // counted for INFO
};

// `name` is copied.
sk_space *sk_space_open(sk_node *node, uint32_t id, const char *name, const sk_space_kind *kind, sk_slice options);
void sk_space_rename(sk_space *space, const char *name);
// Recovery, in this order: sk_snapshot_job_restore, open the replica, every record, start.
void sk_space_open_replica(sk_space *space, bool first_choice); // see sk_setup
void sk_space_start(sk_space *space, bool damaged);
void sk_space_close(sk_space *space);

// Feeds one event and carries out what comes of it. `now` is filled in.
void sk_space_step(sk_space *space, sk_event event);
// With the link go the messages that wait for the disk: on another one, to another process perhaps, they would be out of place.
void sk_space_link_down(sk_space *space, sk_node_id peer);
void sk_space_durable(sk_space *space, uint64_t sequence); // the log: all up to here is on disk
void sk_space_disk_failed(sk_space *space, int error);
bool sk_space_is_durable(const sk_space *space, uint64_t number); // all records up to there are on disk
void sk_space_set_durability(sk_space *space, enum sk_durability durability, uint32_t group_ms);
// An answer that has not left yet may leave before its record is on disk.
bool sk_space_answers_early(const sk_space *space);
// Somebody waits for all that was recorded so far: its sync waits no longer than that of an entry written now.
void sk_space_ask_sync(sk_space *space);
// Nothing may wait for its sync any longer: a snapshot of the state is being written, which must not be ahead of the log.
bool sk_space_wants_sync(const sk_space *space);

// Orders a request as leader: origin and number say whose (the clock and its flags are filled in). SK_ENOTLEADER and the like come
// back through the refuse effect.
void sk_space_order(sk_space *space, sk_envelope *envelope);

// One turn: what is due, then at most a few ticks. deadline: when the next is wanted.
void sk_space_turn(sk_space *space);
sk_ns sk_space_deadline(sk_space *space);
// Work in slices (snapshots, transfers, garbage). True: there is more to do at once.
bool sk_space_work(sk_space *space);

// Work with the disk is under way: it takes part in every turn.
bool sk_space_watched(const sk_space *space);
bool sk_space_leads(const sk_space *space);
void sk_space_context(const sk_space *space, uint8_t resp, sk_command_context *out); // for queries, as of what is applied
void sk_space_check(const sk_space *space);

#endif
