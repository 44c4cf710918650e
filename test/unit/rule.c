// Rules: what they compute, what they cannot reach, and that each limit is an answer and never the end of the process.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "redis/rule.h"

enum { VALUES_MAX = 64 };

static sk_buffer answer;
static uint64_t steps;

static const char *said(void)
{
    return answer.data ? (const char *)answer.data : "";
}

// Values between spaces, which ascend.
static bool run_on(const char *text, const char *values)
{
    sk_slice list[VALUES_MAX];
    size_t count = 0;
    while (*values && count < VALUES_MAX) {
        size_t size = strcspn(values, " ");
        list[count++] = sk_slice_make(values, size);
        values += size + (values[size] == ' ');
    }
    steps = 0;
    sk_buffer_clear(&answer);
    bool good = sk_rule_run(sk_slice_text(text), list, count, &steps, &answer);
    sk_buffer_append_byte(&answer, 0);
    answer.size--;
    return good;
}

static void gives(const char *text, const char *values, const char *expected)
{
    if (!run_on(text, values)) fail_msg("%s: %s", text, said());
    if (strcmp(said(), expected) != 0) fail_msg("%s: %s, not %s", text, said(), expected);
}

static void fails(const char *text, const char *why)
{
    if (run_on(text, "a b")) fail_msg("%s: gives %s", text, said());
    if (!strstr(said(), why)) fail_msg("%s: %s, not %s", text, said(), why);
}

static void both_forms(void **state)
{
    gives("return function(s) return s[#s] end", "a b c", "c");
    gives("return s[1]", "a b c", "a");
    gives("local function pick(s) return s[2] end\nreturn pick", "a b c", "b");
    gives("local most = s[1]\nfor _, v in ipairs(s) do if #v > #most then most = v end end\nreturn most", "aaa bbbb c", "bbbb");
    gives("return table.concat(s, '+') .. #s", "a b c", "a+b+c3");
}

static void useful_rules(void **state)
{
    gives("local sum = 0 for _, v in ipairs(s) do sum = sum + tonumber(v) end return tostring(sum)", "10 32", "42");
    gives("local most for _, v in ipairs(s) do v = tonumber(v) if not most or v > most then most = v end end return tostring(most)",
          "10 9 9.5", "10");
    gives("local all = {}\n"
          "for _, list in ipairs(s) do for _, one in ipairs(list:split(',')) do all[one] = true end end\n"
          "local names = {}\n"
          "for name in pairs(all) do table.insert(names, name) end\n"
          "return table.concat(names, ',')",
          "a,c,d b,a c", "a,b,c,d");
    gives("local order = {idle = 1, busy = 2, broken = 3}\n"
          "table.sort(s, function(a, b) return (order[a] or 9) > (order[b] or 9) end)\n"
          "return s[1]",
          "broken busy idle", "broken");
}

static void library(void **state)
{
    gives("return ('aBc'):upper() .. ('aBc'):lower() .. ('abc'):reverse() .. ('ab'):rep(3) .. ('ab'):rep(2, '-')", "", "ABCabccbaabababab-ab");
    gives("return ('hello'):sub(2, 3) .. ('hello'):sub(-3) .. ('hello'):sub(4, 2) .. ('hello'):sub(0) .. ('hello'):sub(2, -2)", "",
          "elllohelloell");
    gives("return tostring(('abc'):byte()) .. tostring(('abc'):byte(-1)) .. tostring((('abc'):byte(4))) .. string.char(65, 66)", "",
          "9799nilAB");
    gives("local a, b = ('one,two'):find(',') local c = ('a.b'):find('.', 1, true) return a .. ' ' .. b .. ' ' .. c", "", "4 4 2");
    gives("return tostring(('abc'):find('x')) .. tostring(('abc'):find('a', 2)) .. ('abc'):find('', 4) .. tostring(('abc'):find('', 5))",
          "", "nilnil4nil");
    gives("return table.concat(('a,,b,'):split(','), '|')", "", "a||b|");
    gives("local t = {3, 1, 2} table.sort(t) table.insert(t, 9) table.insert(t, 1, 0) "
          "return table.concat(t, ' ') .. '/' .. table.remove(t) .. table.remove(t, 1) .. #t .. tostring(table.remove({}))",
          "", "0 1 2 3 9/903nil");
    gives("return math.max(3, table.unpack({7, 5})) .. math.min(2, 1.5) .. math.abs(-3) .. math.floor(2.7) .. math.ceil(2.2) .. "
          "math.type(1) .. math.type(1.0) .. tostring(math.type('1')) .. math.tointeger(3.0)",
          "", "71.5323integerfloatnil3");
    gives("return tostring(nil) .. tostring(true) .. tostring({}) .. tostring(math.max) .. tostring(1.5) .. type(s) .. 10 // 3", "",
          "niltruetablefunction1.5table3");
    gives("return tostring(tonumber('0x10')) .. tostring(tonumber(' 7 ')) .. tostring(tonumber('7x')) .. tostring(tonumber({}))", "",
          "167nilnil");
    gives("local t = {b = 1, [3] = 1, a = 1, [1] = 1, [2.5] = 1} local out = '' for k in pairs(t) do out = out .. k .. ' ' end return out", "",
          "1 2.5 3 a b ");
    gives("local t = {a = 1, b = 2, c = 3} local out = '' for k, v in pairs(t) do t.b = nil out = out .. k .. v end return out", "", "a1c3");
}

static void stable_sorting(void **state)
{
    gives("local t = {'b2', 'a2', 'a1', 'b1', 'a3'}\n"
          "table.sort(t, function(a, b) return a:sub(1, 1) < b:sub(1, 1) end)\n"
          "return table.concat(t, ' ')",
          "", "a2 a1 a3 b2 b1");
    gives("local t = {} for i = 1, 300 do t[i] = (i * 7919) % 1009 end table.sort(t)\n"
          "for i = 2, #t do if t[i - 1] > t[i] then return 'wrong' end end return 'right'",
          "", "right");
    gives("local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() return true end) return tostring(#t)", "", "100");
    fails("local t = {1, 'a'} table.sort(t) return ''", "attempt to compare");
    fails("table.sort({1, 2, 3}, function(a, b) error('no') end) return ''", "rule:1: no");
}

static void errors_say_where(void **state)
{
    fails("return function(s)\n  return s.x.y\nend", "rule:2: attempt to index a nil value (field 'x')");
    fails("return function(s)\n\n  retrun s[1]\nend", "rule:3: syntax error near 's'");
    fails("return", "it gives nil, not a string");
    fails("return 7", "it gives number, not a string: return tostring(...)");
    fails("return function(s) return {} end", "it gives table, not a string");
    fails("return function(s) return function() end end", "it gives function, not a string");
    fails("error('my own words')", "rule:1: my own words");
    fails("error(('x'):rep(100000))", "xxx...");
    fails("error({})", "bad argument #1 to 'error'");
    fails("assert(false)", "assertion failed!");
    fails("error('two\\nlines\\r\\n')", "two lines");
    fails("return s[1] + 1", "attempt to perform arithmetic on a string value");
}

// Nothing there that reads the world, runs text, keeps or watches state, or depends on addresses and hashes.
static void not_there(void **state)
{
    static const char *const names[] = {"os",           "io",           "require",   "package",   "debug",      "load",         "loadstring",
                                        "dofile",       "loadfile",     "print",     "next",      "rawset",     "rawget",       "setmetatable",
                                        "getmetatable", "collectgarbage", "coroutine", "pcall",   "xpcall",     "select",       "utf8",
                                        "_G",           "string.format", "string.gsub", "string.match", "string.gmatch", "string.dump",
                                        "string.pack",  "math.random",  "math.randomseed", "math.sin", "math.sqrt", "table.move", "_VERSION"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[128];
        snprintf(text, sizeof text, "return tostring(%s)", names[i]);
        gives(text, "a b", "nil");
    }
    fails("return ('x'):format()", "attempt to call a nil value (method 'format')");
    fails("('x').y = 1 return ''", "attempt to index a string value");
    fails("return ('a.b'):find('.')", "there are no patterns");
    fails("return tostring(2 ^ 3)", "'^' is refused");
    fails("for k in pairs({[{}] = 1}) do end return ''", "not a table");
}

static void bytecode_is_refused(void **state)
{
    fails("\x1bLuaT", "attempt to load a binary chunk");
    fails("\x1bLua", "attempt to load a binary chunk");
    fails("\x1b", "attempt to load a binary chunk");
}

// Whatever a rule changes, the next evaluation does not know of it.
static void no_state_is_kept(void **state)
{
    const char *const counts[] = {
        "local n = 0\nreturn function(s) n = n + 1 return tostring(n) end",
        "n = (n or 0) + 1 return tostring(n)",
        "string.n = (string.n or 0) + 1 return tostring(string.n)",
        "math.n = (math.n or 0) + 1 return tostring(math.n)",
        "s.n = (s.n or 0) + 1 return tostring(s.n)",
        "local n = #tostring(tostring) string.sub = nil tostring = nil return '1'",
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int k = 0; k < 3; k++) gives(counts[i], "a b", "1");
    }
    gives("string.upper = nil return ('a'):upper()", "", "A"); // methods stand apart from what a rule can reach
}

static void what_differs_between_processors_fails(void **state)
{
    fails("return 'x' .. 0/0", "a number came out that is none");
    fails("return tostring(math.huge - math.huge)", "a number came out that is none");
    fails("return tostring(tonumber('1e999') * 0)", "a number came out that is none");
    fails("for i = '1e999', '1e999' do return tostring(i - i) end", "");
    gives("return tostring(1/0) .. ' ' .. tostring(-1/0) .. ' ' .. tostring(0.1 + 0.2) .. ' ' .. tostring(2.0 * 3)", "", "inf -inf 0.3 6.0");
    gives("return 'x' .. 1/3", "", "x0.33333333333333"); // and an evaluation that failed leaves no mark on the next
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Scripts that mean harm: each ends with an error, soon. What instructions do not show (comparing, copying, allocating, work inside
// one call) counts, too.
static void hostile_scripts_end(void **state)
{
    static const struct {
        const char *text, *why;
    } hostile[] = {
        {"while true do end", "more than 500000 steps"},
        {"return function(s) while true do end end", "more than 500000 steps"},
        {"repeat until false", "more than 500000 steps"},
        {"::again:: goto again", "more than 500000 steps"},
        {"for i = 1, 1 << 62 do end return ''", "more than 500000 steps"},
        {"local function f() return f() end return f()", "more than 500000 steps"},
        {"local function f() return 1 + f() end return f()", "it takes more than"},
        {"local t = {} while true do t[#t + 1] = {} end", ""},
        {"local t = {} for i = 1, 1 << 40 do t[i] = i end return ''", ""},
        {"local x = 'x' while true do x = x .. x end", "memory"},
        {"local x = ('x'):rep(400000) while true do local y = x .. 'y' end", ""},
        {"return ('x'):rep(1 << 30)", "memory"},
        {"return ('x'):rep(math.maxinteger)", "memory"},
        {"return ('xx'):rep(math.maxinteger)", "memory"},
        {"return ('x'):rep(math.maxinteger, 'yyy')", "too large"},
        {"local e = ('').rep('', math.maxinteger) while true do end", "steps"},
        {"local x = ('x'):rep(100000) while true do local y = x:reverse() end", ""},
        {"local x = ('x'):rep(200000) while true do x:byte(1) x:upper() end", ""},
        {"local a, b = ('x'):rep(200000) .. 'a', ('x'):rep(200000) .. 'b' while true do local c = a < b end", "steps"},
        {"local a, b = ('x'):rep(200000) .. 'a', ('x'):rep(200000) .. 'b' while true do local c = a == b end", "steps"},
        {"local a, t = ('x'):rep(200000), {} while true do t[a .. 'b'] = 1 t = {} end", "steps"},
        {"local a, t = ('x'):rep(200000), {} for i = 1, 4000 do t[i] = a end while true do table.sort(t) end", "steps"},
        {"local a, t = ('x'):rep(1000), {} for i = 1, 500 do t[i] = a .. i end while true do table.sort(t) end", "steps"},
        {"local h, n = ('a'):rep(300000), ('a'):rep(255) .. 'b' while true do h:find(n) end", "steps"},
        {"local h, n = ('a'):rep(300000), 'b' .. ('a'):rep(255) while true do h:find(n, 1, true) end", "steps"},
        {"local h = ('a'):rep(300000) while true do h:split('b') end", ""},
        {"local h = ('a,'):rep(300000) return h:split(',')[1]", "memory"},
        {"local t = {} for i = 1, 20000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end", "steps"},
        {"local t = {} for i = 1, 9000 do t[i] = i end while true do for k in pairs(t) do break end end", ""},
        {"local t = {} for i = 1, 9000 do t[i] = '' end while true do table.concat(t) end", "steps"},
        {"return table.concat({''}, '', 1, math.maxinteger)", "concat takes"},
        {"return table.concat({''}, '', math.mininteger, 1)", "concat takes"},
        {"return tostring(table.unpack({}, 1, 1 << 40))", "unpack gives at most"},
        {"return tostring(table.unpack({}, math.mininteger, math.maxinteger))", "unpack gives at most"},
        {"local function f(...) return f(1, 2, 3, ...) end return f()", ""},
        {"local function f(...) local a = {...} return f(nil, nil, nil, nil, ...) end return f()", ""},
        {"local function f(n) if n == 0 then return end return nil, nil, nil, nil, nil, nil, f(n - 1) end "
         "while true do local t = {f(2000)} end", ""},
        {"local function f(n, ...) if n == 0 then while true do local a = {...} end end return f(n - 1, 1, 1, 1, 1, 1, 1, 1, ...) end "
         "return f(800)", ""},
        {"local function f(t, a, b) table.sort({3, 2, 1}, function(a, b) return f(t, a, b) end) return a < b end return tostring(f({}, 1, 2))", ""},
        {"table.sort({1, 2, 3}, function() while true do end end)", "steps"},
        {"local t = {} t[1] = t return tostring(t)", ""},
        {"local c = {} for i = 1, 200 do c[i] = ('x'):rep(4000) .. i end while true do local a = table.concat(c) end", ""},
        {"local n = ('1'):rep(300000) while true do tonumber(n) end", "steps"},
        {"error(('x'):rep(1 << 30))", "memory"},
        {"local t = {} for i = 1, 8000 do t[i] = {} end while true do local x = ('x'):rep(60000) end", ""},
        {"local t = {} for i = 1, 5000 do t[i] = 'k' .. i end while true do local x = {} x[1000] = 1 end", "steps"},
        {"local t = {} for i = 1, 9000 do t[i] = {} end while true do local x = 'x' .. #t end", "steps"},
        {"local t = {} for i = 1, 1000000 do t['k' .. i] = i t['k' .. i] = nil end return ''", "steps"},
    };
    double slowest = 0;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        double begin = seconds();
        if (!run_on(hostile[i].text, "a b")) {
            if (!strstr(said(), hostile[i].why)) fail_msg("%s: %s", hostile[i].text, said());
        } else if (hostile[i].why[0]) {
            fail_msg("%s: gives %s", hostile[i].text, said());
        }
        double took = seconds() - begin;
        if (getenv("SKEIN_RULE_TIMES")) printf("%7.1f ms %8llu steps  %s\n", took * 1e3, (unsigned long long)steps, hostile[i].text);
        if (took > slowest) slowest = took;
    }
    printf("figure: rule slowest_hostile_ms=%.1f of=%zu\n", slowest * 1e3, sizeof hostile / sizeof *hostile);
    assert_true(slowest < 5);
}

// What makes the time of hostile scripts bounded: steps that say what an instruction or a call really took.
static void steps_count_what_is_done(void **state)
{
    static const struct {
        const char *text;
        uint64_t least;
    } work[] = {
        {"for i = 1, 10000 do end return ''", 10000},
        {"local h = ('a'):rep(100000) for i = 1, 10 do h:find('b', 1, true) end return ''", 10 * 100000 / 4},
        {"local h = ('a'):rep(100000) for i = 1, 10 do h:split('b') end return ''", 10 * 100000 / 4},
        {"local h = ('a'):rep(1000):rep(100) for i = 1, 30 do local x = h .. 'b' end return ''", 30 * 100000 / 16},
        {"local h = ('a'):rep(20000) for i = 1, 5 do h:upper() end return ''", 5 * 20000 / 4},
        {"local h = ('1'):rep(20000) for i = 1, 20 do tonumber(h) end return ''", 20 * 20000 / 4},
        {"local h, t = ('a'):rep(10000), {} for i = 1, 64 do t[i] = h end table.sort(t) return ''", 6 * 32 * 2 * 10000 / 16},
        {"local t = {} for i = 1, 5000 do t[i] = i end for i = 1, 10 do table.insert(t, 1, 0) end return ''", 50000},
        {"local t = {} for i = 1, 5000 do t[i] = i end for i = 1, 10 do table.remove(t, 1) end return ''", 50000 - 100},
        {"local t = {} for i = 1, 2000 do t[i] = i end for i = 1, 2 do for k in pairs(t) do break end end return ''", 2 * 2000 * 4},
        {"local h = ('a'):rep(1000):rep(400) for i = 1, 1000 do end return ''", 400000 / 16 + 1000 * (400000 / 4096)},
    };
    for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
        gives(work[i].text, "a b", "");
        if (steps < work[i].least) fail_msg("%s: %llu steps, not %llu", work[i].text, (unsigned long long)steps, (unsigned long long)work[i].least);
    }
}

static void deep_texts_end(void **state)
{
    static const char *const parts[][3] = {{"return ", "(", ""}, {"", "do ", ""}, {"return ", "{", ""}, {"", "if s then ", ""},
                                           {"return ", "-", "1"}, {"return ", "not ", "1"}, {"", "return function() ", ""}, {"local ", "a=", "1"},
                                           {"return ", "[[", ""}, {"return '", "\\z", "'"}, {"--", "[", ""}, {"return 1", "..1", ""}};
    sk_buffer text = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        sk_buffer_clear(&text);
        sk_buffer_append_text(&text, parts[i][0]);
        while (text.size + strlen(parts[i][1]) + strlen(parts[i][2]) < SK_RULE_SIZE_MAX) sk_buffer_append_text(&text, parts[i][1]);
        sk_buffer_append_text(&text, parts[i][2]);
        sk_buffer_append_byte(&text, 0);
        (void)run_on((const char *)text.data, "a b");
    }
    sk_buffer_deinit(&text);
}

// Values of any bytes, and more of them than fit.
static void any_values(void **state)
{
    sk_slice values[] = {sk_slice_make("", 0), sk_slice_make("\0\r\n", 3), sk_slice_make("\xff\xfe", 2)};
    sk_buffer_clear(&answer);
    assert_true(sk_rule_run(sk_slice_text("return s[1] .. '|' .. s[2] .. '|' .. s[3]"), values, 3, &steps, &answer));
    assert_int_equal(answer.size, 7);
    assert_memory_equal(answer.data, "|\0\r\n|\xff\xfe", 7);
    char *large = malloc(2 * 1024 * 1024);
    memset(large, 'x', 2 * 1024 * 1024);
    values[2] = sk_slice_make(large, 2 * 1024 * 1024);
    sk_buffer_clear(&answer);
    assert_false(sk_rule_run(sk_slice_text("return s[1]"), values, 3, &steps, &answer));
    sk_slice why = sk_buffer_slice(&answer);
    assert_true(sk_slice_equal(why, sk_slice_text("rule: it takes more than 1048576 bytes of memory")));
    free(large);
}

static void what_it_costs(void **state)
{
    const char *text = "local sum = 0 for _, v in ipairs(s) do sum = sum + tonumber(v) end return tostring(sum)";
    double begin = seconds();
    int times = 2000;
    for (int i = 0; i < times; i++) gives(text, "10 32", "42");
    printf("figure: rule us_an_evaluation=%.1f steps=%llu\n", (seconds() - begin) / times * 1e6, (unsigned long long)steps);
}

static void checked(const char *text, const char *why)
{
    sk_buffer said = {0};
    bool good = sk_rule_check(sk_slice_text(text), &said);
    sk_buffer_append_byte(&said, 0);
    if (good != !*why || !strstr((const char *)said.data, why)) fail_msg("%s: %d %s", text, good, said.data);
    sk_buffer_deinit(&said);
}

static void checking(void **state)
{
    checked("return s[1]", "");
    checked("return function(s) return tostring(tonumber(s[1]) + tonumber(s[2])) end", ""); // fails for words, not for numbers
    checked("if s[1]:sub(1, 1) ~= '{' then error('JSON') end return s[1]", "");
    checked("return s[1]:gsub('a', 'b')", "rule:1: attempt to call a nil value (method 'gsub')");
    checked("return function(s)\n  return s[1] +\nend", "rule:3: unexpected symbol near 'end'");
    checked("while true do end", "more than 500000 steps");
    checked("return 7", "not a string");
    checked("", "a rule has 1 to 4096 bytes");
    char *large = malloc(SK_RULE_SIZE_MAX + 2);
    memset(large, ' ', SK_RULE_SIZE_MAX + 1);
    large[SK_RULE_SIZE_MAX + 1] = 0;
    checked(large, "a rule has 1 to 4096 bytes");
    free(large);
}

static int give_back(void **state)
{
    sk_buffer_deinit(&answer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms),
        cmocka_unit_test(useful_rules),
        cmocka_unit_test(library),
        cmocka_unit_test(stable_sorting),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(not_there),
        cmocka_unit_test(bytecode_is_refused),
        cmocka_unit_test(no_state_is_kept),
        cmocka_unit_test(what_differs_between_processors_fails),
        cmocka_unit_test(hostile_scripts_end),
        cmocka_unit_test(steps_count_what_is_done),
        cmocka_unit_test(deep_texts_end),
        cmocka_unit_test(any_values),
        cmocka_unit_test(what_it_costs),
        cmocka_unit_test(checking),
    };
    return cmocka_run_group_tests(tests, NULL, give_back);
}
