// The verb `bench`, over any wire: bench/peers.c drives other systems with the same flags and the same report.
#ifndef SK_CLI_BENCH_H
#define SK_CLI_BENCH_H

#include "cli/cli.h"
#include "cli/load.h"

// `arguments` are sorted by sk_verb_bench's flags. An exit code.
int sk_bench_run(const sk_arguments *arguments, const sk_load_wire *wire);

#endif
