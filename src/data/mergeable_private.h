// For src/data/mergeable*.c only.
#ifndef SK_DATA_MERGEABLE_PRIVATE_H
#define SK_DATA_MERGEABLE_PRIVATE_H

#include "data/mergeable.h"

// A piece as bytes:
//   flags u8, key sized, [FULL without FIRST: after, sized], context,
//   [not FULL, or FIRST: scalar, expiry], varint count of parts, each: slot u8, name sized, body sized (dots or scalar)
//
//   FULL   the key's state: what the context has seen and the piece does not have is gone. FIRST and LAST: cut between parts.
//   else   an operation on one part: the context names exactly what it removes
enum { SK_PIECE_FULL = 1, SK_PIECE_FIRST = 2, SK_PIECE_LAST = 4, SK_PIECE_FLAGS_END = 8 };

// A part's name within its key: slot and name.
typedef struct sk_part_name {
    uint8_t slot;
    sk_slice name;
} sk_part_name;
int sk_part_compare(sk_part_name a, sk_part_name b);

// Reads and looks at everything, parts too; borrowed. 0 or SK_EPROTOCOL.
int sk_piece_read(sk_mergeable *state, sk_slice bytes, sk_piece *out);
// The next of a piece's parts: false at the end.
bool sk_piece_part(sk_reader *parts, uint64_t *left, sk_part_name *name, sk_slice *body);
void sk_piece_write_begin(sk_buffer *out, uint8_t flags, sk_slice key, sk_slice after, const sk_context *context);
void sk_piece_write_part(sk_buffer *out, sk_part_name name, sk_slice body);
void sk_piece_deinit(sk_piece *piece);

// Keys of the trees. What stands behind a key's own bytes in `parts` is a part's tail: slot, place, name.
sk_slice sk_key_entry(sk_buffer *buffer, sk_slice key);
sk_slice sk_entry_name(sk_slice entry); // behind the place
sk_part_name sk_part_of(sk_slice tail);
sk_slice sk_part_key(sk_buffer *buffer, sk_slice key, sk_part_name name);
sk_slice sk_part_prefix(sk_buffer *buffer, sk_slice key);
sk_slice sk_index_key(sk_buffer *buffer, sk_actor actor, uint64_t counter, sk_slice key);
sk_dot sk_index_dot(sk_slice index_key, sk_slice *key);

int sk_head_read(sk_head *out, sk_slice bytes);
// Its context and counts, and where its scalar and expiry stand; these are read too if there are parts. SK_ECORRUPT as above.
int sk_head_read_outline(sk_head *out, sk_slice bytes, sk_slice *content);
// Loads a key's head, empty if there is none, to be changed and stored. Between the two `keys` is not written: its place, and what the
// head was, are kept in the state. False: nothing is known of the key.
bool sk_head_load(sk_mergeable *state, sk_slice key, sk_head *head);
// Nothing about it is to be forgotten when base covers it: see the index. `tag`: of its entry in `keys`.
bool sk_head_plain(const sk_head *head, uint8_t tag);
// Puts the head that was loaded last back, and keeps index, expiries, content and live in step.
void sk_head_store(sk_mergeable *state, sk_slice key, sk_head *head);
uint64_t sk_head_due(const sk_mergeable *state, const sk_head *head); // when this node is to clear the key; 0: never
uint64_t sk_head_hash(sk_mergeable *state, sk_slice key, const sk_head *head);
uint64_t sk_part_hash(sk_slice key, sk_part_name name, sk_slice content);

// One part of a key: stored, or removed if it holds nothing. Keeps content and the head's counts.
void sk_member_store(sk_mergeable *state, sk_head *head, sk_slice key, sk_slice member, const sk_dots *before, const sk_dots *dots);
void sk_field_store(sk_mergeable *state, sk_head *head, sk_slice key, sk_slice field, uint64_t hash, bool was, bool was_live,
                    const sk_scalar *scalar);
uint64_t sk_field_hash(sk_mergeable *state, sk_slice key, sk_slice field, const sk_scalar *scalar);
bool sk_member_load(const sk_mergeable *state, sk_buffer *buffer, sk_slice key, sk_slice member, sk_dots *out);
bool sk_field_load(const sk_mergeable *state, sk_buffer *buffer, sk_slice key, sk_slice field, sk_scalar *out);

// Merges a piece that has been read into state->piece. `base` of whoever sent it, or NULL; `dot`: the operation's last, or 0.
void sk_piece_merge(sk_mergeable *state, const sk_vector *base, sk_dot dot, uint64_t wall_ms);

#endif
