// Linearizability (Herlihy and Wing 1990): every operation took effect at one moment between its call and its return.
//
// Models of one object (model->single_key) are checked key by key, which is as good as checking all at once (locality), and far
// cheaper. The report of a violation names the operation that nothing explains, with the states that were possible just before
// its return and the operations at the same time: all that one must look at.
#ifndef SK_CHECK_LINEAR_H
#define SK_CHECK_LINEAR_H

#include "check/model.h"
#include "check/report.h"

void sk_check_linear(const sk_check_history *history, const sk_model *model, const sk_check_limits *limits,
                     sk_report *report);

// "1" from a model's state, for people: one line.
void sk_check_write_state(sk_slice state, sk_buffer *out);
// The first of `count` states as "1, 2 or 3", at most `shown` of them.
void sk_check_write_states(const sk_slice *states, uint32_t count, uint32_t shown, bool more, sk_buffer *out);

#endif
