// Whole-tree walks: invariants, digest, memory.
#include "base/assert.h"
#include "base/hash.h"
#include "data/tree_node.h"

typedef struct check {
    uint64_t count;
    uint64_t bytes;
    sk_slice last;
} check;

static void check_leaf(check *state, const sk_leaf *leaf, sk_slice low, const sk_slice *high)
{
    sk_leaf_check(leaf);
    for (uint32_t i = 0; i < leaf->node.count; i++) {
        sk_entry entry;
        sk_cell_read(sk_leaf_cell(leaf, i), &entry);
        SK_ASSERT(state->count == 0 || sk_slice_compare(state->last, entry.key) < 0);
        SK_ASSERT(sk_slice_compare(low, entry.key) <= 0);
        SK_ASSERT(!high || sk_slice_compare(entry.key, *high) < 0);
        if (entry.key_blob) SK_ASSERT(entry.key_blob->references > 0);
        if (entry.value_blob) SK_ASSERT(entry.value_blob->references > 0);
        state->last = entry.key;
        state->count++;
        state->bytes += entry.key.size + entry.value.bytes.size;
    }
}

// Keys below the node are in [low, high); no high: no bound. Recursion is bounded by the level, which falls.
static void check_node(check *state, const sk_tree_node *node, bool root, sk_slice low, const sk_slice *high)
{
    SK_ASSERT(node->references > 0);
    if (node->level == 0) {
        SK_ASSERT(root ? node->count > 0 : sk_leaf_bytes(sk_leaf_of(node)) >= SK_LEAF_BYTES_MIN);
        check_leaf(state, sk_leaf_of(node), low, high);
        return;
    }
    const sk_inner *inner = sk_inner_of(node);
    sk_inner_check(inner);
    SK_ASSERT(node->count >= (root ? 2 : SK_INNER_CHILDREN_MIN) && node->count <= SK_INNER_CHILDREN_MAX);
    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t before = state->count;
        sk_slice child_low = i == 0 ? low : sk_separator_slice(&inner->separator[i]);
        sk_slice next = i + 1 < node->count ? sk_separator_slice(&inner->separator[i + 1]) : (sk_slice){0};
        SK_ASSERT(inner->child[i]->level + 1 == node->level);
        check_node(state, inner->child[i], false, child_low, i + 1 < node->count ? &next : high);
        SK_ASSERT(inner->entries[i] == state->count - before);
    }
}

void sk_tree_check(const sk_tree *tree)
{
    check state = {0};
    if (tree->root) check_node(&state, tree->root, true, (sk_slice){0}, NULL);
    SK_ASSERT(state.count == tree->count);
    SK_ASSERT(state.bytes == tree->bytes);
}

uint64_t sk_tree_digest(const sk_tree *tree)
{
    uint64_t digest = sk_hash_mix(0, tree->count);
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    sk_tree_seek(&cursor, tree, (sk_slice){0});
    while (sk_tree_next(&cursor, &key, &value)) {
        digest = sk_hash_mix(digest, sk_hash64(1, key.data, key.size));
        digest = sk_hash_mix(digest, sk_hash64(2, value.bytes.data, value.bytes.size));
        digest = sk_hash_mix(digest, value.meta);
        digest = sk_hash_mix(digest, value.tag);
    }
    return digest;
}

static size_t blob_memory(const sk_blob *blob)
{
    return blob ? sk_block_size(sizeof *blob + blob->size) : 0;
}

static size_t node_memory(const sk_tree_node *node)
{
    if (node->level == 0) {
        const sk_leaf *leaf = sk_leaf_of(node);
        size_t size = sk_block_size(leaf->capacity);
        for (uint32_t i = 0; leaf->blobs && i < node->count; i++) {
            sk_entry entry;
            sk_cell_read(sk_leaf_cell(leaf, i), &entry);
            size += blob_memory(entry.key_blob) + blob_memory(entry.value_blob);
        }
        return size;
    }
    const sk_inner *inner = sk_inner_of(node);
    size_t size = sk_block_size(sizeof *inner);
    for (uint32_t i = 0; i < node->count; i++) {
        size += blob_memory(sk_separator_blob(&inner->separator[i])) + node_memory(inner->child[i]);
    }
    return size;
}

size_t sk_tree_memory(const sk_tree *tree)
{
    return tree->root ? node_memory(tree->root) : 0;
}
