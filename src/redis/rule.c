#include "redis/rule.h"

#include <fenv.h>
#include <lauxlib.h>

#include "base/alloc.h"
#include "redis/rule_library.h"

enum {
    HOOK_INSTRUCTIONS = 100,
    HELD_STEP_SIZE = 4096,     // held bytes that make an instruction one step dearer
    ALLOCATED_STEP_SIZE = 16,  // allocated bytes that are a step
    REFUSED_STEPS = 50 * 1000, // behind a refusal Lua looks through all of its memory
    FIXED_STEPS = 2000,        // a new state
    MESSAGE_SIZE_MAX = 240,
};

static const char no_memory[] = "rule: not enough memory";

typedef struct evaluation {
    sk_slice text;
    const sk_slice *values;
    size_t count;
    sk_buffer *out;
    size_t held, peak, base; // bytes: now, the most since the last look, and what was there before the values
    uint64_t steps;
    bool full;
} evaluation;

static evaluation *evaluation_of(lua_State *lua)
{
    void *found;
    (void)lua_getallocf(lua, &found);
    return found;
}

// ---- Limits ----

// Lua relies on it that less is always given.
static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
    evaluation *run = context;
    if (!old) old_size = 0; // it tells the kind of object
    if (!size) {
        sk_free(old);
        run->held -= old_size;
        return NULL;
    }
    if (size > old_size && size - old_size > SK_RULE_MEMORY_MAX - run->held) {
        run->steps += REFUSED_STEPS;
        run->full = true;
        return NULL;
    }
    void *memory = sk_try_realloc(old, size);
    if (!memory) return size <= old_size ? old : NULL;
    if (size > old_size) run->steps += size / ALLOCATED_STEP_SIZE;
    run->held = run->held - old_size + size;
    if (run->held > run->peak) run->peak = run->held;
    return memory;
}

static void count(lua_State *lua, int level, uint64_t steps)
{
    evaluation *run = evaluation_of(lua);
    run->steps += steps;
    if (run->steps <= SK_RULE_STEPS_MAX) return;
    luaL_where(lua, level);
    lua_pushfstring(lua, "it takes more than %d steps", (int)SK_RULE_STEPS_MAX);
    lua_concat(lua, 2);
    lua_error(lua);
}

void sk_rule_charge(lua_State *lua, uint64_t steps)
{
    count(lua, 1, steps);
}

static void on_count(lua_State *lua, lua_Debug *where)
{
    evaluation *run = evaluation_of(lua);
    size_t held = run->peak > run->base ? run->peak - run->base : 0;
    run->peak = run->held;
    count(lua, 0, HOOK_INSTRUCTIONS * (1 + held / HELD_STEP_SIZE));
}

// ---- One evaluation, protected: what raises comes back as an error of lua_pcall ----

static void push_values(lua_State *lua, const evaluation *run)
{
    lua_createtable(lua, (int)run->count, 0);
    for (size_t i = 0; i < run->count; i++) {
        lua_pushlstring(lua, (const char *)run->values[i].data, run->values[i].size);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
}

static int evaluate(lua_State *lua)
{
    evaluation *run = evaluation_of(lua);
    if (luaL_loadbufferx(lua, (const char *)run->text.data, run->text.size, "=rule", "t") != LUA_OK) return lua_error(lua);
    lua_createtable(lua, 0, 16);
    sk_rule_library(lua);
    run->base = run->held;
    push_values(lua, run);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, 2, "s");
    lua_insert(lua, 1);         // values, chunk, its globals
    lua_setupvalue(lua, 2, 1);
    lua_sethook(lua, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    lua_call(lua, 0, 1);
    if (lua_isfunction(lua, -1)) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 1, 1);
    }
    if (lua_type(lua, -1) != LUA_TSTRING)
        return luaL_error(lua, "rule: it gives %s, not a string: return tostring(...)", luaL_typename(lua, -1));
    if (fetestexcept(FE_INVALID)) return luaL_error(lua, "rule: a number came out that is none, such as 0/0");
    sk_slice answer;
    answer.data = (const uint8_t *)lua_tolstring(lua, -1, &answer.size);
    sk_buffer_append_slice(run->out, answer);
    return 0;
}

static void tell_failure(lua_State *lua, const evaluation *run, int status)
{
    if (status == LUA_ERRMEM) {
        if (run->full) sk_buffer_printf(run->out, "rule: it takes more than %d bytes of memory", (int)SK_RULE_MEMORY_MAX);
        else sk_buffer_append_text(run->out, no_memory);
        return;
    }
    sk_slice message = sk_slice_text("rule: an error that is no text");
    if (lua_type(lua, -1) == LUA_TSTRING) message.data = (const uint8_t *)lua_tolstring(lua, -1, &message.size);
    bool cut = message.size > MESSAGE_SIZE_MAX;
    if (cut) message.size = MESSAGE_SIZE_MAX;
    for (size_t i = 0; i < message.size; i++) {
        uint8_t c = message.data[i];
        sk_buffer_append_byte(run->out, c < ' ' || c == 0x7f ? ' ' : c);
    }
    if (cut) sk_buffer_append_text(run->out, "...");
}

bool sk_rule_run(sk_slice text, const sk_slice *values, size_t count, uint64_t *steps, sk_buffer *out)
{
    evaluation run = {.text = text, .values = values, .count = count, .out = out, .steps = FIXED_STEPS + text.size};
    bool power = text.size && memchr(text.data, '^', text.size);
    lua_State *lua = power || count > SK_RULE_MEMORY_MAX ? NULL : lua_newstate(allocate, &run);
    bool good = false;
    if (lua) {
        feclearexcept(FE_INVALID);
        lua_pushcfunction(lua, evaluate);
        int status = lua_pcall(lua, 0, 0, 0);
        good = status == LUA_OK;
        if (!good) tell_failure(lua, &run, status);
        lua_close(lua);
    } else if (power) {
        sk_buffer_append_text(out, "rule: '^' is refused, as pow() is not the same everywhere: multiply; in a text write \\94");
    } else {
        sk_buffer_append_text(out, no_memory);
    }
    *steps += run.steps;
    return good;
}

// ---- Samples ----

bool sk_rule_check(sk_slice text, sk_buffer *why)
{
    static const char *const samples[][2] = {{"1", "2"}, {"a", "b"}, {"[1,2]", "[2,3]"}, {"{\"a\":1}", "{\"b\":2}"}, {"a,b", "b,c"}};
    if (!text.size || text.size > SK_RULE_SIZE_MAX) {
        sk_buffer_printf(why, "a rule has 1 to %d bytes", (int)SK_RULE_SIZE_MAX);
        return false;
    }
    sk_buffer answer = {0}, first = {0};
    bool good = false;
    for (size_t i = 0; !good && i < sizeof samples / sizeof *samples; i++) {
        sk_slice values[] = {sk_slice_text(samples[i][0]), sk_slice_text(samples[i][1])};
        uint64_t steps = 0;
        good = sk_rule_run(text, values, 2, &steps, i ? &answer : &first);
    }
    if (!good) sk_buffer_append_slice(why, sk_buffer_slice(&first));
    sk_buffer_deinit(&answer);
    sk_buffer_deinit(&first);
    return good;
}
