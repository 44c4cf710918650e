// What the checks of lists, sets and counters share: writes that have a place in one order, and reads behind a place.
#ifndef SIM_HISTORY_PRIVATE_H
#define SIM_HISTORY_PRIVATE_H

#include "sim/history.h"

typedef struct sk_history_step {
    uint64_t place; // writes: 1, 2, 3, ...; a read stands behind the write of its place
    bool read;
    sk_ns start, end;
    uint32_t client;
} sk_history_step;

// Nothing may end before something of an earlier place began, and no place is taken twice. Sorts the list.
bool sk_history_check_order(sk_history_step *list, size_t count, char kind, uint32_t key, char *problem, size_t size);
// Is what this operation read the beginning of the longest read?
bool sk_history_check_prefix(const sk_operation *op, sk_slice longest, char *problem, size_t size);

#endif
