// What check/linear_*.c share: where a search is, and its moves.
#ifndef SK_CHECK_LINEAR_PRIVATE_H
#define SK_CHECK_LINEAR_PRIVATE_H

#include "check/configurations.h"
#include "check/linear_search.h"

// Completed operations are numbered 0 .. completed_count by call; open ones behind them, those of a class side by side by call.
typedef struct sk_open_class {
    uint32_t class;
    uint32_t begin, count; // in opens[]
    uint32_t used;
    uint32_t word, shift, bits; // of its counter, without the guard bit
} sk_open_class;

typedef struct sk_choice {
    uint32_t operation;
    uint32_t state; // after it
} sk_choice;

typedef struct sk_linear sk_linear;
struct sk_linear {
    sk_stepper *stepper;
    sk_check_budget *budget;
    const sk_check_operation *const *list;
    uint32_t *completed; // index in the list
    uint32_t *classes;   // of completed operations
    uint32_t completed_count;
    uint32_t *opens; // index in the list
    uint32_t *open_of; // which open class
    uint32_t open_count;
    sk_open_class *groups;
    uint32_t group_count;
    uint64_t *guards, *open_used;
    uint32_t open_words;
    // Where the search is.
    uint64_t *done; // bits of completed operations
    uint64_t done_hash;
    uint32_t first, highest; // first not taken; highest taken + 1
    uint32_t state;
    uint32_t done_count, open_count_used;
    uint32_t *log; // what was taken, in order
    uint32_t log_size;
    sk_choice *choices;
    size_t choice_count, choice_capacity;
    struct frame *frames; // of the search in depth
    size_t depth, frame_capacity;
    uint32_t *best_of_class; // index in choices + 1, of completed classes, while choices are collected
    sk_configurations seen;
    // The furthest return reached, as its operation; SK_CONFIGURATION_NONE: none yet.
    uint32_t culprit;
    uint32_t best_configuration;
    uint32_t last_taken; // when all is taken: what led there from best_configuration
    sk_linear_result *result;
};

static inline uint32_t sk_linear_class(const sk_linear *s, uint32_t operation)
{
    if (operation < s->completed_count) return s->classes[operation];
    return s->groups[s->open_of[operation - s->completed_count]].class;
}

void sk_linear_begin(sk_linear *s); // back to the beginning
void sk_linear_take(sk_linear *s, uint32_t operation, uint32_t state);
void sk_linear_give_back(sk_linear *s, uint32_t log_size); // the state, `first` and `highest` are the caller's to set back
// Takes all reads that fit, and collects the choices from choices[begin] on. The operation with the earliest return of those
// left goes to *urgent (completed_count: all are taken).
void sk_linear_expand(sk_linear *s, size_t begin, uint32_t *urgent);
// An open operation was just taken in state `before` and no read needed it. What may come next then and does not need it either
// (it leads to the same without it, or with it after) is left to the orders without it, or with it later. Of two open ones that
// can change places, the one with the smaller number comes first.
void sk_linear_drop_unneeding(sk_linear *s, size_t begin, uint32_t before, uint32_t open);
void sk_linear_note_progress(sk_linear *s, uint32_t urgent, uint32_t configuration);
uint32_t sk_linear_remember(sk_linear *s, uint32_t parent, uint32_t taken, bool unneeded);
size_t sk_linear_bytes(const sk_linear *s);

// The search in layers: see linear_layers.c. The search must be at the beginning, nothing may have been seen. When it holds,
// best_configuration and last_taken say how.
sk_verdict sk_linear_layers(sk_linear *s);

#endif
