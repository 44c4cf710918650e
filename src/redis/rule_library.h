// What a rule can use (rule.h): of Lua's library what is pure, the same everywhere, and bounded by what it is given. For rule.c only.
//
//   globals  assert error ipairs pairs tonumber tostring type      pairs goes through numbers, then strings, ascending; other keys
//                                                                  are an error. tostring gives no addresses, tonumber takes no base
//   string   byte char find len lower rep reverse split sub upper  byte gives one; lower and upper know ASCII; find looks for a text,
//                                                                  not a pattern. split(s, separator), ours, gives an array
//   table    concat insert remove sort unpack                      sort is stable; unpack gives at most 200
//   math     abs ceil floor huge max maxinteger min mininteger tointeger type
//
// Left out: what reads the world (os, io, require, print), runs text (load), keeps or watches state (metatables, coroutines, debug,
// collectgarbage, pcall, which would catch the limits), patterns (their time may grow exponentially, inside C), what hashes or addresses
// order or show (next, string.format), chance, and what libm rounds as it likes.
#ifndef SK_REDIS_RULE_LIBRARY_H
#define SK_REDIS_RULE_LIBRARY_H

#include <stdint.h>

typedef struct lua_State lua_State;

// Puts all of it into the table at the top of the stack, and behind strings ("x"):upper(). May raise.
void sk_rule_library(lua_State *lua);

// rule.c: counts steps of the evaluation. Raises when there are too many.
void sk_rule_charge(lua_State *lua, uint64_t steps);

#endif
