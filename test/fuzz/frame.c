// A peer's bytes: a stream of frames, and hellos. The first byte chooses: even, the bytes as they are; odd, the rest as the
// payload of a whole frame with a right checksum (which chance never finds).
//
// Beyond not crashing: less than a whole frame is never taken for one or for an error that more bytes would mend.
#include "base/assert.h"
#include "test/support/fuzz.h"
#include "wire/frame.h"

static void stream(sk_slice input)
{
    while (input.size) {
        sk_frame frame;
        size_t used = 0;
        int found = sk_frame_parse(input, &frame, &used);
        if (found != 1) return;
        SK_ASSERT(used > 0 && used <= input.size);
        SK_ASSERT(frame.payload.size <= used);
        size_t part = 0;
        for (size_t size = 0; size < used; size += 1 + size / 8) {
            SK_ASSERT(sk_frame_parse(sk_slice_make(input.data, size), &frame, &part) == 0);
        }
        input = sk_slice_make(input.data + used, input.size - used);
    }
}

static void wrapped(uint8_t choice, sk_slice payload)
{
    sk_frame frame = {.kind = (enum sk_frame_kind)(1 + choice / 2 % (SK_FRAME_KIND_END - 1)), .space = choice, .payload = payload};
    sk_buffer bytes = {0};
    sk_frame_write(&bytes, &frame);
    sk_frame again;
    size_t used = 0;
    SK_ASSERT(sk_frame_parse(sk_buffer_slice(&bytes), &again, &used) == 1 && used == bytes.size);
    SK_ASSERT(again.kind == frame.kind && again.space == frame.space && sk_slice_equal(again.payload, payload));
    sk_hello hello;
    if (sk_hello_read(payload, &hello) == 0) {
        sk_buffer written = {0};
        sk_hello_write(&written, &hello);
        sk_hello back;
        SK_ASSERT(sk_frame_parse(sk_buffer_slice(&written), &again, &used) == 1);
        SK_ASSERT(sk_hello_read(again.payload, &back) == 0 && back.node == hello.node && back.boot == hello.boot);
        sk_buffer_deinit(&written);
    }
    bytes.data[choice % bytes.size] ^= 1; // one bit of damage anywhere is seen, or more bytes are waited for
    SK_ASSERT(sk_frame_parse(sk_buffer_slice(&bytes), &again, &used) != 1);
    sk_buffer_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    sk_slice rest = sk_slice_make(data + 1, size - 1);
    if (data[0] % 2 == 0) stream(rest);
    else wrapped(data[0], rest);
    return 0;
}
