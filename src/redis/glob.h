// Redis's patterns: * ? [abc] [^a-z] and \ before a character meant as itself.
#ifndef SK_REDIS_GLOB_H
#define SK_REDIS_GLOB_H

#include <stdbool.h>
#include "base/bytes.h"

// Steps that one match may take: enough for any pattern with one star or a short one with many; what needs more does not match.
enum { SK_GLOB_STEPS_MAX = 1 << 20 };

// Iterative, no memory, at most SK_GLOB_STEPS_MAX steps. `steps` (may be NULL) is increased by what was taken.
bool sk_glob_match(sk_slice pattern, sk_slice text, size_t *steps);

#endif
