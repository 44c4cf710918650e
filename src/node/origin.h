// Requests of this node's own clients for one space, on their way to be ordered.
//
//     waiting --(a leader is known; gets the next number)--> sent --(applied, or the leader's answer)--> answered
//        |                                                     |
//        | request-timeout                                     | request-timeout
//        v                                                     v
//     CLUSTERDOWN: certainly not ordered                    UNKNOWN: it stays, emptied of its command, until its number is resolved
//
// A number is given when a request is first sent, and sent requests are sent again, in order and with the same numbers,
// whenever the leader changes: the space's session (session.h) sees to it that each takes effect once.
//
// In a mergeable space the leader is this node's own replica, which runs what it is given at once and is given nothing twice. What it had not
// taken in time, for its disk or the state of a peer, is answered TRYAGAIN or LOADING: certainly not applied. What waits for the disk when the
// replica must begin another life is answered UNKNOWN.
//
// Invariants: numbers in `sent` ascend by one; the front of each ring has the earliest deadline; bytes is the sum of the
// commands held.
#ifndef SK_NODE_ORIGIN_H
#define SK_NODE_ORIGIN_H

#include "base/ring.h"
#include "base/time.h"
#include "protocol/protocol.h"

typedef struct sk_client sk_client;
typedef struct sk_space sk_space;

typedef struct sk_origin_item {
    sk_client *client; // NULL: nobody waits (any more)
    uint64_t slot;     // of the client's reply
    sk_ns deadline;
    uint8_t *command; // owned; NULL: emptied
    size_t command_size;
    uint64_t routing; // the version that it was routed by; 0: none
    uint8_t resp;
    bool control; // an order of rules.h
    bool answered;
} sk_origin_item;

typedef struct sk_origin {
    sk_ring waiting;      // of sk_origin_item
    sk_ring sent;         // of sk_origin_item; the first has number answered_to + 1
    uint64_t answered_max; // the greatest number that has had its answer
    uint64_t answered_to; // every number up to here is resolved
    size_t sent_count;    // of `sent`, given to the leader of (leader, epoch)
    size_t expired_count; // of `sent`, past their deadline
    size_t bytes;
    sk_node_id leader;    // to whom `sent` was sent last; 0: to nobody since
    uint64_t epoch;
    sk_ns resend_at;      // SK_NEVER: no need
    bool paused;          // after a refusal: nothing is sent before resend_at
    bool crowded;         // the refusal was our own replica's, which has as much under way as it takes: each answer makes room
    uint64_t resends;     // counted for INFO
} sk_origin;

void sk_origin_init(sk_origin *origin);
void sk_origin_deinit(sk_origin *origin);

// True when it should take no more for now (bounds of the configuration).
bool sk_origin_full(const sk_space *space);
// One request (argv borrowed). The reply arrives in the client's slot, in order, within request-timeout.
void sk_origin_submit(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv);
// The same for a request as it travels, and for an order of rules.h, whose reply nobody hears.
void sk_origin_submit_encoded(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, sk_slice command);
void sk_origin_submit_control(sk_space *space, sk_slice order);
// The space has been dropped: what was never sent is routed again, the rest may or may not have been applied.
void sk_origin_leave(sk_space *space);
// The result of a number of ours (this boot): from our own apply or from the leader. Answering twice is harmless.
void sk_origin_answer(sk_space *space, uint64_t number, sk_slice reply);
// The leader would not order this number now: send from there on again, soon.
void sk_origin_refused(sk_space *space, uint64_t number, int why);
// A snapshot replaced the state: whatever it shows as executed is answered from it.
void sk_origin_installed(sk_space *space);
// Timeouts, new leaders, resends. Once a turn.
void sk_origin_turn(sk_space *space);
sk_ns sk_origin_deadline(const sk_space *space);
void sk_origin_check(const sk_origin *origin);

#endif
