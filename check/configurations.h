// The configurations that a search has seen: which completed operations were taken, how many of each open class, the state.
//
// Completed operations are a window of bits: all below `first` were taken, none above the last bit. Open classes are counters
// packed in words, each with a guard bit above it, so that "no more of any class" is one subtraction a word.
#ifndef SK_CHECK_CONFIGURATIONS_H
#define SK_CHECK_CONFIGURATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SK_CONFIGURATION_NONE = UINT32_MAX };

typedef struct sk_configuration {
    uint64_t hash;    // of everything but the open counters
    size_t words;     // where its words begin: the window's, then the open counters'
    uint32_t first;   // first completed operation that was not taken
    uint32_t state;
    uint32_t window;  // words of the window; its first has bit `first`
    uint32_t next;    // with the same hash; SK_CONFIGURATION_NONE: the last
    uint32_t parent;  // SK_CONFIGURATION_NONE: the root
    uint32_t taken;   // what led here from the parent
    uint64_t done_hash; // the caller's, as is
    bool unneeded;      // `taken` is open, and nothing taken since needed it
} sk_configuration;

typedef struct sk_configurations {
    sk_configuration *list;
    size_t count, capacity;
    uint64_t *words;
    size_t word_count, word_capacity;
    uint32_t *slots; // index + 1 of a chain's head
    size_t slot_count, chain_count;
    const uint64_t *guards; // of the open counters; borrowed
    uint32_t open_words;
} sk_configurations;

void sk_configurations_init(sk_configurations *seen, const uint64_t *guards, uint32_t open_words);
void sk_configurations_deinit(sk_configurations *seen);
// Remembers it (hash, first, state, window, parent, taken are set by the caller) and returns its index; or SK_CONFIGURATION_NONE:
// it, or one that can do all it can, was seen before.
uint32_t sk_configurations_add(sk_configurations *seen, sk_configuration what, const uint64_t *window, const uint64_t *open);
// Has one been added since that can do all this one can? (Not itself.)
bool sk_configurations_dominated(const sk_configurations *seen, uint32_t index);
size_t sk_configurations_bytes(const sk_configurations *seen);

#endif
