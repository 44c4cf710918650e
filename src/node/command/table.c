// Every command of the node families, in alphabetical order; subcommands stand behind their container.
#include "node/command/family.h"

#define OPEN  (SK_COMMAND_NODE | SK_COMMAND_STALE | SK_COMMAND_LOADING)
#define FAST  (OPEN | SK_COMMAND_FAST)
#define ADMIN (OPEN | SK_COMMAND_ADMIN)
#define DOOR  (FAST | SK_COMMAND_NO_AUTH)

#define ROW(name_, arity_, flags_, family_, since_, run_, summary_)                                          \
    {                                                                                                        \
        .row = {.name = name_,                                                                               \
                .arity = arity_,                                                                             \
                .flags = flags_,                                                                             \
                .family = family_,                                                                           \
                .since = since_,                                                                             \
                .summary = summary_},                                                                        \
        .run = run_                                                                                          \
    }
#define HELP(container_, family_)                                                                            \
    ROW(container_ "|help", 2, OPEN, family_, "5.0.0", sk_node_run_help, "Prints this help.")

static const sk_node_command rows[] = {
    ROW("acl", -2, OPEN, "server", "6.0.0", sk_node_run_container, "A container for access list commands"),
    HELP("acl", "server"),
    ROW("acl|whoami", 2, OPEN, "server", "6.0.0", sk_node_run_acl_whoami,
        "Returns the user of the current connection"),
    ROW("asking", 1, FAST, "cluster", "3.0.0", sk_node_run_cluster_disabled,
        "Refused: every node stands alone and forwards inside"),
    ROW("auth", -2, DOOR, "connection", "1.0.0", sk_node_run_auth, "Authenticates the connection"),
    ROW("client", -2, OPEN, "connection", "2.4.0", sk_node_run_container,
        "A container for client connection commands"),
    ROW("client|getname", 2, OPEN, "connection", "2.6.9", sk_node_run_client_getname,
        "Returns the name of the connection"),
    HELP("client", "connection"),
    ROW("client|id", 2, OPEN, "connection", "5.0.0", sk_node_run_client_id,
        "Returns the id of the connection"),
    ROW("client|info", 2, OPEN, "connection", "6.2.0", sk_node_run_client_info,
        "Returns information about the connection"),
    ROW("client|kill", -3, ADMIN, "connection", "2.4.0", sk_node_run_client_kill,
        "Closes connections by address, or by ID, ADDR, LADDR, TYPE, USER, SKIPME"),
    ROW("client|list", -2, ADMIN, "connection", "2.4.0", sk_node_run_client_list,
        "Lists the connections of this node, all or by TYPE or ID"),
    ROW("client|no-evict", 3, ADMIN, "connection", "7.0.0", sk_node_run_client_switch,
        "Accepted: no connection is ever evicted for memory"),
    ROW("client|no-touch", 3, OPEN, "connection", "7.2.0", sk_node_run_client_switch,
        "Accepted: reads never change when a key was last used"),
    ROW("client|reply", 3, OPEN, "connection", "3.2.0", sk_node_run_client_reply,
        "Turns replies ON or OFF, or SKIPs the next one"),
    ROW("client|setinfo", 4, OPEN, "connection", "7.2.0", sk_node_run_client_setinfo,
        "Sets LIB-NAME or LIB-VER of the connection"),
    ROW("client|setname", 3, OPEN, "connection", "2.6.9", sk_node_run_client_setname,
        "Sets the name of the connection"),
    ROW("cluster", -2, OPEN, "cluster", "3.0.0", sk_node_run_cluster_disabled,
        "Refused: every node stands alone and forwards inside"),
    ROW("command", -1, OPEN, "server", "2.8.13", sk_node_run_command, "Returns details about all commands"),
    ROW("command|count", 2, OPEN, "server", "2.8.13", sk_node_run_command_count,
        "Returns the number of commands"),
    ROW("command|docs", -2, OPEN, "server", "7.0.0", sk_node_run_command_docs,
        "Returns documentation of commands, all or those named"),
    ROW("command|getkeys", -3, OPEN, "server", "2.8.13", sk_node_run_command_getkeys,
        "Returns the keys of a whole command"),
    ROW("command|getkeysandflags", -3, OPEN, "server", "7.0.0", sk_node_run_command_getkeysandflags,
        "Returns the keys of a whole command and how it uses them"),
    HELP("command", "server"),
    ROW("command|info", -2, OPEN, "server", "2.8.13", sk_node_run_command_info,
        "Returns details about commands, all or those named"),
    ROW("command|list", -2, OPEN, "server", "7.0.0", sk_node_run_command_list,
        "Returns the names of commands, FILTERBY MODULE, ACLCAT or PATTERN"),
    ROW("config", -2, OPEN, "server", "2.0.0", sk_node_run_container,
        "A container for configuration commands"),
    ROW("config|get", -3, ADMIN, "server", "2.0.0", sk_node_run_config_get,
        "Returns the parameters that match the patterns"),
    HELP("config", "server"),
    ROW("config|resetstat", 2, ADMIN, "server", "2.0.0", sk_node_run_config_resetstat,
        "Resets the counters of INFO stats"),
    ROW("config|rewrite", 2, ADMIN, "server", "2.8.0", sk_node_run_config_rewrite,
        "Refused: the configuration file belongs to whoever wrote it"),
    ROW("config|set", -4, ADMIN, "server", "2.0.0", sk_node_run_config_set,
        "Refused: configuration is read once, at start"),
    ROW("debug", -2, ADMIN, "server", "1.0.0", sk_node_run_debug, "Refused"),
    ROW("echo", 2, FAST, "connection", "1.0.0", sk_node_run_echo, "Returns the given string"),
    ROW("hello", -1, DOOR, "connection", "6.0.0", sk_node_run_hello, "Handshakes: protocol, user and name"),
    ROW("info", -1, OPEN, "server", "1.0.0", sk_node_run_info,
        "Returns facts and counters of this node, all sections or those named"),
    ROW("lastsave", 1, FAST, "server", "1.0.0", sk_node_run_lastsave,
        "Returns when this node started: every write is saved as it is acknowledged"),
    ROW("latency", -2, OPEN, "server", "2.8.13", sk_node_run_container, "A container for latency commands"),
    ROW("latency|doctor", 2, ADMIN, "server", "2.8.13", sk_node_run_latency_doctor,
        "Says that nothing is sampled"),
    HELP("latency", "server"),
    ROW("latency|histogram", -2, ADMIN, "server", "7.0.0", sk_node_run_empty_map,
        "Empty: nothing is sampled"),
    ROW("latency|history", 3, ADMIN, "server", "2.8.13", sk_node_run_empty_array,
        "Empty: nothing is sampled"),
    ROW("latency|latest", 2, ADMIN, "server", "2.8.13", sk_node_run_empty_array, "Empty: nothing is sampled"),
    ROW("latency|reset", -2, ADMIN, "server", "2.8.13", sk_node_run_latency_reset,
        "Zero: nothing is sampled"),
    ROW("memory", -2, OPEN, "server", "4.0.0", sk_node_run_container, "A container for memory commands"),
    ROW("memory|doctor", 2, OPEN, "server", "4.0.0", sk_node_run_memory_doctor,
        "Says what memory is counted"),
    HELP("memory", "server"),
    ROW("memory|usage", -3, OPEN, "server", "4.0.0", sk_node_run_memory_usage,
        "Refused: memory is counted for each space, not for each key"),
    ROW("node", -2, OPEN, "skein", "0.1.0", sk_node_run_container,
        "A container for commands about the nodes"),
    HELP("node", "skein"),
    ROW("node|list", 2, OPEN, "skein", "0.1.0", sk_node_run_node_list,
        "Returns the nodes of this cluster: id, addresses, whether linked"),
    ROW("node|status", 2, OPEN, "skein", "0.1.0", sk_node_run_node_status,
        "Returns the state of this node, its spaces and its peers"),
    ROW("ping", -1, FAST, "connection", "1.0.0", sk_node_run_ping, "Answers PONG, or the given string"),
    ROW("quit", -1, DOOR, "connection", "1.0.0", sk_node_run_quit, "Closes the connection"),
    ROW("readmode", -1, FAST, "skein", "0.2.0", sk_node_run_readmode,
        "Sets or returns how fresh reads are: linearizable, session, local or default"),
    ROW("readonly", 1, FAST, "cluster", "3.0.0", sk_node_run_cluster_disabled,
        "Refused: every node stands alone and forwards inside"),
    ROW("readwrite", 1, FAST, "cluster", "3.0.0", sk_node_run_cluster_disabled,
        "Refused: every node stands alone and forwards inside"),
    ROW("reset", 1, DOOR, "connection", "6.2.0", sk_node_run_reset, "Makes the connection as if new"),
    ROW("role", 1, FAST, "server", "2.8.12", sk_node_run_role,
        "Returns master: every node stands for the whole"),
    ROW("select", 2, FAST, "connection", "1.0.0", sk_node_run_select,
        "Binds the connection to a space by its number; 0 is the routed view"),
    ROW("session", -2, OPEN, "skein", "0.2.0", sk_node_run_container,
        "A container for commands about what this connection has seen"),
    HELP("session", "skein"),
    ROW("session|token", 2, OPEN, "skein", "0.2.0", sk_node_run_session_token,
        "Returns a text that stands for all that this connection has written and read in spaces that merge"),
    ROW("session|use", -3, OPEN, "skein", "0.2.0", sk_node_run_session_use,
        "Goes on with a session: token [WAIT milliseconds], until this node has all that the token stands for"),
    ROW("slowlog", -2, OPEN, "server", "2.2.12", sk_node_run_container, "A container for slow log commands"),
    ROW("slowlog|get", -2, ADMIN, "server", "2.2.12", sk_node_run_slowlog_get, "Empty: no slow log is kept"),
    HELP("slowlog", "server"),
    ROW("slowlog|len", 2, ADMIN, "server", "2.2.12", sk_node_run_slowlog_len, "Zero: no slow log is kept"),
    ROW("slowlog|reset", 2, ADMIN, "server", "2.2.12", sk_node_run_slowlog_reset,
        "Accepted: no slow log is kept"),
    ROW("space", -2, OPEN, "skein", "0.2.0", sk_node_run_container,
        "A container for commands about the spaces"),
    ROW("space|alter", -5, ADMIN, "skein", "0.2.0", sk_node_run_space_alter,
        "Changes READS, DURABILITY or OPTION of a space"),
    ROW("space|create", -7, ADMIN, "skein", "0.2.0", sk_node_run_space_create,
        "Creates a space: name PREFIX p PROTOCOL x, NUMBER, DURABILITY, READS, OPTION name value"),
    ROW("space|drop", -3, ADMIN, "skein", "0.2.0", sk_node_run_space_drop,
        "Drops an empty space, or with FORCE one and its keys"),
    HELP("space", "skein"),
    ROW("space|info", 3, OPEN, "skein", "0.2.0", sk_node_run_space_info,
        "Returns what a space promises, and how it is on this node"),
    ROW("space|list", 2, OPEN, "skein", "0.2.0", sk_node_run_space_list,
        "Returns the spaces, and whether each can be written and read here now"),
    ROW("space|route", 3, OPEN, "skein", "0.2.0", sk_node_run_space_route,
        "Returns which space a key belongs to, and why"),
    ROW("time", 1, FAST, "server", "2.6.0", sk_node_run_time, "Returns this node's wall time"),
    ROW("wait", 3, OPEN, "generic", "3.0.0", sk_node_run_wait,
        "Answers how many other nodes certainly hold this connection's writes"),
};

const sk_node_command *sk_node_command_rows(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

const sk_node_command *sk_node_command_find(sk_slice name)
{
    if (!name.size || memchr(name.data, '|', name.size)) return NULL;
    uint8_t first = name.data[0] | 0x20; // the names are letters
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((uint8_t)rows[i].row.name[0] == first && sk_slice_equal_nocase(name, rows[i].row.name))
            return &rows[i];
    }
    return NULL;
}

const sk_node_command *sk_node_command_find_sub(const char *container, sk_slice name)
{
    size_t prefix = strlen(container);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *row = rows[i].row.name;
        if (strncmp(row, container, prefix) || row[prefix] != '|') continue;
        if (sk_slice_equal_nocase(name, row + prefix + 1)) return &rows[i];
    }
    return NULL;
}
