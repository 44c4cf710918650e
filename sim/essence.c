// What a failure's reader needs of its causal past. See tell.h.
#include <string.h>
#include "base/alloc.h"
#include "sim/tell.h"

enum { RANKS = 7, LEFT_OUT = RANKS };

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

// How soon an event is left out when there is no room: 0 last.
static int rank_of(const sk_account *account, uint32_t event, const char *problem, bool about_key)
{
    const sk_account_event *about = &account->events[event];
    bool system = !strncmp(about->text, "sys ", 4) && !has(problem, "space 0");
    switch (about->topic) {
    case SK_TOPIC_DEATH:
        return 0;
    case SK_TOPIC_LIFE:
        return 1;
    case SK_TOPIC_ROLE:
        return system ? 5 : has(about->text, "leader") || has(about->text, "halted") || has(about->text, "recovering") ? 0 : 2;
    case SK_TOPIC_CLIENT:
        if (!about_key) return 5;
        return sk_account_names(problem, about->text) ? 0 : 5;
    case SK_TOPIC_VOTE:
        return system || has(about->text, "PREVOTE") ? 5 : about_key ? 3 : 1;
    case SK_TOPIC_LOG:
        return system ? 5 : has(about->text, "commit") ? 3 : 4;
    case SK_TOPIC_APPEND:
        return system ? 5 : has(about->text, "APPEND term") && !has(about->text, "+0") ? 2 : 4;
    case SK_TOPIC_FORWARD:
    case SK_TOPIC_SNAPSHOT:
        return 4;
    default:
        return 6;
    }
}

// Two of the same process in the same words are there already.
static bool told_often(const sk_account *account, uint32_t event, const bool *chosen)
{
    const sk_causal_line *line = &account->causality.lines[account->causality.events[event].process];
    int alike = 0;
    for (uint32_t i = line->count; i-- > 0 && alike < 2;) {
        uint32_t other = line->events[i];
        alike += chosen[other] && !strcmp(account->events[other].text, account->events[event].text);
    }
    return alike >= 2;
}

// A message that arrived is told at its arrival.
static bool told_elsewhere(const sk_account *account, uint32_t event)
{
    return account->causality.events[event].kind == SK_CAUSAL_SEND && account->events[event].received;
}

static uint32_t mark_lines(const sk_account *account, uint32_t mark)
{
    uint32_t lines = 0;
    sk_buffer unused = {0};
    for (; mark < account->mark_count; lines++) {
        sk_buffer_clear(&unused);
        mark = sk_tell_marks(account, mark, &unused);
    }
    sk_buffer_deinit(&unused);
    return lines;
}

sk_selection sk_select_essence(const sk_account *account, uint32_t failure, const char *problem, uint32_t lines_max)
{
    uint32_t count = account->causality.count, first_mark = 0;
    while (mark_lines(account, first_mark) > lines_max / 2) first_mark++; // the newest; half of the room at most
    uint32_t marks = mark_lines(account, first_mark);
    bool *chosen = sk_alloc_zeroed(count + 1);
    bool about_key = false;
    for (uint32_t i = 1; i <= count && !about_key; i++) about_key = sk_account_names(problem, account->events[i].text);
    uint32_t left = lines_max > marks + 1 ? lines_max - marks - 1 : 0;
    chosen[failure] = failure > 0;
    for (int rank = 0; rank < RANKS && left; rank++) {
        for (uint32_t event = failure; event-- > 1 && left;) {
            if (chosen[event] || told_elsewhere(account, event) ||
                !sk_causality_before(&account->causality, event, failure) ||
                rank_of(account, event, problem, about_key) != rank || (rank > 1 && told_often(account, event, chosen)))
                continue;
            chosen[event] = true;
            left--;
        }
    }
    for (uint32_t event = count; event > 0; event--) {
        uint32_t sent_by = account->causality.events[event].sent_by;
        if (chosen[event] && sent_by) chosen[sent_by] = true;
    }
    sk_selection made = {.events = sk_alloc((count + 1) * sizeof *made.events), .mark = first_mark};
    for (uint32_t event = 1; event <= count; event++) {
        if (chosen[event]) made.events[made.count++] = event;
    }
    sk_free(chosen);
    return made;
}
