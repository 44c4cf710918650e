#include "sim/fault.h"

#include "base/assert.h"

const char *sk_fault_name(enum sk_fault fault)
{
    static const char *const names[] = {
#define X(name, text) text,
        SK_FAULTS(X)
#undef X
    };
    SK_ASSERT(fault < SK_FAULT_END);
    return names[fault];
}
