#include "host/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "host/clock.h"
#include "host/socket.h"
#include "host/state.h"

enum {
    STRANGERS_MAX = 16,
    ACCEPT_BURST = 16,
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
    HELLO_TIMEOUT_MS = 2000,
    CONNECT_TIMEOUT_MS = 3000,
};

#define PROVEN_AFTER SK_S // a link that held so long makes the next attempt quick again

static const char quietly[] = ""; // a reason that nobody wants to read of

static void schedule(sk_host_peer *peer);

static sk_host_peer *find(sk_peers *peers, sk_node_id id)
{
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->list[i].id == id) return &peers->list[i];
    }
    return NULL;
}

// ---- Hello: may it become this peer's link? ----

// A knock and a dial on their way at once: both ends keep the dial, if it has got as far as the hello.
static bool crossed(const sk_host_peer *peer, const sk_link *link, uint64_t boot)
{
    bool knock = link->dialled != peer->dials;
    if (!knock) return false;
    if (peer->trying && peer->trying != link) return peer->trying->state == SK_LINK_GREETING;
    return peer->link && peer->link->boot == boot && peer->link->dialled == peer->dials &&
           sk_clock_boot() - peer->link->since < PROVEN_AFTER;
}

static const char *judge(sk_peers *peers, const sk_link *link, const sk_hello *hello)
{
    if (hello->node == peers->host->config.self)
        return "it is this node itself: check the addresses in peers";
    if (link->peer && link->peer != hello->node) {
        snprintf(peers->why, sizeof peers->why, "node %u answers there: check the addresses in peers",
                 hello->node);
        return peers->why;
    }
    sk_host_input(peers->host);
    if (sk_node_peer_judge(peers->host->node, hello, peers->why, sizeof peers->why)) return peers->why;
    const sk_host_peer *peer = find(peers, hello->node);
    if (!peer) return "it is not a member of this cluster";
    if (peer->link && hello->boot < peer->link->boot)
        return "an older start of it than the one that is linked";
    return crossed(peer, link, hello->boot) ? quietly : NULL;
}

// The node forgets the link at once; `closed` will find it to be nobody's.
static void unlink_now(sk_host_peer *peer, const char *why)
{
    sk_link *link = peer->link;
    peer->link = NULL;
    link->peer = 0;
    sk_host_input(peer->peers->host);
    sk_node_peer_down(peer->peers->host->node, peer->id);
    sk_link_cut(link, why);
}

static const char *on_hello(sk_link *link, const sk_hello *hello)
{
    sk_peers *peers = link->setup->owner;
    const char *why = judge(peers, link, hello);
    sk_host_peer *peer = find(peers, why ? link->peer : hello->node);
    if (why) {
        if (peer && *why) peer->backoff_ms = BACKOFF_MAX_MS; // somebody has to mend something first
        return why;
    }
    if (peer->link) unlink_now(peer, "replaced by a newer connection");
    if (peer->trying && peer->trying != link) {
        sk_link *other = peer->trying;
        peer->trying = NULL;
        other->peer = 0;
        sk_link_cut(other, quietly);
    }
    peer->trying = NULL;
    if (!link->dialled) peers->strangers--;
    uv_timer_stop(&peer->retry);
    peer->link = link;
    link->peer = peer->id;
    link->boot = hello->boot;
    link->since = sk_clock_boot();
    sk_log(peers->host->sink, SK_LOG_INFO, "msg=\"peer linked\" peer=%u address=%s boot=%llu dialled=%s",
           peer->id, link->address, (unsigned long long)hello->boot, link->dialled ? "yes" : "no");
    sk_node_peer_up(peers->host->node, hello);
    return NULL;
}

static void on_frame(sk_link *link, const sk_frame *frame)
{
    sk_peers *peers = link->setup->owner;
    sk_host_input(peers->host);
    sk_node_peer_receive(peers->host->node, link->peer, frame);
}

static void on_closed(sk_link *link, const char *why)
{
    sk_peers *peers = link->setup->owner;
    sk_log_sink *sink = peers->host->sink;
    sk_host_peer *peer = find(peers, link->peer);
    sk_list_remove(&link->siblings);
    bool told = !*why;
    if (peers->closing) {
        // nobody is interested any more
    } else if (peer && peer->link == link) {
        peer->link = NULL;
        sk_host_input(peers->host);
        sk_node_peer_down(peers->host->node, peer->id);
        if (!told)
            sk_log(sink, SK_LOG_WARN, "msg=\"peer link lost\" peer=%u address=%s why=\"%s\"", peer->id,
                   link->address, why);
        if (sk_clock_boot() - link->since >= PROVEN_AFTER) peer->backoff_ms = BACKOFF_MIN_MS;
        schedule(peer);
    } else if (peer && peer->trying == link) {
        peer->trying = NULL;
        if (!told)
            sk_log(sink, SK_LOG_WARN, "msg=\"no link to peer\" peer=%u address=%s why=\"%s\"", peer->id,
                   link->address, why);
        schedule(peer);
    } else if (!link->dialled && link->since == 0) {
        peers->strangers--;
        if (!told)
            sk_log(sink, SK_LOG_WARN, "msg=\"connection to the peer port refused\" from=%s why=\"%s\"",
                   link->address, why);
    }
}

// ---- Dialling ----

static void dial(sk_host_peer *peer, const sk_socket_address *to)
{
    sk_hello own;
    sk_node_hello(peer->peers->host->node, &own);
    peer->trying = sk_link_dial(&peer->peers->setup, to, &own);
    if (peer->trying) {
        peer->trying->peer = peer->id;
        sk_list_push_back(&peer->peers->links, &peer->trying->siblings);
    } else {
        schedule(peer);
    }
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    sk_host_peer *peer = request->data;
    peer->looking = false;
    uint32_t count = 0;
    for (const struct addrinfo *at = list; at; at = at->ai_next) count++;
    if (peer->peers->closing || peer->link || peer->trying) {
        // nothing to do any more
    } else if (status || count == 0) {
        sk_log(peer->peers->host->sink, SK_LOG_WARN,
               "msg=\"no link to peer\" peer=%u address=%s why=\"its name is not found: %s\"", peer->id,
               peer->address, status ? uv_strerror(status) : "no address");
        schedule(peer);
    } else {
        const struct addrinfo *chosen = list;
        for (uint32_t skip = peer->attempts % count; skip; skip--) chosen = chosen->ai_next;
        sk_socket_address address = {.size = chosen->ai_addrlen};
        memcpy(&address.bytes, chosen->ai_addr, chosen->ai_addrlen);
        dial(peer, &address);
    }
    uv_freeaddrinfo(list);
}

static void attempt(sk_host_peer *peer)
{
    if (peer->peers->closing || peer->link || peer->trying || peer->looking) return;
    peer->attempts++;
    sk_address address;
    if (!sk_address_parse(peer->address, &address)) return; // checked when configured
    sk_socket_address numeric;
    if (sk_address_numeric(address.host, address.port, &numeric)) {
        dial(peer, &numeric);
        return;
    }
    // A name: looked up on every attempt, since it may move. This is the only use of the loop's thread pool.
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)address.port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    peer->looking =
        uv_getaddrinfo(&peer->peers->host->loop, &peer->lookup, on_lookup, address.host, port, &hints) == 0;
    if (!peer->looking) schedule(peer);
}

static void on_retry(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void schedule(sk_host_peer *peer)
{
    if (!peer->dials || peer->peers->closing || peer->link || peer->trying) return;
    uint64_t half = peer->backoff_ms / 2;
    uv_timer_start(&peer->retry, on_retry, half + sk_prng_below(&peer->peers->prng, half + 1), 0);
    peer->backoff_ms = peer->backoff_ms * 2 < BACKOFF_MAX_MS ? peer->backoff_ms * 2 : BACKOFF_MAX_MS;
}

// ---- Accepting ----

// Those who say nothing must not keep out one who will: the one that has been silent longest goes.
static void crowd_out(sk_peers *peers)
{
    for (sk_list *at = peers->links.next; at != &peers->links; at = at->next) {
        sk_link *link = SK_CONTAINER(at, sk_link, siblings);
        if (link->dialled || link->state != SK_LINK_GREETING) continue;
        sk_link_cut(link, "too many connections without a hello");
        return;
    }
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    (void)events;
    sk_peers *peers = handle->data;
    if (status < 0) return;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        sk_socket_address from;
        int fd = sk_socket_accept(peers->listener, &from);
        if (fd == SK_EAGAIN || fd == SK_ENOMEM) return;
        if (fd < 0) continue;
        if (peers->strangers >= STRANGERS_MAX) crowd_out(peers);
        sk_hello own;
        sk_node_hello(peers->host->node, &own);
        sk_link *link = sk_link_accepted(&peers->setup, fd, &from, &own);
        if (!link) continue;
        sk_list_push_back(&peers->links, &link->siblings);
        peers->strangers++;
    }
}

// ---- Life ----

static const sk_link_ops link_ops = {.hello = on_hello, .frame = on_frame, .closed = on_closed};

void sk_peers_open(sk_peers *peers, sk_host *host, int listener)
{
    const sk_host_config *config = &host->config;
    *peers = (sk_peers){.host = host, .listener = listener};
    peers->setup = (sk_link_setup){.loop = &host->loop,
                                   .ops = &link_ops,
                                   .owner = peers,
                                   .scratch = host->scratch,
                                   .scratch_size = SK_HOST_SCRATCH_SIZE,
                                   .out_max = config->peer_output_max,
                                   .hello_timeout_ms = HELLO_TIMEOUT_MS,
                                   .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    sk_prng_init(&peers->prng, sk_random_u64());
    sk_list_init(&peers->links);
    if (listener < 0) return;
    int error = uv_poll_init(&host->loop, &peers->poll, listener);
    SK_ASSERT(error == 0);
    peers->poll.data = peers;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == config->self) continue;
        sk_host_peer *peer = &peers->list[peers->count++];
        *peer = (sk_host_peer){.peers = peers,
                               .id = config->peers[i].id,
                               .dials = config->self < config->peers[i].id,
                               .backoff_ms = BACKOFF_MIN_MS};
        memcpy(peer->address, config->peers[i].address, sizeof peer->address);
        uv_timer_init(&host->loop, &peer->retry);
        peer->retry.data = peer->lookup.data = peer;
    }
}

void sk_peers_start(sk_peers *peers)
{
    if (peers->listener < 0) return;
    uv_poll_start(&peers->poll, UV_READABLE, on_connection);
    for (size_t i = 0; i < peers->count; i++) attempt(&peers->list[i]);
}

void sk_peers_close(sk_peers *peers)
{
    peers->closing = true;
    if (peers->listener < 0) return;
    uv_poll_stop(&peers->poll);
    uv_close((uv_handle_t *)&peers->poll, NULL);
    close(peers->listener);
    peers->listener = -1;
    for (size_t i = 0; i < peers->count; i++) {
        sk_host_peer *peer = &peers->list[i];
        uv_close((uv_handle_t *)&peer->retry, NULL);
        if (peer->looking) uv_cancel((uv_req_t *)&peer->lookup);
    }
    for (sk_list *at = peers->links.next; at != &peers->links; at = at->next) {
        sk_link_cut(SK_CONTAINER(at, sk_link, siblings), "this node stops");
    }
}

void sk_peers_send(sk_peers *peers, sk_node_id id, sk_slice frames)
{
    const sk_host_peer *peer = find(peers, id);
    if (peer && peer->link) sk_link_send(peer->link, frames);
}

void sk_peers_cut(sk_peers *peers, sk_node_id id, const char *why)
{
    const sk_host_peer *peer = find(peers, id);
    if (peer && peer->link) sk_link_cut(peer->link, why);
}
