#include "check/sequential.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "check/budget.h"
#include "check/configurations.h"
#include "check/linear.h"
#include "check/parts.h"
#include "check/stepper.h"

// A search over the processes' positions, as linear_search does one over time: reads that fit are taken at once; every
// configuration (positions, every key's state, which open operations were used) is entered once. A configuration is known by 128
// bits of hash: with as many as fit in memory two of them are equal by chance once in 2^60 checks.

enum { NO_ONE = UINT32_MAX, HEADS_MAX = 24, BEFORE_MAX = 8, QUICK_STEPS = 1000 * 1000 };

typedef struct item {
    const sk_check_operation *operation;
    uint32_t key, class;
    uint32_t process; // of an open one: whose position ...
    uint32_t after;   // ... must have reached this
    uint32_t needs;   // registers: the state it fits in; NO_ONE: any
    uint32_t gives;   // registers: the state it leaves; NO_ONE: the same
} item;

typedef struct process {
    int64_t number;
    uint32_t begin, count, at; // its completed operations in items[]
} process;

typedef struct choice {
    uint32_t item;
    uint32_t state;
} choice;

typedef struct taken {
    uint32_t item;
    uint32_t before; // the key's state
} taken;

typedef struct frame {
    uint32_t log_size, configuration;
    size_t choices, next, end;
} frame;

typedef struct search {
    sk_stepper stepper;
    sk_check_budget budget;
    item *items; // completed ones process by process, then the open ones
    uint32_t completed_count, count;
    process *processes;
    uint32_t process_count;
    uint32_t *states; // by key
    bool *used;       // open items, from completed_count on
    uint64_t *guards, *open_used;
    uint32_t left; // completed items not taken
    uint64_t hash, hash_more;
    taken *log;
    uint32_t log_size;
    choice *choices;
    size_t choice_count, choice_capacity;
    frame *frames;
    size_t depth, frame_capacity;
    sk_configurations seen;
    uint32_t best_left, best_configuration;
    // Registers only: for each pair of key and state, how many items not yet taken need it and give it.
    sk_intern pairs;
    uint32_t *needed, *given;
} search;

// ---- Taking and giving back ----

static void mix(search *s, uint64_t kind, uint64_t place, uint64_t value)
{
    uint64_t hash = sk_hash_mix(sk_hash_mix(sk_hash_mix(kind, place), value), 0x9E37);
    s->hash ^= hash;
    s->hash_more ^= sk_hash_mix(sk_hash_mix(hash, value ^ place << 20), kind ^ 0xC2B2AE3D);
}

static void set_state(search *s, uint32_t key, uint32_t state)
{
    mix(s, 2, key, s->states[key]);
    s->states[key] = state;
    mix(s, 2, key, state);
}

static void move(search *s, process *who, uint32_t at)
{
    uint64_t index = (uint64_t)(who - s->processes);
    mix(s, 1, index, who->at);
    who->at = at;
    mix(s, 1, index, at);
}

static void count_pairs(search *s, const item *what, int by)
{
    if (!s->needed) return;
    if (what->needs != NO_ONE && what->operation->ok) s->needed[what->needs] += (uint32_t)by;
    if (what->gives != NO_ONE) s->given[what->gives] += (uint32_t)by;
}

static void take(search *s, uint32_t index, uint32_t state)
{
    const item *what = &s->items[index];
    s->log[s->log_size++] = (taken){.item = index, .before = s->states[what->key]};
    set_state(s, what->key, state);
    count_pairs(s, what, -1);
    if (index < s->completed_count) {
        process *who = &s->processes[what->process];
        move(s, who, who->at + 1);
        s->left--;
    } else {
        uint32_t open = index - s->completed_count;
        s->used[open] = true;
        s->open_used[open / 32] |= (uint64_t)1 << (open % 32 * 2);
    }
}

static void give_back(search *s, uint32_t log_size)
{
    while (s->log_size > log_size) {
        taken last = s->log[--s->log_size];
        const item *what = &s->items[last.item];
        set_state(s, what->key, last.before);
        count_pairs(s, what, 1);
        if (last.item < s->completed_count) {
            process *who = &s->processes[what->process];
            move(s, who, who->at - 1);
            s->left++;
        } else {
            uint32_t open = last.item - s->completed_count;
            s->used[open] = false;
            s->open_used[open / 32] &= ~((uint64_t)1 << (open % 32 * 2));
        }
    }
}

// ---- What may come next ----

// A register's value that somebody still has to see must not be overwritten when nobody will write it again.
static bool hopeless(search *s, const item *what, uint32_t next)
{
    uint32_t state = s->states[what->key];
    if (!s->needed || next == state) return false;
    uint64_t pair[1] = {(uint64_t)what->key << 32 | state};
    uint32_t id = sk_intern_find(&s->pairs, sk_slice_make(pair, sizeof pair));
    if (id == SK_INTERN_NONE) return false;
    return s->needed[id] > (what->needs == id && what->operation->ok) && s->given[id] == 0;
}

static void add_choice(search *s, uint32_t index, uint32_t state)
{
    if (s->choice_count == s->choice_capacity) {
        s->choice_capacity = s->choice_capacity ? s->choice_capacity * 2 : 256;
        s->choices = sk_realloc(s->choices, s->choice_capacity * sizeof *s->choices);
    }
    s->choices[s->choice_count++] = (choice){.item = index, .state = state};
}

// Adds it in order of call, so that an order near the real one is tried first; open ones last.
static void offer(search *s, size_t begin, uint32_t index, uint32_t state)
{
    add_choice(s, index, state);
    uint32_t call = s->items[index].operation->call;
    size_t at = s->choice_count - 1;
    if (index >= s->completed_count) return;
    while (at > begin && s->items[s->choices[at - 1].item].operation->call > call) {
        s->choices[at] = s->choices[at - 1];
        at--;
    }
    s->choices[at] = (choice){.item = index, .state = state};
}

static bool same_open_offered(const search *s, size_t begin, const item *what)
{
    for (size_t i = begin; i < s->choice_count; i++) {
        const item *other = &s->items[s->choices[i].item];
        if (s->choices[i].item >= s->completed_count && other->class == what->class && other->key == what->key) return true;
    }
    return false;
}

static void expand(search *s, size_t begin)
{
    s->choice_count = begin;
    for (uint32_t p = 0; p < s->process_count; p++) { // reads change nothing: one pass takes all that fit
        process *who = &s->processes[p];
        while (who->at < who->count) {
            uint32_t index = who->begin + who->at;
            const item *what = &s->items[index];
            uint32_t state = s->states[what->key];
            if (!s->stepper.reads[what->class] || sk_stepper_step(&s->stepper, state, what->class) != state) break;
            take(s, index, state);
        }
    }
    for (uint32_t p = 0; p < s->process_count; p++) {
        const process *who = &s->processes[p];
        if (who->at == who->count) continue;
        const item *what = &s->items[who->begin + who->at];
        uint32_t next = sk_stepper_step(&s->stepper, s->states[what->key], what->class);
        if (next != SK_STATE_NONE && !hopeless(s, what, next)) offer(s, begin, who->begin + who->at, next);
    }
    for (uint32_t index = s->completed_count; index < s->count; index++) {
        const item *what = &s->items[index];
        if (s->used[index - s->completed_count]) continue;
        if (what->process != NO_ONE && s->processes[what->process].at < what->after) continue;
        uint32_t state = s->states[what->key];
        uint32_t next = sk_stepper_step(&s->stepper, state, what->class);
        if (next == SK_STATE_NONE || next == state || hopeless(s, what, next)) continue;
        if (!same_open_offered(s, begin, what)) offer(s, begin, index, next);
    }
}

// ---- The search ----

static uint32_t remember(search *s, uint32_t parent, uint32_t index)
{
    sk_configuration what = {.hash = s->hash,
                             .first = (uint32_t)(s->hash_more >> 32),
                             .state = (uint32_t)s->hash_more,
                             .parent = parent,
                             .taken = index};
    return sk_configurations_add(&s->seen, what, NULL, s->open_used);
}

// After an open operation that no read needed, only what needs it may come (see linear_search.c): of its key, with another outcome
// than without it, or with it later.
static void drop_what_needs_not(search *s, size_t begin, uint32_t taken_open, uint32_t before)
{
    const item *open = &s->items[taken_open];
    size_t kept = begin;
    for (size_t i = begin; i < s->choice_count; i++) {
        choice next = s->choices[i];
        const item *what = &s->items[next.item];
        bool sorted = next.item > taken_open; // of open ones that can change places the first comes first
        uint32_t without = what->key == open->key ? sk_stepper_step(&s->stepper, before, what->class) : before;
        bool needs = sorted || without == SK_STATE_NONE;
        if (what->key == open->key && without == next.state) needs = false;
        else if (what->key == open->key && !needs) needs = sk_stepper_step(&s->stepper, without, open->class) != next.state;
        if (needs) s->choices[kept++] = next;
    }
    s->choice_count = kept;
}

// Enters what taking `next` leads to. True: all completed operations are taken.
static bool enter(search *s, const choice *next, uint32_t parent)
{
    if (s->depth == s->frame_capacity) {
        s->frame_capacity = s->frame_capacity ? s->frame_capacity * 2 : 64;
        s->frames = sk_realloc(s->frames, s->frame_capacity * sizeof *s->frames);
    }
    size_t begin = s->choice_count;
    frame *top = &s->frames[s->depth++];
    *top = (frame){.log_size = s->log_size, .choices = begin, .next = begin, .end = begin};
    if (next) take(s, next->item, next->state);
    expand(s, begin);
    if (!s->left) return true;
    if (next && next->item >= s->completed_count && s->log_size == top->log_size + 1) {
        drop_what_needs_not(s, begin, next->item, s->log[top->log_size].before);
        if (s->choice_count == begin) return false;
    }
    top->configuration = remember(s, parent, next ? next->item : 0);
    if (top->configuration == SK_CONFIGURATION_NONE) return false;
    top->end = s->choice_count;
    if (s->left < s->best_left) {
        s->best_left = s->left;
        s->best_configuration = top->configuration;
    }
    return false;
}

static void leave(search *s)
{
    const frame *top = &s->frames[--s->depth];
    give_back(s, top->log_size);
    s->choice_count = top->choices;
}

static size_t bytes_held(const search *s)
{
    return sk_configurations_bytes(&s->seen) + sk_stepper_bytes(&s->stepper) + s->choice_capacity * sizeof(choice) +
           s->frame_capacity * sizeof(frame);
}

static sk_verdict run(search *s)
{
    if (enter(s, NULL, SK_CONFIGURATION_NONE)) return SK_VERDICT_HOLDS;
    while (s->depth) {
        if (s->stepper.misfit || !sk_check_budget_step(&s->budget, bytes_held(s))) return SK_VERDICT_UNKNOWN;
        frame *top = &s->frames[s->depth - 1];
        if (top->next == top->end) {
            leave(s);
            continue;
        }
        choice next = s->choices[top->next++];
        if (enter(s, &next, top->configuration)) return SK_VERDICT_HOLDS;
    }
    return s->stepper.misfit ? SK_VERDICT_UNKNOWN : SK_VERDICT_VIOLATED;
}

// The choices that led to the best configuration, again.
static void replay_best(search *s)
{
    uint32_t *path = sk_alloc((s->seen.count + 1) * sizeof *path);
    uint32_t length = 0;
    for (uint32_t at = s->best_configuration; s->seen.list[at].parent != SK_CONFIGURATION_NONE; at = s->seen.list[at].parent)
        path[length++] = s->seen.list[at].taken;
    while (s->depth) leave(s);
    expand(s, 0);
    while (length) {
        const item *what = &s->items[path[--length]];
        take(s, path[length], sk_stepper_step(&s->stepper, s->states[what->key], what->class));
        expand(s, 0);
    }
    sk_free(path);
}

// ---- Setting up ----

static int compare_items(const void *a, const void *b)
{
    const sk_check_operation *left = ((const item *)a)->operation, *right = ((const item *)b)->operation;
    if (left->ok != right->ok) return left->ok ? -1 : 1;
    if (left->process != right->process) return left->process < right->process ? -1 : 1;
    return left->call < right->call ? -1 : left->call > right->call;
}

static uint32_t pair_of(search *s, uint32_t key, uint32_t state)
{
    uint64_t pair[1] = {(uint64_t)key << 32 | state};
    return sk_intern_put(&s->pairs, sk_slice_make(pair, sizeof pair));
}

// What of a register's value an operation needs and gives.
static void read_pairs(search *s, item *what)
{
    const sk_check_operation *operation = what->operation;
    const sk_datum *needs = NULL, *gives = NULL;
    if (s->stepper.reads[what->class] && operation->input->type != SK_DATUM_LIST) {
        if (operation->ok) needs = operation->output;
    } else if (operation->f[0] == 'w') {
        gives = operation->input;
    } else if (operation->input->type == SK_DATUM_LIST && operation->input->count == 2) {
        needs = &operation->input->items[0];
        gives = &operation->input->items[1];
    }
    if (needs) what->needs = pair_of(s, what->key, sk_intern_datum(&s->stepper.states, needs));
    if (gives) what->gives = pair_of(s, what->key, sk_intern_datum(&s->stepper.states, gives));
}

static void note_pairs(search *s)
{
    bool reads_values = s->stepper.model == sk_model_find("register") || s->stepper.model == sk_model_find("cas-register");
    if (!reads_values) return;
    for (uint32_t i = 0; i < s->count; i++) read_pairs(s, &s->items[i]);
    s->needed = sk_alloc_zeroed((s->pairs.count + 1) * sizeof *s->needed);
    s->given = sk_alloc_zeroed((s->pairs.count + 1) * sizeof *s->given);
    for (uint32_t i = 0; i < s->count; i++) count_pairs(s, &s->items[i], 1);
}

static void find_processes(search *s, bool sessions)
{
    s->processes = sk_alloc((s->count + 1) * sizeof *s->processes);
    for (uint32_t i = 0; i < s->completed_count; i++) {
        int64_t number = s->items[i].operation->process;
        process *last = s->process_count ? &s->processes[s->process_count - 1] : NULL;
        if (!last || !sessions || last->number != number) {
            last = &s->processes[s->process_count++];
            *last = (process){.number = number, .begin = i};
        }
        last->count++;
        s->items[i].process = s->process_count - 1;
    }
    uint32_t p = 0; // open items are in order of process too
    for (uint32_t i = s->completed_count; i < s->count && sessions; i++) {
        item *what = &s->items[i];
        while (p < s->process_count && s->processes[p].number < what->operation->process) p++;
        if (p == s->process_count || s->processes[p].number != what->operation->process) continue;
        const item *of_process = &s->items[s->processes[p].begin];
        while (what->after < s->processes[p].count && of_process[what->after].operation->call < what->operation->call)
            what->after++;
        what->process = p;
    }
}

static void prepare(search *s, const sk_check_history *history, const sk_model *model, bool sessions)
{
    sk_intern keys = {0};
    s->count = (uint32_t)history->count;
    s->items = sk_alloc((s->count + 1) * sizeof *s->items);
    sk_stepper_init(&s->stepper, model);
    static const sk_datum none = {.type = SK_DATUM_NIL};
    for (uint32_t i = 0; i < s->count; i++) {
        const sk_check_operation *operation = &history->list[i];
        bool alone = model->single_key && operation->key;
        s->items[i] = (item){.operation = operation, .process = NO_ONE, .needs = NO_ONE, .gives = NO_ONE};
        s->items[i].key = sk_intern_datum(&keys, alone ? operation->key : &none);
        s->items[i].class = sk_stepper_class(&s->stepper, operation);
        s->completed_count += operation->ok;
    }
    if (s->count) qsort(s->items, s->count, sizeof *s->items, compare_items);
    find_processes(s, sessions);
    note_pairs(s);
    s->left = s->completed_count;
    s->best_left = SK_NO_RETURN;
    s->states = sk_alloc_zeroed((keys.count + 1) * sizeof *s->states);
    sk_intern_deinit(&keys);
    uint32_t opens = s->count - s->completed_count, words = (opens + 31) / 32;
    s->used = sk_alloc_zeroed(opens + 1);
    s->open_used = sk_alloc_zeroed((words + 1) * sizeof *s->open_used);
    s->guards = sk_alloc((words + 1) * sizeof *s->guards);
    for (uint32_t i = 0; i < words; i++) s->guards[i] = 0xAAAAAAAAAAAAAAAAu;
    s->log = sk_alloc((s->count + 1) * sizeof *s->log);
    sk_configurations_init(&s->seen, s->guards, words);
}

static void release(search *s)
{
    void *all[] = {s->items, s->processes, s->states,  s->used,   s->guards, s->open_used,
                   s->log,   s->choices,   s->frames, s->needed, s->given};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sk_free(all[i]);
    sk_configurations_deinit(&s->seen);
    sk_stepper_deinit(&s->stepper);
    sk_intern_deinit(&s->pairs);
}

// ---- For people ----

static void report_order(sk_report *report, const search *s, uint32_t from)
{
    for (uint32_t i = from; i < s->log_size; i++)
        sk_report_add(report, s->items[s->log[i].item].operation, SK_MARK_PLACED, i + 1);
}

static void report_violation(sk_report *report, search *s)
{
    const item *culprit = NULL;
    for (uint32_t p = 0; p < s->process_count; p++) {
        const process *who = &s->processes[p];
        if (who->at == who->count) continue;
        const item *head = &s->items[who->begin + who->at];
        if (!culprit || head->operation->call < culprit->operation->call) culprit = head;
    }
    sk_buffer what = {0}, state = {0};
    sk_check_operation_write(culprit->operation, &what);
    sk_check_write_state(s->stepper.states.texts[s->states[culprit->key]], &state);
    sk_report_set(report, SK_VERDICT_VIOLATED,
                  "no order of all %u operations keeps every process's own; the longest found has %u, then nothing explains "
                  "\"%.*s\" of process %lld (line %zu); the state before was %.*s",
                  s->completed_count, s->completed_count - s->left, (int)what.size, (const char *)what.data,
                  (long long)culprit->operation->process, culprit->operation->line, (int)state.size, (const char *)state.data);
    sk_buffer_append_slice(&report->states, sk_buffer_slice(&state));
    sk_buffer_append_byte(&report->states, '\n');
    sk_report_add(report, culprit->operation, SK_MARK_CULPRIT, 0);
    sk_report_line(report, "  nothing explains  ", culprit->operation);
    for (uint32_t p = 0; p < s->process_count && report->operation_count < HEADS_MAX; p++) {
        const process *who = &s->processes[p];
        const item *head = &s->items[who->begin + who->at];
        if (who->at == who->count || head == culprit) continue;
        sk_report_add(report, head->operation, SK_MARK_CONCURRENT, 0);
        sk_report_line(report, "  nor does it fit   ", head->operation);
    }
    report_order(report, s, s->log_size > BEFORE_MAX ? s->log_size - BEFORE_MAX : 0);
    sk_buffer_printf(&report->detail, "  state before      %.*s\n", (int)state.size, (const char *)state.data);
    sk_buffer_deinit(&what);
    sk_buffer_deinit(&state);
}

// What is linearizable is sequentially consistent, and that is found key by key: most good histories end here.
static bool is_linearizable(const sk_check_history *history, const sk_model *model, const sk_check_limits *limits)
{
    sk_check_limits quick = *limits;
    quick.steps = limits->steps && limits->steps < QUICK_STEPS ? limits->steps : QUICK_STEPS;
    sk_report report;
    sk_report_init(&report);
    sk_check_linear(history, model, &quick, &report);
    bool holds = report.verdict == SK_VERDICT_HOLDS;
    sk_report_deinit(&report);
    return holds;
}

void sk_check_sequential(const sk_check_history *history, const sk_model *model, bool sessions, const sk_check_limits *limits,
                         sk_report *report)
{
    if (is_linearizable(history, model, limits)) {
        sk_report_set(report, SK_VERDICT_HOLDS, "%s, and even linearizable: %zu operations",
                      sessions ? "sequentially consistent" : "serializable", history->count);
        return;
    }
    search s = {.budget = {.limits = *limits}};
    prepare(&s, history, model, sessions);
    sk_verdict verdict = run(&s);
    report->steps = s.budget.steps;
    if (verdict == SK_VERDICT_HOLDS) {
        sk_report_set(report, verdict, "%s: %u operations, %llu steps", sessions ? "sequentially consistent" : "serializable",
                      s.count, (unsigned long long)report->steps);
        report_order(report, &s, 0);
    } else if (verdict == SK_VERDICT_VIOLATED) {
        replay_best(&s);
        report_violation(report, &s);
    } else if (s.stepper.misfit) {
        sk_report_misfit(report, model->name, s.stepper.misfit);
    } else {
        sk_report_out_of(report, s.budget.out_of, report->steps);
    }
    release(&s);
}
