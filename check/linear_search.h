// Is there an order of these operations, each between its call and its return, that the model allows?
//
// The search is Wing and Gong's (1993) with Lowe's cache (2017): take any operation that may come first, remember every
// configuration (what was taken, and the state), never visit one twice. What makes it fast:
//   - a completed operation that only reads is taken as soon as it fits, without a choice: nothing can be lost by it
//   - of completed operations that the model cannot tell apart, the one that returns first is taken first
//   - open operations are optional: they are counted by class, and a configuration is dropped when one with the same completed
//     operations and state was seen that had used no more of any class; after an open one only what needs it is tried
#ifndef SK_CHECK_LINEAR_SEARCH_H
#define SK_CHECK_LINEAR_SEARCH_H

#include "check/budget.h"
#include "check/stepper.h"

enum { SK_LINEAR_STATES_MAX = 32 };

typedef struct sk_linear_result {
    sk_verdict verdict; // unknown: the budget is out, or stepper->misfit is set
    // The longest order found: all of the completed ones when the verdict is "holds"; before the culprit's return otherwise.
    uint32_t *order; // indexes in the list
    uint32_t order_count;
    // When violated: the completed operation with the earliest return that no order reaches, and the states just before.
    uint32_t culprit; // index in the list
    uint32_t states[SK_LINEAR_STATES_MAX];
    uint32_t state_count;
    bool more_states;
} sk_linear_result;

// `list` is ordered by call. The result is released by sk_linear_result_deinit.
void sk_linear_search(sk_stepper *stepper, const sk_check_operation *const *list, uint32_t count, sk_check_budget *budget,
                      sk_linear_result *result);
void sk_linear_result_deinit(sk_linear_result *result);

#endif
