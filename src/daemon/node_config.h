// From settings to what the node is given. What only the running host knows (ports, seed, process) is left to
// the caller.
#ifndef SK_DAEMON_NODE_CONFIG_H
#define SK_DAEMON_NODE_CONFIG_H

#include "daemon/settings.h"
#include "node/node.h"

void sk_settings_node_config(const sk_settings *settings, sk_node_config *out);

#endif
