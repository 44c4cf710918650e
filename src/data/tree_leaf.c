// Leaves: slotted blocks of cells.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

_Static_assert(sizeof(sk_leaf) == 16, "the header of a leaf is 16 bytes");
_Static_assert(SK_CELL_SIZE_MAX + SK_SLOT_SIZE < 2 * SK_LEAF_BYTES_MIN,
               "halves of a full leaf are at least a quarter full");

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

bool sk_leaf_find(const sk_leaf *leaf, sk_slice key, uint32_t *index)
{
    uint32_t low = 0, high = leaf->node.count;
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

// The same entries in a block with room for `bytes`; cells end up in the order of their slots.
static sk_leaf *move(sk_leaf *leaf, size_t bytes)
{
    SK_ASSERT(bytes >= sk_leaf_bytes(leaf));
    sk_leaf *new = sk_leaf_open(bytes);
    new->node = leaf->node;
    new->blobs = leaf->blobs;
    if (leaf->dead == 0) {
        uint16_t cells = (uint16_t)(leaf->capacity - leaf->heap);
        uint16_t by = (uint16_t)(new->capacity - leaf->capacity); // may wrap: the sum does not
        new->heap = (uint16_t)(new->capacity - cells);
        memcpy((uint8_t *)new + new->heap, (const uint8_t *)leaf + leaf->heap, cells);
        for (uint32_t i = 0; i < leaf->node.count; i++) new->slot[i] = (uint16_t)(leaf->slot[i] + by);
    } else {
        for (uint32_t i = 0; i < leaf->node.count; i++) {
            sk_entry entry;
            const uint8_t *cell = sk_leaf_cell(leaf, i);
            size_t size = sk_cell_read(cell, &entry);
            new->heap = (uint16_t)(new->heap - size);
            new->slot[i] = new->heap;
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

sk_leaf *sk_leaf_insert(sk_leaf *leaf, uint32_t index, const sk_entry *entry)
{
    SK_ASSERT(leaf->node.references == 1 && index <= leaf->node.count);
    size_t size = sk_cell_size(entry);
    if (room(leaf) < size + SK_SLOT_SIZE) {
        size_t bytes = sk_leaf_bytes(leaf) + size + SK_SLOT_SIZE;
        SK_ASSERT(bytes <= SK_LEAF_BYTES_MAX);
        size_t wanted = bytes + bytes / 8;
        leaf = move(leaf, wanted < SK_LEAF_BYTES_MAX ? wanted : SK_LEAF_BYTES_MAX);
    }
    leaf->heap = (uint16_t)(leaf->heap - size);
    sk_cell_write((uint8_t *)leaf + leaf->heap, entry);
    memmove(&leaf->slot[index + 1], &leaf->slot[index], (leaf->node.count - index) * sizeof leaf->slot[0]);
    leaf->slot[index] = leaf->heap;
    leaf->node.count++;
    leaf->blobs = (uint16_t)(leaf->blobs + blobs_of(entry));
    verify(leaf);
    return leaf;
}

void sk_leaf_cut(sk_leaf *leaf, uint32_t index)
{
    SK_ASSERT(leaf->node.references == 1 && index < leaf->node.count);
    sk_entry entry;
    size_t size = sk_cell_read(sk_leaf_cell(leaf, index), &entry);
    if (leaf->slot[index] == leaf->heap) {
        leaf->heap = (uint16_t)(leaf->heap + size);
    } else {
        leaf->dead = (uint16_t)(leaf->dead + size);
    }
    leaf->node.count--;
    leaf->blobs = (uint16_t)(leaf->blobs - blobs_of(&entry));
    memmove(&leaf->slot[index], &leaf->slot[index + 1], (leaf->node.count - index) * sizeof leaf->slot[0]);
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
    sk_cell_write((uint8_t *)leaf + leaf->slot[index], entry);
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
    sk_slice last = {0};
    for (uint32_t i = 0; i < leaf->node.count; i++) {
        sk_entry entry;
        SK_ASSERT(leaf->slot[i] >= leaf->heap && leaf->slot[i] < leaf->capacity);
        size_t size = sk_cell_read(sk_leaf_cell(leaf, i), &entry);
        SK_ASSERT(size == sk_cell_size(&entry) && leaf->slot[i] + size <= leaf->capacity);
        SK_ASSERT((entry.key_blob != NULL) == (entry.key.size > SK_KEY_INLINE_MAX));
        SK_ASSERT((entry.value_blob != NULL) == (entry.value.bytes.size > SK_VALUE_INLINE_MAX));
        SK_ASSERT(i == 0 || sk_slice_compare(last, entry.key) < 0);
        last = entry.key;
        cells += size;
        blobs += blobs_of(&entry);
    }
    SK_ASSERT(cells + leaf->dead == (size_t)(leaf->capacity - leaf->heap));
    SK_ASSERT(blobs == leaf->blobs);
    SK_ASSERT(sk_leaf_bytes(leaf) <= SK_LEAF_BYTES_MAX);
}

void sk_cells_add(sk_cells *cells, const uint8_t *cell, size_t size)
{
    SK_ASSERT(cells->count < SK_CELLS_MAX);
    cells->cell[cells->count] = cell;
    cells->size[cells->count++] = (uint16_t)size;
    cells->bytes += size + SK_SLOT_SIZE;
}

void sk_cells_add_leaf(sk_cells *cells, const sk_leaf *leaf, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        sk_entry entry;
        const uint8_t *cell = sk_leaf_cell(leaf, i);
        sk_cells_add(cells, cell, sk_cell_read(cell, &entry));
    }
}

uint32_t sk_cells_split(const sk_cells *cells, enum sk_split how)
{
    size_t target = how == SK_SPLIT_FULL_LEFT    ? cells->bytes - SK_LEAF_BYTES_MIN
                    : how == SK_SPLIT_FULL_RIGHT ? SK_LEAF_BYTES_MIN
                                                 : cells->bytes / 2;
    // The last cut at or below the target, and the one above it.
    size_t below = 0;
    uint32_t left = 0;
    while (below + cells->size[left] + SK_SLOT_SIZE <= target)
        below += cells->size[left++] + (size_t)SK_SLOT_SIZE;
    size_t above = below + cells->size[left] + SK_SLOT_SIZE;
    bool up =
        how == SK_SPLIT_FULL_RIGHT ? below < target : how == SK_SPLIT_EVEN && above - target < target - below;
    if (up) {
        below = above;
        left++;
    }
    SK_ASSERT(below >= SK_LEAF_BYTES_MIN && below <= SK_LEAF_BYTES_MAX);
    SK_ASSERT(cells->bytes - below >= SK_LEAF_BYTES_MIN && cells->bytes - below <= SK_LEAF_BYTES_MAX);
    return left;
}

sk_leaf *sk_cells_build(const sk_cells *cells, uint32_t from, uint32_t to)
{
    size_t bytes = 0;
    for (uint32_t i = from; i < to; i++) bytes += cells->size[i] + (size_t)SK_SLOT_SIZE;
    sk_leaf *leaf = sk_leaf_open(bytes);
    for (uint32_t i = from; i < to; i++) {
        sk_entry entry;
        sk_cell_read(cells->cell[i], &entry);
        leaf->heap = (uint16_t)(leaf->heap - cells->size[i]);
        leaf->slot[i - from] = leaf->heap;
        leaf->blobs = (uint16_t)(leaf->blobs + blobs_of(&entry));
        memcpy((uint8_t *)leaf + leaf->heap, cells->cell[i], cells->size[i]);
    }
    leaf->node.count = (uint16_t)(to - from);
    verify(leaf);
    return leaf;
}
