// Planted bugs: each makes the simulated world itself break a promise, or alters what passes through it, so
// that a run must end in "wrong", "stuck" or an assertion. They show that the checks can fail; src knows
// nothing of them.
#ifndef SIM_PLANT_H
#define SIM_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/prng.h"
#include "protocol/protocol.h"
#include "sim/swarm.h"

#define SK_PLANTS(X)                                                                                         \
    X(NONE, "none", "no planted bug")                                                                        \
    X(LYING_FSYNC, "lying-fsync", "a sync says it is done and is not: a power cut loses what was promised")  \
    X(FORGET_DISK, "forget-disk", "a restarted computer finds the files it had some seconds before")         \
    X(SPOOF_SENDER, "spoof-sender", "some frames arrive under another sender's name: votes count twice")     \
    X(SILENT_DAMAGE, "silent-damage", "frames are altered with a right checksum")                            \
    X(PHANTOM_ACK, "phantom-ack", "a client is told OK for a write that was refused")                        \
    X(BLIND_RETRY, "blind-retry", "a client repeats an append of unknown outcome: it may count twice")       \
    X(STALE_READ, "stale-read", "a client's read is answered with what it read before")                      \
    X(FAST_CLOCKS, "fast-clocks", "leases, and clocks that differ by far more than the bound that leases allow for")      \
    X(DEAF, "deaf", "after healing one computer never hears the others again")

enum sk_plant {
#define X(name, text, help) SK_PLANT_##name,
    SK_PLANTS(X)
#undef X
        SK_PLANT_END
};

struct sk_world;

const char *sk_plant_name(enum sk_plant plant);
const char *sk_plant_help(enum sk_plant plant);
enum sk_plant sk_plant_find(const char *name); // SK_PLANT_END: there is none

// What the run draws gives way to what the bug needs to show.
void sk_plant_swarm(enum sk_plant plant, sk_swarm *swarm);
// May alter the bytes of a frame on its way, or who sends it.
void sk_plant_frame(enum sk_plant plant, struct sk_world *world, sk_prng *prng, uint8_t *bytes, size_t size,
                    sk_node_id *from);

#endif
