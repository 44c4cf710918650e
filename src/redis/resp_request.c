// Requests. A place in the request under way is (state, offset): offset is where the header or the bytes of
// the next argument begin. A header is read again when it was cut (it has at most 24 bytes), the bytes of an
// argument never.
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "redis/resp.h"

enum state { STATE_START, STATE_INLINE, STATE_COUNT, STATE_HEADER, STATE_BYTES, STATE_FAILED };
enum { ARGUMENTS_MIN = 16, ARGUMENTS_KEPT_MAX = 4096, UNQUOTED_KEPT_MAX = 4096 };

void sk_resp_parser_init(sk_resp_parser *parser, const sk_resp_limits *limits)
{
    *parser = (sk_resp_parser){.limits = *limits, .state = STATE_START};
}

void sk_resp_parser_deinit(sk_resp_parser *parser)
{
    sk_free(parser->argv);
    sk_free(parser->offsets);
    sk_buffer_deinit(&parser->unquoted);
    *parser = (sk_resp_parser){.state = STATE_FAILED};
}

static sk_resp_verdict fail(sk_resp_parser *parser, const char *error)
{
    parser->error = error;
    parser->state = STATE_FAILED;
    parser->argc = 0;
    return SK_RESP_ERROR;
}

static void resize_arguments(sk_resp_parser *parser, size_t capacity)
{
    parser->argv = sk_realloc(parser->argv, capacity * sizeof *parser->argv);
    parser->offsets = sk_realloc(parser->offsets, capacity * sizeof *parser->offsets);
    parser->argv_capacity = capacity;
}

// Doubles as arguments come: an argument is at least six bytes of input, whatever the header claims.
static void push_argument(sk_resp_parser *parser, size_t offset, size_t size)
{
    if (parser->argc == parser->argv_capacity) {
        resize_arguments(parser, parser->argc ? parser->argc * 2 : ARGUMENTS_MIN);
    }
    parser->offsets[parser->argc] = offset;
    parser->argv[parser->argc].size = size;
    parser->argc++;
}

static sk_resp_verdict finish(sk_resp_parser *parser, const uint8_t *base, size_t end, size_t *used)
{
    for (size_t i = 0; i < parser->argc; i++) parser->argv[i].data = base + parser->offsets[i];
    parser->state = STATE_START;
    *used = end;
    return SK_RESP_REQUEST;
}

static void start(sk_resp_parser *parser, uint8_t first)
{
    parser->argc = 0;
    parser->offset = 0;
    parser->scanned = 0;
    parser->wanted = 0;
    parser->state = first == '*' ? STATE_COUNT : STATE_INLINE;
    if (parser->argv_capacity > ARGUMENTS_KEPT_MAX) resize_arguments(parser, ARGUMENTS_MIN);
    sk_buffer_reset(&parser->unquoted, UNQUOTED_KEPT_MAX);
}

// ---- Inline ----

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static uint8_t escaped(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

// The part of a word between quotes, from behind the opening one. Returns where to go on, or 0 when the
// quotes do not balance: no end, or one that no space follows.
static size_t unquote(sk_slice line, size_t at, uint8_t quote, sk_buffer *out)
{
    for (; at < line.size; at++) {
        uint8_t c = line.data[at];
        bool backslash = c == '\\' && at + 1 < line.size;
        if (backslash && quote == '"' && line.data[at + 1] == 'x' && at + 3 < line.size &&
            hex_digit(line.data[at + 2]) >= 0 && hex_digit(line.data[at + 3]) >= 0) {
            c = (uint8_t)(hex_digit(line.data[at + 2]) * 16 + hex_digit(line.data[at + 3]));
            at += 3;
        } else if (backslash && quote == '"') {
            c = escaped(line.data[++at]);
        } else if (backslash && line.data[at + 1] == '\'') {
            c = line.data[++at];
        } else if (c == quote) {
            return at + 1 == line.size || is_space(line.data[at + 1]) ? at + 1 : 0;
        }
        sk_buffer_append_byte(out, c);
    }
    return 0;
}

// One word from `at`, appended to out. Returns where it ended, 0: unbalanced quotes.
static size_t take_word(sk_slice line, size_t at, sk_buffer *out)
{
    while (at < line.size) {
        uint8_t c = line.data[at];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return at;
        if (c == '"' || c == '\'') return unquote(line, at + 1, c, out);
        sk_buffer_append_byte(out, c);
        at++;
    }
    return at;
}

static sk_resp_verdict split_line(sk_resp_parser *parser, sk_slice line, size_t end, size_t *used)
{
    size_t at = 0;
    sk_buffer_reserve(&parser->unquoted, line.size + 1); // so that even an empty argument has an address
    while (true) {
        while (at < line.size && is_space(line.data[at])) at++;
        if (at == line.size) break;
        size_t begin = parser->unquoted.size;
        at = take_word(line, at, &parser->unquoted);
        if (!at) return fail(parser, "ERR Protocol error: unbalanced quotes in request");
        push_argument(parser, begin, parser->unquoted.size - begin);
    }
    return finish(parser, parser->unquoted.data, end, used);
}

// Redis stops at a NUL and waits for ever; here it is an error, so that a TLS hello is sent away at once.
static sk_resp_verdict parse_inline(sk_resp_parser *parser, sk_slice input, size_t *used)
{
    size_t max = parser->limits.inline_size_max;
    size_t seen = input.size > max ? max + 1 : input.size;
    const uint8_t *from = input.data + parser->scanned;
    const uint8_t *newline = memchr(from, '\n', seen - parser->scanned);
    size_t end = newline ? (size_t)(newline - input.data) : seen;
    if (memchr(from, 0, end - parser->scanned)) {
        return fail(parser, "ERR Protocol error: NUL in an inline request");
    }
    if (!newline) {
        parser->scanned = seen;
        return seen > max ? fail(parser, "ERR Protocol error: too big inline request") : SK_RESP_MORE;
    }
    size_t size = end > 0 && input.data[end - 1] == '\r' ? end - 1 : end;
    return split_line(parser, sk_slice_make(input.data, size), end + 1, used);
}

// ---- Arrays of bulk strings ----

enum { HEADER_MORE = 0, HEADER_OK = 1, HEADER_BAD = -1 };

// The number and the CR LF of a header whose type byte is at `at`. A number has one form only, as in
// number.h.
static int parse_header(sk_slice input, size_t at, int64_t *value, size_t *next)
{
    const uint8_t *p = input.data + at + 1;
    const uint8_t *end = input.data + input.size;
    bool negative = p < end && *p == '-';
    if (negative) p++;
    if (p == end) return HEADER_MORE;
    uint8_t first = (uint8_t)(*p - '0');
    if (first > 9 || (first == 0 && negative)) return HEADER_BAD;
    int64_t number = first;
    for (p++; p < end; p++) {
        uint8_t digit = (uint8_t)(*p - '0');
        if (digit > 9) break;
        if (number == 0 || number > (INT64_MAX - 9) / 10) return HEADER_BAD;
        number = number * 10 + digit;
    }
    if (p == end) return HEADER_MORE;
    if (*p != '\r') return HEADER_BAD;
    if (p + 1 == end) return HEADER_MORE;
    if (p[1] != '\n') return HEADER_BAD;
    *value = negative ? -number : number;
    *next = (size_t)(p + 2 - input.data);
    return HEADER_OK;
}

static sk_resp_verdict fail_type(sk_resp_parser *parser, uint8_t got)
{
    char *text = parser->error_text;
    size_t size = sizeof parser->error_text;
    if (got >= ' ' && got < 0x7f)
        snprintf(text, size, "ERR Protocol error: expected '$', got '%c'", got);
    else
        snprintf(text, size, "ERR Protocol error: expected '$', got '\\x%02x'", got);
    return fail(parser, parser->error_text);
}

// True: go on with the argument's bytes. False: *verdict says why not.
static bool parse_bulk_header(sk_resp_parser *parser, sk_slice input, sk_resp_verdict *verdict)
{
    *verdict = SK_RESP_MORE;
    if (parser->offset == input.size) return false;
    if (input.data[parser->offset] != '$') {
        *verdict = fail_type(parser, input.data[parser->offset]);
        return false;
    }
    int64_t size;
    size_t next;
    int header = parse_header(input, parser->offset, &size, &next);
    if (header == HEADER_MORE) return false;
    if (header == HEADER_BAD || size < 0 || (uint64_t)size > parser->limits.bulk_size_max) {
        *verdict = fail(parser, "ERR Protocol error: invalid bulk length");
        return false;
    }
    if (next > parser->limits.request_size_max || (uint64_t)size > parser->limits.request_size_max - next) {
        *verdict = fail(parser, "ERR Protocol error: too big request");
        return false;
    }
    parser->offset = next;
    parser->argument_size = (size_t)size;
    parser->state = STATE_BYTES;
    return true;
}

static sk_resp_verdict parse_arguments(sk_resp_parser *parser, sk_slice input, size_t *used)
{
    sk_resp_verdict verdict;
    while (parser->arguments_left) {
        if (parser->state == STATE_HEADER && !parse_bulk_header(parser, input, &verdict)) return verdict;
        size_t end = parser->offset + parser->argument_size;
        if (input.size < end + 2) {
            if (input.size == end + 1 && input.data[end] != '\r') break;
            parser->wanted = end + 2 - input.size;
            return SK_RESP_MORE;
        }
        if (input.data[end] != '\r' || input.data[end + 1] != '\n') break;
        push_argument(parser, parser->offset, parser->argument_size);
        parser->offset = end + 2;
        parser->wanted = 0;
        parser->state = STATE_HEADER;
        parser->arguments_left--;
    }
    if (parser->arguments_left) return fail(parser, "ERR Protocol error: expected CRLF after an argument");
    return finish(parser, input.data, parser->offset, used);
}

static sk_resp_verdict parse_count(sk_resp_parser *parser, sk_slice input, size_t *used)
{
    int64_t count;
    size_t next;
    int header = parse_header(input, 0, &count, &next);
    if (header == HEADER_MORE) return SK_RESP_MORE;
    if (header == HEADER_BAD || (count > 0 && (uint64_t)count > parser->limits.argument_max)) {
        return fail(parser, "ERR Protocol error: invalid multibulk length");
    }
    parser->offset = next;
    parser->arguments_left = count > 0 ? (size_t)count : 0;
    parser->state = STATE_HEADER;
    return parse_arguments(parser, input, used);
}

sk_resp_verdict sk_resp_parse(sk_resp_parser *parser, sk_slice input, size_t *used)
{
    *used = 0;
    if (parser->state == STATE_START) {
        if (input.size == 0) {
            parser->argc = 0;
            return SK_RESP_MORE;
        }
        start(parser, input.data[0]);
    }
    switch (parser->state) {
    case STATE_INLINE:
        return parse_inline(parser, input, used);
    case STATE_COUNT:
        return parse_count(parser, input, used);
    case STATE_HEADER:
    case STATE_BYTES:
        return parse_arguments(parser, input, used);
    default:
        return SK_RESP_ERROR;
    }
}

size_t sk_resp_parser_wants(const sk_resp_parser *parser)
{
    return parser->state == STATE_BYTES ? parser->wanted : 0;
}

bool sk_resp_is_http(sk_slice name)
{
    return sk_slice_equal_nocase(name, "post") || sk_slice_equal_nocase(name, "host:");
}
