#include "base/alloc.h"
#include "check/transactions_private.h"

#define GROW(list, count, capacity)                                                                          \
    do {                                                                                                     \
        if ((count) == (capacity)) {                                                                         \
            (capacity) = (capacity) ? (capacity)*2 : 64;                                                     \
            (list) = sk_realloc((list), (capacity) * sizeof *(list));                                        \
        }                                                                                                    \
    } while (0)

static uint32_t key_of(sk_txns *txns, const sk_datum *key)
{
    uint32_t known = txns->keys.count, id = sk_intern_datum(&txns->keys, key);
    if (id < known) return id;
    GROW(txns->key_data, id, txns->key_capacity);
    txns->key_data[id] = key;
    return id;
}

static uint32_t element_of(sk_txns *txns, uint32_t key, const sk_datum *value)
{
    sk_buffer text = {0};
    sk_buffer_printf(&text, "%u ", key);
    sk_datum_write(value, &text);
    uint32_t known = txns->pairs.count, id = sk_intern_put(&txns->pairs, sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
    if (id < known) return id;
    GROW(txns->elements, id, txns->element_capacity);
    txns->elements[id] = (sk_txn_element){.key = key, .txn = SK_TXN_NONE, .value = value, .place = SK_TXN_NONE};
    return id;
}

void sk_txns_write_element(const sk_txns *txns, uint32_t element, sk_buffer *out)
{
    sk_datum_write(txns->elements[element].value, out);
    sk_buffer_append_text(out, " of ");
    sk_datum_write(txns->key_data[txns->elements[element].key], out);
}

static bool add_append(sk_txns *txns, uint32_t txn, const sk_datum *one)
{
    uint32_t key = key_of(txns, &one->items[1]), id = element_of(txns, key, &one->items[2]);
    sk_txn_element *element = &txns->elements[id];
    if (element->txn != SK_TXN_NONE) {
        sk_report_set(txns->report, SK_VERDICT_UNKNOWN, "the same is appended twice (lines %zu and %zu)",
                      txns->list[element->txn].operation->line, txns->list[txn].operation->line);
        return false;
    }
    element->txn = txn;
    element->final = true;
    for (uint32_t i = txns->list[txn].appends; i < txns->append_count; i++) {
        if (txns->elements[txns->appends[i]].key == key) txns->elements[txns->appends[i]].final = false;
    }
    GROW(txns->appends, txns->append_count, txns->append_capacity);
    txns->appends[txns->append_count++] = id;
    txns->list[txn].append_count++;
    return true;
}

static bool contradicts(sk_txns *txns, uint32_t txn)
{
    const sk_check_operation *operation = txns->list[txn].operation;
    sk_report_set(txns->report, SK_VERDICT_VIOLATED, "the transaction of process %lld (line %zu) contradicts itself",
                  (long long)operation->process, operation->line);
    sk_report_add(txns->report, operation, SK_MARK_CULPRIT, 0);
    sk_report_line(txns->report, "  a read in it does not fit what it read or appended before: ", operation);
    return false;
}

// A read ends with what its own transaction has appended to the key, and the rest is what it read of it before.
static bool fits_itself(sk_txns *txns, uint32_t txn, sk_txn_read *read)
{
    uint32_t at = read->count;
    for (uint32_t i = txns->append_count; i > txns->list[txn].appends; i--) {
        uint32_t own = txns->appends[i - 1];
        if (txns->elements[own].key != read->key) continue;
        if (!at || txns->seen[read->begin + --at] != own) return false;
    }
    read->external = at;
    for (uint32_t i = txns->list[txn].reads; i < txns->read_count; i++) {
        const sk_txn_read *before = &txns->reads[i];
        if (before->key != read->key) continue;
        read->repeated = true;
        if (before->external != at) return false;
        if (at && memcmp(&txns->seen[before->begin], &txns->seen[read->begin], at * sizeof *txns->seen)) return false;
    }
    return true;
}

static bool add_read(sk_txns *txns, uint32_t txn, const sk_datum *one)
{
    const sk_datum *list = &one->items[2];
    sk_txn_read read = {.txn = txn, .key = key_of(txns, &one->items[1]), .begin = (uint32_t)txns->seen_count};
    for (size_t i = 0; i < list->count; i++) {
        GROW(txns->seen, txns->seen_count, txns->seen_capacity);
        uint32_t element = element_of(txns, read.key, &list->items[i]);
        txns->seen[txns->seen_count++] = element;
    }
    read.count = (uint32_t)list->count;
    if (!fits_itself(txns, txn, &read)) return contradicts(txns, txn);
    GROW(txns->reads, txns->read_count, txns->read_capacity);
    txns->reads[txns->read_count++] = read;
    txns->list[txn].read_count++;
    return true;
}

static bool add_part(sk_txns *txns, uint32_t txn, const sk_datum *one)
{
    const sk_check_operation *operation = txns->list[txn].operation;
    bool whole = one->type == SK_DATUM_LIST && one->count == 3;
    if (whole && sk_datum_is(&one->items[0], "append")) return add_append(txns, txn, one);
    bool read = one->type == SK_DATUM_LIST && one->count >= 2 &&
                (sk_datum_is(&one->items[0], "r") || sk_datum_is(&one->items[0], "read"));
    if (read && !operation->ok) return true;
    if (read && whole && (one->items[2].type == SK_DATUM_NIL || one->items[2].type == SK_DATUM_LIST))
        return add_read(txns, txn, one);
    sk_report_misfit(txns->report, "list-append", operation);
    return false;
}

static bool add_txn(sk_txns *txns, const sk_check_operation *operation, sk_txn_status status)
{
    uint32_t txn = txns->count++;
    const sk_datum *parts = operation->input;
    if (operation->ok && operation->output->type == SK_DATUM_LIST) parts = operation->output;
    txns->list[txn] = (sk_txn){.operation = operation, .status = status, .counts = status == SK_TXN_OK};
    txns->list[txn].appends = txns->append_count;
    txns->list[txn].reads = txns->read_count;
    if (parts->type != SK_DATUM_LIST) {
        sk_report_misfit(txns->report, "list-append", operation);
        return false;
    }
    for (size_t i = 0; i < parts->count; i++) {
        if (!add_part(txns, txn, &parts->items[i])) return false;
    }
    return true;
}

bool sk_txns_read(sk_txns *txns, const sk_check_history *history, sk_report *report)
{
    *txns = (sk_txns){.report = report};
    txns->list = sk_alloc((history->count + history->failed_count + 1) * sizeof *txns->list);
    for (size_t i = 0; i < history->count; i++) {
        if (!add_txn(txns, &history->list[i], history->list[i].ok ? SK_TXN_OK : SK_TXN_OPEN)) return false;
    }
    for (size_t i = 0; i < history->failed_count; i++) {
        if (!add_txn(txns, &history->failed[i], SK_TXN_FAILED)) return false;
    }
    return true;
}

void sk_txns_deinit(sk_txns *txns)
{
    sk_intern_deinit(&txns->keys);
    sk_intern_deinit(&txns->pairs);
    sk_free(txns->list);
    sk_free(txns->key_data);
    sk_free(txns->elements);
    sk_free(txns->appends);
    sk_free(txns->reads);
    sk_free(txns->seen);
    sk_free(txns->longest);
}
