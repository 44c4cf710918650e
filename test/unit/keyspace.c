// The key space as a machine: expiry by the clock alone, digests, images cut anywhere, scans under change,
// sliced jobs, bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/list.h"
#include "base/prng.h"
#include "redis/keyspace_data.h"
#include "test/support/driver.h"

static const sk_keyspace_limits no_limits = {0};

static const sk_keyspace *keyspace_of(const driver *d)
{
    return SK_CONTAINER(d->machine, sk_keyspace, machine);
}

static uint64_t digest_of(const driver *d)
{
    return d->machine->ops->digest(d->machine);
}

static void ask(driver *d, const char *request, const char *expected)
{
    const char *reply = driver_ask(d, request);
    if (strcmp(reply, expected) != 0) fail_msg("%s: %s, not %s", request, reply, expected);
}

static void advance(driver *d, uint64_t clock_ms)
{
    d->machine->ops->advance(d->machine, clock_ms);
}

// ---- Expiry ----

static void expiry_follows_the_applied_clock(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    ask(&d, "set a 1 px 500", "+OK\r\n");
    ask(&d, "set b 1 px 900", "+OK\r\n");
    ask(&d, "set c 1", "+OK\r\n");
    assert_int_equal(d.machine->ops->next_deadline(d.machine), 1500);
    // A node that knows of a later time says so in TTL, but the key is there until the clock has been
    // applied.
    d.context.clock_ms = 1600;
    ask(&d, "pttl a", ":0\r\n");
    ask(&d, "exists a", ":1\r\n");
    d.context.clock_ms = 1200;
    ask(&d, "pttl a", ":300\r\n");
    advance(&d, 1499);
    ask(&d, "exists a", ":1\r\n");
    advance(&d, 1500);
    ask(&d, "exists a", ":0\r\n");
    ask(&d, "get a", "$-1\r\n");
    ask(&d, "dbsize", ":2\r\n");
    assert_int_equal(d.machine->ops->next_deadline(d.machine), 1900);
    // The clock never goes back, whatever an entry says.
    advance(&d, 100);
    ask(&d, "pttl b", ":400\r\n");
    advance(&d, 1900);
    assert_true(d.machine->ops->next_deadline(d.machine) == UINT64_MAX);
    ask(&d, "keys *", "*1\r\n$1\r\nc\r\n");
    sk_keyspace_check(keyspace_of(&d));
    driver_close(&d);
}

// More keys expire at once than one entry may remove: all are absent at once, and go bit by bit, the same
// everywhere.
static void expired_keys_are_absent_before_they_are_removed(void **state)
{
    enum { COUNT = 5000 };
    driver d[2];
    char request[64];
    for (int i = 0; i < 2; i++) driver_open(&d[i], no_limits);
    for (int i = 0; i < COUNT; i++) {
        snprintf(request, sizeof request, "set key%04d %d px %d", i, i, 100 + i % 50);
        for (int n = 0; n < 2; n++) ask(&d[n], request, "+OK\r\n");
    }
    for (int n = 0; n < 2; n++) ask(&d[n], "set other 1 ex 100", "+OK\r\n");
    d[0].context.clock_ms = d[1].context.clock_ms = 1200;
    for (int n = 0; n < 2; n++) ask(&d[n], "setnx key0007 new", ":1\r\n");
    const sk_keyspace *keyspace = keyspace_of(&d[0]);
    assert_true(keyspace->keys.count > COUNT / 2);
    ask(&d[0], "dbsize", ":2\r\n");
    ask(&d[0], "keys *", "*2\r\n$7\r\nkey0007\r\n$5\r\nother\r\n");
    ask(&d[0], "exists key4999", ":0\r\n");
    ask(&d[0], "del key4999", ":0\r\n");
    ask(&d[1], "del key4999", ":0\r\n");
    ask(&d[0], "ttl key0007", ":-1\r\n");
    ask(&d[0], "rename key4998 x", "-ERR no such key\r\n");
    ask(&d[1], "rename key4998 x", "-ERR no such key\r\n");
    assert_true(sk_keyspace_facts_of(d[0].machine).keys == 2);
    assert_true(sk_keyspace_facts_of(d[0].machine).expires == 1);
    const char *random = driver_ask(&d[0], "randomkey");
    assert_true(strcmp(random, "$7\r\nkey0007\r\n") == 0 || strcmp(random, "$5\r\nother\r\n") == 0);
    int advances = 0;
    while (d[0].machine->ops->next_deadline(d[0].machine) == 1200) {
        sk_keyspace_check(keyspace);
        for (int n = 0; n < 2; n++) advance(&d[n], 1200);
        assert_true(digest_of(&d[0]) == digest_of(&d[1]));
        advances++;
    }
    assert_in_range(advances, 2, 6);
    assert_int_equal(keyspace->keys.count, 2);
    for (int n = 0; n < 2; n++) driver_close(&d[n]);
}

static void wall_time_only_translates(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    ask(&d, "set a 1", "+OK\r\n");
    ask(&d, "pexpireat a 1700000002000", ":1\r\n");
    ask(&d, "pttl a", ":1000\r\n");
    // The wall clock was set back by a day: the key does not live longer; it is only told otherwise.
    d.context.wall_offset_ms -= 86400000;
    ask(&d, "pttl a", ":1000\r\n");
    ask(&d, "pexpiretime a", ":1699913602000\r\n");
    // A node that believes in 1970.
    d.context.wall_offset_ms = -500;
    ask(&d, "pexpireat a 1000", ":1\r\n");
    ask(&d, "pttl a", ":500\r\n");
    ask(&d, "pexpireat a 9223372036854775807", ":1\r\n");
    ask(&d, "pexpiretime a", ":9223372036854775307\r\n");
    ask(&d, "pexpireat a 1", ":1\r\n");
    ask(&d, "exists a", ":0\r\n");
    driver_close(&d);
}

// ---- The same on all replicas ----

static void random_request(sk_prng *prng, char *out, size_t size)
{
    unsigned key = (unsigned)sk_prng_below(prng, 300);
    unsigned other = (unsigned)sk_prng_below(prng, 300);
    unsigned number = (unsigned)sk_prng_below(prng, 5000);
    switch (sk_prng_below(prng, 12)) {
    case 0:
        snprintf(out, size, "del k%u", key);
        break;
    case 1:
        snprintf(out, size, "set k%u %u px %u", key, number, number);
        break;
    case 2:
        snprintf(out, size, "append k%u %u", key, number);
        break;
    case 3:
        snprintf(out, size, "incr k%u", key);
        break;
    case 4:
        snprintf(out, size, "rename k%u k%u", key, other);
        break;
    case 5:
        snprintf(out, size, "pexpire k%u %u", key, number);
        break;
    case 6:
        snprintf(out, size, "persist k%u", key);
        break;
    case 7:
        snprintf(out, size, "setrange k%u %u xyz", key, number);
        break;
    case 8:
        snprintf(out, size, "copy k%u k%u replace", key, other);
        break;
    case 9:
        snprintf(out, size, "incrbyfloat k%u %u.%u", key, other, number);
        break;
    case 10:
        snprintf(out, size, number < 5 ? "flushall" : "getdel k%u", key);
        break;
    default:
        snprintf(out, size, "set k%u value-%u", key, number);
        break;
    }
}

static void same_entries_same_state(void **state)
{
    driver d[2];
    for (int n = 0; n < 2; n++) driver_open(&d[n], no_limits);
    sk_prng prng;
    sk_prng_init(&prng, 3);
    for (int i = 0; i < 20000; i++) {
        char request[128];
        random_request(&prng, request, sizeof request);
        d[0].context.clock_ms += sk_prng_below(&prng, 5);
        d[1].context.clock_ms = d[0].context.clock_ms;
        char *first = strdup(driver_ask(&d[0], request));
        // The second has other queries and snapshots between: they change nothing.
        if (i % 7 == 0) driver_ask(&d[1], "keys *");
        if (i % 11 == 0) driver_ask(&d[1], "randomkey");
        assert_string_equal(driver_ask(&d[1], request), first);
        free(first);
        assert_true(digest_of(&d[0]) == digest_of(&d[1]));
        assert_int_equal(d[0].machine->ops->memory(d[0].machine), d[1].machine->ops->memory(d[1].machine));
        if (i % 1000 == 0) sk_keyspace_check(keyspace_of(&d[0]));
        while (d[0].machine->ops->collect(d[0].machine, 100)) {
        }
    }
    for (int n = 0; n < 2; n++) driver_close(&d[n]);
}

static void digest_sees_every_part(void **state)
{
    static const char *const requests[] = {"set a 1",     "set a 2",    "set b 1",    "expire a 10",
                                           "expire a 11", "append b 0", "rename b c", "del c",
                                           "del a",       "set a \"\"", "incr n",     "flushall"};
    uint64_t seen[16];
    size_t count = 0;
    driver d;
    driver_open(&d, no_limits);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        driver_ask(&d, requests[i]);
        uint64_t digest = digest_of(&d);
        for (size_t k = 0; k < count; k++) assert_true(seen[k] != digest);
        seen[count++] = digest;
    }
    advance(&d, 5000);
    for (size_t k = 0; k < count; k++) assert_true(seen[k] != digest_of(&d));
    driver_close(&d);
}

// ---- Images ----

static void fill(driver *d, uint64_t seed, int requests)
{
    sk_prng prng;
    sk_prng_init(&prng, seed);
    for (int i = 0; i < requests; i++) {
        char request[128];
        random_request(&prng, request, sizeof request);
        d->context.clock_ms += sk_prng_below(&prng, 5);
        driver_ask(d, request);
    }
}

static void image_of(driver *d, sk_buffer *out, size_t budget)
{
    const sk_machine_ops *ops = d->machine->ops;
    sk_machine_image *image = ops->image_open(d->machine);
    bool more = true;
    while (more) {
        size_t before = out->size;
        more = ops->image_next(image, out, budget);
        assert_true(out->size - before <= budget + 4096);
    }
    ops->image_close(image);
}

static int restore_from(driver *d, sk_slice bytes, size_t step)
{
    const sk_machine_ops *ops = d->machine->ops;
    sk_machine_restore *restore = ops->restore_open(d->machine);
    for (size_t at = 0; at < bytes.size; at += step) {
        // Memory of its own for each piece, gone afterwards.
        size_t size = step < bytes.size - at ? step : bytes.size - at;
        uint8_t *copy = malloc(size);
        memcpy(copy, bytes.data + at, size);
        int result = ops->restore_add(restore, sk_slice_make(copy, size));
        free(copy);
        if (result) {
            ops->restore_abort(restore);
            return result;
        }
    }
    return ops->restore_finish(restore);
}

static void images_restore_to_the_same(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    for (int round = 0; round < 6; round++) {
        if (round) fill(&d, (uint64_t)round, round * 300);
        sk_buffer image = {0};
        image_of(&d, &image, round % 2 ? 100 : 100000);
        static const size_t steps[] = {1, 2, 3, 7, 100, 4096, 1000000};
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            driver other;
            driver_open(&other, no_limits);
            driver_ask(&other, "mset was here before this");
            assert_int_equal(restore_from(&other, sk_buffer_slice(&image), steps[s]), 0);
            sk_keyspace_check(keyspace_of(&other));
            assert_true(digest_of(&other) == digest_of(&d));
            assert_int_equal(other.machine->ops->memory(other.machine), d.machine->ops->memory(d.machine));
            assert_true(other.machine->ops->next_deadline(other.machine) ==
                        d.machine->ops->next_deadline(d.machine));
            // And it goes on alike.
            other.context = d.context;
            fill(&other, 99, 50);
            sk_keyspace_check(keyspace_of(&other));
            driver_close(&other);
        }
        sk_buffer_deinit(&image);
    }
    driver_close(&d);
}

static void an_image_is_of_one_moment(void **state)
{
    driver d, other;
    driver_open(&d, no_limits);
    driver_open(&other, no_limits);
    fill(&d, 1, 1000);
    uint64_t digest = digest_of(&d);
    const sk_machine_ops *ops = d.machine->ops;
    sk_machine_image *image = ops->image_open(d.machine);
    sk_buffer bytes = {0};
    int slices = 0;
    while (ops->image_next(image, &bytes, 500)) {
        fill(&d, 100 + (uint64_t)slices++, 20);
        ops->collect(d.machine, 10);
    }
    ops->image_close(image);
    assert_true(slices > 10);
    assert_true(digest_of(&d) != digest);
    assert_int_equal(restore_from(&other, sk_buffer_slice(&bytes), 1000), 0);
    assert_true(digest_of(&other) == digest);
    sk_buffer_deinit(&bytes);
    driver_close(&other);
    driver_close(&d);
}

// Every byte of an image changed, and every prefix of it: refused, and what was there is still there.
static void damaged_images_change_nothing(void **state)
{
    driver d, other;
    driver_open(&d, no_limits);
    driver_open(&other, no_limits);
    ask(&d, "mset a 1 b 22 c 333 d \"\"", "+OK\r\n");
    ask(&d, "expire b 100", ":1\r\n");
    ask(&d, "append c 4", ":4\r\n");
    ask(&other, "set mine 1", "+OK\r\n");
    uint64_t digest = digest_of(&other);
    sk_buffer image = {0};
    image_of(&d, &image, 1000);
    for (size_t size = 0; size < image.size; size++) {
        assert_int_equal(restore_from(&other, sk_slice_make(image.data, size), 1000), SK_ECORRUPT);
        assert_true(digest_of(&other) == digest);
    }
    for (size_t at = 0; at < image.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            image.data[at] ^= (uint8_t)(1 << bit);
            int result = restore_from(&other, sk_buffer_slice(&image), 1000);
            image.data[at] ^= (uint8_t)(1 << bit);
            if (result != SK_ECORRUPT) fail_msg("byte %zu bit %d: %d", at, bit, result);
            assert_true(digest_of(&other) == digest);
        }
    }
    sk_buffer_append_byte(&image, 0);
    assert_int_equal(restore_from(&other, sk_buffer_slice(&image), 1000), SK_ECORRUPT);
    ask(&other, "get mine", "$1\r\n1\r\n");
    sk_buffer_deinit(&image);
    driver_close(&other);
    driver_close(&d);
}

static void large_values_travel_in_slices(void **state)
{
    driver d, other;
    driver_open(&d, no_limits);
    driver_open(&other, no_limits);
    ask(&d, "setrange big 3000000 x", ":3000001\r\n");
    sk_buffer image = {0};
    image_of(&d, &image, 10000);
    assert_int_equal(restore_from(&other, sk_buffer_slice(&image), 10007), 0);
    assert_true(digest_of(&other) == digest_of(&d));
    sk_buffer_deinit(&image);
    driver_close(&other);
    driver_close(&d);
}

// ---- SCAN ----

// The keys of a reply to SCAN are marked in `seen` when they look like "...%06d"; returns the cursor.
static uint64_t take_scan(driver *d, const char *request, uint8_t *seen, size_t *given)
{
    const char *reply = driver_ask(d, request);
    sk_resp_value value;
    size_t used;
    assert_int_equal(sk_resp_value_parse(sk_slice_text(reply), &value, &used), 1);
    assert_int_equal(value.count, 2);
    uint64_t cursor = strtoull((const char *)value.items[0].text.data, NULL, 10);
    *given = value.items[1].count;
    for (size_t i = 0; i < value.items[1].count; i++) {
        sk_slice key = value.items[1].items[i].text;
        if (key.size < 6) continue;
        int index = atoi((const char *)key.data + key.size - 6);
        if (seen[index] < 255) seen[index]++;
    }
    sk_resp_value_deinit(&value);
    assert_true(cursor < (uint64_t)1 << 53);
    return cursor;
}

enum { SCAN_KEYS = 3000 };
#define SCAN_PREFIX "a/long/common/prefix/that/says/nothing/"

static void scan_gives_each_key_once_when_nothing_changes(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    char request[128];
    for (int i = 0; i < SCAN_KEYS; i++) {
        snprintf(request, sizeof request, "set " SCAN_PREFIX "%06d 1", i);
        driver_ask(&d, request);
    }
    static const int counts[] = {1, 7, 10, 1000, 100000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        uint8_t seen[SCAN_KEYS] = {0};
        uint64_t cursor = 0;
        size_t calls = 0;
        do {
            size_t given;
            snprintf(request, sizeof request, "scan %llu count %d", (unsigned long long)cursor, counts[c]);
            cursor = take_scan(&d, request, seen, &given);
            calls++;
        } while (cursor);
        for (int i = 0; i < SCAN_KEYS; i++) assert_int_equal(seen[i], 1);
        assert_true(calls <= (size_t)(SCAN_KEYS / counts[c] + 1));
    }
    ask(&d, "scan 0 count 3000 match *000000", "*2\r\n$1\r\n0\r\n*1\r\n$45\r\n" SCAN_PREFIX "000000\r\n");
    ask(&d, "scan 0 count 3000 type hash", "*2\r\n$1\r\n0\r\n*0\r\n");
    driver_close(&d);
}

// Keys come and go all the time; the client goes to and fro between two replicas of which one lags.
static void scan_never_misses_and_always_ends(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        driver d[2];
        for (int n = 0; n < 2; n++) driver_open(&d[n], no_limits);
        char request[2][128];
        for (int i = 0; i < SCAN_KEYS; i += 2) {
            snprintf(request[0], sizeof request[0], "set " SCAN_PREFIX "%06d 1", i);
            for (int n = 0; n < 2; n++) driver_ask(&d[n], request[0]);
        }
        sk_prng prng;
        sk_prng_init(&prng, seed);
        uint8_t seen[SCAN_KEYS] = {0};
        uint64_t cursor = 0;
        int calls = 0;
        uint64_t churn = seed % 4 ? sk_prng_between(&prng, 1, 60) : 400;
        request[1][0] = 0;
        do {
            for (uint64_t i = sk_prng_below(&prng, churn); i; i--) {
                // The second replica is one entry behind.
                if (request[1][0]) driver_ask(&d[1], request[1]);
                int key = (int)sk_prng_below(&prng, SCAN_KEYS / 2) * 2 + 1;
                if (seed % 3 == 0) key = 1 + (int)sk_prng_below(&prng, 100) * 2; // all in front
                bool set = sk_prng_chance(&prng, 1, 2);
                snprintf(request[1], sizeof request[1], "%s " SCAN_PREFIX "%06d%s", set ? "set" : "del", key,
                         set ? " 1" : "");
                driver_ask(&d[0], request[1]);
            }
            size_t given;
            char scan[64];
            snprintf(scan, sizeof scan, "scan %llu", (unsigned long long)cursor);
            cursor = take_scan(&d[sk_prng_below(&prng, 2)], scan, seen, &given);
            calls++;
        } while (cursor && calls < 10000);
        if (calls >= 10000) fail_msg("seed %d does not end", (int)seed);
        for (int i = 0; i < SCAN_KEYS; i += 2) {
            if (!seen[i]) fail_msg("seed %d misses %d", (int)seed, i);
        }
        for (int n = 0; n < 2; n++) driver_close(&d[n]);
    }
}

static void scan_takes_any_cursor(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    fill(&d, 4, 1000);
    sk_prng prng;
    sk_prng_init(&prng, 8);
    for (int i = 0; i < 2000; i++) {
        char request[64];
        uint64_t cursor = sk_prng_next(&prng) >> sk_prng_below(&prng, 64);
        snprintf(request, sizeof request, "scan %llu", (unsigned long long)cursor);
        assert_true(driver_ask(&d, request)[0] == '*');
    }
    ask(&d, "flushall", "+OK\r\n");
    ask(&d, "scan 123456789", "*2\r\n$1\r\n0\r\n*0\r\n");
    ask(&d, "scan 18446744073709551616", "-ERR invalid cursor\r\n");
    ask(&d, "scan -1", "-ERR invalid cursor\r\n");
    driver_close(&d);
}

// ---- Slices ----

static void keys_is_of_one_moment_and_in_slices(void **state)
{
    enum { COUNT = 2000 };
    driver d;
    driver_open(&d, no_limits);
    char request[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(request, sizeof request, "set key%04d 1", i);
        driver_ask(&d, request);
    }
    const sk_slice argv[] = {sk_slice_text("keys"), sk_slice_text("key*")};
    sk_buffer command = {0};
    sk_buffer reply = {0};
    sk_command_encode(&command, 2, argv);
    sk_machine_job *job = d.machine->ops->query(d.machine, &d.context, sk_buffer_slice(&command), &reply);
    assert_non_null(job);
    sk_buffer_deinit(&command); // the job keeps what it needs
    int slices = 0;
    while (job->ops->run(job, &reply, 10)) {
        slices++;
        if (slices == 3) driver_ask(&d, "flushall");
        d.machine->ops->collect(d.machine, 5);
    }
    job->ops->close(job);
    assert_true(slices >= COUNT / 10);
    sk_resp_value value;
    size_t used;
    assert_int_equal(sk_resp_value_parse(sk_buffer_slice(&reply), &value, &used), 1);
    assert_int_equal(value.count, COUNT);
    sk_resp_value_deinit(&value);
    // One that is given up.
    driver_ask(&d, "set a 1");
    sk_command_encode(&command, 2, argv);
    job = d.machine->ops->query(d.machine, &d.context, sk_buffer_slice(&command), &reply);
    job->ops->run(job, &reply, 1);
    job->ops->close(job);
    sk_buffer_deinit(&command);
    sk_buffer_deinit(&reply);
    driver_close(&d);
}

// Removal goes in slices: what has expired is gone before its turn comes, and nothing brings it back.
static void L06_what_has_expired_is_not_renewed(void **state)
{
    driver d;
    char request[64];
    driver_open(&d, no_limits);
    for (int i = 0; i < 200; i++) {
        snprintf(request, sizeof request, "set k%03d v px %d", i, 100 + i / 100);
        ask(&d, request, "+OK\r\n");
    }
    d.context.clock_ms += 102;
    ask(&d, "pexpire k199 1000", ":0\r\n");
    ask(&d, "persist k199", ":0\r\n");
    ask(&d, "append k199 w", ":1\r\n"); // another one
    ask(&d, "pttl k199", ":-1\r\n");
    ask(&d, "exists k198", ":0\r\n");
    driver_close(&d);
}

// A change in place keeps the deadline, a new value does not.
static void L04_a_change_keeps_the_deadline(void **state)
{
    static const char *const changes[] = {"incr k", "decrby k 2", "incrbyfloat k 1.5", "append k 0", "setrange k 0 7",
                                          "set k 5 keepttl"};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        driver d;
        driver_open(&d, no_limits);
        ask(&d, "set k 10 px 500", "+OK\r\n");
        d.context.clock_ms += 100;
        (void)driver_ask(&d, changes[i]);
        ask(&d, "pttl k", ":400\r\n");
        ask(&d, "set k 1", "+OK\r\n");
        ask(&d, "pttl k", ":-1\r\n");
        driver_close(&d);
    }
}

static void E09_a_hostile_pattern_ends(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    sk_buffer request = {0};
    sk_buffer_append_text(&request, "set ");
    for (int i = 0; i < 30000; i++) sk_buffer_append_byte(&request, 'a');
    sk_buffer_append(&request, " 1", 3);
    ask(&d, (const char *)request.data, "+OK\r\n");
    sk_buffer_clear(&request);
    sk_buffer_append_text(&request, "keys ");
    for (int i = 0; i < 30000; i++) sk_buffer_append(&request, "a*", 2);
    sk_buffer_append(&request, "b", 2);
    ask(&d, (const char *)request.data, "*0\r\n");
    sk_buffer_deinit(&request);
    driver_close(&d);
}

// A value of a type to come, as far as the commands of strings can see.
static void strings_refuse_other_types(void **state)
{
    static const char *const requests[] = {
        "get x",           "getset x 1",     "getdel x",      "getex x ex 1", "set x 1 get",
        "set x 1 ifeq a",  "strlen x",       "append x 1",    "incr x",       "decrby x 1",
        "incrbyfloat x 1", "setrange x 0 a", "getrange x 0 1"};
    driver d;
    driver_open(&d, no_limits);
    sk_keyspace *keyspace = SK_CONTAINER(d.machine, sk_keyspace, machine);
    sk_keyspace_put(keyspace, sk_slice_text("x"),
                    (sk_value){.bytes = sk_slice_text("1"), .tag = SK_TYPE_STRING + 1});
    advance(&d, d.context.clock_ms);
    uint64_t digest = digest_of(&d);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        ask(&d, requests[i], "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        assert_true(digest_of(&d) == digest);
    }
    ask(&d, "mget x", "*1\r\n$-1\r\n");
    ask(&d, "exists x", ":1\r\n");
    ask(&d, "set x 1", "+OK\r\n");
    ask(&d, "incr x", ":2\r\n");
    driver_close(&d);
}

// Bytes of format 1: what a build of today writes, every later one must read, and the digests of a running cluster must agree.
static void golden_format_1(void **state)
{
    static const uint8_t golden[] = {
        0x53, 0x4b, 0x4b, 0x45, 0x59, 0x53, 0x00, 0x01, 0xe8, 0x07, 0x05, 0x03, 0x21, 0x00, 0x01, 0x61,
        0x02, 0x31, 0x32, 0x01, 0x94, 0x0a, 0x01, 0x62, 0x05, 0x76, 0x61, 0x6c, 0x75, 0x65, 0x11, 0x00,
        0x01, 0x63, 0x03, 0x31, 0x2e, 0x35, 0x00, 0x2a, 0xe2, 0x19, 0xff, 0x8a, 0x1d, 0xc9, 0xa5,
    };
    driver d, other;
    driver_open(&d, no_limits);
    driver_open(&other, no_limits);
    ask(&d, "mset a 1 key \"\"", "+OK\r\n");
    ask(&d, "append a 2", ":2\r\n");
    ask(&d, "psetex b 300 value", "+OK\r\n");
    ask(&d, "del key", ":1\r\n");
    ask(&d, "incrbyfloat c 1.5", "$3\r\n1.5\r\n");
    sk_buffer image = {0};
    image_of(&d, &image, 1000);
    if (image.size != sizeof golden || memcmp(image.data, golden, sizeof golden) != 0) {
        for (size_t i = 0; i < image.size; i++) printf("0x%02x,%s", image.data[i], i % 16 == 15 ? "\n" : " ");
        fail_msg("the image has changed");
    }
    assert_int_equal(restore_from(&other, sk_slice_make(golden, sizeof golden), 5), 0);
    assert_true(digest_of(&other) == digest_of(&d));
    ask(&other, "get a", "$2\r\n12\r\n");
    ask(&other, "pttl b", ":300\r\n");
    ask(&other, "object encoding a", "$3\r\nraw\r\n");
    ask(&other, "object encoding c", "$6\r\nembstr\r\n");
    sk_buffer_deinit(&image);
    driver_close(&other);
    driver_close(&d);
}

static void malformed_entries_get_an_error(void **state)
{
    driver d;
    driver_open(&d, no_limits);
    uint64_t digest = digest_of(&d);
    sk_prng prng;
    sk_prng_init(&prng, 2);
    for (int i = 0; i < 3000; i++) {
        uint8_t bytes[24];
        size_t size = sk_prng_below(&prng, sizeof bytes);
        for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)sk_prng_below(&prng, i % 2 ? 256 : 6);
        sk_buffer_clear(&d.reply);
        d.machine->ops->apply(d.machine, &d.context, sk_slice_make(bytes, size), &d.reply);
        assert_true(d.reply.size > 0 && d.reply.data[0] == '-');
    }
    advance(&d, d.context.clock_ms);
    driver fresh;
    driver_open(&fresh, no_limits);
    advance(&fresh, d.context.clock_ms);
    assert_true(digest_of(&d) == digest_of(&fresh));
    assert_true(digest != digest_of(&d));
    // A write is not run as a query.
    const sk_slice argv[] = {sk_slice_text("set"), sk_slice_text("a"), sk_slice_text("1")};
    sk_buffer_clear(&d.command);
    sk_command_encode(&d.command, 3, argv);
    sk_buffer_clear(&d.reply);
    d.machine->ops->query(d.machine, &d.context, sk_buffer_slice(&d.command), &d.reply);
    assert_true(d.reply.data[0] == '-');
    ask(&d, "dbsize", ":0\r\n");
    driver_close(&fresh);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiry_follows_the_applied_clock),
        cmocka_unit_test(expired_keys_are_absent_before_they_are_removed),
        cmocka_unit_test(wall_time_only_translates),
        cmocka_unit_test(same_entries_same_state),
        cmocka_unit_test(digest_sees_every_part),
        cmocka_unit_test(images_restore_to_the_same),
        cmocka_unit_test(an_image_is_of_one_moment),
        cmocka_unit_test(damaged_images_change_nothing),
        cmocka_unit_test(large_values_travel_in_slices),
        cmocka_unit_test(scan_gives_each_key_once_when_nothing_changes),
        cmocka_unit_test(scan_never_misses_and_always_ends),
        cmocka_unit_test(scan_takes_any_cursor),
        cmocka_unit_test(keys_is_of_one_moment_and_in_slices),
        cmocka_unit_test(L06_what_has_expired_is_not_renewed),
        cmocka_unit_test(L04_a_change_keeps_the_deadline),
        cmocka_unit_test(E09_a_hostile_pattern_ends),
        cmocka_unit_test(strings_refuse_other_types),
        cmocka_unit_test(golden_format_1),
        cmocka_unit_test(malformed_entries_get_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
