#include "node/token.h"

#include "base/alloc.h"
#include "base/crc.h"
#include "base/error.h"
#include "node/state.h"

enum { VERSION = 1, CHECKSUM_SIZE = 4, VECTOR_MAX = 4096 };

void sk_token_spaces_add(sk_token_spaces *spaces, uint32_t id)
{
    for (uint32_t i = 0; i < spaces->count; i++) {
        if (spaces->list[i] == id) return;
    }
    if (spaces->count == SK_TOKEN_SPACES_MAX) spaces->more = true;
    else spaces->list[spaces->count++] = id;
}

void sk_token_wait_free(sk_token_wait *wait)
{
    if (!wait) return;
    for (size_t i = 0; i < SK_TOKEN_SPACES_MAX; i++) sk_vector_deinit(&wait->parts[i].seen);
    sk_free(wait);
}

// ---- Text ----

void sk_token_write(const sk_node *node, const sk_token_wait *wait, sk_buffer *text)
{
    static const char digits[] = "0123456789abcdef";
    sk_buffer bytes = {0};
    sk_write_u8(&bytes, VERSION);
    sk_buffer_append(&bytes, node->identity.cluster.bytes, sizeof node->identity.cluster.bytes);
    sk_write_varint(&bytes, wait->count);
    for (size_t i = 0; i < wait->count; i++) {
        sk_write_varint(&bytes, wait->parts[i].space);
        sk_vector_write(&wait->parts[i].seen, &bytes);
    }
    sk_write_u32(&bytes, sk_crc32c(0, bytes.data, bytes.size));
    for (size_t i = 0; i < bytes.size; i++) {
        sk_buffer_append_byte(text, (uint8_t)digits[bytes.data[i] >> 4]);
        sk_buffer_append_byte(text, (uint8_t)digits[bytes.data[i] & 15]);
    }
    sk_buffer_deinit(&bytes);
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool decode(sk_slice text, sk_buffer *bytes)
{
    if (text.size % 2 || text.size > SK_TOKEN_SIZE_MAX) return false;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = digit_of(text.data[i]);
        int low = digit_of(text.data[i + 1]);
        if (high < 0 || low < 0) return false;
        sk_buffer_append_byte(bytes, (uint8_t)(high << 4 | low));
    }
    if (bytes->size <= CHECKSUM_SIZE) return false;
    bytes->size -= CHECKSUM_SIZE;
    return sk_get_u32(bytes->data + bytes->size) == sk_crc32c(0, bytes->data, bytes->size);
}

static int read_parts(const sk_node *node, sk_slice bytes, sk_token_wait *out)
{
    sk_reader reader = sk_reader_make(bytes);
    if (sk_read_u8(&reader) != VERSION) return SK_EVERSION;
    size_t id_size = sizeof node->identity.cluster.bytes;
    sk_slice cluster = sk_read_bytes(&reader, id_size);
    uint64_t count = sk_read_varint(&reader);
    if (reader.bad || count > SK_TOKEN_SPACES_MAX) return SK_EPROTOCOL;
    if (memcmp(cluster.data, node->identity.cluster.bytes, id_size) != 0) return SK_EFOREIGN;
    for (out->count = 0; out->count < count; out->count++) {
        sk_token_part *part = &out->parts[out->count];
        uint64_t space = sk_read_varint(&reader);
        if (space > UINT32_MAX) return SK_EPROTOCOL;
        part->space = (uint32_t)space;
        sk_vector_read(&part->seen, &reader, VECTOR_MAX);
    }
    return sk_reader_done(&reader) ? 0 : SK_EPROTOCOL;
}

int sk_token_read(const sk_node *node, sk_slice text, sk_token_wait *out)
{
    sk_buffer bytes = {0};
    int status = decode(text, &bytes) ? read_parts(node, sk_buffer_slice(&bytes), out) : SK_EPROTOCOL;
    sk_buffer_deinit(&bytes);
    return status;
}

// ---- Waiting ----

// All that the spaces show now. False: some of it is not in the log yet (it will be at the end of the turn).
static bool capture(sk_node *node, sk_token_wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        const sk_space *space = sk_node_space(node, wait->parts[i].space);
        if (space && !space->closing && space->protocol->deadline(space->replica) == 0) return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < wait->count; i++) {
        const sk_space *space = sk_node_space(node, wait->parts[i].space);
        if (!space || space->closing) continue; // dropped: nothing is left to be seen
        sk_token_part *part = &wait->parts[kept++];
        part->space = space->id;
        part->number = space->protocol->status(space->replica).last;
        sk_vector_copy(&part->seen, space->machine->mergeable->seen(space->machine));
    }
    wait->count = kept;
    return true;
}

static bool end_token(sk_client *client, sk_reply *reply)
{
    sk_node *node = client->node;
    sk_token_wait *wait = client->token;
    if (!wait->captured) wait->captured = capture(node, wait);
    bool durable = wait->captured;
    for (size_t i = 0; durable && i < wait->count; i++) {
        sk_space *space = sk_node_space(node, wait->parts[i].space);
        durable = !space || sk_space_is_durable(space, wait->parts[i].number);
        if (!durable) sk_space_ask_sync(space);
    }
    if (!durable) {
        if (client->wait_until > node->now) return false;
        sk_reply_error(reply, "TRYAGAIN this node's disk has not yet all that this session has seen");
        return true;
    }
    sk_buffer text = {0};
    sk_token_write(node, wait, &text);
    sk_reply_bulk(reply, sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
    return true;
}

static bool is_here(const sk_node *node, const sk_token_part *part)
{
    const sk_space *space = sk_node_space((sk_node *)(uintptr_t)node, part->space);
    if (!space || space->closing || !space->machine->mergeable || space->status.loading) return false;
    return sk_vector_covers(space->machine->mergeable->seen(space->machine), &part->seen);
}

static bool end_use(sk_client *client, sk_reply *reply)
{
    sk_node *node = client->node;
    sk_token_wait *wait = client->token;
    bool here = true;
    for (size_t i = 0; i < wait->count; i++) here &= is_here(node, &wait->parts[i]);
    if (!here && client->wait_until > node->now) return false;
    if (here) {
        for (size_t i = 0; i < wait->count; i++) sk_token_spaces_add(&client->seen, wait->parts[i].space);
        sk_reply_simple(reply, "OK");
    } else {
        sk_reply_error(reply, "TRYAGAIN this node has not yet all that the session has seen: wait longer, or go on at the node that gave the "
                              "token");
    }
    return true;
}

bool sk_token_wait_end(sk_client *client, sk_reply *reply)
{
    return client->token->use ? end_use(client, reply) : end_token(client, reply);
}
