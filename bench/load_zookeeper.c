// ZooKeeper's own protocol: frames of a length and jute fields, replies in the order of the requests of a session.
#include "bench/peers.h"

enum { CREATE = 1, GET_DATA = 4, SET_DATA = 5, NODE_EXISTS = -110, SESSION_MS = 30000, ACL_ALL = 31, CONNECT_SIZE = 45, REPLY_HEADER = 16 };

typedef struct zookeeper_state {
    uint32_t xid;
    bool connected;
} zookeeper_state;

static uint8_t *put_int(uint8_t *at, uint32_t value)
{
    bench_put32(at, value);
    return at + 4;
}

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t size)
{
    at = put_int(at, (uint32_t)size);
    memcpy(at, data, size);
    return at + size;
}

static void greet(sk_load_link *link, sk_buffer *out)
{
    // Protocol version, last zxid seen, timeout, session id, password, read only.
    uint8_t *at = sk_buffer_reserve(out, 4 + CONNECT_SIZE);
    memset(at, 0, 4 + CONNECT_SIZE);
    bench_put32(at, CONNECT_SIZE);
    bench_put32(at + 16, SESSION_MS);
    bench_put32(at + 28, 16);
    out->size += 4 + CONNECT_SIZE;
}

static uint8_t *put_path(uint8_t *at, uint64_t key)
{
    char path[5 + SK_LOAD_KEY_DIGITS] = "/key:";
    sk_load_put_number(path + 5, key, SK_LOAD_KEY_DIGITS);
    return put_bytes(at, path, sizeof path);
}

static void put(sk_load_link *link, sk_buffer *out, uint32_t slot, enum sk_load_kind kind, uint64_t key)
{
    zookeeper_state *state = sk_load_state(link);
    uint32_t value_size = sk_load_plan_of(link)->value_size;
    uint8_t *start = sk_buffer_reserve(out, value_size + 128), *at = start + 4;
    at = put_int(at, ++state->xid & INT32_MAX);
    at = put_int(at, kind == SK_LOAD_READ ? GET_DATA : kind == SK_LOAD_WRITE ? SET_DATA : CREATE);
    at = put_path(at, key);
    if (kind == SK_LOAD_READ) {
        *at++ = 0; // no watch
    } else {
        at = put_bytes(at, sk_load_value(link), value_size);
    }
    if (kind == SK_LOAD_WRITE) at = put_int(at, UINT32_MAX); // any version
    if (kind == SK_LOAD_FILL) {
        at = put_int(at, 1);
        at = put_int(at, ACL_ALL);
        at = put_bytes(at, "world", 5);
        at = put_bytes(at, "anyone", 6);
        at = put_int(at, 0); // persistent
    }
    bench_put32(start, (uint32_t)(at - start - 4));
    out->size += (size_t)(at - start);
}

static size_t take(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size)
{
    zookeeper_state *state = sk_load_state(link);
    size_t used = 0;
    while (size - used >= 4) {
        const uint8_t *frame = data + used + 4;
        size_t frame_size = bench_get32(data + used);
        if (size - used - 4 < frame_size) break;
        used += 4 + frame_size;
        if (!state->connected) {
            state->connected = true;
            sk_load_ready(link);
            continue;
        }
        if (frame_size < REPLY_HEADER) return SIZE_MAX;
        int32_t error = (int32_t)bench_get32(frame + 12);
        if (error && !(error == NODE_EXISTS && sk_load_oldest(link) == SK_LOAD_FILL)) {
            char text[64];
            char *end = sk_load_put_number(sk_load_put_text(text, "ZooKeeper error -"), (uint64_t)-(int64_t)error, 1);
            sk_load_error(link, text, (size_t)(end - text));
        }
        sk_load_answered(link, 0);
    }
    return used;
}

const sk_load_wire bench_wire_zookeeper = {.state_size = sizeof(zookeeper_state), .greet = greet, .put = put, .take = take};
