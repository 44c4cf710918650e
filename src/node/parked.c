// Requests between two spaces, and requests that wait for the way of a space to end.
//
//     turned away by a fence or a closed space --> parked --(this node routes by that version)--> routed again
//     its space is not open here yet           --> parked --(it is)-----------------------------> routed again
//     SPACE CREATE, SPACE DROP: begun          --> waiting --(its outcome is in the catalogue)--> answered
//
// All end within request-timeout. A parked request has certainly not been applied. Its connection gives nothing more to be run until
// all it has under way is answered, so what came behind it in the same space stays behind it. How many there can be: what the origin
// and the reads of a space held when it was fenced or closed, and one for each connection.
#include "base/alloc.h"
#include "base/assert.h"
#include "node/route.h"
#include "node/state.h"
#include "node/verdict.h"

enum { TRIES_MAX = 8 };

static const char try_again[] =
    "-TRYAGAIN the spaces are being changed and this node does not know enough yet: certainly not applied, try again\r\n";

typedef struct parked {
    sk_list link;
    sk_client *client;
    uint64_t slot;
    uint64_t version;
    sk_ns deadline;
    uint8_t resp;
    bool ordered;
    size_t size;
    uint8_t command[];
} parked;

typedef struct waiter {
    sk_list link;
    sk_client *client;
    uint64_t slot;
    uint32_t id;
    uint64_t version;
    sk_ns deadline;
} waiter;

// ---- In ----

void sk_route_park(sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command, uint64_t version,
                   sk_ns deadline)
{
    sk_node *node = client->node;
    parked *one = sk_alloc(sizeof *one + command.size);
    *one = (parked){.client = client, .slot = slot, .version = version, .deadline = deadline, .resp = resp, .ordered = ordered,
                    .size = command.size};
    memcpy(one->command, command.data, command.size);
    sk_list_push_back(&node->parked, &one->link);
    client->exclusive = true;
    node->parked_look = true;
}

// The request as its client sent it: the space's prefix before each key again.
static void restore_prefix(const sk_space *space, sk_slice command, sk_buffer *out)
{
    sk_slice *argv = sk_alloc((command.size + 1) * sizeof *argv); // an argument takes at least a byte
    int argc = sk_command_decode(command, argv, command.size);
    SK_ASSERT(argc > 0);
    sk_buffer nowhere = {0}, keys = {0};
    const sk_command *row = sk_command_select((size_t)argc, argv, &(sk_reply){.out = &nowhere, .resp = 2});
    size_t total = 0;
    for (size_t i = 0, at; row && (at = sk_command_key(row, (size_t)argc, i)); i++) total += space->prefix.size + argv[at].size;
    sk_buffer_reserve(&keys, total + 1); // so that it does not move
    for (size_t i = 0, at; row && (at = sk_command_key(row, (size_t)argc, i)); i++) {
        size_t from = keys.size;
        sk_buffer_append_slice(&keys, sk_buffer_slice(&space->prefix));
        sk_buffer_append_slice(&keys, argv[at]);
        argv[at] = sk_buffer_part(&keys, from, keys.size - from);
    }
    sk_command_encode(out, (size_t)argc, argv);
    sk_buffer_deinit(&keys);
    sk_buffer_deinit(&nowhere);
    sk_free(argv);
}

void sk_route_again(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command,
                    uint64_t version, sk_ns deadline)
{
    bool created = space->id >= SK_SPACE_FIRST_ID;
    if (created && client->bound == space->id) {
        sk_reply reply = {.out = sk_client_reply_at(client, slot), .resp = resp};
        sk_route_reply_dropped(client, &reply);
        sk_client_complete(client, slot);
        return;
    }
    if (++client->tries > TRIES_MAX) {
        sk_client_answer(client, slot, sk_slice_text(try_again));
        return;
    }
    sk_buffer whole = {0};
    if (created) restore_prefix(space, command, &whole);
    sk_route_park(client, slot, resp, ordered, created ? sk_buffer_slice(&whole) : command, version, deadline);
    sk_buffer_deinit(&whole);
}

void sk_route_leave(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command, sk_ns deadline)
{
    sk_route_again(space, client, slot, resp, ordered, command, 0, deadline);
}

void sk_route_verdict(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool ordered, sk_slice command,
                      sk_ns deadline, sk_slice reply)
{
    sk_verdict verdict;
    if (!sk_verdict_read(reply, &verdict)) {
        sk_client_answer(client, slot, sk_slice_text("-ERR this node does not know what became of the request: it is older than the "
                                                     "others, update it\r\n"));
        return;
    }
    sk_node *node = space->node;
    if (verdict.kind == SK_VERDICT_AGAIN) {
        sk_route_again(space, client, slot, resp, ordered, command, verdict.version, deadline);
        return;
    }
    waiter *one = sk_alloc(sizeof *one);
    *one = (waiter){.client = client, .slot = slot, .id = verdict.id, .version = verdict.version,
                    .deadline = node->now + node->config.request_timeout};
    sk_list_push_back(&node->waiting, &one->link);
    node->parked_look = true;
}

// ---- Out ----

static void run(sk_node *node, parked *one)
{
    if (one->version > sk_route_version(node)) return;
    sk_slice bytes = sk_slice_make(one->command, one->size);
    sk_slice *argv = sk_alloc((one->size + 1) * sizeof *argv);
    int argc = sk_command_decode(bytes, argv, one->size);
    SK_ASSERT(argc > 0);
    sk_buffer refusal = {0};
    sk_reply reply = {.out = &refusal, .resp = one->resp};
    const sk_command *command = sk_command_select((size_t)argc, argv, &reply);
    sk_route route;
    enum sk_route_result result =
        command ? sk_route_find(one->client, command, (size_t)argc, argv, &route, &reply) : SK_ROUTE_REFUSED;
    bool full = result == SK_ROUTE_GO && (one->ordered ? sk_origin_full(route.space) : sk_reads_full(route.space));
    bool stays = full || result == SK_ROUTE_WAIT;
    node->parked_look |= full;
    if (!stays) {
        sk_list_remove(&one->link);
        if (result == SK_ROUTE_REFUSED) sk_client_answer(one->client, one->slot, sk_buffer_slice(&refusal));
        else if (one->ordered) sk_origin_submit(route.space, one->client, one->slot, one->resp, (size_t)argc, route.argv);
        else sk_reads_add(route.space, one->client, one->slot, one->resp, (size_t)argc, route.argv);
        sk_free(one);
    }
    sk_buffer_deinit(&refusal);
    sk_free(argv);
}

static const char *outcome_text(enum sk_outcome_kind kind)
{
    switch (kind) {
    case SK_OUTCOME_ACTIVE:
    case SK_OUTCOME_DROPPED: return "+OK\r\n";
    case SK_OUTCOME_REFUSED:
        return "-ERR the default space has keys with this prefix: copy and delete them first, or choose another prefix\r\n";
    case SK_OUTCOME_KEPT: return "-ERR the space holds keys: delete them first, or SPACE DROP name FORCE\r\n";
    }
    return "-ERR unknown\r\n";
}

static void answer(sk_node *node, waiter *one)
{
    const sk_outcome *outcome = sk_catalogue_outcome(&node->roster.known, one->id, one->version);
    bool late = one->deadline <= node->now;
    if (!outcome && !late) return;
    sk_list_remove(&one->link);
    sk_client_answer(one->client, one->slot,
                     sk_slice_text(outcome ? outcome_text(outcome->kind)
                                           : "-UNKNOWN begun, and not over within request-timeout: it goes on by itself, SPACE LIST shows "
                                             "how far it is\r\n"));
    sk_free(one);
}

void sk_parked_turn(sk_node *node)
{
    bool look = node->parked_look;
    node->parked_look = false;
    // In order: what was parked first is routed first.
    sk_list *at = node->parked.next;
    while (at != &node->parked) {
        parked *one = SK_CONTAINER(at, parked, link);
        at = at->next;
        if (one->deadline <= node->now) {
            sk_list_remove(&one->link);
            sk_client_answer(one->client, one->slot, sk_slice_text(try_again));
            sk_free(one);
        } else if (look) {
            run(node, one);
        }
    }
    at = node->waiting.next;
    while (at != &node->waiting) {
        waiter *one = SK_CONTAINER(at, waiter, link);
        at = at->next;
        if (look || one->deadline <= node->now) answer(node, one);
    }
}

sk_ns sk_parked_deadline(const sk_node *node)
{
    sk_ns at = SK_NEVER;
    for (const sk_list *link = node->parked.next; link != &node->parked; link = link->next) {
        const parked *one = SK_CONTAINER(link, parked, link);
        if (one->deadline < at) at = one->deadline;
    }
    for (const sk_list *link = node->waiting.next; link != &node->waiting; link = link->next) {
        const waiter *one = SK_CONTAINER(link, waiter, link);
        if (one->deadline < at) at = one->deadline;
    }
    return at;
}

void sk_parked_deinit(sk_node *node)
{
    while (!sk_list_empty(&node->parked)) {
        parked *one = SK_CONTAINER(node->parked.next, parked, link);
        sk_list_remove(&one->link);
        sk_free(one);
    }
    while (!sk_list_empty(&node->waiting)) {
        waiter *one = SK_CONTAINER(node->waiting.next, waiter, link);
        sk_list_remove(&one->link);
        sk_free(one);
    }
}
