// Hybrid logical clocks and version vectors, against a dumb second version.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/prng.h"
#include "clock/hlc.h"
#include "clock/vector.h"

// ---- Vectors: the second version is a table of every actor there could be ----

enum { NODES = 3, BOOTS = 4 };

typedef struct table {
    uint64_t at[NODES][BOOTS];
} table;

static sk_actor actor_of(int node, int boot)
{
    return sk_actor_make((uint32_t)node + 1, (uint64_t)boot + 1);
}

static void expect(const sk_vector *vector, const table *t)
{
    sk_vector_check(vector);
    for (int n = 0; n < NODES; n++) {
        for (int b = 0; b < BOOTS; b++) assert_true(sk_vector_get(vector, actor_of(n, b)) == t->at[n][b]);
    }
}

static void change(sk_prng *prng, sk_vector *vector, table *t)
{
    int node = (int)sk_prng_below(prng, NODES);
    int boot = (int)sk_prng_below(prng, BOOTS);
    if (sk_prng_chance(prng, 1, 8)) {
        sk_vector_retire(vector, actor_of(node, boot));
        for (int b = 0; b <= boot; b++) t->at[node][b] = SK_RETIRED;
        return;
    }
    uint64_t counter = 1 + sk_prng_below(prng, 5);
    sk_vector_raise(vector, actor_of(node, boot), counter);
    if (t->at[node][boot] < counter) t->at[node][boot] = counter;
}

static void join_tables(table *into, const table *other, bool lesser)
{
    for (int n = 0; n < NODES; n++) {
        for (int b = 0; b < BOOTS; b++) {
            bool take = lesser ? other->at[n][b] < into->at[n][b] : other->at[n][b] > into->at[n][b];
            if (take) into->at[n][b] = other->at[n][b];
        }
    }
}

static bool covers(const table *a, const table *b)
{
    for (int n = 0; n < NODES; n++) {
        for (int k = 0; k < BOOTS; k++) {
            if (b->at[n][k] > a->at[n][k]) return false;
        }
    }
    return true;
}

// Through its bytes and back: the same vector, the same bytes.
static void roundtrip(const sk_vector *vector, const table *t)
{
    sk_buffer bytes = {0};
    sk_buffer again = {0};
    sk_vector copy = {0};
    sk_vector_write(vector, &bytes);
    sk_reader reader = sk_reader_make(sk_buffer_slice(&bytes));
    sk_vector_read(&copy, &reader, NODES * BOOTS);
    assert_true(sk_reader_done(&reader));
    expect(&copy, t);
    sk_vector_write(&copy, &again);
    assert_true(sk_slice_equal(sk_buffer_slice(&bytes), sk_buffer_slice(&again)));
    sk_vector_deinit(&copy);
    sk_buffer_deinit(&bytes);
    sk_buffer_deinit(&again);
}

static void vectors_are_tables(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 5);
    unsigned seen[4] = {0};
    for (int round = 0; round < 20000; round++) {
        sk_vector v[2] = {0};
        table t[2] = {0};
        for (int i = 0; i < 2; i++) {
            for (uint64_t n = sk_prng_below(&prng, 6); n; n--) change(&prng, &v[i], &t[i]);
            expect(&v[i], &t[i]);
        }
        bool less = covers(&t[1], &t[0]);
        bool greater = covers(&t[0], &t[1]);
        enum sk_order order = sk_vector_compare(&v[0], &v[1]);
        assert_int_equal(order, less ? greater ? SK_ORDER_EQUAL : SK_ORDER_BEFORE
                                     : greater ? SK_ORDER_AFTER : SK_ORDER_CONCURRENT);
        seen[order]++;
        bool lesser = sk_prng_chance(&prng, 1, 2);
        join_tables(&t[0], &t[1], lesser);
        if (lesser) sk_vector_meet(&v[0], &v[1]);
        else sk_vector_join(&v[0], &v[1]);
        expect(&v[0], &t[0]);
        roundtrip(&v[0], &t[0]);
        for (int i = 0; i < 2; i++) sk_vector_deinit(&v[i]);
    }
    for (int i = 0; i < 4; i++) assert_true(seen[i] > 100);
}

static bool readable(const char *bytes, size_t size, size_t count_max)
{
    sk_vector vector = {0};
    sk_reader reader = sk_reader_make(sk_slice_make(bytes, size));
    sk_vector_read(&vector, &reader, count_max);
    bool done = sk_reader_done(&reader);
    sk_vector_deinit(&vector);
    return done;
}

static void bad_vectors_are_refused(void **state)
{
    assert_true(readable("\2\1\1\5\2\1\5", 7, 2));
    assert_false(readable("\2\1\1\5\2\1\5", 7, 1));  // too many
    assert_false(readable("\2\1\1\5\2\1", 6, 2));    // cut off
    assert_false(readable("\2\2\1\5\1\1\5", 7, 2));  // out of order
    assert_false(readable("\2\1\1\5\1\1\5", 7, 2));  // twice
    assert_false(readable("\2\1\1\5\1\2\0", 7, 2));  // retired behind another life
    assert_true(readable("\2\1\1\0\1\2\5", 7, 2));   // retired before it
    assert_false(readable("\1\0\1\5", 4, 2));        // nobody
    assert_false(readable("\1\1\0\5", 4, 2));        // no life
    assert_false(readable("\1\1\1\x81\x80\x80\x80\x80\x80\x80\x80\2", 12, 2)); // beyond SK_COUNTER_MAX
    assert_false(readable("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 10, SIZE_MAX));
}

// ---- Hybrid logical clock ----

static void stamps_rise_and_follow(void **state)
{
    sk_hlc a;
    sk_hlc b;
    sk_hlc_init(&a, 500);
    sk_hlc_init(&b, 500);
    uint64_t first = sk_hlc_tick(&a, 1000);
    assert_int_equal(sk_hlc_ms(first), 1000);
    assert_true(sk_hlc_tick(&a, 1000) == first + 1); // time stands still
    assert_true(sk_hlc_tick(&a, 900) == first + 2);  // goes back a little
    assert_true(sk_hlc_follow(&b, 600, first));      // and another clock is behind
    assert_true(sk_hlc_tick(&b, 601) > first);
    assert_int_equal(sk_hlc_ms(sk_hlc_tick(&b, 2000)), 2000);
}

// C03: an hour ahead is not followed, and a clock that was set back an hour goes on at once.
static void C03_drift_is_bounded(void **state)
{
    const uint64_t hour = 3600 * 1000;
    sk_hlc a;
    sk_hlc b;
    sk_hlc_init(&a, 500);
    sk_hlc_init(&b, 500);
    uint64_t future = sk_hlc_tick(&a, 10 * hour + hour);
    uint64_t before = sk_hlc_tick(&b, 10 * hour);
    assert_false(sk_hlc_follow(&b, 10 * hour, future));
    assert_int_equal(b.refused, 1);
    assert_true(sk_hlc_tick(&b, 10 * hour) == before + 1);
    assert_true(sk_hlc_follow(&b, 10 * hour, (10 * hour + 500) << SK_HLC_LOGICAL_BITS));
    assert_int_equal(sk_hlc_ms(sk_hlc_tick(&a, 10 * hour)), 10 * hour);
    assert_int_equal(a.steps_back, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_tables),
        cmocka_unit_test(bad_vectors_are_refused),
        cmocka_unit_test(stamps_rise_and_follow),
        cmocka_unit_test(C03_drift_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
