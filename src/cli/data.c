// get, put, del: one key from a shell script, with exit codes that a script can act on.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const sk_flag flags[] = {SK_FLAGS_SERVER};
enum { FLAG_COUNT = sizeof flags / sizeof flags[0] };

enum { CALL_TIMEOUT_S = 5 };

// What a server's error means to a script: its first word decides.
static int exit_code_of(sk_slice error)
{
    static const struct {
        const char *word;
        int code;
    } table[] = {
        {"CLUSTERDOWN ", SK_EXIT_TRY_LATER},  {"LOADING ", SK_EXIT_TRY_LATER},       {"TRYAGAIN ", SK_EXIT_TRY_LATER},
        {"MASTERDOWN ", SK_EXIT_TRY_LATER},   {"READONLY ", SK_EXIT_TRY_LATER},      {"NOAUTH ", SK_EXIT_NO_PERMISSION},
        {"WRONGPASS ", SK_EXIT_NO_PERMISSION}, {"NOPERM ", SK_EXIT_NO_PERMISSION},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t size = strlen(table[i].word);
        if (error.size >= size && memcmp(error.data, table[i].word, size) == 0) return table[i].code;
    }
    return SK_EXIT_FAILED;
}

// One command, one answer. Prints the value of a get; a key that is not there is exit code 1 without a word.
static int call(const sk_arguments *arguments, size_t argc, const sk_slice *argv, bool print)
{
    sk_endpoint endpoint;
    int code = sk_cli_endpoint(arguments, &endpoint);
    if (code) return code;
    sk_remote remote;
    sk_remote_init(&remote);
    sk_ns deadline = sk_client_now() + CALL_TIMEOUT_S * SK_S;
    const sk_resp_value *reply = NULL;
    int error = sk_remote_open(&remote, &endpoint, deadline);
    bool sent = error == 0;
    if (!error) error = sk_remote_call(&remote, argc, argv, deadline, &reply);
    if (error) {
        fprintf(stderr, "skein: %s%s\n", remote.problem,
                sent && !print ? "; the write may or may not have been applied" : "");
        code = SK_EXIT_UNAVAILABLE;
    } else if (reply->type == SK_RESP_FAILURE) {
        fprintf(stderr, "skein: %.*s\n", (int)reply->text.size, (const char *)reply->text.data);
        code = exit_code_of(reply->text);
    } else if (reply->type == SK_RESP_NULL || (reply->type == SK_RESP_INTEGER && reply->integer == 0)) {
        code = SK_EXIT_FAILED;
    } else if (print) {
        fwrite(reply->text.data, 1, reply->text.size, stdout);
        fputc('\n', stdout);
    }
    sk_remote_deinit(&remote);
    return code;
}

static int run_get(const sk_arguments *arguments)
{
    if (arguments->count != 1) return sk_cli_usage(arguments->verb, "one key is wanted");
    sk_slice argv[] = {sk_slice_text("GET"), sk_slice_text(arguments->list[0])};
    return call(arguments, 2, argv, true);
}

static int run_put(const sk_arguments *arguments)
{
    if (arguments->count != 2) return sk_cli_usage(arguments->verb, "a key and a value are wanted");
    sk_slice argv[] = {sk_slice_text("SET"), sk_slice_text(arguments->list[0]), sk_slice_text(arguments->list[1])};
    return call(arguments, 3, argv, false);
}

static int run_del(const sk_arguments *arguments)
{
    if (arguments->count != 1) return sk_cli_usage(arguments->verb, "one key is wanted");
    sk_slice argv[] = {sk_slice_text("DEL"), sk_slice_text(arguments->list[0])};
    return call(arguments, 2, argv, false);
}

const sk_verb sk_verb_get = {
    .name = "get",
    .usage = "KEY [--addr HOST:PORT]",
    .summary = "prints the value of a key",
    .help = "Prints the value and a newline. Exit code 1 if there is no such key, 75 if no majority can be reached.\n",
    .flags = flags,
    .flag_count = FLAG_COUNT,
    .run = run_get,
};

const sk_verb sk_verb_put = {
    .name = "put",
    .usage = "KEY VALUE [--addr HOST:PORT]",
    .summary = "sets a key; done when a majority has it on disk",
    .help = "Exit code 0 means that a majority of the nodes has the write on disk. 75 means that it was certainly not\n"
            "applied: try again. Anything else says on stderr what is known.\n",
    .flags = flags,
    .flag_count = FLAG_COUNT,
    .run = run_put,
};

const sk_verb sk_verb_del = {
    .name = "del",
    .usage = "KEY [--addr HOST:PORT]",
    .summary = "removes a key",
    .help = "Exit code 1 if there was no such key.\n",
    .flags = flags,
    .flag_count = FLAG_COUNT,
    .run = run_del,
};
