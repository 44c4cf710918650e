// Sequential specifications: what each operation may do to a state and see of it.
//
// A state is canonical text: equal states have equal bytes. Operations that a model does not know end the check as unreadable.
//
//   register       read v, write v
//   cas-register   read v, write v, cas [old new]
//   multi-register txn [[:read k v] [:write k v] ...]; what a key holds at first is unknown until somebody reads or writes it
//   counter        add n, increment, decrement, read n (also inc, dec)
//   set            add v, remove v, read [v ...]
//   queue          enqueue v, dequeue v (nil: empty), first in first out
//   mutex          acquire, release
//   kv             get v, put v, append v (text); a key that nobody has put may read as nil or as "", as stores differ
#ifndef SK_CHECK_MODEL_H
#define SK_CHECK_MODEL_H

#include "check/history.h"

typedef enum sk_step_result { SK_STEP_NO, SK_STEP_YES, SK_STEP_UNKNOWN_OPERATION } sk_step_result;

typedef struct sk_model {
    const char *name;
    const char *initial; // text of the first state
    bool single_key;     // each key is a register of its own: decompose by key
    // May `operation` happen in `state`? Then `next` (empty before) gets the state after it. Of an open operation the output is
    // unknown: anything fits.
    sk_step_result (*step)(sk_slice state, const sk_check_operation *operation, sk_buffer *next);
    // Wherever this completed operation fits in a state that it leaves as it is, it may be taken at once: it only looks.
    bool (*reads_only)(const sk_check_operation *operation);
} sk_model;

const sk_model *sk_model_find(const char *name); // NULL: none
const char *sk_model_names(void);                // for messages

#endif
