// Replies that are for nodes alone: an entry's result that its origin acts upon instead of handing it to the client.
// They begin with a byte that no RESP reply begins with, travel and are kept as replies are (forward.h, session.h).
//
//   again   1 'A' varint  not executed: the key belongs to another space for who routes by this version or a later one
//   wait    1 'W' varint varint   begun: answer when the space of that id has come to the end of what this version began
#ifndef SK_NODE_VERDICT_H
#define SK_NODE_VERDICT_H

#include "wire/codec.h"

enum sk_verdict_kind { SK_VERDICT_NONE = 0, SK_VERDICT_AGAIN = 'A', SK_VERDICT_WAIT = 'W' };

typedef struct sk_verdict {
    enum sk_verdict_kind kind;
    uint64_t version;
    uint32_t id; // WAIT
} sk_verdict;

static inline bool sk_is_verdict(sk_slice reply)
{
    return reply.size && reply.data[0] == 1;
}

static inline void sk_verdict_write(sk_buffer *out, const sk_verdict *verdict)
{
    sk_write_u8(out, 1);
    sk_write_u8(out, (uint8_t)verdict->kind);
    sk_write_varint(out, verdict->version);
    if (verdict->kind == SK_VERDICT_WAIT) sk_write_varint(out, verdict->id);
}

// False: not one that we know.
static inline bool sk_verdict_read(sk_slice reply, sk_verdict *out)
{
    sk_reader reader = sk_reader_make(reply);
    if (sk_read_u8(&reader) != 1) return false;
    uint8_t kind = sk_read_u8(&reader);
    *out = (sk_verdict){.kind = (enum sk_verdict_kind)kind, .version = sk_read_varint(&reader)};
    if (kind == SK_VERDICT_WAIT) out->id = (uint32_t)sk_read_varint(&reader);
    return sk_reader_done(&reader) && (kind == SK_VERDICT_AGAIN || kind == SK_VERDICT_WAIT);
}

#endif
