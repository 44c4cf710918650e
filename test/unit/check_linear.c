// check/linear: histories with known verdicts, and random ones against every order there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "check/linear.h"
#include "test/support/histories.h"

typedef struct outcome {
    sk_verdict verdict;
    char reason[512];
} outcome;

static outcome check_with(const char *model, const char *text, bool keyed, sk_check_limits limits)
{
    sk_check_history history;
    sk_check_history_options options = {.keyed = keyed};
    outcome result = {0};
    assert_int_equal(sk_check_history_read(&history, sk_slice_text(text), &options), 0);
    sk_report report;
    sk_report_init(&report);
    sk_check_linear(&history, sk_model_find(model), &limits, &report);
    result.verdict = report.verdict;
    snprintf(result.reason, sizeof result.reason, "%.*s", (int)report.reason.size, (const char *)report.reason.data);
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return result;
}

static outcome check(const char *model, const char *text)
{
    return check_with(model, text, false, (sk_check_limits){0});
}

// "0 invoke read nil" lines to operation maps.
static const char *lines(const char *const *list, size_t count)
{
    static char text[8192];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        int process, used = 0;
        char type[16], f[16];
        assert_int_equal(sscanf(list[i], "%d %15s %15s %n", &process, type, f, &used), 3);
        size += (size_t)snprintf(text + size, sizeof text - size, "{:process %d :type :%s :f :%s :value %s}\n", process, type,
                                 f, list[i][used] ? list[i] + used : "nil");
    }
    return text;
}
#define CHECK(model, ...)                                                                                    \
    check(model, lines((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))).verdict

static void register_verdicts(void **state)
{
    assert_int_equal(CHECK("register", "0 invoke write 1", "0 ok write 1", "1 invoke read", "1 ok read 1"), SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("register", "0 invoke read", "0 ok read nil"), SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("register", "0 invoke read", "0 ok read 0"), SK_VERDICT_VIOLATED);
    // Concurrent: old or new; after both, one order for all.
    assert_int_equal(CHECK("register", "0 invoke write 1", "1 invoke read", "1 ok read nil", "0 ok write 1"), SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("register", "0 invoke write 1", "1 invoke read", "1 ok read 1", "1 invoke read", "1 ok read nil",
                           "0 ok write 1"),
                     SK_VERDICT_VIOLATED);
}

static void open_operations_may_come_late_or_never_but_once(void **state)
{
    assert_int_equal(CHECK("register", "0 invoke write 1", "0 info write 1", "1 invoke read", "1 ok read nil", "1 invoke read",
                           "1 ok read 1"),
                     SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("register", "0 invoke write 1", "0 info write 1", "1 invoke read", "1 ok read 1", "1 invoke write 2",
                           "1 ok write 2", "1 invoke read", "1 ok read 1"),
                     SK_VERDICT_VIOLATED);
    // Two of them are good for two.
    assert_int_equal(CHECK("register", "0 invoke write 1", "9 invoke write 1", "1 invoke read", "1 ok read 1", "1 invoke write 2",
                           "1 ok write 2", "1 invoke read", "1 ok read 1"),
                     SK_VERDICT_HOLDS);
}

static void failed_operations_never_happened(void **state)
{
    assert_int_equal(CHECK("register", "0 invoke write 1", "1 invoke read", "1 ok read 1", "0 fail write 1"), SK_VERDICT_VIOLATED);
}

static void other_models(void **state)
{
    assert_int_equal(CHECK("mutex", "0 invoke acquire", "1 invoke acquire", "0 ok acquire", "0 invoke release", "1 ok acquire",
                           "0 ok release"),
                     SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("mutex", "0 invoke acquire", "0 ok acquire", "1 invoke acquire", "1 ok acquire"), SK_VERDICT_VIOLATED);
    assert_int_equal(CHECK("queue", "0 invoke enqueue 1", "0 ok enqueue 1", "0 invoke enqueue 2", "0 ok enqueue 2",
                           "1 invoke dequeue", "1 ok dequeue 2"),
                     SK_VERDICT_VIOLATED);
    assert_int_equal(CHECK("set", "0 invoke add 1", "0 ok add 1", "0 invoke read", "0 ok read #{}"), SK_VERDICT_VIOLATED);
    assert_int_equal(CHECK("counter", "0 invoke add 5", "0 ok add 5", "0 invoke read", "0 ok read 5"), SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("kv", "0 invoke get", "0 ok get \"\"", "0 invoke append \"x\"", "0 ok append \"x\"", "0 invoke get",
                           "0 ok get \"x\""),
                     SK_VERDICT_HOLDS);
    assert_int_equal(CHECK("multi-register", "0 invoke txn [[:read :x nil]]", "0 ok txn [[:read :x 3]]",
                           "0 invoke txn [[:read :x nil]]", "0 ok txn [[:read :x 4]]"),
                     SK_VERDICT_VIOLATED);
}

static void keys_are_apart(void **state)
{
    const char *text = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":[\"x\",1]}\n"
                       "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":[\"x\",1]}\n"
                       "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":[\"y\",null]}\n"
                       "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":[\"y\",null]}\n";
    assert_int_equal(check_with("register", text, true, (sk_check_limits){0}).verdict, SK_VERDICT_HOLDS);
    const char *wrong = "{:process 0 :type :invoke :f :cas :key 7 :value [1 2]} {:process 0 :type :ok :f :cas :key 7}";
    assert_int_equal(check("cas-register", wrong).verdict, SK_VERDICT_VIOLATED);
}

static void says_what_nothing_explains(void **state)
{
    outcome found = check("register", "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}\n"
                                      "{:process 1 :type :invoke :f :write :value 2}\n"
                                      "{:process 3 :type :invoke :f :read}{:process 3 :type :ok :f :read :value 7}\n");
    assert_int_equal(found.verdict, SK_VERDICT_VIOLATED);
    assert_string_equal(found.reason,
                        "nothing explains \"read 7\" of process 3 (line 3); the state before was 1 or 2");
}

// D23: a check that cannot finish, or does not understand, is unknown, never ok.
static void D23_unknown_is_its_own_verdict(void **state)
{
    assert_int_equal(CHECK("register", "0 invoke jump 1", "0 ok jump 1"), SK_VERDICT_UNKNOWN);
    sk_buffer text = {0};
    for (int i = 0; i < 24; i++) sk_buffer_printf(&text, "{:process %d :type :invoke :f :enqueue :value %d}\n", i, i);
    for (int i = 0; i < 24; i++) sk_buffer_printf(&text, "{:process %d :type :ok :f :enqueue}\n", i);
    sk_buffer_append_text(&text, "{:process 0 :type :invoke :f :dequeue}\n{:process 0 :type :ok :f :dequeue :value 99}\n");
    sk_buffer_append_byte(&text, 0);
    assert_int_equal(check_with("queue", (char *)text.data, false, (sk_check_limits){.steps = 1000}).verdict, SK_VERDICT_UNKNOWN);
    assert_int_equal(check_with("queue", (char *)text.data, false, (sk_check_limits){.memory = 1 << 20}).verdict,
                     SK_VERDICT_UNKNOWN);
    sk_buffer_deinit(&text);
}

// G17: equal to brute force. A million of them with SKEIN_LONG=1.
static void random_histories_equal_brute_force(void **state)
{
    uint64_t count = getenv("SKEIN_LONG") ? 1000 * 1000 : 20 * 1000;
    sk_buffer text = {0};
    uint64_t violated = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        sk_prng prng;
        sk_prng_init(&prng, seed);
        dumb_history history;
        dumb_random(&history, (enum dumb_model)(seed % DUMB_MODELS), &prng, false);
        dumb_write(&history, &text);
        sk_buffer_append_byte(&text, 0);
        bool right = dumb_check(&history, true);
        sk_check_limits limits = {.depth_steps = seed / DUMB_MODELS % 2}; // every other one in layers
        outcome found = check_with(dumb_names[history.model], (char *)text.data, false, limits);
        if (found.verdict != (right ? SK_VERDICT_HOLDS : SK_VERDICT_VIOLATED)) {
            print_error("seed %llu, %s: %s, brute force says %s\n%s", (unsigned long long)seed, dumb_names[history.model],
                        found.reason, right ? "holds" : "violated", (char *)text.data);
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
        cmocka_unit_test(register_verdicts),
        cmocka_unit_test(open_operations_may_come_late_or_never_but_once),
        cmocka_unit_test(failed_operations_never_happened),
        cmocka_unit_test(other_models),
        cmocka_unit_test(keys_are_apart),
        cmocka_unit_test(says_what_nothing_explains),
        cmocka_unit_test(D23_unknown_is_its_own_verdict),
        cmocka_unit_test(random_histories_equal_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
