#include "sim/account.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"

static const char *keep_text(sk_account *account, const char *text, size_t size)
{
    char *kept = sk_arena_take(&account->texts, size + 1);
    memcpy(kept, text, size);
    kept[size] = 0;
    return kept;
}

static bool sane(const sk_account *account, const sk_chronicle_record *record)
{
    const sk_causality *causality = &account->causality;
    if (record->size > 1000) return false;
    if (record->is_mark) return record->kind <= SK_MARK_FAILED;
    return record->kind <= SK_CAUSAL_RECEIVE && record->topic < SK_TOPIC_END &&
           record->process < causality->process_count && record->peer < causality->process_count &&
           record->sent_by <= causality->count;
}

static void add_event(sk_account *account, const sk_chronicle_record *record, const char *text)
{
    uint32_t event = sk_causality_add(&account->causality, (enum sk_causal_kind)record->kind, record->process,
                                      record->sent_by);
    if (event >= account->capacity) {
        account->capacity = account->capacity ? account->capacity * 2 : 1024;
        account->events = sk_realloc(account->events, account->capacity * sizeof *account->events);
    }
    sk_account_event *made = &account->events[event];
    *made = (sk_account_event){
        .time = record->time, .topic = (enum sk_topic)record->topic, .peer = record->peer, .text = text};
    if (!record->sent_by) return;
    sk_account_event *sent = &account->events[record->sent_by];
    sent->received++;
    if (!record->size) made->text = sent->text;
}

static void add_mark(sk_account *account, const sk_chronicle_record *record, const char *text)
{
    if (account->mark_count == account->mark_capacity) {
        account->mark_capacity = account->mark_capacity ? account->mark_capacity * 2 : 64;
        account->marks = sk_realloc(account->marks, account->mark_capacity * sizeof *account->marks);
    }
    sk_account_mark made = {.time = record->time,
                            .after = account->causality.count,
                            .mark = (enum sk_mark)record->kind,
                            .a = record->a,
                            .b = record->b,
                            .text = text};
    uint32_t at = account->mark_count++;
    if (made.mark == SK_MARK_FAULT) { // before what it did
        made.after = record->b;
        for (; at > 0 && account->marks[at - 1].after >= made.after && account->marks[at - 1].time == made.time &&
               account->marks[at - 1].mark != SK_MARK_FAULT;
             at--)
            account->marks[at] = account->marks[at - 1];
    }
    account->marks[at] = made;
}

bool sk_account_read(sk_account *account, FILE *in)
{
    memset(account, 0, sizeof *account);
    sk_chronicle_head head;
    rewind(in);
    if (fread(&head, sizeof head, 1, in) != 1 || memcmp(head.magic, SK_CHRONICLE_MAGIC, sizeof head.magic) != 0)
        return false;
    account->node_count = head.node_count;
    account->client_count = head.client_count;
    sk_causality_init(&account->causality, head.node_count + head.client_count);
    sk_chronicle_record record;
    char text[1000];
    // A process that died may have left half a record: what came before counts.
    while (fread(&record, sizeof record, 1, in) == 1 && sane(account, &record) &&
           fread(text, 1, record.size, in) == record.size) {
        const char *kept = keep_text(account, text, record.size);
        if (record.is_mark)
            add_mark(account, &record, kept);
        else
            add_event(account, &record, kept);
    }
    return true;
}

void sk_account_deinit(sk_account *account)
{
    if (account->causality.process_count) sk_causality_deinit(&account->causality);
    sk_free(account->events);
    sk_free(account->marks);
    sk_arena_deinit(&account->texts);
    memset(account, 0, sizeof *account);
}

void sk_account_process(const sk_account *account, uint32_t process, char out[16])
{
    uint32_t client = process - account->node_count;
    if (process < account->node_count)
        snprintf(out, 16, "n%" PRIu32, process + 1);
    else if (client + 1 < account->client_count)
        snprintf(out, 16, "c%" PRIu32, client);
    else
        snprintf(out, 16, "audit");
}

// Is this an arrival of a message that had arrived before?
static bool again(const sk_account *account, uint32_t event)
{
    const sk_causal_event *causal = &account->causality.events[event];
    if (!causal->sent_by || account->events[causal->sent_by].received < 2) return false;
    const sk_causal_line *line = &account->causality.lines[causal->process];
    for (uint32_t i = 0; i + 1 < causal->number; i++) {
        if (account->causality.events[line->events[i]].sent_by == causal->sent_by) return true;
    }
    return false;
}

void sk_account_line(const sk_account *account, uint32_t event, sk_buffer *out)
{
    const sk_causal_event *causal = &account->causality.events[event];
    const sk_account_event *about = &account->events[event];
    char process[16], peer[16];
    sk_account_process(account, causal->process, process);
    sk_account_process(account, about->peer, peer);
    switch (causal->kind) {
    case SK_CAUSAL_INTERNAL:
        sk_buffer_printf(out, "%s %s", process, about->text);
        break;
    case SK_CAUSAL_SEND:
        sk_buffer_printf(out, "%s send %s -> %s%s", process, about->text, peer,
                         about->received ? "" : " (never arrives)");
        break;
    case SK_CAUSAL_RECEIVE:
        sk_buffer_printf(out, "%s receive %s <- %s", process, about->text, peer);
        if (causal->sent_by && account->causality.events[causal->sent_by].process != about->peer) {
            sk_account_process(account, account->causality.events[causal->sent_by].process, peer);
            sk_buffer_printf(out, " (which %s sent)", peer);
        }
        if (again(account, event)) sk_buffer_append_text(out, " (again)");
        break;
    }
}

// ---- Where it failed ----

static bool is_word(const char *text, const char *word, size_t size)
{
    for (const char *at = text; (at = strstr(at, word)); at++) {
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        if (begins && !isalnum((unsigned char)at[size])) return true;
    }
    return false;
}

// The next word of the form "a7": a key's name. False: no more.
static bool next_key(const char **problem, char out[16])
{
    for (const char *at = *problem; *at; at++) {
        bool begins = at == *problem || !isalnum((unsigned char)at[-1]);
        size_t size = 1;
        while (isdigit((unsigned char)at[size])) size++;
        if (!begins || !islower((unsigned char)*at) || size < 2 || size > 15 || isalnum((unsigned char)at[size])) continue;
        memcpy(out, at, size);
        out[size] = 0;
        *problem = at + size;
        return true;
    }
    return false;
}

bool sk_account_names(const char *problem, const char *text)
{
    char key[16];
    while (next_key(&problem, key)) {
        if (is_word(text, key, strlen(key))) return true;
    }
    return false;
}

uint32_t sk_account_failure(const sk_account *account, const char *problem)
{
    for (uint32_t i = account->mark_count; i-- > 0;) {
        if (account->marks[i].mark == SK_MARK_FAILED && account->marks[i].a) return account->marks[i].a;
    }
    for (uint32_t event = account->causality.count; event > 0; event--) {
        if (sk_account_names(problem, account->events[event].text)) return event;
    }
    for (uint32_t process = 0; process < account->causality.process_count; process++) {
        bool node = process < account->node_count;
        char name[24];
        snprintf(name, sizeof name, "%s %" PRIu32, node ? "node" : "client", node ? process + 1 : process - account->node_count);
        const sk_causal_line *line = &account->causality.lines[process];
        if (line->count && is_word(problem, name, strlen(name))) return line->events[line->count - 1];
    }
    return account->causality.count;
}
