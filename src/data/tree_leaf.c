// Leaves: slotted blocks of cells.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

_Static_assert(sizeof(sk_leaf) == 16, "the header of a leaf is 16 bytes");
static uint16_t blobs_of(const sk_entry *entry)
{
    return (uint16_t)((entry->key_blob != NULL) + (entry->value_blob != NULL));
}

static void verify(const sk_leaf *leaf)
{
#ifdef SK_VERIFY
    sk_leaf_check(leaf);
#else
    (void)leaf;
#endif
}

sk_leaf *sk_leaf_open(size_t bytes)
{
    // All of what malloc gives for this size.
    size_t capacity = sk_block_size(sizeof(sk_leaf) + bytes) - 8;
    SK_ASSERT(capacity <= UINT16_MAX);
    sk_leaf *leaf = sk_alloc(capacity);
    *leaf = (sk_leaf){.node = {.references = 1}, .capacity = (uint16_t)capacity, .heap = (uint16_t)capacity};
    return leaf;
}

sk_leaf *sk_leaf_copy(const sk_leaf *leaf)
{
    sk_leaf *copy = sk_alloc(leaf->capacity);
    memcpy(copy, leaf, leaf->capacity);
    copy->node.references = 1;
    for (uint32_t i = 0; leaf->blobs && i < leaf->node.count; i++) {
        sk_entry entry;
        sk_cell_read(sk_leaf_cell(leaf, i), &entry);
        sk_entry_retain(&entry);
    }
    return copy;
}

void sk_leaf_free(sk_leaf *leaf)
{
    sk_free(leaf);
}

void sk_leaf_destroy(sk_leaf *leaf)
{
    for (uint32_t i = 0; leaf->blobs && i < leaf->node.count; i++) {
        sk_entry entry;
        sk_cell_read(sk_leaf_cell(leaf, i), &entry);
        sk_entry_release(&entry);
    }
    sk_leaf_free(leaf);
}

// Among entries [low, high), whose hints are equal.
static bool find_among(const sk_leaf *leaf, sk_slice key, uint32_t low, uint32_t high, uint32_t *index)
{
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = sk_slice_compare(sk_cell_key(sk_leaf_cell(leaf, middle)), key);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return false;
}

bool sk_leaf_find(const sk_leaf *leaf, sk_slice key, uint32_t *index)
{
    uint32_t count = leaf->node.count;
    size_t prefix = leaf->node.prefix;
    *index = 0;
    if (count == 0) return false;
    uint32_t wanted = sk_hint_of(key, prefix);
    uint32_t low = sk_hints_below(leaf->hint, count, wanted);
    *index = low;
    if (low < count && leaf->hint[low] == wanted) {
        uint32_t high =
            wanted == UINT32_MAX ? count : low + sk_hints_below(leaf->hint + low, count - low, wanted + 1);
        if (find_among(leaf, key, low, high, index)) return true;
    }
    // Not there. Where it belongs is right only if it has the prefix; that is looked at last, since a hit
    // need not.
    if (prefix == 0) return false;
    int order = sk_prefix_order(key, sk_cell_key(sk_leaf_cell(leaf, low < count ? low : count - 1)), prefix);
    if (order != 0) *index = order < 0 ? 0 : count;
    return false;
}

void sk_leaf_prefetch(const sk_leaf *leaf, sk_slice key)
{
    enum { LINE = 64, LINES = 6 }; // of a cell: most are shorter, and of longer ones the first are read first
    uint32_t at = sk_hints_below(leaf->hint, leaf->node.count, sk_hint_of(key, leaf->node.prefix));
    if (at == leaf->node.count) return;
    const uint8_t *cell = sk_leaf_cell(leaf, at);
    for (size_t i = 0; i < LINES; i++) __builtin_prefetch(cell + i * LINE);
}

// The same entries in a block with room for `bytes`; cells end up in the order of their slots.
static sk_leaf *move(sk_leaf *leaf, size_t bytes)
{
    SK_ASSERT(bytes >= sk_leaf_bytes(leaf));
    sk_leaf *new = sk_leaf_open(bytes);
    new->node = leaf->node;
    new->blobs = leaf->blobs;
    memcpy(new->hint, leaf->hint, leaf->node.count * sizeof leaf->hint[0]);
    const uint16_t *old_slot = sk_leaf_slots(leaf);
    uint16_t *slot = sk_leaf_slots(new);
    if (leaf->dead == 0) {
        uint16_t cells = (uint16_t)(leaf->capacity - leaf->heap);
        uint16_t by = (uint16_t)(new->capacity - leaf->capacity); // may wrap: the sum does not
        new->heap = (uint16_t)(new->capacity - cells);
        memcpy((uint8_t *)new + new->heap, (const uint8_t *)leaf + leaf->heap, cells);
        for (uint32_t i = 0; i < leaf->node.count; i++) slot[i] = (uint16_t)(old_slot[i] + by);
    } else {
        for (uint32_t i = 0; i < leaf->node.count; i++) {
            sk_entry entry;
            const uint8_t *cell = sk_leaf_cell(leaf, i);
            size_t size = sk_cell_read(cell, &entry);
            new->heap = (uint16_t)(new->heap - size);
            slot[i] = new->heap;
            memcpy((uint8_t *)new + new->heap, cell, size);
        }
    }
    sk_leaf_free(leaf);
    return new;
}

static size_t room(const sk_leaf *leaf)
{
    return leaf->heap - sizeof *leaf - (size_t)leaf->node.count * SK_SLOT_SIZE;
}

// The key joins the leaf: the common prefix gets shorter, and hints are made anew, if the key does not have
// it.
static void adopt_prefix(sk_leaf *leaf, uint32_t near, sk_slice key)
{
    uint32_t count = leaf->node.count;
    if (count == 0) {
        leaf->node.prefix = (uint8_t)sk_common_prefix(key, key);
        return;
    }
    size_t common = sk_common_prefix(key, sk_cell_key(sk_leaf_cell(leaf, near < count ? near : count - 1)));
    if (common >= leaf->node.prefix) return;
    leaf->node.prefix = (uint8_t)common;
    for (uint32_t i = 0; i < count; i++)
        leaf->hint[i] = sk_hint_of(sk_cell_key(sk_leaf_cell(leaf, i)), common);
}

sk_leaf *sk_leaf_insert(sk_leaf *leaf, uint32_t index, const sk_entry *entry)
{
    SK_ASSERT(leaf->node.references == 1 && index <= leaf->node.count);
    size_t size = sk_cell_size(entry);
    if (room(leaf) < size + SK_SLOT_SIZE) {
        size_t bytes = sk_leaf_bytes(leaf) + size + SK_SLOT_SIZE;
        SK_ASSERT(bytes <= SK_LEAF_BYTES_MAX);
        size_t wanted = bytes + bytes / (index == leaf->node.count ? 2 : 8); // keys that ascend: it fills to the end
        leaf = move(leaf, wanted < SK_LEAF_BYTES_MAX ? wanted : SK_LEAF_BYTES_MAX);
    }
    adopt_prefix(leaf, index, entry->key);
    leaf->heap = (uint16_t)(leaf->heap - size);
    sk_cell_write((uint8_t *)leaf + leaf->heap, entry);
    uint32_t behind = leaf->node.count - index;
    uint16_t *old_slot = sk_leaf_slots(leaf);
    leaf->node.count++;
    uint16_t *slot = sk_leaf_slots(leaf);
    memmove(slot + index + 1, old_slot + index, behind * sizeof *slot);
    memmove(slot, old_slot, index * sizeof *slot);
    memmove(leaf->hint + index + 1, leaf->hint + index, behind * sizeof leaf->hint[0]);
    slot[index] = leaf->heap;
    leaf->hint[index] = sk_hint_of(entry->key, leaf->node.prefix);
    leaf->blobs = (uint16_t)(leaf->blobs + blobs_of(entry));
    verify(leaf);
    return leaf;
}

void sk_leaf_cut(sk_leaf *leaf, uint32_t index)
{
    SK_ASSERT(leaf->node.references == 1 && index < leaf->node.count);
    sk_entry entry;
    size_t size = sk_cell_read(sk_leaf_cell(leaf, index), &entry);
    uint16_t *old_slot = sk_leaf_slots(leaf);
    if (old_slot[index] == leaf->heap) {
        leaf->heap = (uint16_t)(leaf->heap + size);
    } else {
        leaf->dead = (uint16_t)(leaf->dead + size);
    }
    leaf->node.count--;
    leaf->blobs = (uint16_t)(leaf->blobs - blobs_of(&entry));
    uint16_t *slot = sk_leaf_slots(leaf);
    uint32_t behind = leaf->node.count - index;
    memmove(leaf->hint + index, leaf->hint + index + 1, behind * sizeof leaf->hint[0]);
    memmove(slot, old_slot, index * sizeof *slot);
    memmove(slot + index, old_slot + index + 1, behind * sizeof *slot);
    verify(leaf);
}

bool sk_leaf_overwrite(sk_leaf *leaf, uint32_t index, const sk_entry *entry)
{
    SK_ASSERT(leaf->node.references == 1 && index < leaf->node.count);
    sk_entry old;
    size_t old_size = sk_cell_read(sk_leaf_cell(leaf, index), &old);
    size_t size = sk_cell_size(entry);
    if (size > old_size) return false;
    leaf->blobs = (uint16_t)(leaf->blobs - blobs_of(&old) + blobs_of(entry));
    leaf->dead = (uint16_t)(leaf->dead + old_size - size);
    sk_cell_write((uint8_t *)leaf + sk_leaf_slots(leaf)[index], entry);
    verify(leaf);
    return true;
}

sk_leaf *sk_leaf_shrink(sk_leaf *leaf)
{
    size_t unused = room(leaf) + leaf->dead;
    return unused > 64 && unused > leaf->capacity / 4u ? move(leaf, sk_leaf_bytes(leaf)) : leaf;
}

sk_leaf *sk_leaf_fit(sk_leaf *leaf)
{
    size_t bytes = sk_leaf_bytes(leaf);
    return sk_block_size(sizeof *leaf + bytes) < sk_block_size(leaf->capacity) ? move(leaf, bytes) : leaf;
}

void sk_leaf_check(const sk_leaf *leaf)
{
    size_t cells = 0, blobs = 0;
    SK_ASSERT(leaf->node.level == 0 && leaf->node.references > 0);
    SK_ASSERT(leaf->heap <= leaf->capacity);
    SK_ASSERT(leaf->heap >= sizeof *leaf + (size_t)leaf->node.count * SK_SLOT_SIZE);
    const uint16_t *slot = sk_leaf_slots(leaf);
    sk_slice last = {0};
    for (uint32_t i = 0; i < leaf->node.count; i++) {
        sk_entry entry;
        SK_ASSERT(slot[i] >= leaf->heap && slot[i] < leaf->capacity);
        size_t size = sk_cell_read(sk_leaf_cell(leaf, i), &entry);
        SK_ASSERT(size == sk_cell_size(&entry) && slot[i] + size <= leaf->capacity);
        SK_ASSERT((entry.key_blob != NULL) == (entry.key.size > SK_KEY_INLINE_MAX));
        SK_ASSERT((entry.value_blob != NULL) == (entry.value.bytes.size > SK_VALUE_INLINE_MAX));
        SK_ASSERT(leaf->hint[i] == sk_hint_of(entry.key, leaf->node.prefix));
        SK_ASSERT(i == 0 ? entry.key.size >= leaf->node.prefix
                         : sk_common_prefix(last, entry.key) >= leaf->node.prefix);
        SK_ASSERT(i == 0 || sk_slice_compare(last, entry.key) < 0);
        last = entry.key;
        cells += size;
        blobs += blobs_of(&entry);
    }
    SK_ASSERT(cells + leaf->dead == (size_t)(leaf->capacity - leaf->heap));
    SK_ASSERT(blobs == leaf->blobs);
    SK_ASSERT(sk_leaf_bytes(leaf) <= SK_LEAF_BYTES_MAX);
}
