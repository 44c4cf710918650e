// gRPC over HTTP/2, as much of both as etcd's Put and Range need (RFC 9113, RFC 7541). Every header but the path is the same in all calls:
// the first call on a connection puts them into the server's dynamic table, later calls name them by index, six bytes in all.
//
// A call has succeeded when its stream brought a message before its end; trailers alone mean that the call failed.
#include "base/assert.h"
#include "bench/peers.h"

enum {
    FRAME_HEADER = 9,
    DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8,
    END_STREAM = 1, END_HEADERS = 4, ACK = 1,
    STATIC_PATH = 4, STATIC_AUTHORITY = 1, STATIC_CONTENT_TYPE = 31, STATIC_POST = 3, STATIC_HTTP = 6, FIRST_DYNAMIC = 62,
    INITIAL_WINDOW_SIZE = 4, WINDOW = 1 << 30, WINDOW_STEP = 1 << 28, WINDOW_DEFAULT = 65535, VALUE_MAX = 16000, PING_SIZE = 8,
};

// What goes into the dynamic table.
enum header { PUT_PATH, RANGE_PATH, AUTHORITY, CONTENT_TYPE, TE, HEADER_COUNT };

typedef struct etcd_state {
    uint32_t next_stream;
    uint32_t inserted;               // entries in the server's dynamic table
    uint32_t ordinal[HEADER_COUNT];  // 1 + how many entries were there before this one; 0: not there
    uint32_t received;               // bytes of DATA since the last WINDOW_UPDATE
    bool pinged; // the answer to it leaves with the next call: one packet fewer for both sides
    uint8_t ping[PING_SIZE];
    struct {
        uint32_t stream;
        bool message;
    } slots[BENCH_ETCD_SLOTS_MAX];
} etcd_state;

static void put_frame_header(uint8_t *at, size_t size, uint8_t type, uint8_t flags, uint32_t stream)
{
    bench_put32(at, (uint32_t)size << 8 | type);
    at[4] = flags;
    bench_put32(at + 5, stream);
}

static void append_frame(sk_buffer *out, uint8_t type, uint8_t flags, const void *payload, size_t size)
{
    put_frame_header(sk_buffer_reserve(out, FRAME_HEADER), size, type, flags, 0);
    out->size += FRAME_HEADER;
    if (size) sk_buffer_append(out, payload, size);
}

static void append_window(sk_buffer *out, uint32_t more)
{
    uint8_t payload[4];
    bench_put32(payload, more);
    append_frame(out, WINDOW_UPDATE, 0, payload, sizeof payload);
}

static const char *refuse(const sk_load_plan *plan)
{
    if (plan->value_size > VALUE_MAX) return "etcd: values of at most 16000 bytes (one frame)";
    if (plan->pipeline > BENCH_ETCD_SLOTS_MAX) return "etcd: at most 128 calls under way on a connection";
    if ((uint64_t)plan->pipeline * (plan->value_size + BENCH_ETCD_OVERHEAD) > BENCH_ETCD_BYTES_MAX) {
        return "etcd: the calls under way on a connection must stay below 48 KiB together";
    }
    return NULL;
}

static void greet(sk_load_link *link, sk_buffer *out)
{
    etcd_state *state = sk_load_state(link);
    SK_ASSERT(sk_load_plan_of(link)->pipeline <= BENCH_ETCD_SLOTS_MAX);
    state->next_stream = 1;
    sk_buffer_append_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    uint8_t setting[6] = {0, INITIAL_WINDOW_SIZE};
    bench_put32(setting + 2, WINDOW);
    append_frame(out, SETTINGS, 0, setting, sizeof setting);
    append_window(out, WINDOW - WINDOW_DEFAULT);
}

// ---- Calls ----

// A header that the server's table has, or "literal with incremental indexing"; `name` is of the static table, 0: "te".
static uint8_t *put_header(uint8_t *at, etcd_state *state, enum header header, uint8_t name, const char *value)
{
    if (state->ordinal[header]) {
        *at++ = (uint8_t)(0x80 | (FIRST_DYNAMIC + state->inserted - state->ordinal[header]));
        return at;
    }
    state->ordinal[header] = ++state->inserted;
    *at++ = (uint8_t)(0x40 | name);
    if (!name) {
        *at++ = 2;
        at = (uint8_t *)sk_load_put_text((char *)at, "te");
    }
    *at++ = (uint8_t)strlen(value);
    return (uint8_t *)sk_load_put_text((char *)at, value);
}

static uint8_t *put_headers(uint8_t *at, etcd_state *state, uint32_t stream, bool read)
{
    uint8_t *frame = at;
    at += FRAME_HEADER;
    *at++ = 0x80 | STATIC_POST;
    *at++ = 0x80 | STATIC_HTTP;
    at = read ? put_header(at, state, RANGE_PATH, STATIC_PATH, "/etcdserverpb.KV/Range")
              : put_header(at, state, PUT_PATH, STATIC_PATH, "/etcdserverpb.KV/Put");
    at = put_header(at, state, AUTHORITY, STATIC_AUTHORITY, "localhost");
    at = put_header(at, state, CONTENT_TYPE, STATIC_CONTENT_TYPE, "application/grpc");
    at = put_header(at, state, TE, 0, "trailers");
    put_frame_header(frame, (size_t)(at - frame - FRAME_HEADER), HEADERS, END_HEADERS, stream);
    return at;
}

// A field of a protocol buffer: bytes, below 2^28 of them.
static uint8_t *put_field(uint8_t *at, uint8_t number, const void *data, size_t size)
{
    *at++ = (uint8_t)(number << 3 | 2);
    size_t left = size;
    for (; left >= 0x80; left >>= 7) *at++ = (uint8_t)(left | 0x80);
    *at++ = (uint8_t)left;
    memcpy(at, data, size);
    return at + size;
}

static void put(sk_load_link *link, sk_buffer *out, uint32_t slot, enum sk_load_kind kind, uint64_t key)
{
    etcd_state *state = sk_load_state(link);
    bool read = kind == SK_LOAD_READ;
    uint32_t value_size = sk_load_plan_of(link)->value_size, stream = state->next_stream;
    state->next_stream += 2;
    if (state->pinged) append_frame(out, PING, ACK, state->ping, PING_SIZE);
    state->pinged = false;
    state->slots[slot].stream = stream;
    state->slots[slot].message = false;
    uint8_t *start = sk_buffer_reserve(out, value_size + 256);
    uint8_t *frame = put_headers(start, state, stream, read), *message = frame + FRAME_HEADER, *at = message + 5;
    char name[4 + SK_LOAD_KEY_DIGITS] = "key:";
    sk_load_put_number(name + 4, key, SK_LOAD_KEY_DIGITS);
    at = put_field(at, 1, name, sizeof name);
    if (!read) at = put_field(at, 2, sk_load_value(link), value_size);
    message[0] = 0; // not compressed
    bench_put32(message + 1, (uint32_t)(at - message - 5));
    put_frame_header(frame, (size_t)(at - message), DATA, END_STREAM, stream);
    out->size += (size_t)(at - start);
}

// ---- Replies ----

static uint32_t slot_of(const etcd_state *state, uint32_t pipeline, uint32_t stream)
{
    for (uint32_t i = 0; i < pipeline; i++) {
        if (state->slots[i].stream == stream) return i;
    }
    return UINT32_MAX;
}

static void stream_frame(sk_load_link *link, sk_buffer *out, uint8_t type, uint8_t flags, uint32_t stream, size_t size)
{
    etcd_state *state = sk_load_state(link);
    uint32_t slot = slot_of(state, sk_load_plan_of(link)->pipeline, stream);
    if (type == DATA) {
        state->received += (uint32_t)size;
        if (state->received > WINDOW_STEP) {
            append_window(out, state->received);
            state->received = 0;
        }
        if (slot != UINT32_MAX && size > 5) state->slots[slot].message = true;
    }
    if (!(flags & END_STREAM) && type != RST_STREAM) return;
    if (slot == UINT32_MAX || !state->slots[slot].message) {
        static const char text[] = "etcd: a call failed (its reply has no message)";
        sk_load_error(link, text, sizeof text - 1);
    }
    if (slot == UINT32_MAX) return;
    state->slots[slot].stream = 0;
    sk_load_answered(link, slot);
}

static size_t take(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size)
{
    etcd_state *state = sk_load_state(link);
    size_t used = 0;
    while (size - used >= FRAME_HEADER) {
        const uint8_t *at = data + used;
        size_t frame_size = bench_get32(at) >> 8;
        uint8_t type = at[3], flags = at[4];
        uint32_t stream = bench_get32(at + 5) & INT32_MAX;
        if (size - used - FRAME_HEADER < frame_size) break;
        used += FRAME_HEADER + frame_size;
        if (type == GOAWAY) return SIZE_MAX;
        if (type == SETTINGS && !(flags & ACK)) {
            append_frame(out, SETTINGS, ACK, NULL, 0);
            sk_load_ready(link);
        }
        if (type == PING && !(flags & ACK) && frame_size == PING_SIZE) {
            memcpy(state->ping, at + FRAME_HEADER, PING_SIZE);
            state->pinged = true;
        }
        if (type == DATA || type == HEADERS || type == RST_STREAM) stream_frame(link, out, type, flags, stream, frame_size);
    }
    return used;
}

const sk_load_wire bench_wire_etcd = {
    .state_size = sizeof(etcd_state), .multiplexed = true, .refuse = refuse, .greet = greet, .put = put, .take = take,
};
