// Sequential consistency (Lamport 1979): one order of all operations that the model allows and that keeps every process's own
// order; real time does not count. It is no property of single keys, so all keys are searched at once.
//
// An operation of unknown outcome may take effect at any time after what its process did before it, or never.
// `sessions` false drops the processes' orders too: any order will do. That is serializability of single-operation transactions.
#ifndef SK_CHECK_SEQUENTIAL_H
#define SK_CHECK_SEQUENTIAL_H

#include "check/model.h"
#include "check/report.h"

void sk_check_sequential(const sk_check_history *history, const sk_model *model, bool sessions, const sk_check_limits *limits,
                         sk_report *report);

#endif
