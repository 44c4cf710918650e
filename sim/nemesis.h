// What breaks things, as far as the seed's swarm allows: in a storm, every now and then one fault of an
// allowed kind.
//
// The atlas. A run is recoverable: its end demands that everything works and nothing acknowledged is missing.
// So files are damaged only where that is a fair demand: on a computer that is down, while every other one is
// up, whole, quiet at its disk, and holds all that this one held. (Damage to the very last batch of a log
// cannot be told from a torn write; with two such logs, or one and a crash, an acknowledged write may be gone
// by design.)
#ifndef SIM_NEMESIS_H
#define SIM_NEMESIS_H

#include "sim/world.h"

sk_nemesis *sk_nemesis_open(sk_world *world, sk_prng prng);
void sk_nemesis_close(sk_nemesis *nemesis);
void sk_nemesis_storm(sk_nemesis *nemesis, bool storm); // a phase begins
void sk_nemesis_heal(sk_nemesis *nemesis);              // for good: all faults end, all computers start
void sk_nemesis_tend(sk_nemesis *nemesis);              // healed: starts again who gave up its log since
void sk_nemesis_event(sk_nemesis *nemesis, const sk_heap_event *event); // FAULT, MEND
// A process has just started: a crash loop goes on.
void sk_nemesis_started(sk_nemesis *nemesis, sk_computer *computer);
void sk_nemesis_power_all(sk_nemesis *nemesis,
                          sk_ns down); // every computer at once; they start again after `down`

#endif
