// Messages between replicas, and records on disk. Integers are varints, vectors as clock/vector.h writes them.
//
//   kind         fields                                   from, to
//   OPERATIONS   operations                               who changed something, to all
//   REPORT       wall, life, digest, flag, seen, base    to all
//   ASK          session, everything, seen                who misses something, to somebody who has it
//   CHUNK        session, number, chunk                   back
//   GRANT        session, number                          to the sender: chunks up to there have been merged
//   DONE         session, number, full, seen, base        back, behind the last chunk
#ifndef SK_PROTOCOL_CRDT_MESSAGE_H
#define SK_PROTOCOL_CRDT_MESSAGE_H

#include "clock/vector.h"

enum sk_crdt_kind {
    SK_CRDT_OPERATIONS = 1,
    SK_CRDT_REPORT,
    SK_CRDT_ASK,
    SK_CRDT_CHUNK,
    SK_CRDT_GRANT,
    SK_CRDT_DONE,
    SK_CRDT_KIND_END,
};

enum { SK_CRDT_EXACT = 1, SK_CRDT_ANSWER = 2 }; // no walk is half merged; the other is to report, too

enum sk_crdt_record { SK_CRDT_RECORD_OPERATIONS = 1, SK_CRDT_RECORD_CHUNK, SK_CRDT_RECORD_JOINED, SK_CRDT_RECORD_LIFE };

enum { SK_CRDT_VECTOR_MAX = 65536 }; // entries; retirement keeps them few

typedef struct sk_crdt_message {
    enum sk_crdt_kind kind;
    uint64_t wall_ms, life, digest;
    uint64_t session, number;
    uint8_t flag;        // REPORT: SK_CRDT_EXACT, SK_CRDT_ANSWER; ASK: everything; DONE: full
    sk_vector seen;      // owned, with base, by whoever read the message
    sk_vector base;      // DONE: of the walk; REPORT: the sender's lives before it closed them
    sk_slice bytes;      // OPERATIONS, CHUNK
} sk_crdt_message;

void sk_crdt_message_write_head(const sk_crdt_message *message, sk_buffer *out); // all but `bytes`, which come last
void sk_crdt_message_write(const sk_crdt_message *message, sk_buffer *out);
int sk_crdt_message_read(sk_slice bytes, sk_crdt_message *out); // 0 or SK_EPROTOCOL; bytes borrowed; deinit in any case
void sk_crdt_message_deinit(sk_crdt_message *message);

#endif
