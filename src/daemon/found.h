// Who a directory belongs to: founding it, and checking that it is the one that was meant.
//
// All founders of a cluster must write the same cluster id. It is given (cluster-id), or derived from what
// all of them are told alike: SHA-256 over the cluster's name and its founders in order of id, of which the
// first 16 bytes count.
#ifndef SK_DAEMON_FOUND_H
#define SK_DAEMON_FOUND_H

#include "daemon/settings.h"
#include "store/identity.h"

enum { SK_CLUSTER_TEXT_MAX = 2 * SK_CLUSTER_ID_SIZE + 1 };

void sk_found_format(const sk_cluster_id *id, char out[SK_CLUSTER_TEXT_MAX]);
sk_cluster_id sk_found_derive(const char *name, const sk_founder *founders, uint32_t count);

// The identity that these settings found for node `settings->node`, its peers and its cluster. 0, or
// SK_EINVAL with `problem`.
int sk_found_identity(const sk_settings *settings, sk_identity *out, char *problem, size_t problem_size);
// A cluster of one with an id of its own.
void sk_found_alone(const sk_settings *settings, const uint8_t random[SK_CLUSTER_ID_SIZE], sk_identity *out);
// Is the identity found in the directory the one that the settings mean? 0, or SK_EFOREIGN with `problem`.
int sk_found_check(const sk_settings *settings, const sk_identity *identity, char *problem,
                   size_t problem_size);
// The founders with addresses as configured now where they are, else as written at founding.
uint32_t sk_found_peers(const sk_settings *settings, const sk_identity *identity,
                        sk_founder out[SK_FOUNDERS_MAX]);

#endif
