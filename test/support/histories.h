// Random small histories, and a dumb search over all orders to check the checkers against. Models here are a page of plain C, with
// nothing in common with check/model.c but their meaning.
#ifndef SK_TEST_SUPPORT_HISTORIES_H
#define SK_TEST_SUPPORT_HISTORIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/prng.h"

enum { DUMB_OPERATIONS_MAX = 8, DUMB_NEVER = 1000, DUMB_NIL = -1 };

enum dumb_model { DUMB_REGISTER, DUMB_COUNTER, DUMB_QUEUE, DUMB_MUTEX, DUMB_SET, DUMB_KV, DUMB_MODELS };

static const char *const dumb_names[DUMB_MODELS] = {"cas-register", "counter", "queue", "mutex", "set", "kv"};

typedef struct dumb_operation {
    int process;
    char f; // first letter of the model's name for it
    int a, b;
    int out;       // what it saw, if `ok`
    char text[16]; // kv: what it saw
    int call, ret; // moments; DUMB_NEVER: open
    bool ok, failed;
} dumb_operation;

typedef struct dumb_state {
    int value; // register, counter, mutex, set (bits)
    int queue[16];
    int begin, end;
    char text[32]; // kv; value is 0 while absent
} dumb_state;

typedef struct dumb_history {
    enum dumb_model model;
    dumb_operation list[DUMB_OPERATIONS_MAX];
    int count;
} dumb_history;

static inline dumb_state dumb_initial(enum dumb_model model)
{
    return (dumb_state){.value = model == DUMB_REGISTER ? DUMB_NIL : 0};
}

// Does the operation to the state, and says what it sees. False: it cannot happen.
static inline bool dumb_do(enum dumb_model model, dumb_state *state, const dumb_operation *op, int *out,
                           char text[16])
{
    switch (model) {
    case DUMB_REGISTER:
        if (op->f == 'r') *out = state->value;
        if (op->f == 'c' && state->value != op->a) return false;
        if (op->f == 'w') state->value = op->a;
        if (op->f == 'c') state->value = op->b;
        return true;
    case DUMB_COUNTER:
        if (op->f == 'a') state->value += op->a;
        *out = state->value;
        return true;
    case DUMB_QUEUE:
        if (op->f == 'e')
            state->queue[state->end++] = op->a;
        else
            *out = state->begin < state->end ? state->queue[state->begin++] : DUMB_NIL;
        return true;
    case DUMB_MUTEX:
        if (state->value != (op->f == 'r')) return false;
        state->value = !state->value;
        return true;
    case DUMB_SET:
        if (op->f == 'a') state->value |= 1 << op->a;
        if (op->f == 'd') state->value &= ~(1 << op->a);
        *out = state->value;
        return true;
    default:
        if (op->f == 'p') state->text[0] = 0;
        if (op->f != 'g') {
            size_t size = strlen(state->text);
            state->text[size] = (char)('a' + op->a);
            state->text[size + 1] = 0;
            state->value = 1;
        }
        memcpy(text, state->text, 16);
        *out = state->value;
        return true;
    }
}

static inline bool dumb_looks(enum dumb_model model, const dumb_operation *op)
{
    return (model == DUMB_QUEUE && op->f == 'd') || (model == DUMB_KV && op->f == 'g') ||
           (model != DUMB_MUTEX && op->f == 'r');
}

static inline bool dumb_fits(enum dumb_model model, dumb_state *state, const dumb_operation *op)
{
    int out = 0;
    char text[16] = {0};
    if (!dumb_do(model, state, op, &out, text)) return false;
    if (!op->ok || !dumb_looks(model, op)) return true;
    if (model == DUMB_KV) return strcmp(text, op->text) == 0 && out == op->out;
    return out == op->out;
}

// Every order that `real_time` (else every process's own order) allows, of all completed and some open operations.
static inline bool dumb_search(const dumb_history *history, unsigned taken, dumb_state state, bool real_time)
{
    bool all = true;
    for (int i = 0; i < history->count; i++) all = all && (taken >> i & 1 || !history->list[i].ok);
    if (all) return true;
    for (int i = 0; i < history->count; i++) {
        const dumb_operation *op = &history->list[i];
        if (taken >> i & 1 || op->failed) continue;
        bool may = true;
        for (int k = 0; k < history->count && may; k++) {
            const dumb_operation *other = &history->list[k];
            if (taken >> k & 1 || k == i || !other->ok) continue;
            may = real_time ? other->ret > op->call : other->process != op->process || other->call > op->call;
        }
        dumb_state next = state;
        if (may && dumb_fits(history->model, &next, op) &&
            dumb_search(history, taken | 1u << i, next, real_time))
            return true;
    }
    return false;
}

static inline bool dumb_check(const dumb_history *history, bool real_time)
{
    return dumb_search(history, 0, dumb_initial(history->model), real_time);
}

// ---- Random ones ----

static inline void dumb_draw(enum dumb_model model, sk_prng *prng, dumb_operation *op)
{
    static const char *const letters[DUMB_MODELS] = {"rrwwc", "raa", "ed", "ar", "raad", "gpaa"};
    op->f = letters[model][sk_prng_below(prng, strlen(letters[model]))];
    op->a = (int)sk_prng_below(prng, 3);
    op->b = (int)sk_prng_below(prng, 3);
}

static inline void dumb_lie(enum dumb_model model, sk_prng *prng, dumb_operation *op)
{
    op->out = (int)sk_prng_below(prng, 4) + (model == DUMB_REGISTER || model == DUMB_QUEUE ? DUMB_NIL : 0);
    if (model != DUMB_KV) return;
    size_t size = sk_prng_below(prng, 3);
    for (size_t i = 0; i < size; i++) op->text[i] = (char)('a' + sk_prng_below(prng, 3));
    op->text[size] = 0;
    op->out = size > 0;
}

// Clients of a store that does every operation at a moment between call and return (`stale`: or shows an earlier state), and lies
// now and then.
static inline void dumb_random(dumb_history *history, enum dumb_model model, sk_prng *prng, bool stale)
{
    *history = (dumb_history){.model = model};
    int wanted = (int)sk_prng_between(prng, 1, DUMB_OPERATIONS_MAX),
        processes = (int)sk_prng_between(prng, 1, 4);
    int running[4] = {-1, -1, -1, -1};
    dumb_state state = dumb_initial(model), old = state;
    for (int moment = 0; moment < 200; moment++) {
        int process = (int)sk_prng_below(prng, (uint64_t)processes);
        if (running[process] < 0) {
            if (history->count == wanted) continue;
            dumb_operation *op = &history->list[history->count];
            *op = (dumb_operation){.process = process, .call = moment, .ret = DUMB_NEVER};
            dumb_draw(model, prng, op);
            running[process] = history->count++;
            continue;
        }
        dumb_operation *op = &history->list[running[process]];
        dumb_state *at = stale && dumb_looks(model, op) && sk_prng_chance(prng, 1, 3) ? &old : &state;
        running[process] = -1;
        if (at == &state && sk_prng_chance(prng, 1, 3)) old = state;
        bool done = !sk_prng_chance(prng, 1, 12) && dumb_do(model, at, op, &op->out, op->text);
        if (done && dumb_looks(model, op) && sk_prng_chance(prng, 1, 4)) dumb_lie(model, prng, op);
        op->ok = done && !sk_prng_chance(prng, 1, 6); // else its client never learns
        if (op->ok) op->ret = moment;
        op->failed = !done && sk_prng_chance(prng, 1, 2);
    }
}

// ---- As a text that check/history reads ----

static inline void dumb_write_value(const dumb_history *history, const dumb_operation *op, bool out,
                                    sk_buffer *text)
{
    bool looks = dumb_looks(history->model, op);
    if (looks && !out)
        sk_buffer_append_text(text, "nil");
    else if (history->model == DUMB_REGISTER && op->f == 'c')
        sk_buffer_printf(text, "[%d %d]", op->a, op->b);
    else if (history->model == DUMB_KV && !looks)
        sk_buffer_printf(text, "\"%c\"", 'a' + op->a);
    else if (history->model == DUMB_KV && op->out)
        sk_buffer_printf(text, "\"%s\"", op->text);
    else if (history->model == DUMB_KV || (looks && op->out == DUMB_NIL))
        sk_buffer_append_text(text, "nil");
    else if (history->model == DUMB_SET && looks) {
        sk_buffer_append_text(text, "#{");
        for (int i = 0; i < 3; i++) {
            if (op->out >> i & 1) sk_buffer_printf(text, "%d ", i);
        }
        sk_buffer_append_text(text, "}");
    } else {
        sk_buffer_printf(text, "%d", looks ? op->out : op->a);
    }
}

static inline const char *dumb_f(enum dumb_model model, char letter)
{
    switch (letter) {
    case 'r':
        return model == DUMB_MUTEX ? "release" : "read";
    case 'w':
        return "write";
    case 'c':
        return "cas";
    case 'a':
        return model == DUMB_MUTEX ? "acquire" : model == DUMB_KV ? "append" : "add";
    case 'e':
        return "enqueue";
    case 'd':
        return model == DUMB_SET ? "remove" : "dequeue";
    case 'g':
        return "get";
    default:
        return "put";
    }
}

static inline void dumb_write(const dumb_history *history, sk_buffer *text)
{
    sk_buffer_clear(text);
    for (int moment = 0; moment < 200; moment++) {
        for (int i = 0; i < history->count; i++) {
            const dumb_operation *op = &history->list[i];
            bool call = op->call == moment, end = op->ok && op->ret == moment;
            if (call || end) {
                sk_buffer_printf(text, "{:process %d, :type %s, :f :%s, :value ", op->process,
                                 call ? ":invoke" : ":ok", dumb_f(history->model, op->f));
                dumb_write_value(history, op, end, text);
                sk_buffer_append_text(text, "}\n");
            }
            // Its end is told at once: what a failed operation did not do, and how long an open one lasts, is all the same.
            if (call && !op->ok) {
                sk_buffer_printf(text, "{:process %d, :type %s, :f :%s}\n", op->process,
                                 op->failed ? ":fail" : ":info", dumb_f(history->model, op->f));
            }
        }
    }
}

// ---- Short texts for known ones ----

// "0 write x 1; 1? write x 2; 2 read x nil" to a history, one operation after the other; '?': its outcome is unknown, '!': it
// failed. The text is the caller's.
static inline void plain_history(const char *plain, sk_buffer *text)
{
    sk_buffer_clear(text);
    while (*plain) {
        int process = 0, used = 0;
        char mark = ' ', f[16] = "", key[16] = "";
        size_t size = strcspn(plain, ";");
        sscanf(plain, "%d%c %15s %15s %n", &process, &mark, f, key, &used);
        const char *type = mark == '?' ? "info" : mark == '!' ? "fail" : "ok";
        for (int end = 0; end < 2; end++) {
            sk_buffer_printf(text, "{:process %d :type :%s :f :%s :key :%s :value %.*s}\n", process, end ? type : "invoke", f,
                             key, (int)size - used, plain + used);
        }
        plain += size + (plain[size] == ';');
    }
}

#endif
