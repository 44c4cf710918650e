#include "node/node.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "node/state.h"
#include "node/route.h"
#include "redis/keyspace.h"

void sk_node_config_default(sk_node_config *config)
{
    *config = (sk_node_config){
        .timing = {.heartbeat_active = 100 * SK_MS,
                   .heartbeat_idle = 1 * SK_S,
                   .election_min = 300 * SK_MS,
                   .election_max = 2 * SK_S},
        .lease = {.length = 0, .drift_ppm = 1000},
        .limits = {.window_bytes_max = 16 * 1024 * 1024,
                   .message_bytes_max = 1024 * 1024,
                   .inflight_bytes_max = 4 * 1024 * 1024,
                   .inflight_count_max = 256,
                   .pending_max = 32 * 1024,
                   .log_entries_max = 1000 * 1000,
                   .log_bytes_max = 48 * 1024 * 1024},
        .wal = {.segment_size = 8 * 1024 * 1024, .size_max = 96 * 1024 * 1024},
        .request_timeout = 2 * SK_S,
        .request_size_max = 64 * 1024 * 1024,
        .client_output_max = 256 * 1024 * 1024,
        .client_pending_max = 1024,
        .clients_max = 10000,
        .origin_pending_max = 8 * 1024,
        .origin_bytes_max = 4 * 1024 * 1024,
        .snapshot_inflight_max = 512 * 1024,
    };
}

// ---- Start ----

static void on_durable(sk_wal_owner *owner, uint64_t sequence)
{
    sk_node *node = SK_CONTAINER(owner, sk_node, wal_owner);
    sk_list some;
    sk_list_init(&some);
    while (!sk_list_empty(&node->marked)) {
        sk_list *first = node->marked.next;
        sk_list_remove(first);
        sk_list_push_back(&some, first);
    }
    while (!sk_list_empty(&some)) {
        sk_space *space = SK_CONTAINER(some.next, sk_space, marked);
        sk_list_remove(&space->marked);
        sk_space_durable(space, sequence);
        if (space->marks.count && sk_list_empty(&space->marked)) sk_list_push_back(&node->marked, &space->marked);
    }
}

static void on_failed(sk_wal_owner *owner, int error)
{
    sk_node *node = SK_CONTAINER(owner, sk_node, wal_owner);
    node->wal_failed = true;
    sk_log(node->sink, SK_LOG_ERROR,
           "msg=\"the log cannot be written: this node takes no part until it is started again\" error=\"%s\"",
           sk_error_text(error));
    for (size_t i = 0; i < node->space_count; i++) sk_space_disk_failed(node->spaces[i], error);
}

static void on_replay(void *context, uint32_t id, const sk_record *record)
{
    sk_node *node = context;
    sk_space *space = sk_node_space(node, id);
    if (!space) space = sk_spaces_found_in_log(node, id);
    if (!space) return; // of a space that is no more
    space->protocol->recover(space->replica, record);
    if (record->number > space->durable_number) space->durable_number = record->number;
}

static void add_peers(sk_node *node)
{
    for (uint32_t i = 0; i < node->identity.founder_count; i++) {
        const sk_founder *founder = &node->identity.founders[i];
        if (founder->id == node->identity.node) continue;
        sk_peer *peer = &node->peers[node->peer_count++];
        peer->id = founder->id;
        snprintf(peer->address, sizeof peer->address, "%s", founder->address);
    }
}

static int make_folders(sk_node *node)
{
    static const char *const folders[] = {"wal", "snap", "lost"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        sk_disk_request request = {.op = SK_DISK_MAKE_FOLDER};
        snprintf(request.name, sizeof request.name, "%s", folders[i]);
        int64_t result = sk_disk_run(node->disk, &request);
        if (result < 0) return (int)result;
    }
    return 0;
}

static int restore_spaces(sk_node *node, bool *lost)
{
    for (size_t i = 0; i < node->space_count; i++) {
        int error = sk_snapshot_job_restore(node->spaces[i]);
        if (error == SK_ECORRUPT) {
            // Nothing whole was left: start empty, without a vote, and refill.
            *lost = true;
            sk_log(node->sink, SK_LOG_ERROR, "msg=\"snapshot damaged and set aside: refilling from peers\" space=%s",
                   node->spaces[i]->name);
            continue;
        }
        if (error) return error;
    }
    return 0;
}

static int recover(sk_node *node, char *problem, size_t problem_size)
{
    bool lost = false;
    int error = make_folders(node);
    if (!error) error = restore_spaces(node, &lost);
    if (error) {
        snprintf(problem, problem_size, "the directory cannot be used: %s", sk_error_text(error));
        return error;
    }
    for (size_t i = 0; i < node->space_count; i++) sk_space_open_replica(node->spaces[i], false);
    error = sk_wal_open(&node->wal, node->disk, &node->identity, &node->config.wal, &node->wal_owner, node->sink, on_replay,
                        node, &node->found);
    if (error) {
        snprintf(problem, problem_size, "the log cannot be opened: %s", sk_error_text(error));
        return error;
    }
    if (node->found.what[0]) sk_log(node->sink, SK_LOG_WARN, "msg=\"log recovered\" found=\"%s\"", node->found.what);
    node->healing = node->found.damaged;
    for (size_t i = 0; i < node->space_count; i++) {
        bool found = node->roster.damaged && node->spaces[i]->id >= SK_SPACE_FIRST_ID;
        sk_space_start(node->spaces[i], node->found.damaged || lost || found);
    }
    return 0;
}

static void close_spaces(sk_node *node)
{
    sk_wal_close(node->wal); // first: it runs its requests at once, which must not meet what spaces submit
    node->wal = NULL;
    for (size_t i = 0; i < node->space_count; i++) sk_space_close(node->spaces[i]);
    node->space_count = 0;
    sk_roster_deinit(&node->roster);
}

// A boot number above `boot_seen`, then everything that the disk holds.
static int start(sk_node *node, uint64_t boot_seen, char *problem, size_t problem_size)
{
    int error = sk_identity_boot(node->disk, &node->identity, boot_seen, node->config.seed);
    if (error) {
        snprintf(problem, problem_size, "the boot number cannot be written: %s", sk_error_text(error));
        return error;
    }
    error = sk_roster_load(&node->roster, node->disk, &node->identity);
    if (error) {
        snprintf(problem, problem_size, "the file 'spaces' cannot be used: %s", sk_error_text(error));
        return error;
    }
    sk_spaces_at_start(node);
    return recover(node, problem, problem_size);
}

int sk_node_open(sk_node **out, const sk_node_config *config, const sk_identity *identity, sk_node_host *host, sk_disk *disk,
                 sk_log_sink *sink, sk_ns now, char *problem, size_t problem_size)
{
    SK_ASSERT(identity->founder_count >= 1 && identity->founder_count <= SK_FOUNDERS_MAX);
    sk_node *node = sk_alloc_zeroed(sizeof *node);
    node->config = *config;
    node->identity = *identity;
    node->host = host;
    node->disk = disk;
    node->sink = sink;
    node->now = node->started = now;
    node->next_client_id = 1;
    node->sync_at = node->unmark_at = SK_NEVER;
    node->wal_owner = (sk_wal_owner){.durable = on_durable, .failed = on_failed};
    sk_list_init(&node->clients);
    sk_list_init(&node->dirty);
    sk_list_init(&node->working);
    sk_list_init(&node->blocked);
    sk_list_init(&node->parked);
    sk_list_init(&node->marked);
    sk_list_init(&node->read_spare);
    sk_list_init(&node->unlinking);
    sk_list_init(&node->waiting);
    node->spaces_look = node->driver_look = true;
    node->driver_at = SK_NEVER;
    sk_prng_init(&node->prng, config->seed ^ identity->node);
    add_peers(node);
    int error = start(node, 0, problem, problem_size);
    if (!error && node->found.boot_max >= node->identity.boot) {
        // The boot file had lost count: once more, with what the log knows.
        uint64_t seen = node->found.boot_max;
        close_spaces(node);
        error = start(node, seen, problem, problem_size);
    }
    if (error) {
        sk_node_close(node);
        return error;
    }
    sk_wal_boot(node->wal, node->identity.boot);
    *out = node;
    return 0;
}

void sk_node_close(sk_node *node)
{
    while (!sk_list_empty(&node->clients)) sk_client_free(SK_CONTAINER(node->clients.next, sk_client, link));
    sk_parked_deinit(node);
    sk_spaces_deinit(node);
    close_spaces(node);
    sk_free(node->route_argv);
    sk_effects_deinit(&node->effects);
    sk_reads_spare_free(&node->read_spare);
    for (size_t i = 0; i < node->peer_count; i++) {
        sk_buffer_deinit(&node->peers[i].urgent);
        sk_buffer_deinit(&node->peers[i].bulk);
    }
    sk_buffer_deinit(&node->scratch);
    sk_buffer_deinit(&node->silent);
    sk_free(node);
}

// ---- Turn ----

void sk_node_time(sk_node *node, sk_ns now)
{
    if (now > node->now) node->now = now;
}

uint64_t sk_node_wall_ms(sk_node *node)
{
    return node->host->ops->wall_ms(node->host);
}

// Each start is written down in the system space: who is a member, with which boot and where it serves.
static void announce(sk_node *node)
{
    sk_space *system = node->spaces[SK_SPACE_SYSTEM];
    if (node->announced || node->identity.founder_count < 2 || !system->status.leader || system->status.recovering) return;
    if (system->status.leader != node->identity.node && !sk_peer_linked(node, system->status.leader)) return;
    node->announced = true;
    char key[32], value[SK_ADDRESS_SIZE_MAX + 64];
    snprintf(key, sizeof key, "node/%u", node->identity.node);
    snprintf(value, sizeof value, "boot=%llu level=%d address=%s", (unsigned long long)node->identity.boot, SK_FEATURE_LEVEL,
             node->config.client_address);
    sk_slice argv[] = {sk_slice_text("SET"), sk_slice_text(key), sk_slice_text(value)};
    sk_origin_submit(system, NULL, 0, 2, 3, argv);
}

static const sk_ns unmark_pause = 10 * SK_S;

// A mark that could not be taken away is tried again: it would make this node stand aside at its next start, when the others may need it.
static void take_mark_away(sk_node *node)
{
    if (node->now < node->unmark_at) return;
    bool marked = sk_wal_healed(node->wal);
    node->unmark_at = marked && !node->wal_failed ? node->now + unmark_pause : SK_NEVER;
}

static void watch_healing(sk_node *node)
{
    if (!node->healing) return;
    for (size_t i = 0; i < node->space_count; i++) {
        if (node->spaces[i]->status.recovering) return;
    }
    node->healing = false;
    node->unmark_at = node->now;
    if (node->peer_count) sk_log(node->sink, SK_LOG_INFO, "msg=\"refilled from peers: this node votes again\"");
    else sk_log(node->sink, SK_LOG_ERROR, "msg=\"the log was damaged and there is no peer to refill it from: serving what is left\"");
}

enum { UNSYNCED_MAX = 1 << 20 }; // bytes that wait in memory

void sk_node_log_grew(sk_node *node, size_t bytes, sk_ns within)
{
    sk_ns at = node->now + within;
    if (at < node->sync_at) node->sync_at = at;
    node->unsynced += bytes;
}

// What every space lets wait goes on waiting; all that is there goes with the first that does not.
static void flush_log(sk_node *node)
{
    bool wait = node->sync_at != SK_NEVER && node->now < node->sync_at && node->unsynced < UNSYNCED_MAX && !node->stopping;
    wait = wait && !sk_wal_is_behind(node->wal); // else who is refused because of that would wait for nothing
    for (size_t i = 0; wait && i < node->active_count; i++) wait = !sk_space_wants_sync(node->active[i]);
    if (wait) return;
    sk_wal_flush(node->wal);
    node->sync_at = SK_NEVER;
    node->unsynced = 0;
}

static sk_ns next_turn(sk_node *node)
{
    sk_ns at = sk_clients_deadline(node);
    if (node->sync_at < at) at = node->sync_at;
    if (node->unmark_at < at) at = node->unmark_at;
    sk_ns spaces = sk_spaces_deadline(node);
    if (spaces < at) at = spaces;
    for (size_t i = 0; i < node->active_count; i++) {
        sk_space *space = node->active[i];
        node->wake[space->index] = sk_space_deadline(space);
        node->watched[space->index] = sk_space_watched(space);
    }
    // What was touched since this turn chose its spaces, and is none of them, stands at 0.
    for (size_t i = 0; i < node->space_count; i++) {
        if (node->wake[i] < at) at = node->wake[i];
    }
    return at;
}

// Spaces to which something has happened, whose time has come, or that work with the disk; all of them when the log is to be shortened.
static void choose_active(sk_node *node)
{
    bool all = sk_wal_over(node->wal);
    node->active_count = 0;
    for (size_t i = 0; i < node->space_count; i++) {
        if (all || node->wake[i] <= node->now || node->watched[i]) node->active[node->active_count++] = node->spaces[i];
    }
}

sk_ns sk_node_turn(sk_node *node)
{
    node->turns++;
    announce(node);
    sk_spaces_turn(node);
    choose_active(node);
    for (size_t i = 0; i < node->active_count; i++) sk_space_turn(node->active[i]);
    flush_log(node);
    sk_peers_flush(node);
    bool more = sk_clients_work(node);
    for (size_t i = 0; i < node->active_count; i++) more |= sk_space_work(node->active[i]);
    watch_healing(node);
    take_mark_away(node);
    sk_clients_flush(node);
    // Slices may have left something to send or to write down.
    for (size_t i = 0; i < node->active_count; i++) sk_forward_flush(node->active[i]);
    flush_log(node);
    sk_peers_flush(node);
    sk_ns at = next_turn(node);
    if (!more) return at;
    for (size_t i = 0; i < node->active_count; i++) sk_space_touch(node->active[i]); // whichever of them has more
    return 0;
}

bool sk_node_stopping(sk_node *node)
{
    node->stopping = true;
    if (node->sync_at != SK_NEVER || sk_wal_busy(node->wal) || node->roster.writing || !sk_list_empty(&node->unlinking)) return false;
    for (size_t i = 0; i < node->space_count; i++) {
        const sk_space *space = node->spaces[i];
        if (space->origin.waiting.count + space->origin.sent.count + space->reads.count + space->local_reads.count)
            return false;
        if (space->job.writer) return false;
    }
    return sk_list_empty(&node->dirty);
}

// ---- Facts ----

const sk_identity *sk_node_identity(const sk_node *node)
{
    return &node->identity;
}

bool sk_node_is_marked(const sk_node *node)
{
    return sk_wal_is_marked(node->wal);
}

sk_space *sk_node_space(sk_node *node, uint32_t id)
{
    size_t low = 0, high = node->space_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (node->spaces[middle]->id < id) low = middle + 1;
        else high = middle;
    }
    return low < node->space_count && node->spaces[low]->id == id ? node->spaces[low] : NULL;
}

size_t sk_node_space_count(const sk_node *node)
{
    return node->space_count;
}

static const char *why_not_serving(const sk_node *node, const sk_status *status)
{
    if (node->wal_failed) return "the log cannot be written";
    if (status->why) return status->why;
    if (!status->leader) return "no leader is known";
    if (status->leader != node->identity.node && !sk_peer_linked(node, status->leader)) return "the leader is out of reach";
    return NULL;
}

sk_space_facts sk_node_space_facts(const sk_node *node, size_t index, bool with_digest)
{
    SK_ASSERT(index < node->space_count);
    const sk_space *space = node->spaces[index];
    sk_keyspace_facts keys = space->kind->facts(space->machine);
    sk_space_facts facts = {.id = space->id,
                            .name = space->name,
                            .protocol = space->protocol->name,
                            .number = space->number,
                            .prefix = sk_buffer_slice(&space->prefix),
                            .status = space->protocol->status(space->replica),
                            .applied = space->applied,
                            .snapshot_position = space->snapshot.position,
                            .clock_ms = space->clock.applied_ms,
                            .keys = keys.keys,
                            .bytes = keys.bytes,
                            .repeats = space->repeats,
                            .fetches = space->fetched,
                            .snapshots_installed = space->snapshots_installed,
                            .durability = space->durability,
                            .durability_ms = space->durability_ms,
                            .not_synced = space->marks.count};
    facts.why_not = why_not_serving(node, &facts.status);
    facts.serving = !facts.why_not;
    facts.readable = facts.serving || space->read_mode == SK_READS_SESSION || space->read_mode == SK_READS_LOCAL;
    if (with_digest) {
        facts.digest_position = space->applied;
        facts.digest = sk_hash_mix(space->machine->ops->digest(space->machine), sk_sessions_digest(&space->sessions));
        facts.digest = sk_hash_mix(facts.digest, sk_rules_digest(&space->rules));
        facts.digest = sk_hash_mix(facts.digest, space->clock.applied_ms);
        facts.digest = sk_hash_mix(facts.digest, (uint64_t)space->clock.wall_offset_ms);
    }
    return facts;
}

const sk_replica *sk_node_replica(const sk_node *node, uint32_t id, const sk_protocol **protocol)
{
    for (size_t i = 0; i < node->space_count; i++) {
        if (node->spaces[i]->id != id) continue;
        *protocol = node->spaces[i]->protocol;
        return node->spaces[i]->replica;
    }
    return NULL;
}

uint64_t sk_node_fingerprint(const sk_node *node)
{
    uint64_t hash = node->identity.node;
    for (size_t i = 0; i < node->space_count; i++) {
        const sk_space *space = node->spaces[i];
        hash = sk_hash_mix(hash, space->protocol->fingerprint(space->replica));
        hash = sk_hash_mix(hash, space->applied);
        hash = sk_hash_mix(hash, space->origin.sent.count);
    }
    return hash;
}

void sk_node_check(const sk_node *node)
{
    for (size_t i = 0; i < node->space_count; i++) sk_space_check(node->spaces[i]);
    sk_wal_check(node->wal);
}
