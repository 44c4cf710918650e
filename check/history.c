#include "check/history.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct open_operation {
    int64_t process;
    size_t index; // in history->list
} open_operation;

typedef struct reading {
    sk_check_history *history;
    const sk_check_history_options *options;
    const char *names[64]; // interned :f
    size_t name_count;
    open_operation *open; // one a process, unordered; few processes run at once
    size_t open_count, open_capacity;
    bool *dropped; // by index: ended in :fail
    size_t dropped_capacity;
} reading;

static int fail(reading *state, size_t line, const char *what)
{
    snprintf(state->history->error, sizeof state->history->error, "line %zu: %s", line, what);
    return SK_EPROTOCOL;
}

static const char *intern(reading *state, sk_slice name)
{
    for (size_t i = 0; i < state->name_count; i++) {
        if (sk_slice_equal(sk_slice_text(state->names[i]), name)) return state->names[i];
    }
    if (state->name_count == sizeof state->names / sizeof *state->names) return NULL;
    char *copy = sk_arena_take(&state->history->arena, name.size + 1);
    memcpy(copy, name.data, name.size);
    copy[name.size] = 0;
    state->names[state->name_count++] = copy;
    return copy;
}

static const sk_datum *keep(sk_check_history *history, const sk_datum *datum)
{
    sk_datum *copy = sk_arena_take(&history->arena, sizeof *copy);
    *copy = *datum;
    return copy;
}

static open_operation *find_open(reading *state, int64_t process)
{
    for (size_t i = 0; i < state->open_count; i++) {
        if (state->open[i].process == process) return &state->open[i];
    }
    return NULL;
}

static void begin(reading *state, const sk_check_operation *operation)
{
    sk_check_history *history = state->history;
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 256;
        history->list = sk_realloc(history->list, history->capacity * sizeof *history->list);
        state->dropped = sk_realloc(state->dropped, history->capacity * sizeof *state->dropped);
    }
    state->dropped[history->count] = false;
    history->list[history->count++] = *operation;
    if (state->open_count == state->open_capacity) {
        state->open_capacity = state->open_capacity ? state->open_capacity * 2 : 32;
        state->open = sk_realloc(state->open, state->open_capacity * sizeof *state->open);
    }
    state->open[state->open_count++] = (open_operation){.process = operation->process, .index = history->count - 1};
}

static void add_failed(sk_check_history *history, const sk_check_operation *operation)
{
    if (history->failed_count == history->failed_capacity) {
        history->failed_capacity = history->failed_capacity ? history->failed_capacity * 2 : 16;
        history->failed = sk_realloc(history->failed, history->failed_capacity * sizeof *history->failed);
    }
    history->failed[history->failed_count++] = *operation;
}

static int complete(reading *state, const sk_check_operation *event, const sk_datum *type, bool has_value)
{
    sk_check_history *history = state->history;
    open_operation *open = find_open(state, event->process);
    if (!open) return fail(state, event->line, "a completion without an invocation of its process");
    sk_check_operation *operation = &history->list[open->index];
    if (operation->f != event->f) return fail(state, event->line, "a completion of another :f than was invoked");
    if (sk_datum_is(type, "fail")) {
        state->dropped[open->index] = true;
        operation->ret = event->call;
        add_failed(history, operation);
    } else if (sk_datum_is(type, "ok")) {
        operation->ok = true;
        operation->ret = event->call;
        operation->output = has_value ? event->input : operation->input;
    } // :info leaves it open
    *open = state->open[--state->open_count];
    return 0;
}

static int add_event(reading *state, const sk_datum *map, size_t line)
{
    if (map->type != SK_DATUM_MAP) return fail(state, line, "an operation must be a map");
    const sk_datum *process = sk_datum_get(map, "process");
    const sk_datum *type = sk_datum_get(map, "type");
    const sk_datum *f = sk_datum_get(map, "f");
    const sk_datum *value = sk_datum_get(map, "value");
    const sk_datum *key = sk_datum_get(map, "key");
    if (!process || !type) return fail(state, line, "an operation needs :process and :type");
    if (process->type != SK_DATUM_INTEGER) return 0; // the nemesis
    if (!f || (f->type != SK_DATUM_KEYWORD && f->type != SK_DATUM_STRING)) return fail(state, line, "an operation needs an :f");
    sk_check_operation event = {.process = process->integer, .call = state->history->events++, .ret = SK_NO_RETURN, .line = line};
    event.f = intern(state, f->text);
    if (!event.f) return fail(state, line, "too many different :f");
    static const sk_datum nil = {.type = SK_DATUM_NIL};
    if (state->options->keyed && value && value->type == SK_DATUM_LIST && value->count == 2) {
        key = &value->items[0];
        value = &value->items[1];
    }
    event.key = key && key->type != SK_DATUM_NIL ? keep(state->history, key) : NULL;
    event.input = value ? keep(state->history, value) : &nil;
    if (sk_datum_is(type, "invoke")) {
        if (find_open(state, event.process)) return fail(state, line, "a process invokes while its last operation is open");
        begin(state, &event);
        return 0;
    }
    if (!sk_datum_is(type, "ok") && !sk_datum_is(type, "fail") && !sk_datum_is(type, "info"))
        return fail(state, line, ":type must be :invoke, :ok, :fail or :info");
    return complete(state, &event, type, value != NULL);
}

static void drop_failed(reading *state)
{
    sk_check_history *history = state->history;
    size_t kept = 0;
    for (size_t i = 0; i < history->count; i++) {
        if (!state->dropped[i]) history->list[kept++] = history->list[i];
    }
    history->count = kept;
}

int sk_check_history_read(sk_check_history *history, sk_slice input, const sk_check_history_options *options)
{
    *history = (sk_check_history){0};
    reading state = {.history = history, .options = options};
    sk_datum_reader reader;
    sk_datum_reader_init(&reader, input, &history->arena);
    int result;
    for (;;) {
        sk_datum datum;
        result = sk_datum_read(&reader, &datum);
        if (result < 0) fail(&state, reader.line, reader.error);
        if (result <= 0) break;
        if (datum.type == SK_DATUM_LIST) {
            result = 0;
            for (size_t i = 0; i < datum.count && !result; i++) result = add_event(&state, &datum.items[i], datum.items[i].line ? datum.items[i].line : reader.line);
        } else {
            result = add_event(&state, &datum, datum.line ? datum.line : reader.line);
        }
        if (result < 0) break;
    }
    drop_failed(&state);
    sk_free(state.open);
    sk_free(state.dropped);
    if (result < 0) {
        sk_check_history kept = *history;
        sk_check_history_deinit(history);
        memcpy(history->error, kept.error, sizeof history->error);
    }
    return result;
}

void sk_check_history_deinit(sk_check_history *history)
{
    sk_free(history->list);
    sk_free(history->failed);
    sk_arena_deinit(&history->arena);
    *history = (sk_check_history){0};
}

void sk_check_history_write_event(sk_buffer *out, int64_t process, const char *type, const char *f, const char *key,
                            const char *value)
{
    sk_buffer_printf(out, "{:process %lld, :type :%s, :f :%s", (long long)process, type, f);
    if (key) sk_buffer_printf(out, ", :key %s", key);
    sk_buffer_printf(out, ", :value %s}\n", value ? value : "nil");
}

void sk_check_operation_write(const sk_check_operation *operation, sk_buffer *out)
{
    sk_buffer_printf(out, "%s", operation->f);
    if (operation->key) {
        sk_buffer_append_byte(out, ' ');
        sk_datum_write(operation->key, out);
    }
    const sk_datum *value = operation->ok ? operation->output : operation->input;
    bool lock = strcmp(operation->f, "acquire") == 0 || strcmp(operation->f, "release") == 0;
    if (!lock || value->type != SK_DATUM_NIL) {
        sk_buffer_append_byte(out, ' ');
        sk_datum_write(value, out);
    }
    if (!operation->ok) sk_buffer_append_text(out, " ?");
}
