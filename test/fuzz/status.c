// What a node says of itself, read by `skein status`: any RESP value is read or refused, and rows of it can be drawn.
#include "base/assert.h"
#include "cli/view.h"
#include "test/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sk_resp_value value;
    size_t used = 0;
    if (sk_resp_value_parse(sk_slice_make(data, size), &value, &used) == 1) {
        static sk_cluster_view cluster; // large; overwritten by every input
        cluster = (sk_cluster_view){0};
        if (sk_view_read_list(&value, &cluster) != 0) SK_ASSERT(cluster.count == 0);
        SK_ASSERT(cluster.count <= SK_VIEW_NODES_MAX);
        cluster.count = 1;
        int error = sk_view_read_status(&value, &cluster.nodes[0]);
        SK_ASSERT(error ? !cluster.nodes[0].answered : cluster.nodes[0].answered);
        char row[512];
        sk_view_row(&cluster, &cluster.nodes[0], row, sizeof row);
        for (const char *at = row; *at; at++) SK_ASSERT(*at >= ' ' && *at < 127);
        (void)sk_view_leader(&cluster);
    }
    sk_resp_value_deinit(&value);
    return 0;
}
