// The `skein` program: verbs are data (one row each, in their own files), flags are data (one row each), and every verb ends
// with an exit code of one table.
#ifndef SK_CLI_CLI_H
#define SK_CLI_CLI_H

#include <stdbool.h>
#include "client/remote.h"


enum sk_exit { // sysexits.h, where it has one
    SK_EXIT_OK = 0,
    SK_EXIT_FAILED = 1,
    SK_EXIT_USAGE = 64,
    SK_EXIT_UNAVAILABLE = 69,
    SK_EXIT_SOFTWARE = 70,
    SK_EXIT_CANNOT_CREATE = 73,
    SK_EXIT_TRY_LATER = 75,
    SK_EXIT_NO_PERMISSION = 77,
};

enum { SK_FLAGS_MAX = 16, SK_DEFAULT_PORT = 7379 };

typedef struct sk_flag {
    const char *name;   // "--addr"
    const char *letter; // "-h", or NULL
    const char *value;  // what its value is called in the help; NULL: it has none
    const char *help;
} sk_flag;

typedef struct sk_verb sk_verb;

// What was given on the command line, by the verb's own table.
typedef struct sk_arguments {
    const sk_verb *verb;
    const char *values[SK_FLAGS_MAX]; // by index in the verb's flags; "" for a given flag without value; NULL: not given
    int count;
    char **list; // what is not a flag
} sk_arguments;

struct sk_verb {
    const char *name;
    const char *usage;   // behind the name
    const char *summary; // one line
    const char *help;    // what it does, for `skein help NAME`
    const sk_flag *flags;
    size_t flag_count;
    int (*run)(const sk_arguments *arguments); // an exit code
};

extern const sk_verb sk_verb_check;
extern const sk_verb sk_verb_status;
extern const sk_verb sk_verb_playground;
extern const sk_verb sk_verb_get;
extern const sk_verb sk_verb_put;
extern const sk_verb sk_verb_del;
extern const sk_verb sk_verb_space;
extern const sk_verb sk_verb_bench;
extern const sk_verb sk_verb_doctor;

// Sorts a verb's command line into flags and the rest; `list` has room for argc words. 0 or SK_EXIT_USAGE.
int sk_cli_parse(const sk_verb *verb, int argc, char **argv, sk_arguments *out, char **list);
// Complains on stderr, names `skein help VERB`, and returns SK_EXIT_USAGE.
int sk_cli_usage(const sk_verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The value of a flag of this verb, or NULL. The name must be one of the table's.
const char *sk_cli_value(const sk_arguments *arguments, const char *name);
// A whole number within bounds: 0, or SK_EINVAL.
int sk_cli_number(const char *text, unsigned long min, unsigned long max, unsigned long *out);
// The server to ask: --addr, or -h and -p, or SKEIN_ADDR, or 127.0.0.1:7379. 0 or SK_EXIT_USAGE, after a complaint.
int sk_cli_endpoint(const sk_arguments *arguments, sk_endpoint *out);

// Flags that every verb with a server has.
#define SK_FLAGS_SERVER                                                                                      \
    {"--addr", NULL, "HOST:PORT", "the node to ask (default 127.0.0.1:7379, or $SKEIN_ADDR)"},               \
        {"--host", "-h", "HOST", "the same in two parts, as redis-cli has it"}, {"--port", "-p", "PORT", ""}

#endif
