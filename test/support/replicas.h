// Replicas of a mergeable state that exchange operations and chunks by hand, and a second version of what they should show: a list of
// all operations with what each of them had seen, from which the answer follows by definition.
#ifndef SK_TEST_SUPPORT_REPLICAS_H
#define SK_TEST_SUPPORT_REPLICAS_H

#include <stdio.h>
#include <stdlib.h>
#include "base/prng.h"
#include "data/mergeable.h"

enum { REPLICAS = 3, STEPS_MAX = 64, NAMES = 3 };

enum step_kind { STEP_SET, STEP_CLEAR, STEP_COUNT, STEP_ADD, STEP_REMOVE, STEP_SET_FIELD, STEP_COUNT_FIELD, STEP_REMOVE_FIELD,
                 STEP_EXPIRE };

typedef struct step {
    enum step_kind kind;
    int name;      // of the member or field
    int64_t value; // what was set or counted: never 0
    uint64_t past; // bits of the steps that its replica had seen
    sk_buffer operation;
    int replica;
} step;

typedef struct replicas {
    sk_mergeable state[REPLICAS];
    uint64_t seen[REPLICAS]; // bits of steps
    step steps[STEPS_MAX];
    int count;
    uint64_t wall_ms;
} replicas;

static const sk_slice the_key = {(const uint8_t *)"key", 3};

static inline sk_slice name_of(int name)
{
    static const char *const names[] = {"a", "b", "c"};
    return sk_slice_text(names[name]);
}

static inline void replicas_open(replicas *r)
{
    memset(r, 0, sizeof *r);
    r->wall_ms = 1000000;
    for (int i = 0; i < REPLICAS; i++) {
        sk_mergeable_init(&r->state[i], (uint32_t)i + 1, 500);
        sk_mergeable_identify(&r->state[i], 1);
    }
}

static inline void replicas_close(replicas *r)
{
    for (int i = 0; i < REPLICAS; i++) sk_mergeable_deinit(&r->state[i]);
    for (int i = 0; i < r->count; i++) sk_buffer_deinit(&r->steps[i].operation);
}

static inline sk_total total_of(int64_t value)
{
    return (sk_total){value < 0, {value < 0 ? (uint64_t)-value : (uint64_t)value, 0}};
}

// Runs a step at a replica. False: nothing came of it.
static inline bool replicas_step(replicas *r, int replica, enum step_kind kind, int name, int64_t value)
{
    step *s = &r->steps[r->count];
    *s = (step){.kind = kind, .name = name, .value = value, .past = r->seen[replica], .replica = replica};
    sk_writer writer = {.state = &r->state[replica], .wall_ms = ++r->wall_ms, .out = &s->operation};
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    switch (kind) {
    case STEP_SET: sk_change_set(&writer, the_key, sk_slice_text(text), 0); break;
    case STEP_CLEAR: sk_change_clear(&writer, the_key); break;
    case STEP_COUNT: sk_change_count(&writer, the_key, total_of(value)); break;
    case STEP_ADD: sk_change_add_member(&writer, the_key, name_of(name)); break;
    case STEP_REMOVE: sk_change_remove_member(&writer, the_key, name_of(name)); break;
    case STEP_SET_FIELD: sk_change_set_field(&writer, the_key, name_of(name), sk_slice_text(text)); break;
    case STEP_COUNT_FIELD: sk_change_count_field(&writer, the_key, name_of(name), total_of(value)); break;
    case STEP_REMOVE_FIELD: sk_change_remove_field(&writer, the_key, name_of(name)); break;
    case STEP_EXPIRE: sk_change_expire(&writer, the_key, (uint64_t)INT64_MAX - (uint64_t)value); break;
    }
    if (s->operation.size == 0) return false;
    r->seen[replica] |= (uint64_t)1 << r->count++;
    return true;
}

static inline int replicas_deliver(replicas *r, int to, int number)
{
    sk_operation operation;
    int status = sk_operation_read(sk_buffer_slice(&r->steps[number].operation), &operation);
    if (status == 0) status = sk_mergeable_apply(&r->state[to], &operation, r->wall_ms);
    if (status == 0) r->seen[to] |= (uint64_t)1 << number;
    return status;
}

// All that `from` has, as a peer asks for it. Small chunks.
static inline void replicas_sync(replicas *r, int to, int from, size_t budget, bool everything)
{
    sk_walk *walk = sk_walk_open(&r->state[from], everything ? NULL : &r->state[to].seen);
    sk_buffer chunk = {0};
    bool more;
    do {
        sk_buffer_clear(&chunk);
        more = sk_walk_next(walk, &chunk, budget);
        int status = sk_mergeable_merge(&r->state[to], sk_buffer_slice(&chunk), r->wall_ms);
        if (status < 0) abort();
    } while (more);
    sk_mergeable_join(&r->state[to], sk_walk_seen(walk), sk_walk_is_full(walk) ? sk_walk_base(walk) : NULL);
    sk_walk_close(walk);
    sk_buffer_deinit(&chunk);
    r->seen[to] |= r->seen[from];
}

// ---- By definition ----

static inline bool touches(const step *later, const step *earlier)
{
    if (later->kind == STEP_SET || later->kind == STEP_CLEAR) return true;
    bool member = earlier->kind == STEP_ADD;
    bool field = earlier->kind == STEP_SET_FIELD || earlier->kind == STEP_COUNT_FIELD;
    if (member) return later->name == earlier->name && (later->kind == STEP_ADD || later->kind == STEP_REMOVE);
    if (field)
        return later->name == earlier->name && (later->kind == STEP_SET_FIELD || later->kind == STEP_REMOVE_FIELD);
    return earlier->kind == STEP_EXPIRE && later->kind == STEP_EXPIRE;
}

// Does what step i did still stand for somebody who has seen `seen`? Not if a step seen by him had seen i and replaced it.
static inline bool stands(const replicas *r, uint64_t seen, int i)
{
    if (!(seen >> i & 1)) return false;
    for (int k = 0; k < r->count; k++) {
        if ((seen >> k & 1) && (r->steps[k].past >> i & 1) && touches(&r->steps[k], &r->steps[i])) return false;
    }
    return true;
}

static inline bool total_is(const sk_counter *counter, int64_t value)
{
    sk_total total = sk_counter_value(counter);
    uint64_t whole = value < 0 ? (uint64_t)-value : (uint64_t)value;
    return total.amount.fraction == 0 && total.amount.whole == whole && (whole == 0 || total.negative == (value < 0));
}

static inline bool has_sibling(const sk_register *reg, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    for (size_t i = 0; i < reg->count; i++) {
        if (sk_slice_equal(reg->list[i].value, sk_slice_text(text))) return true;
    }
    return false;
}

// name -1: the key's own scalar. NULL or what differs.
static inline const char *scalar_differs(const replicas *r, uint64_t seen, int name, const sk_scalar *scalar)
{
    enum step_kind set = name < 0 ? STEP_SET : STEP_SET_FIELD;
    enum step_kind count = name < 0 ? STEP_COUNT : STEP_COUNT_FIELD;
    int64_t total = 0;
    size_t siblings = 0;
    bool counted = false;
    for (int i = 0; i < r->count; i++) {
        const step *s = &r->steps[i];
        if ((name >= 0 && s->name != name) || !stands(r, seen, i)) continue;
        if (s->kind == count) {
            total += s->value;
            counted = true;
        }
        if (s->kind != set) continue;
        siblings++;
        if (!has_sibling(&scalar->reg, s->value)) return "a value is missing";
    }
    if (siblings != scalar->reg.count) return "a value is there too many";
    if (!total_is(&scalar->counter, total)) return "the counter stands wrong";
    return counted == sk_counter_live(&scalar->counter) ? NULL : "the counter is there or not";
}

// NULL: the replica shows what it must. Else what differs.
static inline const char *replicas_differ(replicas *r, int replica)
{
    sk_mergeable *state = &r->state[replica];
    uint64_t seen = r->seen[replica];
    sk_head head = {0};
    sk_scalar scalar = {0};
    uint8_t tag;
    sk_mergeable_head(state, the_key, &head, &tag);
    const char *why = scalar_differs(r, seen, -1, &head.scalar);
    for (int name = 0; name < NAMES && !why; name++) {
        bool member = false;
        for (int i = 0; i < r->count; i++)
            member |= r->steps[i].kind == STEP_ADD && r->steps[i].name == name && stands(r, seen, i);
        if (member != sk_mergeable_has_member(state, the_key, name_of(name))) why = "a member is there or not";
        bool field = sk_mergeable_field(state, the_key, name_of(name), &scalar);
        if (!field) sk_scalar_clear(&scalar);
        if (!why) why = scalar_differs(r, seen, name, &scalar);
    }
    size_t expiries = 0;
    for (int i = 0; i < r->count; i++) expiries += r->steps[i].kind == STEP_EXPIRE && stands(r, seen, i);
    if (!why && expiries != head.expiry.count) why = "an expiry is there or not";
    sk_head_deinit(&head);
    sk_scalar_deinit(&scalar);
    return why;
}

#endif
