// Values as people write them: 64kb, 200ms, yes. Sizes count in powers of 1024; a time always names its unit.
#ifndef SK_DAEMON_UNITS_H
#define SK_DAEMON_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/time.h"

enum { SK_UNITS_TEXT_MAX = 40 };

// Each returns NULL, or a static text that says what is expected; then `out` is unchanged.
const char *sk_units_number(const char *text, uint64_t *out);
const char *sk_units_size(const char *text, uint64_t *out); // bytes: a bare number, or with b, kb, mb, gb
const char *sk_units_time(const char *text, sk_ns *out);    // us, ms, s, min, h; a bare 0 is allowed
const char *sk_units_flag(const char *text, bool *out);     // yes or no

// The shortest text that reads back as the same value.
void sk_units_format_size(uint64_t bytes, char out[SK_UNITS_TEXT_MAX]);
void sk_units_format_time(sk_ns time, char out[SK_UNITS_TEXT_MAX]);

#endif
