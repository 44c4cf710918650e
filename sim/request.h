// Operations as RESP requests.
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "sim/keys.h"

// How values are padded: value V of the run with this seed always has the same bytes, so that a compare-and-set can name them.
typedef struct sk_request_padding {
    uint64_t seed;
    uint32_t size_max;
} sk_request_padding;

size_t sk_request_padding_of(const sk_request_padding *padding, uint64_t value);
// FOUND: `key` is the protocol's name; SESSION_USE: the token.
void sk_request_write(const sk_operation *operation, const char *key, const sk_request_padding *padding, sk_buffer *out);
bool sk_request_reads(enum sk_operation_kind kind);
bool sk_request_merges(enum sk_operation_kind kind);    // in a mergeable space
bool sk_request_changes(enum sk_operation_kind kind); // a write that changes a mergeable space, whatever it finds
bool sk_request_moves(enum sk_operation_kind kind);     // a session
bool sk_request_appends(enum sk_operation_kind kind);   // a token
const char *sk_request_verb(enum sk_operation_kind kind); // for people

#endif
