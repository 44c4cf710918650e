// One connection to another node: bytes to frames and back, with a hello first.
//
//     dialled    CONNECTING --connected: our hello--> GREETING --its hello, accepted--> UP --cut--> closed
//     accepted                                        GREETING --its hello; ours; accepted--> UP --cut-->
//     closed
//
// Invariants
//   - before UP a frame is a hello and no longer than a hello can be
//   - what is kept for a frame under way grows with bytes that came, never with a claimed size, and is given
//   back after it
//   - what waits to be sent is bounded by out_max (one frame alone may be larger): beyond, the link is cut
//   - `closed` is called exactly once, never from inside a call of the owner's; the link is freed after it
// A malformed, damaged, or too large frame ends the link; there is no resynchronisation.
#ifndef SK_HOST_LINK_H
#define SK_HOST_LINK_H

#include <uv.h>
#include "base/list.h"
#include "host/address.h"
#include "protocol/protocol.h"
#include "wire/frame.h"

typedef struct sk_link sk_link;

typedef struct sk_link_ops {
    // The other side's hello. NULL to go on as UP, or why not (copied before it is gone).
    const char *(*hello)(sk_link *link, const sk_hello *hello);
    // A frame of an UP link; payload borrowed. The link may be cut from within.
    void (*frame)(sk_link *link, const sk_frame *frame);
    void (*closed)(sk_link *link, const char *why);
} sk_link_ops;

typedef struct sk_link_setup {
    uv_loop_t *loop;
    const sk_link_ops *ops;
    void *owner;
    uint8_t *scratch; // shared by all links of the loop, for reading
    size_t scratch_size;
    size_t out_max;
    uint32_t hello_timeout_ms;
    uint32_t connect_timeout_ms;
} sk_link_setup;

enum sk_link_state { SK_LINK_CONNECTING, SK_LINK_GREETING, SK_LINK_UP, SK_LINK_CLOSED };
enum { SK_LINK_WHY_MAX = 200 };

struct sk_link {
    const sk_link_setup *setup;
    enum sk_link_state state;
    bool dialled;
    int fd;
    uv_poll_t poll;
    uv_timer_t timer;
    int handles; // not yet closed
    sk_buffer in;
    sk_buffer out;
    size_t written; // of out
    sk_hello own;   // what we say
    char why[SK_LINK_WHY_MAX];
    char address[SK_ADDRESS_TEXT_MAX]; // of the other side

    // The owner's.
    sk_list siblings;
    sk_node_id peer; // whose link this is (UP), or is meant to be (dialled); 0: not known
    uint64_t boot;
    sk_ns since;
};

// `setup` must outlive the link. NULL: no connection could be begun (then nothing will be called).
sk_link *sk_link_dial(const sk_link_setup *setup, const sk_socket_address *to, const sk_hello *own);
// Takes over `fd`, also when it fails.
sk_link *sk_link_accepted(const sk_link_setup *setup, int fd, const sk_socket_address *from,
                          const sk_hello *own);
// Sends whole frames (copied as needed). Dropped without a word unless UP.
void sk_link_send(sk_link *link, sk_slice frames);
// Ends it; `closed` follows from the loop. Harmless if it is ended already.
void sk_link_cut(sk_link *link, const char *why);
size_t sk_link_waiting(const sk_link *link); // bytes not yet given to the kernel

#endif
