#include "check/configurations.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

void sk_configurations_init(sk_configurations *seen, const uint64_t *guards, uint32_t open_words)
{
    *seen = (sk_configurations){.guards = guards, .open_words = open_words};
    seen->slot_count = 256;
    seen->slots = sk_alloc_zeroed(seen->slot_count * sizeof *seen->slots);
}

void sk_configurations_deinit(sk_configurations *seen)
{
    sk_free(seen->list);
    sk_free(seen->words);
    sk_free(seen->slots);
    *seen = (sk_configurations){0};
}

size_t sk_configurations_bytes(const sk_configurations *seen)
{
    return seen->capacity * sizeof *seen->list + seen->word_capacity * sizeof *seen->words +
           seen->slot_count * sizeof *seen->slots;
}

static bool same_but_open(const sk_configurations *seen, const sk_configuration *a, const sk_configuration *b,
                          const uint64_t *window)
{
    return a->hash == b->hash && a->first == b->first && a->state == b->state && a->window == b->window &&
           (!a->window || memcmp(&seen->words[a->words], window, a->window * sizeof *window) == 0);
}

static bool no_more_used(const sk_configurations *seen, const sk_configuration *old, const uint64_t *open)
{
    const uint64_t *used = &seen->words[old->words + old->window];
    for (uint32_t i = 0; i < seen->open_words; i++) {
        if (~((open[i] | seen->guards[i]) - used[i]) & seen->guards[i]) return false;
    }
    return true;
}

// Chains hold configurations of equal hash; the table finds a chain's head by its hash.
static size_t find_slot(const sk_configurations *seen, uint64_t hash)
{
    size_t mask = seen->slot_count - 1;
    size_t at = (hash ^ hash >> 32) & mask;
    while (seen->slots[at] && seen->list[seen->slots[at] - 1].hash != hash) at = (at + 1) & mask;
    return at;
}

static void grow_slots(sk_configurations *seen)
{
    uint32_t *old = seen->slots;
    size_t old_count = seen->slot_count;
    seen->slot_count *= 2;
    seen->slots = sk_alloc_zeroed(seen->slot_count * sizeof *seen->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i]) seen->slots[find_slot(seen, seen->list[old[i] - 1].hash)] = old[i];
    }
    sk_free(old);
}

static size_t put_words(sk_configurations *seen, const uint64_t *window, uint32_t count, const uint64_t *open)
{
    size_t more = count + seen->open_words;
    if (seen->word_count + more > seen->word_capacity) {
        seen->word_capacity = (seen->word_count + more) * 2;
        seen->words = sk_realloc(seen->words, seen->word_capacity * sizeof *seen->words);
    }
    size_t at = seen->word_count;
    if (count) memcpy(&seen->words[at], window, count * sizeof *window);
    if (seen->open_words) memcpy(&seen->words[at + count], open, seen->open_words * sizeof *open);
    seen->word_count += more;
    return at;
}

uint32_t sk_configurations_add(sk_configurations *seen, sk_configuration what, const uint64_t *window, const uint64_t *open)
{
    if (seen->chain_count * 2 >= seen->slot_count) grow_slots(seen);
    size_t slot = find_slot(seen, what.hash);
    uint32_t head = seen->slots[slot] ? seen->slots[slot] - 1 : SK_CONFIGURATION_NONE;
    for (uint32_t at = head; at != SK_CONFIGURATION_NONE; at = seen->list[at].next) {
        const sk_configuration *old = &seen->list[at];
        if (same_but_open(seen, old, &what, window) && no_more_used(seen, old, open)) return SK_CONFIGURATION_NONE;
    }
    SK_ASSERT(seen->count < SK_CONFIGURATION_NONE);
    if (seen->count == seen->capacity) {
        seen->capacity = seen->capacity ? seen->capacity * 2 : 64;
        seen->list = sk_realloc(seen->list, seen->capacity * sizeof *seen->list);
    }
    what.words = put_words(seen, window, what.window, open);
    what.next = head;
    seen->list[seen->count] = what;
    seen->chain_count += head == SK_CONFIGURATION_NONE;
    seen->slots[slot] = (uint32_t)++seen->count;
    return (uint32_t)seen->count - 1;
}

bool sk_configurations_dominated(const sk_configurations *seen, uint32_t index)
{
    const sk_configuration *what = &seen->list[index];
    const uint64_t *window = &seen->words[what->words], *open = window + what->window;
    uint32_t head = seen->slots[find_slot(seen, what->hash)] - 1;
    for (uint32_t at = head; at != index; at = seen->list[at].next) { // later ones come first
        const sk_configuration *other = &seen->list[at];
        if (same_but_open(seen, other, what, window) && no_more_used(seen, other, open)) return true;
    }
    return false;
}
