#include "cli/playground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { END_LIMIT_S = 10, ARGUMENTS_MAX = 64, PEER_PORT_DISTANCE = 100, LOG_TAIL_SIZE = 2000 };

static int can_run(const char *path)
{
    struct stat facts;
    return access(path, X_OK) == 0 && stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

int sk_playground_find_skeind(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length > 0) {
        out[length] = 0;
        char *slash = strrchr(out, '/');
        if (slash && (size_t)(slash - out) + sizeof "/skeind" <= size) {
            memcpy(slash, "/skeind", sizeof "/skeind");
            if (can_run(out)) return 0;
        }
    }
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t part = strcspn(path, ":");
        snprintf(out, size, "%.*s/skeind", (int)part, path);
        if (can_run(out)) return 0;
        path += part + (path[part] == ':');
    }
    return SK_ENOENT;
}

static void new_cluster_id(char out[33])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) abort();
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

// The file "playground" holds the lock, and one line: what the directory was founded with.
static int read_or_write_founding(playground *ground, bool nodes_given)
{
    char text[128] = {0};
    unsigned nodes = 0;
    ssize_t size = pread(ground->lock, text, sizeof text - 1, 0);
    if (size > 0) {
        if (sscanf(text, "nodes %u cluster %32[0-9a-f]", &nodes, ground->cluster_id) != 2 || nodes < 1 ||
            nodes > SK_PLAYGROUND_NODES_MAX || strlen(ground->cluster_id) != 32) {
            fprintf(stderr, "skein playground: %s/playground cannot be read; take another directory\n", ground->directory);
            return SK_EXIT_FAILED;
        }
        if (nodes_given && nodes != ground->node_count) {
            fprintf(stderr, "skein playground: %s was founded with %u nodes\n", ground->directory, nodes);
            return SK_EXIT_USAGE;
        }
        ground->node_count = nodes;
        return 0;
    }
    new_cluster_id(ground->cluster_id);
    int length = snprintf(text, sizeof text, "nodes %u cluster %s\n", ground->node_count, ground->cluster_id);
    if (pwrite(ground->lock, text, (size_t)length, 0) != length || fsync(ground->lock) != 0) {
        fprintf(stderr, "skein playground: cannot write into %s: %s\n", ground->directory, strerror(errno));
        return SK_EXIT_CANNOT_CREATE;
    }
    return 0;
}

int sk_playground_take_directory(playground *ground)
{
    bool nodes_given = ground->node_count != 0;
    if (!nodes_given) ground->node_count = 3;
    if (!ground->directory[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(ground->directory, sizeof ground->directory, "%s/skein-playground.XXXXXX", base && *base ? base : "/tmp");
        ground->temporary = mkdtemp(ground->directory) != NULL;
        if (!ground->temporary) {
            fprintf(stderr, "skein playground: cannot make a temporary directory: %s\n", strerror(errno));
            return SK_EXIT_CANNOT_CREATE;
        }
    } else {
        if (mkdir(ground->directory, 0700) != 0 && errno != EEXIST) {
            fprintf(stderr, "skein playground: cannot make %s: %s\n", ground->directory, strerror(errno));
            return SK_EXIT_CANNOT_CREATE;
        }
        // Nodes are started with absolute paths: the log then says where things are wherever it is read.
        char *whole = realpath(ground->directory, NULL);
        if (whole && strlen(whole) < sizeof ground->directory) snprintf(ground->directory, sizeof ground->directory, "%s", whole);
        free(whole);
    }
    ground->folder = open(ground->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ground->lock = ground->folder < 0 ? -1 : openat(ground->folder, "playground", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (ground->lock < 0) {
        fprintf(stderr, "skein playground: cannot use %s: %s\n", ground->directory, strerror(errno));
        return SK_EXIT_CANNOT_CREATE;
    }
    if (flock(ground->lock, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "skein playground: a playground runs in %s already\n", ground->directory);
        return SK_EXIT_FAILED;
    }
    return read_or_write_founding(ground, nodes_given);
}

// Binds a port of the loopback address and lets it go: the port (0 asks for any free one), or 0 when it is taken.
static uint16_t try_port(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    uint16_t found = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        found = ntohs(address.sin_port);
    }
    if (fd >= 0) close(fd);
    return found;
}

static int choose_ports(playground *ground)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *node = &ground->nodes[i];
        node->number = i + 1;
        node->port = (uint16_t)(ground->port_base + node->number);
        node->peer_port = try_port((uint16_t)(node->port + PEER_PORT_DISTANCE));
        if (!node->peer_port) node->peer_port = try_port(0);
        if (!try_port(node->port)) {
            fprintf(stderr, "skein playground: port %u is taken; choose others with --base-port\n", node->port);
            return SK_EXIT_UNAVAILABLE;
        }
    }
    return 0;
}

// "1@127.0.0.1:7501,2@...", as seen from a node: its own port, and where it dials the others.
static void peers_text(const playground *ground, const playground_node *from, char *out, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < ground->node_count; i++) {
        const playground_node *to = &ground->nodes[i];
        bool relayed = ground->links && from != to;
        int added = snprintf(out + used, size - used, "%s%u@127.0.0.1:%u", i ? "," : "", to->number,
                             relayed ? sk_links_port(ground->links, from->number, to->number) : to->peer_port);
        SK_ASSERT(added > 0 && used + (size_t)added < size);
        used += (size_t)added;
    }
}

static void log_name(const playground_node *node, char out[32])
{
    snprintf(out, 32, "node-%u.log", node->number);
}

// A child that dies with its parent, in a process group of its own (Ctrl-C is for the playground, which ends nodes in
// order), with its output at the end of the node's log. The pid or -1.
static pid_t spawn(const playground *ground, const playground_node *node, char *const *argv)
{
    char name[32];
    log_name(node, name);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(SK_EXIT_SOFTWARE);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int input = open("/dev/null", O_RDONLY);
    int log = openat(ground->folder, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (input < 0 || log < 0) _exit(SK_EXIT_SOFTWARE);
    dup2(input, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(input);
    close(log);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

typedef struct command_line {
    char *argv[ARGUMENTS_MAX];
    int argc;
    char directory[SK_PLAYGROUND_PATH_MAX + 32];
    char number[16], port[8], peer_port[8], peers[SK_PLAYGROUND_NODES_MAX * 32];
} command_line;

static void add(command_line *line, const char *text)
{
    SK_ASSERT(line->argc + 1 < ARGUMENTS_MAX);
    line->argv[line->argc++] = (char *)(uintptr_t)text; // exec's type; nobody writes
    line->argv[line->argc] = NULL;
}

static void add_common(command_line *line, const playground *ground, const playground_node *node)
{
    snprintf(line->directory, sizeof line->directory, "%s/node-%u", ground->directory, node->number);
    snprintf(line->number, sizeof line->number, "%u", node->number);
    peers_text(ground, node, line->peers, sizeof line->peers);
    add(line, "--dir");
    add(line, line->directory);
    add(line, "--node");
    add(line, line->number);
    add(line, "--peers");
    add(line, line->peers);
}

static int found_node(const playground *ground, playground_node *node)
{
    command_line line = {0};
    add(&line, ground->skeind);
    add(&line, "init");
    add_common(&line, ground, node);
    char identity[SK_PLAYGROUND_PATH_MAX + 64];
    snprintf(identity, sizeof identity, "%s/identity", line.directory);
    if (access(identity, F_OK) == 0) return 0;
    add(&line, "--cluster-id");
    add(&line, ground->cluster_id);
    pid_t pid = spawn(ground, node, line.argv);
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    fprintf(stderr, "skein playground: founding node %u failed\n", node->number);
    sk_playground_show_log(ground, node);
    return SK_EXIT_FAILED;
}

int sk_playground_found(playground *ground)
{
    int code = choose_ports(ground);
    if (!code && !ground->direct) {
        uint16_t ports[SK_PLAYGROUND_NODES_MAX];
        for (uint32_t i = 0; i < ground->node_count; i++) ports[i] = ground->nodes[i].peer_port;
        ground->links = sk_links_open(ground->node_count, ports);
        if (!ground->links) code = SK_EXIT_UNAVAILABLE;
    }
    for (uint32_t i = 0; !code && i < ground->node_count; i++) code = found_node(ground, &ground->nodes[i]);
    return code;
}

int sk_playground_start_node(playground *ground, playground_node *node)
{
    SK_ASSERT(node->pid == 0);
    command_line line = {0};
    add(&line, ground->skeind);
    add_common(&line, ground, node);
    snprintf(line.port, sizeof line.port, "%u", node->port);
    snprintf(line.peer_port, sizeof line.peer_port, "%u", node->peer_port);
    add(&line, "--port");
    add(&line, line.port);
    add(&line, "--peer-port");
    add(&line, line.peer_port);
    for (int i = 0; i < ground->extra_count; i++) add(&line, ground->extra[i]);
    pid_t pid = spawn(ground, node, line.argv);
    if (pid < 0) return SK_EFAILED;
    node->pid = pid;
    node->paused = false;
    node->restart_at = 0;
    if (ground->ready) sk_playground_say(ground, "node %u started pid %d", node->number, (int)pid);
    node->ever_started = true;
    return 0;
}

const char *sk_playground_end_text(const playground_node *node, char *out, size_t size)
{
    if (WIFSIGNALED(node->end_status)) snprintf(out, size, "signal %d", WTERMSIG(node->end_status));
    else snprintf(out, size, "exit %d", WEXITSTATUS(node->end_status));
    return out;
}

void sk_playground_reap(playground *ground)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *node = &ground->nodes[i];
        int status = 0;
        if (node->pid == 0 || waitpid(node->pid, &status, WNOHANG) != node->pid) continue;
        node->pid = 0;
        node->paused = false;
        node->end_status = status;
        char text[32];
        sk_playground_end_text(node, text, sizeof text);
        char why[64];
        snprintf(why, sizeof why, "dead (%s)", text);
        sk_asker_reset(&node->asker, why);
        // Whoever stopped it wants it stopped (exit 0; the signal itself, if it came before the daemon listened to it); all
        // else counts as an accident.
        bool stopped = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGTERM;
        if (ground->restart_after && !stopped && !ground->ending) node->restart_at = sk_client_now() + ground->restart_after;
        if (!ground->ending && stopped) sk_playground_say(ground, "node %u stopped", node->number);
        else if (!ground->ending) sk_playground_say(ground, "node %u died (%s)", node->number, text);
        sk_playground_clients_node_ended(ground, node);
    }
}

static uint32_t running(const playground *ground)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ground->node_count; i++) count += ground->nodes[i].pid != 0;
    return count;
}

static void signal_all(playground *ground, int number)
{
    for (uint32_t i = 0; i < ground->node_count; i++) {
        if (ground->nodes[i].pid) kill(ground->nodes[i].pid, number);
    }
}

void sk_playground_end_nodes(playground *ground)
{
    ground->ending = true;
    signal_all(ground, SIGTERM);
    signal_all(ground, SIGCONT);
    sk_ns limit = sk_client_now() + END_LIMIT_S * SK_S;
    bool forced = false;
    for (;;) {
        sk_playground_reap(ground);
        if (running(ground) == 0) return;
        sk_ns now = sk_client_now();
        if (now >= limit && !forced) {
            signal_all(ground, SIGKILL);
            forced = true;
        }
        struct pollfd item = {.fd = ground->signals, .events = POLLIN};
        poll(&item, 1, forced || now >= limit ? -1 : (int)((limit - now) / SK_MS) + 1);
        struct signalfd_siginfo info;
        while (read(ground->signals, &info, sizeof info) == (ssize_t)sizeof info) {
            if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGWINCH) limit = 0; // asked twice
        }
    }
}

void sk_playground_show_log(const playground *ground, const playground_node *node)
{
    char name[32], text[LOG_TAIL_SIZE + 1];
    log_name(node, name);
    int fd = openat(ground->folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t got = pread(fd, text, LOG_TAIL_SIZE, size > LOG_TAIL_SIZE ? size - LOG_TAIL_SIZE : 0);
    close(fd);
    if (got <= 0) return;
    text[got] = 0;
    fprintf(stderr, "the last of %s/%s:\n%s", ground->directory, name, text);
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    return remove(path);
}

void sk_playground_remove_directory(const playground *ground)
{
    nftw(ground->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// ---- What one may do to a node ----

const char *sk_playground_cut_text(const playground *ground, const playground_node *node)
{
    if (node->cut) return "cut off";
    for (uint32_t i = 0; i < ground->node_count; i++) {
        if (&ground->nodes[i] != node && !ground->nodes[i].cut) return "";
    }
    return ground->node_count > 1 ? "alone" : "";
}

static bool is_cutting(const char *action)
{
    return strcmp(action, "cut") == 0 || strcmp(action, "heal") == 0;
}

static int cut_or_heal(playground *ground, bool cut, playground_node *node, char *why)
{
    if (!ground->links) {
        snprintf(why, SK_PLAYGROUND_EVENT_SIZE, "this playground was started with --direct: its links cannot be cut");
        return SK_EINVAL;
    }
    uint32_t mask = 0;
    for (uint32_t i = 0; i < ground->node_count; i++) {
        playground_node *at = &ground->nodes[i];
        if (!node || at == node) {
            if (at->cut != cut) sk_playground_say(ground, "node %u %s", at->number, cut ? "cut off" : "healed");
            at->cut = cut;
        }
        mask |= (uint32_t)at->cut << i;
    }
    sk_links_cut(ground->links, mask);
    return 0;
}

static const struct {
    const char *name;
    int signal; // 0: start
    bool alive; // wants it running
} actions[] = {
    {"kill", SIGKILL, true}, {"stop", SIGTERM, true},   {"start", 0, false},
    {"pause", SIGSTOP, true}, {"resume", SIGCONT, true},
};

bool sk_playground_is_action(const char *word)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, word) == 0) return true;
    }
    return is_cutting(word);
}

int sk_playground_act(playground *ground, const char *action, playground_node *node, char *why)
{
    if (is_cutting(action)) return cut_or_heal(ground, strcmp(action, "cut") == 0, node, why);
    SK_ASSERT(node);
    size_t i = 0;
    while (i < sizeof actions / sizeof actions[0] && strcmp(actions[i].name, action) != 0) i++;
    if (i == sizeof actions / sizeof actions[0]) {
        snprintf(why, SK_PLAYGROUND_EVENT_SIZE, "there is no action of that name");
        return SK_EINVAL;
    }
    if (actions[i].alive != (node->pid != 0)) {
        snprintf(why, SK_PLAYGROUND_EVENT_SIZE, "node %u is %s", node->number, node->pid ? "running" : "not running");
        return SK_EINVAL;
    }
    if (actions[i].signal == 0) {
        if (sk_playground_start_node(ground, node) == 0) return 0;
        snprintf(why, SK_PLAYGROUND_EVENT_SIZE, "cannot start a process");
        return SK_EINVAL;
    }
    kill(node->pid, actions[i].signal);
    if (actions[i].signal == SIGTERM) kill(node->pid, SIGCONT);
    bool pausing = actions[i].signal == SIGSTOP;
    if (pausing || actions[i].signal == SIGCONT) {
        if (node->paused != pausing) sk_playground_say(ground, "node %u %s", node->number, pausing ? "paused" : "resumed");
        node->paused = pausing;
    }
    return 0;
}
