// The families that need the node: connection, server, NODE. Each row of redis/command.h with a function that runs at once,
// where the client is, when nothing of this client is under way.
#ifndef SK_NODE_COMMAND_COMMAND_H
#define SK_NODE_COMMAND_COMMAND_H

#include "node/client.h"
#include "redis/command.h"

typedef struct sk_node_call {
    sk_node *node;
    sk_client *client;
    size_t argc;
    const sk_slice *argv;
    uint64_t slot;
    sk_reply reply; // appends to the client's output
    bool deferred;  // set by the command: the slot is answered later, by a space
} sk_node_call;

typedef struct sk_node_command {
    sk_command row; // row.run is NULL
    void (*run)(sk_node_call *call);
} sk_node_command;

// NULL when there is none of that name (case does not matter).
const sk_node_command *sk_node_command_find(sk_slice name);
const sk_node_command *sk_node_command_rows(size_t *count);

#endif
