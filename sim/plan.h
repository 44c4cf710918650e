// The faults that a run's nemesis drew, numbered 1, 2, 3, ..., so that another run can have some of them and not the
// others: each keeps its moment, its kind and all that it draws, whatever else changes.
//
// A first run of the seed as it is notes them; a run with a plan has its nemesis draw none of its own. A plan with
// nothing left out gives the same run, to the trace hash.
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdio.h>
#include "base/prng.h"
#include "base/time.h"
#include "sim/fault.h"

enum {
    SK_PLAN_FAULTS_MAX = 1024, // later ones are left out
    SK_PLAN_TRIES_MAX = 4,
};

typedef struct sk_plan_try { // a kind, and what it draws from
    enum sk_fault fault;
    sk_prng prng;
} sk_plan_try;

typedef struct sk_plan_fault {
    uint32_t number; // from 1
    uint32_t phase;  // from 1; 0: it has none any more, and does not strike
    sk_ns offset;    // into the phase
    enum sk_fault fault; // what struck: the last try; SK_FAULT_END: nothing could be broken
    sk_plan_try tries[SK_PLAN_TRIES_MAX]; // those that broke nothing may have left traces all the same
    uint32_t try_count;
    sk_prng looked, done; // what the nemesis draws from before and after
} sk_plan_fault;

typedef struct sk_plan {
    sk_plan_fault list[SK_PLAN_FAULTS_MAX];
    uint32_t count;
} sk_plan;

void sk_plan_note(FILE *notes, const sk_plan_fault *fault);
void sk_plan_read(sk_plan *plan, FILE *notes); // all, from the start

#endif
