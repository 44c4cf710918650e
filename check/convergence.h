// Convergence: when all changes are over, everybody sees the same, and it is what the changes allow.
//
// Of every key: the last read of each process that began after the last change had returned. They must agree; then
//   register, cas-register, kv   the value was written by somebody, and is not nil when a write succeeded
//   counter                      the sum of what succeeded, and of any part of what is open
//   set                          all that was added and that nobody tried to remove, nothing that nobody added
// A key with such reads of fewer than two processes cannot be judged; neither can a difference that an open change may explain.
#ifndef SK_CHECK_CONVERGENCE_H
#define SK_CHECK_CONVERGENCE_H

#include "check/model.h"
#include "check/report.h"

void sk_check_convergence(const sk_check_history *history, const sk_model *model, sk_report *report);

#endif
