// check/sequential: histories with known verdicts, and random ones against every order there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "check/sequential.h"
#include "test/support/histories.h"

static sk_verdict check(const char *model, const char *text, bool sessions, char reason[400])
{
    sk_check_history history;
    sk_check_history_options options = {0};
    sk_check_limits limits = {0};
    assert_int_equal(sk_check_history_read(&history, sk_slice_text(text), &options), 0);
    sk_report report;
    sk_report_init(&report);
    sk_check_sequential(&history, sk_model_find(model), sessions, &limits, &report);
    if (reason) snprintf(reason, 400, "%.*s", (int)report.reason.size, (const char *)report.reason.data);
    sk_verdict verdict = report.verdict;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return verdict;
}

#define DONE(process, key, f, value)                                                                         \
    "{:process " #process " :type :invoke :f :" #f " :key " #key " :value " #value "}"                         \
    "{:process " #process " :type :ok :f :" #f " :key " #key " :value " #value "}\n"

static void real_time_does_not_count(void **state)
{
    assert_int_equal(check("register", DONE(0, 1, write, 1) DONE(1, 1, read, nil), true, NULL), SK_VERDICT_HOLDS);
}

static void a_process_keeps_its_order(void **state)
{
    const char *text = DONE(0, 1, write, 1) DONE(0, 1, read, nil);
    assert_int_equal(check("register", text, true, NULL), SK_VERDICT_VIOLATED);
    assert_int_equal(check("register", text, false, NULL), SK_VERDICT_HOLDS);
}

// Each key alone is in order; both together are not (Dekker's flags).
static void keys_count_together(void **state)
{
    const char *both = DONE(0, 1, write, 1) DONE(0, 2, read, nil) DONE(1, 2, write, 1) DONE(1, 1, read, nil);
    assert_int_equal(check("register", both, true, NULL), SK_VERDICT_VIOLATED);
    assert_int_equal(check("register", DONE(0, 1, write, 1) DONE(1, 1, read, nil), true, NULL), SK_VERDICT_HOLDS);
}

static void readers_agree_on_the_order_of_writes(void **state)
{
    const char *text = DONE(0, 1, write, 1) DONE(1, 1, write, 2) DONE(2, 1, read, 1) DONE(2, 1, read, 2) DONE(3, 1, read, 2)
        DONE(3, 1, read, 1);
    char reason[400];
    assert_int_equal(check("register", text, true, reason), SK_VERDICT_VIOLATED);
    assert_non_null(strstr(reason, "nothing explains"));
}

static void random_histories_equal_brute_force(void **state)
{
    uint64_t count = getenv("SKEIN_LONG") ? 1000 * 1000 : 10 * 1000;
    sk_buffer text = {0};
    uint64_t violated = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        sk_prng prng;
        sk_prng_init(&prng, seed);
        dumb_history history;
        dumb_random(&history, (enum dumb_model)(seed % DUMB_MODELS), &prng, true);
        dumb_write(&history, &text);
        sk_buffer_append_byte(&text, 0);
        bool right = dumb_check(&history, false);
        char reason[400];
        sk_verdict found = check(dumb_names[history.model], (char *)text.data, true, reason);
        if (found != (right ? SK_VERDICT_HOLDS : SK_VERDICT_VIOLATED)) {
            print_error("seed %llu, %s: %s, brute force says %s\n%s", (unsigned long long)seed, dumb_names[history.model],
                        reason, right ? "holds" : "violated", (char *)text.data);
            fail();
        }
        violated += !right;
    }
    printf("figure: %llu random histories equal brute force, %llu of them violated\n", (unsigned long long)count,
           (unsigned long long)violated);
    assert_in_range(violated, count / 20, count - count / 20);
    sk_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_time_does_not_count),
        cmocka_unit_test(a_process_keeps_its_order),
        cmocka_unit_test(keys_count_together),
        cmocka_unit_test(readers_agree_on_the_order_of_writes),
        cmocka_unit_test(random_histories_equal_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
