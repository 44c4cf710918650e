// Glob patterns as Redis writes them: * ? [abc] [a-z] [^abc] and \ before a character that stands for itself.
//
// Iterative: only the last star is ever tried again, so the cost is at most pattern size times text size steps, and never
// more than SK_GLOB_STEPS_MAX (CVE-2022-36021 was exponential, CVE-2024-31228 a deep stack); a pattern that needs more
// does not match.
#ifndef SK_BASE_GLOB_H
#define SK_BASE_GLOB_H

#include <stdbool.h>
#include "base/bytes.h"

enum { SK_GLOB_STEPS_MAX = 1 << 20 };

// Does the whole text match? `fold`: ASCII letters match whatever their case. An unclosed [ ends with the pattern.
bool sk_glob_match(sk_slice pattern, sk_slice text, bool fold);

#endif
