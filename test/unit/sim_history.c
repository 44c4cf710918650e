// sim/history: histories with known verdicts, and registers against a search over all orders.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/hash.h"
#include "base/prng.h"
#include "sim/judge.h"

static char problem[240];

static uint64_t add(sk_history *history, enum sk_operation_kind kind, sk_ns start, sk_ns end, uint64_t result)
{
    sk_operation op = {.kind = kind,
                       .outcome = SK_OUTCOME_OK,
                       .start = start,
                       .end = end,
                       .result = result,
                       .value = history->count + 1};
    if (end == SK_NEVER) op.outcome = SK_OUTCOME_UNKNOWN;
    sk_history_add(history, op);
    return op.value;
}

static bool register_ok(const sk_history *history)
{
    return sk_history_check_register(history, 0, problem, sizeof problem);
}

static void register_known(void **state)
{
    sk_history h = {0};
    uint64_t a = add(&h, SK_OPERATION_SET, 10, 20, 0);
    uint64_t b = add(&h, SK_OPERATION_SET, 30, 40, 0);
    add(&h, SK_OPERATION_GET, 35, 50, a); // overlaps the second write: either is right
    assert_true(register_ok(&h));
    add(&h, SK_OPERATION_GET, 51, 52, b);
    assert_true(register_ok(&h));
    add(&h, SK_OPERATION_GET, 53, 54, a); // back in time
    assert_false(register_ok(&h));
    sk_history_deinit(&h);
}

static void register_lost_write(void **state)
{
    sk_history h = {0};
    add(&h, SK_OPERATION_SET, 10, 20, 0);
    add(&h, SK_OPERATION_GET, 30, 40, 0); // found nothing
    assert_false(register_ok(&h));
    sk_history_deinit(&h);
}

static void register_unknown_may_come_late_but_once(void **state)
{
    sk_history h = {0};
    uint64_t a = add(&h, SK_OPERATION_SET, 10, SK_NEVER, 0);
    uint64_t b = add(&h, SK_OPERATION_SET, 20, 30, 0);
    add(&h, SK_OPERATION_GET, 40, 50, b);
    add(&h, SK_OPERATION_GET, 60, 70, a);
    assert_true(register_ok(&h));
    add(&h, SK_OPERATION_GET, 80, 90, b);
    assert_false(register_ok(&h));
    sk_history_deinit(&h);
}

static void register_refused_must_not_show(void **state)
{
    sk_history h = {0};
    uint64_t a = add(&h, SK_OPERATION_SET, 10, 20, 0);
    h.list[0].outcome = SK_OUTCOME_FAILED;
    add(&h, SK_OPERATION_GET, 30, 40, 0);
    assert_true(register_ok(&h));
    add(&h, SK_OPERATION_GET, 50, 60, a);
    assert_false(register_ok(&h));
    sk_history_deinit(&h);
}

static void register_one_swap_for_a_value(void **state)
{
    sk_history h = {0};
    uint64_t a = add(&h, SK_OPERATION_SET, 10, 20, 0);
    add(&h, SK_OPERATION_CAS, 30, 60, 1);
    h.list[1].expect = a;
    assert_true(register_ok(&h));
    add(&h, SK_OPERATION_CAS, 30, 60, 1);
    h.list[2].expect = a;
    assert_false(register_ok(&h));
    sk_history_deinit(&h);
}

static void counter_known(void **state)
{
    sk_history h = {0};
    add(&h, SK_OPERATION_INCREMENT, 10, 20, 1);
    add(&h, SK_OPERATION_INCREMENT, 12, 40, 3);
    add(&h, SK_OPERATION_INCREMENT, 15, SK_NEVER, 0);
    add(&h, SK_OPERATION_COUNT, 50, 60, 3);
    assert_true(sk_history_check_counter(&h, 0, problem, sizeof problem));
    add(&h, SK_OPERATION_COUNT, 70, 80, 2); // back in time
    assert_false(sk_history_check_counter(&h, 0, problem, sizeof problem));
    h.count--;
    add(&h, SK_OPERATION_COUNT, 70, 80, 4); // one too many
    assert_false(sk_history_check_counter(&h, 0, problem, sizeof problem));
    h.count--;
    add(&h, SK_OPERATION_INCREMENT, 70, 80, 3); // a number twice
    assert_false(sk_history_check_counter(&h, 0, problem, sizeof problem));
    sk_history_deinit(&h);
}

static void list_known(void **state)
{
    sk_history h = {0};
    char text[4 * SK_TOKEN_SIZE + 1] = "";
    sk_history_token(text, add(&h, SK_OPERATION_APPEND, 10, 20, SK_TOKEN_SIZE));
    sk_history_token(text + SK_TOKEN_SIZE, add(&h, SK_OPERATION_APPEND, 30, 40, 2 * SK_TOKEN_SIZE));
    sk_slice both = sk_slice_make(text, 2 * SK_TOKEN_SIZE);
    assert_true(sk_history_check_list(&h, 0, both, problem, sizeof problem));
    assert_false(
        sk_history_check_list(&h, 0, sk_slice_make(text, SK_TOKEN_SIZE), problem, sizeof problem)); // lost
    memcpy(text + 2 * SK_TOKEN_SIZE, text, SK_TOKEN_SIZE);                                          // twice
    assert_false(
        sk_history_check_list(&h, 0, sk_slice_make(text, 3 * SK_TOKEN_SIZE), problem, sizeof problem));
    add(&h, SK_OPERATION_LIST, 50, 60, SK_TOKEN_SIZE); // misses what was acknowledged before it began
    h.list[2].hash = sk_hash64(0, text, SK_TOKEN_SIZE);
    assert_false(sk_history_check_list(&h, 0, both, problem, sizeof problem));
    h.list[2].start = 25;
    assert_true(sk_history_check_list(&h, 0, both, problem, sizeof problem));
    h.list[2].hash++;
    assert_false(sk_history_check_list(&h, 0, both, problem, sizeof problem));
    sk_history_deinit(&h);
}

static void set_known(void **state)
{
    sk_history h = {0};
    char text[4 * SK_TOKEN_SIZE + 1] = "";
    uint64_t a = add(&h, SK_OPERATION_ADD, 10, SK_NEVER, 0);
    add(&h, SK_OPERATION_ADD, 30, 40, 2 * SK_TOKEN_SIZE); // asked for again, and told
    h.list[1].value = a;
    uint64_t b = add(&h, SK_OPERATION_ADD, 50, 60, 3 * SK_TOKEN_SIZE);
    sk_history_token(text, a);
    sk_history_token(text + SK_TOKEN_SIZE, a); // it is there twice: that is fine
    sk_history_token(text + 2 * SK_TOKEN_SIZE, b);
    sk_slice all = sk_slice_make(text, 3 * SK_TOKEN_SIZE), first = sk_slice_make(text, SK_TOKEN_SIZE);
    assert_true(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    assert_false(sk_history_check_set(&h, 0, first, problem, sizeof problem)); // lost
    add(&h, SK_OPERATION_MEMBERS, 70, 80, SK_TOKEN_SIZE);                      // misses b, which was told before
    h.list[3].hash = sk_hash64(0, text, SK_TOKEN_SIZE);
    assert_false(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    h.list[3].start = 55;
    assert_true(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    h.list[3].start = 1, h.list[3].end = 5; // sees a before anybody asked for it
    assert_false(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    h.list[3].start = 70, h.list[3].end = 80;
    h.list[3].result = 3 * SK_TOKEN_SIZE;
    h.list[3].hash = sk_hash64(0, text, 3 * SK_TOKEN_SIZE) + 1; // other bytes than later reads have
    assert_false(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    h.count--;
    h.list[2].outcome = SK_OUTCOME_FAILED; // refused, and there
    assert_false(sk_history_check_set(&h, 0, all, problem, sizeof problem));
    sk_history_deinit(&h);
}

// Each kind of key goes to the search too, in words that its model knows; it finds what is wrong by itself.
static void judged_by_search(void **state)
{
    sk_swarm swarm = {0};
    sk_keys keys;
    sk_judge_counts counts = {0};
    sk_keys_init(&keys, 1, false);
    assert_int_equal(keys.list[0].kind, SK_KEY_SPACES); // never written: there is nothing to search
    for (uint32_t key = 1; key < keys.count; key++) {
        sk_history h = {0};
        char text[SK_TOKEN_SIZE + 1];
        enum sk_operation_kind kind = keys.list[key].kind == SK_KEY_REGISTER  ? SK_OPERATION_SET
                                      : keys.list[key].kind == SK_KEY_COUNTER ? SK_OPERATION_INCREMENT
                                      : keys.list[key].kind == SK_KEY_LIST    ? SK_OPERATION_APPEND
                                                                              : SK_OPERATION_ADD;
        bool token = kind == SK_OPERATION_APPEND || kind == SK_OPERATION_ADD;
        sk_history_token(text, add(&h, kind, 10, 20, token ? SK_TOKEN_SIZE : 1));
        add(&h, sk_keys_read(&keys, key), 30, 40, token ? SK_TOKEN_SIZE : 1);
        h.list[0].key = h.list[1].key = key;
        h.list[1].hash = sk_hash64(0, text, SK_TOKEN_SIZE);
        if (token) sk_buffer_append(&keys.list[key].longest, text, SK_TOKEN_SIZE);
        assert_true(sk_judge(&h, &keys, key, &swarm, &counts, problem, sizeof problem));
        assert_int_equal(counts.linearized, key);
        assert_true(sk_judge_search(&h, &keys, key, &counts, problem, sizeof problem));
        counts.linearized = key;
        h.list[1].result = 0; // read after it, and nothing there
        assert_false(sk_judge_search(&h, &keys, key, &counts, problem, sizeof problem));
        sk_history_deinit(&h);
    }
    sk_keys_deinit(&keys);
}

// Is there an order of the operations (unknown writes: any of them left out) that a register would show?
static bool search(const sk_history *h, uint32_t done, uint64_t current)
{
    bool all = true;
    for (size_t i = 0; i < h->count; i++) all &= (done >> i & 1) || h->list[i].outcome == SK_OUTCOME_UNKNOWN;
    if (all) return true;
    for (size_t i = 0; i < h->count; i++) {
        const sk_operation *op = &h->list[i];
        if (done >> i & 1) continue;
        bool first = true;
        for (size_t k = 0; k < h->count; k++) first &= (done >> k & 1) || h->list[k].end >= op->start;
        if (!first || (op->kind == SK_OPERATION_GET && op->result != current)) continue;
        if (search(h, done | 1u << i, op->kind == SK_OPERATION_SET ? op->value : current)) return true;
    }
    return false;
}

static void registers_equal_brute_force(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 42);
    int good = 0, bad = 0;
    for (int round = 0; round < 20000; round++) {
        sk_history h = {0};
        uint32_t count = (uint32_t)sk_prng_between(&prng, 2, 7);
        for (uint32_t i = 0; i < count; i++) {
            sk_ns start = sk_prng_between(&prng, 1, 30), end = start + sk_prng_between(&prng, 1, 12);
            bool write = sk_prng_chance(&prng, 1, 2);
            if (write && sk_prng_chance(&prng, 1, 5)) end = SK_NEVER;
            add(&h, write ? SK_OPERATION_SET : SK_OPERATION_GET, start, end, 0);
        }
        for (uint32_t i = 0; i < count; i++) {
            uint64_t value = sk_prng_below(&prng, count + 1);
            bool written = value && h.list[value - 1].kind == SK_OPERATION_SET;
            if (h.list[i].kind == SK_OPERATION_GET) h.list[i].result = written ? value : 0;
        }
        bool right = search(&h, 0, 0);
        assert_int_equal(register_ok(&h), right);
        *(right ? &good : &bad) += 1;
        sk_history_deinit(&h);
    }
    assert_true(good > 1000 && bad > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_known),
        cmocka_unit_test(register_lost_write),
        cmocka_unit_test(register_unknown_may_come_late_but_once),
        cmocka_unit_test(register_refused_must_not_show),
        cmocka_unit_test(register_one_swap_for_a_value),
        cmocka_unit_test(counter_known),
        cmocka_unit_test(list_known),
        cmocka_unit_test(set_known),
        cmocka_unit_test(judged_by_search),
        cmocka_unit_test(registers_equal_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
