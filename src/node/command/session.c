// SESSION: a session that moves from one node to another (node/token.h, docs/causal.md).
#include "node/command/family.h"

#include "base/alloc.h"
#include "base/error.h"
#include "node/state.h"
#include "redis/number.h"

// Answered in this turn if it can be, else later (client.c).
static sk_token_wait *begin(sk_node_call *call, sk_ns time)
{
    sk_client *client = call->client;
    client->token = sk_alloc_zeroed(sizeof *client->token);
    client->wait_until = call->node->now + time;
    return client->token;
}

void sk_node_run_session_token(sk_node_call *call)
{
    const sk_token_spaces *seen = &call->client->seen;
    if (seen->more) {
        sk_reply_errorf(&call->reply, "ERR a token is about %d spaces at most, and this connection has used more: use one connection a space",
                        SK_TOKEN_SPACES_MAX);
        return;
    }
    sk_token_wait *wait = begin(call, call->node->config.request_timeout);
    wait->count = seen->count;
    for (uint32_t i = 0; i < seen->count; i++) wait->parts[i].space = seen->list[i];
}

static bool read_wait(sk_node_call *call, sk_ns *time)
{
    int64_t milliseconds;
    sk_ns most = call->node->config.request_timeout;
    *time = most;
    if (call->argc == 3) return true;
    if (call->argc != 5 || !sk_slice_equal_nocase(call->argv[3], "wait")) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
    } else if (!sk_number_parse(call->argv[4], &milliseconds) || milliseconds < 0) {
        sk_reply_error(&call->reply, "ERR WAIT is a number of milliseconds, at most request-timeout");
    } else {
        if ((uint64_t)milliseconds < most / SK_MS) *time = (sk_ns)milliseconds * SK_MS;
        return true;
    }
    return false;
}

void sk_node_run_session_use(sk_node_call *call)
{
    sk_ns time;
    if (!read_wait(call, &time)) return;
    sk_token_wait read = {.use = true};
    int status = sk_token_read(call->node, call->argv[2], &read);
    if (status == 0) {
        *begin(call, time) = read;
        return;
    }
    for (size_t i = 0; i < SK_TOKEN_SPACES_MAX; i++) sk_vector_deinit(&read.parts[i].seen);
    if (status == SK_EFOREIGN) sk_reply_error(&call->reply, "ERR this token is of another cluster");
    else if (status == SK_EVERSION) sk_reply_error(&call->reply, "ERR this token is of a later version: upgrade this node first");
    else sk_reply_error(&call->reply, "ERR this is no token, or it was cut or changed on its way: give it back as SESSION TOKEN returned it");
}
