// INFO: Redis's sections and the fields that clients read, then our own. A field that would have to be made
// up is left out.
#include "node/command/family.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/version.h"
#include "node/state.h"
#include "redis/keyspace.h"

// Forty hexadecimal digits that differ from start to start.
static void append_run_id(const sk_node *node, const char *name, uint64_t salt, sk_buffer *out)
{
    uint64_t hash = sk_hash64(salt, node->identity.cluster.bytes, sizeof node->identity.cluster.bytes);
    uint64_t words[3];
    for (size_t i = 0; i < 3; i++) words[i] = hash = sk_hash_mix(hash, i + 1);
    sk_buffer_printf(out, "%s:%016" PRIx64 "%016" PRIx64 "%08" PRIx32 "\r\n", name, words[0], words[1],
                     (uint32_t)words[2]);
}

// "1.50M", in whole-number arithmetic.
static void append_human(const char *name, uint64_t bytes, sk_buffer *out)
{
    static const char units[] = "BKMGTPE";
    size_t unit = 0;
    uint64_t scale = 1;
    while (unit + 1 < sizeof units - 1 && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    if (unit == 0) {
        sk_buffer_printf(out, "%s:%" PRIu64 "B\r\n", name, bytes);
    } else {
        sk_buffer_printf(out, "%s:%" PRIu64 ".%02" PRIu64 "%c\r\n", name, bytes / scale,
                         bytes % scale / (scale / 64) * 100 / 64, units[unit]);
    }
}

static uint64_t count_bytes(const sk_node *node)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < node->space_count; i++) bytes += node->spaces[i]->kind->facts(node->spaces[i]->machine).bytes;
    return bytes;
}

// ---- Sections ----

static void section_server(sk_node *node, sk_buffer *out)
{
    uint64_t up_s = (node->now - node->started) / SK_S;
    sk_buffer_printf(out,
                     "redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n"
                     "redis_mode:standalone\r\nos:%s\r\narch_bits:%zu\r\nprocess_id:%" PRIu32 "\r\n",
                     SK_REDIS_VERSION,
#ifdef __linux__
                     "Linux",
#else
                     "unknown",
#endif
                     sizeof(void *) * 8, node->config.process_id);
    append_run_id(node, "run_id", sk_hash_mix(node->identity.node, node->identity.boot), out);
    sk_buffer_printf(out,
                     "tcp_port:%" PRIu32 "\r\nserver_time_usec:%" PRIu64 "\r\nuptime_in_seconds:%" PRIu64
                     "\r\nuptime_in_days:%" PRIu64 "\r\nskein_version:%s\r\n",
                     node->config.resp_port, sk_node_wall_ms(node) * 1000, up_s, up_s / 86400, SK_VERSION);
}

static void section_clients(sk_node *node, sk_buffer *out)
{
    uint32_t blocked = 0;
    for (sk_list *at = node->clients.next; at != &node->clients; at = at->next) {
        blocked += SK_CONTAINER(at, sk_client, link)->wait_until != 0;
    }
    sk_buffer_printf(out,
                     "connected_clients:%" PRIu32 "\r\ncluster_connections:0\r\nmaxclients:%" PRIu32
                     "\r\nblocked_clients:%" PRIu32 "\r\ntracking_clients:0\r\n",
                     node->client_count, node->config.clients_max, blocked);
}

static void section_memory(sk_node *node, sk_buffer *out)
{
    uint64_t memory_max = node->spaces[SK_SPACE_DEFAULT]->rules.memory_max;
    uint64_t used = count_bytes(node), rss = node->host->ops->memory_rss(node->host);
    sk_buffer_printf(out, "used_memory:%" PRIu64 "\r\n", used);
    append_human("used_memory_human", used, out);
    if (rss) {
        sk_buffer_printf(out, "used_memory_rss:%" PRIu64 "\r\n", rss);
        append_human("used_memory_rss_human", rss, out);
    }
    sk_buffer_printf(out, "used_memory_dataset:%" PRIu64 "\r\nmaxmemory:%" PRIu64 "\r\n", used,
                     memory_max);
    append_human("maxmemory_human", memory_max, out);
    sk_buffer_append_text(out, "maxmemory_policy:noeviction\r\nmem_allocator:libc\r\n");
}

static void section_persistence(sk_node *node, sk_buffer *out)
{
    bool saving = false;
    for (size_t i = 0; i < node->space_count; i++) saving = saving || node->spaces[i]->job.writer;
    const char *write_status = node->wal_failed ? "err" : "ok";
    sk_buffer_printf(
        out,
        "loading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:%d\r\n"
        "rdb_last_bgsave_status:ok\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n"
        "aof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:ok\r\naof_last_write_status:%s\r\n",
        saving, write_status);
}

static void section_stats(sk_node *node, sk_buffer *out)
{
    sk_buffer_printf(out,
                     "total_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
                     "\r\nrejected_connections:%" PRIu64 "\r\nevicted_keys:0\r\npubsub_channels:0\r\n"
                     "pubsub_patterns:0\r\n",
                     node->connections, node->commands, node->rejected);
}

static void section_replication(sk_node *node, sk_buffer *out)
{
    const sk_space *space = sk_node_space(node, SK_SPACE_DEFAULT);
    sk_buffer_append_text(out, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
    append_run_id(node, "master_replid", 0, out);
    sk_buffer_printf(out,
                     "master_repl_offset:%" PRIu64 "\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0\r\n",
                     space ? space->applied : 0);
}

static void section_cpu(sk_node *node, sk_buffer *out)
{
    sk_cpu_time cpu = node->host->ops->cpu_time(node->host);
    sk_buffer_printf(out,
                     "used_cpu_sys:%" PRIu64 ".%06" PRIu64 "\r\nused_cpu_user:%" PRIu64 ".%06" PRIu64 "\r\n",
                     cpu.system / SK_S, cpu.system % SK_S / SK_US, cpu.user / SK_S, cpu.user % SK_S / SK_US);
}

// There are none, and clients look for the section.
static void section_empty(sk_node *node, sk_buffer *out)
{
    (void)node;
    (void)out;
}

static void section_cluster(sk_node *node, sk_buffer *out)
{
    (void)node;
    sk_buffer_append_text(out, "cluster_enabled:0\r\n");
}

// db0 is the routed view, whose DBSIZE is the default space's; each created space has the line of its number.
static void section_keyspace(sk_node *node, sk_buffer *out)
{
    for (size_t i = SK_SPACE_DEFAULT; i < node->space_count; i++) {
        const sk_space *space = node->spaces[i];
        const sk_space_record *record = sk_catalogue_by_id(&node->roster.known, space->id);
        sk_keyspace_facts facts = space->kind->facts(space->machine);
        bool created = space->id >= SK_SPACE_FIRST_ID;
        if (!facts.keys || (created && !record)) continue;
        sk_buffer_printf(out, "db%" PRIu32 ":keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0\r\n", created ? record->number : 0,
                         facts.keys, facts.expires);
    }
}

static void append_space(const sk_space *space, sk_buffer *out)
{
    const sk_status *status = &space->status;
    char loss[48];
    sk_buffer_printf(out,
                     "space%" PRIu32 ":name=%s,protocol=%s,role=%s,leader=%" PRIu32 ",epoch=%" PRIu64
                     ",committed=%" PRIu64 ",applied=%" PRIu64 ",last=%" PRIu64 ",snapshot=%" PRIu64
                     ",recovering=%d,resends=%" PRIu64 ",repeats=%" PRIu64 ",gaps=%" PRIu64
                     ",snapshots_taken=%" PRIu64 ",snapshots_installed=%" PRIu64 ",loss_window=%s,not_synced=%zu\r\n",
                     space->id, space->name, space->protocol->name, sk_role_name(status->role),
                     status->leader, status->epoch, status->committed, space->applied, status->last,
                     space->snapshot.position, status->recovering, space->origin.resends, space->repeats,
                     space->gaps, space->snapshots_taken, space->snapshots_installed,
                     sk_durability_loss(space->durability, space->durability_ms, loss, sizeof loss), space->marks.count);
}

static void section_skein(sk_node *node, sk_buffer *out)
{
    uint32_t linked = 0;
    for (size_t i = 0; i < node->peer_count; i++) linked += node->peers[i].linked;
    sk_wal_stats wal = sk_wal_stats_of(node->wal);
    sk_buffer_printf(out,
                     "node:%" PRIu32 "\r\nboot:%" PRIu64 "\r\nmembers:%" PRIu32 "\r\npeers_linked:%" PRIu32
                     "\r\nwakeups:%" PRIu64 "\r\nhealing:%d\r\n",
                     node->identity.node, node->identity.boot, node->identity.founder_count, linked,
                     node->turns, node->healing);
    sk_buffer_printf(out,
                     "disk_bytes_written:%" PRIu64 "\r\ndisk_syncs:%" PRIu64 "\r\nlog_bytes_written:%" PRIu64
                     "\r\nlog_syncs:%" PRIu64 "\r\nlog_batches:%" PRIu64 "\r\nlog_records:%" PRIu64
                     "\r\nlog_segments:%" PRIu64 "\r\nlog_size:%" PRIu64 "\r\nlog_sync_last_us:%" PRIu64
                     "\r\nlog_failed:%d\r\n",
                     node->disk->bytes_written, node->disk->syncs, wal.bytes_written, wal.syncs, wal.batches,
                     wal.records, wal.segments, wal.size, wal.sync_last / SK_US, node->wal_failed);
    for (size_t i = 0; i < node->space_count; i++) append_space(node->spaces[i], out);
}

// ---- INFO ----

static const struct section {
    const char *name;  // as asked for
    const char *title; // as shown
    void (*append)(sk_node *node, sk_buffer *out);
} sections[] = {
    {"server", "Server", section_server},    {"clients", "Clients", section_clients},
    {"memory", "Memory", section_memory},    {"persistence", "Persistence", section_persistence},
    {"stats", "Stats", section_stats},       {"replication", "Replication", section_replication},
    {"cpu", "CPU", section_cpu},             {"modules", "Modules", section_empty},
    {"cluster", "Cluster", section_cluster}, {"keyspace", "Keyspace", section_keyspace},
    {"skein", "Skein", section_skein},
};

static bool section_wanted(const sk_node_call *call, const char *name)
{
    for (size_t i = 1; i < call->argc; i++) {
        sk_slice asked = call->argv[i];
        if (sk_slice_equal_nocase(asked, name) || sk_slice_equal_nocase(asked, "default") ||
            sk_slice_equal_nocase(asked, "all") || sk_slice_equal_nocase(asked, "everything")) {
            return true;
        }
    }
    return call->argc == 1;
}

void sk_node_run_info(sk_node_call *call)
{
    if (sk_call_too_many(call, 1)) return;
    sk_buffer text = {0};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (!section_wanted(call, sections[i].name)) continue;
        sk_buffer_printf(&text, "%s# %s\r\n", text.size ? "\r\n" : "", sections[i].title);
        sections[i].append(call->node, &text);
    }
    sk_reply_verbatim(&call->reply, "txt", sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
}
