// The sessions in a snapshot's head. Beyond not crashing: what is read is written again the same.
#include "base/assert.h"
#include "node/session.h"
#include "test/support/fuzz.h"

static void sessions(sk_slice input)
{
    sk_sessions first, second;
    sk_sessions_init(&first);
    sk_sessions_init(&second);
    sk_reader reader = sk_reader_make(input);
    if (sk_sessions_read(&first, &reader) == 0) {
        sk_buffer bytes = {0};
        sk_sessions_write(&first, &bytes);
        reader = sk_reader_make(sk_buffer_slice(&bytes));
        SK_ASSERT(sk_sessions_read(&second, &reader) == 0);
        SK_ASSERT(sk_sessions_digest(&first) == sk_sessions_digest(&second));
        sk_buffer_deinit(&bytes);
    }
    sk_sessions_deinit(&first);
    sk_sessions_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sessions(sk_slice_make(data, size));
    return 0;
}
