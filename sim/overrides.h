// What is left out of a run that a seed draws, on the command line: how a failing run is made smaller, and how the
// smaller one is repeated. Nothing here adds: a run has at most what its seed drew.
#ifndef SIM_OVERRIDES_H
#define SIM_OVERRIDES_H

#include "base/bytes.h"
#include "sim/plan.h"
#include "sim/swarm.h"

#define SK_OVERRIDES_OPTIONS(X)                                                                              \
    X(WITHOUT, "without")                                                                                    \
    X(ONLY_FAULTS, "only-faults")                                                                            \
    X(PHASES, "phases")                                                                                      \
    X(FEWER_NODES, "fewer-nodes")                                                                            \
    X(CLIENTS, "clients")                                                                                    \
    X(OPERATIONS, "operations")                                                                              \
    X(KEYS, "keys")                                                                                          \
    X(UNTIL, "until")                                                                                        \
    X(VARY, "vary")

enum sk_overrides_option {
    SK_OVERRIDES_FIRST = 1000, // getopt's values, beyond any letter
#define X(name, text) SK_OVERRIDES_##name,
    SK_OVERRIDES_OPTIONS(X)
#undef X
        SK_OVERRIDES_END
};

#define SK_OVERRIDES_USAGE                                                                                   \
    "What to leave out of what the seed draws (one seed; `shrink` finds these):\n"                           \
    "  --without F,...   without these kinds of fault (the names of the summary)\n"                          \
    "  --only-faults L   of the faults that struck only these: 3,17..19 or none; a trace shows their numbers\n" \
    "  --phases L        of the drawn phases only these: 1,3..4\n"                                           \
    "  --fewer-nodes N   only N of the drawn nodes\n"                                                        \
    "  --clients N       only N of the drawn clients\n"                                                      \
    "  --operations N    clients stop after N operations in all, until healing\n"                            \
    "  --keys N          only N of the drawn keys of each kind\n"                                            \
    "  --until T         healing begins after T virtual seconds (1.5) of what phases are left\n"             \
    "  --vary N          other delays and choices of clients, everything else alike\n"

typedef struct sk_overrides {
    bool without[SK_FAULT_END];
    bool chosen;                                // only the faults of `kept` strike
    uint64_t kept[SK_PLAN_FAULTS_MAX / 64 + 1]; // bit: the fault of that number
    uint32_t phases;                            // bit i: drawn phase i stays; 0: all do
    uint32_t nodes, clients, operations, keys;  // 0: as drawn
    sk_ns until;                                // 0: to the end of the phases
    uint64_t vary;
} sk_overrides;

// False: `value` makes no sense.
bool sk_overrides_set(sk_overrides *overrides, enum sk_overrides_option option, const char *value);
bool sk_overrides_any(const sk_overrides *overrides);
// As options that sk_overrides_set understands, each with a space before it.
void sk_overrides_print(const sk_overrides *overrides, sk_buffer *out);
// Leaves out of what was drawn, and of the plan what can not strike any more.
void sk_overrides_apply(const sk_overrides *overrides, sk_swarm *swarm, sk_plan *plan);

// "12.5": seconds with at most six digits behind the point.
bool sk_overrides_seconds(const char *text, sk_ns *out);

bool sk_overrides_keeps(const sk_overrides *overrides, uint32_t fault_number);
void sk_overrides_keep(sk_overrides *overrides, uint32_t fault_number, bool keep); // and `chosen`

#endif
