// Vector times against the definition: the transitive closure of "earlier in the same process" and "sends what that
// receives", computed the dumb way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/prng.h"
#include "sim/causality.h"

enum { EVENTS_MAX = 90 };

typedef struct closure {
    bool before[EVENTS_MAX + 1][EVENTS_MAX + 1];
} closure;

static void close_over(closure *all, const sk_causality *causality)
{
    memset(all, 0, sizeof *all);
    uint32_t count = causality->count;
    for (uint32_t a = 1; a <= count; a++) {
        for (uint32_t b = a + 1; b <= count; b++)
            all->before[a][b] = causality->events[a].process == causality->events[b].process ||
                                causality->events[b].sent_by == a;
    }
    for (uint32_t k = 1; k <= count; k++) {
        for (uint32_t a = 1; a <= count; a++) {
            for (uint32_t b = 1; b <= count && all->before[a][k]; b++) all->before[a][b] |= all->before[k][b];
        }
    }
}

static void draw(sk_causality *causality, sk_prng *prng)
{
    uint32_t sends[EVENTS_MAX], send_count = 0;
    uint32_t count = (uint32_t)sk_prng_between(prng, 1, EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t process = (uint32_t)sk_prng_below(prng, causality->process_count);
        uint64_t lot = sk_prng_below(prng, 5);
        if (lot < 2 && send_count) { // late, twice, never, out of order: all may be
            uint32_t sent = sends[sk_prng_below(prng, send_count)];
            sk_causality_add(causality, SK_CAUSAL_RECEIVE, process, sent);
        } else if (lot < 4) {
            sends[send_count++] = sk_causality_add(causality, SK_CAUSAL_SEND, process, 0);
        } else {
            sk_causality_add(causality, SK_CAUSAL_INTERNAL, process, 0);
        }
    }
}

static void check_chain(const sk_causality *causality, uint32_t a, uint32_t b)
{
    uint32_t chain[2 * SK_CAUSALITY_PROCESSES_MAX];
    size_t count = sk_causality_chain(causality, a, b, chain, 2 * causality->process_count);
    assert_true(count >= 2 && chain[0] == a && chain[count - 1] == b);
    for (size_t i = 1; i < count; i++) {
        const sk_causal_event *before = &causality->events[chain[i - 1]], *after = &causality->events[chain[i]];
        bool same = before->process == after->process && before->number < after->number;
        assert_true(same || after->sent_by == chain[i - 1]);
    }
}

static void agrees_with_the_closure(void **state)
{
    static closure all;
    sk_prng prng;
    sk_prng_init(&prng, 1978);
    size_t related = 0, concurrent = 0;
    for (int round = 0; round < 300; round++) {
        sk_causality causality;
        sk_causality_init(&causality, (uint32_t)sk_prng_between(&prng, 1, 7));
        draw(&causality, &prng);
        sk_causality_check(&causality);
        close_over(&all, &causality);
        for (uint32_t a = 1; a <= causality.count; a++) {
            for (uint32_t b = 1; b <= causality.count; b++) {
                assert_int_equal(sk_causality_before(&causality, a, b), all.before[a][b]);
                enum sk_causal_order order = sk_causality_order(&causality, a, b);
                assert_int_equal(order, a == b               ? SK_CAUSAL_SAME
                                        : all.before[a][b] ? SK_CAUSAL_BEFORE
                                        : all.before[b][a] ? SK_CAUSAL_AFTER
                                                           : SK_CAUSAL_CONCURRENT);
                uint32_t unused[2];
                if (all.before[a][b])
                    check_chain(&causality, a, b);
                else
                    assert_int_equal(sk_causality_chain(&causality, a, b, unused, 2), 0);
                related += all.before[a][b];
                concurrent += order == SK_CAUSAL_CONCURRENT;
            }
        }
        sk_causality_deinit(&causality);
    }
    assert_true(related > 10000 && concurrent > 10000);
}

// The times of the figure at the head of causality.h.
static void known_times(void **state)
{
    sk_causality causality;
    sk_causality_init(&causality, 2);
    assert_int_equal(sk_causality_add(&causality, SK_CAUSAL_SEND, 0, 0), 1);
    assert_int_equal(sk_causality_add(&causality, SK_CAUSAL_INTERNAL, 1, 0), 2);
    assert_int_equal(sk_causality_add(&causality, SK_CAUSAL_RECEIVE, 1, 1), 3);
    const uint32_t *time = sk_causality_time(&causality, 3);
    assert_true(time[0] == 1 && time[1] == 2);
    time = sk_causality_time(&causality, 2);
    assert_true(time[0] == 0 && time[1] == 1);
    assert_int_equal(sk_causality_order(&causality, 1, 3), SK_CAUSAL_BEFORE);
    assert_int_equal(sk_causality_order(&causality, 3, 1), SK_CAUSAL_AFTER);
    assert_int_equal(sk_causality_order(&causality, 1, 2), SK_CAUSAL_CONCURRENT);
    sk_causality_deinit(&causality);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times),
        cmocka_unit_test(agrees_with_the_closure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
