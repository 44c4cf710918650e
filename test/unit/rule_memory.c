// Memory that ends while a rule is asked: at every allocation of it in turn, once and for good. The evaluation fails with a reason, or goes on; nothing
// leaks, and the process goes on. This program has base/alloc.h's functions for itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "redis/rule.h"

static long calls, fails_from, fails_times;

void *sk_try_realloc(void *old, size_t size)
{
    long call = ++calls;
    if (fails_from && call >= fails_from && call - fails_from < fails_times) return NULL;
    return realloc(old, size ? size : 1);
}

void *sk_try_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *sk_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *sk_alloc_zeroed(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *sk_realloc(void *old, size_t size)
{
    return realloc(old, size ? size : 1);
}

void sk_free(void *memory)
{
    free(memory);
}

static bool ask(const char *rule, long from, long times, sk_buffer *answer)
{
    sk_slice values[] = {sk_slice_text("a,b"), sk_slice_text("b,c"), sk_slice_text("c,d,e")};
    uint64_t steps = 0;
    sk_buffer_clear(answer);
    calls = 0;
    fails_from = from;
    fails_times = times;
    bool good = sk_rule_run(sk_slice_text(rule), values, 3, &steps, answer);
    fails_from = 0;
    return good;
}

static void every_allocation_fails(void **state)
{
    static const char *const rules[] = {
        "local all = {}\n"
        "for _, list in ipairs(s) do for _, one in ipairs(list:split(',')) do all[one] = #one end end\n"
        "local names = {}\n"
        "for name in pairs(all) do table.insert(names, name:upper():rep(20)) end\n"
        "table.sort(names, function(a, b) return a > b end)\n"
        "return table.concat(names, ', ')",
        "error('a reason of ' .. #s)",
        "return function(s) return (s[1] .. s[2]):reverse() end",
    };
    sk_buffer whole = {0}, answer = {0};
    long failed = 0, went_on = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bool good = ask(rules[i], 0, 0, &whole);
        long all = calls;
        assert_true(all > 50);
        for (int forever = 0; forever < 2; forever++) {
            for (long at = 1; at <= all; at++) {
                bool same = ask(rules[i], at, forever ? 1000000 : 1, &answer) == good &&
                            sk_slice_equal(sk_buffer_slice(&answer), sk_buffer_slice(&whole));
                if (same) went_on++;
                else failed++;
                sk_slice said = sk_buffer_slice(&answer);
                bool memory = sk_slice_equal(said, sk_slice_text("rule: not enough memory"));
                if (!same && !memory) fail_msg("allocation %ld of %ld: %.*s", at, all, (int)said.size, (const char *)said.data);
            }
        }
    }
    printf("figure: rule allocations failed, evaluation failed=%ld went_on=%ld\n", failed, went_on);
    assert_true(failed > 100 && went_on > 10);
    sk_buffer_deinit(&whole);
    sk_buffer_deinit(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
