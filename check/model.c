#include "check/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool is(const sk_check_operation *operation, const char *name)
{
    return strcmp(operation->f, name) == 0;
}

static void write_datum(sk_buffer *out, const sk_datum *datum)
{
    sk_datum_write(datum, out);
}

static bool datum_is_state(const sk_datum *datum, sk_slice state)
{
    sk_buffer text = {0};
    sk_datum_write(datum, &text);
    bool equal = sk_slice_equal(sk_buffer_slice(&text), state);
    sk_buffer_deinit(&text);
    return equal;
}

static sk_step_result keep(sk_slice state, sk_buffer *next)
{
    sk_buffer_append_slice(next, state);
    return SK_STEP_YES;
}

// A read sees the state; an open one may have seen anything.
static sk_step_result read_state(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (operation->ok && !datum_is_state(operation->output, state)) return SK_STEP_NO;
    return keep(state, next);
}

static bool looks(const sk_check_operation *operation)
{
    return is(operation, "read") || is(operation, "get");
}

// ---- Registers ----

static sk_step_result step_register(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (is(operation, "read")) return read_state(state, operation, next);
    if (!is(operation, "write")) return SK_STEP_UNKNOWN_OPERATION;
    write_datum(next, operation->input);
    return SK_STEP_YES;
}

static sk_step_result step_cas_register(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (!is(operation, "cas")) return step_register(state, operation, next);
    const sk_datum *pair = operation->input;
    if (pair->type != SK_DATUM_LIST || pair->count != 2) return SK_STEP_UNKNOWN_OPERATION;
    if (!datum_is_state(&pair->items[0], state)) return SK_STEP_NO;
    write_datum(next, &pair->items[1]);
    return SK_STEP_YES;
}

static bool cas_register_reads_only(const sk_check_operation *operation)
{
    const sk_datum *pair = operation->input;
    if (!is(operation, "cas") || pair->type != SK_DATUM_LIST || pair->count != 2) return looks(operation);
    return sk_datum_equal(&pair->items[0], &pair->items[1]);
}

// ---- Several registers: the state is "key value\n" lines in order of key ----

typedef struct sk_line {
    sk_slice key, value;
} sk_line;

typedef struct sk_lines {
    sk_line *list;
    size_t count;
    sk_arena arena;
} sk_lines;

static void lines_read(sk_lines *lines, sk_slice state)
{
    *lines = (sk_lines){0};
    size_t count = 0;
    for (size_t i = 0; i < state.size; i++) count += state.data[i] == '\n';
    lines->list = sk_alloc((count + 1) * sizeof *lines->list);
    const uint8_t *at = state.data, *end = state.data + state.size;
    while (at < end) {
        const uint8_t *tab = memchr(at, '\t', (size_t)(end - at));
        const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
        lines->list[lines->count++] = (sk_line){.key = sk_slice_make(at, (size_t)(tab - at)),
                                                .value = sk_slice_make(tab + 1, (size_t)(line_end - tab - 1))};
        at = line_end + 1;
    }
}

static sk_slice text_of(sk_lines *lines, const sk_datum *datum)
{
    sk_buffer text = {0};
    sk_datum_write(datum, &text);
    sk_slice copy = sk_arena_copy(&lines->arena, sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
    return copy;
}

static sk_line *lines_find(sk_lines *lines, sk_slice key)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (sk_slice_equal(lines->list[i].key, key)) return &lines->list[i];
    }
    return NULL;
}

static void lines_set(sk_lines *lines, sk_slice key, sk_slice value)
{
    sk_line *line = lines_find(lines, key);
    if (line) {
        line->value = value;
        return;
    }
    lines->list = sk_realloc(lines->list, (lines->count + 1) * sizeof *lines->list);
    size_t at = lines->count++;
    while (at > 0 && sk_slice_compare(lines->list[at - 1].key, key) > 0) {
        lines->list[at] = lines->list[at - 1];
        at--;
    }
    lines->list[at] = (sk_line){.key = key, .value = value};
}

static sk_step_result micro(sk_lines *lines, const sk_check_operation *operation, const sk_datum *seen, const sk_datum *asked)
{
    if (asked->type != SK_DATUM_LIST || asked->count < 2) return SK_STEP_UNKNOWN_OPERATION;
    sk_slice key = text_of(lines, &asked->items[1]);
    bool read = sk_datum_is(&asked->items[0], "read") || sk_datum_is(&asked->items[0], "r");
    bool write = sk_datum_is(&asked->items[0], "write") || sk_datum_is(&asked->items[0], "w");
    if (write && asked->count == 3) {
        lines_set(lines, key, text_of(lines, &asked->items[2]));
        return SK_STEP_YES;
    }
    if (!read) return SK_STEP_UNKNOWN_OPERATION;
    if (!operation->ok || !seen || seen->type != SK_DATUM_LIST || seen->count != 3) return SK_STEP_YES;
    if (seen->items[2].type == SK_DATUM_NIL && !lines_find(lines, key)) return SK_STEP_YES;
    sk_slice value = text_of(lines, &seen->items[2]);
    sk_line *line = lines_find(lines, key);
    if (!line) lines_set(lines, key, value); // the first look at a key tells what it held
    else if (!sk_slice_equal(line->value, value)) return SK_STEP_NO;
    return SK_STEP_YES;
}

static sk_step_result step_multi_register(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (!is(operation, "txn") || operation->input->type != SK_DATUM_LIST) return SK_STEP_UNKNOWN_OPERATION;
    const sk_datum *asked = operation->input;
    const sk_datum *seen = operation->ok && operation->output->type == SK_DATUM_LIST ? operation->output : NULL;
    sk_lines lines;
    lines_read(&lines, state);
    sk_step_result result = SK_STEP_YES;
    for (size_t i = 0; i < asked->count && result == SK_STEP_YES; i++) {
        result = micro(&lines, operation, seen && i < seen->count ? &seen->items[i] : NULL, &asked->items[i]);
    }
    for (size_t i = 0; i < lines.count && result == SK_STEP_YES; i++) {
        sk_buffer_append_slice(next, lines.list[i].key);
        sk_buffer_append_byte(next, '\t');
        sk_buffer_append_slice(next, lines.list[i].value);
        sk_buffer_append_byte(next, '\n');
    }
    sk_free(lines.list);
    sk_arena_deinit(&lines.arena);
    return result;
}

static bool multi_register_reads_only(const sk_check_operation *operation)
{
    const sk_datum *asked = operation->input;
    for (size_t i = 0; i < asked->count; i++) {
        const sk_datum *one = &asked->items[i];
        if (one->type != SK_DATUM_LIST || !one->count) return false;
        if (!sk_datum_is(&one->items[0], "read") && !sk_datum_is(&one->items[0], "r")) return false;
    }
    return true;
}

// ---- Counter ----

static sk_step_result step_counter(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (is(operation, "read")) return read_state(state, operation, next);
    int64_t by = operation->input->type == SK_DATUM_INTEGER ? operation->input->integer : 1;
    if (is(operation, "decrement") || is(operation, "dec")) by = -by;
    else if (!is(operation, "add") && !is(operation, "increment") && !is(operation, "inc")) return SK_STEP_UNKNOWN_OPERATION;
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)(state.size < 31 ? state.size : 31), (const char *)state.data);
    uint64_t value = (uint64_t)strtoll(text, NULL, 10) + (uint64_t)by;
    sk_buffer_printf(next, "%lld", (long long)value);
    return SK_STEP_YES;
}

// ---- Set and queue: the state is one element a line, a set's in order ----

static void set_to_text(const sk_datum *set, sk_buffer *out)
{
    sk_lines lines = {0};
    for (size_t i = 0; i < set->count; i++) lines_set(&lines, text_of(&lines, &set->items[i]), (sk_slice){0});
    for (size_t i = 0; i < lines.count; i++) {
        sk_buffer_append_slice(out, lines.list[i].key);
        sk_buffer_append_text(out, "\t\n");
    }
    sk_free(lines.list);
    sk_arena_deinit(&lines.arena);
}

static sk_step_result step_set(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (is(operation, "read")) {
        if (!operation->ok || operation->output->type == SK_DATUM_NIL) return keep(state, next);
        if (operation->output->type != SK_DATUM_LIST && operation->output->type != SK_DATUM_SET) return SK_STEP_UNKNOWN_OPERATION;
        set_to_text(operation->output, next);
        return sk_slice_equal(sk_buffer_slice(next), state) ? SK_STEP_YES : SK_STEP_NO;
    }
    bool add = is(operation, "add");
    if (!add && !is(operation, "remove")) return SK_STEP_UNKNOWN_OPERATION;
    sk_lines lines;
    lines_read(&lines, state);
    sk_slice element = text_of(&lines, operation->input);
    if (add) lines_set(&lines, element, (sk_slice){0});
    for (size_t i = 0; i < lines.count; i++) {
        if (!add && sk_slice_equal(lines.list[i].key, element)) continue;
        sk_buffer_append_slice(next, lines.list[i].key);
        sk_buffer_append_text(next, "\t\n");
    }
    sk_free(lines.list);
    sk_arena_deinit(&lines.arena);
    return SK_STEP_YES;
}

static sk_step_result step_queue(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (is(operation, "enqueue")) {
        sk_buffer_append_slice(next, state);
        write_datum(next, operation->input);
        sk_buffer_append_byte(next, '\n');
        return SK_STEP_YES;
    }
    if (!is(operation, "dequeue")) return SK_STEP_UNKNOWN_OPERATION;
    const uint8_t *end = state.size ? memchr(state.data, '\n', state.size) : NULL;
    size_t first = end ? (size_t)(end - state.data) : 0;
    bool nil = operation->ok && operation->output->type == SK_DATUM_NIL;
    if (!end) return operation->ok && !nil ? SK_STEP_NO : keep(state, next);
    if (nil) return SK_STEP_NO;
    if (operation->ok && !datum_is_state(operation->output, sk_slice_make(state.data, first))) return SK_STEP_NO;
    sk_buffer_append(next, end + 1, state.size - first - 1);
    return SK_STEP_YES;
}

static bool queue_reads_only(const sk_check_operation *operation)
{
    return is(operation, "dequeue") && operation->ok && operation->output->type == SK_DATUM_NIL;
}

// ---- Mutex ----

static sk_step_result step_mutex(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    bool acquire = is(operation, "acquire");
    if (!acquire && !is(operation, "release")) return SK_STEP_UNKNOWN_OPERATION;
    if (!sk_slice_equal(state, sk_slice_text(acquire ? "free" : "held"))) return SK_STEP_NO;
    sk_buffer_append_text(next, acquire ? "held" : "free");
    return SK_STEP_YES;
}

static bool mutex_reads_only(const sk_check_operation *operation)
{
    return false;
}

// ---- Key and value with append ----

static sk_step_result step_kv(sk_slice state, const sk_check_operation *operation, sk_buffer *next)
{
    if (is(operation, "get") || is(operation, "read")) {
        bool absent = sk_slice_equal(state, sk_slice_text("nil"));
        if (absent && operation->ok && operation->output->type == SK_DATUM_STRING && !operation->output->text.size)
            return keep(state, next);
        return read_state(state, operation, next);
    }
    if (is(operation, "put") || is(operation, "write")) {
        write_datum(next, operation->input);
        return SK_STEP_YES;
    }
    if (!is(operation, "append")) return SK_STEP_UNKNOWN_OPERATION;
    sk_buffer added = {0};
    write_datum(&added, operation->input);
    bool quoted = added.size >= 2 && added.data[0] == '"';
    sk_slice tail = quoted ? sk_slice_make(added.data + 1, added.size - 2) : sk_buffer_slice(&added);
    sk_slice head = state;
    if (sk_slice_equal(state, sk_slice_text("nil"))) head = sk_slice_make(NULL, 0);
    else if (state.size >= 2 && state.data[0] == '"') head = sk_slice_make(state.data + 1, state.size - 2);
    sk_buffer_append_byte(next, '"');
    sk_buffer_append_slice(next, head);
    sk_buffer_append_slice(next, tail);
    sk_buffer_append_byte(next, '"');
    sk_buffer_deinit(&added);
    return SK_STEP_YES;
}

static const sk_model models[] = {
    {"register", "nil", true, step_register, looks},
    {"cas-register", "nil", true, step_cas_register, cas_register_reads_only},
    {"multi-register", "", false, step_multi_register, multi_register_reads_only},
    {"counter", "0", true, step_counter, looks},
    {"set", "", true, step_set, looks},
    {"queue", "", true, step_queue, queue_reads_only},
    {"mutex", "free", true, step_mutex, mutex_reads_only},
    {"kv", "nil", true, step_kv, looks},
};

const sk_model *sk_model_find(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (!strcmp(models[i].name, name)) return &models[i];
    }
    return NULL;
}

const char *sk_model_names(void)
{
    return "register, cas-register, multi-register, counter, set, queue, mutex, kv";
}
