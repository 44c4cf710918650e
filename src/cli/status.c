// skein status: asks one node who the others are, then all of them how they are, at the same time.
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/asker.h"
#include "cli/cli.h"
#include "cli/consumption.h"

enum { ANSWER_MS = 2000, DEFAULT_SPACE = 1 };

static const sk_flag flags[] = {
    SK_FLAGS_SERVER,
    {"--json", NULL, NULL, "everything the nodes said, as JSON"},
};

// NODE LIST from the entry node. 0, or an exit code after a complaint.
static int ask_list(const sk_endpoint *entry, sk_cluster_view *cluster)
{
    sk_remote remote;
    sk_remote_init(&remote);
    sk_ns deadline = sk_client_now() + ANSWER_MS * SK_MS;
    const sk_resp_value *reply = NULL;
    sk_slice argv[] = {sk_slice_text("NODE"), sk_slice_text("LIST")};
    int code = 0;
    int error = sk_remote_open(&remote, entry, deadline);
    if (!error) error = sk_remote_call(&remote, 2, argv, deadline, &reply);
    if (error) {
        fprintf(stderr, "skein status: %s\n", remote.problem);
        code = SK_EXIT_UNAVAILABLE;
    } else if (reply->type == SK_RESP_FAILURE) {
        fprintf(stderr, "skein status: %s port %s is no Skein node, or refuses: %.*s\n", entry->host, entry->port,
                (int)reply->text.size, (const char *)reply->text.data);
        code = SK_EXIT_FAILED;
    } else if (sk_view_read_list(reply, cluster)) {
        fprintf(stderr, "skein status: the answer to NODE LIST cannot be read\n");
        code = SK_EXIT_FAILED;
    }
    sk_remote_deinit(&remote);
    return code;
}

// NODE STATUS from every node that has an address; returns when all have answered or their time is over.
static void ask_all(sk_cluster_view *cluster)
{
    sk_asker askers[SK_VIEW_NODES_MAX];
    struct pollfd items[SK_VIEW_NODES_MAX];
    sk_ns deadline = sk_client_now() + ANSWER_MS * SK_MS;
    for (size_t i = 0; i < cluster->count; i++) {
        sk_node_view *node = &cluster->nodes[i];
        sk_endpoint endpoint = {0};
        bool known = sk_endpoint_parse(node->client_address, 0, &endpoint) == 0;
        sk_asker_init(&askers[i], &endpoint, node);
        if (known) sk_asker_ask(&askers[i], sk_client_now(), ANSWER_MS * SK_MS);
        else sk_asker_reset(&askers[i], "its address for clients is not known: the node asked has not met it");
    }
    for (;;) {
        size_t waiting = 0;
        sk_ns now = sk_client_now();
        for (size_t i = 0; i < cluster->count; i++) {
            sk_asker_expire(&askers[i], now);
            waiting += askers[i].waiting;
            items[i] = (struct pollfd){.fd = askers[i].waiting ? askers[i].remote.socket : -1,
                                       .events = sk_remote_events(&askers[i].remote)};
        }
        if (!waiting) break;
        sk_ns left = deadline > now ? (deadline - now) / SK_MS + 1 : 0;
        poll(items, cluster->count, (int)left);
        for (size_t i = 0; i < cluster->count; i++) {
            if (items[i].fd >= 0 && items[i].revents) sk_asker_ready(&askers[i], items[i].revents);
        }
    }
    for (size_t i = 0; i < cluster->count; i++) sk_asker_deinit(&askers[i]);
}

static json_t *space_json(const sk_space_view *space)
{
    return json_pack("{s:i,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b,s:b,s:s,s:s}", "id", (int)space->id, "name",
                     space->name, "prefix", space->prefix, "protocol", space->protocol, "role", space->role, "leader", (int)space->leader, "epoch",
                     (json_int_t)space->epoch, "first", (json_int_t)space->first, "last", (json_int_t)space->last,
                     "committed", (json_int_t)space->committed, "applied", (json_int_t)space->applied,
                     "snapshot_position", (json_int_t)space->snapshot_position, "clock_ms", (json_int_t)space->clock_ms,
                     "keys", (json_int_t)space->keys, "bytes", (json_int_t)space->bytes, "serving", space->serving,
                     "writable", space->serving, "readable", space->readable, "why", space->why,
                     "loss_window", space->loss_window);
}

static json_t *node_json(const sk_cluster_view *cluster, const sk_node_view *node)
{
    const sk_space_view *space = sk_view_default_space(node);
    json_t *object = json_pack("{s:i,s:s,s:s,s:b}", "id", (int)node->id, "peer_address", node->peer_address,
                               "client_address", node->client_address, "reachable", node->answered);
    if (!node->answered) {
        json_object_set_new(object, "why", json_string(node->why));
        return object;
    }
    json_t *facts = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "version", node->version, "boot", (json_int_t)node->boot,
                              "uptime_ms", (json_int_t)node->uptime_ms, "rss_bytes", (json_int_t)node->rss_bytes,
                              "disk_bytes_written", (json_int_t)node->disk_bytes_written, "disk_syncs",
                              (json_int_t)node->disk_syncs, "wakeups", (json_int_t)node->wakeups, "clients",
                              (json_int_t)node->clients, "cpu_us", (json_int_t)node->cpu_us, "commands", (json_int_t)node->commands);
    json_object_update_new(object, facts);
    if (space) {
        facts = json_pack("{s:s,s:I,s:I,s:I,s:I,s:i,s:b}", "role", space->role, "term", (json_int_t)space->epoch,
                          "committed", (json_int_t)space->committed, "applied", (json_int_t)space->applied, "lag",
                          (json_int_t)sk_view_lag(cluster, node), "leader", (int)space->leader, "serving", space->serving);
        json_object_update_new(object, facts);
    }
    json_t *spaces = json_array();
    for (size_t i = 0; i < node->space_count; i++) json_array_append_new(spaces, space_json(&node->spaces[i]));
    json_object_set_new(object, "spaces", spaces);
    json_t *peers = json_array();
    for (size_t i = 0; i < node->peer_count; i++) {
        const sk_peer_view *peer = &node->peers[i];
        json_array_append_new(peers, json_pack("{s:i,s:b,s:I,s:I}", "id", (int)peer->id, "linked", peer->linked,
                                               "round_trip_us", (json_int_t)peer->round_trip_us, "matched",
                                               (json_int_t)peer->matched));
    }
    json_object_set_new(object, "peers", peers);
    return object;
}

static int print_json(const sk_cluster_view *cluster)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < cluster->count; i++) json_array_append_new(nodes, node_json(cluster, &cluster->nodes[i]));
    const sk_node_view *leader = sk_view_leader(cluster);
    json_t *root = json_pack("{s:o,s:i,s:f}", "nodes", nodes, "leader", leader ? (int)leader->id : 0, "commands_per_joule_estimated",
                             sk_view_per_joule(cluster));
    if (!root) return SK_EXIT_SOFTWARE;
    int error = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', stdout);
    json_decref(root);
    return error ? SK_EXIT_FAILED : SK_EXIT_OK;
}

// Where a space cannot be written or read, and why: a line a node.
static void print_refusals(const sk_cluster_view *cluster, uint32_t id)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const sk_node_view *node = &cluster->nodes[i];
        const sk_space_view *there = sk_view_space(node, id);
        if (!node->answered || (there && there->serving)) continue;
        printf("      at node %" PRIu32 " %s: %s\n", node->id, there && there->readable ? "only read" : "neither",
               there ? there->why : "it is not open there yet");
    }
}

// One line for each space that clients can use: at how many nodes it is written and read, and what hinders it at the others.
static void print_spaces(const sk_cluster_view *cluster)
{
    const sk_node_view *most = NULL; // who knows of the most
    for (size_t i = 0; i < cluster->count; i++) {
        const sk_node_view *node = &cluster->nodes[i];
        if (node->answered && (!most || node->space_count > most->space_count)) most = node;
    }
    for (size_t i = 0; most && i < most->space_count; i++) {
        const sk_space_view *space = &most->spaces[i];
        if (space->id < DEFAULT_SPACE) continue;
        size_t writable = 0, readable = 0;
        for (size_t k = 0; k < cluster->count; k++) {
            const sk_space_view *there = sk_view_space(&cluster->nodes[k], space->id);
            writable += there && there->serving;
            readable += there && there->readable;
        }
        printf("space %s (%s", space->name, space->protocol);
        if (space->id > DEFAULT_SPACE) printf(", prefix %s", space->prefix);
        printf("): written at %zu, read at %zu of %zu nodes\n", writable, readable, cluster->count);
        if (space->loss_window[0] && strcmp(space->loss_window, "none") != 0)
            printf("      answers before its disk: a node that loses its power may lose the last of it: %s\n", space->loss_window);
        print_refusals(cluster, space->id);
    }
}

static void print_energy(const sk_cluster_view *cluster)
{
    double per_joule = sk_view_per_joule(cluster);
    if (per_joule > 0)
        printf("%.0f commands a joule since they started (estimated: %d W a core in use)\n", per_joule, SK_WATTS_A_CORE);
}

static void print_table(const sk_cluster_view *cluster)
{
    puts(sk_view_heading);
    size_t answered = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        const sk_node_view *node = &cluster->nodes[i];
        char row[256];
        sk_view_row(cluster, node, row, sizeof row);
        puts(row);
        answered += cluster->nodes[i].answered;
    }
    const sk_node_view *leader = sk_view_leader(cluster);
    if (leader) {
        const sk_space_view *space = sk_view_default_space(leader);
        printf("\nleader: node %" PRIu32 " (clients: %s), term %" PRIu64 "; %" PRIu64 " keys; ", leader->id,
               leader->client_address, space->epoch, space->keys);
    } else {
        printf("\nno leader: the default space takes no writes; ");
    }
    printf("%zu of %zu nodes answer\n", answered, cluster->count);
    print_energy(cluster);
    print_spaces(cluster);
}

static int run(const sk_arguments *arguments)
{
    if (arguments->count) return sk_cli_usage(arguments->verb, "'%s' is one word too many", arguments->list[0]);
    sk_endpoint entry;
    int code = sk_cli_endpoint(arguments, &entry);
    if (code) return code;
    sk_cluster_view *cluster = sk_alloc_zeroed(sizeof *cluster);
    code = ask_list(&entry, cluster);
    if (!code) {
        ask_all(cluster);
        if (sk_cli_value(arguments, "--json")) code = print_json(cluster);
        else print_table(cluster);
    }
    sk_free(cluster);
    return code;
}

const sk_verb sk_verb_status = {
    .name = "status",
    .usage = "[--addr HOST:PORT] [--json]",
    .summary = "who leads, who follows, how far each node is",
    .help = "Asks one node for the list of all, then each of them how it is, and prints one line a node: its role, term and\n"
            "log positions in the default space, how many entries it is behind, the round trip to it, its memory and\n"
            "the bytes it has written to disk since it started. A node that does not answer is listed as such.\n"
            "Below that the commands for each joule since the nodes started, estimated from their CPU time, and\n"
            "a line a space: at how many nodes it can be written and read now, and what hinders it at the\n"
            "others.\n"
            "Exit code 69 if the node asked does not answer.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
