// NODE: who is in the cluster, and how this node is.
#include "node/command/family.h"

#include "base/version.h"
#include "node/state.h"

// A flat array of names and values for each node, the same in RESP2 and RESP3.
void sk_node_run_node_list(sk_node_call *call)
{
    const sk_node *node = call->node;
    sk_reply *reply = &call->reply;
    sk_reply_array(reply, node->identity.founder_count);
    for (uint32_t i = 0; i < node->identity.founder_count; i++) {
        const sk_founder *founder = &node->identity.founders[i];
        bool self = founder->id == node->identity.node;
        const sk_peer *peer = self ? NULL : sk_node_peer(call->node, founder->id);
        sk_reply_array(reply, 10);
        sk_reply_text(reply, "id");
        sk_reply_integer(reply, founder->id);
        sk_reply_text(reply, "peer_address");
        sk_reply_text(reply, founder->address);
        sk_reply_text(reply, "client_address");
        sk_reply_text(reply, self ? node->config.client_address : peer ? peer->client_address : "");
        sk_reply_text(reply, "linked");
        sk_reply_integer(reply, self || (peer && peer->linked));
        sk_reply_text(reply, "self");
        sk_reply_integer(reply, self);
    }
}

static void pair_integer(sk_reply *reply, const char *name, uint64_t value)
{
    sk_reply_text(reply, name);
    sk_reply_integer(reply, (int64_t)value);
}

static void pair_text(sk_reply *reply, const char *name, const char *value)
{
    sk_reply_text(reply, name);
    sk_reply_text(reply, value);
}

static void reply_space(sk_reply *reply, const sk_space_facts *facts)
{
    const char *why = facts->status.why ? facts->status.why : facts->why_not;
    char loss[48];
    sk_reply_map(reply, 22);
    pair_integer(reply, "id", facts->id);
    pair_text(reply, "name", facts->name);
    pair_integer(reply, "number", facts->number);
    sk_reply_text(reply, "prefix");
    sk_reply_bulk(reply, facts->prefix);
    pair_text(reply, "protocol", facts->protocol);
    pair_text(reply, "role", sk_role_name(facts->status.role));
    pair_integer(reply, "leader", facts->status.leader);
    pair_integer(reply, "epoch", facts->status.epoch);
    pair_integer(reply, "first", facts->status.first);
    pair_integer(reply, "last", facts->status.last);
    pair_integer(reply, "committed", facts->status.committed);
    pair_integer(reply, "applied", facts->applied);
    pair_integer(reply, "snapshot_position", facts->snapshot_position);
    pair_integer(reply, "clock_ms", facts->clock_ms);
    pair_integer(reply, "keys", facts->keys);
    pair_integer(reply, "bytes", facts->bytes);
    pair_integer(reply, "recovering", facts->status.recovering);
    pair_integer(reply, "serving", facts->serving);
    pair_integer(reply, "readable", facts->readable);
    pair_text(reply, "loss_window", sk_durability_loss(facts->durability, facts->durability_ms, loss, sizeof loss));
    pair_integer(reply, "not_synced", facts->not_synced);
    pair_text(reply, "why", why && (!facts->serving || facts->status.recovering) ? why : "");
}

// What the default space's protocol knows of each other founder.
static void reply_peers(sk_node_call *call)
{
    const sk_node *node = call->node;
    const sk_protocol *protocol = NULL;
    const sk_replica *replica = sk_node_replica(node, SK_SPACE_DEFAULT, &protocol);
    size_t others = 0;
    for (uint32_t i = 0; i < node->identity.founder_count; i++) {
        others += node->identity.founders[i].id != node->identity.node;
    }
    sk_reply_array(&call->reply, others);
    for (uint32_t i = 0; i < node->identity.founder_count; i++) {
        uint32_t id = node->identity.founders[i].id;
        if (id == node->identity.node) continue;
        sk_peer_status status = {0};
        if (replica) status = protocol->peer_status(replica, id);
        sk_reply_map(&call->reply, 4);
        pair_integer(&call->reply, "id", id);
        pair_integer(&call->reply, "linked", sk_peer_linked(node, id));
        pair_integer(&call->reply, "round_trip_us", status.round_trip / SK_US);
        pair_integer(&call->reply, "matched", status.matched);
    }
}

void sk_node_run_node_status(sk_node_call *call)
{
    sk_node *node = call->node;
    sk_reply *reply = &call->reply;
    sk_cpu_time cpu = node->host->ops->cpu_time(node->host);
    sk_reply_map(reply, 13);
    pair_integer(reply, "node", node->identity.node);
    pair_integer(reply, "boot", node->identity.boot);
    pair_integer(reply, "uptime_ms", (node->now - node->started) / SK_MS);
    pair_text(reply, "version", SK_VERSION);
    pair_integer(reply, "rss_bytes", node->host->ops->memory_rss(node->host));
    pair_integer(reply, "cpu_us", (cpu.user + cpu.system) / SK_US);
    pair_integer(reply, "commands", node->commands);
    pair_integer(reply, "disk_bytes_written", node->disk->bytes_written);
    pair_integer(reply, "disk_syncs", node->disk->syncs);
    pair_integer(reply, "wakeups", node->turns);
    pair_integer(reply, "clients", node->client_count);
    sk_reply_text(reply, "spaces");
    size_t spaces = sk_node_space_count(node);
    sk_reply_array(reply, spaces);
    for (size_t i = 0; i < spaces; i++) {
        sk_space_facts facts = sk_node_space_facts(node, i, false);
        reply_space(reply, &facts);
    }
    sk_reply_text(reply, "peers");
    reply_peers(call);
}
