// A run as data for TLC: what the Raft replicas of the default space held after every turn that changed it, and at every
// start, in order. spec/RaftTrace.tla says whether that is a behaviour of spec/Raft.tla.
//
// Messages and the platters are not written down: the specification finds them. What a replica says is durable is.
#ifndef SIM_TRACE_TLA_H
#define SIM_TRACE_TLA_H

#include <stdio.h>
#include "sim/world.h"

// What to falsify, once, so that the run is no behaviour of Raft any more.
enum sk_trace_tla_lie {
    SK_TRACE_TLA_TRUE,
    SK_TRACE_TLA_VOTE,   // a vote for somebody else
    SK_TRACE_TLA_ROLE,   // a candidate leads at once
    SK_TRACE_TLA_COMMIT, // a leader commits what it has only just written
    SK_TRACE_TLA_LOG,    // a follower's newest entry is of another term
    SK_TRACE_TLA_FORGET, // a restart without the newest entry that was durable before
    SK_TRACE_TLA_LIE_END,
};

// Writes module Run of at most `lines_max` states to `out`, which stays the caller's and must outlive it.
sk_trace_tla *sk_trace_tla_open(FILE *out, uint32_t node_count, uint32_t lines_max,
                                enum sk_trace_tla_lie lie);
// How many states were written; `lied`: whether there was anything to falsify.
uint32_t sk_trace_tla_close(sk_trace_tla *trace, bool *lied);
// The computer's node has turned, or has just started.
void sk_trace_tla_look(sk_trace_tla *trace, const sk_computer *computer, bool started);
enum sk_trace_tla_lie sk_trace_tla_lie_find(const char *name); // SK_TRACE_TLA_LIE_END: none of that name

#endif
