// What the command line of `skein-sim` asks for.
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "sim/fleet.h"
#include "sim/overrides.h"
#include "sim/tell.h"
#include "sim/trace_tla.h"

enum sk_command { SK_COMMAND_RUN, SK_COMMAND_TRACE, SK_COMMAND_SHRINK };

typedef struct sk_options {
    enum sk_command command;
    sk_overrides overrides;
    sk_window window;
    const char *svg_path;
    const char *before[2];   // two events; NULL: not asked
    bool shrink;             // a run of --seeds that fails
    uint32_t shrink_seconds; // of processor time, about
    sk_fleet_options fleet;
    bool one, trace;
    const char *protocol;
    const char *preset; // as it was written; NULL: none
    const char *json;   // append the summary here; NULL: nowhere
    const char *file;
    const char *tla_path;
    uint32_t tla_lines;
    enum sk_trace_tla_lie tla_lie;
} sk_options;

// Prints why and the usage, and ends the process with status 2, when it makes no sense; with 0 after --help.
sk_options sk_options_parse(int argc, char **argv);
// A line of a file of seeds: the seed, and what it needs, over the options given. Alters the line; `preset` points into it.
void sk_options_seed_line(sk_options *options, char *line);
_Noreturn void sk_options_fail(const char *what, const char *argument);

#endif
