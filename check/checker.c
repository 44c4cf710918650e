#include "check/checker.h"

#include <string.h>

#include "base/error.h"
#include "check/causal.h"
#include "check/convergence.h"
#include "check/linear.h"
#include "check/sequential.h"
#include "check/transactions.h"

static const char *const names[SK_CONSISTENCY_COUNT] = {
    [SK_CONSISTENCY_LINEARIZABLE] = "linearizable",
    [SK_CONSISTENCY_SEQUENTIAL] = "sequential",
    [SK_CONSISTENCY_CAUSAL] = "causal",
    [SK_CONSISTENCY_READ_YOUR_WRITES] = "read-your-writes",
    [SK_CONSISTENCY_MONOTONIC_READS] = "monotonic-reads",
    [SK_CONSISTENCY_CONVERGENCE] = "convergence",
    [SK_CONSISTENCY_SERIALIZABLE] = "serializable",
    [SK_CONSISTENCY_STRICT_SERIALIZABLE] = "strict-serializable",
};

const char *sk_consistency_name(sk_consistency consistency)
{
    return names[consistency];
}

static int find(const char *name)
{
    for (int i = 0; i < SK_CONSISTENCY_COUNT; i++) {
        if (!strcmp(names[i], name)) return i;
    }
    return -1;
}

int sk_checker_choose(sk_checker *checker, const char *model, const char *consistency, const char **problem)
{
    int named = find(model);
    int wanted = consistency ? find(consistency) : named;
    if (consistency && wanted < 0) {
        *problem = "the consistencies are linearizable, sequential, causal, read-your-writes, monotonic-reads, convergence, "
                   "serializable and strict-serializable";
        return SK_EINVAL;
    }
    bool serial = named == SK_CONSISTENCY_SERIALIZABLE || named == SK_CONSISTENCY_STRICT_SERIALIZABLE;
    if (named >= 0) model = serial ? "list-append" : "cas-register";
    *checker = (sk_checker){.model = sk_model_find(model)};
    bool lists = !strcmp(model, "list-append");
    if (!checker->model && !lists) {
        *problem = sk_model_names();
        return SK_EINVAL;
    }
    if (wanted >= 0) checker->consistency = (sk_consistency)wanted;
    else checker->consistency = lists ? SK_CONSISTENCY_STRICT_SERIALIZABLE : SK_CONSISTENCY_LINEARIZABLE;
    return 0;
}

static void check_transactions(sk_consistency consistency, const sk_check_history *history, const sk_check_limits *limits,
                               sk_report *report)
{
    switch (consistency) {
    case SK_CONSISTENCY_SERIALIZABLE: sk_check_transactions(history, SK_ORDER_ANY, limits, report); return;
    case SK_CONSISTENCY_SEQUENTIAL: sk_check_transactions(history, SK_ORDER_PROCESS, limits, report); return;
    case SK_CONSISTENCY_LINEARIZABLE:
    case SK_CONSISTENCY_STRICT_SERIALIZABLE: sk_check_transactions(history, SK_ORDER_REALTIME, limits, report); return;
    default: sk_report_set(report, SK_VERDICT_UNKNOWN, "%s of list-append is not checked", names[consistency]); return;
    }
}

void sk_checker_run(const sk_checker *checker, const sk_check_history *history, const sk_check_limits *limits,
                    sk_report *report)
{
    if (!history->count && !history->failed_count) {
        sk_report_set(report, SK_VERDICT_UNKNOWN, "the history has no operations");
        return;
    }
    if (!checker->model) {
        check_transactions(checker->consistency, history, limits, report);
        return;
    }
    switch (checker->consistency) {
    case SK_CONSISTENCY_SEQUENTIAL: sk_check_sequential(history, checker->model, true, limits, report); return;
    case SK_CONSISTENCY_SERIALIZABLE: sk_check_sequential(history, checker->model, false, limits, report); return;
    case SK_CONSISTENCY_LINEARIZABLE:
    case SK_CONSISTENCY_STRICT_SERIALIZABLE: sk_check_linear(history, checker->model, limits, report); return;
    case SK_CONSISTENCY_CONVERGENCE: sk_check_convergence(history, checker->model, report); return;
    default: sk_check_causal(history, checker->consistency, limits, report); return;
    }
}
