#include "node/client.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "node/command/command.h"
#include "node/route.h"
#include "node/state.h"

typedef struct slot {
    sk_buffer reply; // only when it is finished before those in front of it
    bool done, silent;
} slot;

enum {
    OUTPUT_SOFT_MAX = 1024 * 1024, // unread replies above this: its input waits
    OUTPUT_KEPT = 16 * 1024,
    JOB_BUDGET = 2000,
};

static const char no_room_reply[] = "-CLUSTERDOWN too many requests wait for this space's leader: certainly not applied, try again\r\n";

// ---- Life ----

sk_client *sk_node_client_open(sk_node *node, void *handle, const char *address)
{
    if (node->client_count >= node->config.clients_max || node->stopping) {
        node->rejected++;
        return NULL;
    }
    sk_client *client = sk_alloc_zeroed(sizeof *client);
    client->node = node;
    client->handle = handle;
    client->id = node->next_client_id++;
    snprintf(client->address, sizeof client->address, "%s", address);
    client->opened = client->active = node->now;
    client->resp = 2;
    client->slot_first = 1;
    sk_resp_limits limits = {.inline_size_max = 64 * 1024,
                             .bulk_size_max = node->config.request_size_max,
                             .argument_max = 1024 * 1024,
                             .request_size_max = node->config.request_size_max};
    sk_resp_parser_init(&client->parser, &limits);
    sk_ring_init(&client->slots, sizeof(slot));
    sk_list_init(&client->dirty);
    sk_list_init(&client->working);
    sk_list_init(&client->blocked);
    sk_list_push_back(&node->clients, &client->link);
    node->client_count++;
    node->connections++;
    return client;
}

void sk_client_free(sk_client *client)
{
    if (client->job) client->job->ops->close(client->job);
    for (size_t i = 0; i < client->slots.count; i++) sk_buffer_deinit(&((slot *)sk_ring_at(&client->slots, i))->reply);
    sk_ring_deinit(&client->slots);
    sk_resp_parser_deinit(&client->parser);
    sk_buffer_deinit(&client->out);
    sk_list_remove(&client->link);
    sk_list_remove(&client->dirty);
    sk_list_remove(&client->working);
    sk_list_remove(&client->blocked);
    client->node->client_count--;
    sk_free(client);
}

static void end_job(sk_client *client)
{
    if (client->job) {
        client->job->ops->close(client->job);
        sk_space *space = sk_node_space(client->node, client->space);
        if (space) sk_space_touch(space); // it has memory to give back
    }
    client->job = NULL;
    client->wait_until = 0;
    sk_token_wait_free(client->token);
    client->token = NULL;
    sk_list_remove(&client->working);
}

// The handle is gone (or given up): what is under way ends on its own, what only runs for this client ends now.
static void orphan(sk_client *client)
{
    client->handle = NULL;
    sk_list_remove(&client->blocked);
    sk_list_remove(&client->dirty);
    bool alone = client->job || client->wait_until;
    end_job(client);
    sk_buffer_deinit(&client->out);
    if (alone || client->slots.count == 0) sk_client_free(client);
}

void sk_node_client_gone(sk_node *node, sk_client *client)
{
    SK_ASSERT(client->node == node && client->handle);
    orphan(client);
}

void sk_client_touch(sk_client *client)
{
    if (client->handle && sk_list_empty(&client->dirty)) sk_list_push_back(&client->node->dirty, &client->dirty);
}

void sk_client_close(sk_client *client)
{
    client->closing = true;
    sk_client_touch(client);
}

bool sk_client_idle(const sk_client *client)
{
    return client->slots.count == 0;
}

// ---- Slots ----

static slot *slot_at(const sk_client *client, uint64_t number)
{
    SK_ASSERT(number >= client->slot_first && number - client->slot_first < client->slots.count);
    return sk_ring_at(&client->slots, (size_t)(number - client->slot_first));
}

static uint64_t open_slot(sk_client *client)
{
    bool silent = client->reply_mode == SK_REPLY_OFF || client->reply_mode == SK_REPLY_SKIP;
    if (client->reply_mode == SK_REPLY_SKIP) client->reply_mode = SK_REPLY_ON;
    *(slot *)sk_ring_push(&client->slots) = (slot){.silent = silent};
    return client->slot_first + client->slots.count - 1;
}

sk_buffer *sk_client_reply_at(sk_client *client, uint64_t number)
{
    slot *at = slot_at(client, number);
    SK_ASSERT(!at->done);
    // Looked at before each reply and not only at the end of the turn: one turn may answer a thousand requests for a large value.
    if (client->out.size + client->held > client->node->config.client_output_max) client->flooded = true;
    if (at->silent || client->flooded || !client->handle) {
        sk_buffer_reset(&client->node->silent, OUTPUT_KEPT);
        return &client->node->silent;
    }
    return number == client->slot_first ? &client->out : &at->reply;
}

// Room again for input that waits?
static void reconsider(sk_client *client)
{
    if (!client->stalled || client->draining) return;
    bool half = !client->exclusive && client->ordered && client->slots.count < client->node->config.client_pending_max / 2;
    if (client->slots.count && !(half && client->slots.count + 1 < client->stalled_at)) return;
    client->resume = true;
    sk_client_touch(client);
}

void sk_client_complete(sk_client *client, uint64_t number)
{
    slot *at = slot_at(client, number);
    at->done = true;
    client->held += at->reply.size;
    while (client->slots.count) {
        slot *first = sk_ring_at(&client->slots, 0);
        if (!first->done) break;
        SK_ASSERT(first->reply.size == 0);
        sk_buffer_deinit(&first->reply);
        sk_ring_pop_front(&client->slots, 1);
        client->slot_first++;
        if (!client->slots.count) break;
        slot *next = sk_ring_at(&client->slots, 0);
        if (client->handle) sk_buffer_append_slice(&client->out, sk_buffer_slice(&next->reply));
        if (next->done) client->held -= next->reply.size;
        sk_buffer_clear(&next->reply);
    }
    if (!client->handle) {
        if (!client->slots.count) sk_client_free(client);
        return;
    }
    if (!client->slots.count) {
        client->ordered = client->exclusive = false;
        client->tries = 0;
    }
    sk_client_touch(client);
    reconsider(client);
}

void sk_client_answer(sk_client *client, uint64_t number, sk_slice reply)
{
    sk_buffer_append_slice(sk_client_reply_at(client, number), reply);
    sk_client_complete(client, number);
}

void sk_client_start_job(sk_client *client, uint64_t number, sk_machine_job *job)
{
    SK_ASSERT(!client->job && client->slots.count == 1);
    if (!client->handle) {
        job->ops->close(job);
        sk_client_complete(client, number);
        return;
    }
    client->job = job;
    client->job_slot = number;
    sk_list_push_back(&client->node->working, &client->working);
}

// ---- Requests ----

static void error_reply(sk_client *client, const char *text)
{
    uint64_t number = open_slot(client);
    sk_reply reply = {.out = sk_client_reply_at(client, number), .resp = client->resp};
    sk_reply_error(&reply, text);
    sk_client_complete(client, number);
}

// The error in `refusal`, unless something exclusive is under way: then false, it must wait.
static bool refuse(sk_client *client, const sk_buffer *refusal)
{
    if (client->exclusive) return false;
    sk_client_answer(client, open_slot(client), sk_buffer_slice(refusal));
    return true;
}

// No room for the next request: it waits, as long as any request may, and then has its answer too.
static bool no_room(sk_client *client)
{
    sk_node *node = client->node;
    if (!client->blocked_since) client->blocked_since = node->now;
    if (node->now - client->blocked_since < node->config.request_timeout) {
        if (sk_list_empty(&client->blocked)) sk_list_push_back(&node->blocked, &client->blocked);
        return false;
    }
    client->blocked_since = 0;
    sk_client_answer(client, open_slot(client), sk_slice_text(no_room_reply));
    return true;
}

// Its space is not open here yet.
static bool park(sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv)
{
    if (client->slots.count) return false;
    sk_buffer bytes = {0};
    sk_command_encode(&bytes, argc, argv);
    bool write = command->flags & SK_COMMAND_WRITE;
    sk_route_park(client, open_slot(client), client->resp, write, sk_buffer_slice(&bytes), 0,
                  client->node->now + client->node->config.request_timeout);
    sk_buffer_deinit(&bytes);
    return true;
}

static void read_by_mode(sk_space *space, sk_client *client, uint64_t number, size_t argc, const sk_slice *argv)
{
    enum sk_reads_mode mode = client->read_mode ? client->read_mode : space->read_mode;
    if (mode == SK_READS_LINEARIZABLE) sk_reads_add(space, client, number, client->resp, argc, argv);
    else sk_local_reads_add(space, client, number, client->resp, argc, argv, mode == SK_READS_SESSION);
}

// A request for a space: false when the input must wait.
static bool data_request(sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv)
{
    sk_node *node = client->node;
    sk_buffer *refusal = &node->scratch;
    sk_route route;
    switch (sk_route_find(client, command, argc, argv, &route, &(sk_reply){.out = refusal, .resp = client->resp})) {
    case SK_ROUTE_GO: break;
    case SK_ROUTE_WAIT: return park(client, command, argc, argv);
    case SK_ROUTE_REFUSED: return refuse(client, refusal);
    }
    sk_space *space = route.space;
    bool write = command->flags & SK_COMMAND_WRITE;
    bool sliced = command->flags & SK_COMMAND_SLICED;
    bool busy = client->slots.count > 0;
    if (busy && (client->exclusive || space->id != client->space || sliced)) return false;
    if (busy && write && !client->ordered) return false;
    bool ordered = write || (busy && client->ordered);
    if (ordered ? sk_origin_full(space) : sk_reads_full(space)) return no_room(client);
    client->blocked_since = 0;
    client->space = space->id;
    client->ordered = ordered;
    client->exclusive = sliced;
    client->last_command = command;
    if (space->protocol->mergeable) sk_token_spaces_add(&client->seen, space->id);
    node->commands++;
    uint64_t number = open_slot(client);
    if (ordered) sk_origin_submit(space, client, number, client->resp, argc, route.argv);
    else read_by_mode(space, client, number, argc, route.argv);
    return true;
}

static void node_request(sk_client *client, const sk_node_command *command, size_t argc, const sk_slice *argv)
{
    sk_node *node = client->node;
    client->last_command = &command->row;
    node->commands++;
    uint64_t number = open_slot(client);
    sk_node_call call = {.node = node,
                         .client = client,
                         .argc = argc,
                         .argv = argv,
                         .slot = number,
                         .reply = {.out = sk_client_reply_at(client, number), .resp = client->resp}};
    command->run(&call);
    if (call.deferred) {
        client->exclusive = true;
        return;
    }
    if (client->wait_until) {
        client->exclusive = true;
        client->job_slot = number;
        sk_list_push_back(&node->working, &client->working);
        return;
    }
    sk_client_complete(client, number);
}

// False when it must wait for what is under way.
static bool request(sk_client *client, size_t argc, const sk_slice *argv)
{
    if (client->slots.count >= client->node->config.client_pending_max) return false;
    sk_buffer *refusal = &client->node->scratch;
    sk_buffer_clear(refusal);
    sk_reply reply = {.out = refusal, .resp = client->resp};
    const sk_node_command *own = sk_command_find(argv[0]) ? NULL : sk_node_command_find(argv[0]);
    if (own) {
        if (!sk_command_arity_ok(&own->row, argc)) {
            sk_command_reply_arity(&reply, &own->row);
            return refuse(client, refusal);
        }
        if (client->slots.count) return false;
        node_request(client, own, argc, argv);
        return true;
    }
    const sk_command *command = sk_command_select(argc, argv, &reply);
    return command ? data_request(client, command, argc, argv) : refuse(client, refusal);
}

size_t sk_node_client_receive(sk_node *node, sk_client *client, sk_slice input)
{
    SK_ASSERT(client->node == node && client->handle);
    client->stalled = false;
    client->active = node->now;
    size_t consumed = 0;
    while (!client->closing && consumed < input.size) {
        if (client->out.size > OUTPUT_SOFT_MAX || node->stopping) {
            client->stalled = true;
            break;
        }
        size_t used = 0;
        sk_resp_verdict verdict =
            sk_resp_parse(&client->parser, sk_slice_make(input.data + consumed, input.size - consumed), &used);
        if (verdict == SK_RESP_MORE) break;
        if (verdict == SK_RESP_ERROR) {
            if (client->slots.count) {
                client->stalled = true;
                break;
            }
            error_reply(client, client->parser.error);
            consumed = input.size;
            sk_client_close(client);
            break;
        }
        if (client->parser.argc && sk_resp_is_http(client->parser.argv[0])) {
            char shown[SK_ADDRESS_SIZE_MAX];
            sk_log(node->sink, SK_LOG_WARN, "msg=\"HTTP on the RESP port: closed\" client=%s",
                   sk_log_escape(shown, sizeof shown, sk_slice_text(client->address)));
            consumed = input.size;
            sk_client_close(client);
            break;
        }
        if (client->parser.argc && !request(client, client->parser.argc, client->parser.argv)) {
            client->stalled = true;
            client->stalled_at = client->slots.count;
            break;
        }
        consumed += used;
    }
    return consumed;
}

// ---- End of turn ----

bool sk_clients_work(sk_node *node)
{
    bool more = false;
    sk_list *at = node->working.next;
    while (at != &node->working) {
        sk_client *client = SK_CONTAINER(at, sk_client, working);
        at = at->next;
        uint64_t number = client->job_slot;
        sk_buffer *reply = sk_client_reply_at(client, number);
        if (client->job) {
            if (client->draining) continue;
            if (client->job->ops->run(client->job, reply, JOB_BUDGET)) {
                sk_client_touch(client);
                more = true;
                continue;
            }
        } else if (client->token) {
            if (!sk_token_wait_end(client, &(sk_reply){.out = reply, .resp = client->resp})) continue;
        } else if (client->wait_until > node->now) {
            continue;
        } else {
            sk_reply integer = {.out = reply, .resp = client->resp};
            sk_reply_integer(&integer, client->wait_answer);
        }
        end_job(client);
        sk_client_complete(client, number);
    }
    return more;
}

static bool has_room(const sk_node *node)
{
    for (size_t i = 0; i < node->space_count; i++) {
        if (sk_origin_full(node->spaces[i]) || sk_reads_full(node->spaces[i])) return false;
    }
    return true;
}

// When there is room again, all; those who have waited long enough, for their answer, in any case.
static void wake_blocked(sk_node *node)
{
    if (sk_list_empty(&node->blocked)) return;
    bool all = has_room(node);
    sk_list *at = node->blocked.next;
    while (at != &node->blocked) {
        sk_client *client = SK_CONTAINER(at, sk_client, blocked);
        at = at->next;
        if (!all && node->now - client->blocked_since < node->config.request_timeout) continue;
        sk_list_remove(&client->blocked);
        client->resume = true;
        sk_client_touch(client);
    }
}

static void hang_up(sk_client *client)
{
    sk_node *node = client->node;
    node->host->ops->client_close(node->host, client->handle, &client->out);
    client->out = (sk_buffer){0};
    orphan(client);
}

static void flush(sk_client *client)
{
    sk_node *node = client->node;
    if (client->out.size && !client->draining && !client->flooded) {
        node->host->ops->client_output(node->host, client->handle, &client->out);
        client->draining = client->out.size > 0;
        if (!client->draining) sk_buffer_reset(&client->out, OUTPUT_KEPT);
    }
    if (client->flooded || client->out.size > node->config.client_output_max) {
        sk_log(node->sink, SK_LOG_WARN, "msg=\"client closed: it does not read its replies\" client=%s bytes=%zu limit=%zu",
               client->address, client->out.size + client->held, node->config.client_output_max);
        sk_buffer_deinit(&client->out);
        hang_up(client);
        return;
    }
    // Closed by another (CLIENT KILL): what runs for this client alone need not come to its end.
    if (client->closing && (!client->slots.count || client->job || client->wait_until)) {
        hang_up(client);
        return;
    }
    if (client->stalled && !client->draining) reconsider(client);
    if (client->resume) {
        client->resume = false;
        node->host->ops->client_resume(node->host, client->handle);
    }
}

void sk_clients_flush(sk_node *node)
{
    wake_blocked(node);
    while (!sk_list_empty(&node->dirty)) {
        sk_client *client = SK_CONTAINER(node->dirty.next, sk_client, dirty);
        flush(client);
        // Closing frees it; else reconsidering may have put it there again, and nothing is left to do.
        if (!sk_list_empty(&node->dirty) && node->dirty.next == &client->dirty) sk_list_remove(&client->dirty);
    }
}

void sk_node_client_drained(sk_node *node, sk_client *client)
{
    SK_ASSERT(client->handle && client->out.size == 0);
    client->draining = false;
    sk_buffer_reset(&client->out, OUTPUT_KEPT);
    if (client->stalled || client->closing) sk_client_touch(client);
    (void)node;
}

sk_ns sk_clients_deadline(const sk_node *node)
{
    sk_ns at = SK_NEVER;
    for (const sk_list *link = node->working.next; link != &node->working; link = link->next) {
        const sk_client *client = SK_CONTAINER(link, sk_client, working);
        if (!client->job && client->wait_until < at) at = client->wait_until;
    }
    for (const sk_list *link = node->blocked.next; link != &node->blocked; link = link->next) {
        const sk_client *client = SK_CONTAINER(link, sk_client, blocked);
        sk_ns answer_at = client->blocked_since + node->config.request_timeout;
        if (answer_at < at) at = answer_at;
    }
    return at;
}
