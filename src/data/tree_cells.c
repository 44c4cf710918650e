// Cells in order: splitting, joining and sharing out leaves.
#include "base/assert.h"
#include "data/tree_node.h"

_Static_assert(SK_CELL_SIZE_MAX + SK_SLOT_SIZE <= SK_LEAF_BYTES_MAX - 2 * SK_LEAF_BYTES_MIN,
               "halves of a full leaf are at least a quarter full");

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
    SK_ASSERT(from < to && to <= cells->count);
    for (uint32_t i = from; i < to; i++) bytes += cells->size[i] + (size_t)SK_SLOT_SIZE;
    sk_leaf *leaf = sk_leaf_open(bytes);
    size_t prefix = sk_common_prefix(sk_cell_key(cells->cell[from]), sk_cell_key(cells->cell[to - 1]));
    leaf->node.count = (uint16_t)(to - from);
    leaf->node.prefix = (uint8_t)prefix;
    uint16_t *slot = sk_leaf_slots(leaf);
    for (uint32_t i = from; i < to; i++) {
        sk_entry entry;
        sk_cell_read(cells->cell[i], &entry);
        leaf->heap = (uint16_t)(leaf->heap - cells->size[i]);
        slot[i - from] = leaf->heap;
        leaf->hint[i - from] = sk_hint_of(entry.key, prefix);
        leaf->blobs = (uint16_t)(leaf->blobs + (entry.key_blob != NULL) + (entry.value_blob != NULL));
        memcpy((uint8_t *)leaf + leaf->heap, cells->cell[i], cells->size[i]);
    }
#ifdef SK_VERIFY
    sk_leaf_check(leaf);
#endif
    return leaf;
}
