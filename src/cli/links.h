// The links between a playground's nodes, as something that can be cut: whoever dials a peer dials a port of the relay, which passes the bytes on.
//
//     node 1 --dials--> [port of (1,2)] relay ----> node 2's peer port          one thread, one poll loop
//
// A cut is as silent as a pulled cable: nothing passes, nobody is told, what was sent meanwhile comes after healing. A pair is cut
// when either of its nodes is. A side that ends during a cut ends for the other side when it is healed.
//
// Invariants: the thread alone touches connections; others speak to it through one pipe of masks. A connection of a cut pair is not read.
// A direction holds at most SK_LINKS_PIECE bytes.
#ifndef SK_CLI_LINKS_H
#define SK_CLI_LINKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SK_LINKS_NODES_MAX = 9,
    SK_LINKS_PAIRS_MAX = SK_LINKS_NODES_MAX * (SK_LINKS_NODES_MAX - 1),
    SK_LINKS_CONNECTIONS_MAX = 2 * SK_LINKS_PAIRS_MAX,
    SK_LINKS_PIECE = 64 * 1024,
};

typedef struct sk_links sk_links;

// Listens on a free loopback port for each ordered pair of nodes 1 to `count` (either may dial the other); to[i] is the peer port of node i + 1.
// NULL with a complaint on stderr. sk_links_close ends the thread and all connections.
sk_links *sk_links_open(uint32_t count, const uint16_t *to);
void sk_links_close(sk_links *links); // NULL is allowed
// Where `from` dials `to` (numbers of nodes).
uint16_t sk_links_port(const sk_links *links, uint32_t from, uint32_t to);
// Which nodes are cut off: bit (number - 1) is set. Takes effect in the background, within a turn of the thread's loop.
void sk_links_cut(sk_links *links, uint32_t mask);

#endif
