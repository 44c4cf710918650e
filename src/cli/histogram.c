#include "cli/histogram.h"

static size_t bucket(uint64_t value)
{
    if (value < 2u << SK_HISTOGRAM_SUB_BITS) return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - SK_HISTOGRAM_SUB_BITS;
    return ((size_t)shift << SK_HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

static uint64_t upper_edge(size_t index)
{
    if (index < 2u << SK_HISTOGRAM_SUB_BITS) return index;
    size_t shift = (index >> SK_HISTOGRAM_SUB_BITS) - 1;
    uint64_t mantissa = (index & ((1u << SK_HISTOGRAM_SUB_BITS) - 1)) + (1u << SK_HISTOGRAM_SUB_BITS);
    return ((mantissa + 1) << shift) - 1;
}

void sk_histogram_add(sk_histogram *histogram, uint64_t value)
{
    histogram->counts[bucket(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) histogram->max = value;
}

void sk_histogram_merge(sk_histogram *into, const sk_histogram *from)
{
    for (size_t i = 0; i < SK_HISTOGRAM_BUCKETS; i++) into->counts[i] += from->counts[i];
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max) into->max = from->max;
}

uint64_t sk_histogram_percentile(const sk_histogram *histogram, uint64_t parts)
{
    if (!histogram->count) return 0;
    uint64_t rank = (histogram->count * parts + 999999) / 1000000, seen = 0;
    for (size_t i = 0; i < SK_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank && seen) return upper_edge(i) < histogram->max ? upper_edge(i) : histogram->max;
    }
    return histogram->max;
}
