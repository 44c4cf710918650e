// The tree's operations. A write finds its path first, reading only; then owns it (copies what is shared,
// from the root down); then changes the leaf; then splits or joins upwards.
#include "data/tree.h"

#include "base/assert.h"
#include "data/tree_node.h"

void sk_tree_init(sk_tree *tree, sk_tree_garbage *garbage)
{
    *tree = (sk_tree){.garbage = garbage};
}

void sk_tree_drop(sk_tree *tree)
{
    if (tree->root) sk_node_release(tree->garbage, tree->root);
    sk_tree_init(tree, tree->garbage);
}

sk_tree sk_tree_snapshot(sk_tree *tree)
{
    if (tree->root) sk_node_retain(tree->root);
    return *tree;
}

// Down to the leaf where the key is or belongs. The tree is not empty.
static bool find(const sk_tree *tree, sk_slice key, sk_path *path)
{
    sk_tree_node *node = tree->root;
    path->depth = 0;
    for (;;) {
        SK_ASSERT(path->depth < SK_TREE_DEPTH_MAX);
        uint32_t depth = path->depth++;
        path->node[depth] = node;
        if (node->level == 0) return sk_leaf_find(sk_leaf_of(node), key, &path->at[depth]);
        const sk_inner *inner = sk_inner_of(node);
        path->at[depth] = sk_inner_find(inner, key);
        node = inner->child[path->at[depth]];
        sk_node_prefetch(node);
    }
}

static void read_value(const sk_leaf *leaf, uint32_t index, sk_value *out)
{
    sk_entry entry;
    sk_cell_read(sk_leaf_cell(leaf, index), &entry);
    *out = entry.value;
}

bool sk_tree_look(const sk_tree *tree, sk_slice key, sk_tree_place *place, sk_value *out)
{
    place->depth = 0;
    place->found = tree->root && find(tree, key, place);
    if (place->found) read_value(sk_leaf_of(place->node[place->depth - 1]), place->at[place->depth - 1], out);
    return place->found;
}

void sk_tree_prefetch(const sk_tree *tree, const sk_slice *keys, size_t count)
{
    const sk_tree_node *node[SK_TREE_TOGETHER];
    SK_ASSERT(count <= SK_TREE_TOGETHER);
    if (!tree->root) return;
    for (size_t i = 0; i < count; i++) node[i] = tree->root;
    for (int level = tree->root->level; level > 0; level--) {
        for (size_t i = 0; i < count; i++) {
            node[i] = sk_inner_of(node[i])->child[sk_inner_find(sk_inner_of(node[i]), keys[i])];
            sk_node_prefetch(node[i]);
        }
    }
    for (size_t i = 0; i < count; i++) sk_leaf_prefetch(sk_leaf_of(node[i]), keys[i]);
}

bool sk_tree_get(const sk_tree *tree, sk_slice key, sk_value *out)
{
    sk_tree_node *node = tree->root;
    if (!node) return false;
    while (node->level > 0) {
        node = sk_inner_of(node)->child[sk_inner_find(sk_inner_of(node), key)];
        sk_node_prefetch(node);
    }
    uint32_t index;
    if (!sk_leaf_find(sk_leaf_of(node), key, &index)) return false;
    read_value(sk_leaf_of(node), index, out);
    return true;
}

// A node of the path has another address.
static void set_node(sk_tree *tree, sk_path *path, uint32_t level, sk_tree_node *node)
{
    path->node[level] = node;
    if (level == 0) {
        tree->root = node;
    } else {
        sk_inner_of(path->node[level - 1])->child[path->at[level - 1]] = node;
    }
}

static sk_tree_node *copy_node(const sk_tree_node *node)
{
    return node->level == 0 ? &sk_leaf_copy(sk_leaf_of(node))->node : &sk_inner_copy(sk_inner_of(node))->node;
}

// Copies what is shared on the path.
static void own(sk_tree *tree, sk_path *path)
{
    for (uint32_t i = 0; i < path->depth; i++) {
        sk_tree_node *node = path->node[i];
        if (node->references == 1) continue;
        set_node(tree, path, i, copy_node(node));
        sk_node_release(tree->garbage, node); // others hold it, and with it all that a slice may point into
    }
}

static void change_entries(const sk_path *path, int by)
{
    for (uint32_t i = 0; i + 1 < path->depth; i++) {
        uint64_t *entries = &sk_inner_of(path->node[i])->entries[path->at[i]];
        *entries = *entries + (uint64_t)(int64_t)by;
    }
}

// The node at `level` has got a right sibling; the parents take it in, or split too.
static void take_in(sk_tree *tree, sk_path *path, uint32_t level, sk_tree_node *right, sk_separator separator)
{
    for (; level > 0; level--) {
        sk_inner *parent = sk_inner_of(path->node[level - 1]);
        uint32_t at = path->at[level - 1];
        parent->entries[at] = sk_node_entries(parent->child[at]);
        if (parent->node.count < SK_INNER_CHILDREN_MAX) {
            sk_inner_insert(parent, at + 1, right, separator);
            return;
        }
        sk_separator up;
        right = &sk_inner_split(parent, at + 1, right, separator, &up)->node;
        separator = up;
    }
    sk_inner *root = sk_inner_open((uint8_t)(right->level + 1));
    sk_inner_insert(root, 0, tree->root, (sk_separator){0});
    sk_inner_insert(root, 1, right, separator);
    tree->root = &root->node;
}

static sk_separator separator_of(const sk_cells *cells, uint32_t left)
{
    return sk_separator_between(sk_cell_key(cells->cell[left - 1]), sk_cell_key(cells->cell[left]));
}

// Inserts where the path points. Splits the leaf if it must.
static void insert(sk_tree *tree, sk_path *path, const sk_entry *entry)
{
    uint32_t level = path->depth - 1, index = path->at[level];
    sk_leaf *leaf = sk_leaf_of(path->node[level]);
    size_t size = sk_cell_size(entry);
    if (sk_leaf_bytes(leaf) + size + SK_SLOT_SIZE <= SK_LEAF_BYTES_MAX) {
        set_node(tree, path, level, &sk_leaf_insert(leaf, index, entry)->node);
        return;
    }
    uint8_t cell[SK_CELL_SIZE_MAX];
    sk_cell_write(cell, entry);
    sk_cells cells;
    cells.count = 0;
    cells.bytes = 0;
    sk_cells_add_leaf(&cells, leaf, 0, index);
    sk_cells_add(&cells, cell, size);
    sk_cells_add_leaf(&cells, leaf, index, leaf->node.count);
    enum sk_split how = index == leaf->node.count ? SK_SPLIT_FULL_LEFT
                        : index == 0              ? SK_SPLIT_FULL_RIGHT
                                                  : SK_SPLIT_EVEN;
    uint32_t left = sk_cells_split(&cells, how);
    sk_separator separator = separator_of(&cells, left);
    sk_leaf *right = sk_cells_build(&cells, left, cells.count);
    set_node(tree, path, level, &sk_cells_build(&cells, 0, left)->node);
    sk_leaf_free(leaf);
    take_in(tree, path, level, &right->node, separator);
}

static void replace(sk_tree *tree, sk_path *path, sk_entry *entry)
{
    uint32_t level = path->depth - 1, index = path->at[level];
    sk_leaf *leaf = sk_leaf_of(path->node[level]);
    sk_entry old;
    sk_cell_read(sk_leaf_cell(leaf, index), &old);
    entry->key_blob = old.key_blob;
    sk_entry_prepare(entry);
    tree->bytes += entry->value.bytes.size - old.value.bytes.size;
    if (sk_leaf_overwrite(leaf, index, entry)) {
        leaf = sk_leaf_shrink(leaf);
        set_node(tree, path, level, &leaf->node);
        if (sk_leaf_bytes(leaf) < SK_LEAF_BYTES_MIN) sk_tree_mend(tree, path, level);
    } else {
        sk_leaf_cut(leaf, index);
        insert(tree, path, entry);
    }
    if (old.value_blob) sk_blob_release(old.value_blob);
}

static bool inside(sk_slice slice, const sk_leaf *leaf)
{
    uintptr_t at = (uintptr_t)slice.data, start = (uintptr_t)leaf;
    return slice.size > 0 && at >= start && at < start + leaf->capacity;
}

// What points into the leaf that is about to change is copied into `room`.
static sk_slice save(sk_slice slice, const sk_leaf *leaf, uint8_t *room, size_t size)
{
    if (!inside(slice, leaf)) return slice;
    SK_ASSERT(slice.size <= size);
    memcpy(room, slice.data, slice.size);
    return sk_slice_make(room, slice.size);
}

bool sk_tree_put(sk_tree *tree, sk_slice key, sk_value value)
{
    sk_tree_place place;
    sk_value old;
    sk_tree_look(tree, key, &place, &old);
    return sk_tree_put_at(tree, &place, key, value);
}

bool sk_tree_put_at(sk_tree *tree, const sk_tree_place *place, sk_slice key, sk_value value)
{
    SK_ASSERT(key.size <= SK_TREE_KEY_MAX);
    SK_ASSERT((place->depth == 0) == (tree->root == NULL) && (!place->depth || place->node[0] == tree->root));
    sk_path path = *place;
    if (!tree->root) {
        tree->root = &sk_leaf_open(0)->node;
        find(tree, key, &path);
    }
    own(tree, &path);
    const sk_leaf *leaf = sk_leaf_of(path.node[path.depth - 1]);
    uint8_t key_room[SK_VALUE_INLINE_MAX], value_room[SK_VALUE_INLINE_MAX];
    sk_entry entry = {.key = save(key, leaf, key_room, sizeof key_room), .value = value};
    entry.value.bytes = save(value.bytes, leaf, value_room, sizeof value_room);
    if (place->found) {
        replace(tree, &path, &entry);
        return false;
    }
    sk_entry_prepare(&entry);
    tree->count++;
    tree->bytes += key.size + value.bytes.size;
    change_entries(&path, 1);
    insert(tree, &path, &entry);
    return true;
}

bool sk_tree_set_meta(sk_tree *tree, sk_slice key, uint64_t meta)
{
    sk_path path;
    if (!tree->root || !find(tree, key, &path)) return false;
    uint32_t level = path.depth - 1, index = path.at[level];
    sk_entry entry;
    sk_cell_read(sk_leaf_cell(sk_leaf_of(path.node[level]), index), &entry);
    if (entry.value.meta == meta) return true;
    own(tree, &path);
    sk_leaf *leaf = sk_leaf_of(path.node[level]);
    if (sk_cell_change_meta((uint8_t *)leaf + sk_leaf_slots(leaf)[index], meta)) return true;
    uint8_t cell[SK_CELL_SIZE_MAX];
    memcpy(cell, sk_leaf_cell(leaf, index), sk_cell_read(sk_leaf_cell(leaf, index), &entry));
    sk_cell_read(cell, &entry);
    entry.value.meta = meta;
    if (sk_leaf_overwrite(leaf, index, &entry)) {
        if (sk_leaf_bytes(leaf) < SK_LEAF_BYTES_MIN) sk_tree_mend(tree, &path, level);
    } else {
        sk_leaf_cut(leaf, index);
        insert(tree, &path, &entry);
    }
    return true;
}

bool sk_tree_remove(sk_tree *tree, sk_slice key)
{
    sk_path path;
    if (!tree->root || !find(tree, key, &path)) return false;
    uint32_t level = path.depth - 1;
    own(tree, &path);
    sk_leaf *leaf = sk_leaf_of(path.node[level]);
    sk_entry entry;
    sk_cell_read(sk_leaf_cell(leaf, path.at[level]), &entry);
    tree->count--;
    tree->bytes -= entry.key.size + entry.value.bytes.size;
    change_entries(&path, -1);
    sk_leaf_cut(leaf, path.at[level]);
    sk_entry_release(&entry);
    leaf = sk_leaf_shrink(leaf);
    set_node(tree, &path, level, &leaf->node);
    if (sk_leaf_bytes(leaf) < SK_LEAF_BYTES_MIN) sk_tree_mend(tree, &path, level);
    return true;
}

// Child `at` of an owned parent, itself owned.
static sk_tree_node *own_child(sk_tree *tree, sk_inner *parent, uint32_t at)
{
    sk_tree_node *child = parent->child[at];
    if (child->references == 1) return child;
    parent->child[at] = copy_node(child);
    sk_node_release(tree->garbage, child);
    return parent->child[at];
}

// Both leaves are built anew, or one of them; true: all is in the left one. Else `between` is the new
// separator.
static bool join_leaves(sk_inner *parent, uint32_t at, sk_separator *between)
{
    sk_leaf *left = sk_leaf_of(parent->child[at]), *right = sk_leaf_of(parent->child[at + 1]);
    sk_cells cells;
    cells.count = 0;
    cells.bytes = 0;
    sk_cells_add_leaf(&cells, left, 0, left->node.count);
    sk_cells_add_leaf(&cells, right, 0, right->node.count);
    bool one = cells.bytes <= SK_LEAF_BYTES_MAX;
    uint32_t cut = one ? cells.count : sk_cells_split(&cells, SK_SPLIT_EVEN);
    parent->child[at] = &sk_cells_build(&cells, 0, cut)->node;
    parent->child[at + 1] = NULL;
    if (!one) {
        *between = separator_of(&cells, cut);
        parent->child[at + 1] = &sk_cells_build(&cells, cut, cells.count)->node;
    }
    sk_leaf_free(left);
    sk_leaf_free(right);
    return one;
}

// Children `at` and `at + 1` become one, or share what they have evenly.
static void join(sk_tree *tree, sk_inner *parent, uint32_t at)
{
    sk_tree_node *left = own_child(tree, parent, at), *right = own_child(tree, parent, at + 1);
    sk_separator old = parent->separator[at + 1], new = {0};
    bool one;
    if (left->level == 0) {
        one = join_leaves(parent, at, &new);
        sk_separator_release(&old);
    } else {
        one = sk_inner_join(sk_inner_of(left), sk_inner_of(right), old, &new);
        if (one) sk_inner_free(sk_inner_of(right));
    }
    parent->separator[at + 1] = (sk_separator){0};
    parent->entries[at] = sk_node_entries(parent->child[at]);
    if (one) {
        sk_inner_cut(parent, at + 1);
    } else {
        parent->entries[at + 1] = sk_node_entries(parent->child[at + 1]);
        sk_inner_set_separator(parent, at + 1, new);
    }
}

void sk_tree_mend(sk_tree *tree, sk_path *path, uint32_t level)
{
    for (; level > 0; level--) {
        const sk_tree_node *node = path->node[level];
        bool enough = node->level == 0 ? sk_leaf_bytes(sk_leaf_of(node)) >= SK_LEAF_BYTES_MIN
                                       : node->count >= SK_INNER_CHILDREN_MIN;
        if (enough) return;
        sk_inner *parent = sk_inner_of(path->node[level - 1]);
        uint32_t at = path->at[level - 1];
        join(tree, parent, at > 0 ? at - 1 : at);
    }
    if (tree->root->level == 0 && tree->root->count == 0) {
        sk_leaf_free(sk_leaf_of(tree->root));
        tree->root = NULL;
    }
    while (tree->root && tree->root->level > 0 && tree->root->count == 1) {
        sk_inner *old = sk_inner_of(tree->root);
        tree->root = old->child[0];
        sk_inner_free(old);
    }
}
