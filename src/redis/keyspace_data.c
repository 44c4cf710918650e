#include "redis/keyspace_data.h"

#include "base/assert.h"
#include "base/hash.h"

// What an entry costs beyond its own bytes, in the logical size: about what the tree really needs.
enum { KEY_OVERHEAD = 48, EXPIRY_OVERHEAD = 32, DEADLINE_SIZE = 8 };

const char *const sk_type_names[] = {[SK_TYPE_STRING] = "string"};

// Two hashes, summed apart, so that a deadline changes without a look at the value.
static uint64_t hash_value(sk_slice key, const sk_value *value)
{
    uint64_t hash = sk_hash64(value->tag, key.data, key.size);
    return sk_hash64(hash, value->bytes.data, value->bytes.size);
}

static uint64_t hash_deadline(sk_slice key, uint64_t deadline)
{
    return deadline ? sk_hash64(sk_hash_mix(0x7dd1, deadline), key.data, key.size) : 0;
}

uint64_t sk_keyspace_entry_hash(sk_slice key, const sk_value *value)
{
    return hash_value(key, value) + hash_deadline(key, value->meta);
}

static bool is_live(const sk_keyspace *keyspace, const sk_value *value)
{
    return value->meta == 0 || value->meta > keyspace->clock_ms;
}

bool sk_keyspace_find(const sk_keyspace *keyspace, sk_slice key, sk_value *out)
{
    return sk_tree_get(&keyspace->keys, key, out) && is_live(keyspace, out);
}

sk_slice sk_expiry_key(sk_buffer *buffer, uint64_t deadline, sk_slice key)
{
    sk_buffer_clear(buffer);
    uint8_t *at = sk_buffer_reserve(buffer, DEADLINE_SIZE + key.size);
    for (int i = 0; i < DEADLINE_SIZE; i++) at[i] = (uint8_t)(deadline >> (56 - 8 * i));
    if (key.size) memcpy(at + DEADLINE_SIZE, key.data, key.size);
    return sk_slice_make(at, DEADLINE_SIZE + key.size);
}

static void move_deadline(sk_keyspace *keyspace, sk_slice key, uint64_t from, uint64_t to)
{
    if (from == to) return;
    if (from) {
        bool was = sk_tree_remove(&keyspace->expiries, sk_expiry_key(&keyspace->expiry_key, from, key));
        SK_ASSERT(was);
    }
    if (to) {
        bool new =
            sk_tree_put(&keyspace->expiries, sk_expiry_key(&keyspace->expiry_key, to, key), (sk_value){0});
        SK_ASSERT(new);
    }
    keyspace->content += hash_deadline(key, to) - hash_deadline(key, from);
}

static bool remove_entry(sk_keyspace *keyspace, sk_slice key, const sk_value *value)
{
    bool live = is_live(keyspace, value);
    keyspace->content -= hash_value(key, value);
    move_deadline(keyspace, key, value->meta, 0);
    bool was = sk_tree_remove(&keyspace->keys, key);
    SK_ASSERT(was);
    keyspace->changes++;
    return live;
}

void sk_keyspace_put(sk_keyspace *keyspace, sk_slice key, sk_value value)
{
    if (!is_live(keyspace, &value)) {
        sk_keyspace_remove(keyspace, key);
        return;
    }
    sk_value old;
    sk_tree_place place;
    bool had = sk_tree_look(&keyspace->keys, key, &place, &old);
    uint64_t deadline = had ? old.meta : 0;
    keyspace->content += hash_value(key, &value) - (had ? hash_value(key, &old) : 0);
    move_deadline(keyspace, key, deadline, value.meta);
    bool new = sk_tree_put_at(&keyspace->keys, &place, key, value);
    SK_ASSERT(new == !had);
    keyspace->changes += new;
}

void sk_keyspace_set_deadline(sk_keyspace *keyspace, sk_slice key, uint64_t deadline)
{
    sk_value old;
    bool had = sk_tree_get(&keyspace->keys, key, &old);
    SK_ASSERT(had);
    if (deadline && deadline <= keyspace->clock_ms) {
        remove_entry(keyspace, key, &old);
        return;
    }
    move_deadline(keyspace, key, old.meta, deadline);
    sk_tree_set_meta(&keyspace->keys, key, deadline);
}

bool sk_keyspace_remove(sk_keyspace *keyspace, sk_slice key)
{
    sk_value old;
    return sk_tree_get(&keyspace->keys, key, &old) && remove_entry(keyspace, key, &old);
}

void sk_keyspace_remove_all(sk_keyspace *keyspace)
{
    keyspace->changes += keyspace->keys.count;
    keyspace->content = 0;
    sk_tree_drop(&keyspace->keys);
    sk_tree_drop(&keyspace->expiries);
}

static uint64_t deadline_of(sk_slice expiry)
{
    SK_ASSERT(expiry.size >= DEADLINE_SIZE);
    uint64_t deadline = 0;
    for (int i = 0; i < DEADLINE_SIZE; i++) deadline = deadline << 8 | expiry.data[i];
    return deadline;
}

uint64_t sk_keyspace_next_deadline(const sk_keyspace *keyspace)
{
    sk_slice first;
    sk_value nothing;
    if (!sk_tree_at(&keyspace->expiries, 0, &first, &nothing)) return UINT64_MAX;
    uint64_t deadline = deadline_of(first);
    return deadline > keyspace->clock_ms ? deadline : keyspace->clock_ms;
}

void sk_keyspace_remove_expired(sk_keyspace *keyspace, size_t budget)
{
    for (; budget; budget--) {
        sk_slice first;
        sk_value value;
        if (!sk_tree_at(&keyspace->expiries, 0, &first, &value)) return;
        if (deadline_of(first) > keyspace->clock_ms) return;
        sk_buffer_clear(&keyspace->expired_key);
        sk_buffer_append(&keyspace->expired_key, first.data + DEADLINE_SIZE, first.size - DEADLINE_SIZE);
        bool live = sk_keyspace_remove(keyspace, sk_buffer_slice(&keyspace->expired_key));
        SK_ASSERT(!live);
    }
}

uint64_t sk_keyspace_expired_count(const sk_keyspace *keyspace)
{
    if (keyspace->expiries.count == 0) return 0;
    uint8_t bound[DEADLINE_SIZE];
    uint64_t later = keyspace->clock_ms + 1;
    for (int i = 0; i < DEADLINE_SIZE; i++) bound[i] = (uint8_t)(later >> (56 - 8 * i));
    return sk_tree_rank(&keyspace->expiries, sk_slice_make(bound, sizeof bound));
}

uint64_t sk_keyspace_live_count(const sk_keyspace *keyspace)
{
    return keyspace->keys.count - sk_keyspace_expired_count(keyspace);
}

uint64_t sk_keyspace_bytes(const sk_keyspace *keyspace)
{
    return keyspace->keys.bytes + keyspace->keys.count * KEY_OVERHEAD + keyspace->expiries.bytes +
           keyspace->expiries.count * EXPIRY_OVERHEAD;
}

bool sk_keyspace_is_full(const sk_keyspace *keyspace, uint64_t more)
{
    uint64_t max = keyspace->limits.memory_max;
    uint64_t used = sk_keyspace_bytes(keyspace);
    return max && (used > max || more > max - used);
}

void sk_keyspace_check(const sk_keyspace *keyspace)
{
    sk_tree_check(&keyspace->keys);
    sk_tree_check(&keyspace->expiries);
    uint64_t content = 0;
    uint64_t expiries = 0;
    sk_tree_cursor cursor;
    sk_tree_seek(&cursor, &keyspace->keys, sk_slice_make(NULL, 0));
    sk_slice key;
    sk_value value;
    sk_buffer buffer = {0};
    while (sk_tree_next(&cursor, &key, &value)) {
        content += sk_keyspace_entry_hash(key, &value);
        SK_ASSERT((value.tag & SK_TYPE_MASK) == SK_TYPE_STRING);
        if (!value.meta) continue;
        expiries++;
        sk_value nothing;
        SK_ASSERT(sk_tree_get(&keyspace->expiries, sk_expiry_key(&buffer, value.meta, key), &nothing));
    }
    sk_buffer_deinit(&buffer);
    SK_ASSERT(content == keyspace->content);
    SK_ASSERT(expiries == keyspace->expiries.count);
}
