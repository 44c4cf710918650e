// What the commands that look through a whole space or a whole value have in common: SCAN, SSCAN, HSCAN and KEYS.
#ifndef SK_REDIS_SCAN_H
#define SK_REDIS_SCAN_H

#include "data/tree.h"
#include "redis/command.h"

typedef struct sk_scan {
    uint64_t cursor;
    uint64_t count;
    sk_slice pattern;
    sk_slice type;
    bool has_pattern, has_type;
} sk_scan;

// Cursor at argv[index], then COUNT, MATCH and, for SCAN, TYPE. False: the error has been replied.
bool sk_scan_parse(sk_command_call *call, size_t index, bool of_space, sk_scan *out);
enum { SK_SCAN_STEPS_MAX = 1 << 21 }; // what the patterns of one call may cost
bool sk_scan_matches(const sk_scan *scan, sk_slice name, size_t *steps); // adds what it cost

// KEYS: a job over the keys as they are now. `skip`: bytes before the key in an entry; tagged: entries with tag 0 are none; an entry
// whose meta is not after clock_ms has expired.
sk_machine_job *sk_keys_job_open(sk_tree *keys, size_t skip, bool tagged, uint64_t clock_ms, sk_slice pattern);

#endif
