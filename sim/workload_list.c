#include "sim/workload.h"

sk_operation sk_workload_append(const sk_workload_draw *draw)
{
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_LIST, .key = draw->keys->current[SK_KEY_LIST][draw->slot]};
    return (sk_operation){.kind = SK_OPERATION_APPEND, .key = sk_keys_room(draw->keys, SK_KEY_LIST, draw->slot)};
}

sk_operation sk_workload_set(const sk_workload_draw *draw)
{
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_MEMBERS, .key = draw->keys->current[SK_KEY_SET][draw->slot]};
    return (sk_operation){.kind = SK_OPERATION_ADD, .key = sk_keys_room(draw->keys, SK_KEY_SET, draw->slot)};
}
