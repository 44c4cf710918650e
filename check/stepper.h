// A model with a memory: states and operations are numbered, and each pair of them is tried once.
//
// Operations that the model cannot tell apart (same name, same values, both completed or both open) share a class.
#ifndef SK_CHECK_STEPPER_H
#define SK_CHECK_STEPPER_H

#include "check/intern.h"
#include "check/model.h"

enum { SK_STATE_NONE = UINT32_MAX };

typedef struct sk_stepper {
    const sk_model *model;
    sk_intern states; // id 0: the first state
    sk_intern classes;
    const sk_check_operation **samples; // by class
    bool *reads;                        // by class: changes no state, wherever it fits
    size_t sample_capacity;
    uint64_t *memo_keys; // state and class, plus one; 0: empty
    uint32_t *memo_next;
    size_t memo_count, memo_size;
    sk_buffer scratch;
    const sk_check_operation *misfit; // set when the model does not know an operation: the verdict is unknown
} sk_stepper;

void sk_stepper_init(sk_stepper *stepper, const sk_model *model);
void sk_stepper_deinit(sk_stepper *stepper);
uint32_t sk_stepper_class(sk_stepper *stepper, const sk_check_operation *operation);
// The state after, or SK_STATE_NONE: it may not happen in this state.
uint32_t sk_stepper_step(sk_stepper *stepper, uint32_t state, uint32_t class);
size_t sk_stepper_bytes(const sk_stepper *stepper);

#endif
