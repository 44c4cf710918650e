// One client's connection to a node: bytes both ways, each way in order, with delays. It lives until both
// ends let go.
#ifndef SIM_CONNECTION_H
#define SIM_CONNECTION_H

#include "base/list.h"
#include "sim/world.h"

typedef struct sk_connection {
    sk_list link;
    uint64_t number;
    uint32_t client;
    sk_node_id to;
    bool client_open; // the client still uses it
    bool node_open;   // the node still knows it (side is set)
    sk_client *side;  // the node's end
    bool refused;     // never got through; nothing that comes is looked at
    bool client_left; // the end of its bytes has come (waits while the computer is paused)
    sk_ns last_request, last_reply;
    sk_buffer input;    // come to the computer, not yet taken by the node
    sk_buffer *waiting; // the node's output that the client has not taken yet (slow reader); NULL: none
    sk_buffer replies;  // come to the client, not yet read
} sk_connection;

// Bytes under way; `end`: the sender closed behind them.
typedef struct sk_parcel {
    uint64_t connection;
    bool end;
    uint32_t event; // chronicle: its SEND; 0: none
    size_t size;
    uint8_t bytes[];
} sk_parcel;

typedef struct sk_connections {
    sk_world *world;
    sk_list all;
    uint64_t count; // opened so far
    uint32_t event; // chronicle: the SEND of what is being sent; 0: no message
} sk_connections;

void sk_connections_init(sk_connections *connections, sk_world *world);
void sk_connections_deinit(sk_connections *connections);
sk_connection *sk_connection_open(sk_connections *connections, uint32_t client, sk_node_id to);
sk_connection *sk_connection_find(sk_connections *connections, uint64_t number); // NULL: gone
void sk_connection_let_go(sk_connection *connection); // freed if neither end is open

void sk_connection_send(sk_connections *connections, sk_connection *connection, bool to_node, sk_slice bytes,
                        bool end, sk_ns delay);
// A REQUEST parcel has arrived, or the node can take more.
void sk_connection_arrive(sk_connections *connections, sk_connection *connection, const sk_parcel *parcel);
void sk_connection_feed(sk_connections *connections, sk_connection *connection);

#endif
