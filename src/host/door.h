// The client port: accepts, reads, writes; the node does everything in between.
//
//     SERVED    the node knows it
//     CLOSING   the node has forgotten it: what is left of its replies goes out, then it is shut
//     LINGERING shut for writing; reads and forgets what still comes, so that the last reply is not lost in a
//     reset BROKEN    its descriptor is closed; the node hears of it, and its memory goes, when the loop has
//     let go of it
//
// A client that the node has enough of is not read, so that TCP holds it back. One that has ended its side
// (half-closed) is kept until what it asked is answered, at most HALF_CLOSED_MAX.
#ifndef SK_HOST_DOOR_H
#define SK_HOST_DOOR_H

#include <uv.h>
#include "base/list.h"
#include "host/socket_batch.h"
#include "node/node.h"

typedef struct sk_host sk_host;
typedef struct sk_connection sk_connection;

typedef struct sk_door {
    sk_host *host;
    int listener;
    uv_poll_t poll;
    uv_timer_t pause; // out of descriptors: accepting waits
    uv_timer_t sweep; // while anybody is to be gone by a deadline
    sk_list connections;
    sk_list resumes; // those to be looked at before the next turn
    sk_list leaving; // CLOSING, LINGERING and half-closed ones
    sk_list reads, sends; // those whose turn comes in the next batch
    sk_socket_batch *batch;
    uint8_t *inputs; // where a batch of reads goes
    uint32_t count;
    uint32_t count_max;
    const char *refusal; // NULL: the node serves
} sk_door;

void sk_door_open(sk_door *door, sk_host *host, int listener, uint32_t count_max);
void sk_door_start(sk_door *door); // begins to accept
void sk_door_stop(sk_door *door);  // no more; those who are here stay
void sk_door_close(sk_door *door); // everybody out; the loop must run until it has let go
// Gives the node what has come, in batches. Before a turn.
void sk_door_receive(sk_door *door);
// Sends what the node has answered, in batches. After a turn.
void sk_door_send(sk_door *door);
// Gives the node what it asked for again. Before a turn.
void sk_door_resume(sk_door *door);
bool sk_door_waits(const sk_door *door); // somebody is to be resumed

// The node's calls (node.h).
void sk_door_output(void *handle, sk_buffer *out);
void sk_door_client_close(void *handle, sk_buffer *out);
void sk_door_client_resume(void *handle);

#endif
