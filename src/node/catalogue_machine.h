// The system space's machine: a key space that holds what the nodes say of themselves (node/N), and the catalogue, which is one value
// of it: so both travel in the same snapshots and count in the same digest.
#ifndef SK_NODE_CATALOGUE_MACHINE_H
#define SK_NODE_CATALOGUE_MACHINE_H

#include "node/catalogue.h"
#include "protocol/machine.h"

sk_machine *sk_catalogue_machine_open(void);
sk_keyspace_facts sk_catalogue_machine_facts(const sk_machine *machine);
// As of what the machine has applied. `*changes` counts its changes in this life: a snapshot that was installed is one.
const sk_catalogue *sk_catalogue_machine_get(const sk_machine *machine, uint64_t *changes);

#endif
