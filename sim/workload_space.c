#include "sim/workload.h"

sk_operation sk_workload_space(const sk_workload_draw *draw)
{
    // Which prefix and whether it comes or goes (sim/request.c). A read has nothing to look at but the key that is never there.
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_GET, .key = draw->keys->spaces};
    return (sk_operation){.kind = SK_OPERATION_SPACE, .key = draw->keys->spaces, .expect = sk_prng_below(draw->prng, 16)};
}
