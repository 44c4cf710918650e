// `skein-sim trace` and `skein-sim shrink`: see --help.
#ifndef SIM_COMMAND_H
#define SIM_COMMAND_H

#include "sim/options.h"

// Both return the process's exit status.
int sk_command_trace(const sk_options *options);
int sk_command_shrink(const sk_options *options, uint64_t seed);

#endif
