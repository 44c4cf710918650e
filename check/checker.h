// Names to checks: what `skein check --model M --consistency C` and others who have names ask for.
#ifndef SK_CHECK_CHECKER_H
#define SK_CHECK_CHECKER_H

#include "check/model.h"
#include "check/report.h"

typedef enum sk_consistency {
    SK_CONSISTENCY_LINEARIZABLE,
    SK_CONSISTENCY_SEQUENTIAL,
    SK_CONSISTENCY_CAUSAL,
    SK_CONSISTENCY_READ_YOUR_WRITES,
    SK_CONSISTENCY_MONOTONIC_READS,
    SK_CONSISTENCY_CONVERGENCE,
    SK_CONSISTENCY_SERIALIZABLE,
    SK_CONSISTENCY_STRICT_SERIALIZABLE,
    SK_CONSISTENCY_COUNT,
} sk_consistency;

typedef struct sk_checker {
    const sk_model *model; // NULL: list-append, whose transactions have checks of their own
    sk_consistency consistency;
} sk_checker;

// `consistency` NULL: strict-serializable for list-append, linearizable for all others. A consistency's name is accepted as a
// model too: then the model is list-append (serializable, strict-serializable) or cas-register (the others).
// 0, or SK_EINVAL with a text for people in *problem.
int sk_checker_choose(sk_checker *checker, const char *model, const char *consistency, const char **problem);
// The report was initialised; what it names belongs to the history.
void sk_checker_run(const sk_checker *checker, const sk_check_history *history, const sk_check_limits *limits,
                    sk_report *report);
const char *sk_consistency_name(sk_consistency consistency);

#endif
