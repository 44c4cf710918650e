// What the files of node families share: the functions that table.c points to, and a few helpers.
#ifndef SK_NODE_COMMAND_FAMILY_H
#define SK_NODE_COMMAND_FAMILY_H

#include "node/command/command.h"

// Names, patterns and filters of one request beyond this many are refused: such a request must not hold the
// loop.
enum { SK_CALL_NAMES_MAX = 1024 };

// ---- call.c ----

// Runs the subcommand that argv[1] names, or answers Redis's error. The row's own command for "client",
// "config", ...
void sk_node_run_container(sk_node_call *call);
// "client|help" and its like: made of the summaries in the table.
void sk_node_run_help(sk_node_call *call);
// What Redis answers to cluster commands when it stands alone.
void sk_node_run_cluster_disabled(sk_node_call *call);

void sk_call_wrong_arity(sk_node_call *call); // of the command that runs
// True (and answered) when there are too many arguments from `first` on.
bool sk_call_too_many(sk_node_call *call, size_t first);
// For "%.*s" in an error text: at most 128 bytes, as Redis cuts them.
#define SK_CALL_TEXT(slice) ((int)((slice).size < 128 ? (slice).size : 128)), ((const char *)(slice).data)
// A name or library of a client: printable, no spaces. Redis's own rule.
bool sk_call_printable(sk_slice text);
void sk_call_set_text(char *out, size_t out_size, sk_slice text); // cut if need be

// Does the glob pattern match this name of ours, whatever the case? One longer than any name needs does not.
bool sk_call_matches(sk_slice pattern, const char *name);
// For what is to be heard after CLIENT REPLY OFF all the same: the reply goes out, though its slot is silent.
void sk_call_speak(sk_node_call *call);

// The majority of the founding voters.
size_t sk_call_majority(const sk_node *node);
const char *sk_role_name(enum sk_role role);

// ---- table.c ----

// "client|setname" for "client" and "SetName"; NULL when there is none.
const sk_node_command *sk_node_command_find_sub(const char *container, sk_slice name);

// ---- connection.c ----
void sk_node_run_ping(sk_node_call *call);
void sk_node_run_echo(sk_node_call *call);
void sk_node_run_hello(sk_node_call *call);
void sk_node_run_auth(sk_node_call *call);
void sk_node_run_select(sk_node_call *call);
void sk_node_run_quit(sk_node_call *call);
void sk_node_run_reset(sk_node_call *call);
void sk_node_run_acl_whoami(sk_node_call *call);

// ---- clients.c ----
void sk_node_run_client_getname(sk_node_call *call);
void sk_node_run_client_id(sk_node_call *call);
void sk_node_run_client_info(sk_node_call *call);
void sk_node_run_client_kill(sk_node_call *call);
void sk_node_run_client_list(sk_node_call *call);
void sk_node_run_client_switch(sk_node_call *call); // NO-EVICT, NO-TOUCH
void sk_node_run_client_reply(sk_node_call *call);
void sk_node_run_client_setinfo(sk_node_call *call);
void sk_node_run_client_setname(sk_node_call *call);
// May this be a name? Else answered why not. Empty: no name.
bool sk_client_name_ok(sk_node_call *call, sk_slice name);

// ---- introspection.c ----
void sk_node_run_command(sk_node_call *call);
void sk_node_run_command_count(sk_node_call *call);
void sk_node_run_command_docs(sk_node_call *call);
void sk_node_run_command_getkeys(sk_node_call *call);
void sk_node_run_command_getkeysandflags(sk_node_call *call);
void sk_node_run_command_info(sk_node_call *call);
void sk_node_run_command_list(sk_node_call *call);

// ---- server.c ----
void sk_node_run_config_get(sk_node_call *call);
void sk_node_run_config_resetstat(sk_node_call *call);
void sk_node_run_config_rewrite(sk_node_call *call);
void sk_node_run_config_set(sk_node_call *call);
void sk_node_run_debug(sk_node_call *call);
void sk_node_run_lastsave(sk_node_call *call);
void sk_node_run_latency_doctor(sk_node_call *call);
void sk_node_run_latency_reset(sk_node_call *call);
void sk_node_run_memory_doctor(sk_node_call *call);
void sk_node_run_memory_usage(sk_node_call *call);
void sk_node_run_empty_array(
    sk_node_call *call);                        // there is nothing, honestly: LATENCY LATEST, LATENCY HISTORY
void sk_node_run_empty_map(sk_node_call *call); // LATENCY HISTOGRAM
void sk_node_run_role(sk_node_call *call);
void sk_node_run_slowlog_get(sk_node_call *call);
void sk_node_run_slowlog_len(sk_node_call *call);
void sk_node_run_slowlog_reset(sk_node_call *call);
void sk_node_run_time(sk_node_call *call);
void sk_node_run_wait(sk_node_call *call);

// ---- info.c ----
void sk_node_run_info(sk_node_call *call);

// ---- readmode.c ----
void sk_node_run_readmode(sk_node_call *call);

// ---- session.c ----
void sk_node_run_session_token(sk_node_call *call);
void sk_node_run_session_use(sk_node_call *call);

// ---- space.c ----
void sk_node_run_space_alter(sk_node_call *call);
void sk_node_run_space_create(sk_node_call *call);
void sk_node_run_space_drop(sk_node_call *call);
void sk_node_run_space_info(sk_node_call *call);
void sk_node_run_space_list(sk_node_call *call);
void sk_node_run_space_route(sk_node_call *call);

// ---- node.c ----
void sk_node_run_node_list(sk_node_call *call);
void sk_node_run_node_status(sk_node_call *call);

#endif
