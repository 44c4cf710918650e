// A record: what a replica asks to have on disk, and what recovery gives back.
#ifndef SK_WIRE_RECORD_H
#define SK_WIRE_RECORD_H

#include "base/bytes.h"

enum sk_record_kind {
    SK_RECORD_ENTRY = 1,    // position, epoch, payload: what was ordered (or accepted) there
    SK_RECORD_STATE = 2,    // epoch, payload: the small state that must survive (term and vote); the last one counts
    SK_RECORD_TRUNCATE = 3, // entries at `position` and above are void
};

typedef struct sk_record {
    enum sk_record_kind kind;
    uint64_t number; // the replica's own numbering: 1, 2, 3, ...
    uint64_t position;
    uint64_t epoch; // the protocol's own word: term, ballot, view
    sk_slice payload;
} sk_record;

#endif
