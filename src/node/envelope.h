// What a space's log entry holds: the request of a client, and what its orderer chose for it.
//
//   flags     u8      which of the fields below are there
//   clock     varint  the space's clock after this entry, milliseconds
//   offset    zigzag  (SK_ENVELOPE_OFFSET) wall time minus clock, from here on
//   origin    varint  (SK_ENVELOPE_ORIGIN) node the request came in at
//   boot      varint  its boot
//   number    varint  the request's number there
//   behind    varint  number minus the greatest number below which all are answered
//   routing   varint  (SK_ENVELOPE_ROUTED) version of the catalogue by which it was routed here (catalogue.h); absent: 0
//   command   the rest, as sk_command_encode writes it; empty: only the clock moves (or a number is used up);
//             SK_ENVELOPE_CONTROL: not for the machine, an order of rules.h
#ifndef SK_NODE_ENVELOPE_H
#define SK_NODE_ENVELOPE_H

#include "protocol/protocol.h"
#include "wire/codec.h"

enum {
    SK_ENVELOPE_ORIGIN = 1,
    SK_ENVELOPE_OFFSET = 2,
    SK_ENVELOPE_RESP3 = 4,
    SK_ENVELOPE_ROUTED = 8,
    SK_ENVELOPE_CONTROL = 16,
    SK_ENVELOPE_SIZE_MAX = 80,
};

typedef struct sk_envelope {
    uint8_t flags;
    uint64_t clock_ms;
    int64_t wall_offset_ms;
    sk_node_id origin;
    uint64_t boot;
    uint64_t number;
    uint64_t answered; // every number up to here has been answered
    uint64_t routing;
    sk_slice command;
} sk_envelope;

void sk_envelope_write(sk_buffer *out, const sk_envelope *envelope);
// 0 or SK_EPROTOCOL; command is borrowed.
int sk_envelope_read(sk_slice payload, sk_envelope *out);

#endif
