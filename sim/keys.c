#include "sim/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"

uint32_t sk_keys_add(sk_keys *keys, enum sk_key_kind kind)
{
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity ? keys->capacity * 2 : 32;
        keys->list = sk_realloc(keys->list, keys->capacity * sizeof *keys->list);
    }
    keys->list[keys->count] = (sk_key){.kind = kind};
    return keys->count++;
}

void sk_keys_init(sk_keys *keys, uint32_t slots, bool mergeable)
{
    SK_ASSERT(slots > 0 && slots <= SK_KEYS_MAX);
    *keys = (sk_keys){0};
    keys->spaces = sk_keys_add(keys, SK_KEY_SPACES);
    for (uint32_t slot = 0; slot < slots; slot++) {
        for (int kind = mergeable ? SK_KEY_MERGE_REGISTER : 0; kind < (mergeable ? SK_KEY_KIND_END : SK_KEY_LEASE); kind++)
            keys->current[kind][slot] = sk_keys_add(keys, (enum sk_key_kind)kind);
    }
}

void sk_keys_deinit(sk_keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++) sk_buffer_deinit(&keys->list[i].longest);
    sk_free(keys->list);
    *keys = (sk_keys){0};
}

uint32_t sk_keys_room(sk_keys *keys, enum sk_key_kind kind, uint32_t slot)
{
    SK_ASSERT(kind == SK_KEY_LIST || kind == SK_KEY_SET || kind >= SK_KEY_MERGE_REGISTER);
    uint32_t *current = &keys->current[kind][slot];
    uint32_t most = kind >= SK_KEY_MERGE_REGISTER ? SK_KEYS_MERGE_WRITES_MAX : SK_KEYS_TOKENS_MAX;
    if (keys->list[*current].writes >= most) *current = sk_keys_add(keys, kind);
    return *current;
}

void sk_keys_name(const sk_keys *keys, uint32_t index, char out[SK_KEY_NAME_MAX])
{
    static const char *const letters[SK_KEY_KIND_END] = {"r", "c", "a", "s", "e", "k", "mr", "mc", "ms", "mh", "me", "mx"};
    SK_ASSERT(index < keys->count);
    snprintf(out, SK_KEY_NAME_MAX, "%s%" PRIu32, letters[keys->list[index].kind], index);
}

enum sk_operation_kind sk_keys_read(const sk_keys *keys, uint32_t index)
{
    static const enum sk_operation_kind reads[SK_KEY_KIND_END] = {
        [SK_KEY_REGISTER] = SK_OPERATION_GET, [SK_KEY_COUNTER] = SK_OPERATION_COUNT, [SK_KEY_LIST] = SK_OPERATION_LIST,
        [SK_KEY_SET] = SK_OPERATION_MEMBERS,  [SK_KEY_LEASE] = SK_OPERATION_GET,
        [SK_KEY_SPACES] = SK_OPERATION_GET,
        [SK_KEY_MERGE_REGISTER] = SK_OPERATION_MERGE_GET, [SK_KEY_MERGE_COUNTER] = SK_OPERATION_MERGE_TOTAL,
        [SK_KEY_MERGE_SET] = SK_OPERATION_MERGE_MEMBERS, [SK_KEY_MERGE_MAP] = SK_OPERATION_MERGE_FIELDS,
        [SK_KEY_MERGE_LEASE] = SK_OPERATION_MERGE_GET,
        [SK_KEY_MERGE_SESSION] = SK_OPERATION_MERGE_GET,
    };
    SK_ASSERT(index < keys->count);
    return reads[keys->list[index].kind];
}
