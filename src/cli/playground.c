#include "cli/playground.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
    PORT_BASE = 7400,
    ANSWER_MS = 900,        // a node that has not said how it is within this is shown as silent
    LOOK_EARLY_MS = 50,     // between looks until the cluster serves
    SETTLE_MS = 5000,       // after the first write, for nodes that are still on their way
    FIXED_ITEMS = 4,
    ITEMS_MAX = FIXED_ITEMS + SK_PLAYGROUND_NODES_MAX + SK_PLAYGROUND_CLIENTS_MAX,
};

static const sk_flag flags[] = {
    {"--nodes", NULL, "N", "how many nodes, 1 to 9 (default 3)"},
    {"--dir", NULL, "D", "where their data is (default: a temporary one, removed at the end)"},
    {"--base-port", NULL, "P", "node i answers Redis clients on port P+i (default 7400: 7401, 7402, ...)"},
    {"--restart", NULL, "S", "bring a dead node back after S seconds"},
    {"--interval", NULL, "S", "look at the nodes every S seconds (default 1; 0: not at all once they serve)"},
    {"--direct", NULL, NULL, "nodes dial each other directly, not through this process: links cannot be cut then"},
    {"--skeind", NULL, "PATH", "the daemon to run (default: beside this program, else in PATH)"},
};

void sk_playground_say(playground *ground, const char *format, ...)
{
    char text[SK_PLAYGROUND_EVENT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!ground->screen) {
        puts(text);
        fflush(stdout);
        return;
    }
    if (ground->event_count == SK_PLAYGROUND_EVENTS_MAX) {
        memmove(ground->events[0], ground->events[1], sizeof ground->events - sizeof ground->events[0]);
        ground->event_count--;
    }
    time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    snprintf(ground->events[ground->event_count++], SK_PLAYGROUND_EVENT_SIZE, "%02d:%02d:%02d %.100s", parts.tm_hour,
             parts.tm_min, parts.tm_sec, text);
}

// ---- Is it serving? ----

static bool all_serve(const playground *ground)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        const sk_space_view *space = sk_view_default_space(&ground->view->nodes[i]);
        if (ground->nodes[i].pid && (!space || !space->serving)) return false;
    }
    return true;
}

// A write that leaves no trace: removing a key that is not there is ordered and answered like any other.
static void probe(playground *ground, sk_ns now)
{
    const sk_node_view *leader = sk_view_leader(ground->view);
    if (ground->probe_deadline && now >= ground->probe_deadline) {
        sk_remote_close(&ground->prober);
        ground->probe_deadline = 0;
    }
    if (ground->written || ground->probe_deadline || !leader) return;
    const playground_node *node = &ground->nodes[leader->id - 1];
    sk_remote_close(&ground->prober);
    if (sk_remote_start(&ground->prober, &node->asker.endpoint)) return;
    sk_slice argv[] = {sk_slice_text("DEL"), sk_slice_text("skein:playground:probe")};
    sk_remote_request(&ground->prober, 2, argv);
    ground->probe_deadline = now + 2 * SK_S;
}

static void on_probe(playground *ground, short events)
{
    const sk_resp_value *reply = NULL;
    if (sk_remote_ready(&ground->prober, events) == 0) {
        int found = sk_remote_next(&ground->prober, &reply);
        if (found == 0) return;
        if (found == 1 && reply->type == SK_RESP_INTEGER) {
            ground->written = true;
            ground->written_at = sk_client_now();
        }
    }
    sk_remote_close(&ground->prober);
    ground->probe_deadline = 0;
}

static void announce_ready(playground *ground)
{
    char text[SK_PLAYGROUND_NODES_MAX * 24] = "ready";
    size_t used = strlen(text);
    for (uint32_t i = 0; i < ground->node_count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " 127.0.0.1:%u", ground->nodes[i].port);
    }
    ground->ready = true;
    if (ground->screen) sk_playground_say(ground, "ready");
    else sk_playground_say(ground, "%s", text);
}

// Says what has changed since it last spoke; before the cluster serves it waits for that.
static void judge(playground *ground, sk_ns now)
{
    if (!ground->ready) {
        bool settled = ground->written && now >= ground->written_at + SETTLE_MS * SK_MS;
        if (ground->written && (settled || all_serve(ground))) announce_ready(ground);
        else probe(ground, now);
        if (!ground->ready) return;
    }
    const sk_node_view *leader = sk_view_leader(ground->view);
    if (!leader) return;
    uint64_t term = sk_view_default_space(leader)->epoch;
    if (leader->id == ground->leader && term == ground->term) return;
    ground->leader = leader->id;
    ground->term = term;
    sk_playground_say(ground, "leader %u term %lu", leader->id, (unsigned long)term);
}

// Nothing runs, nothing will: there is no point in waiting for it to serve.
static bool hopeless(const playground *ground)
{
    if (ground->ready) return false;
    for (uint32_t i = 0; i < ground->node_count; i++) {
        if (ground->nodes[i].pid || ground->nodes[i].restart_at) return false;
    }
    return true;
}

// ---- The loop ----

static void on_signals(playground *ground)
{
    struct signalfd_siginfo info;
    while (read(ground->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) sk_playground_reap(ground);
        else if (info.ssi_signo != SIGWINCH) ground->ending = true;
    }
}

static void look(playground *ground, sk_ns now)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *node = &ground->nodes[i];
        if (node->pid) sk_asker_ask(&node->asker, now, ANSWER_MS * SK_MS);
    }
}

// Does what is due; returns when the next thing is.
static sk_ns on_time(playground *ground, sk_ns now, sk_ns *look_at)
{
    sk_ns due = SK_NEVER;
    if (now >= *look_at) {
        look(ground, now);
        sk_ns interval = ground->ready ? ground->interval : LOOK_EARLY_MS * SK_MS;
        *look_at = interval ? now + interval : SK_NEVER;
    }
    if (*look_at < due) due = *look_at;
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *node = &ground->nodes[i];
        sk_asker_expire(&node->asker, now);
        if (node->restart_at && !node->pid && now >= node->restart_at) {
            node->restart_at = 0;
            if (sk_playground_start_node(ground, node)) node->restart_at = now + SK_S;
        }
        if (node->restart_at && node->restart_at < due) due = node->restart_at;
        if (node->asker.waiting && node->asker.deadline < due) due = node->asker.deadline;
    }
    return due;
}

static size_t gather(playground *ground, struct pollfd *items)
{
    items[0] = (struct pollfd){.fd = ground->signals, .events = POLLIN};
    items[1] = (struct pollfd){.fd = ground->listener, .events = POLLIN};
    items[2] = (struct pollfd){.fd = ground->screen && isatty(STDIN_FILENO) ? STDIN_FILENO : -1, .events = POLLIN};
    items[3] = (struct pollfd){.fd = ground->prober.socket, .events = sk_remote_events(&ground->prober)};
    size_t count = FIXED_ITEMS;
    for (uint32_t i = 0; i < ground->node_count; i++) {
        const sk_remote *remote = &ground->nodes[i].asker.remote;
        items[count++] = (struct pollfd){.fd = remote->socket, .events = sk_remote_events(remote)};
    }
    for (size_t i = 0; i < SK_PLAYGROUND_CLIENTS_MAX; i++) {
        items[count++] = (struct pollfd){.fd = ground->clients[i].socket, .events = POLLIN};
    }
    return count;
}

static void dispatch(playground *ground, const struct pollfd *items)
{
    // Answers before ends: what a node said before it died still counts, and its asker is reset only after that.
    for (uint32_t i = 0; i < ground->node_count; i++) {
        const struct pollfd *item = &items[FIXED_ITEMS + i];
        if (item->fd >= 0 && item->revents) sk_asker_ready(&ground->nodes[i].asker, item->revents);
    }
    if (items[3].fd >= 0 && items[3].revents) on_probe(ground, items[3].revents);
    for (size_t i = 0; i < SK_PLAYGROUND_CLIENTS_MAX; i++) {
        const struct pollfd *item = &items[FIXED_ITEMS + ground->node_count + i];
        if (item->fd >= 0 && item->revents) sk_playground_client_ready(ground, &ground->clients[i]);
    }
    if (items[1].revents) sk_playground_accept(ground);
    if (items[2].fd >= 0 && items[2].revents) {
        char key = 0;
        if (read(STDIN_FILENO, &key, 1) == 1) sk_playground_screen_key(ground, key);
        else ground->ending = true; // the terminal has gone
    }
    if (items[0].revents) on_signals(ground);
}

static void loop(playground *ground)
{
    sk_ns look_at = 0;
    while (!ground->ending && !hopeless(ground)) {
        sk_ns due = on_time(ground, sk_client_now(), &look_at);
        judge(ground, sk_client_now());
        sk_playground_screen_draw(ground);
        struct pollfd items[ITEMS_MAX];
        size_t count = gather(ground, items);
        sk_ns now = sk_client_now();
        int wait = due == SK_NEVER ? -1 : due <= now ? 0 : (int)((due - now) / SK_MS) + 1;
        if (poll(items, count, wait) > 0) dispatch(ground, items);
    }
}

// ---- From the command line to the loop and back ----

static int read_flags(const sk_arguments *arguments, playground *ground)
{
    const char *nodes = sk_cli_value(arguments, "--nodes");
    const char *base = sk_cli_value(arguments, "--base-port");
    const char *restart = sk_cli_value(arguments, "--restart");
    const char *interval = sk_cli_value(arguments, "--interval");
    const char *directory = sk_cli_value(arguments, "--dir");
    const char *skeind = sk_cli_value(arguments, "--skeind");
    ground->direct = sk_cli_value(arguments, "--direct") != NULL;
    unsigned long number = 0;
    if (nodes) {
        if (sk_cli_number(nodes, 1, SK_PLAYGROUND_NODES_MAX, &number)) {
            return sk_cli_usage(arguments->verb, "--nodes takes 1 to %d", SK_PLAYGROUND_NODES_MAX);
        }
        ground->node_count = (uint32_t)number;
    }
    number = PORT_BASE;
    if (base && sk_cli_number(base, 1, 65400, &number)) return sk_cli_usage(arguments->verb, "--base-port takes 1 to 65400");
    ground->port_base = (uint16_t)number;
    number = 0;
    if (restart && sk_cli_number(restart, 1, 86400, &number)) return sk_cli_usage(arguments->verb, "--restart takes seconds");
    ground->restart_after = number * SK_S;
    number = 1;
    if (interval && sk_cli_number(interval, 0, 3600, &number)) return sk_cli_usage(arguments->verb, "--interval takes seconds");
    ground->interval = number * SK_S;
    if (directory) {
        if (!*directory || strlen(directory) >= sizeof ground->directory) {
            return sk_cli_usage(arguments->verb, "--dir: too long, or empty");
        }
        snprintf(ground->directory, sizeof ground->directory, "%s", directory);
    }
    if (skeind) snprintf(ground->skeind, sizeof ground->skeind, "%s", skeind);
    else if (sk_playground_find_skeind(ground->skeind, sizeof ground->skeind)) {
        fprintf(stderr, "skein playground: skeind is neither beside this program nor in PATH\n");
        return SK_EXIT_UNAVAILABLE;
    }
    return 0;
}

static int take_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int start_all(playground *ground)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *node = &ground->nodes[i];
        sk_node_view *view = &ground->view->nodes[i];
        view->id = node->number;
        snprintf(view->client_address, sizeof view->client_address, "127.0.0.1:%u", node->port);
        snprintf(view->why, sizeof view->why, "starting");
        sk_endpoint endpoint;
        if (sk_endpoint_parse(view->client_address, 0, &endpoint)) return SK_EXIT_SOFTWARE;
        sk_asker_init(&node->asker, &endpoint, view);
        if (sk_playground_start_node(ground, node)) return SK_EXIT_FAILED;
    }
    ground->view->count = ground->node_count;
    return 0;
}

static bool any_accident(const playground *ground)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        int status = ground->nodes[i].end_status;
        bool asked = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM : WEXITSTATUS(status) == 0;
        if (ground->nodes[i].ever_started && !asked) return true;
    }
    return false;
}

// Founds, starts, runs until told to end, ends. An exit code.
static int play(playground *ground)
{
    ground->signals = take_signals();
    int code = sk_playground_take_directory(ground);
    if (!code) code = sk_playground_found(ground);
    if (!code && sk_playground_listen(ground)) code = SK_EXIT_FAILED;
    if (code) {
        if (ground->temporary) sk_playground_remove_directory(ground);
        return code;
    }
    if (isatty(STDOUT_FILENO)) sk_playground_screen_open(ground);
    code = start_all(ground);
    if (!code) loop(ground);
    bool failed = hopeless(ground);
    sk_playground_screen_close(ground);
    sk_playground_end_nodes(ground);
    sk_links_close(ground->links);
    unlinkat(ground->folder, "control", 0);
    if (failed) {
        fprintf(stderr, "skein playground: every node ended before the cluster served\n");
        sk_playground_show_log(ground, &ground->nodes[0]);
        code = SK_EXIT_UNAVAILABLE;
    }
    if (any_accident(ground)) fprintf(stderr, "skein playground: logs and data stay in %s\n", ground->directory);
    else if (ground->temporary) sk_playground_remove_directory(ground);
    return code;
}

static int run_action(const sk_arguments *arguments)
{
    unsigned long number = 0;
    const char *directory = sk_cli_value(arguments, "--dir");
    const char *action = arguments->list[0];
    if (!sk_playground_is_action(action)) return sk_cli_usage(arguments->verb, "there is no action '%s'", action);
    bool all = arguments->count == 1 && strcmp(action, "heal") == 0;
    if (!all && (arguments->count != 2 || sk_cli_number(arguments->list[1], 1, SK_PLAYGROUND_NODES_MAX, &number))) {
        return sk_cli_usage(arguments->verb, "%s wants the number of one node", action);
    }
    if (!directory) return sk_cli_usage(arguments->verb, "%s wants --dir: the directory of the running playground", action);
    return sk_playground_send(directory, action, number);
}

static int run(const sk_arguments *arguments)
{
    // Words that begin with a dash came behind "--": they are for skeind.
    if (arguments->count && arguments->list[0][0] != '-') return run_action(arguments);
    playground *ground = sk_alloc_zeroed(sizeof *ground);
    ground->view = sk_alloc_zeroed(sizeof *ground->view);
    ground->extra = arguments->list;
    ground->extra_count = arguments->count;
    ground->lock = ground->listener = ground->folder = -1;
    ground->started_at = sk_client_now();
    sk_remote_init(&ground->prober);
    int code = arguments->count > 32 ? sk_cli_usage(arguments->verb, "too many words for skeind") : read_flags(arguments, ground);
    if (!code) code = play(ground);
    for (uint32_t i = 0; i < SK_PLAYGROUND_NODES_MAX; i++) {
        if (ground->nodes[i].asker.view) sk_asker_deinit(&ground->nodes[i].asker);
    }
    sk_remote_deinit(&ground->prober);
    sk_free(ground->view);
    sk_free(ground);
    return code;
}

const sk_verb sk_verb_playground = {
    .name = "playground",
    .usage = "[--nodes N] [--dir D] [--base-port P] [--restart S] | kill|stop|start|pause|resume|cut|heal N --dir D",
    .summary = "runs a cluster on this machine: kill nodes and watch",
    .help = "Founds and starts N nodes, real processes with real files, and shows how they are until Ctrl-C.\n"
            "Node i answers Redis clients on port P+i and keeps its data in D/node-i (its process id in D/node-i/pid, its\n"
            "log in D/node-i.log).\n"
            "\n"
            "  skein playground --dir /tmp/p        in one terminal\n"
            "  skein playground kill 2 --dir /tmp/p in another: kill -9; stop is gentle; start brings it back;\n"
            "                                       pause and resume stop and continue its process\n"
            "  skein playground cut 2 --dir /tmp/p  its links to all other nodes: nothing passes, as with a pulled cable; clients\n"
            "                                       still reach it. heal 2, or heal for all, plugs it in again\n"
            "\n"
            "The same in its own terminal: k kill, t stop, s start, p pause, r resume, c cut, h heal, then the node's number.\n"
            "To be cut, links pass through this process; with --direct they do not (for measurements).\n"
            "\n"
            "When the output is no terminal it prints `ready ADDRESS...` once a write has succeeded, then a line for every\n"
            "change: `node 2 died (signal 9)`, `node 2 started pid 4711`, `leader 3 term 7`. What stands behind -- goes to\n"
            "every skeind.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
