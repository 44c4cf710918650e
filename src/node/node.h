// One node, with no I/O of its own: key spaces, their replicas and machines, the shared log, client sessions, forwarding.
// Two hosts run it: src/host (sockets, files, a loop) and sim (one seed). What is tested is what ships.
//
//        clients' bytes ---> [ client: parse, order, sessions ] ---> [ space: replica + machine ] ---> [ wal ] ---> disk
//        peers' frames  --------------------------------------------------^
//
// One turn of the host's loop:
//     sk_node_time(now);  any number of inputs (client bytes, peer frames, links, disk completions);  sk_node_turn()
// Turn runs what is due, lets protocols send what they gathered, flushes the log once, hands each peer one run of frames and
// each client its replies. It returns when it wants the next turn (0: at once, sliced work waits). A node never calls
// its host from within an input, only from turn.
#ifndef SK_NODE_NODE_H
#define SK_NODE_NODE_H

#include "base/log.h"
#include "base/time.h"
#include "node/kind.h"
#include "protocol/protocol.h"
#include "store/disk.h"
#include "store/identity.h"
#include "store/wal.h"
#include "wire/frame.h"

typedef struct sk_node sk_node;
typedef struct sk_client sk_client;
typedef struct sk_node_host sk_node_host;

typedef struct sk_node_host_ops {
    // Whole frames for a linked peer, borrowed during the call. Dropped without a word when the link has gone.
    void (*peer_send)(sk_node_host *host, sk_node_id peer, sk_slice frames);
    // The link to this peer is to be cut, for the reason said (static text).
    void (*peer_cut)(sk_node_host *host, sk_node_id peer, const char *why);
    // Replies wait in `out`: write what goes, consume it from the front; what stays is yours to come back for
    // (when writable, write and consume again; tell sk_node_client_drained when it got empty).
    void (*client_output)(sk_node_host *host, void *handle, sk_buffer *out);
    // Close the connection once `out` is written. The node is done with it and has forgotten handle and `out` is handed
    // over (the host frees it).
    void (*client_close)(sk_node_host *host, void *handle, sk_buffer *out);
    // The node can take more from this client: call sk_node_client_receive again with what is left, even if nothing new came.
    void (*client_resume)(sk_node_host *host, void *handle);
    uint64_t (*wall_ms)(sk_node_host *host); // UTC since 1970, whatever this machine believes
    size_t (*memory_rss)(sk_node_host *host); // resident bytes of the process, for INFO; 0: unknown
    sk_cpu_time (*cpu_time)(sk_node_host *host); // that the process has used, for INFO and status; zeros: unknown
} sk_node_host_ops;

struct sk_node_host {
    const sk_node_host_ops *ops;
};

typedef struct sk_node_config {
    sk_timing timing;
    sk_lease lease; // of the default space
    sk_limits limits;
    sk_wal_config wal;
    sk_ns request_timeout;
    sk_ns commit_delay;            // how long an entry may wait for others before the disk is given them together
    uint64_t space_memory_max;     // logical bytes of a space's data; 0: no bound
    size_t request_size_max;       // one client request
    size_t client_output_max;      // unread replies of one client; beyond: it is closed, with a log line
    size_t client_pending_max;     // requests of one client in flight; beyond: its input waits
    uint32_t clients_max;
    size_t origin_pending_max;     // requests of this node in flight in one space
    size_t origin_bytes_max;
    size_t snapshot_inflight_max;  // bytes of a snapshot sent to a peer and not yet accepted
    uint64_t seed;                 // from the host's entropy
    char client_address[SK_ADDRESS_SIZE_MAX]; // told to peers and shown by NODE LIST
    uint32_t resp_port, process_id; // for INFO
} sk_node_config;

// Sensible defaults for all fields (timing, limits, ...); identity-like ones are left zero.
void sk_node_config_default(sk_node_config *config);

// Recovers everything in the directory behind `disk` (synchronously) and is ready to turn. `identity` has been loaded; its boot
// is taken here. 0, or the store's error: then `problem` (size bytes) says in plain words what is wrong and what to do.
int sk_node_open(sk_node **node, const sk_node_config *config, const sk_identity *identity, sk_node_host *host,
                 sk_disk *disk, sk_log_sink *sink, sk_ns now, char *problem, size_t problem_size);
// Everything in memory is dropped; clients' handles are forgotten. Requests at the disk must be over (or the disk be gone).
void sk_node_close(sk_node *node);
// Clean stop: no new requests; leaders' and clients' work ends where it can. True once nothing waits and the log is quiet.
bool sk_node_stopping(sk_node *node);

const sk_identity *sk_node_identity(const sk_node *node); // with this start's boot
// The log's mark of damage is there, or would be after a power cut: then the next start stands aside until its spaces are refilled.
bool sk_node_is_marked(const sk_node *node);

void sk_node_time(sk_node *node, sk_ns now); // never less than before
sk_ns sk_node_turn(sk_node *node);

// ---- Peers: the host keeps one connection to each, has exchanged hellos, and gives whole frames ----

// May we talk to who says this? 0, or SK_EFOREIGN / SK_EVERSION / SK_EPROTOCOL (stale boot: wiped or copied), `why` says it.
int sk_node_peer_judge(const sk_node *node, const sk_hello *hello, char *why, size_t why_size);
void sk_node_hello(const sk_node *node, sk_hello *out); // what this node says
void sk_node_peer_up(sk_node *node, const sk_hello *hello);
void sk_node_peer_down(sk_node *node, sk_node_id peer);
void sk_node_peer_receive(sk_node *node, sk_node_id peer, const sk_frame *frame);

// ---- Clients ----

// NULL: too many; the host writes "-ERR max number of clients reached\r\n" and closes.
sk_client *sk_node_client_open(sk_node *node, void *handle, const char *address);
// All bytes not yet consumed; returns how many now are. Less than all: an unfinished request, or the node has enough for now
// and will call client_resume.
size_t sk_node_client_receive(sk_node *node, sk_client *client, sk_slice input);
// True: it has enough for now and client_resume will be called; what comes meanwhile is best left unread.
bool sk_node_client_stalled(const sk_client *client);
// True: something it asked has no reply yet.
bool sk_node_client_busy(const sk_client *client);
// Its output got empty after client_output had left something.
void sk_node_client_drained(sk_node *node, sk_client *client);
// The other side is gone. What it asked for may still take effect; nobody is told.
void sk_node_client_gone(sk_node *node, sk_client *client);

// ---- For the simulator, status and tests: facts, never ways to change them ----

enum { SK_SPACE_SYSTEM = 0, SK_SPACE_DEFAULT = 1 };

typedef struct sk_space_facts {
    uint32_t id;
    const char *name;
    const char *protocol;
    uint32_t number; // for SELECT; 0: none (the system space)
    sk_slice prefix; // borrowed
    sk_status status;
    uint64_t applied;  // by the machine
    uint64_t digest_position, digest; // of the machine at its last applied position (O(n): only when asked)
    uint64_t snapshot_position;
    uint64_t clock_ms;
    uint64_t keys, bytes;
    uint64_t repeats;             // requests answered once more from the kept replies
    uint64_t fetches;             // runs of entries read back from the log
    uint64_t snapshots_installed; // from a peer
    bool serving;        // it can be expected to take writes, and reads in every mode that its protocol has
    bool readable;       // by connections that chose no mode: session and local reads ask nobody
    const char *why_not; // static text when not serving
    enum sk_durability durability;
    uint32_t durability_ms;
    uint64_t not_synced; // records that a power cut would take now
} sk_space_facts;

size_t sk_node_space_count(const sk_node *node);
sk_space_facts sk_node_space_facts(const sk_node *node, size_t index, bool with_digest);
const sk_replica *sk_node_replica(const sk_node *node, uint32_t space, const sk_protocol **protocol);
uint64_t sk_node_fingerprint(const sk_node *node);
void sk_node_check(const sk_node *node); // invariants; aborts

#endif
