// Building from ascending entries: one open node a level, closed when it is full and handed to the level
// above. Only the last node of a level can be too empty; finish mends those from the root down, where each
// has a full left neighbour.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

struct sk_tree_builder {
    sk_tree_garbage *garbage;
    sk_leaf *leaf;                             // open; NULL: nothing added yet
    sk_separator leaf_separator;               // between it and the leaf before
    sk_inner *open[SK_TREE_DEPTH_MAX];         // by level; open[0] is unused
    sk_separator separator[SK_TREE_DEPTH_MAX]; // between open[i] and the node before it
    sk_buffer last_key;
    uint64_t count;
    uint64_t bytes;
};

sk_tree_builder *sk_tree_builder_open(sk_tree_garbage *garbage)
{
    sk_tree_builder *builder = sk_alloc_zeroed(sizeof *builder);
    builder->garbage = garbage;
    return builder;
}

// A closed node goes to the level above it.
static void hand_up(sk_tree_builder *builder, sk_tree_node *node, sk_separator separator)
{
    for (uint32_t level = node->level + 1u;; level++) {
        SK_ASSERT(level < SK_TREE_DEPTH_MAX);
        sk_inner *full = builder->open[level];
        if (full && full->node.count < SK_INNER_CHILDREN_MAX) {
            sk_inner_insert(full, full->node.count, node, separator);
            return;
        }
        sk_separator full_separator = builder->separator[level];
        builder->open[level] = sk_inner_open((uint8_t)level);
        builder->separator[level] = separator;
        sk_inner_insert(builder->open[level], 0, node, (sk_separator){0});
        if (!full) return;
        node = &full->node;
        separator = full_separator;
    }
}

bool sk_tree_builder_add(sk_tree_builder *builder, sk_slice key, sk_value value)
{
    SK_ASSERT(key.size <= SK_TREE_KEY_MAX);
    sk_slice last = sk_buffer_slice(&builder->last_key);
    if (builder->count > 0 && sk_slice_compare(last, key) >= 0) return false;
    sk_entry entry = {.key = key, .value = value};
    sk_entry_prepare(&entry);
    if (builder->leaf &&
        sk_leaf_bytes(builder->leaf) + sk_cell_size(&entry) + SK_SLOT_SIZE > SK_LEAF_BYTES_MAX) {
        hand_up(builder, &sk_leaf_fit(builder->leaf)->node, builder->leaf_separator);
        builder->leaf_separator = sk_separator_between(last, key);
        builder->leaf = sk_leaf_open(SK_LEAF_BYTES_MAX);
    }
    if (!builder->leaf) builder->leaf = sk_leaf_open(0);
    builder->leaf = sk_leaf_insert(builder->leaf, builder->leaf->node.count, &entry);
    builder->count++;
    builder->bytes += key.size + value.bytes.size;
    sk_buffer_clear(&builder->last_key);
    sk_buffer_append_slice(&builder->last_key, key);
    return true;
}

// Everything under one root, perhaps with nodes that are too empty along the right edge.
static sk_tree_node *close_all(sk_tree_builder *builder)
{
    if (!builder->leaf) return NULL;
    sk_tree_node *root = &sk_leaf_fit(builder->leaf)->node;
    sk_separator separator = builder->leaf_separator;
    builder->leaf = NULL;
    builder->leaf_separator = (sk_separator){0};
    for (uint32_t level = 1; level < SK_TREE_DEPTH_MAX && builder->open[level]; level++) {
        hand_up(builder, root, separator);
        root = &builder->open[level]->node;
        separator = builder->separator[level];
        builder->open[level] = NULL;
        builder->separator[level] = (sk_separator){0};
    }
    return root;
}

static void mend_right_edge(sk_tree *tree)
{
    sk_path path = {.depth = 1, .node = {tree->root}};
    while (path.node[path.depth - 1]->level > 0) {
        const sk_inner *inner = sk_inner_of(path.node[path.depth - 1]);
        path.at[path.depth - 1] = inner->node.count - 1u;
        path.node[path.depth] = inner->child[inner->node.count - 1];
        sk_tree_mend(tree, &path, path.depth);
        path.at[path.depth - 1] = inner->node.count - 1u;
        path.node[path.depth] = inner->child[inner->node.count - 1];
        path.depth++;
    }
}

void sk_tree_builder_finish(sk_tree_builder *builder, sk_tree *tree)
{
    SK_ASSERT(!tree->root && tree->count == 0);
    tree->root = close_all(builder);
    tree->count = builder->count;
    tree->bytes = builder->bytes;
    if (tree->root) mend_right_edge(tree);
    sk_tree_builder_drop(builder);
}

void sk_tree_builder_drop(sk_tree_builder *builder)
{
    if (builder->leaf) sk_node_release(builder->garbage, &builder->leaf->node);
    sk_separator_release(&builder->leaf_separator);
    for (uint32_t level = 1; level < SK_TREE_DEPTH_MAX; level++) {
        if (builder->open[level]) sk_node_release(builder->garbage, &builder->open[level]->node);
        sk_separator_release(&builder->separator[level]);
    }
    sk_buffer_deinit(&builder->last_key);
    sk_free(builder);
}
