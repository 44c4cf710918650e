// The wire of `skein bench`: SET and GET, each with a key of 16 bytes, as redis-benchmark has it. Replies are only skipped over
// (lines and bulk strings), not parsed.
//
// With WAIT: a server that waits for one connection takes nothing else from it, so a burst has one WAIT at its end, and all of the burst is
// answered when that is. In an open loop, where there are no bursts, each SET has its own.
#include "cli/load.h"

enum { LINE_MAX = 120 };

typedef struct resp_state {
    uint64_t bulk_left; // bytes of a bulk string to skip
    uint32_t line_size;
    uint32_t burst, burst_replies; // with WAIT: requests of the burst, and replies that it still lacks
    bool wrote;                    // the burst has a SET
    bool second;                   // open loop: the front request's first reply of two was there
    char line[LINE_MAX];
} resp_state;

static char *put_set(const sk_load_link *link, char *to, uint64_t key)
{
    const sk_load_plan *plan = sk_load_plan_of(link);
    to = sk_load_put_text(to, "*3\r\n$3\r\nSET\r\n$16\r\nkey:");
    to = sk_load_put_number(to, key, SK_LOAD_KEY_DIGITS);
    to = sk_load_put_text(to, "\r\n$");
    to = sk_load_put_number(to, plan->value_size, 1);
    to = sk_load_put_text(to, "\r\n");
    memcpy(to, sk_load_value(link), plan->value_size);
    return sk_load_put_text(to + plan->value_size, "\r\n");
}

static char *put_wait(const sk_load_plan *plan, char *to)
{
    to = sk_load_put_text(to, "*3\r\n$4\r\nWAIT\r\n$1\r\n");
    *to++ = (char)('0' + plan->wait_replicas);
    return sk_load_put_text(to, "\r\n$1\r\n0\r\n");
}

static void put(sk_load_link *link, sk_buffer *out, uint32_t slot, enum sk_load_kind kind, uint64_t key)
{
    const sk_load_plan *plan = sk_load_plan_of(link);
    resp_state *state = sk_load_state(link);
    char *start = (char *)sk_buffer_reserve(out, plan->value_size + 160), *to;
    if (kind == SK_LOAD_READ) {
        to = sk_load_put_text(start, "*2\r\n$3\r\nGET\r\n$16\r\nkey:");
        to = sk_load_put_number(to, key, SK_LOAD_KEY_DIGITS);
        to = sk_load_put_text(to, "\r\n");
    } else {
        to = put_set(link, start, key);
        if (plan->wait_replicas && plan->rate && kind != SK_LOAD_FILL) to = put_wait(plan, to);
    }
    out->size += (size_t)(to - start);
    state->burst++;
    state->burst_replies++;
    state->wrote |= kind != SK_LOAD_READ;
}

static void burst_end(sk_load_link *link, sk_buffer *out)
{
    const sk_load_plan *plan = sk_load_plan_of(link);
    resp_state *state = sk_load_state(link);
    if (!plan->wait_replicas || !state->wrote) return;
    char *start = (char *)sk_buffer_reserve(out, 64);
    out->size += (size_t)(put_wait(plan, start) - start);
    state->burst_replies++;
    state->wrote = false;
}

static void replied(sk_load_link *link, resp_state *state)
{
    const sk_load_plan *plan = sk_load_plan_of(link);
    if (!plan->wait_replicas) {
        sk_load_answered(link, 0);
    } else if (plan->rate && sk_load_oldest(link) != SK_LOAD_FILL) {
        state->second = sk_load_oldest(link) == SK_LOAD_WRITE && !state->second;
        if (!state->second) sk_load_answered(link, 0);
    } else if (state->burst_replies == 0) {
        sk_load_answered(link, 0); // that nobody asked for: counted as an error
    } else if (--state->burst_replies == 0) {
        for (; state->burst; state->burst--) sk_load_answered(link, 0);
    }
}

static void line_ended(sk_load_link *link, resp_state *state)
{
    uint32_t size = state->line_size;
    const sk_load_plan *plan = sk_load_plan_of(link);
    state->line_size = 0;
    if (size == 0) return;
    char type = state->line[0];
    if (type == '$' && state->line[1] != '-') {
        uint64_t bulk = 0;
        for (uint32_t i = 1; i < size; i++) bulk = bulk * 10 + (uint64_t)(state->line[i] - '0');
        state->bulk_left = bulk + 2;
        return;
    }
    if (type == '-') sk_load_error(link, state->line + 1, size - 1);
    if (type == ':' && plan->wait_replicas && state->line[1] < '0' + plan->wait_replicas) {
        static const char few[] = "WAIT: fewer replicas than asked for";
        sk_load_error(link, few, sizeof few - 1);
    }
    replied(link, state);
}

static size_t take(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size)
{
    resp_state *state = sk_load_state(link);
    const uint8_t *end = data + size;
    while (data < end) {
        if (state->bulk_left) {
            size_t left = (size_t)(end - data), skip = state->bulk_left < left ? (size_t)state->bulk_left : left;
            state->bulk_left -= skip;
            data += skip;
            if (!state->bulk_left) replied(link, state);
            continue;
        }
        uint8_t c = *data++;
        if (c == '\n') line_ended(link, state);
        else if (c != '\r' && state->line_size < LINE_MAX) state->line[state->line_size++] = (char)c;
    }
    return size;
}

const sk_load_wire sk_load_wire_resp = {.state_size = sizeof(resp_state), .put = put, .burst_end = burst_end, .take = take};
