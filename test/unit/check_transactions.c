// check/transactions: known anomalies by name, and random histories against every serial order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/prng.h"
#include "check/checker.h"

static char reason[400];

static sk_verdict check_text(sk_slice text, const char *consistency)
{
    sk_check_history history;
    sk_check_history_options options = {0};
    sk_check_limits limits = {0};
    sk_checker checker;
    const char *problem;
    assert_int_equal(sk_checker_choose(&checker, "list-append", consistency, &problem), 0);
    assert_int_equal(sk_check_history_read(&history, text, &options), 0);
    sk_report report;
    sk_report_init(&report);
    sk_checker_run(&checker, &history, &limits, &report);
    snprintf(reason, sizeof reason, "%.*s", (int)report.reason.size, (const char *)report.reason.data);
    sk_verdict verdict = report.verdict;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return verdict;
}

// "call 0 [...]", "ok 0 [...]", "fail 0 [...]", "info 0 [...]", separated by ';'.
static sk_verdict check(const char *consistency, const char *plain)
{
    sk_buffer text = {0};
    while (*plain) {
        char type[8];
        int process = 0, used = 0;
        size_t size = strcspn(plain, ";");
        assert_int_equal(sscanf(plain, "%7s %d %n", type, &process, &used), 2);
        sk_buffer_printf(&text, "{:process %d :type :%s :f :txn :value %.*s}\n", process,
                         strcmp(type, "call") ? type : "invoke", (int)size - used, plain + used);
        plain += size + (plain[size] == ';');
    }
    sk_verdict verdict = check_text(sk_buffer_slice(&text), consistency);
    sk_buffer_deinit(&text);
    return verdict;
}

#define EXPECT(consistency, text, verdict, beginning)                                                        \
    do {                                                                                                     \
        assert_int_equal(check(consistency, text), verdict);                                                 \
        assert_memory_equal(reason, beginning, strlen(beginning));                                           \
    } while (0)

static void serial_ones_hold(void **state)
{
    EXPECT(NULL, "call 0 [[:append :x 1] [:r :x nil]];ok 0 [[:append :x 1] [:r :x [1]]];call 1 [[:r :x nil]];ok 1 [[:r :x [1]]]",
           SK_VERDICT_HOLDS, "strictly serializable");
    EXPECT("serializable", "call 0 [[:append :x 1]];ok 0 [[:append :x 1]];call 1 [[:r :x nil]];ok 1 [[:r :x nil]]",
           SK_VERDICT_HOLDS, "serializable");
}

// Nothing was ever appended: there are lists, and no element anywhere.
static void empty_lists_hold(void **state)
{
    EXPECT("serializable", "call 0 [[:r :x nil]];ok 0 [[:r :x []]];call 1 [[:r :x nil] [:r :y nil]];ok 1 [[:r :x []] [:r :y []]]",
           SK_VERDICT_HOLDS, "");
}

static void stale_reads_are_serializable_but_not_strictly(void **state)
{
    const char *text = "call 0 [[:append :x 1]];ok 0 [[:append :x 1]];call 1 [[:r :x nil]];ok 1 [[:r :x []]];"
                       "call 2 [[:r :x nil]];ok 2 [[:r :x [1]]]";
    EXPECT("serializable", text, SK_VERDICT_HOLDS, "serializable");
    EXPECT("strict-serializable", text, SK_VERDICT_VIOLATED, "G-single-realtime");
    EXPECT("sequential", text, SK_VERDICT_HOLDS, "serializable");
    const char *own = "call 0 [[:append :x 1]];ok 0 [[:append :x 1]];call 0 [[:r :x nil]];ok 0 [[:r :x []]]";
    EXPECT("sequential", own, SK_VERDICT_VIOLATED, "G-single-process");
}

static void aborted_and_intermediate_reads(void **state)
{
    EXPECT(NULL, "call 0 [[:append :x 1]];fail 0 [[:append :x 1]];call 1 [[:r :x nil]];ok 1 [[:r :x [1]]]", SK_VERDICT_VIOLATED,
           "G1a (aborted read): 1 of :x");
    EXPECT(NULL, "call 0 [[:append :x 1] [:append :x 2]];call 1 [[:r :x nil]];ok 1 [[:r :x [1]]];ok 0 [[:append :x 1] [:append :x 2]]",
           SK_VERDICT_VIOLATED, "G1b (intermediate read): 1 of :x");
    EXPECT(NULL, "call 1 [[:r :x nil]];ok 1 [[:r :x [9]]]", SK_VERDICT_VIOLATED, "nobody appended 9 of :x");
}

static void orders_that_do_not_fit(void **state)
{
    const char *appends = "call 0 [[:append :x 1]];call 1 [[:append :x 2]];ok 0 [[:append :x 1]];ok 1 [[:append :x 2]];";
    char text[600];
    snprintf(text, sizeof text, "%scall 2 [[:r :x nil]];ok 2 [[:r :x [1 2]]];call 2 [[:r :x nil]];ok 2 [[:r :x [2 1]]]", appends);
    EXPECT(NULL, text, SK_VERDICT_VIOLATED, "incompatible orders of key :x");
    snprintf(text, sizeof text, "%scall 2 [[:r :x nil]];ok 2 [[:r :x [1 2 1]]]", appends);
    EXPECT(NULL, text, SK_VERDICT_VIOLATED, "1 of :x is there twice");
    EXPECT(NULL, "call 0 [[:append :x 1] [:r :x nil]];ok 0 [[:append :x 1] [:r :x []]]", SK_VERDICT_VIOLATED,
           "the transaction of process 0 (line 1) contradicts itself");
}

static void cycles_have_their_names(void **state)
{
    EXPECT("serializable", "call 0 [[:append :x 1] [:append :y 1]];call 1 [[:append :x 2] [:append :y 2]];"
                           "ok 0 [[:append :x 1] [:append :y 1]];ok 1 [[:append :x 2] [:append :y 2]];"
                           "call 2 [[:r :x nil] [:r :y nil]];ok 2 [[:r :x [1 2]] [:r :y [2 1]]]",
           SK_VERDICT_VIOLATED, "G0 (write cycle): line 1 -ww-> line 2 -ww-> line 1");
    EXPECT("serializable", "call 0 [[:append :x 1] [:r :y nil]];call 1 [[:append :y 1] [:r :x nil]];"
                           "ok 0 [[:append :x 1] [:r :y [1]]];ok 1 [[:append :y 1] [:r :x [1]]]",
           SK_VERDICT_VIOLATED, "G1c (circular information flow)");
    EXPECT("serializable", "call 0 [[:append :x 1] [:append :y 1]];ok 0 [[:append :x 1] [:append :y 1]];"
                           "call 1 [[:r :x nil] [:r :y nil]];ok 1 [[:r :x [1]] [:r :y []]]",
           SK_VERDICT_VIOLATED, "G-single (read skew)");
    EXPECT("serializable", "call 0 [[:append :x 1] [:r :y nil]];call 1 [[:append :y 1] [:r :x nil]];"
                           "ok 0 [[:append :x 1] [:r :y []]];ok 1 [[:append :y 1] [:r :x []]]",
           SK_VERDICT_VIOLATED, "G2 (write skew");
}

static void unknown_outcomes_count_when_seen(void **state)
{
    EXPECT(NULL, "call 0 [[:append :x 1]];info 0 [[:append :x 1]];call 1 [[:r :x nil]];ok 1 [[:r :x []]];call 1 [[:r :x nil]];"
                 "ok 1 [[:r :x [1]]]",
           SK_VERDICT_HOLDS, "strictly");
    EXPECT(NULL, "call 0 [[:append :x 1] [:append :y 2]];info 0 [[:append :x 1] [:append :y 2]];call 1 [[:r :x nil] [:r :y nil]];"
                 "ok 1 [[:r :x [1]] [:r :y []]]",
           SK_VERDICT_VIOLATED, "G-single");
    EXPECT(NULL, "call 0 [[:append :x 1]];ok 0 [[:append :x 1]];call 0 [[:append :x 1]];ok 0 [[:append :x 1]]", SK_VERDICT_UNKNOWN,
           "the same is appended twice");
}

// ---- Random ones ----

enum { TXNS = 5, PARTS = 3, KEYS = 2, LIST = 16 };

typedef struct list {
    int of[LIST], count;
} list;

typedef struct part {
    int key, append; // 0: a read
    list saw;
} part;

typedef struct txn {
    part parts[PARTS];
    int count, next; // next: part to run
    int call, ret;   // ret 1000: open
    bool called, ok;
} txn;

static bool serial(const txn *txns, int count, unsigned taken, const list *lists, bool strict)
{
    bool all = true;
    for (int i = 0; i < count; i++) all = all && (taken >> i & 1 || !txns[i].ok);
    if (all) return true;
    for (int i = 0; i < count; i++) {
        bool may = !(taken >> i & 1);
        for (int k = 0; k < count && may && strict; k++) may = taken >> k & 1 || !txns[k].ok || txns[k].ret > txns[i].call;
        list next[KEYS];
        memcpy(next, lists, sizeof next);
        for (int p = 0; p < txns[i].count && may; p++) {
            const part *one = &txns[i].parts[p];
            list *of = &next[one->key];
            if (one->append) of->of[of->count++] = one->append;
            else if (txns[i].ok)
                may = of->count == one->saw.count && !memcmp(of->of, one->saw.of, sizeof(int) * (size_t)of->count);
        }
        if (may && serial(txns, count, taken | 1u << i, next, strict)) return true;
    }
    return false;
}

static void write_event(const txn *one, int process, const char *type, sk_buffer *text)
{
    sk_buffer_printf(text, "{:process %d :type :%s :f :txn :value [", process, type);
    for (int p = 0; p < one->count; p++) {
        const part *at = &one->parts[p];
        if (at->append) {
            sk_buffer_printf(text, "[:append %d %d] ", at->key, at->append);
            continue;
        }
        sk_buffer_printf(text, "[:r %d ", at->key);
        if (*type != 'o') sk_buffer_append_text(text, "nil");
        else sk_buffer_append_text(text, "[");
        for (int i = 0; i < at->saw.count && *type == 'o'; i++) sk_buffer_printf(text, "%d ", at->saw.of[i]);
        sk_buffer_append_text(text, *type == 'o' ? "]]" : "]");
    }
    sk_buffer_append_text(text, "]}\n");
}

static void run_part(part *one, list *lists, const list *old, bool stale)
{
    list *of = &lists[one->key];
    if (one->append) of->of[of->count++] = one->append;
    else one->saw = stale ? old[one->key] : *of;
}

// A store that runs parts one at a time, whole transactions or not, and sometimes reads what was before.
static int random_history(sk_prng *prng, txn *txns, sk_buffer *text)
{
    int count = (int)sk_prng_between(prng, 2, TXNS), value = 0, done = 0;
    bool atomic = sk_prng_chance(prng, 1, 2), stale = sk_prng_chance(prng, 1, 2);
    list lists[KEYS] = {0}, old[KEYS] = {0};
    memset(txns, 0, sizeof *txns * TXNS);
    for (int i = 0; i < count; i++) {
        txns[i].count = (int)sk_prng_between(prng, 1, PARTS);
        for (int p = 0; p < txns[i].count; p++) {
            txns[i].parts[p].key = (int)sk_prng_below(prng, KEYS);
            if (sk_prng_chance(prng, 1, 2)) txns[i].parts[p].append = ++value;
        }
    }
    sk_buffer_clear(text);
    for (int moment = 0; done < count; moment++) {
        int i = (int)sk_prng_below(prng, (uint64_t)count);
        txn *at = &txns[i];
        if (!at->called) {
            at->called = true;
            at->call = moment;
            at->ret = 1000;
            write_event(at, i, "invoke", text);
        } else if (at->next < at->count) {
            bool late = stale && sk_prng_chance(prng, 1, 3);
            if (sk_prng_chance(prng, 1, 3)) memcpy(old, lists, sizeof old);
            do run_part(&at->parts[at->next++], lists, old, late);
            while (atomic && at->next < at->count);
        } else if (at->next == at->count) {
            at->next++;
            done++;
            at->ok = !sk_prng_chance(prng, 1, 6);
            if (at->ok) at->ret = moment;
            if (at->ok) write_event(at, i, "ok", text);
        }
    }
    return count;
}

static void random_histories_equal_brute_force(void **state)
{
    uint64_t count = getenv("SKEIN_LONG") ? 1000 * 1000 : 20 * 1000, violated = 0;
    sk_buffer text = {0};
    for (uint64_t seed = 1; seed <= count; seed++) {
        sk_prng prng;
        sk_prng_init(&prng, seed);
        txn txns[TXNS];
        int size = random_history(&prng, txns, &text);
        list empty[KEYS] = {0};
        bool strict = seed % 2;
        bool right = serial(txns, size, 0, empty, strict);
        sk_verdict found = check_text(sk_buffer_slice(&text), strict ? "strict-serializable" : "serializable");
        if (found != (right ? SK_VERDICT_HOLDS : SK_VERDICT_VIOLATED)) {
            print_error("seed %llu: %s, brute force says %s\n%.*s", (unsigned long long)seed, reason, right ? "holds" : "violated",
                        (int)text.size, (char *)text.data);
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
        cmocka_unit_test(serial_ones_hold),
        cmocka_unit_test(empty_lists_hold),
        cmocka_unit_test(stale_reads_are_serializable_but_not_strictly),
        cmocka_unit_test(aborted_and_intermediate_reads),
        cmocka_unit_test(orders_that_do_not_fit),
        cmocka_unit_test(cycles_have_their_names),
        cmocka_unit_test(unknown_outcomes_count_when_seen),
        cmocka_unit_test(random_histories_equal_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
