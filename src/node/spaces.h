// The spaces of this node: opened at start from the roster, opened and closed while it runs as the catalogue says.
#ifndef SK_NODE_SPACES_H
#define SK_NODE_SPACES_H

#include "node/node.h"

typedef struct sk_space sk_space;
typedef struct sk_space_kind sk_space_kind;

// At start, before anything is recovered: the system and default spaces and those of the roster.
void sk_spaces_at_start(sk_node *node);
// A record of a space that nobody names: with a damaged roster it is opened, from the snapshot on; else NULL.
sk_space *sk_spaces_found_in_log(sk_node *node, uint32_t id);
// Once a turn, before any space's own: learns the catalogue, writes the roster, opens and closes, takes the driver's next step, routes
// parked requests.
void sk_spaces_turn(sk_node *node);
sk_ns sk_spaces_deadline(const sk_node *node);
void sk_spaces_deinit(sk_node *node); // the disk is gone or at rest
// Something that the driver or parked requests look at has changed.
void sk_spaces_look(sk_node *node);

// ---- driver.c: whoever leads the system space takes the steps of the space under way ----

void sk_driver_turn(sk_node *node);
sk_ns sk_driver_deadline(const sk_node *node);

#endif
