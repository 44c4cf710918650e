#include "daemon/node_config.h"

#include <string.h>

void sk_settings_node_config(const sk_settings *settings, sk_node_config *out)
{
    sk_node_config_default(out);
    out->timing = (sk_timing){.heartbeat_active = settings->heartbeat_active,
                              .heartbeat_idle = settings->heartbeat_idle,
                              .election_min = settings->election_min,
                              .election_max = settings->election_max};
    bool leases = strcmp(settings->reads, "lease") == 0;
    out->lease = (sk_lease){.length = leases ? settings->election_min : 0,
                            .drift_ppm = (uint32_t)settings->clock_drift_max};
    out->limits = (sk_limits){.window_bytes_max = settings->log_memory_max,
                              .message_bytes_max = settings->peer_message_max,
                              .inflight_bytes_max = settings->peer_inflight_max,
                              .inflight_count_max = (uint32_t)settings->peer_inflight_messages,
                              .pending_max = (uint32_t)settings->space_pending_max,
                              .log_entries_max = settings->snapshot_entries,
                              .log_bytes_max = settings->snapshot_bytes};
    out->commit_delay = settings->commit_delay;
    out->wal.segment_size = settings->log_segment_size;
    out->wal.size_max = settings->log_size_max;
    out->request_timeout = settings->request_timeout;
    out->space_memory_max = settings->space_memory_max;
    out->request_size_max = settings->request_size_max;
    out->client_output_max = settings->client_output_max;
    out->client_pending_max = settings->client_pending_max;
    out->clients_max = (uint32_t)settings->clients_max;
    out->origin_pending_max = settings->forward_pending_max;
    out->origin_bytes_max = settings->forward_bytes_max;
    out->snapshot_inflight_max = settings->snapshot_inflight_max;
}
