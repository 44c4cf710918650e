// Connection: what a client says first, and to whom it is bound.
#include "node/command/family.h"

#include "base/version.h"
#include "node/state.h"
#include "redis/number.h"

#define WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."

void sk_node_run_ping(sk_node_call *call)
{
    if (call->argc > 2) {
        sk_call_wrong_arity(call);
    } else if (call->argc == 2) {
        sk_reply_bulk(&call->reply, call->argv[1]);
    } else {
        sk_reply_simple(&call->reply, "PONG");
    }
}

void sk_node_run_echo(sk_node_call *call)
{
    sk_reply_bulk(&call->reply, call->argv[1]);
}

// The default user needs no password and takes any, as a Redis without one configured; there is no other.
static bool user_ok(sk_slice user)
{
    return sk_slice_equal(user, sk_slice_text("default"));
}

void sk_node_run_auth(sk_node_call *call)
{
    if (call->argc > 3) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
    } else if (call->argc == 2) {
        sk_reply_error(&call->reply,
                       "ERR AUTH <password> called without any password configured for the default user. "
                       "Are you sure your configuration is correct?");
    } else if (user_ok(call->argv[1])) {
        sk_reply_simple(&call->reply, "OK");
    } else {
        sk_reply_error(&call->reply, WRONGPASS);
    }
}

void sk_node_run_acl_whoami(sk_node_call *call)
{
    sk_reply_text(&call->reply, "default");
}

static void hello_reply(sk_node_call *call)
{
    sk_reply *reply = &call->reply;
    reply->resp = call->client->resp;
    sk_reply_map(reply, 9);
    sk_reply_text(reply, "server");
    sk_reply_text(reply, "redis");
    sk_reply_text(reply, "version");
    sk_reply_text(reply, SK_REDIS_VERSION);
    sk_reply_text(reply, "proto");
    sk_reply_integer(reply, reply->resp);
    sk_reply_text(reply, "id");
    sk_reply_integer(reply, (int64_t)call->client->id);
    sk_reply_text(reply, "mode");
    sk_reply_text(reply, "standalone");
    sk_reply_text(reply, "role");
    sk_reply_text(reply, "master");
    sk_reply_text(reply, "modules");
    sk_reply_array(reply, 0);
    sk_reply_text(reply, "skein");
    sk_reply_text(reply, SK_VERSION);
    sk_reply_text(reply, "node");
    sk_reply_integer(reply, call->node->identity.node);
}

// HELLO [protocol [AUTH user password] [SETNAME name]]: nothing changes unless all of it is right.
void sk_node_run_hello(sk_node_call *call)
{
    int64_t protocol = call->client->resp;
    if (call->argc >= 2) {
        if (!sk_number_parse(call->argv[1], &protocol)) {
            sk_reply_error(&call->reply, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (protocol < 2 || protocol > 3) {
            sk_reply_error(&call->reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    const sk_slice *name = NULL, *user = NULL;
    for (size_t i = 2; i < call->argc;) {
        size_t left = call->argc - i - 1;
        if (left >= 2 && sk_slice_equal_nocase(call->argv[i], "auth")) {
            user = &call->argv[i + 1];
            i += 3;
        } else if (left >= 1 && sk_slice_equal_nocase(call->argv[i], "setname")) {
            name = &call->argv[i + 1];
            if (!sk_client_name_ok(call, *name)) return;
            i += 2;
        } else {
            sk_reply_errorf(&call->reply, "ERR Syntax error in HELLO option '%.*s'",
                            SK_CALL_TEXT(call->argv[i]));
            return;
        }
    }
    if (user && !user_ok(*user)) {
        sk_reply_error(&call->reply, WRONGPASS);
        return;
    }
    if (name) sk_call_set_text(call->client->name, sizeof call->client->name, *name);
    call->client->resp = (uint8_t)protocol;
    hello_reply(call);
}

void sk_node_run_select(sk_node_call *call)
{
    int64_t number;
    if (!sk_number_parse(call->argv[1], &number) || number < INT32_MIN || number > INT32_MAX) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return;
    }
    uint32_t id = number == 1 ? SK_SPACE_DEFAULT : 0; // 0 is the routed view
    if (number > 1) {
        const sk_space_record *record = sk_catalogue_by_number(&call->node->roster.known, (uint32_t)number);
        if (record && record->phase != SK_PHASE_CREATING) id = record->id;
    }
    if (number < 0 || (number > 0 && !id)) {
        sk_reply_error(&call->reply, "ERR DB index is out of range");
        return;
    }
    call->client->selected = (uint32_t)number;
    call->client->bound = id;
    sk_reply_simple(&call->reply, "OK");
}

void sk_node_run_quit(sk_node_call *call)
{
    sk_reply_simple(&call->reply, "OK");
    sk_client_close(call->client);
}

// Library name and version stay: they are still what is behind the connection.
void sk_node_run_reset(sk_node_call *call)
{
    sk_client *client = call->client;
    memset(client->name, 0, sizeof client->name);
    client->selected = client->bound = 0;
    client->read_mode = SK_READS_DEFAULT;
    client->seen = (sk_token_spaces){0};
    client->reply_mode = SK_REPLY_ON;
    client->resp = call->reply.resp = 2;
    sk_call_speak(call);
    sk_reply_simple(&call->reply, "RESET");
}
