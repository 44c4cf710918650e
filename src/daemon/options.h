// From the command line, the environment and the file to one set of settings.
//
// Exit codes, here and everywhere in skeind: 0 fine; 1 failed; 2 wrong usage; 69 an address is taken; 74 the
// disk failed; 75 the directory is in use; 77 no permission; 78 wrong configuration.
#ifndef SK_DAEMON_OPTIONS_H
#define SK_DAEMON_OPTIONS_H

#include "base/bytes.h"
#include "daemon/settings.h"

enum sk_exit {
    SK_EXIT_OK = 0,
    SK_EXIT_FAILED = 1,
    SK_EXIT_USAGE = 2,
    SK_EXIT_UNAVAILABLE = 69,
    SK_EXIT_DISK = 74,
    SK_EXIT_BUSY = 75,
    SK_EXIT_PERMISSION = 77,
    SK_EXIT_CONFIG = 78,
};

enum sk_verb { SK_VERB_RUN, SK_VERB_INIT, SK_VERB_CHECK_CONFIG, SK_VERB_HELP, SK_VERB_VERSION };

typedef struct sk_options {
    enum sk_verb verb;
    const char *config; // the file's name, from argv; NULL: none
    sk_settings settings;
} sk_options;

// 0, or the status to exit with: then `problem` is one line that says where, what, and what to do about it.
// `environment` ends with NULL, each "NAME=value". argv must outlive the options.
int sk_options_load(sk_options *options, int argc, char *const *argv, char *const *environment, char *problem,
                    size_t problem_size);

void sk_options_help(sk_buffer *out);
// All settings as they are in effect, a line each, as the file would hold them, with where each comes from.
void sk_options_print(const sk_options *options, sk_buffer *out);

#endif
