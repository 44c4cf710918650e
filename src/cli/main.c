#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/version.h"
#include "cli/cli.h"

static const sk_verb *const verbs[] = {
    &sk_verb_playground, &sk_verb_status, &sk_verb_space, &sk_verb_get, &sk_verb_put, &sk_verb_del, &sk_verb_bench, &sk_verb_check,
    &sk_verb_doctor,
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static const sk_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i]->name, name) == 0) return verbs[i];
    }
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("skein: talks to a Skein cluster, or plays with one on this machine.\n\n", out);
    for (size_t i = 0; i < VERB_COUNT; i++) fprintf(out, "  skein %-11s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("  skein help VERB   explains one of them\n"
          "  skein --version\n"
          "\n"
          "Start here:  skein playground\n"
          "  Every node speaks the Redis protocol on its own port: redis-cli -p 7401 works on it at once.\n"
          "\n"
          "Exit codes: 0 done, 1 failed, 64 wrong usage, 69 no node answers, 75 try again later (no leader),\n"
          "  77 no permission.\n",
          out);
}

static void print_verb_help(const sk_verb *verb)
{
    printf("usage: skein %s %s\n\n%s\n", verb->name, verb->usage, verb->help);
    for (size_t i = 0; i < verb->flag_count; i++) {
        const sk_flag *flag = &verb->flags[i];
        char left[48];
        snprintf(left, sizeof left, "%s%s%s%s%s", flag->letter ? flag->letter : "", flag->letter ? ", " : "", flag->name,
                 flag->value ? " " : "", flag->value ? flag->value : "");
        printf("  %-20s %s\n", left, flag->help);
    }
}

static int run_help(int argc, char **argv)
{
    if (argc == 0) {
        print_help(stdout);
        return SK_EXIT_OK;
    }
    const sk_verb *verb = find_verb(argv[0]);
    if (!verb) {
        fprintf(stderr, "skein: there is no verb '%s'; skein help lists them\n", argv[0]);
        return SK_EXIT_USAGE;
    }
    print_verb_help(verb);
    return SK_EXIT_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return SK_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return run_help(argc - 2, argv + 2);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("skein " SK_VERSION);
        return SK_EXIT_OK;
    }
    const sk_verb *verb = find_verb(name);
    if (!verb) {
        fprintf(stderr, "skein: there is no verb '%s'; skein help lists them\n", name);
        return SK_EXIT_USAGE;
    }
    SK_ASSERT(verb->flag_count <= SK_FLAGS_MAX);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) break;
        if (strcmp(argv[i], "--help") == 0) return run_help(1, argv + 1);
    }
    sk_arguments arguments;
    char **list = calloc((size_t)argc, sizeof *list);
    if (!list) return SK_EXIT_SOFTWARE;
    int code = sk_cli_parse(verb, argc - 2, argv + 2, &arguments, list);
    if (!code) code = verb->run(&arguments);
    free(list);
    return code;
}
