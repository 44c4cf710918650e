#include "redis/rule_library.h"

#include <lauxlib.h>
#include <math.h>

#include "base/bytes.h"

// Bytes that a function looks at for one step; it compares faster than it makes.
enum { MADE_PER_STEP = 4, COMPARED_PER_STEP = 16, UNPACKED_MAX = 200 };

static sk_slice text_argument(lua_State *lua, int at)
{
    sk_slice text;
    text.data = (const uint8_t *)luaL_checklstring(lua, at, &text.size);
    return text;
}

// A position as Lua means it: from 1, negative from the end. Below 1 it is 1, or 0 if it was before the beginning.
static size_t position(lua_Integer given, size_t size, lua_Integer lowest)
{
    if (given < 0) given = given < -(lua_Integer)size ? 0 : given + (lua_Integer)size + 1;
    if (given < lowest) given = lowest;
    return given > (lua_Integer)size + 1 ? size + 1 : (size_t)given;
}

// ---- Globals ----

static int run_assert(lua_State *lua)
{
    if (lua_toboolean(lua, 1)) return lua_gettop(lua);
    return luaL_error(lua, "%s", luaL_optstring(lua, 2, "assertion failed!"));
}

static int run_error(lua_State *lua)
{
    return luaL_error(lua, "%s", luaL_checkstring(lua, 1));
}

static int run_type(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushstring(lua, luaL_typename(lua, 1));
    return 1;
}

static int run_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    switch (lua_type(lua, 1)) {
    case LUA_TSTRING: lua_settop(lua, 1); break;
    case LUA_TNUMBER:
        lua_settop(lua, 1);
        lua_tolstring(lua, 1, NULL);
        break;
    case LUA_TBOOLEAN: lua_pushstring(lua, lua_toboolean(lua, 1) ? "true" : "false"); break;
    default: lua_pushstring(lua, luaL_typename(lua, 1)); break;
    }
    return 1;
}

static int run_tonumber(lua_State *lua)
{
    luaL_checkany(lua, 1);
    luaL_argcheck(lua, lua_gettop(lua) == 1, 2, "a base is not there");
    if (lua_type(lua, 1) == LUA_TNUMBER) return 1;
    if (lua_type(lua, 1) == LUA_TSTRING) {
        sk_slice text = text_argument(lua, 1);
        sk_rule_charge(lua, text.size / MADE_PER_STEP);
        if (lua_stringtonumber(lua, (const char *)text.data) == text.size + 1) return 1;
    }
    lua_pushnil(lua);
    return 1;
}

static int next_index(lua_State *lua)
{
    lua_Integer i = luaL_checkinteger(lua, 2) + 1;
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushinteger(lua, i);
    return lua_rawgeti(lua, 1, i) == LUA_TNIL ? 1 : 2;
}

static int run_ipairs(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushcfunction(lua, next_index);
    lua_pushvalue(lua, 1);
    lua_pushinteger(lua, 0);
    return 3;
}

// ---- Sorting: stable, and bounded whatever the comparison says ----

enum order { ORDER_PLAIN, ORDER_FUNCTION, ORDER_KEYS };

typedef struct sorting {
    lua_State *lua;
    enum order order;
    int less;     // stack index of the function
    int from, to; // stack indices of two arrays
} sorting;

static size_t text_size(lua_State *lua, int at)
{
    return lua_type(lua, at) == LUA_TSTRING ? lua_rawlen(lua, at) : 0;
}

// Is from[a] < from[b]?
static bool is_less(const sorting *sort, lua_Integer a, lua_Integer b)
{
    lua_State *lua = sort->lua;
    bool less;
    if (sort->order == ORDER_FUNCTION) {
        lua_pushvalue(lua, sort->less);
        lua_rawgeti(lua, sort->from, a);
        lua_rawgeti(lua, sort->from, b);
        lua_call(lua, 2, 1);
        less = lua_toboolean(lua, -1);
        lua_pop(lua, 1);
        return less;
    }
    int left = lua_rawgeti(lua, sort->from, a);
    int right = lua_rawgeti(lua, sort->from, b);
    sk_rule_charge(lua, 4 + (text_size(lua, -1) + text_size(lua, -2)) / COMPARED_PER_STEP);
    if (sort->order == ORDER_KEYS && left != right) less = left == LUA_TNUMBER;
    else less = lua_compare(lua, -2, -1, LUA_OPLT);
    lua_pop(lua, 2);
    return less;
}

// Both runs of from, [begin, middle) and [middle, end), into one of to.
static void merge_runs(const sorting *sort, lua_Integer begin, lua_Integer middle, lua_Integer end)
{
    lua_Integer left = begin, right = middle;
    for (lua_Integer at = begin; at < end; at++) {
        bool take_right = left == middle || (right < end && is_less(sort, right, left));
        lua_rawgeti(sort->lua, sort->from, take_right ? right++ : left++);
        lua_rawseti(sort->lua, sort->to, at);
    }
}

// Sorts the array at the top of the stack, which stays there.
static void sort_array(lua_State *lua, enum order order, int less)
{
    lua_Integer size = (lua_Integer)lua_rawlen(lua, -1);
    int array = lua_gettop(lua);
    luaL_checkstack(lua, 8, NULL);
    lua_createtable(lua, (int)(size < 1000 ? size : 1000), 0);
    sorting sort = {.lua = lua, .order = order, .less = less, .from = array, .to = array + 1};
    for (lua_Integer run = 1; run < size; run *= 2) {
        sk_rule_charge(lua, (uint64_t)size * 4);
        for (lua_Integer begin = 1; begin <= size; begin += 2 * run) {
            lua_Integer middle = begin + run <= size ? begin + run : size + 1;
            lua_Integer end = middle + run <= size ? middle + run : size + 1;
            merge_runs(&sort, begin, middle, end);
        }
        sort = (sorting){.lua = lua, .order = order, .less = less, .from = sort.to, .to = sort.from};
    }
    for (lua_Integer i = 1; sort.from != array && i <= size; i++) {
        lua_rawgeti(lua, sort.from, i);
        lua_rawseti(lua, array, i);
    }
    lua_settop(lua, array);
}

static int run_sort(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    bool given = !lua_isnoneornil(lua, 2);
    if (given) luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    lua_pushvalue(lua, 1);
    sort_array(lua, given ? ORDER_FUNCTION : ORDER_PLAIN, 2);
    return 0;
}

// Upvalues: table, keys in order, how many were given.
static int next_pair(lua_State *lua)
{
    lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3));
    int type;
    do {
        lua_settop(lua, 0);
        if (lua_rawgeti(lua, lua_upvalueindex(2), ++at) == LUA_TNIL) return 1;
        lua_pushvalue(lua, -1);
        type = lua_rawget(lua, lua_upvalueindex(1));
        sk_rule_charge(lua, 2);
    } while (type == LUA_TNIL); // taken away meanwhile
    lua_pushinteger(lua, at);
    lua_replace(lua, lua_upvalueindex(3));
    return 2;
}

static int run_pairs(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    lua_newtable(lua);
    lua_Integer count = 0;
    for (lua_pushnil(lua); lua_next(lua, 1); lua_pop(lua, 1)) {
        int type = lua_type(lua, -2);
        if (type != LUA_TNUMBER && type != LUA_TSTRING)
            return luaL_error(lua, "pairs goes through keys that are numbers or strings, not a %s", lua_typename(lua, type));
        sk_rule_charge(lua, 4);
        lua_pushvalue(lua, -2);
        lua_rawseti(lua, 2, ++count);
    }
    sort_array(lua, ORDER_KEYS, 0);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_pair, 3);
    return 1;
}

// ---- Strings ----

static int run_len(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)text_argument(lua, 1).size);
    return 1;
}

static int run_byte(lua_State *lua)
{
    sk_slice text = text_argument(lua, 1);
    size_t at = position(luaL_optinteger(lua, 2, 1), text.size, 0);
    luaL_argcheck(lua, lua_gettop(lua) <= 2, 3, "byte gives one at a time");
    if (at < 1 || at > text.size) return 0;
    lua_pushinteger(lua, text.data[at - 1]);
    return 1;
}

static int run_char(lua_State *lua)
{
    int count = lua_gettop(lua);
    luaL_Buffer buffer;
    char *at = luaL_buffinitsize(lua, &buffer, (size_t)count);
    for (int i = 1; i <= count; i++) {
        lua_Integer c = luaL_checkinteger(lua, i);
        luaL_argcheck(lua, c >= 0 && c <= 255, i, "value out of range");
        at[i - 1] = (char)c;
    }
    luaL_pushresultsize(&buffer, (size_t)count);
    return 1;
}

static int run_sub(lua_State *lua)
{
    sk_slice text = text_argument(lua, 1);
    size_t first = position(luaL_checkinteger(lua, 2), text.size, 1);
    size_t last = position(luaL_optinteger(lua, 3, -1), text.size, 0);
    if (last > text.size) last = text.size;
    if (first > last) lua_pushstring(lua, "");
    else lua_pushlstring(lua, (const char *)text.data + first - 1, last - first + 1);
    return 1;
}

static int make_each(lua_State *lua, bool backwards, char first, char last)
{
    sk_slice text = text_argument(lua, 1);
    sk_rule_charge(lua, text.size / MADE_PER_STEP);
    luaL_Buffer buffer;
    char *at = luaL_buffinitsize(lua, &buffer, text.size);
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[backwards ? text.size - 1 - i : i];
        at[i] = c >= first && c <= last ? (char)(c ^ 0x20) : c;
    }
    luaL_pushresultsize(&buffer, text.size);
    return 1;
}

static int run_lower(lua_State *lua)
{
    return make_each(lua, false, 'A', 'Z');
}

static int run_upper(lua_State *lua)
{
    return make_each(lua, false, 'a', 'z');
}

static int run_reverse(lua_State *lua)
{
    return make_each(lua, true, 1, 0);
}

static int run_rep(lua_State *lua)
{
    sk_slice text = text_argument(lua, 1);
    lua_Integer times = luaL_checkinteger(lua, 2);
    size_t between_size;
    const char *between = luaL_optlstring(lua, 3, "", &between_size);
    size_t one = text.size + between_size, total;
    if (times <= 0 || !one) {
        lua_pushstring(lua, "");
        return 1;
    }
    if (__builtin_mul_overflow(one, (uint64_t)times, &total)) return luaL_error(lua, "resulting string too large");
    total -= between_size;
    luaL_Buffer buffer;
    char *begin = luaL_buffinitsize(lua, &buffer, total); // more than there is room for: raises
    sk_rule_charge(lua, (uint64_t)times + total / COMPARED_PER_STEP);
    for (char *at = begin; times > 0; times--) {
        memcpy(at, text.data, text.size);
        at += text.size;
        if (times > 1 && between_size) memcpy(at, between, between_size);
        at += between_size;
    }
    luaL_pushresultsize(&buffer, total);
    return 1;
}

// Where `what` begins in `text` from an index on; SIZE_MAX: nowhere. memmem's time grows with the sum of both sizes.
static size_t find(lua_State *lua, sk_slice text, size_t from, sk_slice what)
{
    const uint8_t *found = what.size ? memmem(text.data + from, text.size - from, what.data, what.size) : text.data + from;
    size_t at = found ? (size_t)(found - text.data) : SIZE_MAX;
    sk_rule_charge(lua, ((found ? at : text.size) - from + what.size) / MADE_PER_STEP);
    return at;
}

// As Lua's where that looks for a text; what it would take for a pattern is refused.
static int run_find(lua_State *lua)
{
    sk_slice text = text_argument(lua, 1);
    sk_slice what = text_argument(lua, 2);
    size_t from = position(luaL_optinteger(lua, 3, 1), text.size, 1) - 1;
    sk_rule_charge(lua, what.size / MADE_PER_STEP);
    if (!lua_toboolean(lua, 4) && strpbrk((const char *)what.data, "^$*+?.([%-"))
        return luaL_error(lua, "there are no patterns: find(text, what, from, true) looks for what as it is");
    size_t at = luaL_optinteger(lua, 3, 1) > (lua_Integer)text.size + 1 ? SIZE_MAX : find(lua, text, from, what);
    if (at == SIZE_MAX) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, (lua_Integer)at + 1);
    lua_pushinteger(lua, (lua_Integer)(at + what.size));
    return 2;
}

static int run_split(lua_State *lua)
{
    sk_slice text = text_argument(lua, 1);
    sk_slice separator = text_argument(lua, 2);
    luaL_argcheck(lua, separator.size, 2, "a separator has at least a byte");
    lua_newtable(lua);
    size_t from = 0;
    for (lua_Integer i = 1;; i++) {
        size_t at = find(lua, text, from, separator);
        size_t end = at == SIZE_MAX ? text.size : at;
        lua_pushlstring(lua, (const char *)text.data + from, end - from);
        lua_rawseti(lua, -2, i);
        sk_rule_charge(lua, 4);
        if (at == SIZE_MAX) return 1;
        from = at + separator.size;
    }
}

// ---- Tables ----

static lua_Integer table_argument(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    return (lua_Integer)lua_rawlen(lua, 1);
}

static int run_concat(lua_State *lua)
{
    lua_Integer size = table_argument(lua);
    size_t between_size;
    const char *between = luaL_optlstring(lua, 2, "", &between_size);
    lua_Integer first = luaL_optinteger(lua, 3, 1);
    lua_Integer last = luaL_optinteger(lua, 4, size);
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    for (lua_Integer i = first; i <= last; i++) {
        int type = lua_rawgeti(lua, 1, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(lua, "concat takes strings and numbers, not a %s (at %I)", lua_typename(lua, type), (LUAI_UACINT)i);
        sk_rule_charge(lua, 2 + lua_rawlen(lua, -1) / COMPARED_PER_STEP);
        luaL_addvalue(&buffer);
        if (i == last) break; // it may be the greatest
        if (between_size) luaL_addlstring(&buffer, between, between_size);
    }
    luaL_pushresult(&buffer);
    return 1;
}

static void move(lua_State *lua, lua_Integer from, lua_Integer to)
{
    lua_rawgeti(lua, 1, from);
    lua_rawseti(lua, 1, to);
}

static int run_insert(lua_State *lua)
{
    lua_Integer at = table_argument(lua) + 1;
    int given = lua_gettop(lua);
    if (given != 2 && given != 3) return luaL_error(lua, "wrong number of arguments to 'insert'");
    if (given == 3) {
        lua_Integer wanted = luaL_checkinteger(lua, 2);
        luaL_argcheck(lua, wanted >= 1 && wanted <= at, 2, "position out of bounds");
        sk_rule_charge(lua, (uint64_t)(at - wanted));
        for (; at > wanted; at--) move(lua, at - 1, at);
    }
    lua_settop(lua, given);
    lua_rawseti(lua, 1, at);
    return 0;
}

static int run_remove(lua_State *lua)
{
    lua_Integer size = table_argument(lua);
    lua_Integer at = luaL_optinteger(lua, 2, size);
    luaL_argcheck(lua, at == size || (at >= 1 && at <= size + 1), 2, "position out of bounds");
    lua_rawgeti(lua, 1, at);
    if (at <= size) sk_rule_charge(lua, (uint64_t)(size - at));
    for (; at < size; at++) move(lua, at + 1, at);
    lua_pushnil(lua);
    lua_rawseti(lua, 1, at);
    return 1;
}

static int run_unpack(lua_State *lua)
{
    lua_Integer last = table_argument(lua);
    lua_Integer first = luaL_optinteger(lua, 2, 1);
    last = luaL_optinteger(lua, 3, last);
    if (first > last) return 0;
    if ((uint64_t)last - (uint64_t)first >= UNPACKED_MAX) return luaL_error(lua, "unpack gives at most %d", (int)UNPACKED_MAX);
    int count = (int)(last - first) + 1;
    luaL_checkstack(lua, count, NULL);
    for (int i = 0; i < count; i++) lua_rawgeti(lua, 1, first + i);
    return count;
}

// ---- Numbers ----

static int run_abs(lua_State *lua)
{
    if (lua_isinteger(lua, 1)) {
        lua_Integer number = lua_tointeger(lua, 1);
        lua_pushinteger(lua, number < 0 ? (lua_Integer)(0u - (lua_Unsigned)number) : number);
    } else {
        lua_pushnumber(lua, fabs(luaL_checknumber(lua, 1)));
    }
    return 1;
}

static int round_with(lua_State *lua, double (*round)(double))
{
    lua_Integer whole;
    double number;
    if (lua_isinteger(lua, 1)) {
        lua_settop(lua, 1);
        return 1;
    }
    number = round(luaL_checknumber(lua, 1));
    if (lua_numbertointeger(number, &whole)) lua_pushinteger(lua, whole);
    else lua_pushnumber(lua, number);
    return 1;
}

static int run_floor(lua_State *lua)
{
    return round_with(lua, floor);
}

static int run_ceil(lua_State *lua)
{
    return round_with(lua, ceil);
}

static int choose(lua_State *lua, bool greatest)
{
    int count = lua_gettop(lua);
    int best = 1;
    luaL_checknumber(lua, 1);
    for (int i = 2; i <= count; i++) {
        luaL_checknumber(lua, i);
        if (greatest ? lua_compare(lua, best, i, LUA_OPLT) : lua_compare(lua, i, best, LUA_OPLT)) best = i;
    }
    lua_pushvalue(lua, best);
    return 1;
}

static int run_max(lua_State *lua)
{
    return choose(lua, true);
}

static int run_min(lua_State *lua)
{
    return choose(lua, false);
}

static int run_tointeger(lua_State *lua)
{
    int is_whole;
    lua_Integer whole = lua_type(lua, 1) == LUA_TNUMBER ? lua_tointegerx(lua, 1, &is_whole) : (is_whole = 0);
    if (is_whole) lua_pushinteger(lua, whole);
    else lua_pushnil(lua);
    return 1;
}

static int run_number_type(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_type(lua, 1) != LUA_TNUMBER) lua_pushnil(lua);
    else lua_pushstring(lua, lua_isinteger(lua, 1) ? "integer" : "float");
    return 1;
}

// ---- All of it ----

static const luaL_Reg globals[] = {
    {"assert", run_assert},     {"error", run_error},       {"ipairs", run_ipairs}, {"pairs", run_pairs},
    {"tonumber", run_tonumber}, {"tostring", run_tostring}, {"type", run_type},     {NULL, NULL},
};
static const luaL_Reg strings[] = {
    {"byte", run_byte}, {"char", run_char},       {"find", run_find},   {"len", run_len}, {"lower", run_lower},
    {"rep", run_rep},   {"reverse", run_reverse}, {"split", run_split}, {"sub", run_sub}, {"upper", run_upper},
    {NULL, NULL},
};
static const luaL_Reg tables[] = {
    {"concat", run_concat}, {"insert", run_insert}, {"remove", run_remove},
    {"sort", run_sort},     {"unpack", run_unpack}, {NULL, NULL},
};
static const luaL_Reg numbers[] = {
    {"abs", run_abs}, {"ceil", run_ceil},           {"floor", run_floor},      {"max", run_max},
    {"min", run_min}, {"tointeger", run_tointeger}, {"type", run_number_type}, {NULL, NULL},
};

void sk_rule_library(lua_State *lua)
{
    luaL_setfuncs(lua, globals, 0);
    luaL_newlib(lua, tables);
    lua_setfield(lua, -2, "table");
    luaL_newlib(lua, numbers);
    lua_pushnumber(lua, HUGE_VAL);
    lua_setfield(lua, -2, "huge");
    lua_pushinteger(lua, LUA_MAXINTEGER);
    lua_setfield(lua, -2, "maxinteger");
    lua_pushinteger(lua, LUA_MININTEGER);
    lua_setfield(lua, -2, "mininteger");
    lua_setfield(lua, -2, "math");
    luaL_newlib(lua, strings);
    lua_setfield(lua, -2, "string");
    // Methods of all strings: another table, which no rule can reach.
    lua_pushstring(lua, "");
    lua_createtable(lua, 0, 1);
    luaL_newlib(lua, strings);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}
