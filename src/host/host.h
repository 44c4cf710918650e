// The real world around a node: one loop thread with sockets, clocks and entropy.
//
// One iteration of the loop:
//     wait (sockets, disk completions, the deadline's timerfd on the boot-time clock)
//     inputs to the node: clients' bytes, peers' frames, links        sk_node_time once before the first
//     one sk_node_turn: replies and frames leave by direct writes
//     arm the deadline, only when it moved; nothing armed, nothing polled: no wake-up
// so everything read in one iteration is one batch for the log.
//
// Memory: an idle client costs its handle (under 400 bytes) and whatever the node keeps; only an unfinished
// request or unread replies hold buffers. All reads go through one scratch buffer.
#ifndef SK_HOST_HOST_H
#define SK_HOST_HOST_H

#include <uv.h>
#include "host/address.h"
#include "node/node.h"

typedef struct sk_host sk_host;

typedef struct sk_host_config {
    const char *client_bind; // numeric addresses
    uint16_t client_port;    // 0: a free one
    const char *peer_bind;
    uint16_t peer_port;
    bool alone; // no peers: their port is not opened
    sk_node_id self;
    sk_founder peers[SK_FOUNDERS_MAX]; // self may be among them
    uint32_t peer_count;
    uint32_t clients_max;
    size_t peer_output_max;
    sk_ns stop_timeout;
} sk_host_config;

// The loop alone, for the disk. 0 or SK_EIO.
int sk_host_open(sk_host **host, sk_log_sink *sink);
// Binds the ports; nothing is accepted before run. 0, or SK_EBUSY (an address is taken), SK_EINVAL, SK_EIO;
// then `problem` says it in plain words. The config's texts must outlive the host.
int sk_host_listen(sk_host *host, const sk_host_config *config, char *problem, size_t problem_size);
// After run has returned (or was never called), and after the disk is closed.
void sk_host_close(sk_host *host);

uint16_t sk_host_client_port(const sk_host *host); // those really listened on
uint16_t sk_host_peer_port(const sk_host *host);
uv_loop_t *sk_host_loop(sk_host *host);    // for the disk's completions
sk_node_host *sk_host_face(sk_host *host); // for sk_node_open

// What happens to clients and peers from now on: a node serves them, or every command is answered with one
// error (text without its leading minus; must outlive the host).
void sk_host_serve(sk_host *host, sk_node *node);
void sk_host_refuse(sk_host *host, const char *error);

// Called after every turn, until it returns false.
typedef bool sk_host_watch(void *context);
void sk_host_set_watch(sk_host *host, sk_host_watch *watch, void *context);

// SIGTERM and SIGINT stop the host from now on, the second at once.
int sk_host_watch_signals(sk_host *host);
// A peer's name is being looked up, which cannot be cut short: close would wait for the resolver.
bool sk_host_looking_up(const sk_host *host);
// Runs until stopped: after stop, until the node has ended what it can, at most stop_timeout. Once it has returned the node is
// not called any more: it may be closed.
void sk_host_run(sk_host *host);
void sk_host_stop(sk_host *host);
bool sk_host_stopped_clean(const sk_host *host); // everything under way had ended

// To be called before anything is given to the node from outside its own callbacks (disk completions): tells
// it the time and makes sure that a turn follows.
void sk_host_input(sk_host *host);

#endif
