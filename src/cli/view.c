#include "cli/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/consumption.h"

enum { DEFAULT_SPACE = 1 };

// A flat array [name, value, name, value, ...].
typedef struct pairs {
    const sk_resp_value *items;
    size_t count;
} pairs;

static bool is_pairs(const sk_resp_value *value, pairs *out)
{
    if (value->type != SK_RESP_ARRAY && value->type != SK_RESP_MAP) return false;
    if (value->count % 2) return false;
    *out = (pairs){.items = value->items, .count = value->count};
    return true;
}

static const sk_resp_value *find(pairs in, const char *name)
{
    for (size_t i = 0; i < in.count; i += 2) {
        if (sk_slice_equal(in.items[i].text, sk_slice_text(name))) return &in.items[i + 1];
    }
    return NULL;
}

static uint64_t number_of(pairs in, const char *name)
{
    const sk_resp_value *value = find(in, name);
    if (!value || (value->type != SK_RESP_INTEGER && value->type != SK_RESP_BOOL) || value->integer < 0) return 0;
    return (uint64_t)value->integer;
}

// Bytes that would confuse a terminal become '?'.
static void text_of(pairs in, const char *name, char *out, size_t size)
{
    const sk_resp_value *value = find(in, name);
    size_t length = value ? value->text.size : 0;
    if (length >= size) length = size - 1;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = value->text.data[i];
        out[i] = byte >= ' ' && byte < 127 ? (char)byte : '?';
    }
    out[length] = 0;
}

static int read_list(const sk_resp_value *reply, sk_cluster_view *found)
{
    for (size_t i = 0; i < reply->count && found->count < SK_VIEW_NODES_MAX; i++) {
        pairs row;
        if (!is_pairs(&reply->items[i], &row)) return SK_EPROTOCOL;
        sk_node_view *node = &found->nodes[found->count++];
        node->id = (uint32_t)number_of(row, "id");
        text_of(row, "peer_address", node->peer_address, sizeof node->peer_address);
        text_of(row, "client_address", node->client_address, sizeof node->client_address);
    }
    return 0;
}

int sk_view_read_list(const sk_resp_value *reply, sk_cluster_view *out)
{
    if (reply->type != SK_RESP_ARRAY) return SK_EPROTOCOL;
    sk_cluster_view *found = sk_alloc_zeroed(sizeof *found); // too large for a stack
    int error = read_list(reply, found);
    if (!error) *out = *found;
    sk_free(found);
    return error;
}

static void read_space(pairs row, sk_space_view *out)
{
    *out = (sk_space_view){
        .id = (uint32_t)number_of(row, "id"),
        .leader = (uint32_t)number_of(row, "leader"),
        .epoch = number_of(row, "epoch"),
        .first = number_of(row, "first"),
        .last = number_of(row, "last"),
        .committed = number_of(row, "committed"),
        .applied = number_of(row, "applied"),
        .snapshot_position = number_of(row, "snapshot_position"),
        .clock_ms = number_of(row, "clock_ms"),
        .keys = number_of(row, "keys"),
        .bytes = number_of(row, "bytes"),
        .serving = number_of(row, "serving") != 0,
        .readable = number_of(row, "serving") != 0 || number_of(row, "readable") != 0,
    };
    text_of(row, "name", out->name, sizeof out->name);
    text_of(row, "prefix", out->prefix, sizeof out->prefix);
    for (char *at = out->prefix; *at; at++) { // a prefix may be any bytes
        if (*at < ' ' || *at > '~') *at = '?';
    }
    text_of(row, "protocol", out->protocol, sizeof out->protocol);
    text_of(row, "role", out->role, sizeof out->role);
    text_of(row, "why", out->why, sizeof out->why);
    text_of(row, "loss_window", out->loss_window, sizeof out->loss_window);
}

static int read_spaces(const sk_resp_value *list, sk_node_view *out)
{
    out->space_count = 0;
    for (size_t i = 0; list && i < list->count && out->space_count < SK_VIEW_SPACES_MAX; i++) {
        pairs row;
        if (!is_pairs(&list->items[i], &row)) return SK_EPROTOCOL;
        read_space(row, &out->spaces[out->space_count++]);
    }
    return 0;
}

static int read_peers(const sk_resp_value *list, sk_node_view *out)
{
    out->peer_count = 0;
    for (size_t i = 0; list && i < list->count && out->peer_count < SK_VIEW_NODES_MAX; i++) {
        pairs row;
        if (!is_pairs(&list->items[i], &row)) return SK_EPROTOCOL;
        out->peers[out->peer_count++] = (sk_peer_view){
            .id = (uint32_t)number_of(row, "id"),
            .linked = number_of(row, "linked") != 0,
            .round_trip_us = number_of(row, "round_trip_us"),
            .matched = number_of(row, "matched"),
        };
    }
    return 0;
}

int sk_view_read_status(const sk_resp_value *reply, sk_node_view *out)
{
    pairs all;
    if (!is_pairs(reply, &all)) return SK_EPROTOCOL;
    const sk_resp_value *spaces = find(all, "spaces");
    const sk_resp_value *peers = find(all, "peers");
    if ((spaces && spaces->type != SK_RESP_ARRAY) || (peers && peers->type != SK_RESP_ARRAY)) return SK_EPROTOCOL;
    if (read_spaces(spaces, out) || read_peers(peers, out)) return SK_EPROTOCOL;
    if (number_of(all, "node")) out->id = (uint32_t)number_of(all, "node");
    text_of(all, "version", out->version, sizeof out->version);
    out->boot = number_of(all, "boot");
    out->uptime_ms = number_of(all, "uptime_ms");
    out->rss_bytes = number_of(all, "rss_bytes");
    out->disk_bytes_written = number_of(all, "disk_bytes_written");
    out->disk_syncs = number_of(all, "disk_syncs");
    out->wakeups = number_of(all, "wakeups");
    out->clients = number_of(all, "clients");
    out->cpu_us = number_of(all, "cpu_us");
    out->commands = number_of(all, "commands");
    out->answered = true;
    out->why[0] = 0;
    return 0;
}

double sk_view_per_joule(const sk_cluster_view *cluster)
{
    double commands = 0, joules = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        const sk_node_view *node = &cluster->nodes[i];
        if (!node->answered) continue;
        commands += (double)node->commands;
        joules += (double)node->cpu_us / 1e6 * SK_WATTS_A_CORE;
    }
    return joules > 0 ? commands / joules : 0;
}

const sk_space_view *sk_view_space(const sk_node_view *node, uint32_t id)
{
    for (size_t i = 0; node->answered && i < node->space_count; i++) {
        if (node->spaces[i].id == id) return &node->spaces[i];
    }
    return NULL;
}

const sk_space_view *sk_view_default_space(const sk_node_view *node)
{
    return sk_view_space(node, DEFAULT_SPACE);
}

const sk_node_view *sk_view_leader(const sk_cluster_view *cluster)
{
    const sk_node_view *leader = NULL;
    uint64_t epoch_max = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        const sk_space_view *space = sk_view_default_space(&cluster->nodes[i]);
        if (!space || strcmp(space->role, "leader") != 0 || space->epoch < epoch_max) continue;
        leader = &cluster->nodes[i];
        epoch_max = space->epoch;
    }
    return leader;
}

uint64_t sk_view_lag(const sk_cluster_view *cluster, const sk_node_view *node)
{
    const sk_node_view *leader = sk_view_leader(cluster);
    const sk_space_view *space = sk_view_default_space(node);
    if (!leader || !space) return 0;
    uint64_t committed = sk_view_default_space(leader)->committed;
    return committed > space->applied ? committed - space->applied : 0;
}

static uint64_t round_trip_from(const sk_node_view *from, uint32_t to)
{
    for (size_t i = 0; from->answered && i < from->peer_count; i++) {
        if (from->peers[i].id == to && from->peers[i].linked) return from->peers[i].round_trip_us;
    }
    return 0;
}

uint64_t sk_view_round_trip(const sk_cluster_view *cluster, const sk_node_view *node)
{
    const sk_node_view *leader = sk_view_leader(cluster);
    if (leader == node) return 0;
    uint64_t found = leader ? round_trip_from(leader, node->id) : 0;
    for (size_t i = 0; !found && i < cluster->count; i++) found = round_trip_from(&cluster->nodes[i], node->id);
    return found;
}

const char sk_view_heading[] = "node  role       term committed   applied   lag    trip  memory written";

void sk_view_row(const sk_cluster_view *cluster, const sk_node_view *node, char *out, size_t size)
{
    if (!node->answered) {
        snprintf(out, size, "%4" PRIu32 "  unreachable: %s", node->id, node->why);
        return;
    }
    char memory[16], written[16], trip[16];
    sk_view_bytes(memory, sizeof memory, node->rss_bytes);
    sk_view_bytes(written, sizeof written, node->disk_bytes_written);
    sk_view_micros(trip, sizeof trip, sk_view_round_trip(cluster, node));
    const sk_space_view *space = sk_view_default_space(node);
    if (!space) {
        snprintf(out, size, "%4" PRIu32 "  has no default space; memory %s", node->id, memory);
        return;
    }
    snprintf(out, size, "%4" PRIu32 "  %-9.9s %5" PRIu64 " %9" PRIu64 " %9" PRIu64 " %5" PRIu64 " %7s %7s %7s", node->id,
             space->role, space->epoch, space->committed, space->applied, sk_view_lag(cluster, node), trip, memory,
             written);
}

const char *sk_view_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    snprintf(out, size, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}

const char *sk_view_micros(char *out, size_t size, uint64_t micros)
{
    if (micros == 0) snprintf(out, size, "-");
    else if (micros < 100000) snprintf(out, size, "%.2f ms", (double)micros / 1000);
    else snprintf(out, size, "%.1f s", (double)micros / 1000000);
    return out;
}
