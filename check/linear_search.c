#include "check/linear_search.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "check/linear_private.h"

// A search in depth: tries one choice after the other, and goes back. Good histories are told by it at once. One that takes longer
// is searched in layers (linear_layers.c), which enters fewer configurations but all there are.

enum { DEPTH_STEPS = 200 * 1000 };

typedef struct frame frame;
struct frame {
    uint32_t state, first, highest; // before `taken`
    uint32_t log_size;
    size_t choices, next, end; // this frame's part of choices[]
    uint32_t configuration;
};

static const sk_check_operation *completed_at(const sk_linear *s, uint32_t i)
{
    return s->list[s->completed[i]];
}

static bool is_done(const sk_linear *s, uint32_t i)
{
    return s->done[i / 64] >> (i % 64) & 1;
}

static void flip(sk_linear *s, uint32_t i)
{
    s->done[i / 64] ^= (uint64_t)1 << (i % 64);
    s->done_hash ^= sk_hash_mix(sk_hash_mix(0x51ED, i + 1), 0xA5);
}

// ---- Taking and giving back ----

void sk_linear_take(sk_linear *s, uint32_t operation, uint32_t state)
{
    if (operation < s->completed_count) {
        flip(s, operation);
        s->done_count++;
        if (operation >= s->highest) s->highest = operation + 1;
        while (s->first < s->completed_count && is_done(s, s->first)) s->first++;
    } else {
        sk_open_class *group = &s->groups[s->open_of[operation - s->completed_count]];
        group->used++;
        s->open_count_used++;
        s->open_used[group->word] += (uint64_t)1 << group->shift;
    }
    s->state = state;
    s->log[s->log_size++] = operation;
}

void sk_linear_give_back(sk_linear *s, uint32_t log_size)
{
    while (s->log_size > log_size) {
        uint32_t operation = s->log[--s->log_size];
        if (operation < s->completed_count) {
            flip(s, operation);
            s->done_count--;
            continue;
        }
        sk_open_class *group = &s->groups[s->open_of[operation - s->completed_count]];
        group->used--;
        s->open_count_used--;
        s->open_used[group->word] -= (uint64_t)1 << group->shift;
    }
}

void sk_linear_begin(sk_linear *s)
{
    memset(s->done, 0, (s->completed_count / 64 + 1) * sizeof *s->done);
    memset(s->open_used, 0, (s->group_count + 1) * sizeof *s->open_used);
    for (uint32_t i = 0; i < s->group_count; i++) s->groups[i].used = 0;
    s->done_hash = 0;
    s->first = s->highest = s->state = s->done_count = s->open_count_used = s->log_size = 0;
    s->choice_count = s->depth = 0;
}

// ---- What may come next ----

static void add_choice(sk_linear *s, uint32_t operation, uint32_t state)
{
    if (s->choice_count == s->choice_capacity) {
        s->choice_capacity = s->choice_capacity ? s->choice_capacity * 2 : 256;
        s->choices = sk_realloc(s->choices, s->choice_capacity * sizeof *s->choices);
    }
    s->choices[s->choice_count++] = (sk_choice){.operation = operation, .state = state};
}

static uint32_t return_of(const sk_linear *s, uint32_t operation)
{
    return operation < s->completed_count ? completed_at(s, operation)->ret : SK_NO_RETURN;
}

// One choice a class: the first to return.
static void offer(sk_linear *s, uint32_t operation, uint32_t state)
{
    uint32_t *best = &s->best_of_class[s->classes[operation]];
    if (*best) {
        sk_choice *known = &s->choices[*best - 1];
        if (return_of(s, operation) < return_of(s, known->operation)) known->operation = operation;
        return;
    }
    add_choice(s, operation, state);
    *best = (uint32_t)s->choice_count;
}

static void sort_choices(sk_linear *s, size_t begin)
{
    for (size_t i = begin + 1; i < s->choice_count; i++) {
        sk_choice moved = s->choices[i];
        size_t at = i;
        while (at > begin && return_of(s, s->choices[at - 1].operation) > return_of(s, moved.operation)) {
            s->choices[at] = s->choices[at - 1];
            at--;
        }
        s->choices[at] = moved;
    }
}

static void offer_open(sk_linear *s, uint32_t before)
{
    for (uint32_t i = 0; i < s->group_count; i++) {
        const sk_open_class *group = &s->groups[i];
        if (group->used == group->count) continue;
        uint32_t operation = group->begin + group->used;
        if (s->list[s->opens[operation]]->call >= before) continue;
        uint32_t next = sk_stepper_step(s->stepper, s->state, group->class);
        if (next != SK_STATE_NONE && next != s->state) add_choice(s, s->completed_count + operation, next);
    }
}

void sk_linear_expand(sk_linear *s, size_t begin, uint32_t *urgent)
{
    uint32_t before = SK_NO_RETURN; // only what was called before the earliest return may come next
    *urgent = s->completed_count;
    s->choice_count = begin;
    for (uint32_t i = s->first; i < s->completed_count; i++) {
        if (is_done(s, i)) continue;
        const sk_check_operation *operation = completed_at(s, i);
        if (operation->call >= before) break;
        uint32_t next = sk_stepper_step(s->stepper, s->state, s->classes[i]);
        if (next == s->state && s->stepper->reads[s->classes[i]]) {
            sk_linear_take(s, i, next);
            continue;
        }
        if (next != SK_STATE_NONE) offer(s, i, next);
        if (operation->ret < before) {
            before = operation->ret;
            *urgent = i;
        }
    }
    for (size_t i = begin; i < s->choice_count; i++) s->best_of_class[s->classes[s->choices[i].operation]] = 0;
    sort_choices(s, begin);
    if (*urgent < s->completed_count) offer_open(s, before);
}

// ---- The search ----

void sk_linear_note_progress(sk_linear *s, uint32_t urgent, uint32_t configuration)
{
    sk_linear_result *result = s->result;
    bool known = s->culprit != SK_CONFIGURATION_NONE;
    uint32_t reached = return_of(s, urgent);
    if (known && reached < return_of(s, s->culprit)) return;
    if (!known || reached > return_of(s, s->culprit)) {
        s->culprit = urgent;
        s->best_configuration = configuration;
        result->state_count = 0;
        result->more_states = false;
    }
    for (uint32_t i = 0; i < result->state_count; i++) {
        if (result->states[i] == s->state) return;
    }
    if (result->state_count < SK_LINEAR_STATES_MAX) result->states[result->state_count++] = s->state;
    else result->more_states = true;
}

uint32_t sk_linear_remember(sk_linear *s, uint32_t parent, uint32_t taken, bool unneeded)
{
    uint32_t from = s->first / 64;
    uint32_t window = s->highest > s->first ? (s->highest - 1) / 64 - from + 1 : 0;
    sk_configuration what = {.hash = sk_hash_mix(s->done_hash, s->state + 1),
                             .first = s->first,
                             .state = s->state,
                             .window = window,
                             .parent = parent,
                             .taken = taken,
                             .done_hash = s->done_hash,
                             .unneeded = unneeded};
    return sk_configurations_add(&s->seen, what, &s->done[from], s->open_used);
}

size_t sk_linear_bytes(const sk_linear *s)
{
    return sk_configurations_bytes(&s->seen) + sk_stepper_bytes(s->stepper) + s->choice_capacity * sizeof(sk_choice) +
           s->frame_capacity * sizeof(frame);
}

static frame *push_frame(sk_linear *s)
{
    if (s->depth == s->frame_capacity) {
        s->frame_capacity = s->frame_capacity ? s->frame_capacity * 2 : 64;
        s->frames = sk_realloc(s->frames, s->frame_capacity * sizeof *s->frames);
    }
    frame *top = &s->frames[s->depth++];
    *top = (frame){.state = s->state, .first = s->first, .highest = s->highest, .log_size = s->log_size};
    return top;
}

void sk_linear_drop_unneeding(sk_linear *s, size_t begin, uint32_t before, uint32_t open)
{
    uint32_t open_class = sk_linear_class(s, open);
    size_t kept = begin;
    for (size_t i = begin; i < s->choice_count; i++) {
        sk_choice next = s->choices[i];
        uint32_t without = sk_stepper_step(s->stepper, before, sk_linear_class(s, next.operation));
        bool sorted = next.operation >= s->completed_count && sk_linear_class(s, next.operation) >= open_class;
        bool needs = without == SK_STATE_NONE || (without != next.state && sorted) ||
                     (without != next.state && sk_stepper_step(s->stepper, without, open_class) != next.state);
        if (needs) s->choices[kept++] = next;
    }
    s->choice_count = kept;
}

// Enters the configuration that taking `next` leads to (or the root). True: all is taken. False: entered, or seen before.
static bool enter(sk_linear *s, const sk_choice *next, uint32_t parent)
{
    size_t begin = s->choice_count;
    frame *top = push_frame(s);
    if (next) sk_linear_take(s, next->operation, next->state);
    uint32_t urgent;
    sk_linear_expand(s, begin, &urgent);
    if (urgent == s->completed_count) return true;
    bool unneeded = next && next->operation >= s->completed_count && s->log_size == top->log_size + 1;
    if (unneeded) sk_linear_drop_unneeding(s, begin, top->state, next->operation);
    top->choices = top->next = top->end = begin;
    if (unneeded && s->choice_count == begin) {
        sk_linear_note_progress(s, urgent, SK_CONFIGURATION_NONE); // another state for the same return
        return false;
    }
    top->configuration = sk_linear_remember(s, parent, next ? next->operation : 0, unneeded);
    if (top->configuration == SK_CONFIGURATION_NONE) return false;
    top->end = s->choice_count;
    sk_linear_note_progress(s, urgent, top->configuration);
    return false;
}

static void leave(sk_linear *s)
{
    const frame *top = &s->frames[--s->depth];
    sk_linear_give_back(s, top->log_size);
    s->state = top->state;
    s->first = top->first;
    s->highest = top->highest;
    s->choice_count = top->choices;
}

static sk_verdict search_in_depth(sk_linear *s, bool *tired)
{
    uint64_t steps = 0, steps_max = s->budget->limits.depth_steps;
    if (!steps_max) steps_max = DEPTH_STEPS + 4 * (uint64_t)s->completed_count;
    if (enter(s, NULL, SK_CONFIGURATION_NONE)) return SK_VERDICT_HOLDS;
    while (s->depth) {
        if (s->stepper->misfit || !sk_check_budget_step(s->budget, sk_linear_bytes(s))) return SK_VERDICT_UNKNOWN;
        if (++steps > steps_max) {
            *tired = true;
            return SK_VERDICT_UNKNOWN;
        }
        frame *top = &s->frames[s->depth - 1];
        if (top->next == top->end) {
            leave(s);
            continue;
        }
        sk_choice next = s->choices[top->next++];
        if (enter(s, &next, top->configuration)) return SK_VERDICT_HOLDS;
    }
    return s->stepper->misfit ? SK_VERDICT_UNKNOWN : SK_VERDICT_VIOLATED;
}

// Walks the choices that led to the best configuration again, which leaves the order in the log.
static void replay_best(sk_linear *s)
{
    uint32_t *path = sk_alloc((s->seen.count + 1) * sizeof *path);
    uint32_t length = 0, urgent;
    for (uint32_t at = s->best_configuration; s->seen.list[at].parent != SK_CONFIGURATION_NONE; at = s->seen.list[at].parent)
        path[length++] = s->seen.list[at].taken;
    sk_linear_begin(s);
    sk_linear_expand(s, 0, &urgent);
    while (length) {
        uint32_t operation = path[--length];
        sk_linear_take(s, operation, sk_stepper_step(s->stepper, s->state, sk_linear_class(s, operation)));
        sk_linear_expand(s, 0, &urgent);
    }
    sk_free(path);
}

static sk_verdict search(sk_linear *s)
{
    bool tired = false;
    sk_verdict verdict = search_in_depth(s, &tired);
    if (tired) {
        sk_configurations_deinit(&s->seen);
        sk_configurations_init(&s->seen, s->guards, s->open_words);
        sk_linear_begin(s);
        s->culprit = SK_CONFIGURATION_NONE;
        verdict = sk_linear_layers(s);
    }
    if (verdict == SK_VERDICT_VIOLATED || (tired && verdict == SK_VERDICT_HOLDS)) replay_best(s);
    if (tired && verdict == SK_VERDICT_HOLDS) {
        uint32_t urgent;
        sk_linear_take(s, s->last_taken, sk_stepper_step(s->stepper, s->state, sk_linear_class(s, s->last_taken)));
        sk_linear_expand(s, 0, &urgent);
    }
    return verdict;
}

static void write_order(sk_linear *s)
{
    sk_linear_result *result = s->result;
    result->order = sk_alloc((s->log_size + 1) * sizeof *result->order);
    result->order_count = s->log_size;
    for (uint32_t i = 0; i < s->log_size; i++) {
        uint32_t operation = s->log[i];
        result->order[i] = operation < s->completed_count ? s->completed[operation] : s->opens[operation - s->completed_count];
    }
}

// ---- Setting up ----

typedef struct open_item {
    uint32_t class, index;
} open_item;

static int compare_open(const void *a, const void *b)
{
    const open_item *left = a, *right = b;
    if (left->class != right->class) return left->class < right->class ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 1;
    while (count >> bits) bits++;
    return bits;
}

// Gives every open class a counter in a word, with a guard bit above it.
static void place_counters(sk_linear *s)
{
    uint32_t word = 0, shift = 0;
    s->guards = sk_alloc_zeroed((s->group_count + 1) * sizeof *s->guards);
    s->open_used = sk_alloc_zeroed((s->group_count + 1) * sizeof *s->open_used);
    for (uint32_t i = 0; i < s->group_count; i++) {
        uint32_t bits = bits_for(s->groups[i].count) + 1;
        if (shift + bits > 64) {
            word++;
            shift = 0;
        }
        s->groups[i].word = word;
        s->groups[i].shift = shift;
        s->groups[i].bits = bits - 1;
        s->guards[word] |= (uint64_t)1 << (shift + bits - 1);
        shift += bits;
    }
    s->open_words = s->group_count ? word + 1 : 0;
}

static void group_open(sk_linear *s, open_item *items)
{
    if (s->open_count) qsort(items, s->open_count, sizeof *items, compare_open);
    for (uint32_t i = 0; i < s->open_count; i++) {
        if (!i || items[i].class != items[i - 1].class)
            s->groups[s->group_count++] = (sk_open_class){.class = items[i].class, .begin = i};
        s->groups[s->group_count - 1].count++;
        s->opens[i] = items[i].index;
        s->open_of[i] = s->group_count - 1;
    }
    place_counters(s);
}

static void prepare(sk_linear *s, uint32_t count)
{
    s->completed = sk_alloc((count + 1) * sizeof *s->completed);
    s->classes = sk_alloc((count + 1) * sizeof *s->classes);
    s->opens = sk_alloc((count + 1) * sizeof *s->opens);
    s->open_of = sk_alloc((count + 1) * sizeof *s->open_of);
    s->groups = sk_alloc((count + 1) * sizeof *s->groups);
    s->log = sk_alloc((count + 1) * sizeof *s->log);
    open_item *items = sk_alloc((count + 1) * sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        SK_ASSERT(i == 0 || s->list[i - 1]->call < s->list[i]->call);
        uint32_t class = sk_stepper_class(s->stepper, s->list[i]);
        if (s->list[i]->ok) {
            s->classes[s->completed_count] = class;
            s->completed[s->completed_count++] = i;
        } else {
            items[s->open_count++] = (open_item){.class = class, .index = i};
        }
    }
    group_open(s, items);
    sk_free(items);
    s->done = sk_alloc_zeroed((s->completed_count / 64 + 1) * sizeof *s->done);
    s->best_of_class = sk_alloc_zeroed((s->stepper->classes.count + 1) * sizeof *s->best_of_class);
    sk_configurations_init(&s->seen, s->guards, s->open_words);
}

static void release(sk_linear *s)
{
    void *all[] = {s->completed, s->classes, s->opens,   s->open_of, s->groups,        s->guards,
                   s->open_used, s->done,    s->log,     s->choices, s->best_of_class, s->frames};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sk_free(all[i]);
    sk_configurations_deinit(&s->seen);
}

void sk_linear_search(sk_stepper *stepper, const sk_check_operation *const *list, uint32_t count, sk_check_budget *budget,
                      sk_linear_result *result)
{
    *result = (sk_linear_result){.verdict = SK_VERDICT_UNKNOWN};
    sk_linear s = {.stepper = stepper, .budget = budget, .list = list, .culprit = SK_CONFIGURATION_NONE, .result = result};
    prepare(&s, count);
    result->verdict = search(&s);
    if (result->verdict == SK_VERDICT_VIOLATED) result->culprit = s.completed[s.culprit];
    write_order(&s);
    release(&s);
}

void sk_linear_result_deinit(sk_linear_result *result)
{
    sk_free(result->order);
    *result = (sk_linear_result){.verdict = SK_VERDICT_UNKNOWN};
}
