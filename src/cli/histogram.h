// Latencies, counted in buckets whose width is below 1/64 of their value (as HdrHistogram's two significant digits): any
// percentile afterwards, no sample kept, recording is two shifts and an addition.
#ifndef SK_CLI_HISTOGRAM_H
#define SK_CLI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { SK_HISTOGRAM_SUB_BITS = 6, SK_HISTOGRAM_BUCKETS = (64 - SK_HISTOGRAM_SUB_BITS) << SK_HISTOGRAM_SUB_BITS };

typedef struct sk_histogram {
    uint64_t counts[SK_HISTOGRAM_BUCKETS];
    uint64_t count, max, sum;
} sk_histogram;

void sk_histogram_add(sk_histogram *histogram, uint64_t value);
void sk_histogram_merge(sk_histogram *into, const sk_histogram *from);
// The value below which `parts` of a million samples lie (the upper edge of its bucket, at most the maximum); 0 when empty.
uint64_t sk_histogram_percentile(const sk_histogram *histogram, uint64_t parts);

#endif
