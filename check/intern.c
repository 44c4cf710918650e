#include "check/intern.h"

#include "base/alloc.h"
#include "base/hash.h"

// The slot that holds `text`, or the empty one where it belongs.
static size_t find_slot(const sk_intern *intern, sk_slice text)
{
    size_t mask = intern->slot_count - 1;
    size_t at = sk_hash64(0, text.data, text.size) & mask;
    while (intern->slots[at] && !sk_slice_equal(intern->texts[intern->slots[at] - 1], text)) at = (at + 1) & mask;
    return at;
}

static void grow(sk_intern *intern)
{
    sk_free(intern->slots);
    intern->slot_count = intern->slot_count ? intern->slot_count * 2 : 64;
    intern->slots = sk_alloc_zeroed(intern->slot_count * sizeof *intern->slots);
    for (uint32_t id = 0; id < intern->count; id++) intern->slots[find_slot(intern, intern->texts[id])] = id + 1;
}

uint32_t sk_intern_put(sk_intern *intern, sk_slice text)
{
    if ((size_t)intern->count * 2 >= intern->slot_count) grow(intern);
    size_t at = find_slot(intern, text);
    if (intern->slots[at]) return intern->slots[at] - 1;
    if (intern->count == intern->capacity) {
        intern->capacity = intern->capacity ? intern->capacity * 2 : 32;
        intern->texts = sk_realloc(intern->texts, intern->capacity * sizeof *intern->texts);
    }
    intern->texts[intern->count] = sk_arena_copy(&intern->arena, text);
    intern->bytes += text.size + sizeof text + 2 * sizeof *intern->slots;
    intern->slots[at] = ++intern->count;
    return intern->count - 1;
}

uint32_t sk_intern_find(const sk_intern *intern, sk_slice text)
{
    if (!intern->slot_count) return SK_INTERN_NONE;
    uint32_t slot = intern->slots[find_slot(intern, text)];
    return slot ? slot - 1 : SK_INTERN_NONE;
}

uint32_t sk_intern_datum(sk_intern *intern, const sk_datum *datum)
{
    sk_buffer text = {0};
    sk_datum_write(datum, &text);
    uint32_t id = sk_intern_put(intern, sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
    return id;
}

void sk_intern_deinit(sk_intern *intern)
{
    sk_free(intern->texts);
    sk_free(intern->slots);
    sk_arena_deinit(&intern->arena);
    *intern = (sk_intern){0};
}
