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
    copy->node.prefix = inner->node.prefix;
    memcpy(copy->hint, inner->hint, count * sizeof inner->hint[0]);
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
    uint32_t count = inner->node.count;
    size_t prefix = inner->node.prefix;
    if (count < 2) return 0;
    if (prefix > 0) {
        int order = sk_prefix_order(key, sk_separator_slice(&inner->separator[1]), prefix);
        if (order != 0) return order < 0 ? 0 : count - 1;
    }
    uint32_t wanted = sk_hint_of(key, prefix);
    uint32_t low = 1 + sk_hints_below(inner->hint + 1, count - 1, wanted);
    uint32_t high = low;
    if (low < count && inner->hint[low] == wanted) {
        high =
            wanted == UINT32_MAX ? count : low + sk_hints_below(inner->hint + low, count - low, wanted + 1);
    }
    while (low < high) { // the first separator above the key, among those with an equal hint
        uint32_t middle = (low + high) / 2;
        if (sk_slice_compare(sk_separator_slice(&inner->separator[middle]), key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

// Prefix and hints as the separators are now.
static void make_hints(sk_inner *inner)
{
    uint32_t count = inner->node.count;
    inner->hint[0] = 0;
    inner->node.prefix = 0;
    if (count < 2) return;
    inner->node.prefix = (uint8_t)sk_common_prefix(sk_separator_slice(&inner->separator[1]),
                                                   sk_separator_slice(&inner->separator[count - 1]));
    for (uint32_t i = 1; i < count; i++) {
        inner->hint[i] = sk_hint_of(sk_separator_slice(&inner->separator[i]), inner->node.prefix);
    }
}

// The hint of separator `at`, which is new.
static void make_hint(sk_inner *inner, uint32_t at)
{
    sk_slice separator = sk_separator_slice(&inner->separator[at]);
    uint32_t other = at > 1 ? 1 : 2;
    if (inner->node.count <= other ||
        sk_common_prefix(separator, sk_separator_slice(&inner->separator[other])) < inner->node.prefix) {
        make_hints(inner);
    } else {
        inner->hint[at] = sk_hint_of(separator, inner->node.prefix);
    }
}

void sk_inner_set_separator(sk_inner *inner, uint32_t at, sk_separator separator)
{
    SK_ASSERT(inner->node.references == 1 && at > 0 && at < inner->node.count);
    inner->separator[at] = separator;
    make_hint(inner, at);
}

void sk_inner_insert(sk_inner *inner, uint32_t at, sk_tree_node *child, sk_separator separator)
{
    SK_ASSERT(inner->node.references == 1);
    SK_ASSERT(inner->node.count < SK_INNER_CHILDREN_MAX && at <= inner->node.count);
    SK_ASSERT(at > 0 || inner->node.count == 0);
    uint32_t behind = inner->node.count - at;
    memmove(&inner->hint[at + 1], &inner->hint[at], behind * sizeof inner->hint[0]);
    memmove(&inner->child[at + 1], &inner->child[at], behind * sizeof inner->child[0]);
    memmove(&inner->entries[at + 1], &inner->entries[at], behind * sizeof inner->entries[0]);
    memmove(&inner->separator[at + 1], &inner->separator[at], behind * sizeof inner->separator[0]);
    inner->child[at] = child;
    inner->entries[at] = sk_node_entries(child);
    inner->separator[at] = separator;
    inner->node.count++;
    if (at > 0) make_hint(inner, at);
}

void sk_inner_cut(sk_inner *inner, uint32_t at)
{
    SK_ASSERT(inner->node.references == 1 && at > 0 && at < inner->node.count);
    sk_separator_release(&inner->separator[at]);
    inner->node.count--;
    uint32_t behind = inner->node.count - at;
    memmove(&inner->hint[at], &inner->hint[at + 1], behind * sizeof inner->hint[0]);
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
    *up = take_first_separator(right);
    make_hints(inner);
    make_hints(right);
    if (at > left) {
        sk_inner_insert(right, at - left, child, separator);
    } else {
        sk_inner_insert(inner, at, child, separator);
    }
    return right;
}

bool sk_inner_join(sk_inner *left, sk_inner *right, sk_separator between, sk_separator *up)
{
    SK_ASSERT(left->node.references == 1 && right->node.references == 1);
    uint32_t sum = (uint32_t)left->node.count + right->node.count;
    right->separator[0] = between;
    if (sum <= SK_INNER_CHILDREN_MAX) {
        move_tail(left, right, 0);
        make_hints(left);
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
    make_hints(left);
    make_hints(right);
    return false;
}

void sk_inner_check(const sk_inner *inner)
{
    SK_ASSERT(inner->node.level > 0 && inner->node.level < SK_TREE_DEPTH_MAX);
    SK_ASSERT(sk_separator_slice(&inner->separator[0]).size == 0);
    for (uint32_t i = 1; i < inner->node.count; i++) {
        sk_slice separator = sk_separator_slice(&inner->separator[i]);
        SK_ASSERT(inner->hint[i] == sk_hint_of(separator, inner->node.prefix));
        SK_ASSERT(sk_common_prefix(separator, sk_separator_slice(&inner->separator[1])) >=
                  inner->node.prefix);
    }
}
