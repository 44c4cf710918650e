// Private to data/tree*.c: what the nodes of a tree look like in memory.
//
// Leaf: one block. Hints and slots grow up, cells grow down; it is allocated to fit and grown in small steps,
// so that a leaf that is only half full costs only half.
//
//     | header | hint hint hint | slot slot slot | ->     free     <- | cell | cell | cell |
//                                                                     ^ heap               ^ capacity
//
// Cell: flags, [tag], key size and key (or a blob), [meta], value size and value (or a blob).
//
// Inner: fixed arrays of children, counts and separators. separator[i] is greater than all keys below
// child[i - 1] and not greater than any below child[i]; it is the shortest such prefix. separator[0] is
// unused and empty.
//
// Hints: all keys of a leaf (all separators of an inner node) begin with the same `prefix` bytes. A hint is
// the four bytes behind those, big-endian and padded with 0, so hints are ordered as the keys are, except
// that different keys can have equal hints. A search compares hints, and keys only where hints are equal.
//
// Full enough: a leaf has SK_LEAF_BYTES_MIN bytes of hints, slots and cells, an inner node
// SK_INNER_CHILDREN_MIN children; the root has one entry, or two children. A cell is so much smaller than a
// leaf that splitting always gives two such halves.
#ifndef SK_DATA_TREE_NODE_H
#define SK_DATA_TREE_NODE_H

#include "data/tree.h"

enum {
    SK_LEAF_BYTES_MAX = 4000,
    SK_LEAF_BYTES_MIN = SK_LEAF_BYTES_MAX / 4,
    SK_INNER_CHILDREN_MAX = 64,
    SK_INNER_CHILDREN_MIN = SK_INNER_CHILDREN_MAX / 4,
    SK_KEY_INLINE_MAX = 511, // a larger key is a blob, as a larger value is
    SK_SEPARATOR_INLINE_MAX = 23,
    SK_CELL_SIZE_MAX = 1 + 1 + 2 + SK_KEY_INLINE_MAX + 8 + 2 + SK_VALUE_INLINE_MAX,
    SK_SLOT_SIZE = 6, // with the hint
    SK_PREFIX_MAX = 255,
    SK_CELLS_MAX = 640, // of two leaves that are joined: the least is 9 bytes, with its slot
};

// Bytes that are shared instead of copied.
typedef struct sk_blob {
    uint32_t references;
    size_t size;
    uint8_t data[];
} sk_blob;

struct sk_tree_node {
    uint32_t references; // parents and roots
    uint16_t count;      // entries of a leaf, children of an inner node
    uint8_t level;       // 0: leaf
    uint8_t prefix;      // how many bytes all its keys or separators have in common, at least
};

typedef struct sk_leaf {
    sk_tree_node node;
    uint16_t capacity; // of the whole block; offsets count from its start
    uint16_t heap;     // where the lowest cell begins
    uint16_t dead;     // bytes behind `heap` that belong to no cell
    uint16_t blobs;    // that its cells point to
    uint32_t hint[];   // node.count, then as many uint16_t slots: the offsets of the cells
} sk_leaf;

typedef struct sk_separator {
    uint8_t size; // SK_SEPARATOR_IN_BLOB: `bytes` holds a pointer
    uint8_t bytes[SK_SEPARATOR_INLINE_MAX];
} sk_separator;

enum { SK_SEPARATOR_IN_BLOB = 255 };

typedef struct sk_inner {
    sk_tree_node node;
    uint32_t hint[SK_INNER_CHILDREN_MAX];
    sk_tree_node *child[SK_INNER_CHILDREN_MAX];
    uint64_t entries[SK_INNER_CHILDREN_MAX];
    sk_separator separator[SK_INNER_CHILDREN_MAX];
} sk_inner;

static inline sk_leaf *sk_leaf_of(const sk_tree_node *node)
{
    return (sk_leaf *)(void *)node;
}

static inline sk_inner *sk_inner_of(const sk_tree_node *node)
{
    return (sk_inner *)(void *)node;
}

// Asks for the lines of a node that a search reads first.
static inline void sk_node_prefetch(const sk_tree_node *node)
{
    for (size_t i = 0; i < 4; i++) __builtin_prefetch((const uint8_t *)node + i * 64);
}

// ---- tree_hint.c ----
static inline uint32_t sk_hint_of(sk_slice key, size_t prefix)
{
    uint32_t hint = 0;
    if (key.size >= prefix + 4) {
        const uint8_t *at = key.data + prefix;
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (size_t i = 0; i < 4; i++) hint = hint << 8 | (prefix + i < key.size ? key.data[prefix + i] : 0);
    return hint;
}

// How many of the ascending hints are less than `wanted`. Without branches: the outcomes are as random as the
// keys.
static inline uint32_t sk_hints_below(const uint32_t *hint, uint32_t count, uint32_t wanted)
{
    const uint32_t *low = hint;
    if (count == 0) return 0;
    while (count > 1) {
        uint32_t half = count / 2;
        low += low[half - 1] < wanted ? half : 0;
        count -= half;
    }
    return (uint32_t)(low - hint) + (*low < wanted);
}

size_t sk_common_prefix(sk_slice a, sk_slice b); // at most SK_PREFIX_MAX
// `known` begins with the node's prefix. 0: so does the key; else the key is before (-1) or behind (1) all of
// the node.
int sk_prefix_order(sk_slice key, sk_slice known, size_t prefix);

// ---- tree_blob.c ----
sk_blob *sk_blob_make(sk_slice bytes); // one reference, the caller's
void sk_blob_retain(sk_blob *blob);
void sk_blob_release(sk_blob *blob);

static inline sk_slice sk_blob_slice(const sk_blob *blob)
{
    return sk_slice_make(blob->data, blob->size);
}

// What malloc really takes for a block of `size` bytes.
static inline size_t sk_block_size(size_t size)
{
    size_t rounded = (size + 8 + 15) & ~(size_t)15;
    return rounded < 32 ? 32 : rounded;
}

// ---- tree_cell.c ----
// A cell, read. With a blob the slice points into it.
typedef struct sk_entry {
    sk_slice key;
    sk_value value;
    sk_blob *key_blob;
    sk_blob *value_blob;
} sk_entry;

size_t sk_cell_size(const sk_entry *entry);
void sk_cell_write(uint8_t *cell,
                   const sk_entry *entry); // sk_cell_size bytes; takes over the blobs' references
size_t sk_cell_read(const uint8_t *cell, sk_entry *entry); // the cell's size; borrowed
sk_slice sk_cell_key(const uint8_t *cell);
bool sk_cell_change_meta(uint8_t *cell, uint64_t meta); // in place; false: the cell's size would change
// Makes blobs of what is too large for a cell. With `known_key` the key has that blob already, or is small.
void sk_entry_prepare(sk_entry *entry);
void sk_entry_retain(const sk_entry *entry);
void sk_entry_release(const sk_entry *entry);

// ---- tree_leaf.c ----
static inline uint16_t *sk_leaf_slots(const sk_leaf *leaf)
{
    return (uint16_t *)(void *)(leaf->hint + leaf->node.count);
}

static inline const uint8_t *sk_leaf_cell(const sk_leaf *leaf, size_t index)
{
    return (const uint8_t *)leaf + sk_leaf_slots(leaf)[index];
}

// Bytes of hints, slots and cells, without what is dead.
static inline size_t sk_leaf_bytes(const sk_leaf *leaf)
{
    return (size_t)leaf->node.count * SK_SLOT_SIZE + leaf->capacity - leaf->heap - leaf->dead;
}

sk_leaf *sk_leaf_open(size_t bytes);        // empty, with room for that many bytes of slots and cells
sk_leaf *sk_leaf_copy(const sk_leaf *leaf); // retains blobs
void sk_leaf_free(sk_leaf *leaf);           // the block alone
void sk_leaf_destroy(sk_leaf *leaf);        // and its references to blobs
// Asks for the cell that a search would read.
void sk_leaf_prefetch(const sk_leaf *leaf, sk_slice key);
bool sk_leaf_find(const sk_leaf *leaf, sk_slice key, uint32_t *index); // the first not less; true: equal
// There must be room by SK_LEAF_BYTES_MAX. The leaf may be moved: returns where it is.
sk_leaf *sk_leaf_insert(sk_leaf *leaf, uint32_t index, const sk_entry *entry);
void sk_leaf_cut(sk_leaf *leaf, uint32_t index); // the entry is gone; its blobs are the caller's
// The entry's cell is written anew in its place; false if it is larger than the old one. Blobs as with cut.
bool sk_leaf_overwrite(sk_leaf *leaf, uint32_t index, const sk_entry *entry);
sk_leaf *sk_leaf_shrink(sk_leaf *leaf); // gives memory back when it pays; returns where the leaf is
sk_leaf *sk_leaf_fit(sk_leaf *leaf);    // gives all back that it can
void sk_leaf_check(const sk_leaf *leaf);

// ---- tree_cells.c ----
// Cells in order, from one or two leaves and perhaps a new one: the raw material of split, merge and sharing
// out.
typedef struct sk_cells {
    const uint8_t *cell[SK_CELLS_MAX];
    uint16_t size[SK_CELLS_MAX];
    uint32_t count;
    size_t bytes; // with slots
} sk_cells;

void sk_cells_add(sk_cells *cells, const uint8_t *cell, size_t size);
void sk_cells_add_leaf(sk_cells *cells, const sk_leaf *leaf, uint32_t from, uint32_t to);
enum sk_split { SK_SPLIT_EVEN, SK_SPLIT_FULL_LEFT, SK_SPLIT_FULL_RIGHT };
uint32_t sk_cells_split(const sk_cells *cells, enum sk_split how); // how many go left
sk_leaf *sk_cells_build(const sk_cells *cells, uint32_t from, uint32_t to);

// ---- tree_inner.c ----
sk_separator sk_separator_between(sk_slice left, sk_slice right); // left < right; owns a blob when it is long
void sk_separator_release(sk_separator *separator);
sk_slice sk_separator_slice(const sk_separator *separator);
sk_blob *sk_separator_blob(const sk_separator *separator); // NULL: none

sk_inner *sk_inner_open(uint8_t level);
sk_inner *sk_inner_copy(const sk_inner *inner);              // retains children and blobs
void sk_inner_free(sk_inner *inner);                         // the block alone
uint32_t sk_inner_find(const sk_inner *inner, sk_slice key); // the child below which `key` belongs
void sk_inner_insert(sk_inner *inner, uint32_t at, sk_tree_node *child,
                     sk_separator separator); // takes both over
// The separator of child `at` > 0, taken over; the old one is the caller's.
void sk_inner_set_separator(sk_inner *inner, uint32_t at, sk_separator separator);
void sk_inner_cut(sk_inner *inner,
                  uint32_t at); // child `at` > 0 leaves, its separator is released; not the child
// Inserts into a full node: a new right sibling, and its separator in `up`.
sk_inner *sk_inner_split(sk_inner *inner, uint32_t at, sk_tree_node *child, sk_separator separator,
                         sk_separator *up);
// Two neighbours, with the separator between them taken over. True: all is in `left` now and `right` is
// empty; else they are shared out and `up` is the new separator.
bool sk_inner_join(sk_inner *left, sk_inner *right, sk_separator between, sk_separator *up);

void sk_inner_check(const sk_inner *inner);

uint64_t sk_node_entries(const sk_tree_node *node);

// ---- tree_garbage.c ----
void sk_node_release(sk_tree_garbage *garbage, sk_tree_node *node); // one reference less; at 0 it is garbage
void sk_node_retain(sk_tree_node *node);

// ---- tree.c ----
// The way from the root to a leaf.
typedef sk_tree_place sk_path;

// The node at `level` of the path (0: the root) may be too empty: joins it with a sibling, and so on up. The
// path must be owned.
void sk_tree_mend(sk_tree *tree, sk_path *path, uint32_t level);

#endif
