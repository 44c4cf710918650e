// What a search may still spend. One budget covers all parts (keys) of a check.
#ifndef SK_CHECK_BUDGET_H
#define SK_CHECK_BUDGET_H

#include "check/report.h"

typedef struct sk_check_budget {
    sk_check_limits limits;
    uint64_t steps;     // taken so far
    const char *out_of; // "time", "steps" or "memory", once something has run out
} sk_check_budget;

// Counts one step. False: stop, the verdict is unknown (and stays so for the whole budget).
static inline bool sk_check_budget_step(sk_check_budget *budget, size_t bytes_held)
{
    const sk_check_limits *limits = &budget->limits;
    budget->steps++;
    if (budget->out_of) return false;
    if (limits->steps && budget->steps > limits->steps) budget->out_of = "steps";
    else if (limits->memory && bytes_held > limits->memory) budget->out_of = "memory";
    else if (budget->steps % 1024 == 0 && limits->late && limits->late(limits->context)) budget->out_of = "time";
    return !budget->out_of;
}

#endif
