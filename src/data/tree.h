// The one data structure: an ordered, counted, copy-on-write B+tree from byte strings to values.
//
//              [ inner: count of each child, separators ]
//               /            |            \                 a node is shared when more than one parent or root
//          [ leaf ]       [ leaf ]       [ leaf ]            counts it; a shared node is copied before it is written
//
// A snapshot is one more count on the root: O(1). Counts are plain integers: a tree and all its snapshots live on one
// thread. Inner nodes keep the number of entries below each child, so rank and index are O(log n).
//
// Values: up to SK_VALUE_INLINE_MAX bytes are kept in the leaf; larger ones are a counted object that copies share.
//
// Invariants (sk_tree_check): keys strictly ascend; counts are exact; all leaves at one depth; every node but the root at
// least a quarter full by bytes; no node unreachable.
//
// Memory that a drop makes unreachable goes to a garbage list and is given back in slices by sk_tree_collect.
#ifndef SK_DATA_TREE_H
#define SK_DATA_TREE_H

#include <stdbool.h>
#include "base/bytes.h"

enum { SK_VALUE_INLINE_MAX = 1023, SK_TREE_KEY_MAX = 512 * 1024 * 1024 };

typedef struct sk_tree_node sk_tree_node; // private to data/tree*.c

// What an entry holds. `tag` and `meta` belong to the user of the tree (a value type; a deadline).
typedef struct sk_value {
    sk_slice bytes;
    uint64_t meta; // kept compactly: costs memory only when not 0
    uint8_t tag;
} sk_value;

typedef struct sk_tree_garbage {
    sk_tree_node **list;
    size_t count, capacity;
} sk_tree_garbage;

typedef struct sk_tree {
    sk_tree_node *root; // NULL: empty
    uint64_t count;
    uint64_t bytes;     // of all keys and values: logical size, equal on every replica that holds the same entries
    sk_tree_garbage *garbage;
} sk_tree;

void sk_tree_init(sk_tree *tree, sk_tree_garbage *garbage); // garbage outlives the tree; may be shared by many trees
void sk_tree_drop(sk_tree *tree);                           // O(1); empty afterwards
// A second tree with the same entries, O(1). Either may be written; neither sees the other's writes.
sk_tree sk_tree_snapshot(sk_tree *tree);

// Borrowed until the next write to this tree.
bool sk_tree_get(const sk_tree *tree, sk_slice key, sk_value *out);
// Inserts or replaces; copies key and value. `value.bytes` and `key` may point into this very tree. True if it was new.
bool sk_tree_put(sk_tree *tree, sk_slice key, sk_value value);
// A place: where a key is, or would be. Looking first and putting there costs one way down instead of two. It holds until the
// tree is next written.
enum { SK_TREE_DEPTH_MAX = 24 };
typedef struct sk_tree_place {
    sk_tree_node *node[SK_TREE_DEPTH_MAX];
    uint32_t at[SK_TREE_DEPTH_MAX]; // which child; in the leaf which entry
    uint32_t depth;                 // 0: the tree is empty
    bool found;
} sk_tree_place;
bool sk_tree_look(const sk_tree *tree, sk_slice key, sk_tree_place *place, sk_value *out); // as get
bool sk_tree_put_at(sk_tree *tree, const sk_tree_place *place, sk_slice key, sk_value value); // as put
// Asks for the memory that looks at these keys will read, at most SK_TREE_TOGETHER: on each level they wait for it together.
enum { SK_TREE_TOGETHER = 8 };
void sk_tree_prefetch(const sk_tree *tree, const sk_slice *keys, size_t count);
// Changes meta alone (the bytes stay where they are). False if there is no such key.
bool sk_tree_set_meta(sk_tree *tree, sk_slice key, uint64_t meta);
bool sk_tree_remove(sk_tree *tree, sk_slice key); // false if there was none

// Order statistics, O(log n).
uint64_t sk_tree_rank(const sk_tree *tree, sk_slice key);  // entries with a smaller key
bool sk_tree_at(const sk_tree *tree, uint64_t index, sk_slice *key, sk_value *value); // the index-th, from 0

// A cursor over a tree that is not written meanwhile (take a snapshot to be free of that). It stands between two entries,
// where seek put it; each next gives the entry behind it and steps over it, each previous the one before it, borrowed, until
// false at the end.
typedef struct sk_tree_cursor {
    const sk_tree *tree;
    const sk_tree_node *node[SK_TREE_DEPTH_MAX];
    uint32_t at[SK_TREE_DEPTH_MAX];
    uint32_t depth;
} sk_tree_cursor;
void sk_tree_seek(sk_tree_cursor *cursor, const sk_tree *tree, sk_slice from); // first key >= from; empty slice: the first
void sk_tree_seek_at(sk_tree_cursor *cursor, const sk_tree *tree, uint64_t index); // before the index-th; at most the end
bool sk_tree_next(sk_tree_cursor *cursor, sk_slice *key, sk_value *value);     // either out may be NULL
bool sk_tree_previous(sk_tree_cursor *cursor, sk_slice *key, sk_value *value); // either out may be NULL

// Building from entries that come in ascending order, with full nodes: what restore uses. Key not above the last:
// false, and the builder must be dropped. finish moves the result into `tree`, which must be empty.
typedef struct sk_tree_builder sk_tree_builder;
sk_tree_builder *sk_tree_builder_open(sk_tree_garbage *garbage);
bool sk_tree_builder_add(sk_tree_builder *builder, sk_slice key, sk_value value);
void sk_tree_builder_finish(sk_tree_builder *builder, sk_tree *tree);
void sk_tree_builder_drop(sk_tree_builder *builder);

// Gives back up to `budget` nodes. True: there is more.
bool sk_tree_collect(sk_tree_garbage *garbage, size_t budget);
void sk_tree_garbage_deinit(sk_tree_garbage *garbage); // collects all

uint64_t sk_tree_digest(const sk_tree *tree); // O(n): for tests and snapshots
size_t sk_tree_memory(const sk_tree *tree);   // real bytes, O(n): for benchmarks and tests
void sk_tree_check(const sk_tree *tree);      // aborts if an invariant does not hold

#endif
