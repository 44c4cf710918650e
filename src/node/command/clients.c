// CLIENT: what connections say about themselves, and what a node shows of them. Never an argument of theirs
// (E13).
#include "node/command/family.h"

#include <stdlib.h>

#include "node/state.h"
#include "redis/number.h"

bool sk_client_name_ok(sk_node_call *call, sk_slice name)
{
    if (!sk_call_printable(name)) {
        sk_reply_error(&call->reply,
                       "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    if (name.size >= SK_CLIENT_NAME_MAX) {
        sk_reply_errorf(&call->reply, "ERR Client names cannot be longer than %d characters.",
                        SK_CLIENT_NAME_MAX - 1);
        return false;
    }
    return true;
}

void sk_node_run_client_setname(sk_node_call *call)
{
    if (!sk_client_name_ok(call, call->argv[2])) return;
    sk_call_set_text(call->client->name, sizeof call->client->name, call->argv[2]);
    sk_reply_simple(&call->reply, "OK");
}

void sk_node_run_client_getname(sk_node_call *call)
{
    if (call->client->name[0]) {
        sk_reply_text(&call->reply, call->client->name);
    } else {
        sk_reply_null(&call->reply);
    }
}

void sk_node_run_client_id(sk_node_call *call)
{
    sk_reply_integer(&call->reply, (int64_t)call->client->id);
}

void sk_node_run_client_setinfo(sk_node_call *call)
{
    sk_slice option = call->argv[2], value = call->argv[3];
    char *to;
    if (sk_slice_equal_nocase(option, "lib-name")) {
        to = call->client->library;
    } else if (sk_slice_equal_nocase(option, "lib-ver")) {
        to = call->client->library_version;
    } else {
        sk_reply_errorf(&call->reply, "ERR Unrecognized option '%.*s'", SK_CALL_TEXT(option));
        return;
    }
    if (!sk_call_printable(value)) {
        sk_reply_errorf(&call->reply, "ERR %.*s cannot contain spaces, newlines or special characters.",
                        SK_CALL_TEXT(option));
    } else if (value.size >= SK_CLIENT_NAME_MAX) {
        sk_reply_errorf(&call->reply, "ERR %.*s cannot be longer than %d characters.", SK_CALL_TEXT(option),
                        SK_CLIENT_NAME_MAX - 1);
    } else {
        sk_call_set_text(to, SK_CLIENT_NAME_MAX, value);
        sk_reply_simple(&call->reply, "OK");
    }
}

void sk_node_run_client_switch(sk_node_call *call)
{
    bool known = sk_slice_equal_nocase(call->argv[2], "on") || sk_slice_equal_nocase(call->argv[2], "off");
    if (known) {
        sk_reply_simple(&call->reply, "OK");
    } else {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
    }
}

// OFF and SKIP answer nothing themselves.
void sk_node_run_client_reply(sk_node_call *call)
{
    sk_client *client = call->client;
    if (sk_slice_equal_nocase(call->argv[2], "on")) {
        client->reply_mode = SK_REPLY_ON;
        sk_call_speak(call);
        sk_reply_simple(&call->reply, "OK");
    } else if (sk_slice_equal_nocase(call->argv[2], "off")) {
        client->reply_mode = SK_REPLY_OFF;
    } else if (sk_slice_equal_nocase(call->argv[2], "skip")) {
        if (client->reply_mode != SK_REPLY_OFF) client->reply_mode = SK_REPLY_SKIP;
    } else {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
    }
}

// ---- INFO and LIST ----

// One whose connection is there and stays.
static bool present(const sk_client *client)
{
    return client->handle && !client->closing;
}

static void append_number(sk_buffer *out, const char *name, uint64_t value)
{
    sk_buffer_append_text(out, name);
    out->size += sk_number_format(sk_buffer_reserve(out, SK_NUMBER_SIZE_MAX), (int64_t)value);
}

static void append_text(sk_buffer *out, const char *name, const char *value)
{
    sk_buffer_append_text(out, name);
    sk_buffer_append_text(out, value);
}

// Redis's fields, and only those: some clients refuse a name that they do not know. What is left out is not
// known here. Not printf: ten thousand clients are shown in one go.
static void append_client(const sk_client *client, sk_buffer *out)
{
    const sk_node *node = client->node;
    append_number(out, "id=", client->id);
    append_text(out, " addr=", client->address);
    append_text(out, " laddr=", node->config.client_address);
    append_text(out, " name=", client->name);
    append_number(out, " age=", (node->now - client->opened) / SK_S);
    append_number(out, " idle=", (node->now - client->active) / SK_S);
    append_text(out, " flags=", client->wait_until || client->job ? "b" : "N");
    append_number(out, " db=", client->selected);
    append_number(out, " sub=0 psub=0 ssub=0 multi=-1 obl=0 oll=0 omem=", client->out.size);
    append_text(out, " events=r cmd=", client->last_command ? client->last_command->name : "NULL");
    append_number(out, " user=default redir=-1 resp=", client->resp);
    append_text(out, " lib-name=", client->library);
    append_text(out, " lib-ver=", client->library_version);
    sk_buffer_append_byte(out, '\n');
}

static void reply_text(sk_node_call *call, const sk_buffer *text)
{
    sk_reply_verbatim(&call->reply, "txt", sk_buffer_slice(text));
}

void sk_node_run_client_info(sk_node_call *call)
{
    sk_buffer text = {0};
    append_client(call->client, &text);
    reply_text(call, &text);
    sk_buffer_deinit(&text);
}

// All clients are of the normal type; the others exist as names. False: answered with an error.
static bool type_known(sk_node_call *call, sk_slice name, bool *normal)
{
    *normal = sk_slice_equal_nocase(name, "normal");
    if (*normal || sk_slice_equal_nocase(name, "master") || sk_slice_equal_nocase(name, "replica") ||
        sk_slice_equal_nocase(name, "slave") || sk_slice_equal_nocase(name, "pubsub")) {
        return true;
    }
    sk_reply_errorf(&call->reply, "ERR Unknown client type '%.*s'", SK_CALL_TEXT(name));
    return false;
}

static int compare_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// The ids asked for, sorted. False: answered with an error.
static bool ids_read(sk_node_call *call, size_t first, uint64_t *ids)
{
    if (sk_call_too_many(call, first)) return false;
    size_t count = call->argc - first;
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        if (!sk_number_parse(call->argv[first + i], &id)) {
            sk_reply_error(&call->reply, "ERR Invalid client ID");
            return false;
        }
        ids[i] = (uint64_t)id;
    }
    qsort(ids, count, sizeof ids[0], compare_id);
    return true;
}

void sk_node_run_client_list(sk_node_call *call)
{
    bool normal = true;
    uint64_t ids[SK_CALL_NAMES_MAX];
    size_t id_count = 0;
    if (call->argc == 4 && sk_slice_equal_nocase(call->argv[2], "type")) {
        if (!type_known(call, call->argv[3], &normal)) return;
    } else if (call->argc > 3 && sk_slice_equal_nocase(call->argv[2], "id")) {
        if (!ids_read(call, 3, ids)) return;
        id_count = call->argc - 3;
    } else if (call->argc > 2) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    sk_buffer text = {0};
    sk_node *node = call->node;
    for (sk_list *at = node->clients.next; normal && at != &node->clients; at = at->next) {
        const sk_client *client = SK_CONTAINER(at, sk_client, link);
        if (!present(client)) continue;
        if (id_count && !bsearch(&client->id, ids, id_count, sizeof ids[0], compare_id)) continue;
        append_client(client, &text);
    }
    reply_text(call, &text);
    sk_buffer_deinit(&text);
}

// ---- KILL ----

typedef struct kill_filter {
    const sk_slice *address, *own_address;
    uint64_t id; // 0: any
    bool normal; // else a type that nobody is of
    bool skip_me;
} kill_filter;

static bool skip_me_read(sk_slice value, bool *out)
{
    *out = sk_slice_equal_nocase(value, "yes");
    return *out || sk_slice_equal_nocase(value, "no");
}

// False: answered with an error.
static bool kill_filter_read(sk_node_call *call, kill_filter *filter)
{
    bool paired = call->argc % 2 == 0;
    for (size_t i = 2; paired && i < call->argc; i += 2) {
        sk_slice name = call->argv[i], value = call->argv[i + 1];
        if (sk_slice_equal_nocase(name, "id")) {
            int64_t id;
            if (!sk_number_parse(value, &id) || id < 1) {
                sk_reply_error(&call->reply, "ERR client-id should be greater than 0");
                return false;
            }
            filter->id = (uint64_t)id;
        } else if (sk_slice_equal_nocase(name, "type")) {
            if (!type_known(call, value, &filter->normal)) return false;
        } else if (sk_slice_equal_nocase(name, "addr")) {
            filter->address = &call->argv[i + 1];
        } else if (sk_slice_equal_nocase(name, "laddr")) {
            filter->own_address = &call->argv[i + 1];
        } else if (sk_slice_equal_nocase(name, "user")) {
            if (!sk_slice_equal(value, sk_slice_text("default"))) {
                sk_reply_errorf(&call->reply, "ERR No such user '%.*s'", SK_CALL_TEXT(value));
                return false;
            }
        } else if (!sk_slice_equal_nocase(name, "skipme") || !skip_me_read(value, &filter->skip_me)) {
            paired = false;
        }
    }
    if (!paired) sk_reply_error(&call->reply, SK_ERR_SYNTAX);
    return paired;
}

static bool kill_wanted(const kill_filter *filter, const sk_client *client)
{
    if (!filter->normal || !present(client)) return false;
    if (filter->id && client->id != filter->id) return false;
    if (filter->address && !sk_slice_equal(*filter->address, sk_slice_text(client->address))) return false;
    return !filter->own_address ||
           sk_slice_equal(*filter->own_address, sk_slice_text(client->node->config.client_address));
}

// Closing waits for the end of the turn, so the list does not change under the walk.
void sk_node_run_client_kill(sk_node_call *call)
{
    kill_filter filter = {.normal = true, .skip_me = true};
    bool old_form = call->argc == 3;
    if (old_form) {
        filter.address = &call->argv[2];
        filter.skip_me = false;
    } else if (sk_call_too_many(call, 2) || !kill_filter_read(call, &filter)) {
        return;
    }
    int64_t killed = 0;
    sk_node *node = call->node;
    for (sk_list *at = node->clients.next; at != &node->clients; at = at->next) {
        sk_client *client = SK_CONTAINER(at, sk_client, link);
        if (!kill_wanted(&filter, client) || (client == call->client && filter.skip_me)) continue;
        sk_client_close(client);
        killed++;
    }
    if (!old_form) {
        sk_reply_integer(&call->reply, killed);
    } else if (killed) {
        sk_reply_simple(&call->reply, "OK");
    } else {
        sk_reply_error(&call->reply, "ERR No such client");
    }
}
