// check/datum, check/history, check/graph, check/picture: formats, what is refused, cycles, and a page that holds what it was given.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "check/checker.h"
#include "check/graph.h"
#include "check/picture.h"

static char text[4096];

// The canonical form of the only datum in `input`; "error: ..." when it has none.
static const char *canonical(const char *input)
{
    sk_arena arena = {0};
    sk_datum_reader reader;
    sk_datum datum;
    sk_buffer out = {0};
    sk_datum_reader_init(&reader, sk_slice_text(input), &arena);
    int got = sk_datum_read(&reader, &datum);
    if (got == 1) sk_datum_write(&datum, &out);
    else sk_buffer_printf(&out, "error: %s", got ? reader.error : "nothing");
    snprintf(text, sizeof text, "%.*s", (int)out.size, (const char *)out.data);
    sk_buffer_deinit(&out);
    sk_arena_deinit(&arena);
    return text;
}

static void edn_and_json_are_read_alike(void **state)
{
    assert_string_equal(canonical("{:b 1, :a [nil true \"x\\n\"]}"), "{:a [nil true \"x\\u000a\"] :b 1}");
    assert_string_equal(canonical("{\"b\":1,\"a\":[null,true,\"x\\n\"]}"), "{\"a\" [nil true \"x\\u000a\"] \"b\" 1}");
    assert_string_equal(canonical("{\"b\" : 1}"), "{\"b\" 1}");
    assert_string_equal(canonical("#{3 1 2}"), "#{1 2 3}");
    assert_string_equal(canonical("; a comment\n #jepsen.history.Op{:f :read}"), "{:f :read}");
    assert_string_equal(canonical("(1 2N 2.5 -7 1e3)"), "[1 2 2.5 -7 1000]");
    assert_string_equal(canonical("[12345678901234567890 12345678901234567891]"),
                        "[:12345678901234567890 :12345678901234567891]");
    assert_string_equal(canonical("\"\\u00e9\""), "\"\xc3\xa9\"");
}

static void what_is_broken_is_refused(void **state)
{
    assert_string_equal(canonical("[1 2"), "error: the input ends inside a collection");
    assert_string_equal(canonical("[1 2}"), "error: a bracket closes what was not opened");
    assert_string_equal(canonical("{:a}"), "error: a map has a key without a value");
    assert_string_equal(canonical("\"abc"), "error: a string does not end");
    assert_string_equal(canonical("\"\\q\""), "error: unknown escape in a string");
    assert_string_equal(canonical("  ; only this"), "error: nothing");
    char deep[SK_DATUM_DEPTH_MAX + 2];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_string_equal(canonical(deep), "error: nested too deeply");
}

static int read_history(sk_check_history *history, const char *input, bool keyed)
{
    const sk_check_history_options options = {.keyed = keyed};
    return sk_check_history_read(history, sk_slice_text(input), &options);
}

static void outcomes(void **state)
{
    sk_check_history history;
    assert_int_equal(read_history(&history,
                                  "{:process 0 :type :invoke :f :write :value 1}\n{:process :nemesis :type :info :f :kill}\n"
                                  "{:process 1 :type :invoke :f :write :value 2}\n{:process 0 :type :ok :f :write :value 1}\n"
                                  "{:process 1 :type :fail :f :write :value 2 :error :timeout :time 17}\n"
                                  "{:process 2 :type :invoke :f :read}\n{:process 2 :type :info :f :read}\n"
                                  "{:process 3 :type :invoke :f :read :key :k}",
                                  false),
                     0);
    assert_int_equal(history.count, 3);
    assert_int_equal(history.failed_count, 1);
    assert_true(history.list[0].ok && history.list[0].call == 0 && history.list[0].ret == 2);
    assert_true(!history.list[1].ok && history.list[1].ret == SK_NO_RETURN && history.list[1].line == 6);
    assert_true(!history.list[2].ok && sk_datum_is(history.list[2].key, "k"));
    sk_check_history_deinit(&history);
    assert_int_equal(read_history(&history, "[{:process 0 :type :invoke :f :cas :value [\"k\" [1 2]]}]", true), 0);
    assert_true(sk_datum_is(history.list[0].key, "k") && history.list[0].input->count == 2);
    sk_check_history_deinit(&history);
}

static void histories_that_cannot_be(void **state)
{
    static const char *const wrong[][2] = {
        {"{:process 0 :type :ok :f :read}", "line 1: a completion without an invocation of its process"},
        {"{:process 0 :type :invoke :f :read}\n{:process 0 :type :invoke :f :read}",
         "line 2: a process invokes while its last operation is open"},
        {"{:process 0 :type :invoke :f :read}\n\n{:process 0 :type :ok :f :write}",
         "line 3: a completion of another :f than was invoked"},
        {"{:process 0 :f :read}", "line 1: an operation needs :process and :type"},
        {"{:process 0 :type :maybe :f :read}", "line 1: :type must be :invoke, :ok, :fail or :info"},
        {"\n17", "line 2: an operation must be a map"},
        {"[{:process 0", "line 1: the input ends inside a collection"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sk_check_history history;
        assert_true(read_history(&history, wrong[i][0], false) < 0);
        assert_string_equal(history.error, wrong[i][1]);
    }
}

static void shortest_cycles(void **state)
{
    sk_graph graph;
    sk_cycle cycle;
    sk_graph_init(&graph, 6);
    for (uint32_t i = 0; i < 5; i++) sk_graph_add(&graph, i, i + 1, 1, i);
    sk_graph_add(&graph, 5, 0, 2, 9);
    sk_graph_add(&graph, 4, 2, 4, 8);
    sk_graph_add(&graph, 3, 3, 1, 0); // from itself to itself counts for nothing
    sk_graph_seal(&graph);
    uint32_t order[6];
    assert_false(sk_graph_find_cycle(&graph, 1, 0, &cycle));
    assert_true(sk_graph_sort(&graph, 1, order) && order[0] == 0 && order[5] == 5);
    assert_false(sk_graph_sort(&graph, 1 | 4, order));
    assert_true(sk_graph_find_cycle(&graph, 1 | 2 | 4, 0, &cycle));
    assert_int_equal(cycle.count, 3); // 2 3 4
    sk_cycle_deinit(&cycle);
    assert_true(sk_graph_find_cycle(&graph, 1, 2, &cycle));
    assert_int_equal(cycle.count, 6);
    for (size_t i = 0; i < 6; i++) assert_int_equal(cycle.edges[i]->to, cycle.edges[(i + 1) % 6]->from);
    sk_cycle_deinit(&cycle);
    assert_true(sk_graph_find_way(&graph, 1, 4, 1, &cycle));
    assert_true(cycle.count == 3 && cycle.edges[0]->from == 1 && cycle.edges[2]->to == 4);
    sk_cycle_deinit(&cycle);
    assert_false(sk_graph_find_way(&graph, 4, 1, 1, &cycle));
    sk_graph_deinit(&graph);
}

static void a_page_escapes_what_it_shows(void **state)
{
    sk_check_history history;
    sk_report report;
    sk_checker checker;
    const char *problem;
    const sk_check_limits limits = {0};
    sk_buffer page = {0};
    assert_int_equal(read_history(&history,
                                  "{:process 0 :type :invoke :f :read :value nil}"
                                  "{:process 0 :type :ok :f :read :value \"<script>alert(1)</script>&\"}",
                                  false),
                     0);
    sk_report_init(&report);
    assert_int_equal(sk_checker_choose(&checker, "register", NULL, &problem), 0);
    sk_checker_run(&checker, &history, &limits, &report);
    assert_int_equal(report.verdict, SK_VERDICT_VIOLATED);
    sk_picture_begin(&page);
    sk_picture_add(&page, "a<b>.edn", "register, linearizable", &report);
    sk_picture_end(&page);
    sk_buffer_append_byte(&page, 0);
    const char *html = (const char *)page.data;
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;"));
    assert_non_null(strstr(html, "a&lt;b&gt;.edn"));
    assert_non_null(strstr(html, "<g class=\"culprit\">"));
    assert_non_null(strstr(html, "the state was nil"));
    sk_buffer_deinit(&page);
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
}

static void names_are_chosen(void **state)
{
    sk_checker checker;
    const char *problem = NULL;
    assert_int_equal(sk_checker_choose(&checker, "list-append", NULL, &problem), 0);
    assert_true(!checker.model && checker.consistency == SK_CONSISTENCY_STRICT_SERIALIZABLE);
    assert_int_equal(sk_checker_choose(&checker, "queue", NULL, &problem), 0);
    assert_int_equal(checker.consistency, SK_CONSISTENCY_LINEARIZABLE);
    assert_int_equal(sk_checker_choose(&checker, "causal", NULL, &problem), 0);
    assert_true(checker.model == sk_model_find("cas-register") && checker.consistency == SK_CONSISTENCY_CAUSAL);
    assert_int_equal(sk_checker_choose(&checker, "serializable", NULL, &problem), 0);
    assert_true(!checker.model && checker.consistency == SK_CONSISTENCY_SERIALIZABLE);
    assert_true(sk_checker_choose(&checker, "teapot", NULL, &problem) < 0 && strstr(problem, "cas-register"));
    assert_true(sk_checker_choose(&checker, "register", "teapot", &problem) < 0 && strstr(problem, "causal"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edn_and_json_are_read_alike),
        cmocka_unit_test(what_is_broken_is_refused),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(histories_that_cannot_be),
        cmocka_unit_test(shortest_cycles),
        cmocka_unit_test(a_page_escapes_what_it_shows),
        cmocka_unit_test(names_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
