// What a person sees: one line a node, redrawn in place, and the last events. Fits 80 columns; says everything in words,
// so that it reads the same without colours.
#include "cli/playground.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RED    "\x1b[31m"
#define GREEN  "\x1b[32m"
#define YELLOW "\x1b[33m"
#define BOLD   "\x1b[1m"
#define DIM    "\x1b[2m"
#define PLAIN  "\x1b[0m"
#define LINE_END "\x1b[K\n" // whatever stood there before is gone

void sk_playground_screen_open(playground *ground)
{
    const char *no_colour = getenv("NO_COLOR");
    ground->colour = !no_colour || !*no_colour;
    ground->screen = tcgetattr(STDIN_FILENO, &ground->terminal) == 0;
    if (ground->screen) {
        struct termios keys = ground->terminal;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    ground->screen = true;
    fputs("\x1b[?1049h\x1b[?25l\x1b[2J", stdout); // the other screen, no cursor, empty
    fflush(stdout);
}

void sk_playground_screen_close(playground *ground)
{
    if (!ground->screen) return;
    ground->screen = false;
    fputs("\x1b[?25h\x1b[?1049l", stdout);
    fflush(stdout);
    if (isatty(STDIN_FILENO)) tcsetattr(STDIN_FILENO, TCSANOW, &ground->terminal);
}

static const char *colour(const playground *ground, const char *code)
{
    return ground->colour ? code : "";
}

static void draw_node(const playground *ground, const playground_node *node)
{
    const sk_node_view *view = &ground->view->nodes[node->number - 1];
    const sk_space_view *space = sk_view_default_space(view);
    char row[256];
    const char *code = "";
    if (node->pid == 0) {
        char end[32];
        snprintf(row, sizeof row, "%4u  %s (%s)", node->number, node->ever_started ? "dead" : "not started",
                 sk_playground_end_text(node, end, sizeof end));
        code = RED;
    } else if (node->paused) {
        snprintf(row, sizeof row, "%4u  paused (its process is stopped, its connections stay open)", node->number);
        code = YELLOW;
    } else {
        sk_view_row(ground->view, view, row, sizeof row);
        const char *cut = sk_playground_cut_text(ground, node);
        if (*cut) { // in the column of its round trip, which it has none
            char part[80];
            snprintf(part, sizeof part, "%-44.44s%-30s", row, cut);
            snprintf(row, sizeof row, "%s", part);
        }
        if (!space || !space->serving) code = YELLOW;
        else if (strcmp(space->role, "leader") == 0) code = GREEN BOLD;
    }
    printf("%s%-74.74s%s %5u" LINE_END, colour(ground, code), row, colour(ground, PLAIN), node->port);
}

void sk_playground_screen_draw(playground *ground)
{
    if (!ground->screen) return;
    struct winsize size = {0};
    unsigned rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
    uint64_t seconds = (sk_client_now() - ground->started_at) / SK_S;
    printf("\x1b[H%sskein playground%s  %u nodes, up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 LINE_END, colour(ground, BOLD),
           colour(ground, PLAIN), ground->node_count, seconds / 3600, seconds / 60 % 60, seconds % 60);
    printf("%.80s" LINE_END LINE_END, ground->directory);
    printf("%s%s    port%s" LINE_END, colour(ground, DIM), sk_view_heading, colour(ground, PLAIN));
    for (uint32_t i = 0; i < ground->node_count; i++) draw_node(ground, &ground->nodes[i]);
    const sk_node_view *leader = sk_view_leader(ground->view);
    if (leader) {
        printf(LINE_END "node %u leads, term %" PRIu64 ", %" PRIu64 " keys. Try: redis-cli -p %u set a 1" LINE_END, leader->id,
               sk_view_default_space(leader)->epoch, sk_view_default_space(leader)->keys, ground->nodes[0].port);
    } else {
        printf(LINE_END "no leader: writes are refused until a majority has elected one" LINE_END);
    }
    printf("%sk kill -9  t stop  s start  p pause  r resume  c cut  h heal, then a number; q quits%s" LINE_END LINE_END,
           colour(ground, DIM), colour(ground, PLAIN));
    unsigned used = 9 + ground->node_count;
    unsigned room = rows > used ? rows - used : 0;
    size_t shown = ground->event_count < room ? ground->event_count : room;
    for (size_t i = ground->event_count - shown; i < ground->event_count; i++) printf("%.80s" LINE_END, ground->events[i]);
    if (ground->key) printf("which node? (1 to %u)", ground->node_count);
    fputs("\x1b[J", stdout);
    fflush(stdout);
}

void sk_playground_screen_key(playground *ground, char key)
{
    static const struct {
        char key;
        const char *action;
    } keys[] = {{'k', "kill"}, {'t', "stop"}, {'s', "start"}, {'p', "pause"}, {'r', "resume"}, {'c', "cut"}, {'h', "heal"}};
    if (key == 'q') {
        ground->ending = true;
        return;
    }
    if (ground->key && key > '0' && key <= (char)('0' + ground->node_count)) {
        char why[SK_PLAYGROUND_EVENT_SIZE];
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            if (keys[i].key == ground->key &&
                sk_playground_act(ground, keys[i].action, &ground->nodes[key - '1'], why)) {
                sk_playground_say(ground, "%s", why);
            }
        }
    }
    ground->key = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].key == key) ground->key = key;
    }
}
