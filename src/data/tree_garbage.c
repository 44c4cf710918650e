// Giving memory back in slices. The list is a stack of nodes that nobody refers to any more and whose own
// references still stand, so dropping a tree of any size is one push.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

void sk_node_retain(sk_tree_node *node)
{
    SK_ASSERT(node->references > 0 && node->references < UINT32_MAX);
    node->references++;
}

void sk_node_release(sk_tree_garbage *garbage, sk_tree_node *node)
{
    SK_ASSERT(node->references > 0);
    if (--node->references > 0) return;
    if (garbage->count == garbage->capacity) {
        garbage->capacity = garbage->capacity ? garbage->capacity * 2 : 64;
        garbage->list = sk_realloc(garbage->list, garbage->capacity * sizeof *garbage->list);
    }
    garbage->list[garbage->count++] = node;
}

bool sk_tree_collect(sk_tree_garbage *garbage, size_t budget)
{
    while (garbage->count > 0 && budget-- > 0) {
        sk_tree_node *node = garbage->list[--garbage->count];
        SK_ASSERT(node->references == 0);
        if (node->level == 0) {
            sk_leaf_destroy(sk_leaf_of(node));
            continue;
        }
        sk_inner *inner = sk_inner_of(node);
        for (uint32_t i = 0; i < node->count; i++) {
            sk_separator_release(&inner->separator[i]);
            sk_node_release(garbage, inner->child[i]);
        }
        sk_inner_free(inner);
    }
    return garbage->count > 0;
}

void sk_tree_garbage_deinit(sk_tree_garbage *garbage)
{
    while (sk_tree_collect(garbage, SIZE_MAX)) {
    }
    sk_free(garbage->list);
    *garbage = (sk_tree_garbage){0};
}
