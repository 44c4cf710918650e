// The simulated world: computers with clocks and disks, the network between them, clients, one queue of
// events, one seed. It is a host for src/node just as src/host is: the node code cannot tell the difference.
//
//      clients ---- bytes ----> [ computer: sk_node + simulated disk + clock ] <---- frames ---- other
//      computers
//         ^                             ^          ^
//         |                             |          | kill, power cut, pause, slow clock, damaged files
//      history                       checks     nemesis (what the seed's swarm allows, phase by phase)
//
// One world, one thread, no globals: a process may run many one after another.
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "node/node.h"
#include "sim/disk.h"
#include "sim/fault.h"
#include "sim/heap.h"
#include "sim/plan.h"
#include "sim/plant.h"
#include "sim/sometimes.h"
#include "sim/swarm.h"
#include "sim/trace.h"

typedef struct sk_world sk_world;

enum sk_verdict { SK_VERDICT_OK = 0, SK_VERDICT_CRASH = 3, SK_VERDICT_STUCK = 4, SK_VERDICT_WRONG = 5 };

// Kinds of events in the heap. `a` is a computer's id unless said otherwise; `c` tells stale events from live
// ones.
enum sk_world_event {
    SK_WORLD_TURN,      // the computer's node turns; c: turn number
    SK_WORLD_DISK,      // its disk has a completion due
    SK_WORLD_RESTART,   // c: boots
    SK_WORLD_RESUME,    // c: pauses
    SK_WORLD_DELIVER,   // pointer: a message
    SK_WORLD_DRAIN,     // a, b: from, to: what stalled there flows again
    SK_WORLD_DIAL,      // a, b
    SK_WORLD_NOTICE,    // a: who notices that the connection to b is gone; c: its generation
    SK_WORLD_CLIENT,    // a: client; it does what it next does; c: its wake number
    SK_WORLD_REQUEST,   // pointer: bytes on their way to a node
    SK_WORLD_REPLY,     // pointer: bytes on their way to a client
    SK_WORLD_SLOW_READ, // a: client; it takes more of what waits
    SK_WORLD_FAULT,     // the nemesis looks for something to break; c: phase
    SK_WORLD_MEND,      // a: fault, b: its argument; a lasting fault ends
    SK_WORLD_PHASE,     // the next phase begins
    SK_WORLD_PROBE,     // healed phase: is all well yet? (mergeable: also before the first phase: is the space there?)
    SK_WORLD_EVENT_END,
};

// One simulated computer.
typedef struct sk_computer {
    sk_node_host host; // first: the node's way back
    sk_log_sink sink;
    sk_world *world;
    sk_node_id id;
    sk_node *node; // NULL: no process runs
    sk_disk *disk; // what the node sees
    sim_disk *platter;
    uint64_t boots; // processes started here
    uint64_t input_bytes;
    sk_prng prng;

    bool turning;
    uint64_t turn_number; // of the turn event that counts
    sk_ns turn_at;        // world time of it
    sk_ns disk_at;        // world time of the disk event that counts; SK_NEVER: none
    bool paused;
    uint64_t pauses;
    sk_ns slow;           // extra cost of a turn (slow CPU)
    uint32_t crash_loops; // so many more times it dies soon after its start
    uint64_t halt_after;  // the next start's disk dies after so many requests (crash in recovery); 0: not
    bool stopping;        // a clean stop has begun
    bool gone;            // crash-stop: it never starts again
    bool ruined;          // its disk was ruined: it must never vote again
    uint32_t omit_send, omit_receive; // of a million frames, it loses so many
    bool boot_clock_zero; // a power cut restarts its boot clock

    // local = boot_offset + world time * (1 + drift_ppm / 10^6)
    uint64_t boot_offset;
    int64_t drift_ppm;
    sk_ns local_last;
    int64_t wall_offset_ms;
    int64_t wall_strobe_ms; // added at every other look; 0: none
    bool wall_odd;

    // For the atlas: what its log held when its process died, by space; and whether its disk has lost some of
    // it since.
    uint64_t held_last[2], held_epoch[2];
    uint64_t
        damaged_boot; // number of the process during or before which the disk was damaged; 0: it is whole

    // For the check that a mergeable space always answers: from when on nothing kept the node from it.
    sk_ns steady_since, trouble_until;
    uint32_t amnesia;      // how often its disk lost what was synced
    bool restored;         // an old backup has been put back, or what is like one
    uint64_t restored_boot; // boot of the life before an old backup was put back: peers refuse lesser ones; 0: none
} sk_computer;

typedef struct sk_network sk_network;
typedef struct sk_clients sk_clients;
typedef struct sk_checks sk_checks;
typedef struct sk_nemesis sk_nemesis;
typedef struct sk_merging sk_merging;
typedef struct sk_trace_tla sk_trace_tla;
typedef struct sk_chronicle sk_chronicle;

struct sk_world {
    sk_swarm swarm;
    sk_ns now;
    sk_heap heap;
    sk_trace trace;
    uint64_t events, events_max;
    uint64_t faults[SK_FAULT_END];
    bool sometimes[SK_SOMETIMES_END]; // reached
    sk_ns ruin_at;                    // when the disks were ruined; 0: not
    sk_ns up_at;                      // healed, and all run since then; 0: not yet
    sk_ns led_after;                  // and a leader had committed so long after that
    uint64_t checked;                         // positions whose digests were compared between nodes
    sk_computer computers[SK_VOTERS_MAX + 1]; // by id; 0 unused
    uint32_t computer_count;
    sk_identity founding;

    sk_network *network;
    sk_clients *clients;
    sk_checks *checks;
    sk_nemesis *nemesis;
    sk_merging *merging; // NULL: the data's protocol is not mergeable. See sim/merging.h
    uint64_t wall_ms_max; // that any node has been told
    sk_trace_tla *tla; // NULL: not wanted. See sim/trace_tla.h
    sk_chronicle *chronicle; // NULL: not wanted. See sim/chronicle.h
    const sk_plan *plan;     // NULL: the nemesis draws faults. See sim/plan.h
    FILE *plan_notes;        // where it notes what it drew; NULL: nowhere
    enum sk_plant plant;
    sk_lie lie;     // byzantine runs: what the first `liars` computers do to what they send; NULL: nobody lies
    uint32_t liars;
    bool healed; // the last phase: no more faults
    bool over;

    enum sk_verdict verdict;
    char problem[400];
};

// `lines`: where the trace goes, or NULL. The caller closes it.
sk_world *sk_world_open(const sk_swarm *swarm, enum sk_plant plant, uint64_t events_max, FILE *lines);
// All phases, the healed one and the final checks. The verdict; `problem` says what was wrong.
enum sk_verdict sk_world_run(sk_world *world);
void sk_world_close(sk_world *world);

// The first failure of a run counts; it ends the run.
void sk_world_fail(sk_world *world, enum sk_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sk_world_push(sk_world *world, sk_ns time, enum sk_world_event kind, uint32_t a, uint32_t b, uint64_t c,
                   void *pointer);
void sk_world_count(sk_world *world, enum sk_fault fault);
void sk_world_reach(sk_world *world, enum sk_sometimes what);

#endif
