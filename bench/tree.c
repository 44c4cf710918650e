// How fast and how large is the tree? Prints nanoseconds an operation and bytes an entry above key and value.
//
//   script/build && cc -O3 -D_GNU_SOURCE -Isrc bench/tree.c build/libcore.a -lxxhash -o build/bench-tree
//   build/bench-tree [entries] [value bytes]
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/prng.h"
#include "data/tree.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum { KEY_SIZE = 16 };

static void key_of(char *key, uint64_t number)
{
    for (int i = KEY_SIZE - 1; i >= 4; i--, number /= 10) key[i] = (char)('0' + number % 10);
    memcpy(key, "key:", 4);
}

static void shuffle(uint64_t *numbers, uint64_t count, sk_prng *prng)
{
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = sk_prng_below(prng, i), n = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = n;
    }
}

static void report(const char *what, double start, uint64_t count)
{
    printf("  %-38s %7.0f ns\n", what, (now() - start) * 1e9 / (double)count);
}

static size_t heap_used(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.arena + info.hblkhd;
}

typedef struct bench {
    uint64_t count;
    uint64_t *numbers;
    sk_prng prng;
    sk_tree_garbage garbage;
    sk_tree tree;
    uint8_t value[65536];
    size_t value_size;
} bench;

static void put_all(bench *b, const char *what)
{
    char key[KEY_SIZE];
    double start = now();
    for (uint64_t i = 0; i < b->count; i++) {
        key_of(key, b->numbers[i]);
        sk_tree_put(&b->tree, sk_slice_make(key, KEY_SIZE),
                    (sk_value){.bytes = sk_slice_make(b->value, b->value_size)});
    }
    report(what, start, b->count);
}

static void memory(bench *b, size_t before)
{
    double n = (double)b->tree.count;
    size_t payload = b->tree.count * (KEY_SIZE + b->value_size);
    printf("  %-38s %7.1f B of nodes, %.1f B of heap\n", "overhead an entry",
           ((double)sk_tree_memory(&b->tree) - (double)payload) / n,
           ((double)(heap_used() - before) - (double)payload) / n);
}

static void drop(bench *b)
{
    double start = now();
    uint64_t count = b->tree.count;
    sk_tree_drop(&b->tree);
    while (sk_tree_collect(&b->garbage, 1000)) {
    }
    report("drop and collect", start, count);
}

static void read_all(bench *b)
{
    char key[KEY_SIZE];
    sk_value value;
    uint64_t found = 0;
    double start = now();
    for (uint64_t i = 0; i < b->count; i++) {
        key_of(key, b->numbers[i]);
        found += sk_tree_get(&b->tree, sk_slice_make(key, KEY_SIZE), &value);
    }
    report("get, random", start, b->count);
    if (found != b->count) abort();
    sk_tree_cursor cursor;
    sk_slice at;
    start = now();
    sk_tree_seek(&cursor, &b->tree, (sk_slice){0});
    for (found = 0; sk_tree_next(&cursor, &at, &value);) found += at.size;
    report("cursor", start, b->count);
    start = now();
    for (uint64_t i = 0; i < b->count; i++) {
        key_of(key, b->numbers[i]);
        found += sk_tree_rank(&b->tree, sk_slice_make(key, KEY_SIZE));
    }
    report("rank, random", start, b->count);
    if (found == 0) abort();
}

int main(int argc, char **argv)
{
    bench *b = calloc(1, sizeof *b);
    if (!b) return 1;
    b->count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    b->value_size = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    if (b->value_size > sizeof b->value) return 2;
    sk_prng_init(&b->prng, 1);
    b->numbers = malloc(b->count * sizeof *b->numbers);
    for (uint64_t i = 0; i < b->count; i++) b->numbers[i] = i;
    sk_tree_init(&b->tree, &b->garbage);
    size_t before = heap_used();
    printf("%llu entries, key %d, value %zu bytes\n", (unsigned long long)b->count, KEY_SIZE, b->value_size);
    shuffle(b->numbers, b->count, &b->prng);
    put_all(b, "put, random order");
    memory(b, before);
    shuffle(b->numbers, b->count, &b->prng);
    put_all(b, "put again, same size");
    read_all(b);
    sk_tree snapshot = sk_tree_snapshot(&b->tree);
    put_all(b, "put again under a snapshot");
    sk_tree_drop(&snapshot);
    while (sk_tree_collect(&b->garbage, 1000)) {}
    char key[KEY_SIZE];
    double start = now();
    for (uint64_t i = 0; i < b->count; i++) {
        key_of(key, b->numbers[i]);
        sk_tree_remove(&b->tree, sk_slice_make(key, KEY_SIZE));
    }
    report("remove, random", start, b->count);
    put_all(b, "put, random order, again");
    drop(b);
    for (uint64_t i = 0; i < b->count; i++) b->numbers[i] = i;
    put_all(b, "put, ascending");
    memory(b, before);
    drop(b);
    sk_tree_garbage_deinit(&b->garbage);
    free(b->numbers);
    free(b);
    return 0;
}
