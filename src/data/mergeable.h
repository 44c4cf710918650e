// The mergeable state of a space: keys that every replica may change at any time, and that agree once all have seen the same
// changes, in whatever order and however often they came. No I/O, no clock of its own.
//
//   keys      place, key -> head              context, scalar (register and counter), expiry, counts of what is in parts
//   parts     key, slot, place, name -> part  a set's member: its dots; a map's field: its scalar
//   index     actor, counter, key -> plain    exactly the entries of all contexts' vectors, less some or all of those that base covers: who
//                                             wants to know what changed since a vector walks from there. Tagged 1 only while there is
//                                             nothing about the key to be forgotten: it holds something, and no dead tallies
//   expiries  due, key -> nothing             all keys with an expiry: when this node is to clear them
//
// A place is a hash of the name behind it, the same on every replica, and orders names: so a cursor that is a mere number (SCAN, SSCAN,
// HSCAN) goes on at any replica, and never misses.
//
// A change (a client's SET, SADD, DEL, ...) touches one key and takes the next counters of this node's actor, one for each thing it
// adds and at least one. It is applied here and written down as an *operation*, which travels. Operations of one actor are applied in
// the order of their counters everywhere: `seen` says up to where. A *piece* is the state of one key, or a part of it; merging one is
// always right, in any order. A *chunk* is a run of pieces, and says which keys it is complete for.
//
// A deleted key stays as its context (a tombstone), so that what it has seen does not come back. `base` is a vector that every
// context here contains without saying so: what is not beyond it is forgotten (sk_mergeable_settle). Merges are right whatever
// the two bases are; but a replica that has not seen all up to a base must be sent everything, not differences.
//
// Invariants (sk_mergeable_check): index and expiries as above; base is within seen; counts and content are the sums.
#ifndef SK_DATA_MERGEABLE_H
#define SK_DATA_MERGEABLE_H

#include "clock/hlc.h"
#include "data/scalar.h"
#include "data/tree.h"

// What a key holds, as bits: the tag of its entry in `keys`. The order is that of what is shown first.
enum sk_slot { SK_SLOT_REGISTER = 1, SK_SLOT_COUNTER = 2, SK_SLOT_SET = 4, SK_SLOT_MAP = 8 };

typedef struct sk_head {
    sk_context context;
    sk_scalar scalar;
    sk_register expiry; // values: deadline, wall time in milliseconds, eight bytes
    uint64_t members;   // of the set
    uint64_t fields;    // of the map that are there
    uint64_t parts;     // entries of this key in `parts`; more than members + fields: dead tallies of fields
} sk_head;

typedef struct sk_piece {
    uint8_t flags;
    sk_slice key;
    sk_slice after; // FULL without FIRST: parts up to this name have been in earlier pieces
    sk_context context;
    sk_scalar scalar;
    sk_register expiry;
    uint64_t count; // of parts
    sk_slice parts; // still as bytes
} sk_piece;

typedef struct sk_mergeable {
    sk_tree_garbage garbage;
    sk_tree keys, parts, index, expiries;
    sk_vector seen, base;
    uint32_t node;
    sk_actor self; // 0: not told yet
    sk_hlc clock;
    uint64_t content;   // sum of a hash of everything that is there, modulo 2^64: equal where `seen` is
    uint64_t live;      // keys that hold something
    uint64_t settling;  // actor whose settled operations are being forgotten; 0: none left
    struct {            // of the head that was loaded last, as it is in `keys`
        sk_buffer entry;
        sk_tree_place place;
        sk_slice value;
        sk_vector vector;
        uint64_t due, hash;
        uint8_t tag;
        bool fresh;     // `keys` was not written since
    } loaded;
    sk_head head;       // scratch, all below
    sk_piece piece;
    sk_scalar scalar, other_scalar;
    sk_dots dots, other_dots;
    sk_buffer entry, name, part, index_key, encoded, hashed, change;
} sk_mergeable;

void sk_mergeable_init(sk_mergeable *state, uint32_t node, uint64_t drift_max_ms);
void sk_mergeable_deinit(sk_mergeable *state);
// Who makes changes here: a life of the node that has made none yet, anywhere.
void sk_mergeable_identify(sk_mergeable *state, uint64_t life);

// ---- Reading ----

// Decodes the head of a key into `out`, which must be zeroed or used before; borrowed from the tree until the next change. False: nothing
// is known of the key (out is empty). The tag tells what is there.
bool sk_mergeable_head(sk_mergeable *state, sk_slice key, sk_head *out, uint8_t *tag);
void sk_head_deinit(sk_head *head);
// Wall time at which the key expires; 0: never.
uint64_t sk_head_deadline(const sk_head *head);
// Is there something at this key now? `tag` tells what.
bool sk_mergeable_find(sk_mergeable *state, sk_slice key, uint64_t wall_ms, sk_value *out);

bool sk_mergeable_has_member(sk_mergeable *state, sk_slice key, sk_slice member);
// False: no such field. The scalar is borrowed until the next change.
bool sk_mergeable_field(sk_mergeable *state, sk_slice key, sk_slice field, sk_scalar *out);
// A name's place: below 2^SK_PLACE_BITS.
enum { SK_PLACE_BITS = 52, SK_PLACE_SIZE = 8 };
uint64_t sk_place(sk_slice name);
// Keys, tombstones and what has expired included, from a place on, or from the one at an index of state->keys.
void sk_key_seek(sk_tree_cursor *cursor, const sk_mergeable *state, uint64_t place);
void sk_key_seek_at(sk_tree_cursor *cursor, const sk_mergeable *state, uint64_t index);
bool sk_key_next(sk_tree_cursor *cursor, sk_slice *key, sk_value *value);
// Members or fields of a key from a place on, or from the one at an index (of all of that slot, dead fields included).
typedef struct sk_part_cursor {
    sk_tree_cursor cursor;
    sk_buffer bytes;
    size_t prefix_size;
} sk_part_cursor;
void sk_part_seek(sk_part_cursor *cursor, const sk_mergeable *state, sk_slice key, enum sk_slot slot, uint64_t place);
void sk_part_seek_at(sk_part_cursor *cursor, const sk_mergeable *state, sk_slice key, enum sk_slot slot, uint64_t index);
bool sk_part_next(sk_part_cursor *cursor, sk_slice *name, sk_value *value); // value.tag: 1 if it is there, 0 if dead
void sk_part_deinit(sk_part_cursor *cursor);

// Asks for the memory that changes of these keys will read first: up to SK_TREE_TOGETHER of them.
void sk_mergeable_prefetch(sk_mergeable *state, const sk_slice *keys, size_t count);

// ---- Changing ----
// Each call is one change; its operation is appended to `out`. Nothing is appended and false returned where nothing changes.

typedef struct sk_writer {
    sk_mergeable *state;
    uint64_t wall_ms;
    sk_buffer *out;
} sk_writer;

// A key whose time has come is cleared before anything else is done to it: call this first.
void sk_change_begin(sk_writer *writer, sk_slice key);
// The register is set, all else that was seen is gone. `deadline` 0: none.
void sk_change_set(sk_writer *writer, sk_slice key, sk_slice value, uint64_t deadline);
bool sk_change_clear(sk_writer *writer, sk_slice key); // false: nothing is there
bool sk_change_expire(sk_writer *writer, sk_slice key, uint64_t deadline); // 0: takes the deadline away
// False: this actor's tally would go beyond 64 bits.
bool sk_change_count(sk_writer *writer, sk_slice key, sk_total more);
bool sk_change_add_member(sk_writer *writer, sk_slice key, sk_slice member); // true: it was not there (both write an operation)
bool sk_change_remove_member(sk_writer *writer, sk_slice key, sk_slice member);
bool sk_change_set_field(sk_writer *writer, sk_slice key, sk_slice field, sk_slice value); // true: it was not there
bool sk_change_count_field(sk_writer *writer, sk_slice key, sk_slice field, sk_total more);
bool sk_change_remove_field(sk_writer *writer, sk_slice key, sk_slice field);

// A key whose time has come is absent for everybody at once; somebody has to clear it. The node that set the deadline does it then, the
// others SK_EXPIRY_LATE_MS later, should it be gone. At most `budget` keys. When the next is due: UINT64_MAX: none.
enum { SK_EXPIRY_LATE_MS = 60000 };
void sk_change_clear_due(sk_writer *writer, size_t budget);
uint64_t sk_mergeable_next_due(const sk_mergeable *state);

// ---- Merging ----

// The operation at the front of `bytes`: whose, which counters, how many bytes. 0 or SK_EPROTOCOL.
typedef struct sk_operation {
    sk_actor actor;
    uint64_t first, last;
    sk_slice piece;
    size_t size;
} sk_operation;
int sk_operation_read(sk_slice bytes, sk_operation *out);
bool sk_operation_key(const sk_operation *operation, sk_slice *key); // which key; false: malformed
// Applies it. 0: applied, or seen before; SK_EAGAIN: one before it is missing; SK_EPROTOCOL: malformed. Then nothing has changed.
int sk_mergeable_apply(sk_mergeable *state, const sk_operation *operation, uint64_t wall_ms);
// Merges a chunk (see sk_walk_next). 0 or SK_EPROTOCOL; pieces before the malformed one are merged then.
int sk_mergeable_merge(sk_mergeable *state, sk_slice chunk, uint64_t wall_ms);
// The state now reflects all changes up to `seen`; and, after a full walk, whatever `base` (may be NULL) says.
void sk_mergeable_join(sk_mergeable *state, const sk_vector *seen, const sk_vector *base);
// Nobody will ask for differences below `stable`: contexts and tombstones that say no more are forgotten, in slices by
// sk_mergeable_collect. What is beyond `seen` is not taken.
void sk_mergeable_settle(sk_mergeable *state, const sk_vector *stable);
bool sk_mergeable_collect(sk_mergeable *state, size_t budget); // true: there is more

// ---- Walking: what changed since a vector, or everything, as chunks ----

typedef struct sk_walk sk_walk;
// A walk over the state as of now, whatever changes meanwhile. since NULL, or not beyond base: everything.
sk_walk *sk_walk_open(sk_mergeable *state, const sk_vector *since);
bool sk_walk_is_full(const sk_walk *walk);
// Appends one chunk of about `budget` bytes. False: it was the last.
//   chunk   flags u8 (1: complete for the keys between the two bounds), base vector, [two bounds, each 0 or 1 and sized place and key],
//           sized pieces
bool sk_walk_next(sk_walk *walk, sk_buffer *out, size_t budget);
const sk_vector *sk_walk_seen(const sk_walk *walk); // as it was when the walk began
const sk_vector *sk_walk_base(const sk_walk *walk);
void sk_walk_close(sk_walk *walk); // before the state

// The whole state of one key as one piece: equal states have equal bytes. For comparing.
void sk_mergeable_export(sk_mergeable *state, sk_slice key, sk_buffer *out);

uint64_t sk_mergeable_bytes(const sk_mergeable *state); // logical
void sk_mergeable_check(sk_mergeable *state);           // aborts; O(n)

#endif
