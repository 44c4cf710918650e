#include "check/transactions.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "check/transactions_private.h"

// "the read of process 3 (line 7) ..." and the transactions that bear on it.
static bool violated(sk_txns *txns, const sk_txn_read *read, uint32_t other, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const sk_check_operation *reader = txns->list[read->txn].operation;
    sk_report_set(txns->report, SK_VERDICT_VIOLATED, "%s, in the transaction of process %lld (line %zu)", what,
                  (long long)reader->process, reader->line);
    uint32_t to = sk_report_add(txns->report, reader, SK_MARK_CULPRIT, 0);
    sk_report_line(txns->report, "  wrong  ", reader);
    if (other != SK_TXN_NONE) {
        uint32_t from = sk_report_add(txns->report, txns->list[other].operation, SK_MARK_CONCURRENT, 0);
        sk_report_add_edge(txns->report, from, to, "");
        sk_report_line(txns->report, "  beside ", txns->list[other].operation);
    }
    return false;
}

static const char *element_text(const sk_txns *txns, uint32_t element, sk_buffer *text)
{
    sk_buffer_clear(text);
    sk_txns_write_element(txns, element, text);
    sk_buffer_append_byte(text, 0);
    return (const char *)text->data;
}

// Elements that are read: each once, from somebody, who did not fail.
static bool check_elements(sk_txns *txns, const sk_txn_read *read, uint32_t *last_seen, sk_buffer *text)
{
    uint32_t mark = (uint32_t)(read - txns->reads) + 1;
    for (uint32_t i = 0; i < read->count; i++) {
        uint32_t id = txns->seen[read->begin + i];
        const sk_txn_element *element = &txns->elements[id];
        if (last_seen[id] == mark) return violated(txns, read, SK_TXN_NONE, "%s is there twice", element_text(txns, id, text));
        last_seen[id] = mark;
        if (element->txn == SK_TXN_NONE)
            return violated(txns, read, SK_TXN_NONE, "nobody appended %s, which was read", element_text(txns, id, text));
        sk_txn *writer = &txns->list[element->txn];
        if (writer->status == SK_TXN_FAILED)
            return violated(txns, read, element->txn, "G1a (aborted read): %s", element_text(txns, id, text));
        if (element->txn == read->txn && i < read->external)
            return violated(txns, read, SK_TXN_NONE, "%s was read before it was appended", element_text(txns, id, text));
        writer->counts = true;
    }
    if (!read->external) return true;
    uint32_t last = txns->seen[read->begin + read->external - 1];
    if (txns->elements[last].final) return true;
    return violated(txns, read, txns->elements[last].txn, "G1b (intermediate read): %s", element_text(txns, last, text));
}

// All lists read of a key are beginnings of the longest: its order.
static bool find_orders(sk_txns *txns)
{
    txns->longest = sk_alloc((txns->keys.count + 1) * sizeof *txns->longest);
    for (uint32_t key = 0; key < txns->keys.count; key++) txns->longest[key] = SK_TXN_NONE;
    for (uint32_t i = 0; i < txns->read_count; i++) {
        uint32_t *longest = &txns->longest[txns->reads[i].key];
        if (*longest == SK_TXN_NONE || txns->reads[*longest].count < txns->reads[i].count) *longest = i;
    }
    for (uint32_t key = 0; key < txns->keys.count; key++) {
        if (txns->longest[key] == SK_TXN_NONE) continue;
        const sk_txn_read *read = &txns->reads[txns->longest[key]];
        for (uint32_t i = 0; i < read->count; i++) txns->elements[txns->seen[read->begin + i]].place = i;
    }
    for (uint32_t i = 0; i < txns->read_count; i++) {
        const sk_txn_read *read = &txns->reads[i], *longest = &txns->reads[txns->longest[read->key]];
        if (!read->count || !memcmp(&txns->seen[read->begin], &txns->seen[longest->begin], read->count * sizeof *txns->seen))
            continue;
        sk_buffer text = {0};
        sk_datum_write(txns->key_data[read->key], &text);
        violated(txns, read, longest->txn, "incompatible orders of key %.*s", (int)text.size, (const char *)text.data);
        sk_buffer_deinit(&text);
        return false;
    }
    return true;
}

bool sk_txns_check_reads(sk_txns *txns)
{
    uint32_t *last_seen = sk_alloc_zeroed(((size_t)txns->pairs.count + 1) * sizeof *last_seen);
    sk_buffer text = {0};
    bool right = true;
    for (uint32_t i = 0; i < txns->read_count && right; i++)
        right = check_elements(txns, &txns->reads[i], last_seen, &text);
    sk_free(last_seen);
    sk_buffer_deinit(&text);
    return right && find_orders(txns);
}

void sk_check_transactions(const sk_check_history *history, enum sk_transaction_order order, const sk_check_limits *limits,
                           sk_report *report)
{
    static const char *const names[] = {"serializable", "serializable, in every process's order", "strictly serializable"};
    sk_txns txns;
    if (sk_txns_read(&txns, history, report) && sk_txns_check_reads(&txns) && 
        sk_txns_check_cycles(&txns, history, order, limits->memory)) {
        sk_report_set(report, SK_VERDICT_HOLDS, "%s as far as the reads tell: %u transactions, %u %s", names[order],
                      txns.count, txns.keys.count, txns.keys.count == 1 ? "key" : "keys");
    }
    sk_txns_deinit(&txns);
}
