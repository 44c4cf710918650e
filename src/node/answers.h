// Answers of a mergeable space (crdt, causal): its replica runs a request at once, and says which record must be durable before the
// client may hear of it. They leave in the order in which they came.
#ifndef SK_NODE_ANSWERS_H
#define SK_NODE_ANSWERS_H

#include "base/bytes.h"

typedef struct sk_space sk_space;

// `number` of this node's origin has this reply (copied) once all records up to `after` are durable (or at once, if the
// space answers early).
void sk_answers_hold(sk_space *space, uint64_t after, uint64_t number, sk_slice reply);
// Gives out what may leave. Once a turn, and when records became durable; never while requests are being delivered.
void sk_answers_release(sk_space *space);
bool sk_answers_ready(const sk_space *space); // some may leave
void sk_answers_deinit(sk_space *space);

#endif
