#include "node/route.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/state.h"

uint64_t sk_route_version(const sk_node *node)
{
    return node->roster.known.routing;
}

uint64_t sk_route_stamp(const sk_space *space)
{
    return space->id == SK_SPACE_DEFAULT ? sk_route_version(space->node) : 0;
}

// ---- What a space can honour ----

static void refuse_need(const sk_command *command, const char *need, const sk_space *space, sk_reply *refusal)
{
    sk_reply_errorf(refusal,
                    "ERR '%s' with these arguments needs %s, which space '%s' cannot give, since %s spaces promise less order: keep this "
                    "key in a raft space",
                    command->name, need, space->name, space->protocol->name);
}

static bool honoured(const sk_space *space, const sk_command *command, size_t argc, const sk_slice *argv, sk_reply *refusal)
{
    const sk_protocol *protocol = space->protocol;
    if (protocol->read_modify_write && protocol->multi_key) return true;
    if (protocol->mergeable) return true; // its machine knows better: INCR reads and writes too, and merges
    uint32_t needs = sk_command_needs(command, argc, argv);
    if ((needs & SK_COMMAND_RMW) && !protocol->read_modify_write) {
        refuse_need(command, "to read and write in one step", space, refusal);
        return false;
    }
    if ((needs & SK_COMMAND_MULTI_KEY) && !protocol->multi_key) {
        refuse_need(command, "several keys in one step", space, refusal);
        return false;
    }
    return true;
}

// ---- One space, chosen by SELECT ----

void sk_route_reply_dropped(const sk_client *client, sk_reply *reply)
{
    sk_reply_errorf(reply, "ERR the space that SELECT %u chose has been dropped: SELECT another, or 0 for the routed view",
                    client->selected);
}

static enum sk_route_result bound_space(const sk_client *client, sk_route *out, sk_reply *refusal)
{
    sk_node *node = client->node;
    sk_space *space = sk_node_space(node, client->bound);
    if (space && !space->closing) {
        out->space = space;
        return SK_ROUTE_GO;
    }
    if (sk_catalogue_by_id(&node->roster.known, client->bound)) return SK_ROUTE_WAIT;
    sk_route_reply_dropped(client, refusal);
    return SK_ROUTE_REFUSED;
}

// The default space keeps no keys of other spaces, whichever way they come.
static bool own_keys(const sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv, sk_reply *refusal)
{
    const sk_catalogue *known = &client->node->roster.known;
    for (size_t i = 0, at; (at = sk_command_key(command, argc, i)); i++) {
        const sk_space_record *owner = sk_catalogue_owner(known, argv[at]);
        if (!owner) continue;
        sk_reply_errorf(refusal, "ERR this key belongs to space '%s', not to the default one: SELECT 0 routes it there", owner->name);
        return false;
    }
    return true;
}

// ---- The routed view ----

static const sk_slice *cut(sk_node *node, const sk_command *command, size_t argc, const sk_slice *argv, size_t prefix_size)
{
    if (argc > node->route_argv_capacity) {
        node->route_argv = sk_realloc(node->route_argv, argc * sizeof *node->route_argv);
        node->route_argv_capacity = argc;
    }
    memcpy(node->route_argv, argv, argc * sizeof *argv);
    for (size_t i = 0, at; (at = sk_command_key(command, argc, i)); i++) {
        sk_slice *key = &node->route_argv[at];
        SK_ASSERT(key->size >= prefix_size);
        *key = sk_slice_make(key->data + prefix_size, key->size - prefix_size);
    }
    return node->route_argv;
}

static bool whole_refused(const sk_catalogue *known, const sk_command *command, sk_reply *refusal)
{
    if (strcmp(command->name, "flushall") != 0) return false;
    sk_reply_errorf(refusal,
                    "ERR FLUSHALL would mean %zu other spaces too: FLUSHDB empties the default space, SELECT n and FLUSHDB another, "
                    "SPACE DROP name FORCE drops one",
                    sk_catalogue_created(known));
    return true;
}

static void cross_space(const sk_space_record *one, const sk_space_record *other, sk_reply *refusal)
{
    sk_reply_errorf(refusal, "CROSSSPACE keys of spaces '%s' and '%s' in one command: each space agrees by itself, send one command a space",
                    one ? one->name : "default", other ? other->name : "default");
}

static enum sk_route_result routed_space(const sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv,
                                         sk_route *out, sk_reply *refusal)
{
    sk_node *node = client->node;
    const sk_catalogue *known = &node->roster.known;
    const sk_space_record *owner = NULL;
    for (size_t i = 0, at; (at = sk_command_key(command, argc, i)); i++) {
        const sk_space_record *one = sk_catalogue_owner(known, argv[at]);
        if (i > 0 && one != owner) {
            cross_space(owner, one, refusal);
            return SK_ROUTE_REFUSED;
        }
        owner = one;
    }
    if (!owner) return SK_ROUTE_GO; // the default space
    sk_space *space = sk_node_space(node, owner->id);
    if (!space || space->closing) return SK_ROUTE_WAIT;
    out->space = space;
    out->argv = cut(node, command, argc, argv, owner->prefix.size);
    return SK_ROUTE_GO;
}

enum sk_route_result sk_route_find(const sk_client *client, const sk_command *command, size_t argc, const sk_slice *argv,
                                   sk_route *out, sk_reply *refusal)
{
    sk_node *node = client->node;
    *out = (sk_route){.space = node->spaces[SK_SPACE_DEFAULT], .argv = argv};
    const sk_catalogue *known = &node->roster.known;
    if (!client->bound && !sk_catalogue_created(known)) return SK_ROUTE_GO;
    if (sk_catalogue_created(known) && whole_refused(known, command, refusal)) return SK_ROUTE_REFUSED;
    enum sk_route_result result = client->bound ? bound_space(client, out, refusal)
                                                : routed_space(client, command, argc, argv, out, refusal);
    if (result != SK_ROUTE_GO) return result;
    if (client->bound == SK_SPACE_DEFAULT && !own_keys(client, command, argc, argv, refusal)) return SK_ROUTE_REFUSED;
    if (out->space->protocol->mergeable && client->read_mode == SK_READS_LINEARIZABLE && (command->flags & SK_COMMAND_READ)) {
        sk_reply_errorf(refusal,
                        "ERR READMODE linearizable: space '%s' has no one order of its writes. READMODE default reads what this node has merged",
                        out->space->name);
        return SK_ROUTE_REFUSED;
    }
    return honoured(out->space, command, argc, argv, refusal) ? SK_ROUTE_GO : SK_ROUTE_REFUSED;
}
