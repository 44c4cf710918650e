// Messages of crdt and causal replicas, as bytes: what fields there are. Which kinds there are, and which of the fields each has, is the
// protocol's: its message.h. Integers are varints, vectors as clock/vector.h writes them; fields come in the order of the list below,
// those that a kind has not are left out.
#ifndef SK_PROTOCOL_MERGER_MESSAGE_H
#define SK_PROTOCOL_MERGER_MESSAGE_H

#include "clock/vector.h"

enum { SK_MERGER_VECTOR_MAX = 65536 }; // entries; retirement keeps them few

enum {
    SK_HAS_REPORT = 1,  // wall, life, digest
    SK_HAS_HEARD = 2,   // with it, behind the life: heard life, wanted
    SK_HAS_SESSION = 4,
    SK_HAS_NUMBER = 8,
    SK_HAS_FLAG = 16,   // one bit
    SK_HAS_FLAGS = 32,  // two
    SK_HAS_SEEN = 64,
    SK_HAS_BASE = 128,
    SK_HAS_BYTES = 256, // the rest
};

// A protocol's kinds: the fields of each, 0 for a number that is none.
typedef struct sk_merger_form {
    const uint16_t *fields;
    uint8_t kind_end;
} sk_merger_form;

typedef struct sk_merger_message {
    uint8_t kind;
    uint64_t wall_ms, life, heard_life, digest;
    uint64_t session, number;
    bool wanted;
    uint8_t flag;
    sk_vector seen, base; // owned by whoever read the message
    sk_slice bytes;
} sk_merger_message;

void sk_merger_message_write_head(const sk_merger_form *form, const sk_merger_message *message, sk_buffer *out); // all but `bytes`
void sk_merger_message_write(const sk_merger_form *form, const sk_merger_message *message, sk_buffer *out);
// 0 or SK_EPROTOCOL; bytes borrowed; deinit in any case.
int sk_merger_message_read(const sk_merger_form *form, sk_slice bytes, sk_merger_message *out);
void sk_merger_message_deinit(sk_merger_message *message);

#endif
