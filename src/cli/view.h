// What nodes say about themselves: the replies of NODE LIST and NODE STATUS, read into structs for people and for JSON.
//
//   NODE LIST     array of flat arrays  [id, n, peer_address, text, client_address, text, linked, 0|1, self, 0|1]
//   NODE STATUS   flat array of name, value; `spaces` and `peers` are arrays of flat arrays
//
// Unknown names are passed over, missing ones stay zero: a newer node may say more, an older one less.
#ifndef SK_CLI_VIEW_H
#define SK_CLI_VIEW_H

#include <stdbool.h>
#include "redis/resp.h"

enum { SK_VIEW_NODES_MAX = 32, SK_VIEW_SPACES_MAX = 256, SK_VIEW_TEXT_MAX = 96 };

typedef struct sk_space_view {
    uint32_t id;
    char name[SK_VIEW_TEXT_MAX];
    char protocol[16];
    char prefix[SK_VIEW_TEXT_MAX]; // as far as it is text
    char role[16];
    uint32_t leader; // 0: none known
    uint64_t epoch;  // raft's term
    uint64_t first, last, committed, applied, snapshot_position;
    uint64_t clock_ms, keys, bytes;
    bool serving;  // takes writes, and reads
    bool readable; // takes reads, of connections that chose no READMODE
    char why[SK_VIEW_TEXT_MAX]; // when not serving
    char loss_window[48]; // "none", or what a power cut may take of what was answered
} sk_space_view;

typedef struct sk_peer_view {
    uint32_t id;
    bool linked;
    uint64_t round_trip_us; // 0: not measured
    uint64_t matched;
} sk_peer_view;

typedef struct sk_node_view {
    uint32_t id;
    char peer_address[SK_VIEW_TEXT_MAX];
    char client_address[SK_VIEW_TEXT_MAX];
    bool answered;
    char why[160]; // when it did not answer
    char version[32];
    uint64_t boot, uptime_ms, rss_bytes, disk_bytes_written, disk_syncs, wakeups, clients;
    uint64_t cpu_us, commands; // since it started
    sk_space_view spaces[SK_VIEW_SPACES_MAX];
    size_t space_count;
    sk_peer_view peers[SK_VIEW_NODES_MAX];
    size_t peer_count;
} sk_node_view;

typedef struct sk_cluster_view {
    sk_node_view nodes[SK_VIEW_NODES_MAX];
    size_t count;
} sk_cluster_view;

// Reads a NODE LIST reply: ids and addresses. 0 or SK_EPROTOCOL.
int sk_view_read_list(const sk_resp_value *reply, sk_cluster_view *out);
// Reads a NODE STATUS reply; keeps id and addresses, sets `answered`. 0 or SK_EPROTOCOL.
int sk_view_read_status(const sk_resp_value *reply, sk_node_view *out);

// The default space's facts on a node, or NULL.
const sk_space_view *sk_view_default_space(const sk_node_view *node);
// A space's facts on a node, or NULL.
const sk_space_view *sk_view_space(const sk_node_view *node, uint32_t id);
// The node that leads the default space in the greatest term anybody answered with, or NULL.
const sk_node_view *sk_view_leader(const sk_cluster_view *cluster);
// How far a node's machine is behind what the leader has committed; 0 without a leader.
uint64_t sk_view_lag(const sk_cluster_view *cluster, const sk_node_view *node);
// The round trip to a node as the leader (or else anybody) measured it, microseconds; 0: unknown.
uint64_t sk_view_round_trip(const sk_cluster_view *cluster, const sk_node_view *node);

// Commands of clients for each joule that the nodes which answer have used since they started, at SK_WATTS_A_CORE of their CPU time:
// an estimate. 0: nothing is known.
double sk_view_per_joule(const sk_cluster_view *cluster);

// One line a node in 74 columns, under its heading; both without a newline.
extern const char sk_view_heading[];
void sk_view_row(const sk_cluster_view *cluster, const sk_node_view *node, char *out, size_t size);

// "4.1 MB", "0.21 ms": at most seven characters for people. Returns `out`.
const char *sk_view_bytes(char *out, size_t size, uint64_t bytes);
const char *sk_view_micros(char *out, size_t size, uint64_t micros);

#endif
