// The judge of mergeable spaces (sim/merge_check.h) on histories by hand: right ones pass, wrong ones do not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "sim/merge_check.h"
#include "sim/synced.h"

typedef struct book {
    sk_history history;
    sk_keys keys;
    uint32_t key;
    sk_ns now;
} book;

static void open_book(book *b, enum sk_key_kind kind)
{
    memset(b, 0, sizeof *b);
    sk_keys_init(&b->keys, 1, true);
    b->key = b->keys.current[kind][0];
}

// One after another; acknowledged unless said otherwise.
static sk_operation *did(book *b, enum sk_operation_kind kind, uint32_t node, uint64_t result)
{
    b->now += 10;
    size_t index = sk_history_add(&b->history, (sk_operation){.kind = kind,
                                                              .outcome = SK_OUTCOME_OK,
                                                              .key = b->key,
                                                              .node = node,
                                                              .value = b->history.count + 1,
                                                              .result = result,
                                                              .start = b->now,
                                                              .end = b->now + 5});
    return &b->history.list[index];
}

static sk_operation *audited(book *b, enum sk_operation_kind kind, uint64_t result)
{
    sk_operation *op = did(b, kind, 1, result);
    op->quiet = true;
    return op;
}

static void judged(book *b, bool expected)
{
    sk_judge_counts counts = {0};
    char problem[240] = "";
    bool fine = sk_merge_check(&b->history, &b->keys, b->key, NULL, &counts, problem, sizeof problem);
    if (fine != expected) fail_msg("%s: %s", expected ? "wrongly refused" : "wrongly accepted", problem);
    assert_int_equal(fine, problem[0] == 0);
    sk_history_deinit(&b->history);
    sk_keys_deinit(&b->keys);
}

static void counters(void **state)
{
    // {second outcome, audit's total, is it right}
    static const struct { enum sk_outcome second; int64_t total; bool right; } cases[] = {
        {SK_OUTCOME_OK, 12, true},      {SK_OUTCOME_OK, 5, false},     {SK_OUTCOME_OK, 19, false}, {SK_OUTCOME_UNKNOWN, 12, true},
        {SK_OUTCOME_UNKNOWN, 5, true}, {SK_OUTCOME_UNKNOWN, 4, false}, {SK_OUTCOME_FAILED, 12, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        book b;
        open_book(&b, SK_KEY_MERGE_COUNTER);
        did(&b, SK_OPERATION_MERGE_COUNT, 1, 5)->amount = 5;
        sk_operation *second = did(&b, SK_OPERATION_MERGE_COUNT, 2, 7);
        second->amount = 7;
        second->outcome = cases[i].second;
        if (second->outcome != SK_OUTCOME_OK) second->end = SK_NEVER;
        audited(&b, SK_OPERATION_MERGE_TOTAL, (uint64_t)cases[i].total);
        judged(&b, cases[i].right);
    }
}

static void sets(void **state)
{
    for (int missing = 0; missing < 2; missing++) {
        book b;
        open_book(&b, SK_KEY_MERGE_SET);
        did(&b, SK_OPERATION_MERGE_ADD, 1, 1)->cell = 3;
        audited(&b, SK_OPERATION_MERGE_MEMBERS, missing ? 0 : 1 << 3);
        judged(&b, !missing);
    }
    for (int shown = 0; shown < 2; shown++) { // removed by the node that had added it
        book b;
        open_book(&b, SK_KEY_MERGE_SET);
        did(&b, SK_OPERATION_MERGE_ADD, 1, 1)->cell = 3;
        did(&b, SK_OPERATION_MERGE_REMOVE, 1, 1)->cell = 3;
        audited(&b, SK_OPERATION_MERGE_MEMBERS, shown ? 1 << 3 : 0);
        judged(&b, !shown);
    }
    for (int shown = 0; shown < 2; shown++) { // removed elsewhere: it may have been seen there or not
        book b;
        open_book(&b, SK_KEY_MERGE_SET);
        did(&b, SK_OPERATION_MERGE_ADD, 1, 1)->cell = 3;
        did(&b, SK_OPERATION_MERGE_REMOVE, 2, 1)->cell = 3;
        audited(&b, SK_OPERATION_MERGE_MEMBERS, shown ? 1 << 3 : 0);
        judged(&b, true);
    }
    book b;
    open_book(&b, SK_KEY_MERGE_SET); // nobody added it
    did(&b, SK_OPERATION_MERGE_ADD, 1, 1)->cell = 3;
    audited(&b, SK_OPERATION_MERGE_MEMBERS, 1 << 3 | 1 << 4);
    judged(&b, false);
}

static void registers(void **state)
{
    // Written 1 and 2 at one node: 2 is right, 1 is replaced, none and 9 are wrong.
    static const struct { uint64_t shown; bool right; } cases[] = {{2, true}, {1, false}, {0, false}, {9, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        book b;
        open_book(&b, SK_KEY_MERGE_REGISTER);
        did(&b, SK_OPERATION_MERGE_SET, 1, 0);
        did(&b, SK_OPERATION_MERGE_SET, 1, 0);
        audited(&b, SK_OPERATION_MERGE_GET, cases[i].shown);
        judged(&b, cases[i].right);
    }
    for (uint64_t shown = 0; shown < 3; shown++) { // at two nodes: either, but not none
        book b;
        open_book(&b, SK_KEY_MERGE_REGISTER);
        did(&b, SK_OPERATION_MERGE_SET, 1, 0);
        did(&b, SK_OPERATION_MERGE_SET, 2, 0);
        audited(&b, SK_OPERATION_MERGE_GET, shown);
        judged(&b, shown > 0);
    }
}

static void own_writes_over_a_crash(void **state)
{
    for (int lost = 0; lost < 2; lost++) { // read where it was written, in the run; unless that disk has lost something since
        for (uint32_t amnesia = 0; amnesia < 2; amnesia++) {
            book b;
            open_book(&b, SK_KEY_MERGE_REGISTER);
            did(&b, SK_OPERATION_MERGE_SET, 1, 0);
            did(&b, SK_OPERATION_MERGE_GET, 1, lost ? 0 : 1)->amnesia = amnesia;
            judged(&b, !lost || amnesia);
        }
    }
}

// Answered before it was on disk, and the node ended: it comes back from others, so reads there may lack it for a while; those before may not.
static void own_writes_over_a_cut(void **state)
{
    for (int before = 0; before < 2; before++) {
        book b;
        open_book(&b, SK_KEY_MERGE_REGISTER);
        did(&b, SK_OPERATION_MERGE_SET, 1, 0)->cut = before ? 1000 : 12;
        did(&b, SK_OPERATION_MERGE_GET, 1, 0);
        judged(&b, !before);
    }
}

static void what_is_synced(void **state)
{
    sk_synced synced;
    sk_vector seen = {0};
    sk_actor actor = sk_actor_make(1, 7);
    sk_synced_init(&synced);
    for (uint64_t number = 1; number <= 4; number++) {
        sk_vector_raise(&seen, actor, number);
        sk_synced_look(&synced, number, number / 2, &seen);
        assert_int_equal(sk_vector_get(&synced.vector, actor), number / 2);
    }
    sk_synced_restart(&synced); // 3 and 4 are never on disk
    sk_synced_look(&synced, 2, 2, &synced.vector);
    assert_int_equal(sk_vector_get(&synced.vector, actor), 2);
    sk_synced_look(&synced, 5, 5, &seen);
    assert_int_equal(sk_vector_get(&synced.vector, actor), 4);
    sk_synced_lose(&synced);
    assert_int_equal(sk_vector_get(&synced.vector, actor), 0);
    sk_synced_deinit(&synced);
    sk_vector_deinit(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),
        cmocka_unit_test(sets),
        cmocka_unit_test(registers),
        cmocka_unit_test(own_writes_over_a_crash),
        cmocka_unit_test(own_writes_over_a_cut),
        cmocka_unit_test(what_is_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
