// What one seed draws before its run begins: a subset of the fault kinds with rates of its own, the shape of
// the cluster, its limits (small, so that windows overflow, segments roll and snapshots happen all the time)
// and the workload. A run never draws all kinds at once: faults hide one another.
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include <stdbool.h>
#include <stdio.h>
#include "base/prng.h"
#include "base/time.h"
#include "node/kind.h"
#include "protocol/protocol.h"
#include "sim/preset.h"

enum { SK_SWARM_PHASES_MAX = 8, SK_SWARM_CLIENTS_MAX = 64, SK_WORKLOADS_MAX = 16 };

typedef struct sk_swarm_phase {
    sk_ns length;
    bool storm;
} sk_swarm_phase;

// How the disks of an unrecoverable run are ruined, all at once, while nobody runs.
enum sk_ruin {
    SK_RUIN_NONE,
    SK_RUIN_WIPE,    // empty directories
    SK_RUIN_NO_LOG,  // logs and snapshots are gone, who the node is stays
    SK_RUIN_GARBAGE, // every byte of logs and snapshots is another
    SK_RUIN_HELIX,   // every datum is bad somewhere, and each node has another part of it
    SK_RUIN_END
};

// What a run must keep to, whatever its seed draws.
typedef struct sk_swarm_wish {
    uint32_t nodes;    // 0: drawn
    uint32_t workload; // index and 1; 0: a drawn mixture
    const char *protocol; // of the data; NULL: raft
    uint32_t durability;  // enum sk_durability and 1; 0: drawn
    sk_preset preset;
} sk_swarm_wish;

typedef struct sk_swarm {
    uint64_t seed;
    const char *protocol; // of the data
    bool mergeable;       // it is: the data is in a space of its own
    sk_preset preset;
    enum sk_ruin ruin;
    uint32_t ruined; // so many nodes, from 1 on: a majority at least
    uint32_t node_count;
    bool fault[SK_FAULT_END]; // may fire in this run

    sk_swarm_phase phases[SK_SWARM_PHASES_MAX];
    uint32_t phase_count;
    sk_ns lead_max;   // healed and all up: how long until most nodes follow a leader
    sk_ns heal_max;   // how long each stage of the healed end may take until all is well
    sk_ns fault_mean; // between two faults of a storm
    sk_ns fault_hold; // mean length of a fault that lasts

    sk_ns delay_min, delay_mean;                              // of a frame
    sk_ns delay_bound;                                        // never longer; 0: no bound
    uint32_t loss, duplicate, replay, reorder, corrupt, tail; // of a million frames
    bool hostile_frames; // loss and reordering hit forwarded requests and snapshots too, not the protocol's
                         // messages alone
    sk_ns notice_max;    // until a side notices that its connection is gone
    sk_ns redial_max;

    sk_ns disk_mean;     // of one request
    sk_ns turn_cost_max; // between an input and its turn
    uint32_t drift_ppm_max;

    sk_timing timing;
    sk_lease lease;
    sk_limits limits;
    sk_ns request_timeout;
    uint64_t segment_size, wal_size_max;
    uint64_t space_memory_max;
    enum sk_durability durability; // of the mergeable space
    uint32_t group_ms;
    size_t snapshot_inflight_max;
    size_t origin_pending_max, origin_bytes_max, client_pending_max;

    uint32_t client_count, pipeline_max;
    sk_ns think_mean, client_timeout;
    uint32_t operations_max; // after so many in all, clients think much longer
    uint32_t keys;           // of each kind
    uint32_t value_size_max; // bytes
    uint32_t weights[SK_WORKLOADS_MAX]; // of the table of workloads
    uint32_t reads;                     // of a hundred operations

    // Never drawn: set by sk_overrides_apply.
    bool operations_end; // after operations_max no more operations, until healing
    uint64_t vary;       // other delays and clients' choices
} sk_swarm;

void sk_swarm_draw(sk_swarm *swarm, uint64_t seed, const sk_swarm_wish *wish);
// What the durability says in one number: 0 always, -1 volatile, else the milliseconds of group.
int64_t sk_swarm_window(const sk_swarm *swarm);
void sk_swarm_print(const sk_swarm *swarm, FILE *out);
// About exponential around `mean`, in whole numbers so that it is the same everywhere.
sk_ns sk_swarm_around(sk_prng *prng, sk_ns mean);

#endif
