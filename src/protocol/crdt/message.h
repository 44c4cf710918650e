// Messages between replicas, as bytes of merger/message.h, and records on disk.
//
//   kind         fields                                   from, to
//   OPERATIONS   operations                               who changed something, to all
//   REPORT       wall, life, heard life, wanted, digest, flag, seen, base   to all
//   ASK          session, everything, seen                who misses something, to somebody who has it
//   CHUNK        session, number, chunk                   back
//   GRANT        session, number                          to the sender: chunks up to there have been merged
//   DONE         session, number, full, seen, base        back, behind the last chunk
#ifndef SK_PROTOCOL_CRDT_MESSAGE_H
#define SK_PROTOCOL_CRDT_MESSAGE_H

#include "protocol/merger/message.h"

enum sk_crdt_kind {
    SK_CRDT_OPERATIONS = 1,
    SK_CRDT_REPORT,
    SK_CRDT_ASK,
    SK_CRDT_CHUNK,
    SK_CRDT_GRANT,
    SK_CRDT_DONE,
    SK_CRDT_KIND_END,
};

enum { SK_CRDT_EXACT = 1, SK_CRDT_BACK = 2 }; // no walk is half merged; the receiver's disk went back, as far as the sender knows

enum sk_crdt_record { SK_CRDT_RECORD_OPERATIONS = 1, SK_CRDT_RECORD_CHUNK, SK_CRDT_RECORD_JOINED, SK_CRDT_RECORD_LIFE };

// flag: of REPORT SK_CRDT_EXACT and SK_CRDT_BACK; of ASK everything; of DONE full. base: of DONE the walk's; of REPORT the sender's lives
// before it closed them.
extern const sk_merger_form sk_crdt_form;

#endif
