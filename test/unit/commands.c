// The command rows and the families, by known answers of Redis 7.0. More of them come from Redis itself:
// test/proc/10-differential drives this program with --serve and a redis-server with the same requests.
//
//   --serve [2|3]   requests on standard input, replies on standard output, until the end
//   --rows    prints name, arity and keys of every row
//   --index   prints the index of src/redis/table.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "redis/number.h"
#include "redis/table.h"
#include "test/support/driver.h"

// ---- Rows ----

static void make_index(uint8_t *index)
{
    size_t count;
    const sk_command *rows = sk_command_rows(&count);
    memset(index, SK_COMMAND_INDEX_NONE, SK_COMMAND_INDEX_SIZE);
    for (size_t i = 0; i < count; i++) {
        uint8_t at = sk_command_hash(sk_slice_text(rows[i].name));
        while (index[at] != SK_COMMAND_INDEX_NONE) at++;
        index[at] = (uint8_t)i;
    }
}

static int print_index(void)
{
    uint8_t index[SK_COMMAND_INDEX_SIZE];
    make_index(index);
    for (size_t i = 0; i < SK_COMMAND_INDEX_SIZE; i++)
        printf("%s%u,%s", i % 16 ? " " : "    ", index[i], i % 16 == 15 ? "\n" : "");
    return 0;
}

static int print_rows(void)
{
    size_t count;
    const sk_command *rows = sk_command_rows(&count);
    for (size_t i = 0; i < count; i++) {
        printf("%s %d %d %d %d\n", rows[i].name, rows[i].arity, rows[i].key_first, rows[i].key_last, rows[i].key_step);
    }
    return 0;
}

static void index_fits_the_rows(void **state)
{
    uint8_t index[SK_COMMAND_INDEX_SIZE];
    make_index(index);
    assert_memory_equal(index, sk_command_index, sizeof index); // if not: --index prints the right one
}

static void rows_are_sound(void **state)
{
    size_t count;
    const sk_command *rows = sk_command_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const sk_command *row = &rows[i];
        assert_true(strlen(row->name) <= SK_COMMAND_NAME_MAX);
        if (i) assert_true(strcmp(rows[i - 1].name, row->name) < 0);
        for (const char *c = row->name; *c; c++) assert_false(*c >= 'A' && *c <= 'Z');
        assert_ptr_equal(sk_command_find(sk_slice_text(row->name)), row);
        bool reads = row->flags & SK_COMMAND_READ;
        bool writes = row->flags & SK_COMMAND_WRITE;
        assert_true(reads != writes);
        assert_true(!(row->flags & SK_COMMAND_DENY_OOM) || writes);
        assert_true((row->run != NULL) != ((row->flags & SK_COMMAND_PARENT) != 0));
        assert_true(row->key_first == 0 || row->key_step > 0);
    }
    assert_non_null(sk_command_find(sk_slice_text("GeT")));
    assert_null(sk_command_find(sk_slice_text("")));
    assert_null(sk_command_find(sk_slice_text("ge")));
    assert_null(sk_command_find(sk_slice_text("getsetgetsetgetsetgetsetgetsetgetset")));
}

static void keys_of_rows(void **state)
{
    const sk_command *mset = sk_command_find(sk_slice_text("mset"));
    assert_int_equal(sk_command_key(mset, 5, 0), 1);
    assert_int_equal(sk_command_key(mset, 5, 1), 3);
    assert_int_equal(sk_command_key(mset, 5, 2), 0);
    const sk_command *rename = sk_command_find(sk_slice_text("rename"));
    assert_int_equal(sk_command_key(rename, 3, 1), 2);
    assert_int_equal(sk_command_key(rename, 3, 2), 0);
    assert_int_equal(sk_command_key(sk_command_find(sk_slice_text("dbsize")), 1, 0), 0);
    const sk_slice one[] = {sk_slice_text("del"), sk_slice_text("a"), sk_slice_text("b")};
    const sk_command *del = sk_command_find(one[0]);
    assert_false(sk_command_needs(del, 2, one) & SK_COMMAND_MULTI_KEY);
    assert_true(sk_command_needs(del, 3, one) & SK_COMMAND_MULTI_KEY);
    const sk_slice set[] = {sk_slice_text("set"), sk_slice_text("a"), sk_slice_text("nx"),
                            sk_slice_text("nX")};
    assert_false(sk_command_needs(sk_command_find(set[0]), 3, set) & SK_COMMAND_RMW);
    assert_true(sk_command_needs(sk_command_find(set[0]), 4, set) & SK_COMMAND_RMW);
}

static void a_request_travels(void **state)
{
    sk_buffer bytes = {0};
    sk_slice argv[3] = {sk_slice_text("set"), sk_slice_text(""), sk_slice_text("a\nb")};
    sk_slice back[3];
    sk_command_encode(&bytes, 3, argv);
    assert_int_equal(sk_command_decode(sk_buffer_slice(&bytes), back, 3), 3);
    for (int i = 0; i < 3; i++) assert_true(sk_slice_equal(argv[i], back[i]));
    assert_int_equal(sk_command_decode(sk_buffer_slice(&bytes), back, 2), SK_ETOOBIG);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_equal(sk_command_decode(sk_slice_make(bytes.data, size), back, 3), SK_EPROTOCOL);
    }
    for (size_t size = 0; size <= bytes.size; size++) {
        size_t got = sk_command_peek(sk_slice_make(bytes.data, size), back, 2);
        assert_true(got == (size >= 1 + 4 + 1 ? 2 : size >= 1 + 4 ? 1 : 0));
        for (size_t i = 0; i < got; i++) assert_true(sk_slice_equal(argv[i], back[i]));
    }
    assert_int_equal(sk_command_peek(sk_buffer_slice(&bytes), back, 3), 3);
    sk_buffer_append_byte(&bytes, 0);
    assert_int_equal(sk_command_decode(sk_buffer_slice(&bytes), back, 3), SK_EPROTOCOL);
    static const uint8_t claim[] = {0xff, 0xff, 0xff, 0x7f, 0};
    assert_int_equal(sk_command_decode(sk_slice_make(claim, sizeof claim), back, 3), SK_EPROTOCOL);
    sk_buffer_deinit(&bytes);
}

// ---- Known answers ----

typedef struct answer {
    const char *request;
    const char *reply;
} answer;

static void expect(const answer *answers, size_t count)
{
    driver d;
    driver_open(&d, (sk_keyspace_limits){0});
    for (size_t i = 0; i < count; i++) {
        const char *reply = driver_ask(&d, answers[i].request);
        if (strcmp(reply, answers[i].reply) != 0)
            fail_msg("%s: %s, not %s", answers[i].request, reply, answers[i].reply);
    }
    driver_close(&d);
}

#define EXPECT(...)                                                                                          \
    do {                                                                                                     \
        static const answer answers[] = {__VA_ARGS__};                                                       \
        expect(answers, sizeof answers / sizeof answers[0]);                                                 \
    } while (0)

static void strings(void **state)
{
    EXPECT(
        {"get a", "$-1\r\n"}, {"set a 1", "+OK\r\n"}, {"GET a", "$1\r\n1\r\n"}, {"set a 2 nx", "$-1\r\n"},
        {"set a 2 xx get", "$1\r\n1\r\n"}, {"set a 3 nx get", "$1\r\n2\r\n"}, {"set a 4 ifeq 3", "$-1\r\n"},
        {"set a 4 ifeq 2", "+OK\r\n"}, {"set a 5 ifeq 4 get", "$1\r\n4\r\n"}, {"set b 1 ifeq 1", "$-1\r\n"},
        {"set b 1 nx xx", "-ERR syntax error\r\n"}, {"set b 1 ex 10 px 10", "-ERR syntax error\r\n"},
        {"set b 1 ex", "-ERR syntax error\r\n"},
        {"set b 1 ex 0", "-ERR invalid expire time in 'set' command\r\n"},
        {"set b 1 ex x", "-ERR value is not an integer or out of range\r\n"},
        {"set b 1 nx ifeq 2", "-ERR syntax error\r\n"}, {"setnx a 1", ":0\r\n"}, {"setnx c 1", ":1\r\n"},
        {"getset a x", "$1\r\n5\r\n"}, {"getdel a", "$1\r\nx\r\n"}, {"getdel a", "$-1\r\n"},
        {"mset a 1 b 2 a 3", "+OK\r\n"}, {"mget a b z", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n"},
        {"mset a", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"mset a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"}, {"msetnx x 1 a 2", ":0\r\n"},
        {"exists x", ":0\r\n"}, {"msetnx x 1 y 2", ":1\r\n"}, {"append x 23", ":3\r\n"},
        {"append n 1", ":1\r\n"}, {"strlen x", ":3\r\n"}, {"getrange x 0 -1", "$3\r\n123\r\n"},
        {"getrange x -2 -1", "$2\r\n23\r\n"}, {"getrange x 5 9", "$0\r\n\r\n"}, {"setrange x 1 ab", ":3\r\n"},
        {"setrange x 5 c", ":6\r\n"}, {"get x", "$6\r\n1ab\0\0c\r\n"});
}

static void E11_numbers(void **state)
{
    EXPECT({"incr a", ":1\r\n"}, {"set a 9223372036854775806", "+OK\r\n"},
           {"incr a", ":9223372036854775807\r\n"},
           {"incr a", "-ERR increment or decrement would overflow\r\n"},
           {"set a -9223372036854775808", "+OK\r\n"},
           {"decr a", "-ERR increment or decrement would overflow\r\n"},
           {"incrby a -1", "-ERR increment or decrement would overflow\r\n"},
           {"decrby a -9223372036854775808", "-ERR decrement would overflow\r\n"},
           {"set a \" 1\"", "+OK\r\n"}, {"incr a", "-ERR value is not an integer or out of range\r\n"},
           {"set a -0", "+OK\r\n"}, {"incr a", "-ERR value is not an integer or out of range\r\n"},
           {"set a 01", "+OK\r\n"}, {"incr a", "-ERR value is not an integer or out of range\r\n"},
           {"set a +1", "+OK\r\n"}, {"incr a", "-ERR value is not an integer or out of range\r\n"},
           {"incrby b 9223372036854775808", "-ERR value is not an integer or out of range\r\n"},
           {"incrbyfloat f 0.1", "$3\r\n0.1\r\n"}, {"incrbyfloat f 0.2", "$3\r\n0.3\r\n"},
           {"incrbyfloat f -0.3", "$1\r\n0\r\n"}, {"incrbyfloat f 5e3", "$4\r\n5000\r\n"},
           {"incrbyfloat f nan", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat f inf", "-ERR increment would produce NaN or Infinity\r\n"},
           {"incrbyfloat f -INFINITY", "-ERR increment would produce NaN or Infinity\r\n"},
           {"incrbyfloat f \" 1\"", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat f \"\"", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat f 1e5000", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat f 1e-5000", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat f 1e-20", "$4\r\n5000\r\n"}, {"incrbyfloat f .5", "$6\r\n5000.5\r\n"},
           {"incrbyfloat f -5001.", "$4\r\n-0.5\r\n"},
           {"incrbyfloat g 1e", "-ERR value is not a valid float\r\n"},
           {"incrbyfloat g .", "-ERR value is not a valid float\r\n"},
           {"object encoding f", "$6\r\nembstr\r\n"});
}

static void keys(void **state)
{
    EXPECT({"del a", ":0\r\n"}, {"mset a 1 b 2 c 3", "+OK\r\n"}, {"del a a z", ":1\r\n"},
           {"exists b b c", ":3\r\n"}, {"touch b z", ":1\r\n"}, {"unlink c", ":1\r\n"},
           {"type b", "+string\r\n"}, {"type z", "+none\r\n"}, {"rename z y", "-ERR no such key\r\n"},
           {"rename b d", "+OK\r\n"}, {"rename d d", "+OK\r\n"}, {"renamenx d d", ":0\r\n"},
           {"set e 1", "+OK\r\n"}, {"renamenx d e", ":0\r\n"}, {"renamenx d f", ":1\r\n"},
           {"keys *", "*2\r\n$1\r\ne\r\n$1\r\nf\r\n"}, {"keys [f-z]", "*1\r\n$1\r\nf\r\n"},
           {"copy e f", ":0\r\n"}, {"copy e f replace", ":1\r\n"},
           {"copy e e", "-ERR source and destination objects are the same\r\n"},
           {"copy e g db 1", "-ERR DB index is out of range\r\n"}, {"copy e g db", "-ERR syntax error\r\n"},
           {"copy z g", ":0\r\n"}, {"dbsize", ":2\r\n"}, {"flushall now", "-ERR syntax error\r\n"},
           {"randomkey", "$1\r\ne\r\n"}, {"flushdb async", "+OK\r\n"}, {"dbsize", ":0\r\n"},
           {"randomkey", "$-1\r\n"}, {"keys *", "*0\r\n"});
}

static void objects(void **state)
{
    EXPECT({"object encoding a", "$-1\r\n"}, {"set a 12345678901234567890", "+OK\r\n"},
           {"object encoding a", "$6\r\nembstr\r\n"}, {"set a 123", "+OK\r\n"},
           {"object encoding a", "$3\r\nint\r\n"}, {"object refcount a", ":2147483647\r\n"},
           {"append a 4", ":4\r\n"}, {"object encoding a", "$3\r\nraw\r\n"}, {"incr a", ":1235\r\n"},
           {"object encoding a", "$3\r\nint\r\n"}, {"object refcount z", "$-1\r\n"},
           {"object idletime a", ":0\r\n"}, {"set a 12345678901234567890123456789012345678901234", "+OK\r\n"},
           {"object encoding a", "$6\r\nembstr\r\n"},
           {"set a 123456789012345678901234567890123456789012345", "+OK\r\n"},
           {"object encoding a", "$3\r\nraw\r\n"},
           {"object", "-ERR wrong number of arguments for 'object' command\r\n"},
           {"object encoding", "-ERR wrong number of arguments for 'object|encoding' command\r\n"},
           {"object foo a", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n"});
}

static void errors_of_a_dispatcher(void **state)
{
    EXPECT(
        {"foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"},
        {"object|encoding a", "-ERR unknown command 'object|encoding', with args beginning with: 'a' \r\n"},
        {"get", "-ERR wrong number of arguments for 'get' command\r\n"},
        {"GET a b", "-ERR wrong number of arguments for 'get' command\r\n"},
        {"foo \"a\\r\\nb\"", "-ERR unknown command 'foo', with args beginning with: 'a  b' \r\n"});
}

static void deadlines(void **state)
{
    // The driver's clock stands at 1000 and wall time is 1700000000000 later.
    EXPECT({"ttl a", ":-2\r\n"}, {"set a 1", "+OK\r\n"}, {"ttl a", ":-1\r\n"}, {"expiretime a", ":-1\r\n"},
           {"expire a 100", ":1\r\n"}, {"ttl a", ":100\r\n"}, {"pttl a", ":100000\r\n"},
           {"expiretime a", ":1700000101\r\n"}, {"pexpiretime a", ":1700000101000\r\n"},
           {"expire a 50 gt", ":0\r\n"}, {"expire a 50 lt", ":1\r\n"}, {"expire a 50 nx", ":0\r\n"},
           {"expire a 60 xx", ":1\r\n"},
           {"expire a 60 nx xx", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
           {"expire a 60 gt lt", "-ERR GT and LT options at the same time are not compatible\r\n"},
           {"expire a 60 zz", "-ERR Unsupported option zz\r\n"}, {"persist a", ":1\r\n"},
           {"persist a", ":0\r\n"}, {"expire a 1 gt", ":0\r\n"},
           {"expire a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"},
           {"pexpire a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"},
           {"expire z 1", ":0\r\n"}, {"pexpireat a 1700000001500", ":1\r\n"}, {"pttl a", ":500\r\n"},
           {"ttl a", ":1\r\n"}, {"set a 2 keepttl", "+OK\r\n"}, {"pttl a", ":500\r\n"},
           {"set a 2", "+OK\r\n"}, {"pttl a", ":-1\r\n"}, {"set a 2 pxat 1700000002000", "+OK\r\n"},
           {"pttl a", ":1000\r\n"}, {"getex a persist", "$1\r\n2\r\n"}, {"pttl a", ":-1\r\n"},
           {"getex a ex 7", "$1\r\n2\r\n"}, {"rename a b", "+OK\r\n"}, {"ttl b", ":7\r\n"},
           {"copy b c", ":1\r\n"}, {"ttl c", ":7\r\n"}, {"append b x", ":2\r\n"}, {"ttl b", ":7\r\n"},
           {"getex b exat 1", "$2\r\n2x\r\n"}, {"exists b", ":0\r\n"}, {"set d 1 exat 1", "+OK\r\n"},
           {"exists d", ":0\r\n"}, {"expire c -1", ":1\r\n"}, {"dbsize", ":0\r\n"},
           {"getex z foo", "-ERR syntax error\r\n"},
           {"setex a 0 1", "-ERR invalid expire time in 'setex' command\r\n"}, {"psetex a 5 1", "+OK\r\n"},
           {"pttl a", ":5\r\n"});
}

static void a_value_has_a_bound(void **state)
{
    driver d;
    driver_open(&d, (sk_keyspace_limits){.value_size_max = 100});
    const char *too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_string_equal(driver_ask(&d, "setrange a 99 x"), ":100\r\n");
    assert_string_equal(driver_ask(&d, "setrange a 100 x"), too_long);
    assert_string_equal(driver_ask(&d, "setrange a 9223372036854775807 xx"), too_long);
    assert_string_equal(driver_ask(&d, "append a x"), too_long);
    assert_string_equal(driver_ask(&d, "setrange a 9223372036854775807 \"\""), ":100\r\n");
    assert_string_equal(driver_ask(&d, "setrange a -1 x"), "-ERR offset is out of range\r\n");
    driver_close(&d);
}

static void a_space_has_a_bound(void **state)
{
    driver d;
    driver_open(&d, (sk_keyspace_limits){.memory_max = 1000});
    assert_string_equal(driver_ask(&d, "setrange a 5000 x"),
                        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    char request[32];
    int made = 0;
    for (; made < 100; made++) {
        snprintf(request, sizeof request, "set key%d value", made);
        if (strcmp(driver_ask(&d, request), "+OK\r\n") != 0) break;
    }
    assert_true(made > 5 && made < 100);
    assert_string_equal(driver_ask(&d, "incr n"),
                        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_string_equal(driver_ask(&d, "get key0"), "$5\r\nvalue\r\n");
    assert_string_equal(driver_ask(&d, "del key0 key1"), ":2\r\n");
    assert_string_equal(driver_ask(&d, "incr n"), ":1\r\n");
    driver_close(&d);
}

// ---- Whole numbers ----

static void number_texts(void **state)
{
    static const int64_t numbers[] = {
        0, 1, -1, 10, -10, 99, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint8_t text[SK_NUMBER_SIZE_MAX];
        int64_t back = 7;
        assert_true(sk_number_parse(sk_slice_make(text, sk_number_format(text, numbers[i])), &back));
        assert_true(back == numbers[i]);
    }
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-0",
                                      "1 ",
                                      " 1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "1a",
                                      "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t number;
        assert_false(sk_number_parse(sk_slice_text(bad[i]), &number));
    }
}

// Against integer arithmetic on numbers with few places.
static void decimal_sums(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 5);
    sk_buffer sum = {0};
    for (int i = 0; i < 20000; i++) {
        int64_t a = (int64_t)sk_prng_below(&prng, 2000000000000) - 1000000000000;
        int64_t b = (int64_t)sk_prng_below(&prng, sk_prng_chance(&prng, 1, 2) ? 2000 : 2000000000000) - 1000;
        char a_text[40], b_text[40], expected[40];
        snprintf(a_text, sizeof a_text, "%lde-6", (long)a);
        snprintf(b_text, sizeof b_text, "%s%ld.%06ld", b < 0 ? "-" : "+", labs(b) / 1000000,
                 labs(b) % 1000000);
        int64_t c = a + b;
        snprintf(expected, sizeof expected, "%s%ld.%06ld", c < 0 ? "-" : "", labs(c) / 1000000,
                 labs(c) % 1000000);
        size_t size = strlen(expected);
        while (expected[size - 1] == '0') expected[--size] = 0;
        if (expected[size - 1] == '.') expected[--size] = 0;
        sk_buffer_clear(&sum);
        assert_int_equal(sk_decimal_add(sk_slice_text(a_text), sk_slice_text(b_text), &sum), SK_DECIMAL_OK);
        sk_buffer_append_byte(&sum, 0);
        assert_string_equal((char *)sum.data, expected);
    }
    sk_buffer_deinit(&sum);
}

static void decimal_rounds_half_to_even(void **state)
{
    static const struct {
        const char *a, *b, *sum;
    } cases[] = {
        {"0.000000000000000005", "0", "0"},
        {"0.000000000000000015", "0", "0.00000000000000002"},
        {"0.0000000000000000051", "0", "0.00000000000000001"},
        {"-0.000000000000000015", "0", "-0.00000000000000002"},
        {"0.999999999999999999", "0", "1"},
        {"-0.000000000000000001", "0", "0"},
        {"99999999999999999999.5", "0.5", "100000000000000000000"},
        {"1e30", "1", "1000000000000000000000000000001"},
        {"1e30", "-1", "999999999999999999999999999999"},
    };
    sk_buffer sum = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sk_buffer_clear(&sum);
        assert_int_equal(sk_decimal_add(sk_slice_text(cases[i].a), sk_slice_text(cases[i].b), &sum),
                         SK_DECIMAL_OK);
        sk_buffer_append_byte(&sum, 0);
        assert_string_equal((char *)sum.data, cases[i].sum);
    }
    sk_buffer_clear(&sum);
    assert_int_equal(sk_decimal_add(sk_slice_text("9e4932"), sk_slice_text("9e4932"), &sum),
                     SK_DECIMAL_INFINITE);
    assert_int_equal(sum.size, 0);
    sk_buffer_deinit(&sum);
}

// ---- For the differential test ----

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int serve(uint8_t resp)
{
    driver d;
    driver_open(&d, (sk_keyspace_limits){.value_size_max = 512 * 1024 * 1024});
    d.context.resp = resp;
    sk_buffer input = {0};
    bool going = true;
    while (going) {
        ssize_t got = read(0, sk_buffer_reserve(&input, 65536), 65536);
        if (got <= 0) break;
        input.size += (size_t)got;
        d.context.clock_ms = (uint64_t)milliseconds(CLOCK_MONOTONIC);
        d.context.wall_offset_ms = milliseconds(CLOCK_REALTIME) - (int64_t)d.context.clock_ms;
        d.machine->ops->advance(d.machine, d.context.clock_ms);
        size_t consumed;
        going = driver_feed(&d, sk_buffer_slice(&input), &consumed);
        sk_buffer_consume(&input, consumed);
        for (size_t at = 0; at < d.reply.size;) {
            ssize_t put = write(1, d.reply.data + at, d.reply.size - at);
            if (put <= 0) return 1;
            at += (size_t)put;
        }
        sk_buffer_clear(&d.reply);
    }
    sk_buffer_deinit(&input);
    driver_close(&d);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_fits_the_rows),
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(keys_of_rows),
        cmocka_unit_test(a_request_travels),
        cmocka_unit_test(strings),
        cmocka_unit_test(E11_numbers),
        cmocka_unit_test(keys),
        cmocka_unit_test(objects),
        cmocka_unit_test(errors_of_a_dispatcher),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(a_value_has_a_bound),
        cmocka_unit_test(a_space_has_a_bound),
        cmocka_unit_test(number_texts),
        cmocka_unit_test(decimal_sums),
        cmocka_unit_test(decimal_rounds_half_to_even),
    };
    if (argc > 1 && strcmp(argv[1], "--serve") == 0) return serve(argc > 2 && argv[2][0] == '3' ? 3 : 2);
    if (argc > 1 && strcmp(argv[1], "--index") == 0) return print_index();
    if (argc > 1 && strcmp(argv[1], "--rows") == 0) return print_rows();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
