#include "sim/connection.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/chronicle.h"
#include "sim/computer.h"

void sk_connections_init(sk_connections *connections, sk_world *world)
{
    *connections = (sk_connections){.world = world};
    sk_list_init(&connections->all);
}

static void release(sk_connection *connection)
{
    sk_list_remove(&connection->link);
    sk_buffer_deinit(&connection->input);
    sk_buffer_deinit(&connection->replies);
    sk_free(connection);
}

void sk_connections_deinit(sk_connections *connections)
{
    while (!sk_list_empty(&connections->all))
        release(SK_CONTAINER(connections->all.next, sk_connection, link));
}

sk_connection *sk_connection_open(sk_connections *connections, uint32_t client, sk_node_id to)
{
    sk_connection *made = sk_alloc_zeroed(sizeof *made);
    made->number = ++connections->count;
    made->client = client;
    made->to = to;
    made->client_open = true;
    sk_list_push_back(&connections->all, &made->link);
    return made;
}

sk_connection *sk_connection_find(sk_connections *connections, uint64_t number)
{
    for (sk_list *at = connections->all.previous; at != &connections->all; at = at->previous) {
        sk_connection *one = SK_CONTAINER(at, sk_connection, link);
        if (one->number == number) return one;
    }
    return NULL;
}

void sk_connection_let_go(sk_connection *connection)
{
    if (!connection->client_open && !connection->node_open) release(connection);
}

void sk_connection_send(sk_connections *connections, sk_connection *connection, bool to_node, sk_slice bytes,
                        bool end, sk_ns delay)
{
    sk_parcel *parcel = sk_alloc(sizeof *parcel + bytes.size);
    *parcel = (sk_parcel){.connection = connection->number, .end = end, .event = connections->event, .size = bytes.size};
    if (bytes.size) memcpy(parcel->bytes, bytes.data, bytes.size);
    sk_ns *last = to_node ? &connection->last_request : &connection->last_reply;
    sk_ns time = connections->world->now + delay;
    if (time <= *last) time = *last + 1;
    *last = time;
    sk_world_push(connections->world, time, to_node ? SK_WORLD_REQUEST : SK_WORLD_REPLY, connection->to,
                  connection->client, 0, parcel);
}

// The node's end does not exist, or no more: what comes is answered by a reset.
static void reset(sk_connections *connections, sk_connection *connection)
{
    connection->refused = true;
    connection->node_open = false;
    connection->side = NULL;
    if (connection->client_open)
        sk_connection_send(connections, connection, false, (sk_slice){0}, true, 100 * SK_US);
    sk_connection_let_go(connection);
}

static void node_end_gone(sk_connection *connection, sk_computer *computer)
{
    connection->node_open = false;
    sk_client *side = connection->side;
    connection->side = NULL;
    connection->waiting = NULL;
    sk_node_client_gone(computer->node, side);
    sk_connection_let_go(connection);
}

// False: the node takes no more clients, and the connection is gone.
static bool node_end_opens(sk_connections *connections, sk_connection *connection, sk_computer *computer)
{
    char address[32];
    snprintf(address, sizeof address, "10.1.0.%" PRIu32 ":%" PRIu64, connection->client,
             20000 + connection->number % 40000);
    connection->side = sk_node_client_open(computer->node, connection, address);
    connection->node_open = connection->side != NULL;
    bool taken = connection->side != NULL;
    if (!taken) reset(connections, connection);
    return taken;
}

void sk_connection_feed(sk_connections *connections, sk_connection *connection)
{
    sk_computer *computer = &connections->world->computers[connection->to];
    if (connection->refused || !sk_computer_running(computer)) return;
    if (!connection->node_open && !connection->input.size) return;
    sk_computer_input(computer);
    if (!connection->node_open && !node_end_opens(connections, connection, computer)) return;
    if (connection->input.size) {
        size_t used =
            sk_node_client_receive(computer->node, connection->side, sk_buffer_slice(&connection->input));
        SK_ASSERT(used <= connection->input.size);
        sk_buffer_consume(&connection->input, used);
    }
    if (connection->client_left) node_end_gone(connection, computer);
}

void sk_connection_arrive(sk_connections *connections, sk_connection *connection, const sk_parcel *parcel)
{
    sk_computer *computer = &connections->world->computers[connection->to];
    uint64_t number = connection->number;
    if (parcel->end) connection->client_left = true;
    if (!connection->refused && !sk_computer_up(computer)) {
        reset(connections, connection);
    } else if (!connection->refused) {
        sk_chronicle *chronicle = connections->world->chronicle;
        if (chronicle) sk_chronicle_arrive(chronicle, connection->to, connection->client, true, parcel->event);
        sk_buffer_append(&connection->input, parcel->bytes, parcel->size);
        sk_connection_feed(connections, connection);
    }
    connection = sk_connection_find(connections, number);
    if (connection && connection->client_left && !computer->paused) sk_connection_let_go(connection);
}
