// The playground: a real cluster on one machine, its nodes started, watched and ended by one process.
//
//   verb --> main loop (poll) --+-- nodes    processes: found, start, kill, reap        playground_nodes.c
//                               +-- askers   how is each node, once a second            asker.c
//                               +-- control  `skein playground kill 2` from elsewhere   playground_control.c
//                               +-- links    what passes on the nodes' links, or cuts   links.c (a thread: a stopped terminal stops no link)
//                               +-- screen   what people see, keys                      playground_screen.c
//
// Invariants: a node is running exactly if pid > 0; paused only when running. Every process started here is ended by its pid
// before the playground ends, and by the kernel if the playground is killed.
#ifndef SK_CLI_PLAYGROUND_H
#define SK_CLI_PLAYGROUND_H

#include <sys/types.h>
#include <termios.h>
#include "cli/asker.h"
#include "cli/cli.h"
#include "cli/links.h"

enum {
    SK_PLAYGROUND_NODES_MAX = 9,
    SK_PLAYGROUND_PATH_MAX = 512,
    SK_PLAYGROUND_CLIENTS_MAX = 8,
    SK_PLAYGROUND_EVENTS_MAX = 10,
    SK_PLAYGROUND_EVENT_SIZE = 120,
};

typedef struct playground_node {
    uint32_t number;
    pid_t pid; // 0: not running
    bool paused;
    bool cut; // from all others; clients still reach it
    bool ever_started;
    uint16_t port, peer_port;
    int end_status;   // of waitpid, once it has ended
    sk_ns restart_at; // 0: not by itself
    sk_asker asker;
} playground_node;

// Somebody who has connected to the control socket: sends one line, gets lines, is closed.
typedef struct playground_client {
    int socket; // -1: free
    char line[64];
    size_t size;
    playground_node *awaited; // answered once this node has ended
} playground_client;

typedef struct playground {
    // what was asked for
    uint32_t node_count;
    uint16_t port_base;
    char directory[SK_PLAYGROUND_PATH_MAX];
    bool temporary; // directory was made here and goes away at the end
    sk_ns restart_after; // 0: dead nodes stay dead
    sk_ns interval;      // between looks at the nodes; 0: none after ready
    char skeind[SK_PLAYGROUND_PATH_MAX];
    bool direct;     // nodes dial each other without a relay: nothing can be cut
    sk_links *links; // NULL: direct
    char **extra; // more arguments for every skeind
    int extra_count;
    char cluster_id[33];

    // the nodes and what they said last
    playground_node nodes[SK_PLAYGROUND_NODES_MAX];
    sk_cluster_view *view;

    // readiness
    bool ready;
    bool written;         // a write has succeeded
    sk_ns written_at;
    sk_remote prober; // sends that write
    sk_ns probe_deadline; // 0: none under way
    uint32_t leader;      // announced last
    uint64_t term;

    int signals;  // signalfd
    int lock;     // the directory's, held while running
    int listener; // control socket
    int folder;   // of the directory: a socket's path must be short, /proc/self/fd/N/control is
    playground_client clients[SK_PLAYGROUND_CLIENTS_MAX];

    // the screen
    bool screen;
    bool colour;
    char key; // a letter that waits for its digit
    struct termios terminal; // as it was before
    sk_ns started_at;
    char events[SK_PLAYGROUND_EVENTS_MAX][SK_PLAYGROUND_EVENT_SIZE];
    size_t event_count;

    bool ending;
    int exit_code;
} playground;

// One line for whoever watches: printed, or added to the screen's list.
void sk_playground_say(playground *ground, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- Nodes ----

// Where skeind is: beside this program, else in PATH. 0 or SK_ENOENT.
int sk_playground_find_skeind(char *out, size_t size);
// Takes the directory: makes it if need be, locks it, reads or writes what it was founded with. 0 or an exit code, after a complaint.
int sk_playground_take_directory(playground *ground);
// Ports are free, every node's directory is founded. 0 or an exit code, after a complaint.
int sk_playground_found(playground *ground);
int sk_playground_start_node(playground *ground, playground_node *node); // 0 or SK_EFAILED
// Collects ended processes.
void sk_playground_reap(playground *ground);
// "signal 9" or "exit 78".
const char *sk_playground_end_text(const playground_node *node, char *out, size_t size);
// Ends all nodes and waits for them: gently first, after a limit or a second signal by force.
void sk_playground_end_nodes(playground *ground);
// Shows the end of a node's log on stderr.
void sk_playground_show_log(const playground *ground, const playground_node *node);
void sk_playground_remove_directory(const playground *ground);

// kill, stop, start, pause, resume, cut or heal (without a node: all). 0, or SK_EINVAL with `why` set (a text for people, SK_PLAYGROUND_EVENT_SIZE bytes).
int sk_playground_act(playground *ground, const char *action, playground_node *node, char *why);
bool sk_playground_is_action(const char *word);
// "cut off", "alone" (all others are), or "".
const char *sk_playground_cut_text(const playground *ground, const playground_node *node);

// ---- Control ----

int sk_playground_listen(playground *ground); // 0 or SK_EFAILED
void sk_playground_accept(playground *ground);
void sk_playground_client_ready(playground *ground, playground_client *client);
// Answers those who waited for this node's end.
void sk_playground_clients_node_ended(playground *ground, playground_node *node);
// The other side: sends one line to the playground that runs in `directory`, prints its answer. An exit code.
int sk_playground_send(const char *directory, const char *action, unsigned long number);

// ---- Screen ----

void sk_playground_screen_open(playground *ground);
void sk_playground_screen_close(playground *ground);
void sk_playground_screen_draw(playground *ground);
void sk_playground_screen_key(playground *ground, char key);

#endif
