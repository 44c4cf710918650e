// skeind: reads what it is told, opens the directory, founds it or checks whose it is, and lets the host run
// the node.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/version.h"
#include "daemon/directory.h"
#include "daemon/found.h"
#include "daemon/node_config.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "host/address.h"
#include "host/clock.h"
#include "host/disk.h"
#include "host/host.h"
#include "host/memory.h"
#include "host/stderr_sink.h"
#include "node/node.h"

enum { DESCRIPTORS_SPARE = 64, REFUSAL_MAX = 640 };

typedef struct daemon_state {
    sk_options options;
    sk_stderr_sink sink;
    sk_log_sink *log;
    sk_host *host;
    sk_host_disk *disk;
    sk_disk *face; // its
    sk_node *node; // NULL: nobody founded this directory
    sk_identity identity;
    sk_ns started;
    char problem[SK_PROBLEM_MAX];
    char refusal[REFUSAL_MAX];
} daemon_state;

// One plain line for whoever started it; what went wrong while running is in the log instead.
static int complain(int status, const char *problem)
{
    fprintf(stderr, "skeind: %s\n", problem);
    return status;
}

static int status_of(int error)
{
    switch (error) {
    case SK_EIO:
    case SK_ENOSPC:
        return SK_EXIT_DISK;
    case SK_ELOCKED:
        return SK_EXIT_BUSY;
    case SK_EFOREIGN:
    case SK_EVERSION:
    case SK_ECORRUPT:
    case SK_EEXIST:
    case SK_EINVAL:
        return SK_EXIT_CONFIG;
    case SK_EBUSY:
        return SK_EXIT_UNAVAILABLE;
    default:
        return SK_EXIT_FAILED;
    }
}

// ---- The directory and whose it is ----

static void before_completions(void *context)
{
    sk_host_input(context);
}

// The loop, and behind it the directory, locked. `threaded`: requests may be submitted, not only run.
static int open_directory(daemon_state *daemon, bool threaded)
{
    const char *dir = daemon->options.settings.dir;
    int status = sk_directory_prepare(dir, daemon->problem, sizeof daemon->problem);
    if (status) return complain(status, daemon->problem);
    if (threaded && sk_host_open(&daemon->host, daemon->log)) {
        return complain(SK_EXIT_FAILED, "cannot make an event loop");
    }
    uv_loop_t *loop = threaded ? sk_host_loop(daemon->host) : NULL;
    int error = sk_host_disk_open(&daemon->disk, loop, dir, daemon->problem, sizeof daemon->problem);
    if (error) return complain(status_of(error), daemon->problem);
    daemon->face = sk_host_disk_face(daemon->disk);
    if (threaded) sk_host_disk_before(daemon->disk, before_completions, daemon->host);
    return 0;
}

// A log without an identity is not an empty directory.
static bool has_log(sk_disk *disk)
{
    sk_buffer names = {0};
    sk_disk_request request = {.op = SK_DISK_LIST, .listing = &names};
    snprintf(request.name, sizeof request.name, "wal");
    bool found = sk_disk_run(disk, &request) == 0 && names.size > 0;
    sk_buffer_deinit(&names);
    return found;
}

static int found_alone(daemon_state *daemon)
{
    uint8_t random[SK_CLUSTER_ID_SIZE];
    sk_random_bytes(random, sizeof random);
    sk_found_alone(&daemon->options.settings, random, &daemon->identity);
    int error = sk_identity_found(daemon->face, &daemon->identity);
    if (error) {
        snprintf(daemon->problem, sizeof daemon->problem, "dir: cannot write the identity: %s",
                 sk_error_text(error));
        return complain(status_of(error), daemon->problem);
    }
    char id[SK_CLUSTER_TEXT_MAX];
    sk_found_format(&daemon->identity.cluster, id);
    sk_log(daemon->log, SK_LOG_INFO, "msg=\"founded a cluster of one\" cluster=%s node=%u", id,
           daemon->identity.node);
    return 0;
}

// Leaves identity.node 0 when nobody founded the directory and peers are configured.
static int establish_identity(daemon_state *daemon)
{
    const sk_settings *settings = &daemon->options.settings;
    int error = sk_identity_load(daemon->face, &daemon->identity);
    if (error == 0) {
        if (!sk_found_check(settings, &daemon->identity, daemon->problem, sizeof daemon->problem)) return 0;
        return complain(SK_EXIT_CONFIG, daemon->problem);
    }
    if (error == SK_ENOENT) {
        daemon->identity = (sk_identity){0};
        if (has_log(daemon->face)) {
            snprintf(daemon->problem, sizeof daemon->problem,
                     "dir: %s holds a log but its identity file is gone (put it back from a backup, or move "
                     "the directory away and let "
                     "the node be refilled)",
                     settings->dir);
            return complain(SK_EXIT_CONFIG, daemon->problem);
        }
        return *settings->peers ? 0 : found_alone(daemon);
    }
    snprintf(daemon->problem, sizeof daemon->problem, "dir: the identity file in %s cannot be used: %s",
             settings->dir, sk_error_text(error));
    return complain(status_of(error), daemon->problem);
}

static int run_init(daemon_state *daemon)
{
    const sk_settings *settings = &daemon->options.settings;
    sk_identity identity;
    if (sk_found_identity(settings, &identity, daemon->problem, sizeof daemon->problem)) {
        return complain(SK_EXIT_USAGE, daemon->problem);
    }
    int status = open_directory(daemon, false);
    if (status) return status;
    sk_identity there;
    int error = sk_identity_load(daemon->face, &there);
    if (error != SK_ENOENT || has_log(daemon->face)) {
        char id[SK_CLUSTER_TEXT_MAX] = "?";
        if (error == 0) sk_found_format(&there.cluster, id);
        snprintf(daemon->problem, sizeof daemon->problem,
                 "init: %s already belongs to node %u of cluster %s; nothing was changed (choose an empty "
                 "directory)",
                 settings->dir, error == 0 ? there.node : 0, id);
        return complain(SK_EXIT_FAILED, daemon->problem);
    }
    error = sk_identity_found(daemon->face, &identity);
    sk_host_disk_close(daemon->disk);
    if (error) {
        snprintf(daemon->problem, sizeof daemon->problem, "init: cannot write to %s: %s", settings->dir,
                 sk_error_text(error));
        return complain(status_of(error), daemon->problem);
    }
    char id[SK_CLUSTER_TEXT_MAX];
    sk_found_format(&identity.cluster, id);
    printf("%s is now node %u of %u of cluster %s\nnext: found the other nodes with the same peers and name, "
           "then start each with "
           "skeind --dir DIR\n",
           settings->dir, identity.node, identity.founder_count, id);
    return SK_EXIT_OK;
}

// ---- The node ----

static void node_config(const daemon_state *daemon, sk_node_config *out)
{
    const sk_settings *settings = &daemon->options.settings;
    sk_settings_node_config(settings, out);
    out->seed = sk_random_u64();
    out->resp_port = sk_host_client_port(daemon->host);
    out->process_id = (uint32_t)getpid();
    char address[SK_ADDRESS_TEXT_MAX];
    sk_address_join(settings->bind, sk_host_client_port(daemon->host), address);
    snprintf(out->client_address, sizeof out->client_address, "%.63s",
             *settings->advertise ? settings->advertise : address);
}

static int open_node(daemon_state *daemon)
{
    sk_node_config config;
    node_config(daemon, &config);
    int error =
        sk_node_open(&daemon->node, &config, &daemon->identity, sk_host_face(daemon->host), daemon->face,
                     daemon->log, sk_clock_boot(), daemon->problem, sizeof daemon->problem);
    if (error) return complain(status_of(error), daemon->problem);
    sk_host_serve(daemon->host, daemon->node);
    return 0;
}

// Said until every space serves, then once that it does.
static bool watch_readiness(void *context)
{
    daemon_state *daemon = context;
    size_t count = sk_node_space_count(daemon->node);
    for (size_t i = 0; i < count; i++) {
        if (!sk_node_space_facts(daemon->node, i, false).serving) return true;
    }
    sk_log(daemon->log, SK_LOG_INFO, "msg=\"ready\" spaces=%zu after_ms=%" PRIu64, count,
           (sk_clock_boot() - daemon->started) / SK_MS);
    sk_notify("STATUS=ready: all spaces serve\n");
    return false;
}

// ---- The process ----

static void hear_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(how, &set, NULL);
}

// Each client needs a descriptor: raises the soft limit, or lowers what is promised.
static void allow_descriptors(daemon_state *daemon)
{
    sk_settings *settings = &daemon->options.settings;
    rlim_t wanted = settings->clients_max + DESCRIPTORS_SPARE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return;
    uint64_t possible =
        limit.rlim_cur > 2 * DESCRIPTORS_SPARE ? limit.rlim_cur - DESCRIPTORS_SPARE : DESCRIPTORS_SPARE;
    sk_log(daemon->log, SK_LOG_WARN,
           "msg=\"fewer clients than clients-max: file descriptors are limited\" clients=%" PRIu64
           " wanted=%" PRIu64,
           possible, settings->clients_max);
    settings->clients_max = possible;
}

static void say_start(const daemon_state *daemon)
{
    const sk_settings *settings = &daemon->options.settings;
    char clients[SK_ADDRESS_TEXT_MAX], peers[SK_ADDRESS_TEXT_MAX] = "none",
                                       cluster[SK_CLUSTER_TEXT_MAX] = "none";
    sk_address_join(settings->bind, sk_host_client_port(daemon->host), clients);
    if (sk_host_peer_port(daemon->host))
        sk_address_join(settings->peer_bind, sk_host_peer_port(daemon->host), peers);
    if (daemon->identity.node) sk_found_format(&daemon->identity.cluster, cluster);
    sk_log(
        daemon->log, SK_LOG_INFO,
        "msg=\"skeind starts\" version=%s node=%u cluster=%s founders=%u clients=%s peers=%s dir=%s pid=%ld",
        SK_VERSION, daemon->identity.node, cluster, daemon->identity.founder_count, clients, peers,
        settings->dir, (long)getpid());
    sk_log(daemon->log, SK_LOG_INFO,
           "msg=\"bounds\" space_bytes=%" PRIu64 " clients=%" PRIu64 " request_bytes=%" PRIu64
           " client_output_bytes=%" PRIu64 " forward_bytes=%" PRIu64 " log_window_bytes=%" PRIu64
           " peer_output_bytes=%" PRIu64 " disk_log_bytes=%" PRIu64,
           settings->space_memory_max, settings->clients_max, settings->request_size_max,
           settings->client_output_max, settings->forward_bytes_max, settings->log_memory_max,
           settings->peer_output_max, settings->log_size_max);
    if (!sk_address_is_loopback(settings->bind) || !sk_address_is_loopback(settings->peer_bind)) {
        sk_log(daemon->log, SK_LOG_WARN,
               "msg=\"open to the network without TLS or a password, as allow-open says\"");
    }
}

static int listen_ports(daemon_state *daemon)
{
    const sk_settings *settings = &daemon->options.settings;
    sk_host_config config = {.client_bind = settings->bind,
                             .client_port = (uint16_t)settings->port,
                             .peer_bind = settings->peer_bind,
                             .peer_port = (uint16_t)settings->peer_port,
                             .alone = daemon->identity.founder_count <= 1,
                             .self = daemon->identity.node,
                             .clients_max = (uint32_t)settings->clients_max,
                             .peer_output_max = settings->peer_output_max,
                             .stop_timeout = settings->stop_timeout};
    config.peer_count = sk_found_peers(settings, &daemon->identity, config.peers);
    int error = sk_host_listen(daemon->host, &config, daemon->problem, sizeof daemon->problem);
    return error ? complain(status_of(error), daemon->problem) : 0;
}

static void refuse_all(daemon_state *daemon)
{
    const char *dir = daemon->options.settings.dir;
    snprintf(daemon->refusal, sizeof daemon->refusal,
             "CLUSTERDOWN this node has no identity in %s: run 'skeind init --dir %s --node N --peers LIST "
             "--cluster-name NAME' on it, as on "
             "the other founders, and start it again",
             dir, dir);
    sk_log(daemon->log, SK_LOG_WARN,
           "msg=\"no identity: serving nothing and never voting\" dir=%s hint=\"stop it, run skeind init, "
           "start it again\"",
           dir);
    sk_host_refuse(daemon->host, daemon->refusal);
}

static int serve(daemon_state *daemon)
{
    int status = 0;
    if (daemon->identity.node) {
        status = open_node(daemon);
        if (!status) sk_host_set_watch(daemon->host, watch_readiness, daemon);
    } else {
        refuse_all(daemon);
    }
    if (status) return status;
    sk_directory_write_pid(daemon->options.settings.dir);
    sk_notify(daemon->node ? "READY=1\nSTATUS=running\n" : "READY=1\nSTATUS=no identity: run skeind init\n");
    sk_host_run(daemon->host);
    sk_notify("STOPPING=1\n");
    bool clean = sk_host_stopped_clean(daemon->host);
    sk_directory_remove_pid(daemon->options.settings.dir);
    sk_log(daemon->log, SK_LOG_INFO, "msg=\"stopped\" clean=%s", clean ? "yes" : "no");
    // A disk that does not answer must not keep the process: what it was told is in the log or was never promised.
    if (!clean) _exit(SK_EXIT_OK);
    sk_host_disk_close(daemon->disk);
    if (daemon->node) sk_node_close(daemon->node);
    if (sk_host_looking_up(daemon->host)) _exit(SK_EXIT_OK);
    sk_host_close(daemon->host);
    return SK_EXIT_OK;
}

static int run_daemon(daemon_state *daemon)
{
    allow_descriptors(daemon);
    int status = open_directory(daemon, true);
    if (status) return status;
    // From here on a stop is heard, if only when the loop runs: recovery is not cut short.
    if (sk_host_watch_signals(daemon->host)) return complain(SK_EXIT_FAILED, "cannot wait for signals");
    hear_signals(SIG_UNBLOCK);
    // Whose directory it is decides whether there are peers, and so what is listened on.
    status = establish_identity(daemon);
    if (!status) status = listen_ports(daemon);
    if (status) return status;
    say_start(daemon);
    return serve(daemon);
}

static int print_buffer(sk_buffer *text)
{
    bool written = fwrite(text->data, 1, text->size, stdout) == text->size && fflush(stdout) == 0;
    sk_buffer_deinit(text);
    return written ? SK_EXIT_OK : SK_EXIT_FAILED;
}

int main(int argc, char **argv, char **environment)
{
    static daemon_state state;
    daemon_state *daemon = &state;
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    hear_signals(SIG_BLOCK); // until somebody listens
    sk_host_own_memory();
    // The loop's thread pool only looks up peers' names: one thread is enough, started on first use.
    setenv("UV_THREADPOOL_SIZE", "1", 0);
    daemon->started = sk_clock_boot();
    sk_buffer text = {0};
    int status =
        sk_options_load(&daemon->options, argc, argv, environment, daemon->problem, sizeof daemon->problem);
    if (status) {
        status = complain(status, daemon->problem);
    } else if (daemon->options.verb == SK_VERB_HELP) {
        sk_options_help(&text);
        status = print_buffer(&text);
    } else if (daemon->options.verb == SK_VERB_VERSION) {
        sk_buffer_append_text(&text, "skeind " SK_VERSION "\n");
        status = print_buffer(&text);
    } else if (daemon->options.verb == SK_VERB_CHECK_CONFIG) {
        sk_options_print(&daemon->options, &text);
        status = print_buffer(&text);
    } else {
        sk_stderr_sink_init(&daemon->sink, STDERR_FILENO, daemon->options.settings.log_level,
                            getenv("JOURNAL_STREAM") != NULL);
        daemon->log = &daemon->sink.base;
        status = daemon->options.verb == SK_VERB_INIT ? run_init(daemon) : run_daemon(daemon);
    }
    return status;
}
