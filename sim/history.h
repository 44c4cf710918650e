// Every operation of every client: when it began and ended as the client saw it, and what came of it. The
// checks at the end of a run are complete for what the workload uses, not samples:
//
//   registers   SET of values never repeated, GET, compare-and-set: linearizable iff the zones of the values
//   do not
//               contradict one another (Gibbons and Korach, Testing shared memories, 1997)
//   counters    INCR returns each number once, in an order that real time allows, with no more gaps than
//   unknown outcomes lists       APPEND of tokens never repeated: every read is a prefix of the longest; each
//   acknowledged token is there once,
//               where its reply said; the order is one that real time allows
//   sets        APPEND of elements that a client may ask for again: as lists, but an element may be there more than once
//   leases      one SET with PX a key: gone not before its time (drift allowed for), and never there again once gone
//
// An operation whose reply said "certainly not ordered" must never show; one of unknown outcome may, once.
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/time.h"

enum sk_operation_kind {
    SK_OPERATION_SET,
    SK_OPERATION_GET,
    SK_OPERATION_CAS,
    SK_OPERATION_INCREMENT,
    SK_OPERATION_COUNT,
    SK_OPERATION_APPEND,
    SK_OPERATION_LIST,
    SK_OPERATION_ADD,     // APPEND of an element that may be asked for again
    SK_OPERATION_MEMBERS, // GET of them
    SK_OPERATION_LEND,    // SET with PX: once a key
    SK_OPERATION_SPACE,   // SPACE CREATE or DROP: whatever it comes to, no key may be lost by it
    SK_OPERATION_SESSION_TOKEN, // sim/sessions.h
    SK_OPERATION_SESSION_USE,
    // In a mergeable space (sim/merge_check.h):
    SK_OPERATION_FOUND,         // SPACE CREATE of it; amount 1: with a rule
    SK_OPERATION_MERGE_SET,     // SET
    SK_OPERATION_MERGE_LEND,    // SET with PX
    SK_OPERATION_MERGE_EXPIRE,  // PEXPIRE
    SK_OPERATION_MERGE_DEL,     // DEL
    SK_OPERATION_MERGE_GET,     // GET of a register
    SK_OPERATION_MERGE_COUNT,   // INCR, DECR, INCRBY, DECRBY
    SK_OPERATION_MERGE_TOTAL,   // GET of a counter
    SK_OPERATION_MERGE_ADD,     // SADD
    SK_OPERATION_MERGE_REMOVE,  // SREM
    SK_OPERATION_MERGE_MEMBERS, // SMEMBERS
    SK_OPERATION_MERGE_HSET,    // HSET
    SK_OPERATION_MERGE_HDEL,    // HDEL
    SK_OPERATION_MERGE_HCOUNT,  // HINCRBY
    SK_OPERATION_MERGE_FIELDS,  // HGETALL
    SK_OPERATION_END
};

enum sk_outcome { SK_OUTCOME_PENDING, SK_OUTCOME_OK, SK_OUTCOME_FAILED, SK_OUTCOME_UNKNOWN, SK_OUTCOME_END };

enum { SK_CELLS_MAX = 8 }; // of a key of a mergeable space: elements, or fields

typedef struct sk_operation {
    enum sk_operation_kind kind;
    enum sk_outcome outcome;
    uint32_t client, key;
    uint64_t connection;
    bool led;         // when it was asked, the node asked led the default space
    uint64_t value;   // what a write writes: its own number + 1, so never repeated; ADD: maybe that of an earlier one
    uint64_t expect;  // CAS: the value it must find
    uint64_t result;  // GET: value found (0: none); INCREMENT, COUNT: number; APPEND, ADD, LIST, MEMBERS: length; CAS: 1 if
                      // it took place
    uint64_t hash;    // LIST, MEMBERS: of what was read
    sk_ns length;     // LEND: the time to live asked for
    sk_ns start, end; // end: SK_NEVER unless OK or FAILED
    // In a mergeable space:
    uint32_t node;           // it was asked
    uint32_t session;        // sim/sessions.h
    uint32_t cell;           // element or field
    int64_t amount;          // of a count
    uint32_t before, after;  // sights of the node (sim/merging.h): before it ran, when its reply left; 0: none
    uint32_t amnesia;        // how often the node's disk had lost something before
    sk_ns arrived;           // when `before` was taken
    sk_ns cut;               // when its node ended and had not written it down; 0: it had. What others have comes back to it
    bool disk_busy;          // its node's disk had something to do when its reply, or a part of it, left
    bool quiet;              // the audit's: all has been healed, and every node has seen the same
    uint64_t wall_max_ms;    // the greatest that any clock had shown when its reply left
    bool doubtful;           // acknowledged, but its node's disk was lost before anybody else had it
    uint64_t cells[SK_CELLS_MAX]; // HGETALL: values by field (`result`: those that are there, as bits; so for SMEMBERS)
} sk_operation;

typedef struct sk_history {
    sk_operation *list;
    size_t count, capacity;
} sk_history;

enum { SK_TOKEN_SIZE = 12 }; // of a list's tokens, bytes

// The new operation's index.
size_t sk_history_add(sk_history *history, sk_operation operation);
void sk_history_deinit(sk_history *history);
void sk_history_token(char out[SK_TOKEN_SIZE + 1], uint64_t value);

// All operations on one key. True, or false with what is wrong in `problem`. For a list: `longest` is the
// longest read.
bool sk_history_check_register(const sk_history *history, uint32_t key, char *problem, size_t size);
bool sk_history_check_counter(const sk_history *history, uint32_t key, char *problem, size_t size);
// drift_ppm: how much faster than the world a clock may run.
bool sk_history_check_lease(const sk_history *history, uint32_t key, uint32_t drift_ppm, char *problem, size_t size);
bool sk_history_check_list(const sk_history *history, uint32_t key, sk_slice longest, char *problem,
                           size_t size);
bool sk_history_check_set(const sk_history *history, uint32_t key, sk_slice longest, char *problem, size_t size);

#endif
