// The node's own state, for the files of src/node only.
#ifndef SK_NODE_STATE_H
#define SK_NODE_STATE_H

#include "base/list.h"
#include "base/prng.h"
#include "node/client.h"
#include "node/node.h"
#include "node/roster.h"
#include "node/space.h"
#include "node/spaces.h"

typedef struct sk_peer {
    sk_node_id id;
    char address[SK_ADDRESS_SIZE_MAX];
    char client_address[SK_HELLO_ADDRESS_MAX];
    bool linked;
    uint64_t boot;     // greatest ever seen from it
    sk_buffer urgent;  // frames of this turn
    sk_buffer bulk;
} sk_peer;

enum { SK_SPACES_MAX = 256 };

struct sk_node {
    sk_node_config config;
    sk_identity identity;
    sk_node_host *host;
    sk_disk *disk;
    sk_log_sink *sink;
    sk_ns now, started;
    sk_prng prng;
    bool stopping;

    sk_wal_owner wal_owner;
    sk_wal *wal;
    sk_wal_found found;
    bool wal_failed;
    sk_ns sync_at;     // when what was appended since the last flush must be handed to the disk; SK_NEVER: nothing was
    size_t unsynced;   // bytes of that
    sk_list marked; // spaces with records that are not durable
    bool healing; // found.damaged, and not all spaces are refilled yet
    sk_ns unmark_at; // they are: when the log's mark of it is taken away, or looked after

    sk_space *spaces[SK_SPACES_MAX]; // by id: the system and default spaces come first
    size_t space_count;
    // Beside each of them: when it next wants a turn (0: something has happened to it), and whether it takes part in every turn (work with
    // the disk under way). So a space in which nothing happens costs a turn two comparisons.
    sk_ns wake[SK_SPACES_MAX];
    bool watched[SK_SPACES_MAX];
    sk_space *active[SK_SPACES_MAX]; // of this turn
    sk_effects effects; // of the step under way
    bool stepping;
    sk_list read_spare; // groups of reads.c for the next use
    size_t active_count;
    sk_roster roster;            // the catalogue that this node routes by
    uint64_t catalogue_changes;  // of the system space's machine, when last looked at
    uint64_t roster_opened;      // its durable version, when spaces were last opened and closed
    bool spaces_look, parked_look, driver_look; // something has changed that they act on
    sk_ns driver_at;             // when the driver asks again
    sk_list unlinking;           // files of dropped spaces, with the disk (spaces.c)
    sk_list parked, waiting;     // parked.c
    sk_slice *route_argv;        // route.c
    size_t route_argv_capacity;

    sk_peer peers[SK_FOUNDERS_MAX];
    size_t peer_count;

    sk_list clients;
    uint32_t client_count;
    sk_list dirty;   // clients with output to hand over, or to be closed or resumed
    sk_list working; // clients with a sliced job or in WAIT
    sk_list blocked; // clients whose input waits for room in a space's origin
    uint64_t next_client_id;

    bool announced; // our boot is written in the system space
    uint64_t commands, connections, rejected, turns; // counted for INFO
    sk_buffer scratch; // for whoever needs bytes within one call
    sk_buffer silent;  // where replies go that nobody wants
};

// Something has happened to the space: it takes part in the next turn.
static inline void sk_space_touch(sk_space *space)
{
    space->node->wake[space->index] = 0;
}

sk_peer *sk_node_peer(sk_node *node, sk_node_id id); // NULL: not a member
sk_space *sk_node_space(sk_node *node, uint32_t id); // NULL: no such space
// Queues one frame for the end of the turn; dropped when the peer is not linked.
void sk_peer_queue(sk_node *node, sk_node_id to, enum sk_frame_kind kind, uint32_t space, sk_slice payload, bool urgent);
bool sk_peer_linked(const sk_node *node, sk_node_id id);
void sk_peers_flush(sk_node *node); // end of turn
// Something was appended to the log: it is flushed at the end of the turn that comes `within` so long (0: of this one).
void sk_node_log_grew(sk_node *node, size_t bytes, sk_ns within);
uint64_t sk_node_wall_ms(sk_node *node);

#endif
