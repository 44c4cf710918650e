// skein check: recorded histories in, verdicts out. Works on anyone's store; asks no server.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/time.h"
#include "check/checker.h"
#include "check/picture.h"
#include "cli/cli.h"

enum { SECONDS = 60, MEMORY_MB = 1024, UNKNOWN = 2 };

static const sk_flag flags[] = {
    {"--model", "-m", "MODEL",
     "register, cas-register, multi-register, counter, set, queue, mutex, kv, or list-append for transactions"},
    {"--consistency", "-c", "NAME",
     "linearizable (default), sequential, causal, read-your-writes, monotonic-reads, convergence, serializable, "
     "strict-serializable (default of list-append)"},
    {"--keyed", NULL, NULL, "values are [key value] pairs"},
    {"--seconds", NULL, "S", "give up after this long, a file (default 60)"},
    {"--memory", NULL, "MB", "give up beyond this, a file (default 1024)"},
    {"--html", NULL, "FILE", "write a page with a picture of what was found"},
};

typedef struct checking {
    sk_checker checker;
    sk_check_history_options options;
    unsigned long seconds, memory_mb;
    time_t deadline;
    const char *page_path; // NULL: no page is wanted
    sk_buffer page;
} checking;

static bool late(void *context)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec >= ((const checking *)context)->deadline;
}

// The whole file, or SK_EIO after a complaint.
static int read_all(const char *path, sk_buffer *out)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    if (!file) return SK_EIO;
    size_t got;
    do {
        uint8_t *room = sk_buffer_reserve(out, 1 << 16);
        got = fread(room, 1, 1 << 16, file);
        out->size += got;
    } while (got);
    int error = ferror(file) ? SK_EIO : 0;
    if (file != stdin) fclose(file);
    return error;
}

static void print_report(const char *path, const sk_report *report)
{
    printf("%s: %s %.*s\n", path, sk_verdict_name(report->verdict), (int)report->reason.size,
           (const char *)report->reason.data);
    fflush(stdout); // before what goes to stderr, for those who see both
    fwrite(report->detail.data, 1, report->detail.size, stderr);
}

static sk_verdict check_file(checking *what, const char *path)
{
    sk_buffer text = {0};
    sk_check_history history = {0};
    sk_report report;
    sk_report_init(&report);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    what->deadline = now.tv_sec + (time_t)what->seconds;
    if (read_all(path, &text)) {
        sk_report_set(&report, SK_VERDICT_UNKNOWN, "the file cannot be read");
    } else if (sk_check_history_read(&history, sk_buffer_slice(&text), &what->options)) {
        sk_report_set(&report, SK_VERDICT_UNKNOWN, "no history: %s", history.error);
    } else {
        sk_check_limits limits = {.memory = what->memory_mb << 20, .late = late, .context = what};
        sk_buffer_deinit(&text);
        sk_checker_run(&what->checker, &history, &limits, &report);
    }
    print_report(path, &report);
    if (what->page_path) {
        char checked[80];
        snprintf(checked, sizeof checked, "%s, %s", what->checker.model ? what->checker.model->name : "list-append",
                 sk_consistency_name(what->checker.consistency));
        sk_picture_add(&what->page, path, checked, &report);
    }
    sk_verdict verdict = report.verdict;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    sk_buffer_deinit(&text);
    return verdict;
}

static int read_flags(const sk_arguments *arguments, checking *what)
{
    const char *model = sk_cli_value(arguments, "--model");
    const char *seconds = sk_cli_value(arguments, "--seconds"), *memory = sk_cli_value(arguments, "--memory");
    const char *problem;
    *what = (checking){.seconds = SECONDS, .memory_mb = MEMORY_MB};
    what->page_path = sk_cli_value(arguments, "--html");
    what->options.keyed = sk_cli_value(arguments, "--keyed") != NULL;
    if (!model) return sk_cli_usage(arguments->verb, "--model is needed: %s", sk_model_names());
    if (!arguments->count) return sk_cli_usage(arguments->verb, "no history is given");
    if (sk_checker_choose(&what->checker, model, sk_cli_value(arguments, "--consistency"), &problem))
        return sk_cli_usage(arguments->verb, "%s", problem);
    if (seconds && sk_cli_number(seconds, 1, 1000 * 1000, &what->seconds))
        return sk_cli_usage(arguments->verb, "'%s' is no number of seconds", seconds);
    if (memory && sk_cli_number(memory, 1, 1024 * 1024, &what->memory_mb))
        return sk_cli_usage(arguments->verb, "'%s' is no number of megabytes", memory);
    return 0;
}

static int write_page(checking *what)
{
    sk_picture_end(&what->page);
    FILE *file = fopen(what->page_path, "wb");
    bool written = file && fwrite(what->page.data, 1, what->page.size, file) == what->page.size;
    if (file && fclose(file)) written = false;
    if (!written) fprintf(stderr, "skein check: %s cannot be written\n", what->page_path);
    sk_buffer_deinit(&what->page);
    return written ? 0 : SK_EXIT_CANNOT_CREATE;
}

static int run(const sk_arguments *arguments)
{
    checking what;
    int code = read_flags(arguments, &what);
    if (code) return code;
    bool violated = false, unknown = false;
    if (what.page_path) sk_picture_begin(&what.page);
    for (int i = 0; i < arguments->count; i++) {
        sk_verdict verdict = check_file(&what, arguments->list[i]);
        violated |= verdict == SK_VERDICT_VIOLATED;
        unknown |= verdict == SK_VERDICT_UNKNOWN;
    }
    if (what.page_path && write_page(&what)) return SK_EXIT_CANNOT_CREATE;
    return violated ? SK_EXIT_FAILED : unknown ? UNKNOWN : SK_EXIT_OK;
}

const sk_verb sk_verb_check = {
    .name = "check",
    .usage = "--model MODEL [flags] FILE...",
    .summary = "tells whether recorded histories keep a promise",
    .help = "Reads histories (Jepsen's operation maps in EDN, or JSON lines; '-' is the standard input) of any store, and prints\n"
            "one line for each: FILE: holds|violated|unknown REASON. What nothing explains goes to the standard error, with\n"
            "what ran at the same time and the states that were possible before.\n"
            "\n"
            "Exit codes: 0 all hold, 1 one is violated, 2 one is unknown or unreadable (and none violated).\n"
            "docs/check.md says what the models and consistencies are.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
    .run = run,
};
