// Prefixes: what the keys of a node have in common.
#include "data/tree_node.h"

size_t sk_common_prefix(sk_slice a, sk_slice b)
{
    size_t most = a.size < b.size ? a.size : b.size, common = 0;
    if (most > SK_PREFIX_MAX) most = SK_PREFIX_MAX;
    while (common < most && a.data[common] == b.data[common]) common++;
    return common;
}

int sk_prefix_order(sk_slice key, sk_slice known, size_t prefix)
{
    size_t both = key.size < prefix ? key.size : prefix;
    int order = both ? memcmp(key.data, known.data, both) : 0;
    if (order == 0) return key.size < prefix ? -1 : 0;
    return order < 0 ? -1 : 1;
}
