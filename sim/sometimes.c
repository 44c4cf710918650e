#include "sim/sometimes.h"

#include "base/assert.h"

const char *sk_sometimes_name(enum sk_sometimes what)
{
    static const char *const names[] = {
#define X(name, text) text,
        SK_SOMETIMES(X)
#undef X
    };
    SK_ASSERT(what < SK_SOMETIMES_END);
    return names[what];
}
