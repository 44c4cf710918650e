#include "cli/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"

// Bytes on their way in one direction: read from one side, not yet taken by the other.
typedef struct direction {
    uint8_t bytes[SK_LINKS_PIECE];
    size_t begin, end;
} direction;

typedef struct connection {
    bool used;
    size_t pair;
    int sides[2];    // who dialled, who was dialled; -1: ended, or not dialled yet
    bool connecting; // the second one is on its way
    direction ways[2]; // ways[i] comes from sides[i]
} connection;

typedef struct pair {
    uint32_t from, to; // numbers of nodes
    int listener;
    uint16_t port, to_port;
} pair;

struct sk_links {
    pthread_t thread;
    int orders[2]; // a pipe: the thread reads masks, and ends at its end
    uint32_t cut;
    size_t pair_count;
    pair pairs[SK_LINKS_PAIRS_MAX];
    connection connections[SK_LINKS_CONNECTIONS_MAX];
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// ---- Connections ----

static bool is_cut(const sk_links *links, size_t index)
{
    const pair *of = &links->pairs[index];
    return links->cut >> (of->from - 1) & 1 || links->cut >> (of->to - 1) & 1;
}

static void end_side(connection *link, size_t side)
{
    if (link->sides[side] < 0) return;
    close(link->sides[side]);
    link->sides[side] = -1;
}

static void end(connection *link)
{
    end_side(link, 0);
    end_side(link, 1);
    link->used = false;
}

// This side is gone. The other learns it now, or when the cut is healed.
static void lost(sk_links *links, connection *link, size_t side)
{
    end_side(link, side);
    if (!is_cut(links, link->pair) || link->sides[!side] < 0) end(link);
}

static void dial(sk_links *links, connection *link)
{
    struct sockaddr_in to = loopback(links->pairs[link->pair].to_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    link->sides[1] = fd;
    link->connecting = true;
    if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) end(link);
}

// Nobody is kept out by connections that are over or cut: the oldest of the pair makes room.
static connection *free_place(sk_links *links, size_t index)
{
    connection *oldest = NULL;
    size_t of_pair = 0;
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
        connection *link = &links->connections[i];
        of_pair += link->used && link->pair == index;
        if (link->used && link->pair == index && !oldest) oldest = link;
    }
    if (of_pair >= SK_LINKS_CONNECTIONS_MAX / SK_LINKS_PAIRS_MAX) end(oldest);
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
        if (!links->connections[i].used) return &links->connections[i];
    }
    return NULL;
}

// Not called while the pair is cut: who dials then waits in the listener's queue, without an answer.
static void accept_one(sk_links *links, size_t index)
{
    int fd = accept4(links->pairs[index].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    connection *link = fd < 0 ? NULL : free_place(links, index);
    if (!link) {
        if (fd >= 0) close(fd);
        return;
    }
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    link->used = true;
    link->pair = index;
    link->sides[0] = fd;
    link->ways[0].begin = link->ways[0].end = link->ways[1].begin = link->ways[1].end = 0;
    dial(links, link);
}

// ---- Passing on ----

// 0, or -1 when the side is gone.
static int flush(direction *way, int to)
{
    while (way->begin < way->end) {
        ssize_t sent = send(to, way->bytes + way->begin, way->end - way->begin, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
        way->begin += (size_t)sent;
    }
    way->begin = way->end = 0;
    return 0;
}

static void pass_on(sk_links *links, connection *link, size_t side)
{
    direction *way = &link->ways[side];
    if (way->end) return; // the other side is slow
    ssize_t got = recv(link->sides[side], way->bytes, sizeof way->bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        lost(links, link, side);
        return;
    }
    way->end = (size_t)got;
    if (!link->connecting && flush(way, link->sides[!side])) lost(links, link, !side);
}

static void on_side(sk_links *links, connection *link, size_t side, short events)
{
    bool cut = is_cut(links, link->pair);
    if (cut) {
        if (events & (POLLERR | POLLHUP | POLLRDHUP | POLLNVAL)) lost(links, link, side);
        return;
    }
    if (side == 1 && link->connecting && events) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(link->sides[1], SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            end(link);
            return;
        }
        link->connecting = false;
    }
    if (events & POLLOUT && flush(&link->ways[!side], link->sides[side])) {
        lost(links, link, side);
        return;
    }
    bool over = events & (POLLERR | POLLHUP);
    if (over && link->ways[side].end) lost(links, link, side); // poll would say so again and again until the other side takes bytes
    else if (over || events & POLLIN) pass_on(links, link, side);
}

static struct pollfd watch_side(const sk_links *links, const connection *link, size_t side)
{
    if (!link->used || link->sides[side] < 0) return (struct pollfd){.fd = -1};
    if (is_cut(links, link->pair)) return (struct pollfd){.fd = link->sides[side], .events = POLLRDHUP};
    const direction *from = &link->ways[side], *to = &link->ways[!side];
    bool connecting = side == 1 && link->connecting;
    return (struct pollfd){.fd = link->sides[side],
                           .events = (short)((from->end || connecting ? 0 : POLLIN) | (to->end || connecting ? POLLOUT : 0))};
}

// ---- The thread ----

static void obey(sk_links *links, uint32_t mask)
{
    links->cut = mask;
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
        connection *link = &links->connections[i];
        if (link->used && !is_cut(links, link->pair) && (link->sides[0] < 0 || link->sides[1] < 0)) end(link);
    }
}

enum { FIRST_PAIR = 1, FIRST_SIDE = FIRST_PAIR + SK_LINKS_PAIRS_MAX, ITEMS = FIRST_SIDE + 2 * SK_LINKS_CONNECTIONS_MAX };

static void gather(const sk_links *links, struct pollfd *items)
{
    items[0] = (struct pollfd){.fd = links->orders[0], .events = POLLIN};
    for (size_t i = 0; i < SK_LINKS_PAIRS_MAX; i++) {
        bool open = i < links->pair_count && !is_cut(links, i);
        items[FIRST_PAIR + i] = (struct pollfd){.fd = open ? links->pairs[i].listener : -1, .events = POLLIN};
    }
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
        for (size_t side = 0; side < 2; side++) {
            items[FIRST_SIDE + 2 * i + side] = watch_side(links, &links->connections[i], side);
        }
    }
}

static void *work(void *argument)
{
    sk_links *links = argument;
    struct pollfd items[ITEMS];
    for (;;) {
        gather(links, items);
        if (poll(items, ITEMS, -1) < 0) continue;
        for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
            for (size_t side = 0; side < 2; side++) {
                const struct pollfd *item = &items[FIRST_SIDE + 2 * i + side];
                connection *link = &links->connections[i];
                if (item->fd >= 0 && item->revents && link->used && link->sides[side] == item->fd)
                    on_side(links, link, side, item->revents);
            }
        }
        for (size_t i = 0; i < links->pair_count; i++) {
            if (items[FIRST_PAIR + i].revents & POLLIN) accept_one(links, i);
        }
        if (!items[0].revents) continue;
        uint32_t mask = 0;
        ssize_t got = read(links->orders[0], &mask, sizeof mask);
        if (got == 0) return NULL;
        if (got == (ssize_t)sizeof mask) obey(links, mask);
    }
}

// ---- From the outside ----

static int listen_for(pair *at)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    at->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (at->listener < 0 || bind(at->listener, (struct sockaddr *)&address, size) != 0 || listen(at->listener, 16) != 0 ||
        getsockname(at->listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    at->port = ntohs(address.sin_port);
    return 0;
}

static void release(sk_links *links)
{
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) {
        if (links->connections[i].used) end(&links->connections[i]);
    }
    for (size_t i = 0; i < links->pair_count; i++) {
        if (links->pairs[i].listener >= 0) close(links->pairs[i].listener);
    }
    for (size_t i = 0; i < 2; i++) {
        if (links->orders[i] >= 0) close(links->orders[i]);
    }
    sk_free(links);
}

sk_links *sk_links_open(uint32_t count, const uint16_t *to)
{
    SK_ASSERT(count >= 1 && count <= SK_LINKS_NODES_MAX);
    sk_links *links = sk_alloc_zeroed(sizeof *links); // mostly room for bytes, which takes memory once it is used
    links->orders[0] = links->orders[1] = -1;
    for (size_t i = 0; i < SK_LINKS_CONNECTIONS_MAX; i++) links->connections[i].sides[0] = links->connections[i].sides[1] = -1;
    int error = pipe2(links->orders, O_CLOEXEC);
    for (uint32_t i = 0; !error && i < count * count; i++) {
        if (i / count == i % count) continue;
        pair *at = &links->pairs[links->pair_count++];
        *at = (pair){.from = i / count + 1, .to = i % count + 1, .to_port = to[i % count]};
        error = listen_for(at);
    }
    if (!error) error = pthread_create(&links->thread, NULL, work, links);
    if (!error) return links;
    fprintf(stderr, "skein playground: cannot pass on the links between the nodes: %s\n", strerror(error < 0 ? errno : error));
    release(links);
    return NULL;
}

void sk_links_close(sk_links *links)
{
    if (!links) return;
    close(links->orders[1]);
    links->orders[1] = -1;
    pthread_join(links->thread, NULL);
    release(links);
}

uint16_t sk_links_port(const sk_links *links, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < links->pair_count; i++) {
        if (links->pairs[i].from == from && links->pairs[i].to == to) return links->pairs[i].port;
    }
    return 0;
}

void sk_links_cut(sk_links *links, uint32_t mask)
{
    while (write(links->orders[1], &mask, sizeof mask) < 0 && errno == EINTR) continue;
}
