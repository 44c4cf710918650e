// check/causal and check/convergence: histories with known verdicts, and random ones against the definition, by closure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "check/checker.h"
#include "test/support/histories.h"

static sk_verdict check_text(sk_slice text, const char *model, const char *consistency, char reason[400])
{
    sk_check_history history;
    sk_check_history_options options = {0};
    sk_check_limits limits = {0};
    sk_checker checker;
    const char *problem;
    assert_int_equal(sk_checker_choose(&checker, model, consistency, &problem), 0);
    assert_int_equal(sk_check_history_read(&history, text, &options), 0);
    sk_report report;
    sk_report_init(&report);
    sk_checker_run(&checker, &history, &limits, &report);
    snprintf(reason, 400, "%.*s", (int)report.reason.size, (const char *)report.reason.data);
    sk_verdict verdict = report.verdict;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return verdict;
}

static char reason[400];

static sk_verdict check(const char *model, const char *consistency, const char *plain)
{
    sk_buffer text = {0};
    plain_history(plain, &text);
    sk_verdict verdict = check_text(sk_buffer_slice(&text), model, consistency, reason);
    sk_buffer_deinit(&text);
    return verdict;
}

#define HOLDS(consistency, plain)    assert_int_equal(check("register", consistency, plain), SK_VERDICT_HOLDS)
#define VIOLATED(consistency, plain) assert_int_equal(check("register", consistency, plain), SK_VERDICT_VIOLATED)
#define UNKNOWN(consistency, plain)  assert_int_equal(check("register", consistency, plain), SK_VERDICT_UNKNOWN)

static void concurrent_writes_may_be_seen_in_any_order(void **state)
{
    const char *text = "0 write x 1;1 write x 2;2 read x 1;2 read x 2;3 read x 2;3 read x 1";
    HOLDS("causal", text);
    VIOLATED("sequential", text);
}

static void a_cause_is_seen_before_its_effect(void **state)
{
    VIOLATED("causal", "0 write x 1;1 read x 1;1 write y 2;2 read y 2;2 read x nil");
    assert_non_null(strstr(reason, "although before it came \"write :x 1\""));
    HOLDS("causal", "0 write x 1;1 read x 1;1 write y 2;2 read y nil;2 read x 1");
    VIOLATED("causal", "0 write x 1;1 read x 1;1 write x 2;2 read x 2;2 read x 1");
    VIOLATED("causal", "0 write x 1;0 write x 2;0 write y 3;1 read y 3;1 read x 1");
}

static void nobody_reads_what_nobody_wrote(void **state)
{
    VIOLATED("causal", "0 read x 7");
    VIOLATED("causal", "0! write x 7;1 read x 7");
    HOLDS("causal", "0? write x 7;1 read x 7");
    VIOLATED("monotonic-reads", "0 read x 7");
}

static void an_order_without_a_beginning(void **state)
{
    VIOLATED("causal", "0 read x 1;0 write y 1;1 read y 1;1 write x 1");
    assert_non_null(strstr(reason, "cycle of 4"));
}

static void open_writes_bind_only_when_seen(void **state)
{
    HOLDS("causal", "0? write x 1;1 read x nil;1 read x 1");
    HOLDS("causal", "0? write x 1;0 read x nil;0 write y 2;1 read y 2;1 read x nil;1 read x 1");
    VIOLATED("causal", "0? write x 1;1 read x 1;1 read x nil");
}

static void sessions(void **state)
{
    VIOLATED("read-your-writes", "0 write x 1;0 read x nil");
    VIOLATED("read-your-writes", "1 write x 1;0 read x 1;0 write x 2;0 read x 1");
    HOLDS("read-your-writes", "0 write x 1;1 write x 2;0 read x 2");
    HOLDS("read-your-writes", "0 write x 1;1 read x nil");
    HOLDS("read-your-writes", "0 write x 1;1 read x 1;1 read x nil");
    HOLDS("monotonic-reads", "0 write x 1;0 read x nil");
    VIOLATED("monotonic-reads", "0 write x 1;1 read x 1;1 read x nil");
    VIOLATED("monotonic-reads", "0 write x 1;0 write x 2;1 read x 2;1 read x 1");
    VIOLATED("monotonic-reads", "0 write x 1;2 write x 2;1 read x 2;1 read x 1;1 read x 2");
    VIOLATED("causal", "0 write x 1;2 write x 2;1 read x 2;1 read x 1;1 read x 2");
    HOLDS("monotonic-reads", "0 write x 1;2 write x 2;1 read x 2;1 read x 1");
}

static void values_must_be_unique(void **state)
{
    UNKNOWN("causal", "0 write x 1;1 write x 1;2 read x 1");
    HOLDS("causal", "0 write x 1;1 write y 1;2 read x 1");
    assert_int_equal(check("set", "causal", "0 add x 1"), SK_VERDICT_UNKNOWN);
}

static void convergence(void **state)
{
    HOLDS("convergence", "0 write x 1;1 write x 2;0 read x 1;0 read x 2;1 read x 2");
    VIOLATED("convergence", "0 write x 1;1 write x 2;0 read x 1;1 read x 2");
    VIOLATED("convergence", "0 write x 1;0 read x 3;1 read x 3");
    VIOLATED("convergence", "0 write x 1;0 read x nil;1 read x nil");
    UNKNOWN("convergence", "0 write x 1;0 read x 1");
    UNKNOWN("convergence", "0 write x 1;1 read x 1;2 read x 1;0 write x 2");
    UNKNOWN("convergence", "0 write x 1;2? write x 2;0 read x 1;1 read x 2");
    assert_int_equal(check("set", "convergence", "0 add x 1;1 add x 2;0 read x [2 1];1 read x #{1 2}"), SK_VERDICT_HOLDS);
    assert_int_equal(check("set", "convergence", "0 add x 1;1 add x 2;0 read x [2];1 read x [2]"), SK_VERDICT_VIOLATED);
    assert_int_equal(check("set", "convergence", "0 add x 1;1 remove x 1;0 read x [];1 read x []"), SK_VERDICT_HOLDS);
    assert_int_equal(check("set", "convergence", "0 add x 1;0 read x [1 3];1 read x [1 3]"), SK_VERDICT_VIOLATED);
    assert_int_equal(check("counter", "convergence", "0 add x 1;1? add x 4;0 read x 5;1 read x 5"), SK_VERDICT_HOLDS);
    assert_int_equal(check("counter", "convergence", "0 add x 1;1? add x 4;0 read x 6;1 read x 6"), SK_VERDICT_VIOLATED);
}

// ---- Against the definition: closure by Warshall, every triple looked at ----

enum { SMALL = 8 };

typedef struct small {
    int process, key, write, read; // write 0: a read; read 0: nil
} small;

static bool dumb_causal(const small *list, int count)
{
    bool before[SMALL][SMALL] = {{0}};
    int writer[SMALL];
    for (int i = 0; i < count; i++) {
        writer[i] = -1;
        for (int k = 0; k < count; k++) {
            if (k < i && list[k].process == list[i].process) before[k][i] = true;
            if (!list[i].write && list[i].read && list[k].write == list[i].read && list[k].key == list[i].key) writer[i] = k;
        }
        if (!list[i].write && list[i].read && writer[i] < 0) return false;
        if (writer[i] >= 0) before[writer[i]][i] = true;
    }
    for (int k = 0; k < count; k++) {
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < count; j++) before[i][j] |= before[i][k] && before[k][j];
        }
    }
    for (int r = 0; r < count; r++) {
        if (before[r][r]) return false;
        if (list[r].write) continue;
        for (int w = 0; w < count; w++) {
            if (!list[w].write || list[w].key != list[r].key || !before[w][r] || w == writer[r]) continue;
            if (writer[r] < 0 || before[writer[r]][w]) return false;
        }
        // a, b, a in one session, own writes included
        for (int b = 0; b < r; b++) {
            for (int a = 0; a < b; a++) {
                if (list[a].process != list[r].process || list[b].process != list[r].process) continue;
                if (list[a].key != list[r].key || list[b].key != list[r].key) continue;
                int first = list[a].write ? a : writer[a], second = list[b].write ? b : writer[b];
                if (writer[r] >= 0 && first == writer[r] && second >= 0 && second != writer[r]) return false;
            }
        }
    }
    return true;
}

static void random_histories_equal_the_definition(void **state)
{
    uint64_t count = getenv("SKEIN_LONG") ? 1000 * 1000 : 20 * 1000, violated = 0;
    sk_buffer text = {0};
    for (uint64_t seed = 1; seed <= count; seed++) {
        sk_prng prng;
        sk_prng_init(&prng, seed);
        small list[SMALL];
        int size = (int)sk_prng_between(&prng, 2, SMALL), values = 0;
        sk_buffer_clear(&text);
        for (int i = 0; i < size; i++) {
            small *at = &list[i];
            *at = (small){.process = (int)sk_prng_below(&prng, 3), .key = (int)sk_prng_below(&prng, 2)};
            if (sk_prng_chance(&prng, 1, 2)) at->write = ++values;
            else at->read = (int)sk_prng_below(&prng, (uint64_t)values + 1 + sk_prng_chance(&prng, 1, 10));
            for (int k = 0; k < i && !at->write && at->read; k++) {
                if (list[k].write == at->read) at->key = list[k].key; // mostly a read of what was written
            }
            char value[16];
            snprintf(value, sizeof value, "%d", at->write ? at->write : at->read);
            for (int end = 0; end < 2; end++) {
                sk_buffer_printf(&text, "{:process %d :type :%s :f :%s :key %d :value %s}\n", at->process,
                                 end ? "ok" : "invoke", at->write ? "write" : "read", at->key,
                                 !at->write && (!end || !at->read) ? "nil" : value);
            }
        }
        bool right = dumb_causal(list, size);
        sk_verdict found = check_text(sk_buffer_slice(&text), "register", "causal", reason);
        if (found != (right ? SK_VERDICT_HOLDS : SK_VERDICT_VIOLATED)) {
            print_error("seed %llu: %s, the definition says %s\n%.*s", (unsigned long long)seed, reason,
                        right ? "holds" : "violated", (int)text.size, (char *)text.data);
            fail();
        }
        violated += !right;
    }
    printf("figure: %llu random histories equal the definition, %llu of them violated\n", (unsigned long long)count,
           (unsigned long long)violated);
    assert_in_range(violated, count / 20, count - count / 20);
    sk_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concurrent_writes_may_be_seen_in_any_order),
        cmocka_unit_test(a_cause_is_seen_before_its_effect),
        cmocka_unit_test(nobody_reads_what_nobody_wrote),
        cmocka_unit_test(an_order_without_a_beginning),
        cmocka_unit_test(open_writes_bind_only_when_seen),
        cmocka_unit_test(sessions),
        cmocka_unit_test(values_must_be_unique),
        cmocka_unit_test(convergence),
        cmocka_unit_test(random_histories_equal_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
