// Judges what clients saw of one key: by the check that is made for its kind (sim/history.h, complete and fast), and, where
// check/ has a model of it and the history is small enough, once more by the search for a linearization.
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "sim/keys.h"
#include "sim/swarm.h"

typedef struct sk_judge_counts {
    uint64_t keys;       // judged
    uint64_t linearized; // of which the search found an order too
    uint64_t given_up;   // of which the search ran out of steps
} sk_judge_counts;

// False: `problem` (size bytes) says what is wrong.
bool sk_judge(const sk_history *history, const sk_keys *keys, uint32_t index, const sk_swarm *swarm, sk_judge_counts *counts,
              char *problem, size_t size);

// The search alone. True also when there is no model or the history is too large.
bool sk_judge_search(const sk_history *history, const sk_keys *keys, uint32_t index, sk_judge_counts *counts, char *problem,
                     size_t size);

#endif
