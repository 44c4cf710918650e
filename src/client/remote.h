// A client's connection to one RESP server (a Skein node, or any other).
//
//   closed --start--> connecting --ready--> open --error or close--> closed
//
// Two ways to use it, over the same state. In a loop of one's own: start, then poll() on `socket` for sk_remote_events and
// call sk_remote_ready with what came; sk_remote_next takes replies as they are complete. Or one call after the other:
// sk_remote_open, sk_remote_call. Requests may be queued at any time, before the connection is open too (pipelining);
// replies come in the order of the requests.
//
// Invariants: requests sent and not yet answered are counted in `pending`; after any error the socket is closed, what was
// queued is dropped, and `problem` says in plain words what happened.
#ifndef SK_CLIENT_REMOTE_H
#define SK_CLIENT_REMOTE_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "redis/resp.h"

struct addrinfo;

enum sk_remote_state { SK_REMOTE_CLOSED, SK_REMOTE_CONNECTING, SK_REMOTE_OPEN };

enum {
    SK_REMOTE_PROBLEM_MAX = 160,
    SK_HOST_SIZE_MAX = 256,
    SK_REPLY_SIZE_MAX = 1 << 30, // one reply; more closes the connection
};

typedef struct sk_endpoint {
    char host[SK_HOST_SIZE_MAX];
    char port[8];
} sk_endpoint;

typedef struct sk_remote {
    enum sk_remote_state state;
    int socket; // -1 when closed
    size_t pending;
    char problem[SK_REMOTE_PROBLEM_MAX];

    // private
    sk_endpoint endpoint;
    struct addrinfo *addresses; // all that the name stands for, while connecting
    struct addrinfo *address;   // the one being tried
    sk_buffer out;
    sk_buffer in;
    size_t in_taken; // bytes of `in` that belong to replies handed out
    sk_resp_value reply;
} sk_remote;

// The boot-time clock that all deadlines below are on.
sk_ns sk_client_now(void);

// "host:port", "[v6]:port", ":port" or "host" (then `port_default`; 0: a port is required). 0 or SK_EINVAL.
int sk_endpoint_parse(const char *text, uint16_t port_default, sk_endpoint *out);

void sk_remote_init(sk_remote *remote);
void sk_remote_deinit(sk_remote *remote);
// Forgets what was queued and not answered; `problem` stays. Fine when closed.
void sk_remote_close(sk_remote *remote);

// ---- In a loop of one's own ----

// Begins to connect without waiting (a host name is looked up synchronously; an address is not). Tries each address in turn.
// 0 or SK_ECONNECT.
int sk_remote_start(sk_remote *remote, const sk_endpoint *endpoint);
// What to poll for: POLLIN, POLLOUT or both; 0 when closed.
short sk_remote_events(const sk_remote *remote);
// Does the reading, writing and connecting that poll said can be done. 0, SK_ECONNECT (refused, or closed by the other side: so
// take all replies that are there before calling it again).
int sk_remote_ready(sk_remote *remote, short events);
// Queues one request. Nothing is sent before ready, flush or wait.
void sk_remote_request(sk_remote *remote, size_t argc, const sk_slice *argv);
// The next complete reply: 1 and `*reply` (borrowed until the next call on this connection); 0: none yet; SK_EPROTOCOL or
// SK_ETOOBIG: the connection is closed.
int sk_remote_next(sk_remote *remote, const sk_resp_value **reply);

// ---- One call after the other; `deadline` is on sk_client_now ----

// 0, SK_ECONNECT or SK_ETIMEDOUT.
int sk_remote_open(sk_remote *remote, const sk_endpoint *endpoint, sk_ns deadline);
// Sends what is queued and waits for the next reply. 0, SK_ECONNECT, SK_ETIMEDOUT, SK_EPROTOCOL or SK_ETOOBIG; after an error the
// connection is closed, and whether the request took effect is not known.
int sk_remote_wait(sk_remote *remote, sk_ns deadline, const sk_resp_value **reply);
// request and wait.
int sk_remote_call(sk_remote *remote, size_t argc, const sk_slice *argv, sk_ns deadline,
                       const sk_resp_value **reply);

#endif
