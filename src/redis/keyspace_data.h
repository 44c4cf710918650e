// Inside a key space: what the families of commands work with.
//
//     keys      key -> value                  value.meta is the deadline (0: none), value.tag the type and how a string is to be shown
//     expiries  deadline, key -> nothing      deadline in eight bytes, most significant first: the earliest is the first entry
//
// Invariants (sk_keyspace_check): expiries has exactly the keys with a deadline; content is the sum over all entries; every
// tag is known. All of it, `changes` and the clock too, is a function of the applied entries.
#ifndef SK_REDIS_KEYSPACE_DATA_H
#define SK_REDIS_KEYSPACE_DATA_H

#include "data/tree.h"
#include "redis/command.h"
#include "redis/keyspace.h"

// A tag: the type in the low four bits, the form in the others. The form only answers OBJECT ENCODING as Redis would.
enum sk_key_type { SK_TYPE_STRING = 0, SK_TYPE_MASK = 15 };
enum sk_string_form {
    SK_FORM_AUTO = 0 << 4, // int when it is one, else by size: what SET leaves
    SK_FORM_TEXT = 1 << 4, // by size, never int: what INCRBYFLOAT leaves
    SK_FORM_RAW = 2 << 4,  // raw: what APPEND and SETRANGE leave
    SK_FORM_MASK = 0xf0,
};

struct sk_keyspace {
    sk_machine machine; // first
    sk_keyspace_limits limits;
    sk_tree_garbage garbage;
    sk_tree keys;
    sk_tree expiries;
    uint64_t clock_ms;
    uint64_t changes; // keys added and keys removed since the beginning: SCAN's cursors count with it
    uint64_t content; // sum of a hash of each entry, modulo 2^64
    sk_slice *argv;   // of the command that runs
    size_t argv_capacity;
    sk_buffer scratch;     // free for the command that runs
    sk_buffer expiry_key;  // for expiries
    sk_buffer expired_key;
};

// A live key's value, borrowed until the next write. False: there is none, or its deadline is not after the clock.
bool sk_keyspace_find(const sk_keyspace *keyspace, sk_slice key, sk_value *out);
// Inserts or replaces value, tag and deadline. `key` and `value.bytes` may be borrowed from the key space. A deadline that
// is not after the clock removes the key.
void sk_keyspace_put(sk_keyspace *keyspace, sk_slice key, sk_value value);
// The deadline alone; 0: none. The key is live; a deadline that is not after the clock removes it.
void sk_keyspace_set_deadline(sk_keyspace *keyspace, sk_slice key, uint64_t deadline);
// True if it was live. An expired one goes too.
bool sk_keyspace_remove(sk_keyspace *keyspace, sk_slice key);
void sk_keyspace_remove_all(sk_keyspace *keyspace);

// Removes at most `budget` entries whose deadline is not after the clock.
void sk_keyspace_remove_expired(sk_keyspace *keyspace, size_t budget);
// The clock itself when entries wait to be removed; UINT64_MAX: no key has a deadline.
uint64_t sk_keyspace_next_deadline(const sk_keyspace *keyspace);
uint64_t sk_keyspace_expired_count(const sk_keyspace *keyspace); // there, but absent for every command
uint64_t sk_keyspace_live_count(const sk_keyspace *keyspace);
uint64_t sk_keyspace_bytes(const sk_keyspace *keyspace); // logical
// Would `more` bytes go beyond the space's bound?
bool sk_keyspace_is_full(const sk_keyspace *keyspace, uint64_t more);

// The key of a deadline's entry in `expiries`, built in `buffer`.
sk_slice sk_expiry_key(sk_buffer *buffer, uint64_t deadline, sk_slice key);
uint64_t sk_keyspace_entry_hash(sk_slice key, const sk_value *value); // what `content` sums
void sk_keyspace_check(const sk_keyspace *keyspace);                  // aborts; O(n)

extern const char *const sk_type_names[]; // by type

// Wall time of the command that runs, in milliseconds; what Redis's mstime() would say.
static inline int64_t sk_call_wall_ms(const sk_command_call *call)
{
    return (int64_t)call->keyspace->clock_ms + call->context->wall_offset_ms;
}
// Wall time to a deadline. Not after the clock: in the past. Never 0, so never "none".
uint64_t sk_call_deadline(const sk_command_call *call, int64_t wall_ms);

// The string at `key`: FOUND, or ABSENT, or WRONG when it is of another type (WRONGTYPE has been replied).
enum sk_found sk_call_string(sk_command_call *call, sk_slice key, sk_value *out);
// A whole number argument. False: the error has been replied.
bool sk_call_integer(sk_command_call *call, size_t index, int64_t *out);

#endif
