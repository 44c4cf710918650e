// A hybrid logical clock (Kulkarni and others 2014): stamps that follow wall time and never go back, even where wall time does.
//
//   stamp   wall time in milliseconds in the upper 48 bits, a logical count below
//
// Drift. Wall clocks of small machines are wrong by years. The clock follows stamps of others only as far as `drift_max` ahead of
// its own wall time; what is beyond is told to the caller. When wall time itself is set back by more than that, the clock goes
// back with it: whoever uses stamps must not rely on them for what has been seen (that is what dots are for), so a corrected clock
// locks nobody out.
#ifndef SK_CLOCK_HLC_H
#define SK_CLOCK_HLC_H

#include <stdbool.h>
#include <stdint.h>

enum { SK_HLC_LOGICAL_BITS = 16 };

typedef struct sk_hlc {
    uint64_t last; // greatest stamp given or followed
    uint64_t drift_max_ms;
    uint64_t steps_back; // how often wall time took it back
    uint64_t refused;    // stamps of others that were too far ahead
} sk_hlc;

void sk_hlc_init(sk_hlc *clock, uint64_t drift_max_ms);
// A new stamp: greater than any this clock gave or followed, unless wall time was set back beyond the drift bound.
uint64_t sk_hlc_tick(sk_hlc *clock, uint64_t wall_ms);
// A stamp of somebody else. False: too far ahead of wall time, not followed.
bool sk_hlc_follow(sk_hlc *clock, uint64_t wall_ms, uint64_t stamp);

static inline uint64_t sk_hlc_ms(uint64_t stamp)
{
    return stamp >> SK_HLC_LOGICAL_BITS;
}

#endif
