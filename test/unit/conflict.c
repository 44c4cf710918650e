// What a mergeable key space shows of values that were written apart (OPTION conflict): the same on all nodes that hold the same values,
// in whatever order they came; never stored; and when a rule fails nothing is lost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/prng.h"
#include "redis/mergespace_data.h"
#include "redis/rule.h"
#include "test/support/mergespaces.h"

static const char failure[] = "-ERR the values that were written apart here could not be made one: ";

static void ask(merge_node *node, const char *request, const char *expected)
{
    const char *reply = merge_ask(node, request);
    if (strcmp(reply, expected) != 0) fail_msg("%s: %s, not %s", request, reply, expected);
}

static void ask_fails(merge_node *node, const char *request, const char *why)
{
    const char *reply = merge_ask(node, request);
    if (strncmp(reply, failure, strlen(failure)) != 0 || !strstr(reply, why)) fail_msg("%s: %s, not %s", request, reply, why);
    if (!strstr(reply, ". SIBLINGS key [field] shows them, a write replaces them\r\n")) fail_msg("%s: %s", request, reply);
    if (strchr(reply, '\n')[1]) fail_msg("%s: more than an error: %s", request, reply);
}

static uint64_t digest_of(const merge_node *node)
{
    return node->machine->ops->digest(node->machine);
}

static sk_mergespace_options merging(void)
{
    return (sk_mergespace_options){.conflict = SK_CONFLICT_MERGE};
}

static sk_mergespace_options custom(const char *rule)
{
    return (sk_mergespace_options){.conflict = SK_CONFLICT_CUSTOM, .rule = sk_slice_text(rule)};
}

static void open_two(merge_node *nodes, sk_mergespace_options options)
{
    for (uint32_t i = 0; i < 2; i++) merge_node_open(&nodes[i], i + 1, options);
}

static void meet(merge_node *nodes)
{
    assert_int_equal(merge_carry(&nodes[0], &nodes[1]), 0);
    assert_int_equal(merge_carry(&nodes[1], &nodes[0]), 0);
    assert_true(digest_of(&nodes[0]) == digest_of(&nodes[1]));
}

static void close_two(merge_node *nodes)
{
    for (int i = 0; i < 2; i++) merge_node_close(&nodes[i]);
}

static void ask_both(merge_node *nodes, const char *request, const char *expected)
{
    for (int i = 0; i < 2; i++) ask(&nodes[i], request, expected);
}

static void write_apart(merge_node *nodes, const char *key, const char *one, const char *other)
{
    char request[128];
    snprintf(request, sizeof request, "set %s %s", key, one);
    ask(&nodes[0], request, "+OK\r\n");
    snprintf(request, sizeof request, "set %s %s", key, other);
    ask(&nodes[1], request, "+OK\r\n");
}

static void merge_joins_lines(void **state)
{
    merge_node n[2];
    open_two(n, merging());
    write_apart(n, "k", "milk\nbread", "bread\neggs\n");
    ask(&n[0], "get k", "$10\r\nmilk\nbread\r\n"); // one value is shown as it was written
    meet(n);
    ask_both(n, "get k", "$15\r\nbread\neggs\nmilk\r\n");
    ask_both(n, "strlen k", ":15\r\n");
    ask_both(n, "getrange k 6 9", "$4\r\neggs\r\n");
    ask_both(n, "mget k none", "*2\r\n$15\r\nbread\neggs\nmilk\r\n$-1\r\n");
    ask_both(n, "siblings k", "*2\r\n*4\r\n$8\r\nregister\r\n$10\r\nmilk\nbread\r\n:1700000001000\r\n:1\r\n"
                              "*4\r\n$8\r\nregister\r\n$11\r\nbread\neggs\n\r\n:1700000001000\r\n:2\r\n");
    // Reading, adding a line and writing back, on both sides: nothing doubles.
    write_apart(n, "k", "bread\neggs\nmilk\nsalt", "bread\neggs\nmilk\nrice");
    meet(n);
    ask_both(n, "get k", "$25\r\nbread\neggs\nmilk\nrice\nsalt\r\n");
    ask(&n[0], "set k all", "+OK\r\n");
    meet(n);
    ask_both(n, "get k", "$3\r\nall\r\n");
    ask(&n[0], "hset h f a", ":1\r\n");
    ask(&n[1], "hset h f b", ":1\r\n");
    meet(n);
    ask_both(n, "hget h f", "$3\r\na\nb\r\n");
    ask_both(n, "hgetall h", "*2\r\n$1\r\nf\r\n$3\r\na\nb\r\n");
    ask_both(n, "siblings h f", "*2\r\n*4\r\n$8\r\nregister\r\n$1\r\na\r\n:1700000001000\r\n:1\r\n"
                                "*4\r\n$8\r\nregister\r\n$1\r\nb\r\n:1700000001000\r\n:2\r\n");
    ask_both(n, "siblings h none", "*0\r\n");
    ask_both(n, "siblings h", "*1\r\n*2\r\n$4\r\nhash\r\n:1\r\n");
    ask(&n[0], "siblings h f x", "-ERR wrong number of arguments for 'siblings' command\r\n");
    close_two(n);
}

// The same text of many in one value: a semilattice of lines, whatever meets whatever first.
static void merge_has_bounds(void **state)
{
    merge_node n[2];
    open_two(n, merging());
    sk_buffer text = {0};
    for (int k = 0; k < 2; k++) {
        sk_buffer_clear(&text);
        sk_buffer_append_text(&text, "set lines ");
        for (int i = 0; i < 9000; i++) sk_buffer_printf(&text, "%d.%d\n", k, i);
        sk_buffer_append_byte(&text, 0);
        ask(&n[k], (const char *)text.data, "+OK\r\n");
        sk_buffer_clear(&text);
        sk_buffer_append_text(&text, "set bytes ");
        while (text.size < 140 * 1000) sk_buffer_printf(&text, "%d", k);
        sk_buffer_append_byte(&text, 0);
        ask(&n[k], (const char *)text.data, "+OK\r\n");
    }
    sk_buffer_deinit(&text);
    meet(n);
    ask_fails(&n[0], "get lines", "too large to be merged");
    ask_fails(&n[1], "get bytes", "too large to be merged");
    ask_fails(&n[1], "mget lines none", "too large to be merged");
    ask(&n[0], "set lines a", "+OK\r\n");
    ask(&n[0], "get lines", "$1\r\na\r\n");
    close_two(n);
}

static void rule_makes_one_of_many(void **state)
{
    merge_node n[2];
    open_two(n, custom("return function(s)\n  local sum = 0\n  for _, v in ipairs(s) do sum = sum + tonumber(v) end\n  return tostring(sum)\nend"));
    write_apart(n, "k", "10", "32");
    meet(n);
    ask_both(n, "get k", "$2\r\n42\r\n");
    ask_both(n, "strlen k", ":2\r\n");
    ask_both(n, "getrange k 1 1", "$1\r\n2\r\n");
    ask_both(n, "mget none k", "*2\r\n$-1\r\n$2\r\n42\r\n");
    ask_both(n, "type k", "+string\r\n");
    // A counter stands on top of what the rule says.
    ask(&n[0], "incr k", ":43\r\n");
    ask(&n[1], "incrby k 7", ":49\r\n");
    meet(n);
    ask_both(n, "get k", "$2\r\n50\r\n");
    ask(&n[0], "hset h f 1", ":1\r\n");
    ask(&n[1], "hset h f 2 g 7", ":2\r\n");
    meet(n);
    ask_both(n, "hget h f", "$1\r\n3\r\n");
    ask_both(n, "hmget h f g", "*2\r\n$1\r\n3\r\n$1\r\n7\r\n");
    ask_both(n, "hstrlen h f", ":1\r\n");
    ask(&n[0], "hincrby h f 1", ":4\r\n");
    meet(n);
    ask_both(n, "hget h f", "$1\r\n4\r\n");
    close_two(n);
}

// One value, or one value twice, is no conflict: even a rule that always fails is not asked.
static void rule_runs_for_two_or_more(void **state)
{
    merge_node n[2];
    open_two(n, custom("error('asked')"));
    write_apart(n, "k", "same", "same");
    meet(n);
    ask_both(n, "get k", "$4\r\nsame\r\n");
    write_apart(n, "k", "one", "two");
    ask(&n[0], "get k", "$3\r\none\r\n");
    meet(n);
    ask_fails(&n[0], "get k", "rule:1: asked");
    close_two(n);
}

// Whatever a rule does, the values stay, and what needs none of it goes on.
static void failing_rule_loses_nothing(void **state)
{
    merge_node n[2];
    open_two(n, custom("return function(s)\n  return s[1] + s[2]\nend"));
    write_apart(n, "k", "one", "two");
    ask(&n[0], "set other 1", "+OK\r\n");
    ask(&n[0], "hset h f one g x", ":2\r\n");
    ask(&n[1], "hset h f two", ":1\r\n");
    meet(n);
    uint64_t digest = digest_of(&n[0]);
    size_t operations = n[0].operations.size;
    static const char *const failing[] = {"get k",     "mget other k none", "strlen k",    "getrange k 0 1",     "incr k",
                                          "decrby k 3", "incrbyfloat k 1",   "hget h f",    "hmget h g f",        "hgetall h",
                                          "hvals h",   "hstrlen h f",       "hincrby h f 1", "hincrbyfloat h f 1", "hscan h 0"};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) ask_fails(&n[0], failing[i], "rule:2: attempt to perform arithmetic");
    assert_true(n[0].operations.size == operations && digest_of(&n[0]) == digest);
    static const char *const fine[][2] = {{"get other", "$1\r\n1\r\n"}, {"exists k h", ":2\r\n"},     {"type k", "+string\r\n"},
                                          {"hlen h", ":2\r\n"},         {"hexists h f", ":1\r\n"},    {"hget h g", "$1\r\nx\r\n"},
                                          {"dbsize", ":3\r\n"},         {"object encoding k", "$3\r\nraw\r\n"}};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) ask(&n[0], fine[i][0], fine[i][1]);
    assert_true(strncmp(merge_ask(&n[0], "hkeys h"), "*2\r\n", 4) == 0);
    ask(&n[0], "siblings k", "*2\r\n*4\r\n$8\r\nregister\r\n$3\r\none\r\n:1700000001000\r\n:1\r\n"
                             "*4\r\n$8\r\nregister\r\n$3\r\ntwo\r\n:1700000001000\r\n:2\r\n");
    n[1].context.resp = 3;
    ask_fails(&n[1], "hgetall h", "rule:2");
    ask(&n[1], "set k decided", "+OK\r\n");
    ask(&n[1], "hset h f decided", ":0\r\n");
    n[1].context.resp = 2;
    meet(n);
    ask_both(n, "get k", "$7\r\ndecided\r\n");
    ask_both(n, "hget h f", "$7\r\ndecided\r\n");
    close_two(n);
}

// What a rule says is in no state and no operation: an image restores to the values, and another rule sees them as they were.
static void nothing_is_stored(void **state)
{
    merge_node n[2];
    open_two(n, custom("return table.concat(s, '+')"));
    write_apart(n, "k", "b", "a");
    meet(n);
    ask_both(n, "get k", "$3\r\na+b\r\n"); // by value, not by who wrote it
    write_apart(n, "k", "a", "b");
    meet(n);
    uint64_t digest = digest_of(&n[0]);
    size_t operations = n[0].operations.size;
    ask_both(n, "get k", "$3\r\na+b\r\n");
    assert_true(digest_of(&n[0]) == digest && n[0].operations.size == operations);
    const sk_machine_ops *ops = n[0].machine->ops;
    sk_buffer bytes = {0};
    sk_machine_image *image = ops->image_open(n[0].machine);
    while (ops->image_next(image, &bytes, 1000)) {
    }
    ops->image_close(image);
    merge_node other;
    merge_node_open(&other, 3, custom("return s[#s]"));
    sk_machine_restore *restore = ops->restore_open(other.machine);
    assert_int_equal(ops->restore_add(restore, sk_buffer_slice(&bytes)), 0);
    assert_int_equal(ops->restore_finish(restore), 0);
    ask(&other, "get k", "$1\r\nb\r\n");
    sk_mergespace_options options = merging();
    sk_mergespace_set_options(other.machine, &options);
    ask(&other, "get k", "$3\r\na\nb\r\n");
    options = (sk_mergespace_options){0};
    sk_mergespace_set_options(other.machine, &options);
    ask(&other, "get k", "$1\r\nb\r\n");
    ask(&other, "siblings k", "*1\r\n*4\r\n$8\r\nregister\r\n$1\r\nb\r\n:1700000001000\r\n:2\r\n");
    options.multi_value = options.grow_only = true;
    sk_mergespace_set_options(other.machine, &options);
    assert_true(strncmp(merge_ask(&other, "siblings k"), "*2\r\n", 4) == 0);
    ask(&other, "decr c", "-ERR counters of this space only grow (OPTION counter g)\r\n");
    sk_buffer_deinit(&bytes);
    merge_node_close(&other);
    close_two(n);
}

static void many_conflicts_in_one_command(void **state)
{
    merge_node n[2];
    char request[64];
    open_two(n, custom("return s[1]"));
    for (int i = 0; i < 3000; i++) {
        for (int k = 0; k < 2; k++) {
            snprintf(request, sizeof request, "hset h f%d %d", i, k);
            ask(&n[k], request, ":1\r\n");
        }
    }
    meet(n);
    ask_fails(&n[0], "hgetall h", "too many such keys or fields in one command: read fewer at once");
    ask(&n[0], "hget h f7", "$1\r\n0\r\n");
    assert_true(strncmp(merge_ask(&n[0], "hscan h 0 count 100"), "*2\r\n", 4) == 0);
    ask(&n[0], "hlen h", ":3000\r\n");
    assert_true(strncmp(merge_ask(&n[0], "hkeys h"), "*3000\r\n", 7) == 0);
    close_two(n);
}

// Nodes that write apart and hear of each other in any order, in part and repeatedly: who has the same values shows the same, and it is what
// the rule says of them. None of these rules is associative, commutative or idempotent.
static void same_values_same_answer(void **state)
{
    enum { NODES = 4, ROUNDS = 300 };
    static const char *const rules[] = {
        "return table.concat(s, '|') .. '!'",
        "local sum = 0 for i, v in ipairs(s) do sum = sum * 3 - tonumber(v) * i end return tostring(sum)",
        "return s[1]:reverse() .. s[#s]",
        "local t = {} for i, v in ipairs(s) do t[v] = i end local out = '' for k, v in pairs(t) do out = k .. v .. out end return out",
        "local product = 1.0 for _, v in ipairs(s) do product = product / (tonumber(v) + 0.1) end return tostring(product)",
    };
    sk_prng prng;
    int conflicts = 0;
    sk_prng_init(&prng, 5);
    for (size_t round = 0; round < ROUNDS; round++) {
        const char *rule = rules[round % (sizeof rules / sizeof *rules)];
        merge_node n[NODES];
        char request[32];
        for (uint32_t i = 0; i < NODES; i++) merge_node_open(&n[i], i + 1, custom(rule));
        for (int step = 0; step < 12; step++) {
            merge_node *one = &n[sk_prng_below(&prng, NODES)];
            one->context.clock_ms += sk_prng_below(&prng, 3);
            snprintf(request, sizeof request, "set k %d", (int)sk_prng_below(&prng, 9));
            if (sk_prng_chance(&prng, 1, 2)) ask(one, request, "+OK\r\n");
            else assert_int_equal(merge_carry(one, &n[sk_prng_below(&prng, NODES)]), 0);
        }
        for (int i = 0; i < NODES * NODES * 4; i++)
            assert_int_equal(merge_carry(&n[sk_prng_below(&prng, NODES)], &n[sk_prng_below(&prng, NODES)]), 0);
        for (int i = 0; i < NODES * NODES; i++) assert_int_equal(merge_carry(&n[i % NODES], &n[i / NODES]), 0);
        char first[512];
        conflicts += strncmp(merge_ask(&n[0], "siblings k"), "*1", 2) > 0;
        snprintf(first, sizeof first, "%s", merge_ask(&n[0], "get k"));
        for (int i = 1; i < NODES; i++) ask(&n[i], "get k", first);
        for (int i = 0; i < NODES; i++) merge_node_close(&n[i]);
    }
    printf("figure: conflict rounds=%d with_several_values=%d\n", ROUNDS, conflicts);
    assert_true(conflicts > ROUNDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_joins_lines),
        cmocka_unit_test(merge_has_bounds),
        cmocka_unit_test(rule_makes_one_of_many),
        cmocka_unit_test(rule_runs_for_two_or_more),
        cmocka_unit_test(failing_rule_loses_nothing),
        cmocka_unit_test(nothing_is_stored),
        cmocka_unit_test(many_conflicts_in_one_command),
        cmocka_unit_test(same_values_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
