// What the catalogue has ordered in a space's own log: part of the space's state, in its snapshots and digest.
//
//   fences      (default space) prefixes that belong to other spaces. An entry or a read that was routed by a version before a fence's, and
//               touches its prefix, is not executed: its origin routes it again (verdict.h)
//   closed      (a created space) it is being dropped: nothing is executed any more
//   memory_max  the bound on its logical size: decides outcomes, so it is no node's own setting
//
// Why a version and not only the prefix: it says in one comparison that an entry needs no look at its keys. Every entry of a router that
// knows of the newest fence is past it.
//
// Each order is judged once: what comes again, or late, is not obeyed (FENCE by its space's id, the others by version, which rise).
#ifndef SK_NODE_RULES_H
#define SK_NODE_RULES_H

#include "protocol/machine.h"
#include "wire/codec.h"

typedef struct sk_space sk_space;

typedef struct sk_fence {
    uint32_t id; // of the space that owns the prefix
    uint64_t version;
    sk_slice prefix; // owned
} sk_fence;

typedef struct sk_rules {
    sk_fence *fences; // by prefix; none begins another
    size_t fence_count;
    uint64_t fence_newest;
    uint32_t fence_judged; // greatest id for which a fence was asked for
    bool fence_refused;    // that one was
    bool closed, close_refused; // the last one asked for
    uint64_t close_judged;      // its version
    uint64_t memory_max, limit_version;
} sk_rules;

void sk_rules_deinit(sk_rules *rules);
void sk_rules_write(const sk_rules *rules, sk_buffer *out);
int sk_rules_read(sk_rules *rules, sk_reader *reader); // replaces; 0 or SK_ECORRUPT (then unchanged)
uint64_t sk_rules_digest(const sk_rules *rules);

// Could it turn an entry or a read that was routed by this version away?
static inline bool sk_rules_guard(const sk_rules *rules, uint64_t routing)
{
    return rules->closed || routing < rules->fence_newest;
}
// Does it? The version from which on it is routed elsewhere (or refused), 0: no. `command` as it travels.
uint64_t sk_rules_turn_away(const sk_rules *rules, uint64_t routing, sk_slice command);
const sk_fence *sk_rules_fence(const sk_rules *rules, uint32_t id);

// ---- Orders: commands of entries flagged SK_ENVELOPE_CONTROL ----

void sk_rules_write_fence(sk_buffer *out, uint32_t id, uint64_t version, sk_slice prefix);
void sk_rules_write_unfence(sk_buffer *out, uint32_t id);
void sk_rules_write_close(sk_buffer *out, uint64_t version, bool force);
void sk_rules_write_limit(sk_buffer *out, uint64_t version, uint64_t memory_max);
// Obeys one in the space's log. Unreadable: nothing.
void sk_rules_apply(sk_space *space, sk_slice order);

#endif
