#include "node/spaces.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "node/catalogue_machine.h"
#include "node/route.h"
#include "node/state.h"
#include "store/snapshot_format.h"

// ---- The list ----

// All from `at` on have another place: they take part in the next turn.
static void renumber(sk_node *node, size_t at)
{
    for (; at < node->space_count; at++) {
        node->spaces[at]->index = at;
        node->wake[at] = 0;
        node->watched[at] = false;
    }
}

static void add(sk_node *node, sk_space *space)
{
    SK_ASSERT(node->space_count < SK_SPACES_MAX);
    size_t at = node->space_count++;
    for (; at > 0 && node->spaces[at - 1]->id > space->id; at--) node->spaces[at] = node->spaces[at - 1];
    node->spaces[at] = space;
    renumber(node, at);
}

// A bound that decides outcomes is in the log of an ordered space. In a mergeable one every node decides for itself: by the catalogue.
static void take_limit(sk_space *space, const sk_space_record *record)
{
    if (space->protocol->mergeable) space->kind->set_memory_max(space->machine, record->memory_max);
}

static sk_space *add_recorded(sk_node *node, const sk_space_record *record)
{
    const sk_space_kind *kind = sk_space_kind_find(sk_slice_text(record->protocol));
    if (!kind) {
        sk_log(node->sink, SK_LOG_ERROR, "msg=\"space not opened: this version does not know its protocol\" space=%s protocol=%s",
               record->name, record->protocol);
        return NULL;
    }
    sk_space *space = sk_space_open(node, record->id, record->name, kind, record->options);
    sk_buffer_append_slice(&space->prefix, record->prefix);
    space->read_mode = record->reads ? record->reads : kind->reads;
    sk_space_set_durability(space, record->durability, record->durability_ms);
    space->number = record->number;
    take_limit(space, record);
    add(node, space);
    return space;
}

// Snapshots of spaces that were dropped: a crash may have come between the roster and their removal. Best effort: they only take room.
static void remove_leftovers(sk_node *node)
{
    sk_buffer listing = {0};
    sk_disk_request list = {.op = SK_DISK_LIST, .name = "snap", .listing = &listing};
    int64_t result = node->roster.damaged || node->roster.absent ? SK_ENOENT : sk_disk_run(node->disk, &list);
    for (size_t at = 0; result >= 0 && at < listing.size;) {
        const char *name = (const char *)listing.data + at;
        at += strlen(name) + 1;
        uint32_t id;
        uint64_t position;
        const char *ending;
        if (!sk_snapshot_name_parse(name, &id, &position, &ending)) continue;
        if (id < SK_SPACE_FIRST_ID || id >= node->roster.known.next_id || sk_node_space(node, id)) continue;
        sk_disk_request request = {.op = SK_DISK_UNLINK};
        sk_snapshot_name(request.name, "snap", id, position, ending);
        (void)sk_disk_run(node->disk, &request);
    }
    sk_buffer_deinit(&listing);
}

void sk_spaces_at_start(sk_node *node)
{
    add(node, sk_space_open(node, SK_SPACE_SYSTEM, "system", &sk_space_kind_system, (sk_slice){0}));
    add(node, sk_space_open(node, SK_SPACE_DEFAULT, "default", sk_space_kind_find(sk_slice_text("raft")), (sk_slice){0}));
    node->spaces[SK_SPACE_DEFAULT]->number = 1;
    const sk_catalogue *known = &node->roster.known;
    for (size_t i = 0; i < known->count; i++) {
        const sk_space_record *record = &known->records[i];
        if (record->id < SK_SPACE_FIRST_ID || record->phase == SK_PHASE_CREATING) continue;
        (void)add_recorded(node, record);
    }
    remove_leftovers(node);
    if (node->roster.damaged)
        sk_log(node->sink, SK_LOG_ERROR, "msg=\"the list of spaces is damaged: spaces found in the log refill from peers\"");
}

sk_space *sk_spaces_found_in_log(sk_node *node, uint32_t id)
{
    if (id < SK_SPACE_FIRST_ID || (!node->roster.damaged && !node->roster.absent)) return NULL;
    if (node->space_count >= SK_SPACES_MAX) return NULL;
    if (!node->roster.damaged)
        sk_log(node->sink, SK_LOG_ERROR, "msg=\"the list of spaces is gone: spaces found in the log refill from peers\"");
    node->roster.damaged = true;
    char name[SK_SPACE_NAME_MAX + 1];
    snprintf(name, sizeof name, "space-%u", id); // until the catalogue says its name
    sk_space *space = sk_space_open(node, id, name, sk_space_kind_find(sk_slice_text("raft")), (sk_slice){0});
    add(node, space);
    if (sk_snapshot_job_restore(space))
        sk_log(node->sink, SK_LOG_ERROR, "msg=\"snapshot damaged and set aside: refilling from peers\" space=%s", space->name);
    sk_space_open_replica(space, false);
    return space;
}

// ---- Opening ----

static void open_recorded(sk_node *node, const sk_space_record *record)
{
    sk_space *space = add_recorded(node, record);
    if (!space) return;
    // One of the nodes stands a little before the others; the one that leads the system space, so that what is led together idles together.
    sk_space_open_replica(space, sk_space_leads(node->spaces[SK_SPACE_SYSTEM]));
    sk_space_start(space, node->roster.damaged);
    for (size_t i = 0; i < node->peer_count; i++) {
        if (!node->peers[i].linked) continue;
        sk_forward_peer_up(space, node->peers[i].id);
        sk_space_step(space, (sk_event){.kind = SK_EVENT_LINK, .link = {.peer = node->peers[i].id, .up = true}});
    }
    sk_log(node->sink, SK_LOG_INFO, "msg=\"space opened\" space=%s protocol=%s number=%u", record->name, record->protocol,
           record->number);
}

// ---- Closing: what is with the disk comes back first ----

static void begin_closing(sk_space *space)
{
    sk_node *node = space->node;
    space->closing = true;
    sk_origin_leave(space);
    sk_reads_leave(space);
    sk_local_reads_leave(space);
    sk_transfers_abort(space);
    if (space->job.writer) sk_snapshot_writer_abort(space->job.writer);
    for (sk_list *at = node->clients.next; at != &node->clients; at = at->next) {
        sk_client *client = SK_CONTAINER(at, sk_client, link);
        if (client->job && client->space == space->id) sk_client_close(client); // a reply cut in the middle cannot be mended
    }
    sk_log(node->sink, SK_LOG_INFO, "msg=\"space dropped\" space=%s", space->name);
}

static bool quiet(const sk_space *space)
{
    return !space->job.writer && sk_transfers_quiet(space) && sk_list_empty(&space->fetches);
}

typedef struct unlinking {
    sk_disk_request request;
    sk_list link;
} unlinking;

static void on_unlinked(sk_disk_request *request)
{
    unlinking *one = SK_CONTAINER(request, unlinking, request);
    sk_list_remove(&one->link);
    sk_free(one);
}

// What a crash leaves lying the next start removes.
static void unlink_snapshot(sk_node *node, const sk_space *space)
{
    if (!space->snapshot.position) return;
    unlinking *one = sk_alloc_zeroed(sizeof *one);
    one->request = (sk_disk_request){.op = SK_DISK_UNLINK, .done = on_unlinked};
    sk_snapshot_name(one->request.name, "snap", space->id, space->snapshot.position, "snap");
    sk_list_push_back(&node->unlinking, &one->link);
    sk_disk_submit(node->disk, &one->request);
}

void sk_spaces_deinit(sk_node *node)
{
    while (!sk_list_empty(&node->unlinking)) {
        unlinking *one = SK_CONTAINER(node->unlinking.next, unlinking, link);
        sk_list_remove(&one->link);
        sk_free(one);
    }
}

static void remove_at(sk_node *node, size_t index)
{
    sk_space *space = node->spaces[index];
    node->space_count--;
    memmove(&node->spaces[index], &node->spaces[index + 1], (node->space_count - index) * sizeof *node->spaces);
    renumber(node, index);
    unlink_snapshot(node, space);
    sk_wal_forget(node->wal, space->id);
    sk_space_close(space);
}

// ---- Turn ----

static const sk_catalogue *applied_catalogue(sk_node *node, uint64_t *changes)
{
    return sk_catalogue_machine_get(node->spaces[SK_SPACE_SYSTEM]->machine, changes);
}

static void learn(sk_node *node)
{
    uint64_t changes;
    const sk_catalogue *catalogue = applied_catalogue(node, &changes);
    if (changes == node->catalogue_changes) return;
    node->catalogue_changes = changes;
    sk_spaces_look(node);
    if (!sk_roster_learn(&node->roster, catalogue)) return;
    for (size_t i = 0; i < node->space_count; i++) {
        sk_space *space = node->spaces[i];
        const sk_space_record *record = sk_catalogue_by_id(&node->roster.known, space->id);
        if (!record) continue;
        space->read_mode = record->reads ? record->reads : space->kind->reads;
        space->number = record->number;
        if (space->id < SK_SPACE_FIRST_ID) continue;
        sk_space_set_durability(space, record->durability, record->durability_ms);
        take_limit(space, record);
        if (space->kind->set_options) space->kind->set_options(space->machine, record->options);
        sk_space_rename(space, record->name);
        sk_buffer_clear(&space->prefix);
        sk_buffer_append_slice(&space->prefix, record->prefix);
    }
}

// Only what the file on disk says, so that the next start finds the same spaces.
static void open_and_close(sk_node *node)
{
    const sk_catalogue *known = &node->roster.known;
    for (size_t i = 0; i < known->count; i++) {
        const sk_space_record *record = &known->records[i];
        if (record->id < SK_SPACE_FIRST_ID || record->phase == SK_PHASE_CREATING) continue;
        if (!sk_node_space(node, record->id) && node->space_count < SK_SPACES_MAX) open_recorded(node, record);
    }
    for (size_t i = 0; i < node->space_count; i++) {
        sk_space *space = node->spaces[i];
        // One that the catalogue has not come to yet (its id was not given by then) is another matter than one that it dropped.
        bool dropped = space->id >= SK_SPACE_FIRST_ID && space->id < known->next_id && !sk_catalogue_by_id(known, space->id);
        if (dropped && !space->closing) begin_closing(space);
    }
}

static void finish_closing(sk_node *node)
{
    for (size_t i = node->space_count; i-- > 0;) {
        if (node->spaces[i]->closing && quiet(node->spaces[i])) remove_at(node, i);
    }
}

void sk_spaces_look(sk_node *node)
{
    node->spaces_look = node->parked_look = node->driver_look = true;
}

void sk_spaces_turn(sk_node *node)
{
    learn(node);
    finish_closing(node); // before any begins: its clients' jobs end with the turn
    if (!node->wal_failed) sk_roster_write(&node->roster, node->now);
    if (node->roster.durable != node->roster_opened) {
        node->roster_opened = node->roster.durable;
        sk_spaces_look(node);
    }
    if (node->spaces_look && sk_roster_current(&node->roster) && !node->wal_failed) {
        node->spaces_look = false;
        open_and_close(node);
        node->parked_look = true;
    }
    sk_driver_turn(node);
    sk_parked_turn(node);
}

sk_ns sk_spaces_deadline(const sk_node *node)
{
    sk_ns at = sk_roster_deadline(&node->roster);
    sk_ns driver = sk_driver_deadline(node);
    sk_ns parked = sk_parked_deadline(node);
    if (driver < at) at = driver;
    return parked < at ? parked : at;
}
