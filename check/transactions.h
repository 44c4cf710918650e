// Serializability of list-append transactions, after Elle (Kingsbury and Alvaro 2020).
//
// A transaction is {:f :txn :value [[:append k v] [:r k nil]]}; its completion tells what was read: [[:append k v] [:r k [v ...]]].
// Every (k, v) is appended once, so a list read tells which writes came before it and in which order; from that follows who must
// precede whom: ww (the next to append), wr (who read it), rw (who appended what was not read yet). A cycle of these is a proof that
// no serial order exists. Named as Adya (1999) does:
//   G0 cycle of ww · G1a aborted read · G1b intermediate read · G1c cycle of ww and wr · G-single cycle with one rw · G2 any other
//   also: a read that contradicts its own transaction, lists that are no prefixes of each other, an element twice or from nobody
// With SK_ORDER_PROCESS and SK_ORDER_REALTIME the order of each process, and of what had returned before the other was called,
// counts as well (named -process, -realtime).
//
// A transaction of unknown outcome counts if somebody saw one of its appends. "Holds" means that none of these was found.
#ifndef SK_CHECK_TRANSACTIONS_H
#define SK_CHECK_TRANSACTIONS_H

#include "check/report.h"

enum sk_transaction_order { SK_ORDER_ANY, SK_ORDER_PROCESS, SK_ORDER_REALTIME }; // each includes the ones before it

void sk_check_transactions(const sk_check_history *history, enum sk_transaction_order order, const sk_check_limits *limits,
                           sk_report *report);

#endif
