// What a key space takes from the log and from a peer's snapshot. The first byte: 0 an image to restore, 1 one encoded command, else inline
// requests as a client writes them, one a line.
//
// Beyond not crashing: the invariants hold afterwards, and an image of the result restores to the same digest.
#include "base/assert.h"
#include "base/list.h"
#include "redis/keyspace_data.h"
#include "test/support/driver.h"
#include "test/support/fuzz.h"

static void restore(driver *d, sk_slice image, size_t step)
{
    const sk_machine_ops *ops = d->machine->ops;
    uint64_t before = ops->digest(d->machine);
    sk_machine_restore *restore = ops->restore_open(d->machine);
    for (size_t at = 0; at < image.size; at += step) {
        size_t part = step < image.size - at ? step : image.size - at;
        if (ops->restore_add(restore, sk_slice_make(image.data + at, part)) == 0) continue;
        ops->restore_abort(restore);
        SK_ASSERT(ops->digest(d->machine) == before);
        return;
    }
    if (ops->restore_finish(restore) != 0) SK_ASSERT(ops->digest(d->machine) == before);
}

static void round_trip(driver *d)
{
    const sk_machine_ops *ops = d->machine->ops;
    sk_buffer image = {0};
    sk_machine_image *source = ops->image_open(d->machine);
    while (ops->image_next(source, &image, 64)) {
    }
    ops->image_close(source);
    driver other;
    driver_open(&other, (sk_keyspace_limits){0});
    restore(&other, sk_buffer_slice(&image), 7);
    SK_ASSERT(ops->digest(d->machine) == ops->digest(other.machine));
    driver_close(&other);
    sk_buffer_deinit(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    driver d;
    driver_open(&d, (sk_keyspace_limits){.value_size_max = 4096, .memory_max = 65536});
    sk_slice input = sk_slice_make(data + 1, size - 1);
    size_t consumed;
    if (data[0] == 0)
        restore(&d, input, 1 + size % 16);
    else if (data[0] == 1)
        d.machine->ops->apply(d.machine, &d.context, input, &d.reply);
    else
        driver_feed(&d, input, &consumed);
    d.machine->ops->advance(d.machine, d.context.clock_ms + data[0]);
    sk_keyspace_check(SK_CONTAINER(d.machine, sk_keyspace, machine));
    round_trip(&d);
    driver_close(&d);
    return 0;
}
