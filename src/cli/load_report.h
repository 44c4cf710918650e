// What a run of the load generator showed, for people or as one JSON object.
#ifndef SK_CLI_LOAD_REPORT_H
#define SK_CLI_LOAD_REPORT_H

#include "cli/consumption.h"
#include "cli/load.h"

// Prints it on standard output.
void sk_load_report(const sk_load_plan *plan, const sk_load_result *result, const sk_consumption *consumption, bool json);

// For sk_load_run, over and over one line on standard error: how far it is, how fast, how many errors.
typedef struct sk_load_live {
    bool on;
    double before_s;
    uint64_t before_done;
} sk_load_live;

void sk_load_live_show(sk_load_live *live, double elapsed, double total, uint64_t done, uint64_t errors);
void sk_load_live_end(const sk_load_live *live);

#endif
