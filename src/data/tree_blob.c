// Large keys and values: counted, shared by all nodes that hold them.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/tree_node.h"

sk_blob *sk_blob_make(sk_slice bytes)
{
    SK_ASSERT(bytes.size <= SIZE_MAX - sizeof(sk_blob));
    sk_blob *blob = sk_alloc(sizeof *blob + bytes.size);
    blob->references = 1;
    blob->size = bytes.size;
    if (bytes.size) memcpy(blob->data, bytes.data, bytes.size);
    return blob;
}

void sk_blob_retain(sk_blob *blob)
{
    SK_ASSERT(blob->references > 0 && blob->references < UINT32_MAX);
    blob->references++;
}

void sk_blob_release(sk_blob *blob)
{
    SK_ASSERT(blob->references > 0);
    if (--blob->references == 0) sk_free(blob);
}
