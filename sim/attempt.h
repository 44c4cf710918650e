// One run of a world in a process of its own: what ends in an assertion, or never, is a result like any other.
#ifndef SIM_ATTEMPT_H
#define SIM_ATTEMPT_H

#include "sim/fleet.h"
#include "sim/overrides.h"

typedef struct sk_attempt {
    const sk_fleet_options *fleet; // what is drawn and planted, and the limits of events and seconds
    uint64_t seed;
    const sk_overrides *overrides; // NULL: none
    const sk_plan *plan;           // of the run as drawn; NULL: it is found out when there are overrides
    FILE *chronicle;               // NULL: none. Both from tmpfile(): filled when the run is over
    FILE *plan_notes;
} sk_attempt;

typedef struct sk_attempt_result {
    enum sk_verdict verdict;
    char problem[400]; // "" when all is well; of a crash: the assertion
    // What the run had come to when it ended; zeros after a crash
    uint64_t events, virtual_ns, operations;
    uint64_t faults[SK_FAULT_END];
} sk_attempt_result;

void sk_attempt_run(const sk_attempt *attempt, sk_attempt_result *result);
// Runs the seed as drawn, and gives the faults that struck. The caller frees the plan.
sk_plan *sk_attempt_plan(const sk_fleet_options *fleet, uint64_t seed, sk_attempt_result *result);
// What the seed draws, less what is left out, and the faults that are left of `plan` (NULL: runs the seed as drawn to
// find them), which the caller frees. NULL, and `plan` is not looked at: there are no overrides.
sk_plan *sk_attempt_draw(const sk_fleet_options *fleet, uint64_t seed, const sk_overrides *overrides, const sk_plan *plan,
                         sk_swarm *swarm);
uint64_t sk_attempt_spent_ms(void); // of processor time, by this process and its runs

#endif
