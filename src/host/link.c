#include "host/link.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "host/socket.h"
#include "wire/codec.h"

enum {
    HELLO_FRAME_MAX = 256,
    PREFIX_MAX = 16 * 1024, // a rest this short is put in front of the next read instead of read behind
    READ_STEP = 128 * 1024,
    OUT_KEEP = 16 * 1024,
    SPARE_MAX = 64 * 1024, // unused capacity that a rest may keep
};

_Static_assert(8 + 2 + 10 + 8 + 2 + 2 + 16 + 4 + 8 + 1 + SK_HELLO_ADDRESS_MAX <= HELLO_FRAME_MAX,
               "a hello fits");

static void on_poll(uv_poll_t *handle, int status, int events);

static void want(sk_link *link)
{
    int events = link->state == SK_LINK_CONNECTING ? UV_WRITABLE : UV_READABLE;
    if (link->out.size) events |= UV_WRITABLE;
    uv_poll_start(&link->poll, events, on_poll);
}

static void on_handle_closed(uv_handle_t *handle)
{
    sk_link *link = handle->data;
    if (--link->handles > 0) return;
    link->setup->ops->closed(link, link->why);
    sk_buffer_deinit(&link->in);
    sk_buffer_deinit(&link->out);
    sk_free(link);
}

void sk_link_cut(sk_link *link, const char *why)
{
    if (link->state == SK_LINK_CLOSED) return;
    link->state = SK_LINK_CLOSED;
    snprintf(link->why, sizeof link->why, "%s", why);
    uv_poll_stop(&link->poll);
    close(link->fd);
    link->fd = -1;
    uv_close((uv_handle_t *)&link->poll, on_handle_closed);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    sk_link *link = timer->data;
    sk_link_cut(link, link->state == SK_LINK_CONNECTING ? "it does not answer" : "it sent no hello in time");
}

// ---- Sending ----

static void flush(sk_link *link)
{
    bool waited = link->out.size != 0;
    int error = sk_socket_flush(link->fd, &link->out, &link->written, OUT_KEEP);
    if (error == SK_EIO) {
        sk_link_cut(link, "the connection broke");
    } else if (error == SK_EAGAIN || waited) {
        want(link);
    }
}

size_t sk_link_waiting(const sk_link *link)
{
    return link->out.size - link->written;
}

void sk_link_send(sk_link *link, sk_slice frames)
{
    if (link->state != SK_LINK_UP || frames.size == 0) return;
    if (link->out.size == 0) {
        ssize_t sent = sk_socket_send(link->fd, frames.data, frames.size);
        if (sent == SK_EIO) {
            sk_link_cut(link, "the connection broke");
            return;
        }
        if (sent < 0) sent = 0;
        if ((size_t)sent == frames.size) return;
        sk_buffer_append(&link->out, frames.data + sent, frames.size - (size_t)sent);
        want(link);
        return;
    }
    if (frames.size > link->setup->out_max || sk_link_waiting(link) > link->setup->out_max - frames.size) {
        sk_link_cut(link, "more waits for it than peer-output-max");
        return;
    }
    sk_buffer_append_slice(&link->out, frames);
}

static void send_hello(sk_link *link)
{
    sk_hello_write(&link->out, &link->own);
    flush(link);
}

// ---- Receiving ----

static void on_hello(sk_link *link, const sk_frame *frame)
{
    sk_hello hello;
    int error = frame->kind == SK_FRAME_HELLO ? sk_hello_read(frame->payload, &hello) : SK_EPROTOCOL;
    // Ours goes out before theirs is judged, so that both sides can say in their own log why they part.
    if (!link->dialled && error != SK_EPROTOCOL) send_hello(link);
    if (link->state == SK_LINK_CLOSED) return;
    if (error == SK_EVERSION) {
        sk_link_cut(link, "it speaks a newer version of the link format: update this node");
    } else if (error) {
        sk_link_cut(link, "it is not a Skein node");
    } else {
        const char *why = link->setup->ops->hello(link, &hello);
        if (link->state == SK_LINK_CLOSED) return;
        if (why) {
            sk_link_cut(link, why);
        } else {
            link->state = SK_LINK_UP;
            uv_timer_stop(&link->timer);
        }
    }
}

// Bytes of whole frames at the start of `input`, each handed on; the link may be closed after it.
static size_t take_frames(sk_link *link, sk_slice input)
{
    size_t total = 0;
    while (link->state != SK_LINK_CLOSED) {
        sk_slice left = sk_slice_make(input.data + total, input.size - total);
        if (link->state == SK_LINK_GREETING && left.size >= 4 && sk_get_u32(left.data) > HELLO_FRAME_MAX) {
            sk_link_cut(link, "it is not a Skein node");
            break;
        }
        sk_frame frame;
        size_t used;
        int got = sk_frame_parse(left, &frame, &used);
        if (got == 0) break;
        if (got < 0) {
            const char *damaged = "a frame came damaged";
            sk_link_cut(link, link->state == SK_LINK_GREETING ? "it is not a Skein node"
                              : got == SK_ECORRUPT            ? damaged
                                                              : "what came is not a frame");
            break;
        }
        total += used;
        if (link->state == SK_LINK_GREETING) {
            on_hello(link, &frame);
        } else if (frame.kind == SK_FRAME_HELLO) {
            sk_link_cut(link, "a second hello came");
        } else {
            link->setup->ops->frame(link, &frame);
        }
    }
    return total;
}

static void keep_rest(sk_buffer *in, const uint8_t *rest, size_t size)
{
    // `rest` is in the scratch, never in `in`.
    in->size = 0;
    if (size == 0 || in->capacity > size + SPARE_MAX) sk_buffer_deinit(in);
    sk_buffer_append(in, rest, size);
}

static void give_back(sk_buffer *in)
{
    if (in->size == 0) {
        sk_buffer_deinit(in);
    } else if (in->capacity > 4 * in->size + SPARE_MAX) {
        in->data = sk_realloc(in->data, in->size);
        in->capacity = in->size;
    }
}

static void receive(sk_link *link)
{
    const sk_link_setup *setup = link->setup;
    bool prefixed = link->in.size <= PREFIX_MAX;
    size_t before = link->in.size;
    uint8_t *into;
    size_t room;
    if (prefixed) {
        if (before) memcpy(setup->scratch, link->in.data, before);
        into = setup->scratch + before;
        room = setup->scratch_size - before;
    } else {
        into = sk_buffer_reserve(&link->in, READ_STEP);
        room = link->in.capacity - link->in.size;
    }
    ssize_t got = sk_socket_receive(link->fd, into, room);
    if (got == SK_EAGAIN) return;
    if (got <= 0) {
        const char *early = "it closed the connection before its hello (its log says why)";
        sk_link_cut(link, got < 0                           ? "the connection broke"
                          : link->state == SK_LINK_GREETING ? early
                                                            : "it closed the connection");
        return;
    }
    if (prefixed) {
        size_t size = before + (size_t)got;
        size_t used = take_frames(link, sk_slice_make(setup->scratch, size));
        keep_rest(&link->in, setup->scratch + used, size - used);
    } else {
        link->in.size += (size_t)got;
        sk_buffer_consume(&link->in, take_frames(link, sk_buffer_slice(&link->in)));
        give_back(&link->in);
    }
}

static void on_connected(sk_link *link)
{
    int error = sk_socket_error(link->fd);
    if (error) {
        char why[SK_LINK_WHY_MAX];
        snprintf(why, sizeof why, "%s", strerror(error));
        sk_link_cut(link, why);
        return;
    }
    link->state = SK_LINK_GREETING;
    uv_timer_start(&link->timer, on_timeout, link->setup->hello_timeout_ms, 0);
    want(link);
    send_hello(link);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    sk_link *link = handle->data;
    if (link->state == SK_LINK_CONNECTING) {
        on_connected(link);
        return;
    }
    if (status < 0) {
        sk_link_cut(link, "the connection broke");
        return;
    }
    if (events & UV_WRITABLE) flush(link);
    if (link->state != SK_LINK_CLOSED && (events & UV_READABLE)) receive(link);
}

// ---- Beginning ----

static sk_link *open_link(const sk_link_setup *setup, int fd, const sk_socket_address *other,
                          const sk_hello *own, enum sk_link_state state)
{
    SK_ASSERT(setup->scratch_size >= 2 * PREFIX_MAX);
    sk_link *link = sk_alloc_zeroed(sizeof *link);
    *link = (sk_link){.setup = setup,
                      .state = state,
                      .dialled = state == SK_LINK_CONNECTING,
                      .fd = fd,
                      .handles = 2,
                      .own = *own};
    if (uv_poll_init(setup->loop, &link->poll, fd)) {
        close(fd);
        sk_free(link);
        return NULL;
    }
    uv_timer_init(setup->loop, &link->timer);
    link->poll.data = link->timer.data = link;
    sk_list_init(&link->siblings);
    sk_address_format(other, link->address);
    uint32_t timeout_ms = state == SK_LINK_CONNECTING ? setup->connect_timeout_ms : setup->hello_timeout_ms;
    uv_timer_start(&link->timer, on_timeout, timeout_ms, 0);
    want(link);
    return link;
}

sk_link *sk_link_dial(const sk_link_setup *setup, const sk_socket_address *to, const sk_hello *own)
{
    int fd = sk_socket_connect(to);
    return fd < 0 ? NULL : open_link(setup, fd, to, own, SK_LINK_CONNECTING);
}

sk_link *sk_link_accepted(const sk_link_setup *setup, int fd, const sk_socket_address *from,
                          const sk_hello *own)
{
    sk_socket_tune_peer(fd);
    return open_link(setup, fd, from, own, SK_LINK_GREETING);
}
