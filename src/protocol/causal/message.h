// Messages between replicas, as bytes of merger/message.h, and records on disk.
//
//   batch        actor, first, last, closes, needs, sized operations: changes first ... last of one actor, and what must have been
//                delivered before them. Left out of `needs`: the actor's own earlier changes, what an earlier batch of the actor needed,
//                and retired lives, which follow from the rest. `closes`: this life of the actor's node, and those before it, are over and
//                complete (0: none).
//
//   kind         fields                                   from, to
//   BATCHES      batches                                  who changed something, to all
//   REPORT       wall, life, heard, wanted, digest, exact, seen   to all; heard: the life that the receiver last reported itself (0: none
//                                                         yet); wanted: the receiver's report is
//   ASK          session, everything, seen                who misses something, to somebody who has it
//   LOGGED       session, number, batches                 back: batches as they were delivered there
//   CHUNK        session, number, chunk                   back: a piece of the state
//   GRANT        session, number                          to the sender: so many have come
//   LOGGED_ALL   session, number                          back, behind the last LOGGED
//   DONE         session, number, full, seen, base        back, behind the last CHUNK
//
//   record       fields
//   BATCH        batch, delivered here
//   CHUNK        chunk: not merged before its JOINED
//   JOINED       number of chunks before it, full, since, seen, base: with those chunks a state holds all up to `seen`, if it held all
//                up to `since` before, or the chunks are full
#ifndef SK_PROTOCOL_CAUSAL_MESSAGE_H
#define SK_PROTOCOL_CAUSAL_MESSAGE_H

#include "protocol/merger/message.h"

enum sk_causal_kind {
    SK_CAUSAL_BATCHES = 1,
    SK_CAUSAL_REPORT,
    SK_CAUSAL_ASK,
    SK_CAUSAL_LOGGED,
    SK_CAUSAL_CHUNK,
    SK_CAUSAL_GRANT,
    SK_CAUSAL_LOGGED_ALL,
    SK_CAUSAL_DONE,
    SK_CAUSAL_KIND_END,
};

enum sk_causal_record { SK_CAUSAL_RECORD_BATCH = 1, SK_CAUSAL_RECORD_CHUNK, SK_CAUSAL_RECORD_JOINED };

// flag: of REPORT exact (no operation is under way); of ASK everything; of DONE full.
extern const sk_merger_form sk_causal_form;

typedef struct sk_causal_batch {
    sk_actor actor;
    uint64_t first, last;
    uint64_t closes;
    sk_slice operations;
    sk_slice bytes; // all of it
} sk_causal_batch;

void sk_causal_batch_write(const sk_causal_batch *batch, const sk_vector *needs, sk_buffer *out); // from all but batch->bytes
// The next batch of a run; `needs` is replaced. Makes the reader bad when it is not what an honest replica writes: operations of that
// actor alone, numbered without a gap from first to last; it closes lives before its own.
void sk_causal_batch_read(sk_reader *reader, sk_causal_batch *out, sk_vector *needs);

#endif
