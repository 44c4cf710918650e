// Which space a request belongs to, and whether that space can honour it.
//
// A connection sees either the routed view (a key's prefix picks its space and is cut off there; requests without keys mean
// the default space), or, after SELECT n, one space alone with keys as they are.
#ifndef SK_NODE_ROUTE_H
#define SK_NODE_ROUTE_H

#include "node/client.h"
#include "redis/command.h"

typedef struct sk_space sk_space;
typedef struct sk_space_record sk_space_record;

typedef struct sk_route {
    sk_space *space;
    const sk_slice *argv; // as the space sees it: the request's own, or cut in node->route_argv, valid until the next routing
} sk_route;

enum sk_route_result {
    SK_ROUTE_GO,
    SK_ROUTE_WAIT,    // the space exists and is not open here yet
    SK_ROUTE_REFUSED, // the error has been replied
};

enum sk_route_result sk_route_find(const sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv,
                                   sk_route *out, sk_reply *refusal);
// The routing version that requests are routed by now (catalogue.h); entries of the default space carry it.
uint64_t sk_route_version(const sk_node *node);
// What a request for this space carries: only the default space has fences.
uint64_t sk_route_stamp(const sk_space *space);

// The error of a connection whose space has been dropped.
void sk_route_reply_dropped(const sk_client *client, sk_reply *reply);

// ---- Requests on their way between spaces (parked.c) ----

// A reply for this node alone (verdict.h): acts on it; the slot is answered then or later.
void sk_route_verdict(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command,
                      sk_ns deadline, sk_slice reply);
// The space turned it away: to be routed again by this version or a later one.
void sk_route_again(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command,
                    uint64_t version, sk_ns deadline);
// Routes it again as soon as this node routes by that version (0: as soon as its space is open).
void sk_route_park(sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command, uint64_t version,
                   sk_ns deadline);
// The space is gone from here, and this was certainly not executed in it.
void sk_route_leave(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command,
                    sk_ns deadline);
void sk_parked_turn(sk_node *node);
sk_ns sk_parked_deadline(const sk_node *node);
void sk_parked_deinit(sk_node *node);

#endif
