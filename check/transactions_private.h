// What check/transactions*.c share: transactions taken apart into appends and reads.
#ifndef SK_CHECK_TRANSACTIONS_PRIVATE_H
#define SK_CHECK_TRANSACTIONS_PRIVATE_H

#include "check/intern.h"
#include "check/transactions.h"

enum { SK_TXN_NONE = UINT32_MAX };

typedef enum sk_txn_status { SK_TXN_OK, SK_TXN_OPEN, SK_TXN_FAILED } sk_txn_status;

typedef struct sk_txn {
    const sk_check_operation *operation;
    sk_txn_status status;
    bool counts;                // it happened: completed, or somebody saw what it appended
    uint32_t appends, append_count; // in appends[]
    uint32_t reads, read_count;     // in reads[]
} sk_txn;

typedef struct sk_txn_element { // one appended value of one key
    uint32_t key;
    uint32_t txn;          // who appended it; SK_TXN_NONE: nobody
    const sk_datum *value;
    bool final;            // the last that its transaction appended to this key
    uint32_t place;        // in the key's order; SK_TXN_NONE: nobody read it
} sk_txn_element;

typedef struct sk_txn_read {
    uint32_t txn, key;
    uint32_t begin, count; // what it saw: element numbers in seen[]
    uint32_t external;     // the first of those: without what its own transaction had appended
    bool repeated;         // its transaction had read the key before
} sk_txn_read;

typedef struct sk_txns {
    sk_txn *list; // completed and open ones by call, then failed ones
    uint32_t count;
    sk_intern keys, pairs; // a pair's number is its element's
    const sk_datum **key_data;
    uint32_t key_capacity;
    sk_txn_element *elements;
    uint32_t element_capacity;
    uint32_t *appends; // element numbers
    uint32_t append_count, append_capacity;
    sk_txn_read *reads;
    uint32_t read_count, read_capacity;
    uint32_t *seen;
    size_t seen_count, seen_capacity;
    uint32_t *longest; // by key: the read that saw most; SK_TXN_NONE: none
    sk_report *report;
} sk_txns;

// Takes the history apart. False: the report says what is wrong with it, or unknown.
bool sk_txns_read(sk_txns *txns, const sk_check_history *history, sk_report *report);
void sk_txns_deinit(sk_txns *txns);
// What single reads tell: aborted, intermediate, unordered ... Sets every key's order. False: the report says what is wrong.
bool sk_txns_check_reads(sk_txns *txns);
// Cycles. False: the report says which, or that their graph needs more than `memory` bytes (0: no limit).
bool sk_txns_check_cycles(sk_txns *txns, const sk_check_history *history, enum sk_transaction_order order, size_t memory);
// "2 of :x"
void sk_txns_write_element(const sk_txns *txns, uint32_t element, sk_buffer *out);

#endif
