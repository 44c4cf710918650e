#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/attempt.h"
#include "sim/command.h"
#include "sim/diagram.h"
#include "sim/summary.h"

enum { PICTURE_EVENTS = 150 };

// "e17", "17", "n2.5": the fifth event of n2.
static uint32_t event_of(const sk_account *account, const char *text)
{
    char *end = NULL;
    const char *digits = text + (*text == 'e');
    unsigned long event = strtoul(digits, &end, 10);
    if (end > digits && !*end && event >= 1 && event <= account->causality.count) return (uint32_t)event;
    size_t size = strcspn(text, ".");
    for (uint32_t process = 0; text[size] && process < account->causality.process_count; process++) {
        char name[16];
        sk_account_process(account, process, name);
        if (strlen(name) != size || strncmp(name, text, size) != 0) continue;
        unsigned long number = strtoul(text + size + 1, &end, 10);
        const sk_causal_line *line = &account->causality.lines[process];
        if (!*end && number >= 1 && number <= line->count) return line->events[number - 1];
    }
    fprintf(stderr, "skein-sim: there is no event %s: e1 to e%" PRIu32 ", or n2.5 for the fifth of n2\n", text,
            account->causality.count);
    exit(2);
}

static int write_picture(const sk_options *options, const sk_account *account, const sk_attempt_result *result)
{
    FILE *out = fopen(options->svg_path, "w");
    if (!out) sk_options_fail("cannot write ", options->svg_path);
    sk_window window = options->window;
    bool open = !window.from && window.to == SK_NEVER && !window.last;
    if (open) window.last = PICTURE_EVENTS;
    sk_selection selection = sk_select_window(account, &window);
    char title[200];
    snprintf(title, sizeof title, "skein-sim, seed %" PRIu64 ": %s; %" PRIu32 " of %" PRIu32 " events", options->fleet.first,
             sk_verdict_text(result->verdict), selection.count, account->causality.count);
    sk_diagram_write(account, &selection, title, result->problem, out);
    printf("%s: %" PRIu32 " of %" PRIu32 " events\n", options->svg_path, selection.count, account->causality.count);
    sk_selection_deinit(&selection);
    return fclose(out) ? 1 : 0;
}

int sk_command_trace(const sk_options *options)
{
    FILE *chronicle = tmpfile();
    if (!chronicle) sk_options_fail("no temporary file", "");
    sk_attempt attempt = {.fleet = &options->fleet,
                          .seed = options->fleet.first,
                          .overrides = &options->overrides,
                          .chronicle = chronicle};
    sk_attempt_result result;
    sk_attempt_run(&attempt, &result);
    sk_account account;
    bool readable = sk_account_read(&account, chronicle);
    fclose(chronicle);
    if (!readable) {
        fprintf(stderr, "skein-sim: the run ended before anything happened: %s\n", result.problem);
        return (int)result.verdict;
    }
    int status = 0;
    if (options->before[0]) {
        uint32_t a = event_of(&account, options->before[0]), b = event_of(&account, options->before[1]);
        sk_tell_order(&account, a, b, stdout);
    } else if (options->svg_path) {
        status = write_picture(options, &account, &result);
    } else {
        sk_selection selection = sk_select_window(&account, &options->window);
        sk_tell_window(&account, &selection, stdout);
        sk_selection_deinit(&selection);
        printf("%s %s\n", sk_verdict_text(result.verdict), result.problem);
        status = (int)result.verdict;
    }
    sk_account_deinit(&account);
    return status;
}
