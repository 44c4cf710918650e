// Peer frames: what one connection between two nodes carries for all spaces.
//
//   size    u32   bytes behind the three checked fields
//   crc     u32   CRC-32C of those bytes
//   head    u32   CRC-32C of size and crc: a size is believed at once or never. One that grew by a flipped bit would
//                 otherwise swallow all that follows, for as long as it takes to come, on a link that looks alive
//   kind    u8    enum sk_frame_kind
//   flags   u8    SK_FRAME_TRACED: 24 bytes of trace context (16 trace id, 8 span id) stand before the payload
//   space   varint
//   payload
//
// The first frame each way is a hello; nothing else is accepted before it. Frames end at SK_FRAME_SIZE_MAX: a greater
// size, an unknown flag or kind, or a wrong CRC (of the header: as soon as it is there) ends the connection (no resynchronisation).
#ifndef SK_WIRE_FRAME_H
#define SK_WIRE_FRAME_H

#include "base/bytes.h"
#include "base/error.h"

enum sk_frame_kind {
    SK_FRAME_HELLO = 1,
    SK_FRAME_PROTOCOL = 2,        // a protocol's message of one space
    SK_FRAME_FORWARD = 3,         // requests for the space's leader
    SK_FRAME_ANSWER = 4,          // their answers
    SK_FRAME_SNAPSHOT_OFFER = 5,  // node/transfer.h
    SK_FRAME_SNAPSHOT_ACCEPT = 6,
    SK_FRAME_SNAPSHOT_PIECE = 7,
    SK_FRAME_KIND_END = 8,
};

enum {
    SK_FRAME_TRACED = 1,
    SK_TRACE_CONTEXT_SIZE = 24,
    SK_FRAME_CHECKED_SIZE = 4 + 4 + 4,
    SK_FRAME_HEADER_SIZE_MAX = SK_FRAME_CHECKED_SIZE + 1 + 1 + 10,
    SK_FRAME_SIZE_MAX = 80 * 1024 * 1024, // the largest request (64 MiB) and room for its envelope
};

typedef struct sk_frame {
    enum sk_frame_kind kind;
    uint8_t flags;
    uint32_t space;
    sk_slice trace; // SK_TRACE_CONTEXT_SIZE bytes or none
    sk_slice payload;
} sk_frame;

// Appends one whole frame.
void sk_frame_write(sk_buffer *out, const sk_frame *frame);

// One frame at the start of `input`: 1 and `*used` (payload borrowed); 0: more bytes are needed; SK_EPROTOCOL or SK_ECORRUPT:
// end the connection. Sizes are checked before anything is believed; nothing is allocated.
int sk_frame_parse(sk_slice input, sk_frame *frame, size_t *used);

// ---- Hello ----
//   magic "SKEIN\0LK", format version u16, feature level u16, cluster id 16 bytes, node u32, boot u64,
//   address for clients (sized; may be empty)

enum { SK_WIRE_VERSION = 1, SK_FEATURE_LEVEL = 1, SK_HELLO_ADDRESS_MAX = 64 };

typedef struct sk_hello {
    uint16_t version;
    uint16_t feature_level;
    uint8_t cluster[16];
    uint32_t node;
    uint64_t boot;
    char client_address[SK_HELLO_ADDRESS_MAX]; // host:port, terminated
} sk_hello;

void sk_hello_write(sk_buffer *out, const sk_hello *hello); // the whole frame
// From a HELLO frame's payload: 0, SK_EPROTOCOL (not a Skein hello), SK_EVERSION (newer than ours). Whether cluster and node
// are right is the caller's to judge.
int sk_hello_read(sk_slice payload, sk_hello *out);

#endif
