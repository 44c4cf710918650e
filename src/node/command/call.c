#include "node/command/family.h"

#include <stdio.h>

#include "base/glob.h"
#include "node/state.h"

enum { PATTERN_SIZE_MAX = 64 };

void sk_call_wrong_arity(sk_node_call *call)
{
    sk_command_reply_arity(&call->reply, call->client->last_command);
}

bool sk_call_too_many(sk_node_call *call, size_t first)
{
    if (call->argc <= first + SK_CALL_NAMES_MAX) return false;
    sk_reply_errorf(&call->reply, "ERR too many arguments, at most %d are taken here", SK_CALL_NAMES_MAX);
    return true;
}

bool sk_call_printable(sk_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~') return false;
    }
    return true;
}

void sk_call_set_text(char *out, size_t out_size, sk_slice text)
{
    size_t size = text.size < out_size ? text.size : out_size - 1;
    if (size) memcpy(out, text.data, size);
    memset(out + size, 0, out_size - size);
}

bool sk_call_matches(sk_slice pattern, const char *name)
{
    return pattern.size <= PATTERN_SIZE_MAX && sk_glob_match(pattern, sk_slice_text(name), true);
}

// Nothing else is under way, so what is appended to the output comes in order.
void sk_call_speak(sk_node_call *call)
{
    call->reply.out = &call->client->out;
}

size_t sk_call_majority(const sk_node *node)
{
    return node->identity.founder_count / 2 + 1;
}

const char *sk_role_name(enum sk_role role)
{
    switch (role) {
    case SK_ROLE_FOLLOWER:
        return "follower";
    case SK_ROLE_CANDIDATE:
        return "candidate";
    case SK_ROLE_LEADER:
        return "leader";
    case SK_ROLE_LEARNER:
        return "learner";
    case SK_ROLE_HALTED:
        return "halted";
    }
    return "unknown";
}

// "CLIENT" for the row "client" or "client|help". Returns its length.
static size_t container_title(const char *name, char *out, size_t out_size)
{
    size_t size = 0;
    for (; name[size] && name[size] != '|' && size + 1 < out_size; size++) {
        char c = name[size];
        out[size] = c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    }
    out[size] = 0;
    return size;
}

void sk_node_run_container(sk_node_call *call)
{
    const sk_node_command *container = sk_node_command_find(call->argv[0]);
    if (call->argc < 2) {
        sk_command_reply_arity(&call->reply, &container->row);
        return;
    }
    const sk_node_command *found = sk_node_command_find_sub(container->row.name, call->argv[1]);
    if (!found) {
        char title[32];
        container_title(container->row.name, title, sizeof title);
        sk_reply_errorf(&call->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                        SK_CALL_TEXT(call->argv[1]), title);
        return;
    }
    call->client->last_command = &found->row;
    if (sk_command_arity_ok(&found->row, call->argc)) {
        found->run(call);
    } else {
        sk_command_reply_arity(&call->reply, &found->row);
    }
}

void sk_node_run_help(sk_node_call *call)
{
    size_t count;
    const sk_node_command *rows = sk_node_command_rows(&count);
    const sk_node_command *container = sk_node_command_find(call->argv[0]);
    size_t prefix = strlen(container->row.name);
    size_t lines = 1;
    for (size_t i = 0; i < count; i++) {
        if (!strncmp(rows[i].row.name, container->row.name, prefix) && rows[i].row.name[prefix] == '|')
            lines += 2;
    }
    sk_reply_array(&call->reply, lines);
    char title[32], line[160];
    container_title(container->row.name, title, sizeof title);
    snprintf(line, sizeof line, "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", title);
    sk_reply_simple(&call->reply, line);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(rows[i].row.name, container->row.name, prefix) || rows[i].row.name[prefix] != '|')
            continue;
        container_title(rows[i].row.name + prefix + 1, title, sizeof title);
        sk_reply_simple(&call->reply, title);
        snprintf(line, sizeof line, "    %s", rows[i].row.summary);
        sk_reply_simple(&call->reply, line);
    }
}

void sk_node_run_cluster_disabled(sk_node_call *call)
{
    sk_reply_error(&call->reply, "ERR This instance has cluster support disabled");
}
