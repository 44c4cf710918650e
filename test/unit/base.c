// Bytes, arena, ring, CRC, hashes and the generator: known answers, and dumb second versions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crc.c" // the portable way has no name outside
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/ring.h"

// ---- Bytes ----

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void slices_order_as_bytes(void **state)
{
    (void)state;
    static const char *const ascending[] = {"",   "a",    "aa",   "ab",   "b",
                                            "ba", "\x7f", "\x80", "\xff", "\xff\xff"};
    enum { COUNT = sizeof ascending / sizeof ascending[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            sk_slice a = sk_slice_text(ascending[i]), b = sk_slice_text(ascending[j]);
            assert_int_equal(sign(sk_slice_compare(a, b)), sign(i - j));
            assert_int_equal(sk_slice_equal(a, b), i == j);
        }
    }
    sk_slice none = {0};
    assert_int_equal(sk_slice_compare(none, none), 0);
    assert_true(sk_slice_equal(none, sk_slice_text("")));
    assert_int_equal(sign(sk_slice_compare(sk_slice_make("a\0a", 3), sk_slice_make("a\0b", 3))), -1);
}

static void names_are_equal_in_any_case(void **state)
{
    (void)state;
    assert_true(sk_slice_equal_nocase(sk_slice_text("GeT"), "get"));
    assert_true(sk_slice_equal_nocase(sk_slice_text(""), ""));
    assert_false(sk_slice_equal_nocase(sk_slice_text("get"), "gets"));
    assert_false(sk_slice_equal_nocase(sk_slice_text("gets"), "get"));
    assert_false(sk_slice_equal_nocase(sk_slice_make("get\0", 4), "get"));
    assert_false(sk_slice_equal_nocase(sk_slice_text("\xc0"), "\xe0")); // ASCII alone is folded
    assert_false(sk_slice_equal_nocase(sk_slice_text("["), "{"));
}

static void buffer_against_an_array(void **state)
{
    (void)state;
    static uint8_t model[200000];
    size_t size = 0;
    sk_buffer buffer = {0};
    sk_prng prng;
    sk_prng_init(&prng, 1);
    for (int i = 0; i < 3000; i++) {
        uint8_t piece[200];
        size_t n = sk_prng_below(&prng, sizeof piece);
        for (size_t j = 0; j < n; j++) piece[j] = (uint8_t)sk_prng_next(&prng);
        switch (sk_prng_below(&prng, 8)) {
        case 0:
        case 1:
        case 2:
            if (size + n > sizeof model) break;
            sk_buffer_append(&buffer, piece, n);
            memcpy(model + size, piece, n);
            size += n;
            break;
        case 3:
            if (size == sizeof model) break;
            sk_buffer_append_byte(&buffer, 42);
            model[size++] = 42;
            break;
        case 4:
        case 5: {
            size_t gone = n < size ? n : size;
            sk_buffer_consume(&buffer, gone);
            memmove(model, model + gone, size - gone);
            size -= gone;
            break;
        }
        case 6:
            if (size + 20 > sizeof model) break;
            sk_buffer_printf(&buffer, "%04d%s", i, "goose");
            snprintf((char *)model + size, 10, "%04d%s", i, "goose");
            size += 9;
            break;
        default:
            if (sk_prng_chance(&prng, 1, 50)) {
                sk_buffer_reset(&buffer, sk_prng_below(&prng, 4096));
                size = 0;
            }
        }
        assert_true(sk_slice_equal(sk_buffer_slice(&buffer), sk_slice_make(model, size)));
        assert_true(buffer.size <= buffer.capacity);
    }
    sk_buffer_deinit(&buffer);
    assert_null(buffer.data);
}

static void buffer_keeps_or_gives_back(void **state)
{
    (void)state;
    sk_buffer buffer = {0};
    sk_buffer_reserve(&buffer, 10000);
    assert_int_equal(buffer.size, 0);
    size_t capacity = buffer.capacity;
    sk_buffer_append_text(&buffer, "x");
    sk_buffer_reset(&buffer, capacity);
    assert_int_equal(buffer.capacity, capacity);
    assert_int_equal(buffer.size, 0);
    sk_buffer_reset(&buffer, capacity - 1);
    assert_int_equal(buffer.capacity, 0);
    sk_buffer_append(&buffer, NULL, 0);
    sk_buffer_consume(&buffer, 0);
    sk_buffer_deinit(&buffer);
}

// ---- Arena ----

static void arena_keeps_what_was_taken(void **state)
{
    (void)state;
    sk_arena arena = {0};
    sk_prng prng;
    sk_prng_init(&prng, 2);
    for (int round = 0; round < 20; round++) {
        uint8_t *taken[300];
        size_t sizes[300];
        for (int i = 0; i < 300; i++) {
            sizes[i] = sk_prng_below(&prng, sk_prng_chance(&prng, 1, 30) ? 300000 : 500);
            taken[i] = sk_arena_take(&arena, sizes[i]);
            assert_int_equal((uintptr_t)taken[i] % 8, 0);
            size_t unused = sk_prng_chance(&prng, 1, 5) ? sk_prng_below(&prng, sizes[i] + 1) : 0;
            sk_arena_give_back(&arena, unused);
            sizes[i] -= unused;
            memset(taken[i], i & 255, sizes[i]);
        }
        for (int i = 0; i < 300; i++) {
            for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(taken[i][j], i & 255);
        }
        sk_slice copy = sk_arena_copy(&arena, sk_slice_text("kept"));
        assert_true(sk_slice_equal(copy, sk_slice_text("kept")));
        assert_int_equal(sk_arena_copy(&arena, (sk_slice){0}).size, 0);
        sk_arena_reset(&arena);
    }
    void *first = sk_arena_take(&arena, 100);
    sk_arena_reset(&arena);
    assert_ptr_equal(sk_arena_take(&arena, 100), first); // a steady state allocates nothing
    sk_arena_deinit(&arena);
    sk_arena_deinit(&arena);
}

// ---- Ring and list ----

static void ring_against_numbers(void **state)
{
    (void)state;
    sk_ring ring;
    sk_ring_init(&ring, sizeof(uint64_t));
    uint64_t first = 0, next = 0; // it holds first .. next - 1
    sk_prng prng;
    sk_prng_init(&prng, 3);
    for (int i = 0; i < 20000; i++) {
        uint64_t count = next - first;
        switch (sk_prng_below(&prng, 5)) {
        case 0:
        case 1:
        case 2:
            *(uint64_t *)sk_ring_push(&ring) = next++;
            break;
        case 3: {
            uint64_t n = sk_prng_below(&prng, count < 4 ? count + 1 : 4);
            sk_ring_pop_front(&ring, n);
            first += n;
            break;
        }
        default: {
            uint64_t n = sk_prng_below(&prng, count < 2 ? count + 1 : 2);
            sk_ring_pop_back(&ring, n);
            next -= n;
        }
        }
        assert_int_equal(ring.count, next - first);
        if (next == first) continue;
        assert_int_equal(*(uint64_t *)sk_ring_at(&ring, 0), first);
        assert_int_equal(*(uint64_t *)sk_ring_at(&ring, ring.count - 1), next - 1);
        uint64_t some = sk_prng_below(&prng, next - first);
        assert_int_equal(*(uint64_t *)sk_ring_at(&ring, some), first + some);
    }
    sk_ring_deinit(&ring);
    assert_int_equal(ring.count, 0);
}

typedef struct member {
    int number;
    sk_list link;
} member;

static void list_keeps_order(void **state)
{
    (void)state;
    sk_list head;
    member members[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    sk_list_init(&head);
    assert_true(sk_list_empty(&head));
    sk_list_push_back(&head, &members[1].link);
    sk_list_push_back(&head, &members[2].link);
    sk_list_push_front(&head, &members[0].link);
    sk_list_push_back(&head, &members[3].link);
    sk_list_remove(&members[2].link);
    sk_list_remove(&members[2].link); // harmless
    static const int expected[] = {0, 1, 3};
    int count = 0;
    for (sk_list *at = head.next; at != &head; at = at->next) {
        assert_int_equal(SK_CONTAINER(at, member, link)->number, expected[count++]);
    }
    assert_int_equal(count, 3);
}

// ---- CRC ----

// One bit at a time, as the definition says.
static uint32_t crc_by_bits(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
    }
    return ~crc;
}

// RFC 3720 appendix B.4, and the usual check.
static void crc_known_answers(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(sk_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(sk_crc32c(0, NULL, 0), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(sk_crc32c(0, bytes, sizeof bytes), 0x8A9136AA);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(sk_crc32c(0, bytes, sizeof bytes), 0x62A8AB43);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(sk_crc32c(0, bytes, sizeof bytes), 0x46DD794E);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(sk_crc32c(0, bytes, sizeof bytes), 0x113FDB5C);
}

static void crc_portable_equals_hardware(void **state)
{
    (void)state;
    static uint8_t bytes[1100];
    sk_prng prng;
    sk_prng_init(&prng, 4);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)sk_prng_next(&prng);
    for (size_t size = 0; size < 300; size++) {
        for (size_t from = 0; from < 9; from++) { // every alignment
            uint32_t expected = crc_by_bits(bytes + from, size);
            assert_int_equal(~crc_portable(UINT32_MAX, bytes + from, size), expected);
            if (have_hardware()) assert_int_equal(~crc_hardware(UINT32_MAX, bytes + from, size), expected);
            size_t cut = size ? sk_prng_below(&prng, size) : 0; // in two pieces
            uint32_t part = sk_crc32c(0, bytes + from, cut);
            assert_int_equal(sk_crc32c(part, bytes + from + cut, size - cut), expected);
        }
    }
    assert_int_equal(sk_crc32c(0, bytes, sizeof bytes), crc_by_bits(bytes, sizeof bytes));
}

// ---- Hashes ----

// SipHash-1-3 of 0, 1, 2, ... under the key 00 01 .. 0f.
static void siphash_known_answers(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;
    } known[] = {
        {0, 0xabac0158050fc4dc}, {1, 0xc9f49bf37d57ca93},  {7, 0xd3927d989bb11140},  {8, 0x369095118d299a8e},
        {9, 0x25a48eb36c063de4}, {15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66}, {63, 0x9d199062b7bbb3a8},
    };
    sk_hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    uint8_t bytes[64];
    for (int i = 0; i < 64; i++) bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(sk_siphash(key, bytes, known[i].size) == known[i].hash);
    }
    key.k1 ^= 1;
    assert_true(sk_siphash(key, bytes, 8) != 0x369095118d299a8e);
}

static void hash_known_answers(void **state)
{
    (void)state;
    assert_true(sk_hash64(0, "", 0) == 0x2D06800538D394C2); // XXH3_64bits of nothing
    assert_true(sk_hash64(0, NULL, 0) == sk_hash64(0, "", 0));
    assert_true(sk_hash64(0, "a", 1) != sk_hash64(1, "a", 1));
    assert_true(sk_hash_mix(sk_hash_mix(7, 1), 2) != sk_hash_mix(sk_hash_mix(7, 2), 1));
}

// ---- Generator ----

static void prng_known_answers(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 1234567); // the state is splitmix64's output
    assert_true(prng.state[0] == 6457827717110365317u && prng.state[1] == 3203168211198807973u);
    assert_true(prng.state[2] == 9817491932198370423u && prng.state[3] == 4593380528125082431u);
    static const uint64_t known[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600};
    prng = (sk_prng){.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) assert_true(sk_prng_next(&prng) == known[i]);
}

static void prng_stays_in_bounds(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 5);
    unsigned seen[7] = {0}, chances = 0;
    for (int i = 0; i < 70000; i++) seen[sk_prng_below(&prng, 7)]++;
    for (int i = 0; i < 7; i++) assert_in_range(seen[i], 9500, 10500);
    for (int i = 0; i < 10000; i++) chances += sk_prng_chance(&prng, 1, 4);
    assert_in_range(chances, 2300, 2700);
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = sk_prng_between(&prng, 10, 13);
        assert_in_range(x, 10, 13);
        low = low || x == 10;
        high = high || x == 13;
        assert_int_equal(sk_prng_below(&prng, 1), 0);
        assert_int_equal(sk_prng_between(&prng, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    }
    assert_true(low && high);
    sk_prng_between(&prng, 0, UINT64_MAX);
    assert_false(sk_prng_chance(&prng, 0, 5));
    assert_true(sk_prng_chance(&prng, 5, 5));
    // A part does not depend on what the whole draws afterwards.
    sk_prng a, b;
    sk_prng_init(&a, 9);
    sk_prng_init(&b, 9);
    sk_prng part_a = sk_prng_split(&a), part_b = sk_prng_split(&b);
    sk_prng_next(&a);
    assert_true(sk_prng_next(&part_a) == sk_prng_next(&part_b));
    assert_true(sk_prng_next(&part_a) != sk_prng_next(&b));
}

// ---- Errors and log lines ----

static void errors_have_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(sk_error_name(SK_ECORRUPT), "SK_ECORRUPT");
    assert_string_equal(sk_error_text(SK_EIO), "input/output error");
    assert_string_equal(sk_error_name(0), "SK_OK");
    assert_string_equal(sk_error_text(-9999), "unknown error");
}

static void E13_log_escapes_what_is_foreign(void **state)
{
    (void)state;
    char out[32], small[12];
    assert_string_equal(sk_log_escape(out, sizeof out, sk_slice_make("a\"\\\n\x80z", 6)),
                        "a\\x22\\x5c\\x0a\\x80z");
    assert_string_equal(sk_log_escape(out, sizeof out, (sk_slice){0}), "");
    const char *cut = sk_log_escape(small, sizeof small, sk_slice_text("\x01\x01\x01\x01\x01\x01"));
    assert_true(strlen(cut) < sizeof small && strlen(cut) % 4 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_order_as_bytes),
        cmocka_unit_test(names_are_equal_in_any_case),
        cmocka_unit_test(buffer_against_an_array),
        cmocka_unit_test(buffer_keeps_or_gives_back),
        cmocka_unit_test(arena_keeps_what_was_taken),
        cmocka_unit_test(ring_against_numbers),
        cmocka_unit_test(list_keeps_order),
        cmocka_unit_test(crc_known_answers),
        cmocka_unit_test(crc_portable_equals_hardware),
        cmocka_unit_test(siphash_known_answers),
        cmocka_unit_test(hash_known_answers),
        cmocka_unit_test(prng_known_answers),
        cmocka_unit_test(prng_stays_in_bounds),
        cmocka_unit_test(errors_have_name_and_text),
        cmocka_unit_test(E13_log_escapes_what_is_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
