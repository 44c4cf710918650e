// Integers, peer frames and the hello: round trips, every truncation, every flipped bit, and version 1's
// bytes for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/crc.h"
#include "base/prng.h"
#include "wire/codec.h"
#include "wire/frame.h"

// A copy that ends where its memory ends, so that a sanitizer sees a read behind it.
static sk_slice exact(sk_slice bytes)
{
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
    assert_non_null(copy);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    return sk_slice_make(copy, bytes.size);
}

static void release(sk_slice bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static void assert_hex(const sk_buffer *buffer, const char *hex)
{
    assert_int_equal(strlen(hex), buffer->size * 2);
    for (size_t i = 0; i < buffer->size; i++) {
        char digits[3];
        snprintf(digits, sizeof digits, "%02x", buffer->data[i]);
        assert_memory_equal(digits, hex + 2 * i, 2);
    }
}

// ---- Codec ----

static void integers_little_endian(void **state)
{
    (void)state;
    sk_buffer out = {0};
    sk_write_u8(&out, 0x01);
    sk_write_u16(&out, 0x0302);
    sk_write_u32(&out, 0x07060504);
    sk_write_u64(&out, 0x0f0e0d0c0b0a0908);
    sk_write_varint(&out, 300);
    sk_write_sized(&out, sk_slice_text("hi"));
    assert_hex(&out, "0102030405060708090a0b0c0d0e0fac02026869");
    sk_reader reader = sk_reader_make(sk_buffer_slice(&out));
    assert_int_equal(sk_read_u8(&reader), 0x01);
    assert_int_equal(sk_read_u16(&reader), 0x0302);
    assert_int_equal(sk_read_u32(&reader), 0x07060504);
    assert_true(sk_read_u64(&reader) == 0x0f0e0d0c0b0a0908);
    assert_int_equal(sk_read_varint(&reader), 300);
    assert_false(sk_reader_done(&reader));
    assert_true(sk_slice_equal(sk_read_sized(&reader), sk_slice_text("hi")));
    assert_true(sk_reader_done(&reader));
    assert_int_equal(sk_get_u32(out.data + 3), 0x07060504);
    assert_true(sk_get_u64(out.data + 7) == 0x0f0e0d0c0b0a0908);
    sk_buffer_deinit(&out);
}

static void a_bad_reader_stays_bad(void **state)
{
    (void)state;
    sk_slice bytes = exact(sk_slice_make("\1\2\3", 3));
    sk_reader reader = sk_reader_make(bytes);
    assert_int_equal(sk_read_u32(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(sk_read_u8(&reader), 0);
    assert_int_equal(sk_read_u16(&reader), 0);
    assert_true(sk_read_u64(&reader) == 0);
    assert_true(sk_read_varint(&reader) == 0);
    assert_int_equal(sk_read_sized(&reader).size, 0);
    assert_int_equal(sk_read_bytes(&reader, 0).size, 0);
    assert_int_equal(sk_reader_left(&reader), 0);
    assert_false(sk_reader_done(&reader));
    release(bytes);
}

static void varints_go_round(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 1);
    for (int i = 0; i < 5000; i++) {
        uint64_t value = sk_prng_next(&prng) >> sk_prng_below(&prng, 64);
        if (i < 64) value = (uint64_t)1 << i;
        if (i >= 64 && i < 128) value = ((uint64_t)1 << (i - 64)) - 1;
        if (i == 128) value = UINT64_MAX;
        sk_buffer out = {0};
        sk_write_varint(&out, value);
        assert_int_equal(out.size, sk_varint_size(value));
        assert_true(out.size <= SK_VARINT_SIZE_MAX);
        sk_slice bytes = exact(sk_buffer_slice(&out));
        sk_reader reader = sk_reader_make(bytes);
        assert_true(sk_read_varint(&reader) == value);
        assert_true(sk_reader_done(&reader));
        for (size_t size = 0; size < out.size; size++) {
            reader = sk_reader_make(sk_slice_make(bytes.data, size));
            sk_read_varint(&reader);
            assert_true(reader.bad);
        }
        release(bytes);
        sk_buffer_deinit(&out);
    }
}

static void varints_too_long_are_bad(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool bad;
    } cases[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, false}, // the greatest
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, true},  // one bit more than 64
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, true},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, true},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sk_reader reader = sk_reader_make(sk_slice_make(cases[i].bytes, cases[i].size));
        uint64_t value = sk_read_varint(&reader);
        assert_int_equal(reader.bad, cases[i].bad);
        assert_true(value == (cases[i].bad ? 0 : UINT64_MAX));
    }
}

static void sizes_that_lie_are_bad(void **state)
{
    (void)state;
    sk_slice bytes = exact(sk_slice_make("\x05tiny", 5));
    sk_reader reader = sk_reader_make(bytes);
    assert_int_equal(sk_read_sized(&reader).size, 0);
    assert_true(reader.bad);
    release(bytes);
    bytes = exact(sk_slice_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01y", 11)); // 2^64 - 1 bytes
    reader = sk_reader_make(bytes);
    sk_read_sized(&reader);
    assert_true(reader.bad);
    release(bytes);
}

// ---- Frames ----

static void golden_frames(void **state)
{
    (void)state;
    sk_buffer out = {0};
    uint8_t trace[SK_TRACE_CONTEXT_SIZE];
    for (size_t i = 0; i < sizeof trace; i++) trace[i] = (uint8_t)(0x10 + i);
    sk_frame_write(&out,
                   &(sk_frame){.kind = SK_FRAME_PROTOCOL, .space = 300, .payload = sk_slice_text("honk")});
    assert_hex(&out, "08000000919f324992d074410200ac02686f6e6b");
    sk_buffer_clear(&out);
    sk_frame_write(&out, &(sk_frame){.kind = SK_FRAME_FORWARD,
                                     .space = 1,
                                     .trace = sk_slice_make(trace, sizeof trace),
                                     .payload = sk_slice_text("v")});
    assert_hex(&out, "1c0000000709254319dde09f030101101112131415161718191a1b1c1d1e1f2021222324252627"
                     "76");
    sk_buffer_deinit(&out);
}

static void frames_go_round(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 2);
    sk_buffer out = {0};
    enum { COUNT = 200 };
    sk_frame frames[COUNT];
    static uint8_t bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)sk_prng_next(&prng);
    for (int i = 0; i < COUNT; i++) {
        frames[i] = (sk_frame){.kind = (enum sk_frame_kind)sk_prng_between(&prng, 1, SK_FRAME_KIND_END - 1),
                               .space = (uint32_t)(sk_prng_next(&prng) >> sk_prng_between(&prng, 32, 63)),
                               .payload = sk_slice_make(bytes, sk_prng_below(&prng, sizeof bytes))};
        if (sk_prng_chance(&prng, 1, 3)) frames[i].trace = sk_slice_make(bytes + 7, SK_TRACE_CONTEXT_SIZE);
        sk_frame_write(&out, &frames[i]);
    }
    sk_slice left = sk_buffer_slice(&out);
    for (int i = 0; i < COUNT; i++) { // one behind the other in one input
        sk_frame frame;
        size_t used;
        assert_int_equal(sk_frame_parse(left, &frame, &used), 1);
        assert_int_equal(frame.kind, frames[i].kind);
        assert_int_equal(frame.space, frames[i].space);
        assert_int_equal(frame.flags, frames[i].trace.size ? SK_FRAME_TRACED : 0);
        assert_true(sk_slice_equal(frame.trace, frames[i].trace));
        assert_true(sk_slice_equal(frame.payload, frames[i].payload));
        left = sk_slice_make(left.data + used, left.size - used);
    }
    assert_int_equal(left.size, 0);
    sk_buffer_deinit(&out);
}

static void sample_frame(sk_buffer *out, bool traced)
{
    static const uint8_t trace[SK_TRACE_CONTEXT_SIZE] = {1, 2, 3};
    sk_frame frame = {
        .kind = SK_FRAME_ANSWER, .space = 70000, .payload = sk_slice_text("a payload of some length")};
    if (traced) frame.trace = sk_slice_make(trace, sizeof trace);
    sk_frame_write(out, &frame);
}

static void every_truncation_waits(void **state)
{
    (void)state;
    for (int traced = 0; traced < 2; traced++) {
        sk_buffer out = {0};
        sample_frame(&out, traced);
        for (size_t size = 0; size < out.size; size++) {
            sk_slice cut = exact(sk_slice_make(out.data, size));
            sk_frame frame;
            size_t used;
            assert_int_equal(sk_frame_parse(cut, &frame, &used), 0);
            release(cut);
        }
        sk_buffer_deinit(&out);
    }
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (int traced = 0; traced < 2; traced++) {
        sk_buffer out = {0};
        sample_frame(&out, traced);
        for (size_t bit = 0; bit < out.size * 8; bit++) {
            sk_slice bytes = exact(sk_buffer_slice(&out));
            ((uint8_t *)(uintptr_t)bytes.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
            sk_frame frame;
            size_t used;
            int result = sk_frame_parse(bytes, &frame, &used);
            // A size beyond all bounds is told first.
            if (bit < 32 && result == SK_EPROTOCOL) result = SK_ECORRUPT;
            assert_int_equal(result, SK_ECORRUPT);
            release(bytes);
        }
        sk_buffer_deinit(&out);
    }
}

// A size that grew on the way must not be waited for: it would swallow the frames behind it, for as long as they take to
// come, and the link would look alive.
static void a_grown_size_is_seen_with_its_header(void **state)
{
    (void)state;
    sk_buffer out = {0};
    sample_frame(&out, false);
    for (unsigned bit = 0; bit < 32; bit++) {
        uint8_t head[SK_FRAME_CHECKED_SIZE];
        memcpy(head, out.data, sizeof head);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        sk_frame frame;
        size_t used;
        assert_true(sk_frame_parse(sk_slice_make(head, sizeof head), &frame, &used) < 0);
    }
    sk_buffer_deinit(&out);
}

// A frame made by somebody who can compute a CRC but does not keep to the format.
static int parse_crafted(const char *body, size_t size)
{
    sk_buffer out = {0};
    sk_write_u32(&out, (uint32_t)size);
    sk_write_u32(&out, sk_crc32c(0, body, size));
    sk_write_u32(&out, sk_crc32c(0, out.data, 8));
    sk_buffer_append(&out, body, size);
    sk_slice bytes = exact(sk_buffer_slice(&out));
    sk_frame frame;
    size_t used;
    int result = sk_frame_parse(bytes, &frame, &used);
    release(bytes);
    sk_buffer_deinit(&out);
    return result;
}

static void crafted_frames_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_crafted("\x02\x00\x01", 3), 1);                 // the least that is one
    assert_int_equal(parse_crafted("", 0), SK_EPROTOCOL);                  // shorter than a header
    assert_int_equal(parse_crafted("\x02\x00", 2), SK_EPROTOCOL);          // no space
    assert_int_equal(parse_crafted("\x00\x00\x01", 3), SK_EPROTOCOL);      // kind 0
    assert_int_equal(parse_crafted("\x08\x00\x01", 3), SK_EPROTOCOL);      // unknown kind
    assert_int_equal(parse_crafted("\x02\x02\x01", 3), SK_EPROTOCOL);      // unknown flag
    assert_int_equal(parse_crafted("\x02\x01\x01short", 8), SK_EPROTOCOL); // traced, without a trace
    assert_int_equal(parse_crafted("\x02\x00\x80", 3), SK_EPROTOCOL);      // a varint without an end
    assert_int_equal(parse_crafted("\x02\x00\xff\xff\xff\xff\x0f", 7), 1); // the last space
    assert_int_equal(parse_crafted("\x02\x00\x80\x80\x80\x80\x10", 7), SK_EPROTOCOL); // one more
}

static void oversize_is_refused_by_its_first_bytes(void **state)
{
    (void)state;
    sk_frame frame;
    size_t used;
    uint8_t head[4];
    sk_put_u32(head, SK_FRAME_SIZE_MAX);
    assert_int_equal(sk_frame_parse(sk_slice_make(head, 4), &frame, &used), 0);
    sk_put_u32(head, SK_FRAME_SIZE_MAX + 1);
    assert_int_equal(sk_frame_parse(sk_slice_make(head, 4), &frame, &used), SK_EPROTOCOL);
    sk_put_u32(head, UINT32_MAX);
    assert_int_equal(sk_frame_parse(sk_slice_make(head, 4), &frame, &used), SK_EPROTOCOL);
    sk_put_u32(head, 0);
    assert_int_equal(sk_frame_parse(sk_slice_make(head, 4), &frame, &used), SK_EPROTOCOL);
}

// ---- Hello ----

static sk_hello sample_hello(const char *address)
{
    sk_hello hello = {.version = 1, .feature_level = 1, .node = 7, .boot = 0x0102030405060708};
    for (size_t i = 0; i < sizeof hello.cluster; i++) hello.cluster[i] = (uint8_t)(0xa0 + i);
    snprintf(hello.client_address, sizeof hello.client_address, "%s", address);
    return hello;
}

static sk_frame hello_frame(const sk_buffer *out)
{
    sk_frame frame;
    size_t used;
    assert_int_equal(sk_frame_parse(sk_buffer_slice(out), &frame, &used), 1);
    assert_int_equal(used, out->size);
    assert_int_equal(frame.kind, SK_FRAME_HELLO);
    assert_int_equal(frame.space, 0);
    return frame;
}

static void golden_hello(void **state)
{
    (void)state;
    sk_buffer out = {0};
    sk_hello hello = sample_hello("10.0.0.7:6379");
    sk_hello_write(&out, &hello);
    assert_hex(&out, "39000000f80acf868a719e0f010000534b45494e004c4b01000100a0a1a2a3a4a5a6a7a8a9aaab"
                     "acadaeaf0700000008070605040302010d31302e302e302e373a36333739");
    sk_buffer_clear(&out);
    hello = sample_hello("");
    sk_hello_write(&out, &hello);
    assert_hex(&out, "2c000000caf41eceeda8bab5010000534b45494e004c4b01000100a0a1a2a3a4a5a6a7a8a9aaab"
                     "acadaeaf07000000080706050403020100");
    sk_buffer_deinit(&out);
}

static void hello_goes_round(void **state)
{
    (void)state;
    char longest[SK_HELLO_ADDRESS_MAX];
    memset(longest, 'h', sizeof longest);
    longest[sizeof longest - 1] = 0;
    const char *const addresses[] = {"", "[::1]:6379", longest};
    for (size_t i = 0; i < 3; i++) {
        sk_buffer out = {0};
        sk_hello hello = sample_hello(addresses[i]), got;
        sk_hello_write(&out, &hello);
        assert_int_equal(sk_hello_read(hello_frame(&out).payload, &got), 0);
        assert_int_equal(got.version, hello.version);
        assert_int_equal(got.feature_level, hello.feature_level);
        assert_memory_equal(got.cluster, hello.cluster, sizeof hello.cluster);
        assert_int_equal(got.node, hello.node);
        assert_true(got.boot == hello.boot);
        assert_string_equal(got.client_address, hello.client_address);
        sk_buffer_deinit(&out);
    }
}

static void hello_bad_ones(void **state)
{
    (void)state;
    sk_buffer out = {0};
    sk_hello hello = sample_hello("10.0.0.7:6379"), got;
    sk_hello_write(&out, &hello);
    sk_slice payload = hello_frame(&out).payload;
    for (size_t size = 0; size < payload.size; size++) { // every truncation
        sk_slice cut = exact(sk_slice_make(payload.data, size));
        assert_int_equal(sk_hello_read(cut, &got), SK_EPROTOCOL);
        release(cut);
    }
    uint8_t bytes[128];
    memcpy(bytes, payload.data, payload.size);
    bytes[payload.size] = 0; // one byte more
    assert_int_equal(sk_hello_read(sk_slice_make(bytes, payload.size + 1), &got), SK_EPROTOCOL);
    for (size_t i = 0; i < 8; i++) { // somebody else's magic
        bytes[i] ^= 1;
        assert_int_equal(sk_hello_read(sk_slice_make(bytes, payload.size), &got), SK_EPROTOCOL);
        bytes[i] ^= 1;
    }
    assert_int_equal(sk_hello_read(sk_slice_make(bytes, payload.size), &got), 0);
    sk_put_u16(bytes + 8, 0); // no such version
    assert_int_equal(sk_hello_read(sk_slice_make(bytes, payload.size), &got), SK_EPROTOCOL);
    sk_put_u16(bytes + 8, SK_WIRE_VERSION + 1); // newer, whatever else it holds
    assert_int_equal(sk_hello_read(sk_slice_make(bytes, payload.size), &got), SK_EVERSION);
    assert_int_equal(sk_hello_read(sk_slice_make(bytes, 10), &got), SK_EVERSION);
    sk_buffer_deinit(&out);
}

static void hello_address_too_long(void **state)
{
    (void)state;
    sk_buffer out = {0};
    sk_hello hello = sample_hello(""), got;
    sk_hello_write(&out, &hello);
    sk_slice payload = hello_frame(&out).payload;
    sk_buffer crafted = {0};
    char address[SK_HELLO_ADDRESS_MAX];
    memset(address, 'h', sizeof address);
    sk_buffer_append(&crafted, payload.data, payload.size - 1);
    sk_write_sized(&crafted, sk_slice_make(address, sizeof address)); // no room for the terminator
    assert_int_equal(sk_hello_read(sk_buffer_slice(&crafted), &got), SK_EPROTOCOL);
    sk_buffer_deinit(&crafted);
    sk_buffer_deinit(&out);
}

// A frame says how long it is: too long is refused at its first four bytes, and a wrong length as soon as its checksum is there,
// never waited for.
static void S12_a_length_is_not_believed(void **state)
{
    (void)state;
    uint8_t header[SK_FRAME_CHECKED_SIZE] = {0};
    sk_frame frame;
    size_t used;
    sk_put_u32(header, SK_FRAME_SIZE_MAX + 1);
    sk_put_u32(header + 8, sk_crc32c(0, header, 8));
    assert_int_equal(sk_frame_parse(sk_slice_make(header, 4), &frame, &used), SK_EPROTOCOL);
    assert_int_equal(sk_frame_parse(sk_slice_make(header, sizeof header), &frame, &used), SK_EPROTOCOL);
    sk_buffer bytes = {0};
    sk_frame_write(&bytes, &(sk_frame){.kind = SK_FRAME_PROTOCOL, .space = 1, .payload = sk_slice_text("payload")});
    for (unsigned bit = 0; bit < 32; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(sk_frame_parse(sk_slice_make(bytes.data, SK_FRAME_CHECKED_SIZE), &frame, &used) < 0);
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(sk_frame_parse(sk_buffer_slice(&bytes), &frame, &used), 1);
    sk_buffer_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_little_endian),
        cmocka_unit_test(a_bad_reader_stays_bad),
        cmocka_unit_test(varints_go_round),
        cmocka_unit_test(varints_too_long_are_bad),
        cmocka_unit_test(sizes_that_lie_are_bad),
        cmocka_unit_test(golden_frames),
        cmocka_unit_test(frames_go_round),
        cmocka_unit_test(every_truncation_waits),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_grown_size_is_seen_with_its_header),
        cmocka_unit_test(crafted_frames_are_refused),
        cmocka_unit_test(oversize_is_refused_by_its_first_bytes),
        cmocka_unit_test(golden_hello),
        cmocka_unit_test(hello_goes_round),
        cmocka_unit_test(hello_bad_ones),
        cmocka_unit_test(S12_a_length_is_not_believed),
        cmocka_unit_test(hello_address_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
