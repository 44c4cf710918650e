// The machine's clocks and its randomness.
#ifndef SK_HOST_CLOCK_H
#define SK_HOST_CLOCK_H

#include <stddef.h>
#include "base/time.h"

sk_ns sk_clock_boot(void);       // since the machine's boot, suspends included; never back
uint64_t sk_clock_wall_ms(void); // UTC since 1970, whatever this machine believes
// Bytes from the kernel's generator (getrandom). Waits only while the machine has never had any entropy; ends
// the process with a line if the kernel has none to give.
void sk_random_bytes(void *out, size_t size);
uint64_t sk_random_u64(void);
size_t sk_memory_rss(void); // resident bytes of this process; 0: unknown
sk_cpu_time sk_clock_cpu(void); // of all threads of this process

#endif
