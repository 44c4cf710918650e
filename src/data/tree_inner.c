// Inner nodes: children, how many entries are below each, and separators.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

sk_separator sk_separator_between(sk_slice left, sk_slice right)
{
    size_t common = 0;
    while (common < left.size && common < right.size && left.data[common] == right.data[common]) common++;
    SK_ASSERT(common < right.size && (common == left.size || left.data[common] < right.data[common]));
    sk_separator separator = {0};
    sk_slice bytes = sk_slice_make(right.data, common + 1);
    if (bytes.size <= SK_SEPARATOR_INLINE_MAX) {
        separator.size = (uint8_t)bytes.size;
        memcpy(separator.bytes, bytes.data, bytes.size);
    } else {
        sk_blob *blob = sk_blob_make(bytes);
        separator.size = SK_SEPARATOR_IN_BLOB;
        memcpy(separator.bytes, &blob, sizeof blob);
    }
    return separator;
}

sk_blob *sk_separator_blob(const sk_separator *separator)
{
    sk_blob *blob = NULL;
    if (separator->size == SK_SEPARATOR_IN_BLOB) memcpy(&blob, separator->bytes, sizeof blob);
    return blob;
}

void sk_separator_release(sk_separator *separator)
{
    sk_blob *blob = sk_separator_blob(separator);
    if (blob) sk_blob_release(blob);
    *separator = (sk_separator){0};
}

sk_slice sk_separator_slice(const sk_separator *separator)
{
    if (separator->size == SK_SEPARATOR_IN_BLOB) return sk_blob_slice(sk_separator_blob(separator));
    return sk_slice_make(separator->bytes, separator->size);
}

uint64_t sk_node_entries(const sk_tree_node *node)
{
    if (node->level == 0) return node->count;
    const sk_inner *inner = sk_inner_of(node);
    uint64_t entries = 0;
    for (uint32_t i = 0; i < node->count; i++) entries += inner->entries[i];
    return entries;
}

sk_inner *sk_inner_open(uint8_t level)
{
    SK_ASSERT(level > 0 && level < SK_TREE_DEPTH_MAX);
    sk_inner *inner = sk_alloc(sizeof *inner);
    inner->node = (sk_tree_node){.references = 1, .level = level};
    return inner;
}

sk_inner *sk_inner_copy(const sk_inner *inner)
{
    sk_inner *copy = sk_inner_open(inner->node.level);
    uint32_t count = inner->node.count;
    copy->node.count = inner->node.count;
    memcpy(copy->child, inner->child, count * sizeof inner->child[0]);
    memcpy(copy->entries, inner->entries, count * sizeof inner->entries[0]);
    memcpy(copy->separator, inner->separator, count * sizeof inner->separator[0]);
    for (uint32_t i = 0; i < count; i++) {
        sk_node_retain(copy->child[i]);
        sk_blob *blob = sk_separator_blob(&copy->separator[i]);
        if (blob) sk_blob_retain(blob);
    }
    return copy;
}

void sk_inner_free(sk_inner *inner)
{
    sk_free(inner);
}

uint32_t sk_inner_find(const sk_inner *inner, sk_slice key)
{
    uint32_t low = 1, high = inner->node.count; // the first separator above the key
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sk_slice_compare(sk_separator_slice(&inner->separator[middle]), key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

void sk_inner_insert(sk_inner *inner, uint32_t at, sk_tree_node *child, sk_separator separator)
{
    SK_ASSERT(inner->node.references == 1);
    SK_ASSERT(inner->node.count < SK_INNER_CHILDREN_MAX && at <= inner->node.count);
    uint32_t behind = inner->node.count - at;
    memmove(&inner->child[at + 1], &inner->child[at], behind * sizeof inner->child[0]);
    memmove(&inner->entries[at + 1], &inner->entries[at], behind * sizeof inner->entries[0]);
    memmove(&inner->separator[at + 1], &inner->separator[at], behind * sizeof inner->separator[0]);
    inner->child[at] = child;
    inner->entries[at] = sk_node_entries(child);
    inner->separator[at] = separator;
    inner->node.count++;
}

void sk_inner_cut(sk_inner *inner, uint32_t at)
{
    SK_ASSERT(inner->node.references == 1 && at > 0 && at < inner->node.count);
    sk_separator_release(&inner->separator[at]);
    inner->node.count--;
    uint32_t behind = inner->node.count - at;
    memmove(&inner->child[at], &inner->child[at + 1], behind * sizeof inner->child[0]);
    memmove(&inner->entries[at], &inner->entries[at + 1], behind * sizeof inner->entries[0]);
    memmove(&inner->separator[at], &inner->separator[at + 1], behind * sizeof inner->separator[0]);
}

// Moves children from `from` (of `source`, up to its end) behind the last of `target`.
static void move_tail(sk_inner *target, sk_inner *source, uint32_t from)
{
    uint32_t count = source->node.count - from, at = target->node.count;
    SK_ASSERT(at + count <= SK_INNER_CHILDREN_MAX);
    memcpy(&target->child[at], &source->child[from], count * sizeof source->child[0]);
    memcpy(&target->entries[at], &source->entries[from], count * sizeof source->entries[0]);
    memcpy(&target->separator[at], &source->separator[from], count * sizeof source->separator[0]);
    target->node.count = (uint16_t)(at + count);
    source->node.count = (uint16_t)from;
}

static sk_separator take_first_separator(sk_inner *inner)
{
    sk_separator first = inner->separator[0];
    inner->separator[0] = (sk_separator){0};
    return first;
}

sk_inner *sk_inner_split(sk_inner *inner, uint32_t at, sk_tree_node *child, sk_separator separator,
                         sk_separator *up)
{
    SK_ASSERT(inner->node.count == SK_INNER_CHILDREN_MAX && at > 0);
    uint32_t left = SK_INNER_CHILDREN_MAX / 2;
    if (at == SK_INNER_CHILDREN_MAX) left = SK_INNER_CHILDREN_MAX - SK_INNER_CHILDREN_MIN;
    sk_inner *right = sk_inner_open(inner->node.level);
    move_tail(right, inner, left);
    if (at > left) {
        sk_inner_insert(right, at - left, child, separator);
    } else {
        sk_inner_insert(inner, at, child, separator);
    }
    *up = take_first_separator(right);
    return right;
}

bool sk_inner_join(sk_inner *left, sk_inner *right, sk_separator between, sk_separator *up)
{
    SK_ASSERT(left->node.references == 1 && right->node.references == 1);
    uint32_t sum = (uint32_t)left->node.count + right->node.count;
    right->separator[0] = between;
    if (sum <= SK_INNER_CHILDREN_MAX) {
        move_tail(left, right, 0);
        return true;
    }
    if (left->node.count < sum / 2) {
        uint32_t count = sum / 2 - left->node.count;
        sk_inner *rest = sk_inner_open(right->node.level);
        move_tail(rest, right, count);
        move_tail(left, right, 0);
        move_tail(right, rest, 0);
        sk_inner_free(rest);
    } else {
        sk_inner *rest = sk_inner_open(right->node.level);
        move_tail(rest, right, 0);
        move_tail(right, left, sum / 2);
        move_tail(right, rest, 0);
        sk_inner_free(rest);
    }
    *up = take_first_separator(right);
    return false;
}
