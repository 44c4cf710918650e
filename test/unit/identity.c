// Who a directory belongs to, and the boot number that never repeats.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/crc.h"
#include "sim/disk.h"
#include "store/identity.h"

static sk_identity sample(void)
{
    sk_identity identity = {.node = 2, .founder_count = 3};
    for (unsigned i = 0; i < SK_CLUSTER_ID_SIZE; i++) identity.cluster.bytes[i] = (uint8_t)(0xA0 + i);
    for (uint32_t i = 0; i < 3; i++) {
        identity.founders[i].id = i + 1;
        (void)snprintf(identity.founders[i].address, SK_ADDRESS_SIZE_MAX, "10.0.0.%u:7400", i + 1);
    }
    return identity;
}

static sim_disk *disk_new(uint64_t seed)
{
    sk_prng prng;
    sk_prng_init(&prng, seed);
    return sim_disk_open(prng, NULL);
}

static void found_then_load(void **state)
{
    sim_disk *disk = disk_new(1);
    sk_identity identity = sample(), read;
    assert_int_equal(sk_identity_load(sim_disk_face(disk), &read), SK_ENOENT);
    assert_int_equal(sk_identity_found(sim_disk_face(disk), &identity), 0);
    sim_disk_crash(disk);
    assert_int_equal(sk_identity_load(sim_disk_face(disk), &read), 0);
    assert_memory_equal(&read, &identity, sizeof read);
    assert_int_equal(sk_identity_found(sim_disk_face(disk), &identity), SK_EEXIST);
    sim_disk_close(disk);
}

// A damaged identity is no reason to found a second cluster in the same directory.
static void damaged_identity_is_not_replaced(void **state)
{
    sim_disk *disk = disk_new(2);
    sk_identity identity = sample(), read;
    sk_identity_found(sim_disk_face(disk), &identity);
    sim_disk_cut(disk, "identity", 10);
    uint64_t before = sim_disk_fingerprint(disk);
    assert_int_equal(sk_identity_load(sim_disk_face(disk), &read), SK_ECORRUPT);
    assert_int_equal(sk_identity_found(sim_disk_face(disk), &identity), SK_EEXIST);
    assert_int_equal(sim_disk_fingerprint(disk), before);
    sim_disk_close(disk);
}

static void D08_every_bit_of_identity_and_boot(void **state)
{
    sim_disk *disk = disk_new(3);
    sk_disk *face = sim_disk_face(disk);
    sk_identity identity = sample(), read;
    sk_identity_found(face, &identity);
    size_t size = sim_disk_file(disk, "identity").size;
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint8_t mask = (uint8_t)(1u << (bit % 8));
        sim_disk_flip(disk, "identity", bit / 8, mask);
        assert_int_equal(sk_identity_load(face, &read), SK_ECORRUPT);
        sim_disk_flip(disk, "identity", bit / 8, mask);
    }
    sk_identity_boot(face, &identity, 0, 0);
    size_t boot_size = sim_disk_file(disk, "boot").size;
    print_message("figure: identity and boot: %zu bits flipped\n", (size + boot_size) * 8);
    for (size_t bit = 0; bit < boot_size * 8; bit++) {
        uint64_t last = identity.boot;
        sim_disk_flip(disk, "boot", bit / 8, (uint8_t)(1u << (bit % 8)));
        assert_int_equal(sk_identity_boot(face, &identity, last, 0), 0); // the log has seen the last one
        assert_true(identity.boot == last + 1);
    }
    sim_disk_close(disk);
}

static void newer_version_is_refused(void **state)
{
    sim_disk *disk = disk_new(4);
    sk_identity identity = sample(), read;
    sk_identity_found(sim_disk_face(disk), &identity);
    uint8_t bytes[4096];
    sk_slice file = sim_disk_file(disk, "identity");
    memcpy(bytes, file.data, file.size);
    bytes[8] = SK_FORMAT_VERSION + 1;

    uint32_t crc = sk_crc32c(0, bytes, file.size - 4);
    for (unsigned i = 0; i < 4; i++) bytes[file.size - 4 + i] = (uint8_t)(crc >> (8 * i));
    sim_disk_put(disk, "identity", sk_slice_make(bytes, file.size));
    assert_int_equal(sk_identity_load(sim_disk_face(disk), &read), SK_EVERSION);
    sim_disk_close(disk);
}

static void D02_boot_rises_over_every_crash(void **state)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        sim_disk *disk = disk_new(seed);
        sk_identity identity = sample();
        uint64_t promised = 0;
        for (unsigned start = 0; start < 6; start++) {
            // The start dies somewhere inside, or gets through and its number counts.
            sim_disk_halt_after(disk, (seed + start * 3) % 12);
            if (sk_identity_boot(sim_disk_face(disk), &identity, 0, 0) == 0) {
                assert_true(identity.boot > promised);
                promised = identity.boot;
            }
            sim_disk_crash(disk);
        }
        assert_int_equal(sk_identity_boot(sim_disk_face(disk), &identity, 0, 0), 0);
        assert_true(identity.boot > promised);
        sim_disk_close(disk);
    }
}

// Two lives that begin with the same directory, because one of them is a copy, do not have the same number.
static void R18_a_copy_does_not_live_the_same_number(void **state)
{
    sk_identity identity = sample();
    sim_disk *disk = disk_new(3);
    assert_int_equal(sk_identity_boot(sim_disk_face(disk), &identity, 0, 4711), 0);
    uint64_t before = identity.boot;
    sim_disk_crash(disk);
    sk_prng prng;
    sk_prng_init(&prng, 5);
    for (uint64_t random = 0; random < 1u << SK_BOOT_RANDOM_BITS; random += 257) {
        sim_disk *copy = sim_disk_crash_image(disk, prng);
        assert_int_equal(sk_identity_boot(sim_disk_face(copy), &identity, 0, random | 0xABCD0000), 0);
        assert_true(identity.boot == before + 1 + (random << SK_BOOT_COUNT_BITS));
        sim_disk_close(copy);
    }
    sim_disk_close(disk);
}

static void D14_founding_dies_anywhere(void **state)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        sim_disk *disk = disk_new(seed);
        sk_identity identity = sample(), read;
        sim_disk_halt_after(disk, seed % 8);
        int founded = sk_identity_found(sim_disk_face(disk), &identity);
        sim_disk_crash(disk);
        int loaded = sk_identity_load(sim_disk_face(disk), &read);
        assert_true(loaded == 0 || (loaded == SK_ENOENT && founded != 0));
        if (loaded == 0) assert_memory_equal(&read, &identity, sizeof read);
        sim_disk_close(disk);
    }
}

static void errors_are_told(void **state)
{
    for (uint32_t n = 1; n <= 8; n++) {
        sim_disk *disk = disk_new(n);
        sk_identity identity = sample();
        sim_disk_rule(disk, SIM_DISK_FAIL, ~(1u << SK_DISK_CLOSE), n, SIM_DISK_FOREVER, SK_EIO);
        int error = sk_identity_boot(sim_disk_face(disk), &identity, 0, 0);
        assert_true(error == SK_EIO || n > 6);
        assert_true(error == 0 || identity.boot == 0);
        sim_disk_close(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_then_load),
        cmocka_unit_test(damaged_identity_is_not_replaced),
        cmocka_unit_test(D08_every_bit_of_identity_and_boot),
        cmocka_unit_test(newer_version_is_refused),
        cmocka_unit_test(D02_boot_rises_over_every_crash),
        cmocka_unit_test(R18_a_copy_does_not_live_the_same_number),
        cmocka_unit_test(D14_founding_dies_anywhere),
        cmocka_unit_test(errors_are_told),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
