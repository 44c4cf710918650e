#include "sim/shrink.h"

#include <string.h>
#include "base/assert.h"

enum { ROUNDS_MAX = 4, ITEMS_MAX = SK_PLAN_FAULTS_MAX };

typedef struct shrink {
    const sk_shrink_subject *subject;
    sk_shrink_fails *fails;
    void *context;
    sk_overrides *best;
    bool changed; // in this round
} shrink;

static bool try(shrink *run, sk_overrides candidate)
{
    if (!run->fails(run->context, &candidate)) return false;
    *run->best = candidate;
    run->changed = true;
    return true;
}

// ---- Sets ----

typedef void drop(sk_overrides *candidate, uint32_t item);

static void drop_fault(sk_overrides *candidate, uint32_t number)
{
    sk_overrides_keep(candidate, number, false);
}

static void drop_habit(sk_overrides *candidate, uint32_t kind)
{
    candidate->without[kind] = true;
}

static void drop_phase(sk_overrides *candidate, uint32_t index)
{
    candidate->phases &= ~((uint32_t)1 << index);
}

// Leaves out parts of half the items, of a quarter, ... of one; again at a size as long as something went.
// `least`: so many stay.
static void reduce_set(shrink *run, uint32_t *items, uint32_t count, uint32_t least, drop *leave_out)
{
    for (uint32_t part = count; part > 0;) {
        bool went = false;
        for (uint32_t from = 0; from < count;) {
            uint32_t end = from + part < count ? from + part : count;
            sk_overrides candidate = *run->best;
            for (uint32_t i = from; i < end; i++) leave_out(&candidate, items[i]);
            if (count - (end - from) < least || !try(run, candidate)) {
                from = end;
                continue;
            }
            memmove(items + from, items + end, (count - end) * sizeof *items);
            count -= end - from;
            went = true;
        }
        if (part == 1 && !went) break;
        if (part > 1) part = (part + 1) / 2;
        if (part > count) part = count;
    }
}

static void reduce_faults(shrink *run)
{
    uint32_t items[ITEMS_MAX], count = 0;
    for (uint32_t number = 1; number <= run->subject->faults; number++) {
        if (sk_overrides_keeps(run->best, number)) items[count++] = number;
    }
    reduce_set(run, items, count, 0, drop_fault);
}

static void reduce_habits(shrink *run)
{
    uint32_t items[SK_FAULT_END], count = 0;
    for (uint32_t kind = 0; kind < SK_FAULT_END; kind++) {
        if (run->subject->habits[kind] && !run->best->without[kind]) items[count++] = kind;
    }
    reduce_set(run, items, count, 0, drop_habit);
}

static void reduce_phases(shrink *run)
{
    uint32_t items[SK_SWARM_PHASES_MAX], count = 0, all = ((uint32_t)1 << run->subject->phases) - 1;
    sk_overrides before = *run->best;
    if (!run->best->phases) run->best->phases = all;
    for (uint32_t i = 0; i < run->subject->phases; i++) {
        if (run->best->phases >> i & 1) items[count++] = i;
    }
    reduce_set(run, items, count, 1, drop_phase);
    if (run->best->phases == all) run->best->phases = before.phases;
}

// ---- Numbers ----

// The least that still fails, as if fewer failed less: between `least` and what it is now. `step`: not finer than that.
static void reduce_number(shrink *run, uint64_t least, uint64_t now, uint64_t step,
                          void (*set)(sk_overrides *, uint64_t))
{
    uint64_t low = least;
    if (now <= least) return;
    sk_overrides candidate = *run->best;
    set(&candidate, least);
    if (try(run, candidate)) return;
    while (now - low > step) {
        uint64_t middle = low + (now - low) / 2;
        candidate = *run->best;
        set(&candidate, middle);
        if (try(run, candidate))
            now = middle;
        else
            low = middle;
    }
}

static void set_nodes(sk_overrides *candidate, uint64_t value)
{
    candidate->nodes = (uint32_t)value;
}

static void set_clients(sk_overrides *candidate, uint64_t value)
{
    candidate->clients = (uint32_t)value;
}

static void set_operations(sk_overrides *candidate, uint64_t value)
{
    candidate->operations = (uint32_t)value;
}

static void set_keys(sk_overrides *candidate, uint64_t value)
{
    candidate->keys = (uint32_t)value;
}

static void set_until(sk_overrides *candidate, uint64_t value)
{
    candidate->until = value / SK_MS * SK_MS;
}

static void reduce_numbers(shrink *run)
{
    const sk_shrink_subject *drawn = run->subject;
    const sk_overrides *best = run->best;
    reduce_number(run, 1, best->clients ? best->clients : drawn->clients, 1, set_clients);
    reduce_number(run, 1, best->operations ? best->operations : drawn->operations, 1, set_operations);
    reduce_number(run, 1, best->keys ? best->keys : drawn->keys, 1, set_keys);
    reduce_number(run, 50 * SK_MS, best->until ? best->until : drawn->length, 100 * SK_MS, set_until);
    reduce_number(run, 1, best->nodes ? best->nodes : drawn->nodes, 1, set_nodes);
}

void sk_shrink(const sk_shrink_subject *subject, sk_shrink_fails *fails, void *context, sk_overrides *best)
{
    SK_ASSERT(subject->faults <= SK_PLAN_FAULTS_MAX && subject->phases <= SK_SWARM_PHASES_MAX);
    shrink run = {.subject = subject, .fails = fails, .context = context, .best = best};
    for (int round = 0; round < ROUNDS_MAX; round++) {
        run.changed = false;
        reduce_phases(&run);
        reduce_faults(&run);
        reduce_habits(&run);
        reduce_numbers(&run);
        if (!run.changed) break;
    }
}
