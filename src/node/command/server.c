// Server: configuration as it is, time, and what monitoring tools ask. What this node does not keep is
// answered as empty or refused in plain words, never made up.
#include "node/command/family.h"

#include <inttypes.h>
#include <stdio.h>

#include "node/state.h"
#include "redis/number.h"

// ---- CONFIG ----

enum { CONFIG_VALUE_SIZE_MAX = 96 };

typedef struct parameter {
    const char *name;
    const char *fixed;                             // its value, or
    void (*write)(const sk_node *node, char *out); // CONFIG_VALUE_SIZE_MAX bytes
} parameter;

static void write_number(char *out, uint64_t value)
{
    snprintf(out, CONFIG_VALUE_SIZE_MAX, "%" PRIu64, value);
}

// The host part of the address that clients are told.
static void write_bind(const sk_node *node, char *out)
{
    const char *address = node->config.client_address;
    const char *colon = strrchr(address, ':');
    snprintf(out, CONFIG_VALUE_SIZE_MAX, "%.*s", colon ? (int)(colon - address) : (int)strlen(address),
             address);
}

static void write_databases(const sk_node *node, char *out)
{
    uint32_t greatest = 1; // the default space's
    const sk_catalogue *known = &node->roster.known;
    for (size_t i = 0; i < known->count; i++) {
        if (known->records[i].number > greatest) greatest = known->records[i].number;
    }
    write_number(out, (uint64_t)greatest + 1);
}

static void write_bulk_len(const sk_node *node, char *out)
{
    write_number(out, node->config.request_size_max);
}

static void write_maxclients(const sk_node *node, char *out)
{
    write_number(out, node->config.clients_max);
}

static void write_maxmemory(const sk_node *node, char *out)
{
    write_number(out, node->spaces[SK_SPACE_DEFAULT]->rules.memory_max);
}

static void write_output_limit(const sk_node *node, char *out)
{
    snprintf(out, CONFIG_VALUE_SIZE_MAX, "normal %zu 0 0", node->config.client_output_max);
}

static void write_port(const sk_node *node, char *out)
{
    write_number(out, node->config.resp_port);
}

static const parameter parameters[] = {
    {"appendfsync", "always", NULL},
    {"appendonly", "yes", NULL},
    {"bind", NULL, write_bind},
    {"client-output-buffer-limit", NULL, write_output_limit},
    {"cluster-enabled", "no", NULL},
    {"databases", NULL, write_databases},
    {"latency-monitor-threshold", "0", NULL},
    {"maxclients", NULL, write_maxclients},
    {"maxmemory", NULL, write_maxmemory},
    {"maxmemory-policy", "noeviction", NULL},
    {"notify-keyspace-events", "", NULL},
    {"port", NULL, write_port},
    {"proto-max-bulk-len", NULL, write_bulk_len},
    {"requirepass", "", NULL},
    {"save", "", NULL},
    {"slowlog-log-slower-than", "-1", NULL},
    {"slowlog-max-len", "0", NULL},
    {"timeout", "0", NULL},
};
enum { PARAMETER_COUNT = sizeof parameters / sizeof parameters[0] };

static bool parameter_wanted(const sk_node_call *call, const parameter *candidate)
{
    for (size_t i = 2; i < call->argc; i++) {
        if (sk_call_matches(call->argv[i], candidate->name)) return true;
    }
    return false;
}

void sk_node_run_config_get(sk_node_call *call)
{
    if (sk_call_too_many(call, 2)) return;
    const parameter *wanted[PARAMETER_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (parameter_wanted(call, &parameters[i])) wanted[count++] = &parameters[i];
    }
    sk_reply_map(&call->reply, count);
    for (size_t i = 0; i < count; i++) {
        char value[CONFIG_VALUE_SIZE_MAX];
        if (wanted[i]->write) wanted[i]->write(call->node, value);
        sk_reply_text(&call->reply, wanted[i]->name);
        sk_reply_text(&call->reply, wanted[i]->write ? value : wanted[i]->fixed);
    }
}

void sk_node_run_config_set(sk_node_call *call)
{
    if (call->argc % 2) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    if (sk_call_too_many(call, 2)) return;
    for (size_t i = 2; i < call->argc; i += 2) {
        bool known = false;
        for (size_t j = 0; j < PARAMETER_COUNT; j++) {
            known = known || sk_slice_equal_nocase(call->argv[i], parameters[j].name);
        }
        if (known) continue;
        sk_reply_errorf(&call->reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                        SK_CALL_TEXT(call->argv[i]));
        return;
    }
    sk_reply_errorf(
        &call->reply,
        "ERR CONFIG SET failed (possibly related to argument '%.*s') - can't set immutable config",
        SK_CALL_TEXT(call->argv[2]));
}

void sk_node_run_config_rewrite(sk_node_call *call)
{
    sk_reply_error(&call->reply, "ERR CONFIG REWRITE is not supported: configuration is read once, at start");
}

void sk_node_run_config_resetstat(sk_node_call *call)
{
    call->node->commands = call->node->connections = call->node->rejected = 0;
    sk_reply_simple(&call->reply, "OK");
}

// ---- Time ----

void sk_node_run_time(sk_node_call *call)
{
    uint64_t ms = sk_node_wall_ms(call->node);
    char text[24];
    sk_reply_array(&call->reply, 2);
    snprintf(text, sizeof text, "%" PRIu64, ms / 1000);
    sk_reply_text(&call->reply, text);
    snprintf(text, sizeof text, "%" PRIu64, ms % 1000 * 1000);
    sk_reply_text(&call->reply, text);
}

void sk_node_run_lastsave(sk_node_call *call)
{
    uint64_t up_ms = (call->node->now - call->node->started) / SK_MS, wall_ms = sk_node_wall_ms(call->node);
    sk_reply_integer(&call->reply, (int64_t)((wall_ms > up_ms ? wall_ms - up_ms : 0) / 1000));
}

// An answered write is already on the disks of a majority. More than that nobody counts, so who asks for more
// waits as long as Redis would have it, and no longer than any request may take.
void sk_node_run_wait(sk_node_call *call)
{
    int64_t replicas, timeout_ms;
    if (!sk_number_parse(call->argv[1], &replicas)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
    } else if (!sk_number_parse(call->argv[2], &timeout_ms)) {
        sk_reply_error(&call->reply, "ERR timeout is not an integer or out of range");
    } else if (timeout_ms < 0) {
        sk_reply_error(&call->reply, "ERR timeout is negative");
    } else {
        int64_t certain = (int64_t)sk_call_majority(call->node) - 1;
        if (replicas <= certain) {
            sk_reply_integer(&call->reply, certain);
            return;
        }
        sk_ns most = call->node->config.request_timeout;
        bool bounded = timeout_ms > 0 && (uint64_t)timeout_ms < most / SK_MS;
        call->client->wait_answer = certain;
        call->client->wait_until = call->node->now + (bounded ? (sk_ns)timeout_ms * SK_MS : most);
    }
}

// ---- What is not kept ----

void sk_node_run_empty_array(sk_node_call *call)
{
    sk_reply_array(&call->reply, 0);
}

void sk_node_run_empty_map(sk_node_call *call)
{
    sk_reply_map(&call->reply, 0);
}

void sk_node_run_slowlog_get(sk_node_call *call)
{
    int64_t count = 10;
    if (call->argc > 3) {
        sk_call_wrong_arity(call);
    } else if (call->argc == 3 && (!sk_number_parse(call->argv[2], &count) || count < -1)) {
        sk_reply_error(&call->reply, "ERR count should be greater than or equal to -1");
    } else {
        sk_reply_array(&call->reply, 0);
    }
}

void sk_node_run_slowlog_len(sk_node_call *call)
{
    sk_reply_integer(&call->reply, 0);
}

void sk_node_run_slowlog_reset(sk_node_call *call)
{
    sk_reply_simple(&call->reply, "OK");
}

void sk_node_run_latency_reset(sk_node_call *call)
{
    sk_reply_integer(&call->reply, 0);
}

static void reply_verbatim(sk_node_call *call, const char *text)
{
    sk_reply_verbatim(&call->reply, "txt", sk_slice_text(text));
}

void sk_node_run_latency_doctor(sk_node_call *call)
{
    reply_verbatim(
        call,
        "No latency is sampled on this node. INFO skein has the duration of the last disk sync, NODE STATUS "
        "the round trips to the peers.\n");
}

void sk_node_run_memory_doctor(sk_node_call *call)
{
    reply_verbatim(
        call,
        "Memory is counted for each space in logical bytes, the same on all nodes: INFO memory and NODE "
        "STATUS show it.\n");
}

void sk_node_run_memory_usage(sk_node_call *call)
{
    sk_reply_error(&call->reply,
                   "ERR MEMORY USAGE is not supported: memory is counted for each space, not for each key");
}

void sk_node_run_debug(sk_node_call *call)
{
    sk_reply_error(&call->reply, "ERR DEBUG command not allowed.");
}

// ---- Roles ----

// Every node answers for the whole, as a standalone master without replicas.
void sk_node_run_role(sk_node_call *call)
{
    const sk_space *space = sk_node_space(call->node, SK_SPACE_DEFAULT);
    sk_reply_array(&call->reply, 3);
    sk_reply_text(&call->reply, "master");
    sk_reply_integer(&call->reply, space ? (int64_t)space->applied : 0);
    sk_reply_array(&call->reply, 0);
}
