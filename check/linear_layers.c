#include "base/alloc.h"
#include "check/linear_private.h"

// The search in layers: configurations are taken up in order of how many completed operations they have, and among those of how
// many open ones they used. So whatever can do all that a configuration can has been seen before it is taken up: only the smallest
// ones are, which with many open operations are far fewer than what a search in depth runs into.

typedef struct waiting {
    uint64_t rank; // completed, then open operations taken
    uint32_t configuration;
} waiting;

typedef struct layers { // a heap, the smallest rank first
    waiting *list;
    size_t count, capacity;
} layers;

static void push(layers *l, waiting what)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 256;
        l->list = sk_realloc(l->list, l->capacity * sizeof *l->list);
    }
    size_t at = l->count++;
    while (at && l->list[(at - 1) / 2].rank > what.rank) {
        l->list[at] = l->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    l->list[at] = what;
}

static waiting pop(layers *l)
{
    waiting first = l->list[0], last = l->list[--l->count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < l->count && l->list[child + 1].rank < l->list[child].rank) child++;
        if (child >= l->count || l->list[child].rank >= last.rank) break;
        l->list[at] = l->list[child];
        at = child;
    }
    l->list[at] = last;
    return first;
}

// Puts the search where a configuration is.
static void restore(sk_linear *s, uint32_t configuration)
{
    const sk_configuration *to = &s->seen.list[configuration];
    const uint64_t *words = &s->seen.words[to->words], *open = words + to->window;
    uint32_t from = (s->first < to->first ? s->first : to->first) / 64, window = to->first / 64;
    uint32_t end = s->highest > s->first ? (s->highest - 1) / 64 : s->first / 64;
    if (window + to->window > end) end = window + to->window;
    for (uint32_t i = from; i <= end && i <= s->completed_count / 64; i++) {
        if (i < window) s->done[i] = UINT64_MAX;
        else if (i < window + to->window) s->done[i] = words[i - window];
        else s->done[i] = i == window ? ((uint64_t)1 << to->first % 64) - 1 : 0;
    }
    s->first = to->first;
    s->highest = to->first;
    for (uint32_t i = (window + to->window) * 64; to->window && i > to->first && s->highest == to->first; i--) {
        if (s->done[(i - 1) / 64] >> ((i - 1) % 64) & 1) s->highest = i;
    }
    s->state = to->state;
    s->done_hash = to->done_hash;
    s->open_count_used = 0;
    for (uint32_t i = 0; i < s->open_words; i++) s->open_used[i] = open[i];
    for (uint32_t i = 0; i < s->group_count; i++) {
        sk_open_class *group = &s->groups[i];
        uint64_t mask = ((uint64_t)1 << group->bits) - 1;
        group->used = (uint32_t)(open[group->word] >> group->shift & mask);
        s->open_count_used += group->used;
    }
    s->log_size = 0;
}

// Takes one choice of a configuration, which is where the search is; remembers where that leads. True: all is taken.
static bool follow(sk_linear *s, layers *l, sk_choice next, uint32_t parent, size_t scratch)
{
    uint32_t urgent, state = s->state, first = s->first, highest = s->highest;
    sk_linear_take(s, next.operation, next.state);
    sk_linear_expand(s, scratch, &urgent);
    if (urgent == s->completed_count) return true;
    bool unneeded = next.operation >= s->completed_count && s->log_size == 1;
    uint32_t configuration = sk_linear_remember(s, parent, next.operation, unneeded);
    if (configuration != SK_CONFIGURATION_NONE) {
        sk_linear_note_progress(s, urgent, configuration);
        push(l, (waiting){(uint64_t)s->done_count << 32 | s->open_count_used, configuration});
    }
    sk_linear_give_back(s, 0);
    s->state = state;
    s->first = first;
    s->highest = highest;
    return false;
}

// All choices of a configuration. True: one of them led to the end.
static bool follow_all(sk_linear *s, layers *l, waiting from)
{
    uint32_t urgent;
    restore(s, from.configuration);
    s->done_count = (uint32_t)(from.rank >> 32);
    sk_linear_expand(s, 0, &urgent);
    const sk_configuration *at = &s->seen.list[from.configuration];
    if (at->unneeded) sk_linear_drop_unneeding(s, 0, s->seen.list[at->parent].state, at->taken);
    size_t end = s->choice_count;
    for (size_t i = 0; i < end; i++) {
        s->choice_count = end;
        if (follow(s, l, s->choices[i], from.configuration, end)) {
            s->best_configuration = from.configuration;
            s->last_taken = s->choices[i].operation;
            return true;
        }
    }
    return false;
}

sk_verdict sk_linear_layers(sk_linear *s)
{
    layers l = {0};
    uint32_t urgent;
    sk_verdict verdict = SK_VERDICT_VIOLATED;
    sk_linear_expand(s, 0, &urgent);
    uint32_t root = sk_linear_remember(s, SK_CONFIGURATION_NONE, 0, false);
    sk_linear_note_progress(s, urgent, root);
    push(&l, (waiting){(uint64_t)s->done_count << 32, root});
    while (l.count && verdict == SK_VERDICT_VIOLATED) {
        waiting next = pop(&l);
        size_t held = sk_linear_bytes(s) + l.capacity * sizeof *l.list;
        if (s->stepper->misfit || !sk_check_budget_step(s->budget, held)) verdict = SK_VERDICT_UNKNOWN;
        else if (sk_configurations_dominated(&s->seen, next.configuration)) continue;
        else if (follow_all(s, &l, next)) verdict = SK_VERDICT_HOLDS;
    }
    sk_free(l.list);
    return s->stepper->misfit ? SK_VERDICT_UNKNOWN : verdict;
}
