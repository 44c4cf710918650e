// sim/heap: time first, then the order of pushing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/prng.h"
#include "sim/heap.h"

static void equal_times_keep_their_order(void **state)
{
    sk_heap heap = {0};
    for (uint32_t i = 0; i < 1000; i++) sk_heap_push(&heap, (sk_heap_event){.time = 7, .a = i});
    sk_heap_event event;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(sk_heap_pop(&heap, &event));
        assert_int_equal(event.a, i);
    }
    assert_false(sk_heap_pop(&heap, &event));
    sk_heap_deinit(&heap);
}

static void any_mixture_comes_out_sorted(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 1);
    sk_heap heap = {0};
    sk_heap_event last = {0}, event;
    size_t pushed = 0, popped = 0;
    for (int i = 0; i < 20000; i++) {
        if (sk_prng_chance(&prng, 3, 5)) {
            sk_heap_push(&heap, (sk_heap_event){.time = last.time + sk_prng_below(&prng, 50)});
            pushed++;
        } else if (sk_heap_pop(&heap, &event)) {
            assert_true(event.time > last.time ||
                        (event.time == last.time && event.sequence > last.sequence));
            last = event;
            popped++;
        }
    }
    while (sk_heap_pop(&heap, &event)) popped++;
    assert_int_equal(pushed, popped);
    sk_heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_times_keep_their_order),
        cmocka_unit_test(any_mixture_comes_out_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
