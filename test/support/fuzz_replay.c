// A main for a fuzz target without libFuzzer.
//
//   PROGRAM FILE|FOLDER...         replays them
//   PROGRAM -m N FILE|FOLDER...    and N mutations of them: always the same ones
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "test/support/fuzz.h"

enum { INPUTS_MAX = 4096, SIZE_MAX_MUTATED = 4096, PATH_SIZE_MAX = 512 };

typedef struct corpus {
    sk_buffer inputs[INPUTS_MAX];
    size_t count;
} corpus;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_file(corpus *corpus, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || corpus->count == INPUTS_MAX) {
        perror(path);
        exit(1);
    }
    sk_buffer *bytes = &corpus->inputs[corpus->count++];
    size_t got;
    while ((got = fread(sk_buffer_reserve(bytes, 65536), 1, 65536, file)) > 0) bytes->size += got;
    fclose(file);
}

// In order of names: the mutations depend on it.
static void add_folder(corpus *corpus, const char *path)
{
    char *names[INPUTS_MAX];
    size_t count = 0;
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        exit(1);
    }
    for (struct dirent *entry; count < INPUTS_MAX && (entry = readdir(folder));) {
        if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
    }
    closedir(folder);
    qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++) {
        char file[PATH_SIZE_MAX];
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        add_file(corpus, file);
        free(names[i]);
    }
}

// One small change: a byte set, a bit flipped, a run removed, doubled, or brought in from another input.
static void mutate(sk_prng *prng, const corpus *corpus, sk_buffer *bytes)
{
    size_t at = bytes->size ? (size_t)sk_prng_below(prng, bytes->size) : 0;
    size_t left = bytes->size - at;
    size_t run = left ? 1 + (size_t)sk_prng_below(prng, left < 16 ? left : 16) : 0;
    const sk_buffer *other = &corpus->inputs[sk_prng_below(prng, corpus->count)];
    switch (sk_prng_below(prng, 6)) {
    case 0:
        if (left) bytes->data[at] = (uint8_t)sk_prng_next(prng);
        break;
    case 1:
        if (left) bytes->data[at] ^= (uint8_t)(1u << sk_prng_below(prng, 8));
        break;
    case 2:
        if (left) memmove(bytes->data + at, bytes->data + at + run, left - run);
        bytes->size -= run;
        break;
    case 3:
        sk_buffer_reserve(bytes, run);
        if (left) memmove(bytes->data + at + run, bytes->data + at, left);
        bytes->size += run;
        break;
    case 4:
        if (other->size) sk_buffer_append(bytes, other->data, 1 + (size_t)sk_prng_below(prng, other->size));
        break;
    default:
        if (left) bytes->data[at] = (uint8_t)(sk_prng_chance(prng, 1, 2) ? 0xff : '0' + sk_prng_below(prng, 10));
        break;
    }
    if (bytes->size > SIZE_MAX_MUTATED) bytes->size = SIZE_MAX_MUTATED;
}

// The target gets memory of exactly the input's size, so that a byte too far is seen by the sanitizer.
static void run(const sk_buffer *bytes)
{
    uint8_t *exact = sk_alloc(bytes->size);
    if (bytes->size) memcpy(exact, bytes->data, bytes->size);
    LLVMFuzzerTestOneInput(exact, bytes->size);
    sk_free(exact);
}

int main(int argc, char **argv)
{
    corpus *corpus = sk_alloc_zeroed(sizeof *corpus);
    size_t mutations = 0;
    for (int i = 1; i < argc; i++) {
        struct stat facts;
        if (strcmp(argv[i], "-m") == 0 && i + 1 < argc) mutations = strtoul(argv[++i], NULL, 10);
        else if (stat(argv[i], &facts) == 0 && S_ISDIR(facts.st_mode)) add_folder(corpus, argv[i]);
        else add_file(corpus, argv[i]);
    }
    if (corpus->count == 0) {
        fprintf(stderr, "no inputs\n");
        return 1;
    }
    for (size_t i = 0; i < corpus->count; i++) run(&corpus->inputs[i]);
    sk_prng prng;
    sk_prng_init(&prng, 1);
    sk_buffer bytes = {0};
    for (size_t i = 0; i < mutations; i++) {
        const sk_buffer *from = &corpus->inputs[sk_prng_below(&prng, corpus->count)];
        sk_buffer_clear(&bytes);
        sk_buffer_append(&bytes, from->data, from->size);
        for (uint64_t n = 1 + sk_prng_below(&prng, 4); n > 0; n--) mutate(&prng, corpus, &bytes);
        run(&bytes);
    }
    printf("%zu inputs, %zu mutations\n", corpus->count, mutations);
    sk_buffer_deinit(&bytes);
    for (size_t i = 0; i < corpus->count; i++) sk_buffer_deinit(&corpus->inputs[i]);
    sk_free(corpus);
    return 0;
}
