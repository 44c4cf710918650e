// What the parts of the nemesis share: nemesis.c draws and mends, nemesis_network.c, nemesis_disk.c and nemesis_process.c
// strike.
#ifndef SIM_NEMESIS_PRIVATE_H
#define SIM_NEMESIS_PRIVATE_H

#include "sim/nemesis.h"

// A copy of a computer's disk, as a backup would have it, and how the quorum spaces stood.
typedef struct sk_nemesis_backup {
    sim_disk *disk; // NULL: none
    sk_node_id of;
    sk_ns taken;
    uint64_t last[2], epoch[2];
} sk_nemesis_backup;

struct sk_nemesis {
    sk_world *world;
    sk_prng prng;
    uint64_t phase;     // of the FAULT events that count
    sk_ns phase_began;
    uint32_t looks;     // for something to break, so far
    uint64_t partition; // the newest; its MEND ends it
    uint32_t flaps;     // left of a flapping partition
    sk_node_id flapping;
    sim_disk_config knobs; // as drawn, to come back to
    uint32_t stopped;      // crash-stop: ended for good
    bool storm;
    uint32_t asleep;  // bits by id: nodes that are away for weeks
    sk_nemesis_backup backup;
    sim_disk *older; // planted bug: what a computer's disk held some time ago
    sk_node_id older_of;
};

sk_node_id sk_nemesis_some(sk_nemesis *nemesis);
sk_node_id sk_nemesis_leader_or_some(sk_nemesis *nemesis);
sk_ns sk_nemesis_hold(sk_nemesis *nemesis); // how long a lasting fault lasts
void sk_nemesis_mend_later(sk_nemesis *nemesis, enum sk_fault fault, uint32_t argument, uint64_t token, sk_ns wait);

// One fault of a kind of theirs. False: not possible now.
bool sk_nemesis_strike_network(sk_nemesis *nemesis, enum sk_fault fault);
bool sk_nemesis_strike_disk(sk_nemesis *nemesis, enum sk_fault fault);
bool sk_nemesis_strike_process(sk_nemesis *nemesis, enum sk_fault fault);

void sk_nemesis_unblock(sk_nemesis *nemesis); // the newest partition ends
void sk_nemesis_mend_way(sk_nemesis *nemesis, enum sk_fault fault, sk_node_id from, sk_node_id to);
void sk_nemesis_flap(sk_nemesis *nemesis);    // the flapping one goes on
// The process dies, by power or not, and starts again later (not in a crash-stop run, where at most a minority dies). False: it
// does not run, or may not die.
bool sk_nemesis_kill(sk_nemesis *nemesis, sk_computer *computer, bool power);
void sk_nemesis_forget_disk(sk_nemesis *nemesis); // a planted bug

// nemesis_loss.c: what only mergeable spaces must bear.
bool sk_nemesis_strike_loss(sk_nemesis *nemesis, enum sk_fault fault);
void sk_nemesis_back_up(sk_nemesis *nemesis); // takes a backup, if it is time for one
void sk_nemesis_awake(sk_nemesis *nemesis, sk_node_id id);

#endif
