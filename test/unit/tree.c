// The tree against a dumb second version: a sorted array of entries.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/prng.h"
#include "data/tree.h"

typedef struct item {
    uint32_t references;
    uint8_t tag;
    uint64_t meta;
    size_t key_size, value_size;
    uint8_t bytes[]; // key, value
} item;

typedef struct model {
    item **items;
    size_t count, capacity;
} model;

static sk_slice item_key(const item *i)
{
    return sk_slice_make(i->bytes, i->key_size);
}

static sk_slice item_value(const item *i)
{
    return sk_slice_make(i->bytes + i->key_size, i->value_size);
}

static item *item_make(sk_slice key, sk_slice value, uint64_t meta, uint8_t tag)
{
    item *new = malloc(sizeof *new + key.size + value.size);
    assert_non_null(new);
    *new = (item){.references = 1, .tag = tag, .meta = meta, .key_size = key.size, .value_size = value.size};
    if (key.size) memcpy(new->bytes, key.data, key.size);
    if (value.size) memcpy(new->bytes + key.size, value.data, value.size);
    return new;
}

static void item_release(item *i)
{
    if (--i->references == 0) free(i);
}

static size_t model_rank(const model *m, sk_slice key)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sk_slice_compare(item_key(m->items[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static item *model_get(const model *m, sk_slice key)
{
    size_t at = model_rank(m, key);
    return at < m->count && sk_slice_equal(item_key(m->items[at]), key) ? m->items[at] : NULL;
}

static void model_put(model *m, item *new)
{
    size_t at = model_rank(m, item_key(new));
    if (at < m->count && sk_slice_equal(item_key(m->items[at]), item_key(new))) {
        item_release(m->items[at]);
        m->items[at] = new;
        return;
    }
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 16;
        m->items = realloc(m->items, m->capacity * sizeof *m->items);
        assert_non_null(m->items);
    }
    memmove(&m->items[at + 1], &m->items[at], (m->count - at) * sizeof *m->items);
    m->items[at] = new;
    m->count++;
}

static void model_remove(model *m, size_t at)
{
    item_release(m->items[at]);
    m->count--;
    memmove(&m->items[at], &m->items[at + 1], (m->count - at) * sizeof *m->items);
}

static model model_snapshot(const model *m)
{
    model copy = {
        .items = malloc((m->count + 1) * sizeof *m->items), .count = m->count, .capacity = m->count + 1};
    assert_non_null(copy.items);
    for (size_t i = 0; i < m->count; i++) {
        copy.items[i] = m->items[i];
        m->items[i]->references++;
    }
    return copy;
}

static void model_drop(model *m)
{
    for (size_t i = 0; i < m->count; i++) item_release(m->items[i]);
    free(m->items);
    *m = (model){0};
}

static void assert_same(const item *i, sk_slice key, sk_value value)
{
    assert_true(sk_slice_equal(item_key(i), key));
    assert_true(sk_slice_equal(item_value(i), value.bytes));
    assert_int_equal(i->meta, value.meta);
    assert_int_equal(i->tag, value.tag);
}

// Everything equal, read in both directions.
static void compare(const sk_tree *tree, const model *m)
{
    sk_tree_check(tree);
    assert_int_equal(tree->count, m->count);
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    uint64_t bytes = 0;
    sk_tree_seek(&cursor, tree, (sk_slice){0});
    for (size_t i = 0; i < m->count; i++) {
        assert_true(sk_tree_next(&cursor, &key, &value));
        assert_same(m->items[i], key, value);
        bytes += m->items[i]->key_size + m->items[i]->value_size;
    }
    assert_false(sk_tree_next(&cursor, &key, &value));
    assert_false(sk_tree_next(&cursor, &key, &value));
    for (size_t i = m->count; i > 0; i--) {
        assert_true(sk_tree_previous(&cursor, &key, &value));
        assert_same(m->items[i - 1], key, value);
    }
    assert_false(sk_tree_previous(&cursor, &key, &value));
    assert_int_equal(tree->bytes, bytes);
}

// ---- Random operations ----

enum key_kind { PLAIN, SAME_PREFIX, LONG_PREFIX, ZEROS_AND_ONES };

typedef struct profile {
    const char *name;
    enum key_kind kind;
    uint64_t keys;       // how many different ones
    size_t key_size_max; // filled up to some size that the key's number fixes
    size_t value_size_max;
    unsigned steps;
    unsigned put_parts, remove_parts; // of 100; the phases swap them so that the tree grows and shrinks
} profile;

static const profile profiles[] = {
    {"tiny", PLAIN, 300, 3, 4, 6000, 60, 30},
    {"common", PLAIN, 2500, 24, 120, 12000, 60, 30},
    {"fat cells", PLAIN, 1500, 500, 1100, 6000, 65, 25},
    {"blobs", PLAIN, 250, 900, 3000, 3000, 55, 30},
    {"same prefix", SAME_PREFIX, 1500, 60, 30, 8000, 60, 30},
    {"long prefix", LONG_PREFIX, 800, 10, 30, 4000, 60, 30},
    {"zeros and ones", ZEROS_AND_ONES, 4000, 0, 20, 12000, 65, 25},
};

enum { SNAPSHOTS = 4 };

typedef struct run {
    const profile *profile;
    sk_prng prng;
    sk_tree_garbage garbage;
    sk_tree tree;
    model model;
    sk_tree snapshot[SNAPSHOTS];
    model snapshot_model[SNAPSHOTS];
    uint8_t key[1200], value[4000];
    bool shrinking;
} run;

// The key of a number. Its size and its bytes follow from the number alone.
static sk_slice key_of(run *r, uint64_t number)
{
    sk_prng shape;
    sk_prng_init(&shape, number * 7919 + 1);
    size_t size = 0, filled = 0;
    switch (r->profile->kind) {
    case PLAIN:
        break;
    case SAME_PREFIX:
        size = (size_t)snprintf((char *)r->key, sizeof r->key, "telemetry/site-%04u/gateway/",
                                (unsigned)number % 7);
        break;
    case LONG_PREFIX: // more than a node can say that its keys have in common
        size = 250 + number % 3 * 20;
        memset(r->key, 'p', size);
        break;
    case ZEROS_AND_ONES: // 00 and ff alone: equal hints, keys that begin others, hints at both ends of their
                         // range
        for (uint64_t n = number + 1; n > 1; n /= 2) r->key[size++] = n % 2 ? 0xff : 0;
        return sk_slice_make(r->key, size);
    }
    if (number > 0) {
        size +=
            (size_t)snprintf((char *)r->key + size, sizeof r->key - size, "%llx", (unsigned long long)number);
        filled = sk_prng_below(&shape, r->profile->key_size_max);
    }
    while (size < filled) r->key[size++] = (uint8_t)sk_prng_next(&shape);
    return sk_slice_make(r->key, size);
}

static sk_slice random_key(run *r)
{
    return key_of(r, sk_prng_below(&r->prng, r->profile->keys));
}

static sk_value random_value(run *r)
{
    size_t size = sk_prng_below(&r->prng, r->profile->value_size_max);
    if (sk_prng_chance(&r->prng, 1, 3)) size /= 16;
    for (size_t i = 0; i < size; i++) r->value[i] = (uint8_t)sk_prng_next(&r->prng);
    uint64_t meta = sk_prng_chance(&r->prng, 1, 4) ? sk_prng_next(&r->prng) : 0;
    uint8_t tag =
        (uint8_t)(sk_prng_chance(&r->prng, 1, 8) ? sk_prng_below(&r->prng, 256) : sk_prng_below(&r->prng, 8));
    return (sk_value){.bytes = sk_slice_make(r->value, size), .meta = meta, .tag = tag};
}

static void step_put(run *r)
{
    sk_slice key = random_key(r);
    sk_value value = random_value(r);
    bool new = model_get(&r->model, key) == NULL;
    item *i = item_make(key, value.bytes, value.meta, value.tag);
    if (sk_prng_chance(&r->prng, 1, 2)) {
        assert_int_equal(sk_tree_put(&r->tree, key, value), new);
    } else {
        sk_tree_place place;
        sk_value old;
        sk_tree_prefetch(&r->tree, (sk_slice[]){key, sk_slice_text("another")}, 2);
        assert_int_equal(sk_tree_look(&r->tree, key, &place, &old), !new);
        if (!new) assert_same(model_get(&r->model, key), key, old);
        assert_int_equal(sk_tree_put_at(&r->tree, &place, key, value), new);
    }
    model_put(&r->model, i);
}

// Key and value are slices of the tree itself.
static void step_put_from_inside(run *r)
{
    if (r->model.count == 0) return;
    sk_slice key, other_key;
    sk_value value, other;
    assert_true(sk_tree_at(&r->tree, sk_prng_below(&r->prng, r->model.count), &key, &value));
    uint64_t near = sk_tree_rank(&r->tree, key) + sk_prng_below(&r->prng, 3);
    if (!sk_tree_at(&r->tree, near, &other_key, &other)) other = value;
    if (sk_prng_chance(&r->prng, 1, 4)) other.bytes.size /= 2;
    if (sk_prng_chance(&r->prng, 1, 8)) key = value.bytes; // a value as a new key
    if (sk_prng_chance(&r->prng, 1, 8)) other.bytes = key;
    bool new = model_get(&r->model, key) == NULL;
    item *i = item_make(key, other.bytes, other.meta, other.tag);
    assert_int_equal(sk_tree_put(&r->tree, key, other), new);
    model_put(&r->model, i);
}

static void step_remove(run *r)
{
    sk_slice key = random_key(r);
    if (r->model.count > 0 && sk_prng_chance(&r->prng, 1, 2)) { // one that is there, by a slice of the tree
        assert_true(sk_tree_at(&r->tree, sk_prng_below(&r->prng, r->model.count), &key, NULL));
    }
    size_t at = model_rank(&r->model, key);
    bool there = model_get(&r->model, key) != NULL;
    assert_int_equal(sk_tree_remove(&r->tree, key), there);
    if (there) model_remove(&r->model, at);
}

static void step_meta(run *r)
{
    sk_slice key = random_key(r);
    uint64_t meta = sk_prng_chance(&r->prng, 1, 2) ? 0 : sk_prng_next(&r->prng);
    item *i = model_get(&r->model, key);
    assert_int_equal(sk_tree_set_meta(&r->tree, key, meta), i != NULL);
    if (i) model_put(&r->model, item_make(item_key(i), item_value(i), meta, i->tag));
}

static void step_read(run *r)
{
    sk_slice key = random_key(r), found;
    sk_value value;
    const item *i = model_get(&r->model, key);
    assert_int_equal(sk_tree_get(&r->tree, key, &value), i != NULL);
    if (i) assert_same(i, key, value);
    size_t rank = model_rank(&r->model, key);
    assert_int_equal(sk_tree_rank(&r->tree, key), rank);
    assert_int_equal(sk_tree_at(&r->tree, rank, &found, &value), rank < r->model.count);
    if (rank < r->model.count) assert_same(r->model.items[rank], found, value);
    sk_tree_cursor cursor;
    if (sk_prng_chance(&r->prng, 1, 2)) {
        sk_tree_seek(&cursor, &r->tree, key);
    } else {
        sk_tree_seek_at(&cursor, &r->tree, rank);
    }
    for (int n = 0; n < 8; n++) { // a short walk to and fro
        if (sk_prng_chance(&r->prng, 1, 2)) {
            assert_int_equal(sk_tree_next(&cursor, &found, &value), rank < r->model.count);
            if (rank < r->model.count) assert_same(r->model.items[rank++], found, value);
        } else {
            assert_int_equal(sk_tree_previous(&cursor, &found, &value), rank > 0);
            if (rank > 0) assert_same(r->model.items[--rank], found, value);
        }
    }
}

static void step_snapshot(run *r)
{
    size_t n = sk_prng_below(&r->prng, SNAPSHOTS);
    compare(&r->snapshot[n], &r->snapshot_model[n]);
    if (sk_prng_chance(&r->prng, 1, 4)) { // go on from the snapshot: both may be written
        sk_tree tree = r->tree;
        model m = r->model;
        r->tree = r->snapshot[n];
        r->model = r->snapshot_model[n];
        r->snapshot[n] = tree;
        r->snapshot_model[n] = m;
        return;
    }
    sk_tree_drop(&r->snapshot[n]);
    model_drop(&r->snapshot_model[n]);
    r->snapshot[n] = sk_tree_snapshot(&r->tree);
    r->snapshot_model[n] = model_snapshot(&r->model);
}

static void step(run *r)
{
    unsigned put = r->shrinking ? r->profile->remove_parts : r->profile->put_parts;
    unsigned remove = r->shrinking ? r->profile->put_parts : r->profile->remove_parts;
    uint64_t dice = sk_prng_below(&r->prng, 100);
    if (dice < put) {
        if (sk_prng_chance(&r->prng, 1, 10)) {
            step_put_from_inside(r);
        } else {
            step_put(r);
        }
    } else if (dice < put + remove) {
        step_remove(r);
    } else if (dice < put + remove + 4) {
        step_meta(r);
    } else {
        step_read(r);
    }
    if (sk_prng_chance(&r->prng, 1, 200)) step_snapshot(r);
    if (sk_prng_chance(&r->prng, 1, 50)) sk_tree_collect(&r->garbage, 1 + sk_prng_below(&r->prng, 20));
}

static void run_seed(const profile *profile, uint64_t seed)
{
    static run r; // too large for the stack under sanitizers
    memset(&r, 0, sizeof r);
    r.profile = profile;
    sk_prng_init(&r.prng, seed);
    sk_tree_init(&r.tree, &r.garbage);
    for (int i = 0; i < SNAPSHOTS; i++) sk_tree_init(&r.snapshot[i], &r.garbage);
    for (unsigned i = 0; i < profile->steps; i++) {
        if (i % 1500 == 1499) r.shrinking = !r.shrinking;
        step(&r);
        if (i % 100 == 0) sk_tree_check(&r.tree);
        if (i % 1000 == 0) compare(&r.tree, &r.model);
    }
    compare(&r.tree, &r.model);
    while (r.model.count > 0) { // down to nothing, one by one
        size_t at = sk_prng_below(&r.prng, r.model.count);
        assert_true(sk_tree_remove(&r.tree, item_key(r.model.items[at])));
        model_remove(&r.model, at);
        if (r.model.count % 50 == 0) sk_tree_check(&r.tree);
    }
    assert_null(r.tree.root);
    assert_int_equal(r.tree.bytes, 0);
    for (int i = 0; i < SNAPSHOTS; i++) {
        compare(&r.snapshot[i], &r.snapshot_model[i]);
        sk_tree_drop(&r.snapshot[i]);
        model_drop(&r.snapshot_model[i]);
    }
    model_drop(&r.model);
    sk_tree_garbage_deinit(&r.garbage);
}

static void random_operations(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof profiles / sizeof profiles[0]; p++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            print_message("profile %s, seed %llu\n", profiles[p].name, (unsigned long long)seed);
            run_seed(&profiles[p], seed * 1000 + p);
        }
    }
}

// ---- Shapes ----

static sk_slice number_key(char *room, size_t size, uint64_t number)
{
    return sk_slice_make(room, (size_t)snprintf(room, size, "key:%012llu", (unsigned long long)number));
}

static sk_value text_value(const char *text)
{
    return (sk_value){.bytes = sk_slice_text(text)};
}

static void empty_tree(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree tree;
    sk_tree_init(&tree, &garbage);
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    assert_false(sk_tree_get(&tree, sk_slice_text("a"), &value));
    assert_false(sk_tree_remove(&tree, sk_slice_text("a")));
    assert_false(sk_tree_set_meta(&tree, sk_slice_text("a"), 1));
    assert_false(sk_tree_at(&tree, 0, &key, &value));
    assert_int_equal(sk_tree_rank(&tree, sk_slice_text("a")), 0);
    sk_tree_seek(&cursor, &tree, (sk_slice){0});
    assert_false(sk_tree_next(&cursor, &key, &value));
    assert_false(sk_tree_previous(&cursor, &key, &value));
    sk_tree_seek_at(&cursor, &tree, 5);
    assert_false(sk_tree_next(&cursor, &key, &value));
    sk_tree snapshot = sk_tree_snapshot(&tree);
    sk_tree_check(&snapshot);
    assert_int_equal(sk_tree_memory(&tree), 0);
    sk_tree_drop(&snapshot);
    sk_tree_drop(&tree);
    assert_false(sk_tree_collect(&garbage, 1));
    sk_tree_garbage_deinit(&garbage);
}

enum order { ASCENDING, DESCENDING, SCATTERED };

static void fill(sk_tree *tree, uint64_t count, enum order order)
{
    char room[32];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t n = order == ASCENDING ? i : order == DESCENDING ? count - 1 - i : i * 7919 % count;
        assert_true(
            sk_tree_put(tree, number_key(room, sizeof room, n), text_value("some value of a plain size")));
    }
}

static void insertion_in_order(void **state)
{
    (void)state;
    enum { COUNT = 30000 };
    uint64_t digest = 0;
    for (int order = ASCENDING; order <= SCATTERED; order++) {
        sk_tree_garbage garbage = {0};
        sk_tree tree;
        char room[32];
        sk_slice key;
        sk_tree_init(&tree, &garbage);
        fill(&tree, COUNT, (enum order)order);
        sk_tree_check(&tree);
        assert_true(order == ASCENDING || sk_tree_digest(&tree) == digest);
        digest = sk_tree_digest(&tree);
        for (uint64_t i = 0; i < COUNT; i += 37) {
            assert_true(sk_tree_at(&tree, i, &key, NULL));
            assert_true(sk_slice_equal(key, number_key(room, sizeof room, i)));
            assert_int_equal(sk_tree_rank(&tree, key), i);
        }
        double overhead = (double)(sk_tree_memory(&tree) - tree.bytes) / COUNT;
        print_message("order %d: %.1f bytes above key and value\n", order, overhead);
        assert_true(overhead < 30);
        sk_tree_drop(&tree);
        sk_tree_garbage_deinit(&garbage);
    }
}

// The digest sees every part of an entry.
static void digest_differs(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree tree;
    sk_tree_init(&tree, &garbage);
    uint64_t seen[6];
    size_t count = 0;
    seen[count++] = sk_tree_digest(&tree);
    sk_tree_put(&tree, sk_slice_text("a"), text_value("1"));
    seen[count++] = sk_tree_digest(&tree);
    sk_tree_put(&tree, sk_slice_text("a"), text_value("2"));
    seen[count++] = sk_tree_digest(&tree);
    sk_tree_set_meta(&tree, sk_slice_text("a"), 9);
    seen[count++] = sk_tree_digest(&tree);
    sk_tree_put(&tree, sk_slice_text("a"), (sk_value){.bytes = sk_slice_text("2"), .meta = 9, .tag = 3});
    seen[count++] = sk_tree_digest(&tree);
    sk_tree_remove(&tree, sk_slice_text("a"));
    sk_tree_put(&tree, sk_slice_text("b"), (sk_value){.bytes = sk_slice_text("2"), .meta = 9, .tag = 3});
    seen[count++] = sk_tree_digest(&tree);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) assert_true(seen[i] != seen[j]);
    }
    sk_tree_drop(&tree);
    sk_tree_garbage_deinit(&garbage);
}

static void snapshot_shares_all_but_the_path(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree tree;
    char room[32];
    sk_value value;
    sk_tree_init(&tree, &garbage);
    fill(&tree, 20000, SCATTERED);
    sk_tree snapshot = sk_tree_snapshot(&tree);
    assert_ptr_equal(snapshot.root, tree.root);
    uint64_t digest = sk_tree_digest(&snapshot);
    sk_tree_put(&tree, number_key(room, sizeof room, 77), text_value("other"));
    assert_ptr_not_equal(snapshot.root, tree.root);
    assert_int_equal(sk_tree_digest(&snapshot), digest);
    assert_true(sk_tree_get(&snapshot, number_key(room, sizeof room, 77), &value));
    assert_true(sk_slice_equal(value.bytes, sk_slice_text("some value of a plain size")));
    // What the snapshot alone holds is one path; the rest is still the tree's.
    sk_tree_drop(&snapshot);
    size_t freed = 0;
    while (garbage.count > 0) {
        sk_tree_collect(&garbage, 1);
        freed++;
    }
    assert_in_range(freed, 2, 6);
    sk_tree_check(&tree);
    sk_tree_drop(&tree);
    sk_tree_garbage_deinit(&garbage);
}

static void garbage_in_slices(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree tree;
    sk_tree_init(&tree, &garbage);
    fill(&tree, 50000, ASCENDING);
    sk_tree_drop(&tree);
    assert_int_equal(garbage.count, 1); // O(1): the root alone
    assert_null(tree.root);
    assert_int_equal(tree.count, 0);
    size_t slices = 0;
    while (sk_tree_collect(&garbage, 10)) slices++;
    assert_true(slices > 50);
    assert_int_equal(garbage.count, 0);
    fill(&tree, 10, ASCENDING); // usable again
    sk_tree_check(&tree);
    sk_tree_drop(&tree);
    sk_tree_garbage_deinit(&garbage);
}

static void big_values_are_shared(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree tree;
    sk_tree_init(&tree, &garbage);
    static uint8_t big[100000];
    memset(big, 7, sizeof big);
    sk_value a, b;
    sk_tree_put(&tree, sk_slice_text("big"), (sk_value){.bytes = sk_slice_make(big, sizeof big)});
    sk_tree_put(&tree, sk_slice_text("edge"), (sk_value){.bytes = sk_slice_make(big, SK_VALUE_INLINE_MAX)});
    sk_tree_put(&tree, sk_slice_text("over"),
                (sk_value){.bytes = sk_slice_make(big, SK_VALUE_INLINE_MAX + 1)});
    sk_tree snapshot = sk_tree_snapshot(&tree);
    sk_tree_put(&tree, sk_slice_text("small"), text_value("x"));
    assert_true(sk_tree_get(&tree, sk_slice_text("big"), &a) &&
                sk_tree_get(&snapshot, sk_slice_text("big"), &b));
    assert_ptr_equal(a.bytes.data, b.bytes.data);
    assert_true(sk_tree_get(&tree, sk_slice_text("over"), &a) &&
                sk_tree_get(&snapshot, sk_slice_text("over"), &b));
    assert_ptr_equal(a.bytes.data, b.bytes.data);
    assert_true(sk_tree_get(&tree, sk_slice_text("edge"), &a) &&
                sk_tree_get(&snapshot, sk_slice_text("edge"), &b));
    assert_ptr_not_equal(a.bytes.data, b.bytes.data);
    // Meta leaves a big value where it is.
    assert_true(sk_tree_get(&tree, sk_slice_text("big"), &a));
    assert_true(sk_tree_set_meta(&tree, sk_slice_text("big"), 12345));
    assert_true(sk_tree_get(&tree, sk_slice_text("big"), &b));
    assert_ptr_equal(a.bytes.data, b.bytes.data);
    assert_int_equal(b.meta, 12345);
    // A big value put from itself, cut.
    a = b;
    a.bytes.size = 50000;
    assert_false(sk_tree_put(&tree, sk_slice_text("big"), a));
    assert_true(sk_tree_get(&tree, sk_slice_text("big"), &b));
    assert_true(sk_slice_equal(b.bytes, sk_slice_make(big, 50000)));
    assert_true(sk_tree_get(&snapshot, sk_slice_text("big"), &b));
    assert_int_equal(b.bytes.size, sizeof big);
    sk_tree_check(&tree);
    sk_tree_drop(&tree);
    sk_tree_drop(&snapshot);
    sk_tree_garbage_deinit(&garbage);
}

// ---- Builder ----

static void build(uint64_t count, size_t value_size, size_t key_fill)
{
    sk_tree_garbage garbage = {0};
    sk_tree tree, other;
    static uint8_t value[2000];
    char key[700];
    sk_tree_init(&tree, &garbage);
    sk_tree_init(&other, &garbage);
    sk_tree_builder *builder = sk_tree_builder_open(&garbage);
    for (uint64_t i = 0; i < count; i++) {
        memset(key, 'k', sizeof key);
        size_t size = key_fill + (size_t)snprintf(key + key_fill, 20, "%08llu", (unsigned long long)i);
        size_t some = value_size ? (i * 31) % value_size : 0;
        sk_value v = {.bytes = sk_slice_make(value, some), .meta = i % 3, .tag = (uint8_t)i};
        assert_true(sk_tree_builder_add(builder, sk_slice_make(key, size), v));
        sk_tree_put(&other, sk_slice_make(key, size), v);
    }
    sk_tree_builder_finish(builder, &tree);
    sk_tree_check(&tree);
    assert_int_equal(tree.count, count);
    assert_int_equal(tree.bytes, other.bytes);
    assert_int_equal(sk_tree_digest(&tree), sk_tree_digest(&other));
    assert_true(sk_tree_memory(&tree) <= sk_tree_memory(&other) + 8192);
    for (uint64_t i = 0; i < count && i < 300; i++) { // it is a tree like any other
        sk_slice first;
        assert_true(sk_tree_at(&tree, 0, &first, NULL));
        assert_true(sk_tree_remove(&tree, first));
    }
    sk_tree_check(&tree);
    sk_tree_drop(&tree);
    sk_tree_drop(&other);
    sk_tree_garbage_deinit(&garbage);
}

static void builder_makes_the_same(void **state)
{
    (void)state;
    for (uint64_t count = 0; count < 60; count++) build(count, 500, 5);
    for (uint64_t count = 1900; count < 2600; count += 13) build(count, 100, 5);
    for (uint64_t count = 180; count < 260; count++) build(count, 1023, 480); // 64 leaves and a little more
    for (uint64_t count = 900; count < 1000; count += 9) build(count, 1500, 600);
    build(12000, 1023, 450);
    build(100000, 0, 0);
}

static void builder_refuses_disorder(void **state)
{
    (void)state;
    sk_tree_garbage garbage = {0};
    sk_tree_builder *builder = sk_tree_builder_open(&garbage);
    char room[32];
    assert_true(sk_tree_builder_add(builder, sk_slice_text(""), text_value("the empty key")));
    assert_false(sk_tree_builder_add(builder, sk_slice_text(""), text_value("again")));
    for (uint64_t i = 0; i < 20000; i++) {
        assert_true(sk_tree_builder_add(builder, number_key(room, sizeof room, i), text_value("some value")));
    }
    assert_false(sk_tree_builder_add(builder, number_key(room, sizeof room, 19999), text_value("equal")));
    assert_false(sk_tree_builder_add(builder, number_key(room, sizeof room, 5), text_value("smaller")));
    sk_tree_builder_drop(builder);
    sk_tree_garbage_deinit(&garbage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_tree),
        cmocka_unit_test(insertion_in_order),
        cmocka_unit_test(digest_differs),
        cmocka_unit_test(snapshot_shares_all_but_the_path),
        cmocka_unit_test(garbage_in_slices),
        cmocka_unit_test(big_values_are_shared),
        cmocka_unit_test(builder_makes_the_same),
        cmocka_unit_test(builder_refuses_disorder),
        cmocka_unit_test(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
