// NATS' text protocol. Each connection has an inbox of its own, _INBOX.PROCESS.CONNECTION.SLOT: the subject of a reply says what it is for. With
// the process's number in it, what the load before this one left unanswered comes to nobody.
#include "bench/peers.h"

#include <unistd.h>

typedef struct nats_state {
    bool connected;
    uint64_t process;
} nats_state;

static const char get_subject[] = "PUB $JS.API.DIRECT.GET.KV.kv.";

static char *put_inbox(char *at, sk_load_link *link)
{
    at = sk_load_put_text(at, "_INBOX.");
    at = sk_load_put_number(at, ((const nats_state *)sk_load_state(link))->process, 1);
    at = sk_load_put_text(at, ".");
    at = sk_load_put_number(at, sk_load_number(link), 1);
    return sk_load_put_text(at, ".");
}

static void greet(sk_load_link *link, sk_buffer *out)
{
    ((nats_state *)sk_load_state(link))->process = (uint64_t)getpid();
    char *start = (char *)sk_buffer_reserve(out, 256), *at = start;
    at = sk_load_put_text(at, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"lang\":\"c\","
                              "\"version\":\"1\",\"protocol\":1}\r\nSUB ");
    at = put_inbox(at, link);
    at = sk_load_put_text(at, "* 1\r\nPING\r\n");
    out->size += (size_t)(at - start);
}

static void put(sk_load_link *link, sk_buffer *out, uint32_t slot, enum sk_load_kind kind, uint64_t key)
{
    uint32_t value_size = kind == SK_LOAD_READ ? 0 : sk_load_plan_of(link)->value_size;
    char *start = (char *)sk_buffer_reserve(out, value_size + 160), *at = start;
    at = sk_load_put_text(at, kind == SK_LOAD_READ ? get_subject : "PUB kv.");
    at = sk_load_put_number(at, key, SK_LOAD_KEY_DIGITS);
    *at++ = ' ';
    at = sk_load_put_number(put_inbox(at, link), slot, 1);
    *at++ = ' ';
    at = sk_load_put_number(at, value_size, 1);
    at = sk_load_put_text(at, "\r\n");
    memcpy(at, sk_load_value(link), value_size);
    at = sk_load_put_text(at + value_size, "\r\n");
    out->size += (size_t)(at - start);
}

// The number of decimal digits at *at, up to `end`; *at moves behind them.
static uint64_t digits(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

static bool contains(const uint8_t *data, size_t size, const char *text)
{
    return size && memmem(data, size, text, strlen(text)) != NULL;
}

// `line` is MSG or HMSG with its subject; `body` is all behind it.
static void message(sk_load_link *link, const uint8_t *line, const uint8_t *line_end, bool headers, const uint8_t *body, size_t size)
{
    const uint8_t *at = line + (headers ? 5 : 4), *subject = at;
    while (at < line_end && *at != ' ') at++;
    const uint8_t *dot = at;
    while (dot > subject && dot[-1] != '.') dot--;
    uint32_t slot = (uint32_t)digits(&dot, at);
    size_t look = size < 64 ? size : 64; // a status stands in the first line
    bool failed = headers ? contains(body, look, "NATS/1.0 ") : contains(body, size, "\"error\"") || !contains(body, size, "\"seq\"");
    if (failed) sk_load_error(link, body, size < 100 ? size : 100);
    sk_load_answered(link, slot);
}

// One line and, of a message, its body: bytes used, 0 when not all is there, SIZE_MAX when the server says an error.
static size_t take_one(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size)
{
    nats_state *state = sk_load_state(link);
    const uint8_t *end = memchr(data, '\n', size);
    if (!end || end == data) return 0;
    size_t line_size = (size_t)(end - data) + 1;
    if (data[0] == 'M' || data[0] == 'H') {
        const uint8_t *last = end - 1; // at '\r'; the size of all is the line's last word
        while (last > data && last[-1] != ' ') last--;
        size_t body_size = (size_t)digits(&last, end);
        if (size - line_size < body_size + 2) return 0;
        message(link, data, end, data[0] == 'H', end + 1, body_size);
        return line_size + body_size + 2;
    }
    if (line_size >= 4 && memcmp(data, "PING", 4) == 0) sk_buffer_append_text(out, "PONG\r\n");
    if (line_size >= 4 && memcmp(data, "PONG", 4) == 0 && !state->connected) {
        state->connected = true;
        sk_load_ready(link);
    }
    if (data[0] == '-') {
        sk_load_error(link, data, line_size - 2);
        return SIZE_MAX;
    }
    return line_size;
}

static size_t take(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size)
{
    size_t used = 0;
    while (used < size) {
        size_t one = take_one(link, out, data + used, size - used);
        if (one == SIZE_MAX) return SIZE_MAX;
        if (one == 0) break;
        used += one;
    }
    return used;
}

const sk_load_wire bench_wire_nats = {.state_size = sizeof(nats_state), .multiplexed = true, .greet = greet, .put = put, .take = take};
