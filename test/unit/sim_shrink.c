// Shrinking against predicates whose smallest failing run is known.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "sim/shrink.h"

static const sk_shrink_subject subject = {
    .nodes = 5,
    .clients = 9,
    .operations = 600,
    .keys = 5,
    .phases = 6,
    .faults = 83,
    .habits = {[SK_FAULT_NET_LOSS] = true, [SK_FAULT_NET_REORDER] = true, [SK_FAULT_CLIENT_PIPELINE] = true},
    .length = 31 * SK_S,
};

typedef struct toy {
    uint32_t needs[3]; // numbers of faults; 0: none
    uint32_t tries;
    bool checked_all; // every accepted candidate did fail
} toy;

static uint32_t or_drawn(uint32_t value, uint32_t drawn)
{
    return value ? value : drawn;
}

static bool toy_fails(void *context, sk_overrides *candidate)
{
    toy *self = context;
    self->tries++;
    for (int i = 0; i < 3; i++) {
        if (self->needs[i] && !sk_overrides_keeps(candidate, self->needs[i])) return false;
    }
    return !candidate->without[SK_FAULT_NET_REORDER] && or_drawn(candidate->clients, subject.clients) >= 2 &&
           or_drawn(candidate->operations, subject.operations) >= 17 &&
           or_drawn(candidate->nodes, subject.nodes) >= 3 && (!candidate->phases || candidate->phases >> 3 & 1) &&
           (!candidate->until || candidate->until >= 4 * SK_S);
}

static void finds_the_smallest(void **state)
{
    toy self = {.needs = {3, 17, 80}};
    sk_overrides best = {0};
    sk_shrink(&subject, toy_fails, &self, &best);
    for (uint32_t number = 1; number <= subject.faults; number++)
        assert_int_equal(sk_overrides_keeps(&best, number), number == 3 || number == 17 || number == 80);
    assert_true(best.without[SK_FAULT_NET_LOSS] && best.without[SK_FAULT_CLIENT_PIPELINE]);
    assert_false(best.without[SK_FAULT_NET_REORDER]);
    assert_int_equal(best.phases, 1u << 3);
    assert_int_equal(best.clients, 2);
    assert_int_equal(best.operations, 17);
    assert_int_equal(best.keys, 1);
    assert_int_equal(best.nodes, 3);
    assert_true(best.until >= 4 * SK_S && best.until <= 4 * SK_S + 100 * SK_MS);
    assert_true(self.tries < 200);
}

// Either of two faults will do: one stays.
static bool either_fails(void *context, sk_overrides *candidate)
{
    return sk_overrides_keeps(candidate, 40) || sk_overrides_keeps(candidate, 41);
}

static void ends_where_nothing_more_can_go(void **state)
{
    sk_overrides best = {0};
    sk_shrink(&subject, either_fails, NULL, &best);
    uint32_t kept = 0;
    for (uint32_t number = 1; number <= subject.faults; number++) kept += sk_overrides_keeps(&best, number);
    assert_int_equal(kept, 1);
    assert_true(either_fails(NULL, &best));
}

static bool never_fails(void *context, sk_overrides *candidate)
{
    (*(uint32_t *)context)++;
    return false;
}

static void what_never_fails_again_stays(void **state)
{
    uint32_t tries = 0;
    sk_overrides best = {.clients = 4}, before = best;
    sk_shrink(&subject, never_fails, &tries, &best);
    assert_memory_equal(&best, &before, sizeof best);
    assert_true(tries > 0 && tries < 300);
}

// What is printed is what was meant.
static void options_round_trip(void **state)
{
    sk_overrides made = {0}, read = {0};
    assert_true(sk_overrides_set(&made, SK_OVERRIDES_WITHOUT, "net-loss,client-pipeline"));
    assert_true(sk_overrides_set(&made, SK_OVERRIDES_ONLY_FAULTS, "3,17..19,1024"));
    assert_true(sk_overrides_set(&made, SK_OVERRIDES_PHASES, "2,4..5"));
    assert_true(sk_overrides_set(&made, SK_OVERRIDES_UNTIL, "12.5"));
    assert_true(made.until == 12500 * SK_MS && made.phases == (2 | 8 | 16));
    sk_buffer text = {0};
    sk_overrides_print(&made, &text);
    sk_buffer_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, " --without net-loss,client-pipeline --only-faults 3,17..19,1024"
                                                 " --phases 2,4,5 --until 12.500000");
    sk_buffer_deinit(&text);
    assert_true(sk_overrides_keeps(&made, 18) && !sk_overrides_keeps(&made, 20));
    static const char *const wrong[] = {"", "0", "1025", "x", "3,,4", "5..3", "3-4"};
    for (size_t i = 1; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(sk_overrides_set(&read, SK_OVERRIDES_ONLY_FAULTS, wrong[i]));
    assert_false(sk_overrides_set(&read, SK_OVERRIDES_WITHOUT, "net-los"));
    assert_false(sk_overrides_set(&read, SK_OVERRIDES_UNTIL, "-1"));
    assert_false(sk_overrides_set(&read, SK_OVERRIDES_CLIENTS, "0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_smallest),
        cmocka_unit_test(ends_where_nothing_more_can_go),
        cmocka_unit_test(what_never_fails_again_stays),
        cmocka_unit_test(options_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
