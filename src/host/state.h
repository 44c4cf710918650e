// The host's own state, for the files of src/host only.
#ifndef SK_HOST_STATE_H
#define SK_HOST_STATE_H

#include "host/door.h"
#include "host/heap.h"
#include "host/host.h"
#include "host/peers.h"

enum { SK_HOST_SCRATCH_SIZE = 64 * 1024 };

struct sk_host {
    sk_node_host face; // first: the node's pointer to it is a pointer to this
    sk_host_config config;
    sk_log_sink *sink;
    uv_loop_t loop;
    sk_node *node; // NULL: nobody is served
    uint8_t *scratch;
    sk_heap heap;

    uv_check_t check;
    uv_idle_t again; // active: the next iteration does not wait
    bool timed;      // the node knows the time of this batch

    uv_poll_t deadline_poll;
    int deadline_fd;
    sk_ns armed; // SK_NEVER: not
    sk_ns armed_at;

    uv_signal_t signals[2];
    bool signals_watched;
    uv_timer_t stop_timer;
    bool listening, running, stopping, stopped_clean;

    sk_host_watch *watch;
    void *watch_context;

    uint16_t client_port, peer_port;
    sk_door door;
    sk_peers peers;
};

#endif
