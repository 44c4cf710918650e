// The node families, over a node of one member in memory: what real clients send when they connect, and what
// tools ask. Expected replies are those of Redis 7 wherever Redis has the command.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "node/command/family.h"
#include "node/state.h"
#include "test/support/one_node.h"

#define EXPECT(line, reply)  assert_string_equal(ask(&w, &c, line), reply)
#define CONTAINS(line, part) assert_non_null(strstr(ask(&w, &c, line), part))
#define SETUP                                                                                                \
    sk_node_config settings;                                                                                 \
    world w;                                                                                                 \
    connection c;                                                                                            \
    world_prepare(&settings);                                                                                \
    world_open(&w, &settings);                                                                               \
    connect_client(&w, &c, "10.0.0.9:50000")
#define DONE                                                                                                 \
    disconnect(&w, &c);                                                                                      \
    world_close(&w)

// The value behind a name in a map (or in a flat array of names and values).
static const sk_resp_value *member(const sk_resp_value *map, const char *name)
{
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        if (sk_slice_equal(map->items[i].text, sk_slice_text(name))) return &map->items[i + 1];
    }
    fail_msg("no %s", name);
    return NULL;
}

// ---- The table ----

static void table_is_whole(void **state)
{
    size_t count;
    const sk_node_command *rows = sk_node_command_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const sk_command *row = &rows[i].row;
        assert_non_null(rows[i].run);
        assert_non_null(row->summary);
        assert_non_null(row->since);
        assert_true(row->flags & SK_COMMAND_NODE);
        assert_true(row->flags & SK_COMMAND_STALE);
        assert_true(i == 0 || strcmp(rows[i - 1].row.name, row->name) < 0);
        assert_null(sk_command_find(sk_slice_text(row->name)));
        char name[64];
        snprintf(name, sizeof name, "%s", row->name);
        char *bar = strchr(name, '|');
        if (!bar) {
            assert_ptr_equal(sk_node_command_find(sk_slice_text(name)), &rows[i]);
            for (char *at = name; *at; at++) *at = (char)(*at - ('a' - 'A'));
            assert_ptr_equal(sk_node_command_find(sk_slice_text(name)), &rows[i]);
            continue;
        }
        assert_null(sk_node_command_find(sk_slice_text(name)));
        *bar = 0;
        assert_non_null(sk_node_command_find(sk_slice_text(name)));
        assert_ptr_equal(sk_node_command_find_sub(name, sk_slice_text(bar + 1)), &rows[i]);
    }
    assert_null(sk_node_command_find(sk_slice_text("")));
    assert_null(sk_node_command_find(sk_slice_text("pin")));
    assert_null(sk_node_command_find(sk_slice_text("pings")));
}

// docs/commands.md is written by script/commands: a row that is not there was added since.
static void every_command_is_documented(void **state)
{
    FILE *file = fopen("docs/commands.md", "r");
    assert_non_null(file);
    static char page[256 * 1024];
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    size_t data, node;
    const sk_command *data_rows = sk_command_rows(&data);
    const sk_node_command *node_rows = sk_node_command_rows(&node);
    for (size_t i = 0; i < data + node; i++) {
        const char *row = i < data ? data_rows[i].name : node_rows[i - data].row.name;
        char shown[80] = "| `";
        size_t size = strlen(shown);
        for (; *row; row++)
            shown[size++] =
                *row == '|' ? ' ' : (char)(*row >= 'a' && *row <= 'z' ? *row - ('a' - 'A') : *row);
        shown[size] = 0; // a container is there with its subcommands
        if (!strstr(page, shown)) fail_msg("%s is not in docs/commands.md: run script/commands", shown + 3);
    }
}

// ---- Connection ----

#define HELLO_FIELDS                                                                                         \
    "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:"     \
    "1\r\n"                                                                                                  \
    "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

static void hello(void **state)
{
    SETUP;
    char want[512];
    snprintf(want, sizeof want, "*18\r\n" HELLO_FIELDS, 2);
    assert_int_equal(strncmp(ask(&w, &c, "HELLO"), want, strlen(want)), 0);
    snprintf(want, sizeof want, "%%9\r\n" HELLO_FIELDS, 3);
    assert_int_equal(strncmp(ask(&w, &c, "hello 3 AUTH default any SETNAME worker"), want, strlen(want)), 0);
    EXPECT("CLIENT GETNAME", "$6\r\nworker\r\n");
    // What fails changes nothing.
    EXPECT("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    EXPECT("HELLO two", "-ERR Protocol version is not an integer or out of range\r\n");
    EXPECT("HELLO 2 AUTH nobody x SETNAME other",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT("HELLO 2 SETNAME \"a b\"",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT("HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    EXPECT("HELLO 2 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    EXPECT("CLIENT GETNAME", "$6\r\nworker\r\n");
    EXPECT("CLIENT SETNAME \"\"", "+OK\r\n");
    EXPECT("CLIENT GETNAME", "_\r\n");
    EXPECT("RESET", "+RESET\r\n");
    EXPECT("CLIENT GETNAME", "$-1\r\n");
    DONE;
}

static void auth_without_password(void **state)
{
    SETUP;
    EXPECT("AUTH x",
           "-ERR AUTH <password> called without any password configured for the default user. Are you sure "
           "your configuration is correct?\r\n");
    EXPECT("AUTH default x", "+OK\r\n");
    EXPECT("AUTH other x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT("AUTH a b c", "-ERR syntax error\r\n");
    EXPECT("ACL WHOAMI", "$7\r\ndefault\r\n");
    DONE;
}

static void select_space(void **state)
{
    SETUP;
    EXPECT("SELECT 1", "+OK\r\n");
    assert_int_equal(c.client->selected, 1);
    EXPECT("SELECT 0", "+OK\r\n");
    assert_int_equal(c.client->selected, 0);
    EXPECT("SELECT 2", "-ERR DB index is out of range\r\n");
    EXPECT("SELECT -1", "-ERR DB index is out of range\r\n");
    EXPECT("SELECT x", "-ERR value is not an integer or out of range\r\n");
    EXPECT("SELECT 4294967297", "-ERR value is not an integer or out of range\r\n");
    EXPECT("SET k v", "+OK\r\n");
    EXPECT("SELECT 1", "+OK\r\n");
    EXPECT("GET k", "$1\r\nv\r\n");
    DONE;
}

static void ping_echo_quit(void **state)
{
    SETUP;
    EXPECT("PING", "+PONG\r\n");
    EXPECT("ping hi", "$2\r\nhi\r\n");
    EXPECT("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    EXPECT("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n");
    EXPECT("QUIT", "+OK\r\n");
    assert_null(c.client);
    DONE;
}

// E12: the switch takes effect between the replies before it and those after it, however fast they were sent.
static void E12_hello_within_a_pipeline(void **state)
{
    SETUP;
    const char *replies =
        ask(&w, &c, "SET k v\r\nGET nosuch\r\nHELLO 3\r\nGET nosuch\r\nDEL k\r\nHELLO 2\r\nGET k");
    assert_int_equal(strncmp(replies, "+OK\r\n$-1\r\n%9\r\n", 14), 0);
    assert_non_null(strstr(replies, "\r\n_\r\n:1\r\n*18\r\n"));
    assert_string_equal(replies + strlen(replies) - 5, "$-1\r\n");
    replies = ask(&w, &c, "GET nosuch\r\nHELLO 3\r\nGET nosuch\r\nHELLO 2");
    assert_int_equal(strncmp(replies, "$-1\r\n%9\r\n", 9), 0); // reads alone are waited for too
    assert_non_null(strstr(replies, "\r\n_\r\n*18\r\n"));
    DONE;
}

// What current clients send first, in one piece, must leave the connection usable.
static void handshakes(void **state)
{
    SETUP;
    sk_resp_value value = ask_value(&w, &c, "HELLO 3");
    assert_int_equal(value.type, SK_RESP_MAP);
    sk_resp_value_deinit(&value);
    EXPECT("CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-fqdn",
           "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
    EXPECT("client SETINFO LIB-NAME ioredis\r\nCLIENT SETINFO LIB-VER 6.0.0\r\nSELECT 1\r\nREADONLY",
           "+OK\r\n+OK\r\n+OK\r\n-ERR This instance has cluster support disabled\r\n");
    EXPECT("CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n");
    CONTAINS("INFO", "\r\nloading:0\r\n");
    EXPECT("PING", "+PONG\r\n");
    DONE;
}

// ---- CLIENT ----

static void client_attributes(void **state)
{
    SETUP;
    EXPECT("CLIENT ID", ":1\r\n");
    EXPECT("CLIENT SETINFO lib-name redis-py(x_v1)", "+OK\r\n");
    EXPECT("CLIENT SETINFO lib-ver \"1 2\"",
           "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
    EXPECT("CLIENT SETINFO lib-foo x", "-ERR Unrecognized option 'lib-foo'\r\n");
    EXPECT("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n");
    EXPECT("CLIENT SETNAME 0123456789012345678901234567890123456789012345678901234567890123",
           "-ERR Client names cannot be longer than 63 characters.\r\n");
    EXPECT("CLIENT SETNAME one", "+OK\r\n");
    const char *line = ask(&w, &c, "CLIENT INFO");
    assert_non_null(strstr(line, "id=1 addr=10.0.0.9:50000 laddr=10.0.0.1:7379 name=one "));
    assert_non_null(strstr(line, " cmd=client|info user=default "));
    assert_non_null(strstr(line, " resp=2 lib-name=redis-py(x_v1) lib-ver=\n"));
    EXPECT("CLIENT NO-EVICT on", "+OK\r\n");
    EXPECT("CLIENT NO-TOUCH off", "+OK\r\n");
    EXPECT("CLIENT NO-TOUCH maybe", "-ERR syntax error\r\n");
    EXPECT("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
    EXPECT("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n");
    DONE;
}

static void client_list_and_kill(void **state)
{
    SETUP;
    connection other;
    connect_client(&w, &other, "10.0.0.8:40000");
    assert_string_equal(ask(&w, &other, "CLIENT SETNAME other"), "+OK\r\n");
    const char *list = ask(&w, &c, "CLIENT LIST");
    assert_non_null(strstr(list, "id=1 addr=10.0.0.9:50000"));
    assert_non_null(strstr(list, "\nid=2 addr=10.0.0.8:40000"));
    list = ask(&w, &c, "CLIENT LIST ID 2 99");
    assert_null(strstr(list, "id=1 "));
    assert_non_null(strstr(list, "id=2 "));
    EXPECT("CLIENT LIST TYPE replica", "$0\r\n\r\n");
    EXPECT("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    EXPECT("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    EXPECT("CLIENT LIST ID", "-ERR syntax error\r\n");
    EXPECT("CLIENT KILL 1.2.3.4:5", "-ERR No such client\r\n");
    EXPECT("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
    EXPECT("CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n");
    EXPECT("CLIENT KILL ID 2 ADDR", "-ERR syntax error\r\n");
    EXPECT("CLIENT KILL ID 1", ":0\r\n"); // itself is skipped
    EXPECT("CLIENT KILL TYPE normal", ":1\r\n");
    assert_null(other.client);
    EXPECT("CLIENT LIST ID 2", "$0\r\n\r\n");
    EXPECT("CLIENT KILL 10.0.0.9:50000", "+OK\r\n");
    assert_null(c.client);
    disconnect(&w, &other);
    DONE;
}

// E10: whoever waits or writes may be closed by another at any time.
static void E10_kill_while_under_way(void **state)
{
    SETUP;
    for (int round = 0; round < 2; round++) {
        connection other;
        connect_client(&w, &other, "10.0.0.8:40000");
        sk_buffer_append_text(&other.input,
                              round ? "WAIT 5 0\r\nPING\r\n" : "SET k v\r\nSET k w\r\nGET k\r\n");
        feed(&w, &other);
        CONTAINS("CLIENT KILL ADDR 10.0.0.8:40000", ":1\r\n");
        for (int i = 0; i < 3000 && other.client; i++) turn(&w, SK_MS);
        assert_null(other.client);
        disconnect(&w, &other);
        CONTAINS("INFO clients", "connected_clients:1\r\n");
    }
    EXPECT("PING", "+PONG\r\n");
    DONE;
}

static void reply_modes(void **state)
{
    SETUP;
    EXPECT("CLIENT REPLY OFF\r\nPING\r\nSET k v\r\nGET k\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON",
           "+OK\r\n");
    EXPECT("PING a\r\nCLIENT REPLY SKIP\r\nPING b\r\nPING c", "$1\r\na\r\n$1\r\nc\r\n");
    EXPECT("CLIENT REPLY SKIP\r\nSET k w\r\nGET k", "$1\r\nw\r\n");
    EXPECT("CLIENT REPLY maybe", "-ERR syntax error\r\n");
    EXPECT("CLIENT REPLY OFF\r\nRESET", "+RESET\r\n");
    EXPECT("PING", "+PONG\r\n");
    DONE;
}

// E13: what was asked, with whatever secret in it, is shown nowhere.
static void E13_no_argument_is_shown(void **state)
{
    SETUP;
    connection other;
    connect_client(&w, &other, "10.0.0.8:40000");
    ask(&w, &other, "AUTH default hunter2");
    assert_null(strstr(ask(&w, &c, "CLIENT LIST"), "hunter2"));
    CONTAINS("CLIENT LIST", " cmd=auth ");
    ask(&w, &other, "SET hunter2 hunter2");
    assert_null(strstr(ask(&w, &c, "CLIENT LIST"), "hunter2"));
    EXPECT("SLOWLOG GET 128", "*0\r\n");
    disconnect(&w, &other);
    DONE;
}

// A line end within a name must not become the end of the error.
static void names_cannot_split_a_reply(void **state)
{
    SETUP;
    const char *lines[] = {
        "CLIENT \"a\\r\\n+OK\"",          "\"a\\r\\n+OK\" x",       "a \"\\r\\n+OK\"",
        "CONFIG SET \"a\\r\\n+OK\" b",    "HELLO 3 \"a\\r\\n+OK\"", "CLIENT SETINFO \"a\\r\\n+OK\" b",
        "CLIENT KILL USER \"a\\r\\n+OK\""};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        sk_resp_value value = ask_value(&w, &c, lines[i]); // exactly one
        assert_int_equal(value.type, SK_RESP_FAILURE);
        sk_resp_value_deinit(&value);
    }
    DONE;
}

// ---- COMMAND ----

static void command_shapes(void **state)
{
    SETUP;
    EXPECT(
        "COMMAND INFO get nosuch",
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
        "*3\r\n+@string\r\n+@read\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"
        "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n"
        "$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n"
        "$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
    EXPECT("COMMAND INFO client|setname", "*1\r\n*10\r\n$14\r\nclient|setname\r\n:3\r\n*3\r\n+noscript\r\n+"
                                          "loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n"
                                          "*2\r\n+@connection\r\n+@slow\r\n*0\r\n*0\r\n*0\r\n");
    sk_resp_value all = ask_value(&w, &c, "COMMAND");
    char count[32];
    snprintf(count, sizeof count, ":%zu\r\n", all.count);
    EXPECT("COMMAND COUNT", count);
    sk_resp_value_deinit(&all);
    EXPECT("COMMAND GETKEYS mset a b c d", "*2\r\n$1\r\na\r\n$1\r\nc\r\n");
    EXPECT("COMMAND GETKEYSANDFLAGS get a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n");
    EXPECT("COMMAND GETKEYS object encoding k", "*1\r\n$1\r\nk\r\n");
    EXPECT("COMMAND GETKEYS get k x", "-ERR Invalid number of arguments specified for command\r\n");
    EXPECT("COMMAND GETKEYS ping x", "-ERR The command has no key arguments\r\n");
    EXPECT("COMMAND GETKEYS nosuch x", "-ERR Invalid command specified\r\n");
    EXPECT("COMMAND GETKEYS get", "-ERR Invalid number of arguments specified for command\r\n");
    EXPECT("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command\r\n");
    EXPECT("COMMAND LIST FILTERBY PATTERN CLIENT|SET*",
           "*2\r\n$14\r\nclient|setinfo\r\n$14\r\nclient|setname\r\n");
    EXPECT("COMMAND LIST FILTERBY MODULE x", "*0\r\n");
    EXPECT("COMMAND LIST FILTERBY x", "-ERR syntax error\r\n");
    EXPECT("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
    EXPECT("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n");
    sk_resp_value docs = ask_value(&w, &c, "COMMAND DOCS get client nosuch");
    assert_int_equal(docs.count, 4);
    const sk_resp_value *client = member(&docs, "client");
    assert_true(member(client, "subcommands")->count > 10);
    sk_resp_value_deinit(&docs);
    ask(&w, &c, "HELLO 3");
    docs = ask_value(&w, &c, "COMMAND DOCS");
    assert_int_equal(docs.type, SK_RESP_MAP);
    sk_resp_value_deinit(&docs);
    CONTAINS("COMMAND INFO get", "~2\r\n+readonly\r\n+fast\r\n");
    CONTAINS("COMMAND INFO nosuch", "*1\r\n_\r\n");
    DONE;
}

// ---- Server ----

static void config(void **state)
{
    SETUP;
    EXPECT("CONFIG GET save appendonly", "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n$0\r\n\r\n");
    EXPECT("CONFIG GET nosuch", "*0\r\n");
    EXPECT("CONFIG GET MAX*", "*6\r\n$10\r\nmaxclients\r\n$2\r\n10\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"
                              "$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n");
    EXPECT("CONFIG GET databases port port",
           "*4\r\n$9\r\ndatabases\r\n$1\r\n2\r\n$4\r\nport\r\n$4\r\n7379\r\n");
    EXPECT("CONFIG GET bind", "*2\r\n$4\r\nbind\r\n$8\r\n10.0.0.1\r\n");
    EXPECT("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n");
    EXPECT(
        "CONFIG SET maxmemory 1",
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable config\r\n");
    EXPECT("CONFIG SET nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n");
    EXPECT("CONFIG SET save 1 x", "-ERR syntax error\r\n");
    CONTAINS("INFO stats", "\r\nrejected_connections:0\r\n");
    EXPECT("CONFIG RESETSTAT", "+OK\r\n");
    CONTAINS("INFO stats", "\r\ntotal_connections_received:0\r\ntotal_commands_processed:1\r\n");
    DONE;
}

static void server(void **state)
{
    SETUP;
    EXPECT("TIME", "*2\r\n$10\r\n1700000000\r\n$6\r\n123000\r\n");
    CONTAINS("ROLE", "*3\r\n$6\r\nmaster\r\n:");
    EXPECT("SLOWLOG LEN", ":0\r\n");
    EXPECT("SLOWLOG RESET", "+OK\r\n");
    EXPECT("SLOWLOG GET x", "-ERR count should be greater than or equal to -1\r\n");
    EXPECT("LATENCY LATEST", "*0\r\n");
    EXPECT("LATENCY RESET", ":0\r\n");
    CONTAINS("DEBUG SLEEP 1", "-ERR DEBUG command not allowed.");
    CONTAINS("MEMORY USAGE k", "-ERR MEMORY USAGE is not supported");
    EXPECT("CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n");
    EXPECT("SLOWLOG FOO", "-ERR unknown subcommand 'FOO'. Try SLOWLOG HELP.\r\n");
    CONTAINS("CONFIG HELP", "+CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+GET\r\n");
    DONE;
}

static void wait_for_replicas(void **state)
{
    SETUP;
    EXPECT("SET k v", "+OK\r\n");
    EXPECT("WAIT 0 0", ":0\r\n");
    sk_ns before = w.now;
    EXPECT("WAIT 1 100", ":0\r\n");
    assert_in_range(w.now - before, 100 * SK_MS, 110 * SK_MS);
    before = w.now;
    EXPECT("WAIT 1 0\r\nPING", ":0\r\n+PONG\r\n");
    assert_in_range(w.now - before, 2 * SK_S, 2 * SK_S + 10 * SK_MS);
    EXPECT("WAIT x 0", "-ERR value is not an integer or out of range\r\n");
    EXPECT("WAIT 0 x", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT("WAIT 0 -1", "-ERR timeout is negative\r\n");
    DONE;
}

static void info(void **state)
{
    SETUP;
    EXPECT("SET a 1", "+OK\r\n");
    EXPECT("SET b 2 EX 100", "+OK\r\n");
    static const char *const fields[] = {
        "# Server\r\nredis_version:7.2.",
        "\r\nredis_mode:standalone\r\n",
        "\r\nprocess_id:4711\r\n",
        "\r\ntcp_port:7379\r\n",
        "\r\n\r\n# Clients\r\nconnected_clients:1\r\n",
        "\r\nmaxmemory_policy:noeviction\r\n",
        "\r\nloading:0\r\n",
        "\r\naof_last_write_status:ok\r\n",
        "\r\nrole:master\r\nconnected_slaves:0\r\n",
        "\r\n# CPU\r\n",
        "\r\n# Modules\r\n",
        "\r\ncluster_enabled:0\r\n",
        "\r\n# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\n",
        "\r\n# Skein\r\nnode:1\r\nboot:1\r\n",
        "\r\nspace1:name=default,protocol=raft,role=leader,leader=1,",
    };
    char *text = strdup(ask(&w, &c, "INFO"));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) assert_non_null(strstr(text, fields[i]));
    free(text);
    EXPECT("INFO cpu", "$54\r\n# CPU\r\nused_cpu_sys:0.250000\r\nused_cpu_user:3.000000\r\n\r\n");
    EXPECT("INFO cluster MODULES", "$43\r\n# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
    EXPECT("INFO nosuch", "$0\r\n\r\n");
    ask(&w, &c, "HELLO 3");
    EXPECT("INFO cluster", "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
    DONE;
}

// ---- NODE ----

static void node_list_and_status(void **state)
{
    SETUP;
    EXPECT("SET a 1", "+OK\r\n");
    EXPECT("NODE LIST",
           "*1\r\n*10\r\n$2\r\nid\r\n:1\r\n$12\r\npeer_address\r\n$13\r\n10.0.0.1:7380\r\n"
           "$14\r\nclient_address\r\n$13\r\n10.0.0.1:7379\r\n$6\r\nlinked\r\n:1\r\n$4\r\nself\r\n:1\r\n");
    for (int resp = 2; resp <= 3; resp++) {
        ask(&w, &c, resp == 2 ? "HELLO 2" : "HELLO 3");
        sk_resp_value status = ask_value(&w, &c, "NODE STATUS");
        assert_int_equal(status.type, resp == 2 ? SK_RESP_ARRAY : SK_RESP_MAP);
        assert_int_equal(member(&status, "node")->integer, 1);
        assert_int_equal(member(&status, "boot")->integer, 1);
        assert_int_equal(member(&status, "clients")->integer, 1);
        assert_int_equal(member(&status, "rss_bytes")->integer, 5 * 1024 * 1024);
        assert_int_equal(member(&status, "cpu_us")->integer, 3250000);
        assert_true(member(&status, "commands")->integer >= 3);
        assert_true(member(&status, "disk_bytes_written")->integer > 0);
        assert_int_equal(member(&status, "peers")->count, 0);
        const sk_resp_value *spaces = member(&status, "spaces");
        assert_int_equal(spaces->count, 2);
        const sk_resp_value *space = &spaces->items[1];
        assert_true(sk_slice_equal(member(space, "name")->text, sk_slice_text("default")));
        assert_true(sk_slice_equal(member(space, "role")->text, sk_slice_text("leader")));
        assert_true(sk_slice_equal(member(space, "why")->text, sk_slice_text("")));
        assert_int_equal(member(space, "serving")->integer, 1);
        assert_int_equal(member(space, "keys")->integer, 1);
        sk_resp_value_deinit(&status);
    }
    EXPECT("NODE FOO", "-ERR unknown subcommand 'FOO'. Try NODE HELP.\r\n");
    DONE;
}

// A request of very many names is refused, not worked through.
static void many_names_are_refused(void **state)
{
    SETUP;
    static const char *const heads[] = {"COMMAND INFO",   "COMMAND DOCS",     "CONFIG GET",
                                        "CLIENT LIST ID", "CLIENT KILL ID 1", "INFO"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        sk_buffer line = {0};
        sk_buffer_append_text(&line, heads[i]);
        for (int j = 0; j < 2000; j++) sk_buffer_append_text(&line, " 1");
        sk_buffer_append_byte(&line, 0);
        CONTAINS((const char *)line.data, "-ERR too many arguments");
        sk_buffer_deinit(&line);
    }
    DONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole),
        cmocka_unit_test(every_command_is_documented),
        cmocka_unit_test(hello),
        cmocka_unit_test(auth_without_password),
        cmocka_unit_test(select_space),
        cmocka_unit_test(ping_echo_quit),
        cmocka_unit_test(E12_hello_within_a_pipeline),
        cmocka_unit_test(handshakes),
        cmocka_unit_test(client_attributes),
        cmocka_unit_test(client_list_and_kill),
        cmocka_unit_test(E10_kill_while_under_way),
        cmocka_unit_test(reply_modes),
        cmocka_unit_test(E13_no_argument_is_shown),
        cmocka_unit_test(names_cannot_split_a_reply),
        cmocka_unit_test(command_shapes),
        cmocka_unit_test(config),
        cmocka_unit_test(server),
        cmocka_unit_test(wait_for_replicas),
        cmocka_unit_test(info),
        cmocka_unit_test(node_list_and_status),
        cmocka_unit_test(many_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
