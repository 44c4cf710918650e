// Order: cursors, rank and index. A cursor stands between two entries.
#include "base/assert.h"
#include "data/tree_node.h"

static void push(sk_tree_cursor *cursor, const sk_tree_node *node, uint32_t at)
{
    SK_ASSERT(cursor->depth < SK_TREE_DEPTH_MAX);
    cursor->node[cursor->depth] = node;
    cursor->at[cursor->depth++] = at;
}

void sk_tree_seek(sk_tree_cursor *cursor, const sk_tree *tree, sk_slice from)
{
    cursor->tree = tree;
    cursor->depth = 0;
    const sk_tree_node *node = tree->root;
    while (node && node->level > 0) {
        uint32_t at = sk_inner_find(sk_inner_of(node), from);
        push(cursor, node, at);
        node = sk_inner_of(node)->child[at];
    }
    if (!node) return;
    uint32_t index;
    sk_leaf_find(sk_leaf_of(node), from, &index);
    push(cursor, node, index);
}

void sk_tree_seek_at(sk_tree_cursor *cursor, const sk_tree *tree, uint64_t index)
{
    cursor->tree = tree;
    cursor->depth = 0;
    const sk_tree_node *node = tree->root;
    if (index > tree->count) index = tree->count;
    while (node && node->level > 0) {
        const sk_inner *inner = sk_inner_of(node);
        uint32_t at = 0;
        while (at + 1 < node->count && index >= inner->entries[at]) index -= inner->entries[at++];
        push(cursor, node, at);
        node = inner->child[at];
    }
    if (node) push(cursor, node, (uint32_t)index);
}

static void entry_at(const sk_tree_node *leaf, uint32_t index, sk_slice *key, sk_value *value)
{
    sk_entry entry;
    sk_cell_read(sk_leaf_cell(sk_leaf_of(leaf), index), &entry);
    if (key) *key = entry.key;
    if (value) *value = entry.value;
}

bool sk_tree_next(sk_tree_cursor *cursor, sk_slice *key, sk_value *value)
{
    if (cursor->depth == 0) return false;
    uint32_t top = cursor->depth - 1;
    if (cursor->at[top] == cursor->node[top]->count) {
        uint32_t up = top;
        while (up > 0 && cursor->at[up - 1] + 1 == cursor->node[up - 1]->count) up--;
        if (up == 0) return false;
        cursor->at[up - 1]++;
        for (; up <= top; up++) {
            cursor->node[up] = sk_inner_of(cursor->node[up - 1])->child[cursor->at[up - 1]];
            cursor->at[up] = 0;
        }
    }
    entry_at(cursor->node[top], cursor->at[top], key, value);
    cursor->at[top]++;
    return true;
}

bool sk_tree_previous(sk_tree_cursor *cursor, sk_slice *key, sk_value *value)
{
    if (cursor->depth == 0) return false;
    uint32_t top = cursor->depth - 1;
    if (cursor->at[top] == 0) {
        uint32_t up = top;
        while (up > 0 && cursor->at[up - 1] == 0) up--;
        if (up == 0) return false;
        cursor->at[up - 1]--;
        for (; up <= top; up++) {
            cursor->node[up] = sk_inner_of(cursor->node[up - 1])->child[cursor->at[up - 1]];
            cursor->at[up] = cursor->node[up]->count - (up < top ? 1u : 0u);
        }
    }
    cursor->at[top]--;
    entry_at(cursor->node[top], cursor->at[top], key, value);
    return true;
}

uint64_t sk_tree_rank(const sk_tree *tree, sk_slice key)
{
    const sk_tree_node *node = tree->root;
    uint64_t rank = 0;
    if (!node) return 0;
    while (node->level > 0) {
        const sk_inner *inner = sk_inner_of(node);
        uint32_t at = sk_inner_find(inner, key);
        for (uint32_t i = 0; i < at; i++) rank += inner->entries[i];
        node = inner->child[at];
    }
    uint32_t index;
    sk_leaf_find(sk_leaf_of(node), key, &index);
    return rank + index;
}

bool sk_tree_at(const sk_tree *tree, uint64_t index, sk_slice *key, sk_value *value)
{
    const sk_tree_node *node = tree->root;
    if (index >= tree->count) return false;
    while (node->level > 0) {
        const sk_inner *inner = sk_inner_of(node);
        uint32_t at = 0;
        while (index >= inner->entries[at]) index -= inner->entries[at++];
        SK_ASSERT(at < node->count);
        node = inner->child[at];
    }
    SK_ASSERT(index < node->count);
    entry_at(node, (uint32_t)index, key, value);
    return true;
}
