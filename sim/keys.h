// The keys that the workloads use, and what the run remembers of each. Every kind of key has a letter that begins its name, a
// read that an audit uses, and a check of its history.
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include "base/bytes.h"
#include "sim/history.h"

enum sk_key_kind { SK_KEY_REGISTER, SK_KEY_COUNTER, SK_KEY_LIST, SK_KEY_SET, SK_KEY_LEASE, SK_KEY_SPACES,
    // Of a mergeable space, in the order of their workloads
    SK_KEY_MERGE_REGISTER, SK_KEY_MERGE_COUNTER, SK_KEY_MERGE_SET, SK_KEY_MERGE_MAP, SK_KEY_MERGE_LEASE, SK_KEY_MERGE_SESSION, SK_KEY_KIND_END };

enum {
    SK_KEYS_MAX = 8,         // of a kind in use at a time
    SK_KEYS_TOKENS_MAX = 100, // of a list or set: then another key takes its place
    SK_KEYS_MERGE_WRITES_MAX = 80, // to a key of a mergeable space: then another one takes its place
    SK_KEYS_LEASES_MAX = 60, // in a run; each is lent once
    SK_KEY_NAME_MAX = 16,
};

typedef struct sk_key {
    enum sk_key_kind kind;
    uint32_t writes;   // asked for
    uint64_t seen;     // register: the value last read or written by anybody; what a compare-and-set expects
    sk_buffer longest; // list, set: the longest read
} sk_key;

typedef struct sk_keys {
    sk_key *list;
    uint32_t count, capacity;
    uint32_t current[SK_KEY_KIND_END][SK_KEYS_MAX]; // by slot; leases: not used
    uint32_t leases[SK_KEYS_LEASES_MAX], lease_count;
    uint32_t spaces; // stands for all spaces: a key that is never there
} sk_keys;

// So many of each kind but leases; those of a mergeable space, or the others.
void sk_keys_init(sk_keys *keys, uint32_t slots, bool mergeable);
void sk_keys_deinit(sk_keys *keys);
uint32_t sk_keys_add(sk_keys *keys, enum sk_key_kind kind); // its number
// The list or set in this slot: a fresh one when the one before is long enough.
uint32_t sk_keys_room(sk_keys *keys, enum sk_key_kind kind, uint32_t slot);
void sk_keys_name(const sk_keys *keys, uint32_t index, char out[SK_KEY_NAME_MAX]);
enum sk_operation_kind sk_keys_read(const sk_keys *keys, uint32_t index); // what reads it

#endif
