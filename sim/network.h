// The network between computers: for each pair one connection that carries whole frames, in order, until it
// breaks. A fault may delay, drop, repeat, swap, damage or replay frames, stall a direction, break the
// connection with both ends told, or with neither.
//
// A broken connection loses what was under way. Frames stalled in one direction by a partition or a clog
// arrive late, in order, when it is lifted and the connection still stands.
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "sim/world.h"

// What one direction between two computers is like, apart from what the seed drew for all. Zeros: nothing special.
typedef struct sk_network_way {
    sk_ns extra;        // added to every delay
    uint64_t bandwidth; // bytes a second
    uint32_t capacity;  // messages under way at a time; the others wait
    size_t mtu;         // a longer message stops the direction until somebody breaks or mends it
    uint32_t lost;      // bits (sk_network_kind_bit) of the kinds of frames that never arrive
} sk_network_way;

enum { SK_NETWORK_KINDS = 24 }; // frame kinds, then the protocols' own message kinds

sk_network *sk_network_open(sk_world *world, sk_prng prng);
void sk_network_close(sk_network *network);

void sk_network_send(sk_network *network, sk_node_id from, sk_node_id to, sk_slice frames);
void sk_network_event(sk_network *network, const sk_heap_event *event); // DELIVER, DRAIN, DIAL, NOTICE

// A computer's process began or ended.
void sk_network_started(sk_network *network, sk_node_id id);
void sk_network_stopped(sk_network *network, sk_node_id id);
void sk_network_resumed(sk_network *network, sk_node_id id);

// Break the connection; each side notices after up to `notice` (SK_NEVER: not before something replaces it).
void sk_network_break(sk_network *network, sk_node_id a, sk_node_id b, sk_ns notice);
void sk_network_block(sk_network *network, sk_node_id from, sk_node_id to,
                      bool blocked); // partition: one direction
void sk_network_clog(sk_network *network, sk_node_id from, sk_node_id to, bool clogged);
void sk_network_refuse(sk_network *network, sk_node_id a, sk_node_id b, sk_ns until); // no new connection
sk_network_way *sk_network_way_of(sk_network *network, sk_node_id from, sk_node_id to); // may be changed at any time
// After a change for the better: what waited goes on, a queue longer than 200 ms is dropped with its connection.
void sk_network_way_mended(sk_network *network, sk_node_id from, sk_node_id to);
void sk_network_calm(sk_network *network, bool calm); // calm: no frame faults, short delays
void sk_network_heal(sk_network *network);            // nothing is blocked or clogged any more

#endif
