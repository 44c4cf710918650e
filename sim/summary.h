// What many runs came to: for people, and as one line of JSON that others add up.
#ifndef SIM_SUMMARY_H
#define SIM_SUMMARY_H

#include "sim/options.h"

const char *sk_verdict_text(enum sk_verdict verdict);
// The command that shows a failure again.
void sk_summary_replay(FILE *out, const sk_options *options, uint64_t seed);
void sk_summary_print(FILE *out, const sk_options *options, const sk_fleet_report *report);
// Appends one line. 0 or SK_EIO.
int sk_summary_append_json(const char *path, const sk_options *options, const sk_fleet_report *report);

#endif
