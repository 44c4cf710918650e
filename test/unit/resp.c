// RESP: requests cut anywhere, known answers, the pitfalls E01-E07; replies; values as a client reads them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "redis/resp.h"

static const sk_resp_limits limits = {.inline_size_max = 64 * 1024,
                                      .bulk_size_max = 512 * 1024 * 1024,
                                      .argument_max = 1024 * 1024,
                                      .request_size_max = 1024 * 1024 * 1024};

typedef struct item {
    const char *name;
    sk_slice bytes;
} item;

#define ITEM(name, text)                                                                                     \
    {                                                                                                        \
        name,                                                                                                \
        {                                                                                                    \
            (const uint8_t *)(text), sizeof(text) - 1                                                        \
        }                                                                                                    \
    }

// Whole inputs: any number of requests, perhaps an error, perhaps an unfinished end.
static const item corpus[] = {
    ITEM("ping", "*1\r\n$4\r\nPING\r\n"),
    ITEM("set", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\nx\n\r\n"),
    ITEM("two", "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n"),
    ITEM("empty argument last", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"),
    ITEM("empty array", "*0\r\n*1\r\n$1\r\na\r\n"),
    ITEM("negative array", "*-1\r\n*-9\r\nPING\r\n"),
    ITEM("inline", "PING\r\n"),
    ITEM("inline without CR", "PING\nSET a b\n"),
    ITEM("inline spaces", "  SET   key \t value  \r\n"),
    ITEM("inline empty", "\r\n\n   \r\nPING\r\n"),
    ITEM("inline quotes", "SET \"a b\" 'c d' \"\\x41\\n\\t\\\"\\\\\" 'it\\'s' \"\"\r\n"),
    ITEM("inline quotes inside", "SET a\"b c\" d'e f'\r\n"),
    ITEM("inline hex not hex", "SET \"\\xzz\" \"\\x4\"\r\n"),
    ITEM("inline unbalanced", "PING\r\nSET \"a\r\n"),
    ITEM("inline quote in word", "SET \"a\"b\r\n"),
    ITEM("inline unbalanced single", "SET 'a\r\n"),
    ITEM("inline then array", "PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n"),
    ITEM("E01 negative bulk", "*1\r\n$-2\r\n"),
    ITEM("E01 huge bulk", "*1\r\n$9223372036854775807\r\n"),
    ITEM("E01 overflowing bulk", "*1\r\n$92233720368547758070\r\n"),
    ITEM("E01 huge array", "*1000000000\r\n"),
    ITEM("E01 overflowing array", "*9223372036854775808\r\n"),
    ITEM("E01 512 MB and one", "*1\r\n$536870913\r\n"),
    ITEM("E01 most arguments and one", "*1048577\r\n"),
    ITEM("E02 null argument", "*2\r\n$3\r\nGET\r\n$-1\r\n"),
    ITEM("E02 nested array", "*2\r\n$3\r\nGET\r\n*1\r\n$1\r\na\r\n"),
    ITEM("E02 integer argument", "*2\r\n$3\r\nGET\r\n:1\r\n"),
    ITEM("E06 LF alone", "*1\n$4\nPING\n"),
    ITEM("E06 CR alone", "*1\r$4\rPING\r"),
    ITEM("E06 no CRLF after argument", "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n"),
    ITEM("E06 CR and no LF after argument", "*1\r\n$4\r\nPING\rx"),
    ITEM("E06 too short", "*1\r\n$3\r\nPING\r\n"),
    ITEM("E06 too long", "*1\r\n$5\r\nPING\r\n"),
    ITEM("number forms", "*01\r\n"),
    ITEM("number plus", "*+1\r\n"),
    ITEM("number space", "* 1\r\n"),
    ITEM("number minus zero", "*-0\r\n"),
    ITEM("number none", "*\r\n"),
    ITEM("bulk number none", "*1\r\n$\r\n"),
    ITEM("bulk number letters", "*1\r\n$4x\r\n"),
    ITEM("not a bulk", "*1\r\nPING\r\n"),
    ITEM("not a bulk, not text", "*1\r\n\x01\r\n"),
    ITEM("E05 NUL inline", "PI\0NG\r\n"),
    ITEM("E05 NUL in bulk", "*1\r\n$5\r\nPI\0NG\r\n"),
    ITEM("E07 TLS hello", "\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03"),
    ITEM("E07 POST", "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ITEM("unfinished", "*2\r\n$3\r\nGET\r\n$3\r\nab"),
};

// What a parser makes of an input, as text: one line a request, then the error or how much is left over.
static void describe(sk_buffer *out, sk_resp_parser *parser, sk_slice input, size_t step)
{
    size_t begin = 0;
    size_t end = step < input.size ? step : input.size;
    while (true) {
        size_t used = 0;
        // A copy of its own each time: nothing may be read beyond what came, nor at the place where it was
        // before.
        uint8_t *copy = malloc(end - begin + 1);
        memcpy(copy, input.data + begin, end - begin);
        sk_resp_verdict verdict = sk_resp_parse(parser, sk_slice_make(copy, end - begin), &used);
        if (verdict == SK_RESP_REQUEST) {
            sk_buffer_append_text(out, "request");
            for (size_t i = 0; i < parser->argc; i++) {
                sk_buffer_printf(out, " %zu:", parser->argv[i].size);
                sk_buffer_append_slice(out, parser->argv[i]);
            }
            sk_buffer_append_byte(out, '\n');
            begin += used;
        } else {
            assert_int_equal(used, 0);
        }
        free(copy);
        if (verdict == SK_RESP_ERROR) {
            sk_buffer_printf(out, "%s\n", parser->error);
            return;
        }
        if (verdict == SK_RESP_MORE && end == input.size) break;
        if (verdict == SK_RESP_MORE) end = end + step < input.size ? end + step : input.size;
    }
    sk_buffer_printf(out, "left %zu\n", input.size - begin);
}

static char *described(sk_slice input, size_t step)
{
    sk_resp_parser parser;
    sk_resp_parser_init(&parser, &limits);
    sk_buffer out = {0};
    describe(&out, &parser, input, step);
    sk_buffer_append_byte(&out, 0);
    sk_resp_parser_deinit(&parser);
    return (char *)out.data;
}

static void expect(const char *input, const char *result)
{
    char *got = described(sk_slice_text(input), SIZE_MAX);
    assert_string_equal(got, result);
    free(got);
}

static void known_answers(void **state)
{
    expect("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "request 3:GET 1:k\nleft 0\n");
    expect("*0\r\nPING\r\n", "request\nrequest 4:PING\nleft 0\n");
    expect("SET \"a b\" 'c\\'d' \"\\x41\\n\"\r\n", "request 3:SET 3:a b 3:c'd 2:A\n\nleft 0\n");
    expect("SET \"a\"b\r\n", "ERR Protocol error: unbalanced quotes in request\n");
    expect("*1\r\n*1\r\n", "ERR Protocol error: expected '$', got '*'\n");
    expect("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length\n");
    expect("*x\r\n", "ERR Protocol error: invalid multibulk length\n");
    expect("*1048577\r\n", "ERR Protocol error: invalid multibulk length\n");
    expect("*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length\n");
    expect("*1\r\n$536870912\r\n", "left 16\n");
    expect("*1\r\n$4\r\nPINGxx", "ERR Protocol error: expected CRLF after an argument\n");
}

static void E04_result_does_not_depend_on_cuts(void **state)
{
    for (size_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) {
        sk_slice input = corpus[i].bytes;
        char *whole = described(input, SIZE_MAX);
        for (size_t step = 1; step < input.size; step++) {
            char *cut = described(input, step);
            if (strcmp(whole, cut) != 0)
                fail_msg("%s cut every %zu: %s, not %s", corpus[i].name, step, cut, whole);
            free(cut);
        }
        // One cut, anywhere.
        for (size_t at = 1; at < input.size; at++) {
            sk_resp_parser parser;
            sk_resp_parser_init(&parser, &limits);
            sk_buffer out = {0};
            size_t used = 0;
            sk_resp_verdict verdict = sk_resp_parse(&parser, sk_slice_make(input.data, at), &used);
            if (verdict == SK_RESP_MORE) {
                describe(&out, &parser, input, SIZE_MAX);
                sk_buffer_append_byte(&out, 0);
                assert_string_equal((char *)out.data, whole);
            }
            sk_buffer_deinit(&out);
            sk_resp_parser_deinit(&parser);
        }
        free(whole);
    }
}

static void E04_pipelines(void **state)
{
    for (size_t count = 1; count <= 1000; count = count < 20 ? count + 1 : count * 2 - 7) {
        sk_buffer input = {0};
        for (size_t i = 0; i < count; i++)
            sk_buffer_append_slice(&input, corpus[i % 17 == 13 ? 0 : i % 12].bytes);
        char *whole = described(sk_buffer_slice(&input), SIZE_MAX);
        for (size_t step = 1; step < 100; step += 13) {
            char *cut = described(sk_buffer_slice(&input), step);
            assert_string_equal(cut, whole);
            free(cut);
        }
        free(whole);
        sk_buffer_deinit(&input);
    }
}

static void E01_no_memory_for_a_claim(void **state)
{
    sk_resp_parser parser;
    sk_resp_parser_init(&parser, &limits);
    size_t used;
    assert_int_equal(sk_resp_parse(&parser, sk_slice_text("*1048576\r\n$536870912\r\n"), &used),
                     SK_RESP_MORE);
    assert_int_equal(parser.argv_capacity, 0);
    assert_int_equal(parser.unquoted.capacity, 0);
    assert_int_equal(sk_resp_parser_wants(&parser), 536870914);
    sk_resp_parser_deinit(&parser);
}

// Lengths and counts of 64 bits and more, which are 1, 2 and 3 to whoever lets them wrap.
static void E01_a_length_does_not_wrap(void **state)
{
    static const char *const inputs[] = {"*1\r\n$18446744073709551617\r\na\r\n", "*18446744073709551617\r\n$1\r\na\r\n",
                                         "*1\r\n$4294967298\r\nab\r\n", "*1\r\n$36893488147419103235\r\nabc\r\n"};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        sk_resp_parser parser;
        sk_resp_parser_init(&parser, &limits);
        size_t used;
        assert_int_equal(sk_resp_parse(&parser, sk_slice_text(inputs[i]), &used), SK_RESP_ERROR);
        sk_resp_parser_deinit(&parser);
    }
}

static void a_request_has_a_bound(void **state)
{
    sk_resp_limits small = limits;
    small.request_size_max = 30;
    sk_resp_parser parser;
    size_t used;
    sk_resp_parser_init(&parser, &small);
    assert_int_equal(sk_resp_parse(&parser, sk_slice_text("*2\r\n$5\r\nhello\r\n$20\r\n"), &used),
                     SK_RESP_ERROR);
    assert_string_equal(parser.error, "ERR Protocol error: too big request");
    // It stays in error: nothing is ever resynchronised.
    assert_int_equal(sk_resp_parse(&parser, sk_slice_text("PING\r\n"), &used), SK_RESP_ERROR);
    sk_resp_parser_deinit(&parser);
}

static void E05_inline_limit(void **state)
{
    sk_buffer line = {0};
    for (size_t i = 0; i < 64 * 1024; i++) sk_buffer_append_byte(&line, 'a');
    sk_buffer_append_text(&line, "\n");
    char *whole = described(sk_buffer_slice(&line), SIZE_MAX);
    char *cut = described(sk_buffer_slice(&line), 1000);
    assert_memory_equal(whole, "request 65536:aaa", 17);
    assert_string_equal(whole, cut);
    free(whole);
    free(cut);
    line.data[line.size - 1] = 'a';
    sk_buffer_append_text(&line, "\n");
    whole = described(sk_buffer_slice(&line), SIZE_MAX);
    cut = described(sk_buffer_slice(&line), 1000);
    assert_string_equal(whole, "ERR Protocol error: too big inline request\n");
    assert_string_equal(whole, cut);
    free(whole);
    free(cut);
    sk_buffer_deinit(&line);
}

static void E07_http_is_known(void **state)
{
    assert_true(sk_resp_is_http(sk_slice_text("POST")));
    assert_true(sk_resp_is_http(sk_slice_text("host:")));
    assert_false(sk_resp_is_http(sk_slice_text("GET")));
    assert_false(sk_resp_is_http(sk_slice_text("POSTS")));
}

// ---- Replies ----

static void expect_reply(uint8_t resp, sk_buffer *out, const char *text)
{
    if (out->size != strlen(text) || memcmp(out->data, text, out->size) != 0) {
        fail_msg("RESP%u: %.*s, not %s", resp, (int)out->size, (char *)out->data, text);
    }
    sk_buffer_clear(out);
}

static void replies(void **state)
{
    sk_buffer out = {0};
    sk_reply two = {&out, 2};
    sk_reply three = {&out, 3};
    sk_reply_simple(&two, "OK");
    sk_reply_error(&two, "ERR no");
    sk_reply_integer(&two, INT64_MIN);
    sk_reply_integer(&two, 0);
    sk_reply_text(&two, "a\r\nb");
    expect_reply(2, &out, "+OK\r\n-ERR no\r\n:-9223372036854775808\r\n:0\r\n$4\r\na\r\nb\r\n");
    sk_reply_errorf(&two, "ERR '%s'%s", "a\r\nb", "\r\n");
    expect_reply(2, &out, "-ERR 'a  b'\r\n");
    sk_reply_null(&two);
    sk_reply_null_array(&two);
    sk_reply_bool(&two, true);
    sk_reply_double(&two, 0.1);
    sk_reply_map(&two, 2);
    sk_reply_set(&two, 2);
    sk_reply_push(&two, 2);
    sk_reply_verbatim(&two, "txt", sk_slice_text("hi"));
    expect_reply(2, &out, "$-1\r\n*-1\r\n:1\r\n$19\r\n0.10000000000000001\r\n*4\r\n*2\r\n*2\r\n$2\r\nhi\r\n");
    sk_reply_null(&three);
    sk_reply_null_array(&three);
    sk_reply_bool(&three, false);
    sk_reply_double(&three, 1.0 / 0.0);
    sk_reply_map(&three, 2);
    sk_reply_set(&three, 2);
    sk_reply_push(&three, 2);
    sk_reply_verbatim(&three, "txt", sk_slice_text("hi"));
    expect_reply(3, &out, "_\r\n_\r\n#f\r\n,inf\r\n%2\r\n~2\r\n>2\r\n=6\r\ntxt:hi\r\n");
    sk_buffer_deinit(&out);
}

// ---- Values ----

static int parse_value(const char *text, sk_resp_value *value)
{
    size_t used = 0;
    int got = sk_resp_value_parse(sk_slice_text(text), value, &used);
    if (got == 1) assert_int_equal(used, strlen(text));
    return got;
}

static void values(void **state)
{
    sk_resp_value value;
    assert_int_equal(parse_value("*3\r\n:-5\r\n$2\r\nhi\r\n*2\r\n+OK\r\n_\r\n", &value), 1);
    assert_int_equal(value.type, SK_RESP_ARRAY);
    assert_int_equal(value.count, 3);
    assert_int_equal(value.items[0].integer, -5);
    assert_true(sk_slice_equal(value.items[1].text, sk_slice_text("hi")));
    assert_int_equal(value.items[2].count, 2);
    assert_int_equal(value.items[2].items[0].type, SK_RESP_SIMPLE);
    assert_int_equal(value.items[2].items[1].type, SK_RESP_NULL);
    sk_resp_value_deinit(&value);
    assert_int_equal(parse_value("%1\r\n+a\r\n#t\r\n", &value), 1);
    assert_int_equal(value.type, SK_RESP_MAP);
    assert_int_equal(value.count, 2);
    sk_resp_value_deinit(&value);
    assert_int_equal(parse_value("|1\r\n+ttl\r\n:3\r\n|0\r\n~1\r\n|1\r\n+a\r\n*1\r\n:1\r\n,1.5\r\n", &value),
                     1);
    assert_int_equal(value.type, SK_RESP_SET);
    assert_true(value.items[0].number == 1.5);
    sk_resp_value_deinit(&value);
    assert_int_equal(parse_value("=6\r\ntxt:hi\r\n", &value), 1);
    assert_int_equal(value.text.size, 2);
    sk_resp_value_deinit(&value);
    static const char *const bad[] = {"$-2\r\n",      "$+x\r\n", "*-2\r\n",   "#x\r\n",        ",abc\r\n",
                                      "_x\r\n",       "?\r\n",   "+a\nb\r\n", "$1\r\nabc\r\n", ":1x\r\n",
                                      "=2\r\nab\r\n", "+a\rb",   "$?\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse_value(bad[i], &value), SK_EPROTOCOL);
        sk_resp_value_deinit(&value);
    }
}

static void E01_value_takes_no_memory_for_a_claim(void **state)
{
    sk_resp_value value;
    assert_int_equal(parse_value("*2147483647\r\n:1\r\n", &value), 0);
    assert_true(value.count <= 2);
    sk_resp_value_deinit(&value);
    assert_int_equal(parse_value("*9223372036854775807\r\n", &value), SK_EPROTOCOL);
    sk_resp_value_deinit(&value);
    assert_int_equal(parse_value("$9223372036854775807\r\nabc", &value), 0);
    sk_resp_value_deinit(&value);
}

static void E03_depth(void **state)
{
    for (size_t depth = 1024; depth <= 1025; depth++) {
        sk_buffer text = {0};
        for (size_t i = 0; i < depth; i++) sk_buffer_append_text(&text, "*1\r\n");
        sk_buffer_append_text(&text, ":7\r\n");
        sk_resp_value value;
        size_t used;
        int got = sk_resp_value_parse(sk_buffer_slice(&text), &value, &used);
        assert_int_equal(got, depth == 1024 ? 1 : SK_EPROTOCOL);
        sk_resp_value_deinit(&value);
        sk_buffer_deinit(&text);
    }
}

static void E04_value_prefixes_want_more(void **state)
{
    const char *text = "*4\r\n%1\r\n+a\r\n,-1e5\r\n$5\r\nab\r\nc\r\n|1\r\n+x\r\n(123\r\n!3\r\nERR\r\n~0\r\n";
    for (size_t size = 0; size < strlen(text); size++) {
        sk_resp_value value;
        size_t used = 99;
        assert_int_equal(sk_resp_value_parse(sk_slice_make(text, size), &value, &used), 0);
        assert_int_equal(used, 0);
        sk_resp_value_deinit(&value);
    }
    sk_resp_value value;
    assert_int_equal(parse_value(text, &value), 1);
    sk_resp_value_deinit(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(E04_result_does_not_depend_on_cuts),
        cmocka_unit_test(E04_pipelines),
        cmocka_unit_test(E01_no_memory_for_a_claim),
        cmocka_unit_test(E01_a_length_does_not_wrap),
        cmocka_unit_test(a_request_has_a_bound),
        cmocka_unit_test(E05_inline_limit),
        cmocka_unit_test(E07_http_is_known),
        cmocka_unit_test(replies),
        cmocka_unit_test(values),
        cmocka_unit_test(E01_value_takes_no_memory_for_a_claim),
        cmocka_unit_test(E03_depth),
        cmocka_unit_test(E04_value_prefixes_want_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
