#include "daemon/options.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"

enum { LINE_MAX_SIZE = SK_SETTING_VALUE_MAX + 80, VARIABLE_MAX = 64 };

// ---- The file ----

typedef struct file_reader {
    FILE *file;
    const char *name;
    int line;
    sk_settings *settings;
    char *problem; // empty: none yet
    size_t problem_size;
} file_reader;

static void unknown_key(const char *where, const char *key, char *problem, size_t size)
{
    const char *nearest = sk_settings_nearest(key);
    if (nearest) {
        snprintf(problem, size, "%s: '%.60s' is not a setting (did you mean '%s'?)", where, key, nearest);
    } else {
        snprintf(problem, size, "%s: '%.60s' is not a setting ('skeind --help' lists them)", where, key);
    }
}

static void file_problem(file_reader *reader, const char *what)
{
    if (*reader->problem) return;
    snprintf(reader->problem, reader->problem_size, "%s:%d: %s", reader->name, reader->line, what);
}

// Hands inih one line at a time, as inih should see it: without indentation (which it would take for a
// continued value) and without what follows a #. NULL ends the parse; `problem` tells why if it is not the
// end of the file.
static char *next_line(char *line, int size, void *stream)
{
    file_reader *reader = stream;
    if (*reader->problem || !fgets(line, size, reader->file)) return NULL;
    reader->line++;
    size_t length = strlen(line);
    if ((length == 0 || line[length - 1] != '\n') && !feof(reader->file)) {
        file_problem(reader, "the line is too long, or this is not a text file");
        return NULL;
    }
    size_t indent = strspn(line, " \t\r\n");
    memmove(line, line + indent, length - indent + 1);
    for (char *at = line; *at; at++) {
        if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) *at = 0;
        if (!*at) break;
    }
    if (*line == 0 || *line == ';') {
        *line = 0;
        return line;
    }
    if (*line == '[') {
        file_problem(reader, "sections are not used here (write 'key = value')");
        return NULL;
    }
    if (!strchr(line, '=')) {
        file_problem(reader, "this is not 'key = value'");
        return NULL;
    }
    return line;
}

static int on_pair(void *context, const char *section, const char *name, const char *value)
{
    file_reader *reader = context;
    SK_ASSERT(*section == 0);
    if (*reader->problem) return 0;
    char where[LINE_MAX_SIZE], wrong[SK_PROBLEM_MAX];
    snprintf(where, sizeof where, "%s:%d", reader->name, reader->line);
    const sk_setting *row = sk_settings_find(name);
    if (!row) {
        unknown_key(where, name, reader->problem, reader->problem_size);
        return 0;
    }
    size_t count;
    size_t index = (size_t)(row - sk_settings_rows(&count));
    if (reader->settings->origins[index] == SK_ORIGIN_FILE) {
        snprintf(reader->problem, reader->problem_size,
                 "%s: %s: is already set in line %d (remove one of the two)", where, name,
                 reader->settings->lines[index]);
        return 0;
    }
    if (sk_settings_set(reader->settings, row, value, wrong, sizeof wrong)) {
        snprintf(reader->problem, reader->problem_size, "%s: %s: %s", where, name, wrong);
        return 0;
    }
    reader->settings->origins[index] = SK_ORIGIN_FILE;
    reader->settings->lines[index] = reader->line;
    return 1;
}

static int load_file(sk_options *options, char *problem, size_t problem_size)
{
    FILE *file = fopen(options->config, "re");
    if (!file) {
        snprintf(problem, problem_size, "--config %s: %s", options->config, strerror(errno));
        return SK_EXIT_CONFIG;
    }
    *problem = 0;
    file_reader reader = {.file = file,
                          .name = options->config,
                          .settings = &options->settings,
                          .problem = problem,
                          .problem_size = problem_size};
    ini_max_line = LINE_MAX_SIZE;
    ini_use_stack = true;
    int line = ini_parse_stream(next_line, &reader, on_pair, &reader);
    if (!*problem && ferror(file))
        snprintf(problem, problem_size, "--config %s: cannot be read", options->config);
    if (!*problem && line)
        snprintf(problem, problem_size, "%s:%d: this is not 'key = value'", options->config, line);
    fclose(file);
    return *problem ? SK_EXIT_CONFIG : 0;
}

// ---- The environment ----

static void variable_name(const sk_setting *row, char out[VARIABLE_MAX])
{
    snprintf(out, VARIABLE_MAX, "SKEIN_%s", row->name);
    for (char *at = out; *at; at++) *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

static const char *variable(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return *environment + size + 1;
    }
    return NULL;
}

static int load_environment(sk_options *options, char *const *environment, char *problem, size_t problem_size)
{
    size_t count;
    const sk_setting *rows = sk_settings_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char name[VARIABLE_MAX], wrong[SK_PROBLEM_MAX];
        variable_name(&rows[i], name);
        const char *value = variable(environment, name);
        if (!value) continue;
        if (sk_settings_set(&options->settings, &rows[i], value, wrong, sizeof wrong)) {
            snprintf(problem, problem_size, "environment variable %s: %s", name, wrong);
            return SK_EXIT_CONFIG;
        }
        options->settings.origins[i] = SK_ORIGIN_ENVIRONMENT;
    }
    return 0;
}

// ---- The command line ----

static bool is(const char *argument, const char *a, const char *b)
{
    return strcmp(argument, a) == 0 || (b && strcmp(argument, b) == 0);
}

static int usage(char *problem, size_t size, const char *argument, const char *what)
{
    snprintf(problem, size, "%.60s: %s", argument, what);
    return SK_EXIT_USAGE;
}

// One "--key value" or "--key=value" at argv[*at]; moves *at to its last word.
static int take_flag(sk_options *options, int argc, char *const *argv, int *at, bool apply, char *problem,
                     size_t problem_size)
{
    const char *argument = argv[*at];
    char name[VARIABLE_MAX], wrong[SK_PROBLEM_MAX];
    size_t size = strcspn(argument, "=");
    if (strncmp(argument, "--", 2) != 0 || size < 3 || size >= sizeof name) {
        return usage(problem, problem_size, argument, "is not understood ('skeind --help' lists what is)");
    }
    memcpy(name, argument + 2, size - 2);
    name[size - 2] = 0;
    bool config = strcmp(name, "config") == 0;
    const sk_setting *row = sk_settings_find(name);
    if (!row && !config) {
        unknown_key("command line", name, problem, problem_size);
        return SK_EXIT_USAGE;
    }
    if (argument[size] == 0 && *at + 1 == argc)
        return usage(problem, problem_size, argument, "needs a value behind it");
    const char *value = argument[size] ? argument + size + 1 : argv[++*at];
    if (config) options->config = value;
    if (config || !apply) return 0;
    if (sk_settings_set(&options->settings, row, value, wrong, sizeof wrong)) {
        snprintf(problem, problem_size, "--%s: %s", name, wrong);
        return SK_EXIT_CONFIG;
    }
    size_t count;
    options->settings.origins[row - sk_settings_rows(&count)] = SK_ORIGIN_FLAG;
    return 0;
}

// Twice over the same words: first for what must be known before the file is read, then, applied, for the
// settings.
static int load_flags(sk_options *options, int argc, char *const *argv, bool apply, char *problem,
                      size_t problem_size)
{
    for (int i = 1; i < argc; i++) {
        if (i == 1 && is(argv[i], "init", NULL)) {
            options->verb = SK_VERB_INIT;
        } else if (is(argv[i], "--check-config", NULL)) {
            options->verb = SK_VERB_CHECK_CONFIG;
        } else if (is(argv[i], "--help", "-h")) {
            options->verb = SK_VERB_HELP;
            return 0;
        } else if (is(argv[i], "--version", "-v")) {
            options->verb = SK_VERB_VERSION;
            return 0;
        } else {
            int status = take_flag(options, argc, argv, &i, apply, problem, problem_size);
            if (status) return status;
        }
    }
    return 0;
}

int sk_options_load(sk_options *options, int argc, char *const *argv, char *const *environment, char *problem,
                    size_t problem_size)
{
    *options = (sk_options){.verb = SK_VERB_RUN};
    *problem = 0;
    sk_settings_default(&options->settings);
    int status = load_flags(options, argc, argv, false, problem, problem_size);
    if (status || options->verb == SK_VERB_HELP || options->verb == SK_VERB_VERSION) return status;
    if (options->config) status = load_file(options, problem, problem_size);
    if (!status) status = load_environment(options, environment, problem, problem_size);
    if (!status) status = load_flags(options, argc, argv, true, problem, problem_size);
    if (!status && sk_settings_check(&options->settings, problem, problem_size)) status = SK_EXIT_CONFIG;
    return status;
}
