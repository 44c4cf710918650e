// A mergeable key space: the machine of crdt and causal spaces. Redis commands over data/mergeable.h, run at once where the client is.
//
// What the commands mean here:
//   SET, GET        a register. At concurrent writes the greatest (stamp, actor) is shown; a write replaces what its node has seen
//   INCR ...        a counter, which stands on top of the register: both are shown as one number
//   SADD, HSET ...  an observed-remove set; a map of fields, each a register and a counter
//   DEL             what this node has seen goes; what it has not seen stays
//   EXPIRE          the last one counts
// A key that was made a string here and a set there holds both; the first of string, set, map is shown, SIBLINGS shows all.
//
// What a register shows that concurrent writes left with several values (the same for a map's field) is the space's choice, OPTION conflict.
// It is worked out when it is read and never stored, from the values alone, ascending and each once: so nodes that hold the same values show
// the same.
//   last-writer   the value of the greatest (stamp, actor)
//   merge         a value is a set of lines: the lines of all, ascending, each once
//   custom        what the space's rule makes of them (rule.h); if it fails the command does, SIBLINGS shows the values, a write replaces them
//
// Commands whose outcome is decided by what is there (SETNX, APPEND, SPOP, EXPIRE ... NX, ...) are refused: two nodes would each decide.
// So are those that change several keys in one step (MSET, RENAME).
#ifndef SK_REDIS_MERGESPACE_H
#define SK_REDIS_MERGESPACE_H

#include "protocol/machine.h"

enum sk_conflict { SK_CONFLICT_LAST_WRITER, SK_CONFLICT_MERGE, SK_CONFLICT_CUSTOM };
enum {
    SK_MERGED_SIZE_MAX = 256 * 1024, // of the values that `merge` takes, together
    SK_MERGED_LINES_MAX = 16 * 1024,
    SK_CONFLICT_STEPS_MAX = 4 * 1000 * 1000, // of one command, as rule.h counts them; a byte merged is one
};

typedef struct sk_mergespace_options {
    uint32_t node;         // this node's number: who it is when it changes something
    bool multi_value;      // OPTION register mv: SIBLINGS shows all concurrent values, not only the winner (as it does unless last-writer)
    bool grow_only;        // OPTION counter g: counters take no decrements
    enum sk_conflict conflict;
    sk_slice rule;         // text, for SK_CONFLICT_CUSTOM; copied
    uint64_t drift_max_ms; // how far stamps of others may be ahead of this node's wall time and still be followed
    uint64_t memory_max;   // logical bytes; 0: no bound
} sk_mergespace_options;

// A machine with an empty key space: its ops and its mergeable ops. Closed through its ops.
sk_machine *sk_mergespace_open(const sk_mergespace_options *options);

// What an operator may change while the space is open: multi_value, grow_only, conflict and rule. The others stay.
void sk_mergespace_set_options(sk_machine *machine, const sk_mergespace_options *options);
void sk_mergespace_set_memory_max(sk_machine *machine, uint64_t bytes); // logical bytes; 0: no bound

typedef struct sk_mergespace_facts {
    uint64_t keys;       // that hold something
    uint64_t expires;    // with a deadline
    uint64_t tombstones; // that are kept for what they have seen
    uint64_t bytes;
    uint64_t index;      // changes kept apart, so that differences can be told
} sk_mergespace_facts;
sk_mergespace_facts sk_mergespace_facts_of(const sk_machine *machine);

#endif
