#include "node/reads.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/route.h"
#include "node/state.h"
#include "node/verdict.h"
#include "redis/command.h"

static const sk_ns retry_pause = 5 * SK_MS;
static const char no_leader[] = "-CLUSTERDOWN no leader confirmed within request-timeout: try again, or elsewhere\r\n";

void sk_reads_init(sk_reads *reads)
{
    *reads = (sk_reads){.next_id = 1};
    sk_list_init(&reads->groups);
}

static sk_read_group *group_of(sk_list *link)
{
    return SK_CONTAINER(link, sk_read_group, link);
}

static void free_all(sk_list *list)
{
    while (!sk_list_empty(list)) {
        sk_read_group *group = group_of(list->next);
        sk_list_remove(&group->link);
        sk_arena_deinit(&group->arena);
        sk_free(group);
    }
}

void sk_reads_spare_free(sk_list *spare)
{
    free_all(spare);
}

void sk_reads_deinit(sk_reads *reads)
{
    free_all(&reads->groups);
}

static sk_read_group *gather(sk_space *space)
{
    sk_reads *reads = &space->reads;
    sk_read_group *group;
    if (sk_list_empty(&space->node->read_spare)) {
        group = sk_alloc_zeroed(sizeof *group);
        sk_list_init(&group->link);
    } else {
        group = group_of(space->node->read_spare.next);
        sk_list_remove(&group->link);
    }
    group->id = reads->next_id++;
    group->deadline = space->node->now + space->node->config.request_timeout;
    group->retry_at = 0;
    group->asked = false;
    group->first = group->last = NULL;
    group->count = group->bytes = 0;
    sk_list_push_back(&reads->groups, &group->link);
    reads->gathering = group;
    return group;
}

bool sk_reads_full(const sk_space *space)
{
    return space->reads.bytes >= space->node->config.origin_bytes_max;
}

void sk_reads_add(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv)
{
    sk_space_touch(space);
    sk_reads *reads = &space->reads;
    sk_read_group *group = reads->gathering ? reads->gathering : gather(space);
    sk_buffer *bytes = &space->node->scratch;
    sk_buffer_clear(bytes);
    sk_command_encode(bytes, argc, argv);
    sk_read_item *item = sk_arena_take(&group->arena, sizeof *item);
    *item = (sk_read_item){.client = client, .slot = slot, .resp = resp};
    item->routing = sk_route_stamp(space);
    item->command = sk_arena_copy(&group->arena, sk_buffer_slice(bytes));
    if (group->last) group->last->next = item;
    else group->first = item;
    group->last = item;
    group->count++;
    group->bytes += bytes->size;
    reads->count++;
    reads->bytes += bytes->size;
}

static void end_group(sk_space *space, sk_read_group *group)
{
    sk_reads *reads = &space->reads;
    SK_ASSERT(reads->count >= group->count && reads->bytes >= group->bytes);
    reads->count -= group->count;
    reads->bytes -= group->bytes;
    if (reads->gathering == group) reads->gathering = NULL;
    sk_list_remove(&group->link);
    sk_arena_reset(&group->arena);
    sk_list_push_back(&space->node->read_spare, &group->link);
}

static sk_read_group *find(sk_reads *reads, uint64_t id)
{
    for (sk_list *at = reads->groups.next; at != &reads->groups; at = at->next) {
        if ((group_of(at)->id | SK_READ_REQUEST) == id) return group_of(at);
    }
    return NULL;
}

void sk_reads_run(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, uint64_t routing, sk_slice command,
                  sk_ns deadline)
{
    uint64_t elsewhere = sk_rules_guard(&space->rules, routing) ? sk_rules_turn_away(&space->rules, routing, command) : 0;
    if (elsewhere) {
        space->turned_away++;
        sk_route_again(space, client, slot, resp, false, command, elsewhere, deadline);
        return;
    }
    sk_command_context context;
    sk_space_context(space, resp, &context);
    sk_buffer *reply = sk_client_reply_at(client, slot);
    sk_machine_job *job = space->machine->ops->query(space->machine, &context, command, reply);
    if (job) sk_client_start_job(client, slot, job);
    else sk_client_complete(client, slot);
}

void sk_reads_query(sk_space *space, uint64_t id)
{
    sk_read_group *group = find(&space->reads, id);
    if (!group) return; // it ran out of time
    SK_ASSERT(group->asked);
    for (sk_read_item *item = group->first; item; item = item->next)
        sk_reads_run(space, item->client, item->slot, item->resp, item->routing, item->command, group->deadline);
    end_group(space, group);
}

void sk_reads_leave(sk_space *space)
{
    while (!sk_list_empty(&space->reads.groups)) {
        sk_read_group *group = group_of(space->reads.groups.next);
        for (sk_read_item *item = group->first; item; item = item->next)
            sk_route_leave(space, item->client, item->slot, item->resp, false, item->command, group->deadline);
        end_group(space, group);
    }
}

void sk_reads_refused(sk_space *space, uint64_t id, int why)
{
    sk_read_group *group = find(&space->reads, id);
    if (!group) return;
    group->asked = false;
    group->retry_at = space->node->now + retry_pause;
}

static void ask(sk_space *space, sk_read_group *group)
{
    if (space->reads.gathering == group) space->reads.gathering = NULL;
    group->asked = true;
    sk_space_step(space, (sk_event){.kind = SK_EVENT_READ, .read.request = group->id | SK_READ_REQUEST});
}

static void give_up(sk_space *space, sk_read_group *group)
{
    for (sk_read_item *item = group->first; item; item = item->next) {
        sk_client_answer(item->client, item->slot, sk_slice_text(no_leader));
    }
    end_group(space, group);
}

void sk_reads_turn(sk_space *space)
{
    sk_reads *reads = &space->reads;
    sk_ns now = space->node->now;
    // Asking may answer at once and so end groups: start again from the front after each; each is asked once a turn.
    bool again = true;
    while (again) {
        again = false;
        for (sk_list *at = reads->groups.next; at != &reads->groups; at = at->next) {
            sk_read_group *group = group_of(at);
            bool due = !group->asked && group->retry_at <= now;
            if (group->deadline > now && !due) continue;
            if (group->deadline <= now) give_up(space, group);
            else ask(space, group);
            again = true;
            break;
        }
    }
}

sk_ns sk_reads_deadline(const sk_space *space)
{
    const sk_reads *reads = &space->reads;
    sk_ns at = SK_NEVER;
    for (const sk_list *link = reads->groups.next; link != &reads->groups; link = link->next) {
        const sk_read_group *group = SK_CONTAINER(link, sk_read_group, link);
        if (group->deadline < at) at = group->deadline;
        if (!group->asked && group->retry_at < at) at = group->retry_at;
    }
    return at;
}
