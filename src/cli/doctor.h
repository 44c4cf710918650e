// What a node will have written to its disk, forecast from two looks at its counters. Bytes are those of whole pages of 4 KiB.
#ifndef SK_CLI_DOCTOR_H
#define SK_CLI_DOCTOR_H

#include <stdbool.h>
#include "cli/view.h"

typedef struct sk_forecast {
    double bytes_a_day;      // at the rate between the looks
    double mean_bytes_a_day; // at the mean rate since the node started
    double syncs_a_second;
    bool restarted; // between the looks: the first two say nothing
} sk_forecast;

void sk_forecast_make(const sk_node_view *before, const sk_node_view *after, double seconds, sk_forecast *out);
// Until so many terabytes are written; 0: never, at this rate.
double sk_forecast_years(double bytes_a_day, double rated_terabytes);

#endif
