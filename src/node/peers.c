#include <stdio.h>

#include "base/assert.h"
#include "node/state.h"

enum { PEER_BUFFER_KEPT = 256 * 1024 };

sk_peer *sk_node_peer(sk_node *node, sk_node_id id)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].id == id) return &node->peers[i];
    }
    return NULL;
}

bool sk_peer_linked(const sk_node *node, sk_node_id id)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].id == id) return node->peers[i].linked;
    }
    return false;
}

void sk_peer_queue(sk_node *node, sk_node_id to, enum sk_frame_kind kind, uint32_t space, sk_slice payload, bool urgent)
{
    sk_peer *peer = sk_node_peer(node, to);
    if (!peer || !peer->linked) return;
    sk_frame_write(urgent ? &peer->urgent : &peer->bulk, &(sk_frame){.kind = kind, .space = space, .payload = payload});
}

void sk_peers_flush(sk_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        sk_peer *peer = &node->peers[i];
        if (peer->urgent.size) {
            // One write: the bulk goes behind in the same buffer.
            sk_buffer_append_slice(&peer->urgent, sk_buffer_slice(&peer->bulk));
            node->host->ops->peer_send(node->host, peer->id, sk_buffer_slice(&peer->urgent));
        } else if (peer->bulk.size) {
            node->host->ops->peer_send(node->host, peer->id, sk_buffer_slice(&peer->bulk));
        }
        sk_buffer_reset(&peer->urgent, PEER_BUFFER_KEPT);
        sk_buffer_reset(&peer->bulk, PEER_BUFFER_KEPT);
    }
}

void sk_node_hello(const sk_node *node, sk_hello *out)
{
    *out = (sk_hello){.version = SK_WIRE_VERSION,
                      .feature_level = SK_FEATURE_LEVEL,
                      .node = node->identity.node,
                      .boot = node->identity.boot};
    memcpy(out->cluster, node->identity.cluster.bytes, sizeof out->cluster);
    snprintf(out->client_address, sizeof out->client_address, "%s", node->config.client_address);
}

int sk_node_peer_judge(const sk_node *node, const sk_hello *hello, char *why, size_t why_size)
{
    if (memcmp(hello->cluster, node->identity.cluster.bytes, sizeof hello->cluster) != 0) {
        snprintf(why, why_size, "it belongs to another cluster");
        return SK_EFOREIGN;
    }
    if (hello->node == node->identity.node) {
        snprintf(why, why_size, "it calls itself node %u, as we do: two nodes have one identity, stop one", hello->node);
        return SK_EFOREIGN;
    }
    const sk_peer *peer = NULL;
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].id == hello->node) peer = &node->peers[i];
    }
    if (!peer) {
        snprintf(why, why_size, "node %u is not a member of this cluster", hello->node);
        return SK_EFOREIGN;
    }
    if (hello->boot < peer->boot) {
        snprintf(why, why_size, "node %u came back with an older life (boot %llu, seen %llu): its directory was wiped or copied; "
                                "found it again under a new node id", hello->node, (unsigned long long)hello->boot,
                 (unsigned long long)peer->boot);
        return SK_EPROTOCOL;
    }
    return 0;
}

void sk_node_peer_up(sk_node *node, const sk_hello *hello)
{
    sk_peer *peer = sk_node_peer(node, hello->node);
    SK_ASSERT(peer);
    if (peer->linked) sk_node_peer_down(node, peer->id);
    peer->linked = true;
    if (hello->boot > peer->boot) peer->boot = hello->boot;
    snprintf(peer->client_address, sizeof peer->client_address, "%s", hello->client_address);
    for (size_t i = 0; i < node->space_count; i++) {
        sk_forward_peer_up(node->spaces[i], peer->id);
        sk_space_step(node->spaces[i], (sk_event){.kind = SK_EVENT_LINK, .link = {.peer = peer->id, .up = true}});
    }
}

void sk_node_peer_down(sk_node *node, sk_node_id id)
{
    sk_peer *peer = sk_node_peer(node, id);
    if (!peer || !peer->linked) return;
    peer->linked = false;
    sk_buffer_reset(&peer->urgent, PEER_BUFFER_KEPT);
    sk_buffer_reset(&peer->bulk, PEER_BUFFER_KEPT);
    for (size_t i = 0; i < node->space_count; i++) {
        sk_space *space = node->spaces[i];
        if (space->origin.leader == id) space->origin.leader = 0; // what was on its way may be lost
        sk_transfer_link_down(space, id);
        sk_space_link_down(space, id);
    }
}

void sk_node_peer_receive(sk_node *node, sk_node_id id, const sk_frame *frame)
{
    sk_peer *peer = sk_node_peer(node, id);
    sk_space *space = sk_node_space(node, frame->space);
    if (!peer || !peer->linked || !space || space->closing) return;
    sk_space_touch(space);
    switch (frame->kind) {
    case SK_FRAME_PROTOCOL:
        sk_space_step(space, (sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = id, .message = frame->payload}});
        break;
    case SK_FRAME_FORWARD: sk_forward_receive(space, id, frame->payload); break;
    case SK_FRAME_ANSWER: sk_forward_answered(space, id, frame->payload); break;
    case SK_FRAME_SNAPSHOT_OFFER:
    case SK_FRAME_SNAPSHOT_ACCEPT:
    case SK_FRAME_SNAPSHOT_PIECE: sk_transfer_receive(space, id, frame); break;
    default: break; // a second hello: harmless
    }
}
