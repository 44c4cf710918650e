// Mergeable values: what they show by definition, the laws of merging byte for byte, differences, tombstones, and the lines of the
// checklist that hold at this level (C01, C02, C04 to C12).
//
// SKEIN_LONG=1: a million triples a type.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "test/support/replicas.h"

// ---- Random histories ----

enum { REGISTER, COUNTER, SET, MAP, EXPIRY, ALL, TYPES };
static const char *const type_names[] = {"register", "counter", "set", "map", "expiry", "all at once"};
static const uint32_t kinds_of[TYPES] = {
    [REGISTER] = 1 << STEP_SET | 1 << STEP_CLEAR,
    [COUNTER] = 1 << STEP_COUNT | 1 << STEP_SET | 1 << STEP_CLEAR,
    [SET] = 1 << STEP_ADD | 1 << STEP_REMOVE | 1 << STEP_CLEAR,
    [MAP] = 1 << STEP_SET_FIELD | 1 << STEP_COUNT_FIELD | 1 << STEP_REMOVE_FIELD | 1 << STEP_CLEAR,
    [EXPIRY] = 1 << STEP_SET | 1 << STEP_EXPIRE | 1 << STEP_CLEAR,
    [ALL] = (1 << (STEP_EXPIRE + 1)) - 1,
};

static void random_step(sk_prng *prng, replicas *r, int type)
{
    enum step_kind kind;
    do {
        kind = (enum step_kind)sk_prng_below(prng, STEP_EXPIRE + 1);
    } while (!(kinds_of[type] >> kind & 1));
    int64_t value = (int64_t)sk_prng_below(prng, 1000) + 1000 * (r->count + 1); // all different
    if ((kind == STEP_COUNT || kind == STEP_COUNT_FIELD) && sk_prng_chance(prng, 1, 3)) value = -value;
    replicas_step(r, (int)sk_prng_below(prng, REPLICAS), kind, (int)sk_prng_below(prng, NAMES), value);
}

// Operations that fit, in any order over the actors, or only behind what their makers had seen.
static void random_delivery(sk_prng *prng, replicas *r, bool causal)
{
    if (!r->count) return;
    int to = (int)sk_prng_below(prng, REPLICAS);
    int number = (int)sk_prng_below(prng, (uint64_t)r->count);
    if (causal && (r->steps[number].past & ~r->seen[to])) return;
    int status = replicas_deliver(r, to, number);
    assert_true(status == 0 || status == SK_EAGAIN);
}

static void expect_all(replicas *r, const char *where)
{
    for (int i = 0; i < REPLICAS; i++) {
        const char *why = replicas_differ(r, i);
        if (why) fail_msg("%s: replica %d: %s", where, i, why);
        sk_mergeable_check(&r->state[i]);
    }
}

// As the protocol does: a replica settles by what the others report to have seen, and links keep their order, so it has what they had
// done before they reported.
static void settle_all(replicas *r)
{
    sk_vector stable = {0};
    sk_vector_copy(&stable, &r->state[0].seen);
    for (int i = 1; i < REPLICAS; i++) sk_vector_meet(&stable, &r->state[i].seen);
    for (int i = 0; i < REPLICAS; i++) {
        bool heard = true;
        for (int k = 0; k < REPLICAS; k++) {
            sk_actor actor = r->state[k].self;
            heard &= sk_vector_get(&r->state[i].seen, actor) == sk_vector_get(&r->state[k].seen, actor);
        }
        if (heard) sk_mergeable_settle(&r->state[i], &stable);
    }
    sk_vector_deinit(&stable);
}

static void collect_all(replicas *r)
{
    for (int i = 0; i < REPLICAS; i++) {
        while (sk_mergeable_collect(&r->state[i], 3)) {
        }
    }
}

// Random steps, operations out of order, differences of any size, tombstones forgotten in the middle of it: every replica shows at all
// times what the definition says of what it has seen. C07: a gap is never applied over.
//
// An operation may carry what its maker had seen (a CLEAR its context, a new tally the reset of the one before) to somebody who has not
// seen that yet. So replicas are held against the definition in between only where operations come behind their causes.
static void C07_shows_what_was_seen(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 7);
    uint64_t rounds = getenv("SKEIN_LONG") ? 60000 : 3000;
    for (uint64_t round = 0; round < rounds; round++) {
        int type = (int)(round % TYPES);
        replicas r;
        replicas_open(&r);
        bool settles = sk_prng_chance(&prng, 1, 2);
        bool causal = sk_prng_chance(&prng, 1, 2);
        while (r.count < 24) {
            random_step(&prng, &r, type);
            for (uint64_t n = sk_prng_below(&prng, 6); n; n--) random_delivery(&prng, &r, causal);
            if (sk_prng_chance(&prng, 1, 8)) {
                int to = (int)sk_prng_below(&prng, REPLICAS);
                replicas_sync(&r, to, (to + 1) % REPLICAS, 1 + sk_prng_below(&prng, 100), sk_prng_chance(&prng, 1, 4));
            }
            if (settles && sk_prng_chance(&prng, 1, 4)) settle_all(&r);
            if (settles && sk_prng_chance(&prng, 1, 2)) sk_mergeable_collect(&r.state[sk_prng_below(&prng, REPLICAS)], 2);
            if (causal && sk_prng_chance(&prng, 1, 4)) expect_all(&r, type_names[type]);
        }
        for (int n = 0; n < 2 * REPLICAS; n++) replicas_sync(&r, n % REPLICAS, (n + 1) % REPLICAS, 50, false);
        expect_all(&r, type_names[type]);
        for (int i = 1; i < REPLICAS; i++) {
            assert_true(r.state[i].content == r.state[0].content);
            assert_int_equal(sk_vector_compare(&r.state[i].seen, &r.state[0].seen), SK_ORDER_EQUAL);
        }
        settle_all(&r);
        collect_all(&r);
        expect_all(&r, type_names[type]);
        for (int i = 0; i < REPLICAS; i++) {
            assert_int_equal(r.state[i].index.count, 0);
            assert_true(r.state[i].keys.count == r.state[i].live || r.state[i].expiries.count);
        }
        replicas_close(&r);
    }
}

// ---- Laws ----

// The state that merging these pieces in this order gives, as bytes.
static void merged(const sk_buffer *const *pieces, size_t count, sk_buffer *out)
{
    sk_mergeable state;
    sk_buffer chunk = {0};
    sk_mergeable_init(&state, 9, 500);
    for (size_t i = 0; i < count; i++) {
        sk_buffer_clear(&chunk);
        sk_buffer_append(&chunk, "\0\0", 2);
        sk_buffer_append_slice(&chunk, sk_buffer_slice(pieces[i]));
        assert_int_equal(sk_mergeable_merge(&state, sk_buffer_slice(&chunk), 1000), 0);
    }
    sk_buffer_clear(out);
    sk_mergeable_export(&state, the_key, out);
    sk_buffer_deinit(&chunk);
    sk_mergeable_deinit(&state);
}

static void expect_equal(const char *law, int type, const sk_buffer *a, const sk_buffer *b)
{
    if (!sk_slice_equal(sk_buffer_slice(a), sk_buffer_slice(b))) fail_msg("%s: not %s", type_names[type], law);
}

static void check_laws(int type, const sk_buffer *a, const sk_buffer *b, const sk_buffer *c)
{
    sk_buffer ab = {0}, ba = {0}, bc = {0}, left = {0}, right = {0}, twice = {0};
    merged((const sk_buffer *const[]){a, b}, 2, &ab);
    merged((const sk_buffer *const[]){b, a}, 2, &ba);
    expect_equal("commutative", type, &ab, &ba);
    merged((const sk_buffer *const[]){b, c}, 2, &bc);
    merged((const sk_buffer *const[]){&ab, c}, 2, &left);
    merged((const sk_buffer *const[]){a, &bc}, 2, &right);
    expect_equal("associative", type, &left, &right);
    merged((const sk_buffer *const[]){a, a}, 2, &twice);
    expect_equal("idempotent", type, &twice, a);
    merged((const sk_buffer *const[]){&ab, b, a}, 3, &twice);
    expect_equal("idempotent", type, &twice, &ab);
    sk_buffer *const all[] = {&ab, &ba, &bc, &left, &right, &twice};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sk_buffer_deinit(all[i]);
}

// C08: three states of one key that three replicas came to, whatever they had heard of each other.
static void C08_laws_of_merging(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 8);
    uint64_t triples = getenv("SKEIN_LONG") ? 1000000 : 100000 / TYPES;
#ifdef __SANITIZE_ADDRESS__
    triples /= 10;
#endif
    for (int type = 0; type < TYPES; type++) {
        uint64_t done = 0;
        while (done < triples) {
            replicas r;
            replicas_open(&r);
            while (r.count < 40 && done < triples) {
                random_step(&prng, &r, type);
                for (uint64_t n = sk_prng_below(&prng, 4); n; n--) random_delivery(&prng, &r, false);
                sk_buffer piece[REPLICAS] = {0};
                bool any = true;
                for (int i = 0; i < REPLICAS; i++) {
                    sk_mergeable_export(&r.state[i], the_key, &piece[i]);
                    any &= piece[i].size > 0;
                }
                if (any) {
                    int first = (int)sk_prng_below(&prng, REPLICAS);
                    check_laws(type, &piece[first], &piece[(first + 1) % REPLICAS], &piece[(first + 2) % REPLICAS]);
                    done++;
                }
                for (int i = 0; i < REPLICAS; i++) sk_buffer_deinit(&piece[i]);
            }
            replicas_close(&r);
        }
    }
    print_message("figure: %llu triples of each of %d types: commutative, associative, idempotent, byte for byte\n",
                  (unsigned long long)triples, TYPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C07_shows_what_was_seen),
        cmocka_unit_test(C08_laws_of_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
