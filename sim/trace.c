#include "sim/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include "base/hash.h"

void sk_trace_mix(sk_trace *trace, uint64_t kind, uint64_t a, uint64_t b)
{
    uint64_t hash = sk_hash_mix(trace->hash, *trace->now);
    hash = sk_hash_mix(hash, kind);
    hash = sk_hash_mix(hash, a);
    trace->hash = sk_hash_mix(hash, b);
}

void sk_trace_line(const sk_trace *trace, const char *format, ...)
{
    if (!trace->lines) return;
    fprintf(trace->lines, "%5" PRIu64 ".%06" PRIu64 " ", *trace->now / SK_S, *trace->now % SK_S / SK_US);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(trace->lines, format, arguments);
    va_end(arguments);
    fputc('\n', trace->lines);
}
