// Replies, as a client reads them. Iterative: a frame for each open aggregate, at most SK_RESP_DEPTH_MAX of
// them.
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "redis/number.h"
#include "redis/resp.h"

enum { LINE_SIZE_MAX = 64 * 1024, NUMBER_TEXT_MAX = 400 };

// An aggregate that lacks `left` values. Its address stays while values are added inside it: only the
// innermost aggregate's items move.
typedef struct frame {
    sk_resp_value *value;
    uint64_t left;
    bool attribute; // says something about the value behind it: read over
} frame;

typedef struct reader {
    sk_slice input;
    size_t at;
} reader;

enum { READ_MORE = 0, READ_OK = 1 };

static int read_line(reader *r, sk_slice *line)
{
    size_t left = r->input.size - r->at;
    const uint8_t *begin = r->input.data + r->at;
    const uint8_t *end = left ? memchr(begin, '\r', left) : NULL;
    if (!end) return left > LINE_SIZE_MAX ? SK_EPROTOCOL : READ_MORE;
    size_t size = (size_t)(end - begin);
    if (memchr(begin, '\n', size)) return SK_EPROTOCOL;
    if (size + 1 == left) return READ_MORE;
    if (end[1] != '\n') return SK_EPROTOCOL;
    *line = sk_slice_make(begin, size);
    r->at += size + 2;
    return READ_OK;
}

static int read_number(reader *r, int64_t *number)
{
    sk_slice line;
    int got = read_line(r, &line);
    if (got != READ_OK) return got;
    if (line.size && line.data[0] == '+') line = sk_slice_make(line.data + 1, line.size - 1);
    return sk_number_parse(line, number) ? READ_OK : SK_EPROTOCOL;
}

static int read_double(reader *r, sk_resp_value *out)
{
    int got = read_line(r, &out->text);
    if (got != READ_OK) return got;
    char text[NUMBER_TEXT_MAX];
    if (out->text.size == 0 || out->text.size >= sizeof text) return SK_EPROTOCOL;
    memcpy(text, out->text.data, out->text.size);
    text[out->text.size] = 0;
    char *end;
    out->number = strtod(text, &end);
    out->type = SK_RESP_DOUBLE;
    return end == text + out->text.size && text[0] != ' ' ? READ_OK : SK_EPROTOCOL;
}

// $ ! = : a length, so many bytes, CR LF.
static int read_bulk(reader *r, uint8_t type, sk_resp_value *out)
{
    int64_t size;
    int got = read_number(r, &size);
    if (got != READ_OK) return got;
    if (size == -1 && type == '$') {
        out->type = SK_RESP_NULL;
        return READ_OK;
    }
    if (size < 0) return SK_EPROTOCOL;
    size_t left = r->input.size - r->at;
    if ((uint64_t)size > left || left - (uint64_t)size < 2) return READ_MORE;
    const uint8_t *bytes = r->input.data + r->at;
    if (bytes[size] != '\r' || bytes[size + 1] != '\n') return SK_EPROTOCOL;
    r->at += (size_t)size + 2;
    out->text = sk_slice_make(bytes, (size_t)size);
    out->type = type == '$' ? SK_RESP_BULK : type == '!' ? SK_RESP_FAILURE : SK_RESP_VERBATIM;
    if (type == '=') {
        if (size < 4 || bytes[3] != ':') return SK_EPROTOCOL;
        out->text = sk_slice_make(bytes + 4, (size_t)size - 4);
    }
    return READ_OK;
}

static int read_bool(reader *r, sk_resp_value *out)
{
    int got = read_line(r, &out->text);
    if (got != READ_OK) return got;
    if (out->text.size != 1 || (out->text.data[0] != 't' && out->text.data[0] != 'f')) return SK_EPROTOCOL;
    out->type = SK_RESP_BOOL;
    out->integer = out->text.data[0] == 't';
    return READ_OK;
}

static int read_null(reader *r, sk_resp_value *out)
{
    int got = read_line(r, &out->text);
    if (got != READ_OK) return got;
    out->type = SK_RESP_NULL;
    return out->text.size == 0 ? READ_OK : SK_EPROTOCOL;
}

static int read_text(reader *r, enum sk_resp_type type, sk_resp_value *out)
{
    out->type = type;
    return read_line(r, &out->text);
}

static int read_integer(reader *r, sk_resp_value *out)
{
    out->type = SK_RESP_INTEGER;
    return read_number(r, &out->integer);
}

// An aggregate's header. `*left`: values that follow.
static int read_aggregate(reader *r, uint8_t type, sk_resp_value *out, uint64_t *left)
{
    int64_t count;
    int got = read_number(r, &count);
    if (got != READ_OK) return got;
    if (count == -1 && type == '*') {
        out->type = SK_RESP_NULL;
        *left = 0;
        return READ_OK;
    }
    if (count < 0 || count > INT32_MAX) return SK_EPROTOCOL;
    bool pairs = type == '%' || type == '|';
    out->type = pairs ? SK_RESP_MAP : type == '~' ? SK_RESP_SET : type == '>' ? SK_RESP_PUSH : SK_RESP_ARRAY;
    *left = (uint64_t)count * (pairs ? 2 : 1);
    return READ_OK;
}

// One value without what is inside it. `*left` is not touched unless it is an aggregate.
static int read_value(reader *r, uint8_t *type, sk_resp_value *out, uint64_t *left)
{
    if (r->at == r->input.size) return READ_MORE;
    *type = r->input.data[r->at++];
    switch (*type) {
    case '+':
        return read_text(r, SK_RESP_SIMPLE, out);
    case '-':
        return read_text(r, SK_RESP_FAILURE, out);
    case '(':
        return read_text(r, SK_RESP_BIG_NUMBER, out);
    case ':':
        return read_integer(r, out);
    case ',':
        return read_double(r, out);
    case '#':
        return read_bool(r, out);
    case '_':
        return read_null(r, out);
    case '$':
    case '!':
    case '=':
        return read_bulk(r, *type, out);
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
        return read_aggregate(r, *type, out, left);
    default:
        return SK_EPROTOCOL;
    }
}

// Room for one more item; memory follows what came, not what the header claims.
static sk_resp_value *add_item(sk_resp_value *value)
{
    if ((value->count & (value->count - 1)) == 0) {
        value->items = sk_realloc(value->items, (value->count ? value->count * 2 : 1) * sizeof *value->items);
    }
    sk_resp_value *item = &value->items[value->count++];
    *item = (sk_resp_value){.type = SK_RESP_NULL};
    return item;
}

// Where the next value goes; NULL: the outermost value is complete.
static sk_resp_value *next_slot(frame *frames, size_t *depth)
{
    while (*depth) {
        frame *top = &frames[*depth - 1];
        if (top->left) {
            top->left--;
            return add_item(top->value);
        }
        --*depth;
        if (top->attribute) {
            sk_resp_value_deinit(top->value);
            return top->value; // what the attribute spoke of takes its place
        }
    }
    return NULL;
}

int sk_resp_value_parse(sk_slice input, sk_resp_value *out, size_t *used)
{
    frame frames[SK_RESP_DEPTH_MAX];
    size_t depth = 0;
    reader r = {.input = input};
    *out = (sk_resp_value){.type = SK_RESP_NULL};
    *used = 0;
    for (sk_resp_value *value = out; value; value = next_slot(frames, &depth)) {
        uint64_t left = 0;
        uint8_t type = 0;
        int got = read_value(&r, &type, value, &left);
        if (got != READ_OK) return got;
        if (!left && type != '|') continue;
        if (depth == SK_RESP_DEPTH_MAX) return SK_EPROTOCOL;
        frames[depth++] = (frame){.value = value, .left = left, .attribute = type == '|'};
    }
    *used = r.at;
    return 1;
}

void sk_resp_value_deinit(sk_resp_value *value)
{
    sk_resp_value *path[SK_RESP_DEPTH_MAX + 1];
    size_t depth = 0;
    path[depth++] = value;
    while (depth) {
        sk_resp_value *top = path[depth - 1];
        if (top->count) {
            SK_ASSERT(depth <= SK_RESP_DEPTH_MAX);
            path[depth++] = &top->items[--top->count];
            continue;
        }
        sk_free(top->items);
        *top = (sk_resp_value){.type = SK_RESP_NULL};
        depth--;
    }
}
