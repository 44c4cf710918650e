// Commands are data: one row each. A row says what a command is called, what it needs and which keys it touches; the
// function behind it is in the file of its family.
//
// Two kinds of function, two tables of the same row:
//   data families   (src/redis/family_*.c)      run on a key space alone, inside apply or query
//   node families   (src/node/command/*.c)      need the node: run at once where the client is
#ifndef SK_REDIS_COMMAND_H
#define SK_REDIS_COMMAND_H

#include <stdbool.h>
#include "base/bytes.h"
#include "protocol/machine.h"
#include "redis/resp.h"

typedef struct sk_keyspace sk_keyspace;
typedef struct sk_mergespace sk_mergespace;
typedef struct sk_values_ops sk_values_ops;

enum sk_command_flag {
    SK_COMMAND_READ = 1 << 0,       // changes nothing: runs as a query
    SK_COMMAND_WRITE = 1 << 1,      // ordered, then applied
    SK_COMMAND_DENY_OOM = 1 << 2,   // may add memory: refused when the space is full
    SK_COMMAND_FAST = 1 << 3,       // O(1) or O(log n), as Redis marks it
    SK_COMMAND_ADMIN = 1 << 4,
    SK_COMMAND_NO_AUTH = 1 << 5,    // before AUTH too
    SK_COMMAND_NODE = 1 << 6,       // a node family
    SK_COMMAND_RMW = 1 << 7,        // needs read-modify-write of the space's protocol
    SK_COMMAND_MULTI_KEY = 1 << 8,  // needs several keys in one step
    SK_COMMAND_WHOLE_SPACE = 1 << 9, // touches no named key but the space as a whole (DBSIZE, KEYS, FLUSHDB)
    SK_COMMAND_SLICED = 1 << 10,    // may return a job
    SK_COMMAND_LOADING = 1 << 11,   // allowed while the node starts
    SK_COMMAND_STALE = 1 << 12,     // needs no space to be available
    SK_COMMAND_PARENT = 1 << 13,    // has subcommands, rows of their own; the row itself never runs
};

typedef struct sk_command_call sk_command_call;
typedef struct sk_command sk_command;

typedef void sk_command_run(sk_command_call *call);

struct sk_command {
    const char *name;    // lower case; subcommands as "client|setname"
    int arity;           // as Redis: negative is a minimum; the name counts
    uint32_t flags;
    int8_t key_first;    // 0: no keys
    int8_t key_last;     // negative: from the end
    int8_t key_step;
    const char *family;  // "string", "generic", "connection", "server": Redis's group
    sk_command_run *run; // data families; NULL in a node family (src/node has its own function beside the row)
    const char *summary; // one line, for COMMAND DOCS and `skein help`
    const char *since;
};

// One execution on a key space.
struct sk_command_call {
    const sk_command *command;
    sk_keyspace *keyspace;       // an ordered key space, or NULL
    sk_mergespace *mergespace;   // a mergeable one, or NULL
    const sk_values_ops *values; // its sets and maps; NULL: it keeps none
    const sk_command_context *context;
    size_t argc;
    const sk_slice *argv; // argv[0] is the name as the client wrote it
    sk_reply reply;
    sk_machine_job *job;  // set by a SLICED command that is not finished
};

enum sk_found { SK_ABSENT, SK_FOUND, SK_WRONG };

// The rows of all data families. NULL when there is none of that name (case does not matter).
const sk_command *sk_command_find(sk_slice name);
const sk_command *sk_command_rows(size_t *count);

// What a request asks of the data families: its command's row, or its subcommand's. NULL: no such command or subcommand, or
// the number of arguments is wrong; then Redis's own error has been replied.
const sk_command *sk_command_select(size_t argc, const sk_slice *argv, sk_reply *reply);
// The row's flags and what these arguments need on top: SET with NX, XX, GET, IFEQ or KEEPTTL is RMW, SET without is not; DEL of two keys is
// MULTI_KEY, of one is not.
uint32_t sk_command_needs(const sk_command *command, size_t argc, const sk_slice *argv);
// The errors of a dispatcher, in Redis's words.
void sk_command_reply_unknown(sk_reply *reply, size_t argc, const sk_slice *argv);
void sk_command_reply_unknown_subcommand(sk_reply *reply, const sk_slice *argv); // argv[0] and argv[1]
void sk_command_reply_arity(sk_reply *reply, const sk_command *command);

// Is the number of arguments right for this row?
bool sk_command_arity_ok(const sk_command *command, size_t argc);
// Index in argv of the i-th key (from 0), or 0 when there are no more.
size_t sk_command_key(const sk_command *command, size_t argc, size_t i);

// A request as it travels in the log and between nodes: varint count, then varint-sized arguments.
void sk_command_encode(sk_buffer *out, size_t argc, const sk_slice *argv);
// Borrowed slices into `argv` (room for `argv_max`). The number of arguments, SK_ETOOBIG (more than argv_max) or SK_EPROTOCOL. A number of
// arguments that the bytes cannot hold is SK_EPROTOCOL, so memory may be taken for it.
int sk_command_decode(sk_slice bytes, sk_slice *argv, size_t argv_max);

// The first `count` arguments alone. How many there are of them; less than asked when there are no more or they are malformed.
size_t sk_command_peek(sk_slice bytes, sk_slice *argv, size_t count);
// The first argument of each that has one, and how many those are: nearly always its key. For those who lose nothing where it is not.
size_t sk_command_peek_keys(const sk_slice *commands, size_t count, sk_slice *keys);

// Redis's own texts.
#define SK_ERR_SYNTAX      "ERR syntax error"
#define SK_ERR_NOT_INTEGER "ERR value is not an integer or out of range"
#define SK_ERR_NOT_FLOAT   "ERR value is not a valid float"
#define SK_ERR_WRONGTYPE   "WRONGTYPE Operation against a key holding the wrong kind of value"
#define SK_ERR_NO_KEY      "ERR no such key"
#define SK_ERR_OOM         "OOM command not allowed when used memory > 'maxmemory'."

#endif
