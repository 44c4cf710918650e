#include "protocol/crdt/message.h"

static const uint16_t fields[SK_CRDT_KIND_END] = {
    [SK_CRDT_OPERATIONS] = SK_HAS_BYTES,
    [SK_CRDT_REPORT] = SK_HAS_REPORT | SK_HAS_HEARD | SK_HAS_FLAGS | SK_HAS_SEEN | SK_HAS_BASE,
    [SK_CRDT_ASK] = SK_HAS_SESSION | SK_HAS_FLAG | SK_HAS_SEEN,
    [SK_CRDT_CHUNK] = SK_HAS_SESSION | SK_HAS_NUMBER | SK_HAS_BYTES,
    [SK_CRDT_GRANT] = SK_HAS_SESSION | SK_HAS_NUMBER,
    [SK_CRDT_DONE] = SK_HAS_SESSION | SK_HAS_NUMBER | SK_HAS_FLAG | SK_HAS_SEEN | SK_HAS_BASE,
};

const sk_merger_form sk_crdt_form = {.fields = fields, .kind_end = SK_CRDT_KIND_END};
