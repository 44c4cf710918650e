// Tokens: what a session has seen, as a text that a client carries from one node to another (docs/causal.md).
//
// A token is about the spaces with a mergeable replica (causal, crdt) that the connection has used. For each it has the vector of all that
// the node showed when the token was given: what the session wrote and read is part of it. It is given out when all of that is on this
// node's disk, so nothing that it stands for can be lost with this node's power.
//
//   text    hexadecimal: bytes, then their CRC-32C, least significant byte first
//   bytes   version u8 (1), cluster id (16), count varint, then for each space: id varint, vector
#ifndef SK_NODE_TOKEN_H
#define SK_NODE_TOKEN_H

#include "clock/vector.h"
#include "redis/resp.h"

typedef struct sk_client sk_client;
typedef struct sk_node sk_node;

enum { SK_TOKEN_SPACES_MAX = 8, SK_TOKEN_SIZE_MAX = 64 * 1024 };

// Spaces that a connection has used, oldest first.
typedef struct sk_token_spaces {
    uint32_t list[SK_TOKEN_SPACES_MAX];
    uint32_t count;
    bool more; // than fit: there can be no token
} sk_token_spaces;

void sk_token_spaces_add(sk_token_spaces *spaces, uint32_t id);

typedef struct sk_token_part {
    uint32_t space;
    sk_vector seen;
    uint64_t number; // TOKEN: the record that must be on disk
} sk_token_part;

// SESSION under way. Owned by its client.
typedef struct sk_token_wait {
    bool use;       // USE, else TOKEN
    bool captured;  // TOKEN: the parts are filled in
    sk_token_part parts[SK_TOKEN_SPACES_MAX];
    size_t count;
} sk_token_wait;

void sk_token_wait_free(sk_token_wait *wait); // NULL is allowed
// Replies, if it is time to: true.
bool sk_token_wait_end(sk_client *client, sk_reply *reply);

void sk_token_write(const sk_node *node, const sk_token_wait *wait, sk_buffer *text);
// 0; SK_EPROTOCOL: damaged, or no token; SK_EFOREIGN: of another cluster; SK_EVERSION: of a later version.
int sk_token_read(const sk_node *node, sk_slice text, sk_token_wait *out);

#endif
