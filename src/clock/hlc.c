#include "clock/hlc.h"

#include "base/assert.h"

static uint64_t stamp_of(uint64_t wall_ms)
{
    uint64_t max = UINT64_MAX >> SK_HLC_LOGICAL_BITS;
    return (wall_ms > max ? max : wall_ms) << SK_HLC_LOGICAL_BITS;
}

void sk_hlc_init(sk_hlc *clock, uint64_t drift_max_ms)
{
    *clock = (sk_hlc){.drift_max_ms = drift_max_ms};
}

static bool too_far(const sk_hlc *clock, uint64_t wall_ms, uint64_t stamp)
{
    uint64_t ms = sk_hlc_ms(stamp);
    return ms > wall_ms && ms - wall_ms > clock->drift_max_ms;
}

uint64_t sk_hlc_tick(sk_hlc *clock, uint64_t wall_ms)
{
    uint64_t wall = stamp_of(wall_ms);
    if (too_far(clock, wall_ms, clock->last)) {
        clock->steps_back++;
        clock->last = wall;
    } else {
        clock->last = wall > clock->last ? wall : clock->last + 1;
    }
    SK_ASSERT(clock->last >= wall);
    return clock->last;
}

bool sk_hlc_follow(sk_hlc *clock, uint64_t wall_ms, uint64_t stamp)
{
    if (too_far(clock, wall_ms, stamp)) {
        clock->refused++;
        return false;
    }
    if (stamp > clock->last) clock->last = stamp;
    return true;
}
