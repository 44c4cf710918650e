// One simulated computer: starting, killing, pausing its node; its clock; the node's host operations.
#ifndef SIM_COMPUTER_H
#define SIM_COMPUTER_H

#include "sim/world.h"

void sk_computer_init(sk_computer *computer, sk_world *world, sk_node_id id);
void sk_computer_deinit(sk_computer *computer);
// Starts a process on what the disk holds. A node that cannot open (an injected error) is tried again later.
void sk_computer_start(sk_computer *computer);
// The process dies now. `power`: so does what the disk had not synced, and the boot clock begins anew.
void sk_computer_kill(sk_computer *computer, bool power);
void sk_computer_restart_at(sk_computer *computer, sk_ns time);
void sk_computer_pause(sk_computer *computer, sk_ns length);
void sk_computer_resume(sk_computer *computer);
void sk_computer_note_held(sk_computer *computer); // what its log holds now, for the atlas
void sk_computer_gather(sk_computer *computer);    // counts of its disk's faults into the world's
bool sk_computer_up(const sk_computer *computer);      // a process runs
bool sk_computer_running(const sk_computer *computer); // and is not paused

uint64_t sk_computer_wall_ms(const sk_computer *computer); // its wall clock, as far as it does not strobe
// Something keeps it from answering soon, until then: the check of availability leaves it alone.
void sk_computer_trouble(sk_computer *computer, sk_ns until);
// Its clocks have gone on, as those of a machine that slept.
void sk_computer_warp(sk_computer *computer, sk_ns length, bool wall);

// Before any input: tells the node the time. After it: a turn follows soon.
void sk_computer_input(sk_computer *computer);
void sk_computer_turn(sk_computer *computer);
void sk_computer_disk(sk_computer *computer);         // completions that are due
void sk_computer_hurry_disk(sk_computer *computer);   // what is under way is done soon
sk_ns sk_computer_local(const sk_computer *computer); // its own clock

#endif
