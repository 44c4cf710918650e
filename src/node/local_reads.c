#include "node/local_reads.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/route.h"
#include "node/state.h"

static const char behind[] =
    "-CLUSTERDOWN this node has not yet applied what was answered here before: try again, or READMODE local or linearizable\r\n";

static const char loading[] = "-LOADING this node is taking over the state of another: try again\r\n";

typedef struct waiting {
    sk_list link;
    sk_client *client;
    uint64_t slot;
    uint64_t needs; // number of our origin that must have been applied
    uint64_t routing;
    sk_ns deadline;
    uint8_t resp;
    size_t size;
    uint8_t command[];
} waiting;

void sk_local_reads_init(sk_local_reads *reads)
{
    *reads = (sk_local_reads){0};
    sk_list_init(&reads->waiting);
}

void sk_local_reads_deinit(sk_local_reads *reads)
{
    while (!sk_list_empty(&reads->waiting)) {
        waiting *one = SK_CONTAINER(reads->waiting.next, waiting, link);
        sk_list_remove(&one->link);
        sk_free(one);
    }
}

static uint64_t applied_of_ours(const sk_space *space)
{
    const sk_identity *identity = &space->node->identity;
    return sk_session_last(&space->sessions, identity->node, identity->boot);
}

// A state half way to another is shown to nobody.
static bool is_ready(const sk_space *space, uint64_t needs)
{
    return needs <= applied_of_ours(space) && !space->status.loading;
}

void sk_local_reads_add(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv,
                        bool session)
{
    sk_node *node = space->node;
    sk_buffer *bytes = &node->scratch;
    sk_buffer_clear(bytes);
    sk_command_encode(bytes, argc, argv);
    uint64_t routing = sk_route_stamp(space);
    sk_ns deadline = node->now + node->config.request_timeout;
    // Where a request runs at once, whatever was answered here is applied.
    uint64_t needs = session && !space->protocol->mergeable ? space->origin.answered_max : 0;
    if (is_ready(space, needs) && sk_list_empty(&space->local_reads.waiting)) {
        sk_buffer command = {0}; // what answers may use the scratch buffer
        sk_buffer_append_slice(&command, sk_buffer_slice(bytes));
        sk_reads_run(space, client, slot, resp, routing, sk_buffer_slice(&command), deadline);
        sk_buffer_deinit(&command);
        return;
    }
    waiting *one = sk_alloc(sizeof *one + bytes->size);
    *one = (waiting){.client = client, .slot = slot, .needs = needs, .routing = routing, .deadline = deadline, .resp = resp,
                     .size = bytes->size};
    memcpy(one->command, bytes->data, bytes->size);
    sk_list_push_back(&space->local_reads.waiting, &one->link);
    space->local_reads.count++;
    space->reads.bytes += one->size;
    sk_space_touch(space);
}

static void take(sk_space *space, waiting *one)
{
    SK_ASSERT(space->local_reads.count > 0 && space->reads.bytes >= one->size);
    sk_list_remove(&one->link);
    space->local_reads.count--;
    space->reads.bytes -= one->size;
}

// What the oldest needs the others may need too: they end in order.
void sk_local_reads_turn(sk_space *space)
{
    while (!sk_list_empty(&space->local_reads.waiting)) {
        waiting *one = SK_CONTAINER(space->local_reads.waiting.next, waiting, link);
        bool ready = is_ready(space, one->needs);
        if (!ready && one->deadline > space->node->now) return;
        take(space, one);
        sk_slice command = sk_slice_make(one->command, one->size);
        if (ready) sk_reads_run(space, one->client, one->slot, one->resp, one->routing, command, one->deadline);
        else sk_client_answer(one->client, one->slot, sk_slice_text(space->status.loading ? loading : behind));
        sk_free(one);
    }
}

void sk_local_reads_leave(sk_space *space)
{
    while (!sk_list_empty(&space->local_reads.waiting)) {
        waiting *one = SK_CONTAINER(space->local_reads.waiting.next, waiting, link);
        take(space, one);
        sk_route_leave(space, one->client, one->slot, one->resp, false, sk_slice_make(one->command, one->size), one->deadline);
        sk_free(one);
    }
}

sk_ns sk_local_reads_deadline(const sk_space *space)
{
    if (sk_list_empty(&space->local_reads.waiting)) return SK_NEVER;
    const waiting *one = SK_CONTAINER(space->local_reads.waiting.next, waiting, link);
    return one->deadline;
}
