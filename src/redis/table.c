// The rows of the data families, by name, and the index over them.
#include "redis/table.h"

#define READ        SK_COMMAND_READ
#define WRITE       SK_COMMAND_WRITE
#define DENY_OOM    SK_COMMAND_DENY_OOM
#define FAST        SK_COMMAND_FAST
#define RMW         SK_COMMAND_RMW
#define MULTI_KEY   SK_COMMAND_MULTI_KEY
#define WHOLE_SPACE SK_COMMAND_WHOLE_SPACE
#define SLICED      SK_COMMAND_SLICED
#define PARENT      SK_COMMAND_PARENT

// clang-format off
// name, arity, flags, first key, last key, step, family, function, summary, since
static const sk_command rows[] = {
    {"append", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_append,
     "Adds bytes at the end of a string, or makes one", "2.0.0"},
    {"copy", -3, WRITE | DENY_OOM | RMW | MULTI_KEY, 1, 2, 1, "generic", sk_run_copy,
     "Copies a key's value and deadline to another key", "6.2.0"},
    {"dbsize", 1, READ | FAST | WHOLE_SPACE, 0, 0, 0, "server", sk_run_dbsize,
     "The number of keys", "1.0.0"},
    {"decr", 2, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_decr,
     "Takes 1 from a whole number", "1.0.0"},
    {"decrby", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_decrby,
     "Takes a whole number from another", "1.0.0"},
    {"del", -2, WRITE | MULTI_KEY, 1, -1, 1, "generic", sk_run_del,
     "Deletes keys", "1.0.0"},
    {"exists", -2, READ | FAST | MULTI_KEY, 1, -1, 1, "generic", sk_run_exists,
     "How many of these keys there are", "1.0.0"},
    {"expire", -3, WRITE | FAST | RMW, 1, 1, 1, "generic", sk_run_expire,
     "Sets a key's time to live, in seconds", "1.0.0"},
    {"expireat", -3, WRITE | FAST | RMW, 1, 1, 1, "generic", sk_run_expireat,
     "Sets when a key expires, in seconds since 1970", "1.2.0"},
    {"expiretime", 2, READ | FAST, 1, 1, 1, "generic", sk_run_expiretime,
     "When a key expires, in seconds since 1970", "7.0.0"},
    {"flushall", -1, WRITE | WHOLE_SPACE, 0, 0, 0, "server", sk_run_flush,
     "Deletes all keys", "1.0.0"},
    {"flushdb", -1, WRITE | WHOLE_SPACE, 0, 0, 0, "server", sk_run_flush,
     "Deletes all keys", "1.0.0"},
    {"get", 2, READ | FAST, 1, 1, 1, "string", sk_run_get,
     "The string at a key", "1.0.0"},
    {"getdel", 2, WRITE | FAST | RMW, 1, 1, 1, "string", sk_run_getdel,
     "The string at a key, which is deleted", "6.2.0"},
    {"getex", -2, WRITE | FAST | RMW, 1, 1, 1, "string", sk_run_getex,
     "The string at a key, whose deadline is changed", "6.2.0"},
    {"getrange", 4, READ, 1, 1, 1, "string", sk_run_getrange,
     "A part of the string at a key", "2.4.0"},
    {"getset", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_getset,
     "Sets a string and gives the one before", "1.0.0"},
    {"incr", 2, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_incr,
     "Adds 1 to a whole number", "1.0.0"},
    {"incrby", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_incrby,
     "Adds a whole number to another", "1.0.0"},
    {"incrbyfloat", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_incrbyfloat,
     "Adds a decimal number to another", "2.6.0"},
    {"keys", 2, READ | WHOLE_SPACE | SLICED, 0, 0, 0, "generic", sk_run_keys,
     "All keys that match a pattern", "1.0.0"},
    {"mget", -2, READ | FAST | MULTI_KEY, 1, -1, 1, "string", sk_run_mget,
     "The strings at several keys", "1.0.0"},
    {"mset", -3, WRITE | DENY_OOM | MULTI_KEY, 1, -1, 2, "string", sk_run_mset,
     "Sets several strings in one step", "1.0.1"},
    {"msetnx", -3, WRITE | DENY_OOM | MULTI_KEY | RMW, 1, -1, 2, "string", sk_run_msetnx,
     "Sets several strings if none of the keys exists", "1.0.1"},
    {"object", -2, READ | PARENT, 0, 0, 0, "generic", NULL,
     "What is known of a key's value", "2.2.3"},
    {"object|encoding", 3, READ, 2, 2, 1, "generic", sk_run_object_encoding,
     "The form a value is kept in, in Redis's words", "2.2.3"},
    {"object|freq", 3, READ, 2, 2, 1, "generic", sk_run_object_freq,
     "How often a value is used: not counted", "4.0.0"},
    {"object|help", 2, READ, 0, 0, 0, "generic", sk_run_object_help,
     "The subcommands", "6.2.0"},
    {"object|idletime", 3, READ, 2, 2, 1, "generic", sk_run_object_idletime,
     "Seconds since a value was used: not counted, 0", "2.2.3"},
    {"object|refcount", 3, READ, 2, 2, 1, "generic", sk_run_object_refcount,
     "References to a value, as Redis counts them", "2.2.3"},
    {"persist", 2, WRITE | FAST | RMW, 1, 1, 1, "generic", sk_run_persist,
     "Takes a key's deadline away", "2.2.0"},
    {"pexpire", -3, WRITE | FAST | RMW, 1, 1, 1, "generic", sk_run_pexpire,
     "Sets a key's time to live, in milliseconds", "2.6.0"},
    {"pexpireat", -3, WRITE | FAST | RMW, 1, 1, 1, "generic", sk_run_pexpireat,
     "Sets when a key expires, in milliseconds since 1970", "2.6.0"},
    {"pexpiretime", 2, READ | FAST, 1, 1, 1, "generic", sk_run_pexpiretime,
     "When a key expires, in milliseconds since 1970", "7.0.0"},
    {"psetex", 4, WRITE | DENY_OOM, 1, 1, 1, "string", sk_run_psetex,
     "Sets a string and its time to live in milliseconds", "2.6.0"},
    {"pttl", 2, READ | FAST, 1, 1, 1, "generic", sk_run_pttl,
     "A key's time to live in milliseconds", "2.6.0"},
    {"randomkey", 1, READ | WHOLE_SPACE, 0, 0, 0, "generic", sk_run_randomkey,
     "Some key", "1.0.0"},
    {"rename", 3, WRITE | RMW | MULTI_KEY, 1, 2, 1, "generic", sk_run_rename,
     "Gives a value and its deadline another key", "1.0.0"},
    {"renamenx", 3, WRITE | FAST | RMW | MULTI_KEY, 1, 2, 1, "generic", sk_run_renamenx,
     "The same, if that key does not exist", "1.0.0"},
    {"scan", -2, READ | WHOLE_SPACE, 0, 0, 0, "generic", sk_run_scan,
     "Some of the keys, and where to go on", "2.8.0"},
    {"set", -3, WRITE | DENY_OOM, 1, 1, 1, "string", sk_run_set,
     "Sets a string", "1.0.0"},
    {"setex", 4, WRITE | DENY_OOM, 1, 1, 1, "string", sk_run_setex,
     "Sets a string and its time to live in seconds", "2.0.0"},
    {"setnx", 3, WRITE | DENY_OOM | FAST | RMW, 1, 1, 1, "string", sk_run_setnx,
     "Sets a string if the key does not exist", "1.0.0"},
    {"setrange", 4, WRITE | DENY_OOM | RMW, 1, 1, 1, "string", sk_run_setrange,
     "Overwrites a part of the string at a key", "2.2.0"},
    {"strlen", 2, READ | FAST, 1, 1, 1, "string", sk_run_strlen,
     "The size of the string at a key", "2.2.0"},
    {"substr", 4, READ, 1, 1, 1, "string", sk_run_getrange,
     "A part of the string at a key", "1.0.0"},
    {"touch", -2, READ | FAST | MULTI_KEY, 1, -1, 1, "generic", sk_run_exists,
     "How many of these keys there are", "3.2.1"},
    {"ttl", 2, READ | FAST, 1, 1, 1, "generic", sk_run_ttl,
     "A key's time to live in seconds", "1.0.0"},
    {"type", 2, READ | FAST, 1, 1, 1, "generic", sk_run_type,
     "The type of the value at a key", "1.0.0"},
    {"unlink", -2, WRITE | FAST | MULTI_KEY, 1, -1, 1, "generic", sk_run_del,
     "Deletes keys", "4.0.0"},
};

// Made by `test-unit-commands --index`.
const uint8_t sk_command_index[SK_COMMAND_INDEX_SIZE] = {
    255, 255, 255, 18, 255, 255, 255, 255, 255, 255, 255, 32, 255, 255, 36, 255,
    255, 255, 255, 255, 255, 255, 255, 37, 255, 255, 255, 255, 255, 8, 255, 255,
    45, 255, 27, 255, 255, 255, 255, 255, 255, 1, 255, 16, 255, 255, 255, 255,
    255, 255, 255, 38, 255, 255, 255, 255, 255, 255, 255, 255, 43, 255, 255, 255,
    255, 255, 3, 255, 255, 255, 255, 255, 44, 255, 255, 255, 255, 255, 25, 41,
    255, 255, 5, 255, 17, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 4,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 6, 255, 255,
    255, 255, 255, 35, 255, 255, 20, 255, 33, 255, 255, 255, 255, 255, 255, 7,
    255, 255, 255, 255, 255, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 47,
    255, 255, 255, 28, 255, 255, 255, 21, 255, 255, 255, 255, 255, 255, 255, 10,
    15, 255, 255, 255, 255, 255, 255, 42, 12, 255, 255, 19, 255, 255, 31, 255,
    255, 46, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    11, 255, 255, 26, 255, 255, 255, 255, 24, 255, 48, 255, 34, 22, 255, 255,
    49, 255, 255, 255, 39, 255, 14, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 13, 40, 30, 255, 255, 255, 9, 255, 23, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 29, 255, 255,
};
// clang-format on

_Static_assert(sizeof rows / sizeof rows[0] <= SK_COMMAND_INDEX_SIZE / 2,
               "the index has room to end every search");

const sk_command *sk_command_rows(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}
