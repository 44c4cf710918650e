#include "sim/workload.h"

sk_operation sk_workload_counter(const sk_workload_draw *draw)
{
    return (sk_operation){.kind = draw->read ? SK_OPERATION_COUNT : SK_OPERATION_INCREMENT,
                          .key = draw->keys->current[SK_KEY_COUNTER][draw->slot]};
}
