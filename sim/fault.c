#include "sim/fault.h"

#include "base/assert.h"

enum when { WHEN_RATE, WHEN_STRIKE };

typedef struct row {
    const char *name;
    enum sk_fault_domain domain;
    enum sk_fault_class class;
    enum when when;
} row;

static const row rows[] = {
#define X(name, text, domain, class, when) {text, SK_DOMAIN_##domain, SK_CLASS_##class, WHEN_##when},
    SK_FAULTS(X)
#undef X
};

const char *sk_fault_name(enum sk_fault fault)
{
    SK_ASSERT(fault < SK_FAULT_END);
    return rows[fault].name;
}

enum sk_fault_class sk_fault_class_of(enum sk_fault fault)
{
    SK_ASSERT(fault < SK_FAULT_END);
    return rows[fault].class;
}

enum sk_fault_domain sk_fault_domain_of(enum sk_fault fault)
{
    SK_ASSERT(fault < SK_FAULT_END);
    return rows[fault].domain;
}

bool sk_fault_strikes(enum sk_fault fault)
{
    SK_ASSERT(fault < SK_FAULT_END);
    return rows[fault].when == WHEN_STRIKE;
}
