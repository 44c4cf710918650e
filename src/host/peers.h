// The other nodes: one link to each, dialled by the node with the lower number.
//
//     lower number    dials at start and again whenever there is no link: 50 ms, doubling to 1 s, with jitter
//     higher number   waits to be dialled; at its own start it knocks once, so that nobody waits out a
//     back-off for it
//
// Two connections to the same peer: the newer one stays unless it comes from an older start of the peer (the
// old one is most likely dead, and only we do not know yet). Should both ends keep different ones, both break
// and the lower number dials once more; it never knocks, so this ends.
#ifndef SK_HOST_PEERS_H
#define SK_HOST_PEERS_H

#include "base/prng.h"
#include "host/link.h"
#include "node/node.h"

typedef struct sk_host sk_host;
typedef struct sk_peers sk_peers;

typedef struct sk_host_peer {
    sk_peers *peers;
    sk_node_id id;
    char address[SK_ADDRESS_SIZE_MAX];
    bool dials;      // we do
    sk_link *link;   // UP
    sk_link *trying; // dialled, not UP yet
    uv_timer_t retry;
    uint32_t backoff_ms;
    uint32_t attempts;
    uv_getaddrinfo_t lookup;
    bool looking;
} sk_host_peer;

struct sk_peers {
    sk_host *host;
    int listener; // -1: none
    uv_poll_t poll;
    sk_link_setup setup;
    sk_prng prng;
    bool closing;
    uint32_t strangers; // accepted, no hello yet
    sk_list links;      // all
    size_t count;
    sk_host_peer list[SK_FOUNDERS_MAX];
    char why[SK_LINK_WHY_MAX];
};

void sk_peers_open(sk_peers *peers, sk_host *host, int listener); // -1: alone
void sk_peers_start(sk_peers *peers);
void sk_peers_close(sk_peers *peers); // the loop must run until it has let go

// The node's calls (node.h).
void sk_peers_send(sk_peers *peers, sk_node_id peer, sk_slice frames);
void sk_peers_cut(sk_peers *peers, sk_node_id peer, const char *why);

#endif
