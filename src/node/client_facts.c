// What the host may know of a client, to decide whether to read from it and how long to keep it.
#include "node/client.h"

bool sk_node_client_stalled(const sk_client *client)
{
    return client->stalled;
}

bool sk_node_client_busy(const sk_client *client)
{
    return client->slots.count != 0 || client->job != NULL;
}
