#include "check/datum.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

void sk_datum_reader_init(sk_datum_reader *reader, sk_slice input, sk_arena *arena)
{
    *reader = (sk_datum_reader){.input = input, .line = 1, .arena = arena};
}

static int peek(const sk_datum_reader *reader)
{
    return reader->at < reader->input.size ? reader->input.data[reader->at] : -1;
}

static int peek_next(const sk_datum_reader *reader)
{
    return reader->at + 1 < reader->input.size ? reader->input.data[reader->at + 1] : -1;
}

static bool is_delimiter(int c)
{
    return c < 0 || c <= ' ' || c == ',' || c == ';' || c == '"' || c == '(' || c == ')' || c == '[' || c == ']' || c == '{' ||
           c == '}';
}

static void skip_blank(sk_datum_reader *reader)
{
    for (int c = peek(reader); c >= 0; c = peek(reader)) {
        if (c == '\n') reader->line++;
        if (c == ';') {
            while (peek(reader) >= 0 && peek(reader) != '\n') reader->at++;
        } else if (c <= ' ' || c == ',' || (c == ':' && is_delimiter(peek_next(reader)))) {
            reader->at++;
        } else {
            return;
        }
    }
}

static int fail(sk_datum_reader *reader, const char *error)
{
    reader->error = error;
    return SK_EPROTOCOL;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static void put_utf8(sk_buffer *out, unsigned code)
{
    if (code < 0x80) {
        sk_buffer_append_byte(out, (uint8_t)code);
    } else if (code < 0x800) {
        sk_buffer_append_byte(out, (uint8_t)(0xC0 | code >> 6));
        sk_buffer_append_byte(out, (uint8_t)(0x80 | (code & 0x3F)));
    } else {
        sk_buffer_append_byte(out, (uint8_t)(0xE0 | code >> 12));
        sk_buffer_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3F)));
        sk_buffer_append_byte(out, (uint8_t)(0x80 | (code & 0x3F)));
    }
}

static int read_escape(sk_datum_reader *reader, sk_buffer *text)
{
    int c = peek(reader);
    reader->at++;
    switch (c) {
    case 'n': sk_buffer_append_byte(text, '\n'); return 0;
    case 't': sk_buffer_append_byte(text, '\t'); return 0;
    case 'r': sk_buffer_append_byte(text, '\r'); return 0;
    case 'b': sk_buffer_append_byte(text, '\b'); return 0;
    case 'f': sk_buffer_append_byte(text, '\f'); return 0;
    case '"':
    case '\\':
    case '/': sk_buffer_append_byte(text, (uint8_t)c); return 0;
    case 'u': {
        unsigned code = 0;
        for (int i = 0; i < 4; i++) {
            int digit = hex_digit(peek(reader));
            if (digit < 0) return fail(reader, "\\u needs four hexadecimal digits");
            code = code * 16 + (unsigned)digit;
            reader->at++;
        }
        put_utf8(text, code);
        return 0;
    }
    default: return fail(reader, "unknown escape in a string");
    }
}

static int read_string(sk_datum_reader *reader, sk_datum *out)
{
    sk_buffer text = {0};
    int error = 0;
    reader->at++;
    for (;;) {
        int c = peek(reader);
        if (c < 0) error = fail(reader, "a string does not end");
        if (error || c == '"') break;
        reader->at++;
        if (c == '\n') reader->line++;
        if (c == '\\') error = read_escape(reader, &text);
        else sk_buffer_append_byte(&text, (uint8_t)c);
        if (error) break;
    }
    reader->at++;
    if (!error && peek(reader) == ':') reader->at++; // JSON's "key":value
    *out = (sk_datum){.type = SK_DATUM_STRING, .text = sk_arena_copy(reader->arena, sk_buffer_slice(&text))};
    sk_buffer_deinit(&text);
    return error ? error : 1;
}

static int read_number(sk_slice word, sk_datum *out)
{
    char text[64];
    if (word.size == 0 || word.size >= sizeof text) return 0;
    memcpy(text, word.data, word.size);
    text[word.size] = 0;
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (*digits < '0' || *digits > '9') return 0;
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end == 'N' && end[1] == 0) end++; // EDN's big integers that fit
    if (*end == 0) {
        if (errno == ERANGE) return 0;
        *out = (sk_datum){.type = SK_DATUM_INTEGER, .integer = integer};
        return 1;
    }
    double number = strtod(text, &end);
    if (*end == 'M' && end[1] == 0) end++;
    if (*end || !isfinite(number)) return 0;
    *out = (sk_datum){.type = SK_DATUM_FLOAT, .number = number + 0.0}; // no negative zero
    return 1;
}

static int read_word(sk_datum_reader *reader, sk_datum *out)
{
    size_t start = reader->at;
    while (!is_delimiter(peek(reader))) reader->at++;
    sk_slice word = sk_slice_make(reader->input.data + start, reader->at - start);
    if (!word.size) return fail(reader, "unexpected character");
    if (read_number(word, out)) return 1;
    if (sk_slice_equal(word, sk_slice_text("nil")) || sk_slice_equal(word, sk_slice_text("null"))) {
        *out = (sk_datum){.type = SK_DATUM_NIL};
    } else if (sk_slice_equal(word, sk_slice_text("true")) || sk_slice_equal(word, sk_slice_text("false"))) {
        *out = (sk_datum){.type = SK_DATUM_BOOL, .integer = word.data[0] == 't'};
    } else {
        if (word.data[0] == ':') word = sk_slice_make(word.data + 1, word.size - 1);
        *out = (sk_datum){.type = SK_DATUM_KEYWORD, .text = sk_arena_copy(reader->arena, word)};
    }
    return 1;
}

// What is open while reading: its items so far.
typedef struct level {
    enum sk_datum_type type;
    char close;
    size_t line;
    sk_datum *items;
    size_t count, capacity;
} level;

static void level_add(level *open, const sk_datum *item)
{
    if (open->count == open->capacity) {
        open->capacity = open->capacity ? open->capacity * 2 : 8;
        open->items = sk_realloc(open->items, open->capacity * sizeof *open->items);
    }
    open->items[open->count++] = *item;
}

static sk_datum level_close(sk_datum_reader *reader, level *open)
{
    sk_datum datum = {.type = open->type, .count = open->count, .line = open->line};
    datum.items = sk_arena_take(reader->arena, open->count * sizeof *datum.items);
    if (open->count) memcpy(datum.items, open->items, open->count * sizeof *datum.items);
    sk_free(open->items);
    return datum;
}

static bool opens(sk_datum_reader *reader, level *open)
{
    int c = peek(reader);
    *open = (level){0};
    if (c == '#' && peek_next(reader) == '{') {
        *open = (level){.type = SK_DATUM_SET, .close = '}'};
        reader->at += 2;
        return true;
    }
    if (c == '(') *open = (level){.type = SK_DATUM_LIST, .close = ')'};
    else if (c == '[') *open = (level){.type = SK_DATUM_LIST, .close = ']'};
    else if (c == '{') *open = (level){.type = SK_DATUM_MAP, .close = '}'};
    else return false;
    reader->at++;
    return true;
}

int sk_datum_read(sk_datum_reader *reader, sk_datum *out)
{
    level stack[SK_DATUM_DEPTH_MAX];
    size_t depth = 0;
    int result;
    for (;;) {
        skip_blank(reader);
        int c = peek(reader);
        sk_datum datum;
        if (c < 0) {
            result = depth ? fail(reader, "the input ends inside a collection") : 0;
            break;
        }
        level open;
        if (opens(reader, &open)) {
            if (depth == SK_DATUM_DEPTH_MAX) {
                result = fail(reader, "nested too deeply");
                break;
            }
            open.line = reader->line;
            stack[depth++] = open;
            continue;
        }
        if (c == '#') { // a tag: what it tags is read as it is
            while (!is_delimiter(peek(reader))) reader->at++;
            continue;
        }
        if (c == ')' || c == ']' || c == '}') {
            if (!depth || stack[depth - 1].close != c) {
                result = fail(reader, "a bracket closes what was not opened");
                break;
            }
            if (stack[depth - 1].type == SK_DATUM_MAP && stack[depth - 1].count % 2) {
                result = fail(reader, "a map has a key without a value");
                break;
            }
            reader->at++;
            datum = level_close(reader, &stack[--depth]);
            result = 1;
        } else {
            result = c == '"' ? read_string(reader, &datum) : read_word(reader, &datum);
        }
        if (result < 0) break;
        if (!depth) {
            *out = datum;
            break;
        }
        level_add(&stack[depth - 1], &datum);
    }
    while (depth) sk_free(stack[--depth].items);
    return result;
}

bool sk_datum_is(const sk_datum *datum, const char *text)
{
    return datum && (datum->type == SK_DATUM_KEYWORD || datum->type == SK_DATUM_STRING) &&
           sk_slice_equal(datum->text, sk_slice_text(text));
}

const sk_datum *sk_datum_get(const sk_datum *map, const char *key)
{
    if (map->type != SK_DATUM_MAP) return NULL;
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        if (sk_datum_is(&map->items[i], key)) return &map->items[i + 1];
    }
    return NULL;
}

static int compare_slices(const void *a, const void *b)
{
    return sk_slice_compare(*(const sk_slice *)a, *(const sk_slice *)b);
}

static void write_unordered(const sk_datum *datum, sk_buffer *out)
{
    size_t step = datum->type == SK_DATUM_MAP ? 2 : 1;
    size_t count = datum->count / step;
    sk_arena arena = {0};
    sk_slice *parts = sk_arena_take(&arena, count * sizeof *parts);
    for (size_t i = 0; i < count; i++) {
        sk_buffer part = {0};
        for (size_t k = 0; k < step; k++) {
            if (k) sk_buffer_append_byte(&part, ' ');
            sk_datum_write(&datum->items[i * step + k], &part);
        }
        parts[i] = sk_arena_copy(&arena, sk_buffer_slice(&part));
        sk_buffer_deinit(&part);
    }
    if (count) qsort(parts, count, sizeof *parts, compare_slices);
    sk_buffer_append_text(out, datum->type == SK_DATUM_MAP ? "{" : "#{");
    for (size_t i = 0; i < count; i++) {
        if (i) sk_buffer_append_byte(out, ' ');
        sk_buffer_append_slice(out, parts[i]);
    }
    sk_buffer_append_byte(out, '}');
    sk_arena_deinit(&arena);
}

void sk_datum_write(const sk_datum *datum, sk_buffer *out)
{
    switch (datum->type) {
    case SK_DATUM_NIL: sk_buffer_append_text(out, "nil"); break;
    case SK_DATUM_BOOL: sk_buffer_append_text(out, datum->integer ? "true" : "false"); break;
    case SK_DATUM_INTEGER: sk_buffer_printf(out, "%lld", (long long)datum->integer); break;
    case SK_DATUM_FLOAT: sk_buffer_printf(out, "%.17g", datum->number); break;
    case SK_DATUM_STRING:
        sk_buffer_append_byte(out, '"');
        for (size_t i = 0; i < datum->text.size; i++) {
            uint8_t c = datum->text.data[i];
            if (c == '"' || c == '\\') sk_buffer_append_byte(out, '\\');
            if (c < ' ') sk_buffer_printf(out, "\\u%04x", c);
            else sk_buffer_append_byte(out, c);
        }
        sk_buffer_append_byte(out, '"');
        break;
    case SK_DATUM_KEYWORD:
        sk_buffer_append_byte(out, ':');
        sk_buffer_append_slice(out, datum->text);
        break;
    case SK_DATUM_LIST:
        sk_buffer_append_byte(out, '[');
        for (size_t i = 0; i < datum->count; i++) {
            if (i) sk_buffer_append_byte(out, ' ');
            sk_datum_write(&datum->items[i], out);
        }
        sk_buffer_append_byte(out, ']');
        break;
    case SK_DATUM_MAP:
    case SK_DATUM_SET: write_unordered(datum, out); break;
    }
}

bool sk_datum_equal(const sk_datum *a, const sk_datum *b)
{
    sk_buffer left = {0}, right = {0};
    sk_datum_write(a, &left);
    sk_datum_write(b, &right);
    bool equal = sk_slice_equal(sk_buffer_slice(&left), sk_buffer_slice(&right));
    sk_buffer_deinit(&left);
    sk_buffer_deinit(&right);
    return equal;
}
