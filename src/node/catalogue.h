// The catalogue: which spaces the cluster has, and what was decided of each. Part of the system space's state, so the same
// everywhere at the same position; every node also keeps the newest copy it has seen on its own disk (roster.h), to open its spaces
// and to route by before it has heard from a majority again.
//
// Life of a space. One space at a time is under way (creating, fenced or dropping); whoever leads the system space takes the
// steps (driver.h), each an entry of the system space, each harmless when it comes twice:
//
//     CREATE --> creating --FENCED--> fenced --ACTIVE--> active --DROP--> dropping --DROPPED--> gone
//                   |                   |                  ^                 |
//                   +--REFUSED--> gone  | routed from here +------KEPT-------+
//
//   creating   its prefix still belongs to the default space, in whose log a fence is being ordered. Applied, the fence is
//              refused while keys under the prefix exist
//   fenced     keys with its prefix are its own; every node opens a replica
//   active     a replica of it has been seen to lead (CREATE is answered now)
//   dropping   its own log is being closed (refused while it holds keys, unless forced), then the default space's fence taken
//              away
//
// versions   `version` counts every change; `routing` is the version of the last change of who owns which keys. Entries of the default
//            space carry the routing version they were routed by (envelope.h). As one space at a time is under way, a router that does not
//            know of a fence has routed by a version below the fence's, and one that knows by a greater one.
//
// Invariants (sk_catalogue_check): ids ascend and are below next_id; names differ; numbers differ and are used; no prefix begins another's,
// the default space's empty one apart; at most one space is under way. Ids and numbers are never used again.
#ifndef SK_NODE_CATALOGUE_H
#define SK_NODE_CATALOGUE_H

#include "base/bytes.h"
#include "node/kind.h"
#include "wire/codec.h"

enum {
    SK_SPACE_NAME_MAX = 63,
    SK_SPACE_PREFIX_MAX = 255,
    SK_SPACE_OPTIONS_MAX = 8192, // bytes, encoded: a rule (redis/rule.h) and others
    SK_SPACE_OPTION_WORDS_MAX = 128, // names and values in turn
    SK_SPACES_CREATED_MAX = 254, // and the system and default spaces
    SK_SPACE_NUMBER_MAX = 1000 * 1000,
    SK_SPACE_FIRST_ID = 2,
    SK_OUTCOMES_MAX = 16,
};

enum sk_space_phase {
    SK_PHASE_CREATING = 1,
    SK_PHASE_FENCED = 2,
    SK_PHASE_ACTIVE = 3,
    SK_PHASE_DROPPING = 4,
};

typedef struct sk_space_record {
    uint32_t id;
    uint32_t number; // SELECT number
    char name[SK_SPACE_NAME_MAX + 1];
    char protocol[16];
    enum sk_space_phase phase;
    enum sk_durability durability;
    uint32_t durability_ms;
    enum sk_reads_mode reads;
    uint64_t version;       // of its last change
    uint64_t fence_version; // of its creation or, dropping, of the DROP
    uint64_t limit_version; // when memory_max was last set
    uint64_t memory_max;    // logical bytes; 0: no bound
    bool forced;            // dropping: even when it holds keys
    sk_slice prefix;        // owned
    sk_slice options;       // owned: names and values in turn, as sk_command_encode writes them
} sk_space_record;

// How the way of a space ended, for whoever waits for it.
enum sk_outcome_kind { SK_OUTCOME_ACTIVE = 1, SK_OUTCOME_REFUSED = 2, SK_OUTCOME_KEPT = 3, SK_OUTCOME_DROPPED = 4 };
typedef struct sk_outcome {
    uint32_t id;
    enum sk_outcome_kind kind;
    uint64_t version; // the fence_version of what ended
} sk_outcome;

typedef struct sk_number_run { // numbers that have been used: [first, last]
    uint32_t first, last;
} sk_number_run;

typedef struct sk_catalogue {
    uint64_t version, routing;
    uint32_t next_id;
    sk_space_record *records; // by id; the default space's is the first, once it has been decided
    size_t count, capacity;
    sk_number_run *used; // ascending, apart
    size_t used_count;
    sk_outcome outcomes[SK_OUTCOMES_MAX]; // the newest last
    size_t outcome_count;
    const sk_space_record **by_prefix; // those that own their prefix, the default space's apart, ascending
    size_t by_prefix_count;
} sk_catalogue;

void sk_catalogue_init(sk_catalogue *catalogue);
void sk_catalogue_deinit(sk_catalogue *catalogue);
void sk_catalogue_encode(const sk_catalogue *catalogue, sk_buffer *out);
int sk_catalogue_decode(sk_catalogue *catalogue, sk_slice bytes); // replaces; 0 or SK_ECORRUPT (then unchanged)
void sk_catalogue_check(const sk_catalogue *catalogue);

const sk_space_record *sk_catalogue_by_id(const sk_catalogue *catalogue, uint32_t id);
const sk_space_record *sk_catalogue_by_name(const sk_catalogue *catalogue, sk_slice name);
const sk_space_record *sk_catalogue_by_number(const sk_catalogue *catalogue, uint32_t number);
// The created space that owns this key in the routed view; NULL: the default space.
const sk_space_record *sk_catalogue_owner(const sk_catalogue *catalogue, sk_slice key);
// The space under way; NULL: none.
const sk_space_record *sk_catalogue_under_way(const sk_catalogue *catalogue);
// How what began with this version ended; NULL: it has not, or that is long ago.
const sk_outcome *sk_catalogue_outcome(const sk_catalogue *catalogue, uint32_t id, uint64_t version);
const char *sk_space_phase_name(enum sk_space_phase phase);
// Spaces that own keys of the routed view besides the default one.
static inline size_t sk_catalogue_created(const sk_catalogue *catalogue)
{
    return catalogue->by_prefix_count;
}
// May a space be called so? NULL, or why not.
const char *sk_space_name_refused(sk_slice name);

// ---- Changes (catalogue_change.c): applied in the order of the system space's log ----

// One change, as encoded below. Appends one reply: an error, +OK, or a verdict to wait for (verdict.h).
void sk_catalogue_apply(sk_catalogue *catalogue, size_t argc, const sk_slice *argv, sk_buffer *reply);

enum sk_alter { SK_ALTER_READS = 1, SK_ALTER_MEMORY = 2, SK_ALTER_DURABILITY = 4, SK_ALTER_OPTIONS = 8 };

// Options by name: those given replace those there were. Names and values in turn, as in a record. False: too many, or malformed.
bool sk_catalogue_merge_options(sk_slice old, sk_slice given, sk_buffer *out);

// The requests: commands of the system space, which no client reaches.
#define SK_CATALOGUE_COMMAND "SPACE"
void sk_catalogue_write_init(sk_buffer *out, uint64_t memory_max); // decides the default space's bound, once
void sk_catalogue_write_create(sk_buffer *out, const sk_space_record *record); // id 0; number 0: the lowest free
void sk_catalogue_write_alter(sk_buffer *out, const sk_space_record *record, uint32_t what); // name, and what is to be set
void sk_catalogue_write_drop(sk_buffer *out, sk_slice name, bool force);
// A step of the space under way: "FENCED", "REFUSED", "ACTIVE", "KEPT", "DROPPED".
void sk_catalogue_write_step(sk_buffer *out, const char *step, uint32_t id, uint64_t fence_version);

// ---- For catalogue_change.c ----

sk_space_record *sk_catalogue_add(sk_catalogue *catalogue, const sk_space_record *record); // copies; by id
void sk_catalogue_remove(sk_catalogue *catalogue, uint32_t id);
void sk_catalogue_index(sk_catalogue *catalogue); // after a change of phase or prefix
bool sk_catalogue_number_used(const sk_catalogue *catalogue, uint32_t number);
uint32_t sk_catalogue_number_lowest(const sk_catalogue *catalogue);
void sk_catalogue_number_use(sk_catalogue *catalogue, uint32_t number);
void sk_space_record_write(sk_buffer *out, const sk_space_record *record);
bool sk_space_record_read(sk_reader *reader, sk_space_record *out); // prefix and options borrowed
bool sk_prefix_begins(sk_slice prefix, sk_slice key);

#endif
