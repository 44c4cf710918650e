// Making a failing run small: leave something out, see whether it still fails, and so on until nothing more can go.
// Sets (faults that struck, kinds of fault, phases) by delta debugging (Zeller and Hildebrandt, Simplifying and
// isolating failure-inducing input, 2002): large parts first, then smaller ones; numbers by halving.
//
// The result is locally minimal as far as tries went: leaving out any one thing more makes the failure go away. It
// need not be the smallest there is.
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "sim/overrides.h"

// What the failing run consists of.
typedef struct sk_shrink_subject {
    uint32_t nodes, clients, operations, keys, phases;
    uint32_t faults;              // that struck; numbers 1 ... faults
    bool habits[SK_FAULT_END];    // kinds of fault that are no single strikes: rates, clients' manners
    sk_ns length;                 // of all phases
} sk_shrink_subject;

// Does the run still fail with this left out? May set the candidate's `vary` to what made it fail.
typedef bool sk_shrink_fails(void *context, sk_overrides *candidate);

// `best` begins as a failing candidate and stays one.
void sk_shrink(const sk_shrink_subject *subject, sk_shrink_fails *fails, void *context, sk_overrides *best);

#endif
