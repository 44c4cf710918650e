#include "check/parts.h"

#include "base/alloc.h"

void sk_parts_init(sk_parts *parts, const sk_check_history *history, bool together)
{
    *parts = (sk_parts){0};
    sk_buffer key = {0};
    uint32_t *part_of = sk_alloc((history->count + 1) * sizeof *part_of);
    for (size_t i = 0; i < history->count; i++) {
        sk_buffer_clear(&key);
        if (!together && history->list[i].key) sk_datum_write(history->list[i].key, &key);
        part_of[i] = sk_intern_put(&parts->keys, sk_buffer_slice(&key));
    }
    parts->count = parts->keys.count;
    parts->list = sk_alloc((history->count + 1) * sizeof *parts->list);
    parts->begin = sk_alloc_zeroed(((size_t)parts->count + 2) * sizeof *parts->begin);
    // Counted one place late, so that filling leaves every part's beginning in its own place.
    for (size_t i = 0; i < history->count; i++) parts->begin[part_of[i] + 2]++;
    for (uint32_t part = 0; part < parts->count; part++) parts->begin[part + 2] += parts->begin[part + 1];
    for (size_t i = 0; i < history->count; i++) parts->list[parts->begin[part_of[i] + 1]++] = &history->list[i];
    sk_free(part_of);
    sk_buffer_deinit(&key);
}

void sk_parts_deinit(sk_parts *parts)
{
    sk_free(parts->list);
    sk_free(parts->begin);
    sk_intern_deinit(&parts->keys);
    *parts = (sk_parts){0};
}
