#include "node/catalogue_machine.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/list.h"
#include "redis/command.h"
#include "redis/keyspace_data.h"
#include "redis/keyspace_image.h"

static const char catalogue_key[] = "catalogue";

typedef struct catalogue_machine {
    sk_machine machine; // first
    sk_machine *keyspace;
    sk_catalogue catalogue; // what the value at catalogue_key says
    uint64_t changes;
    sk_buffer bytes;
} catalogue_machine;

struct sk_machine_restore {
    catalogue_machine *owner;
    sk_machine_restore *inner;
};

static catalogue_machine *own(sk_machine *machine)
{
    return SK_CONTAINER(machine, catalogue_machine, machine);
}

static const catalogue_machine *own_const(const sk_machine *machine)
{
    return SK_CONTAINER(machine, catalogue_machine, machine);
}

static sk_keyspace *keyspace_of(catalogue_machine *machine)
{
    return SK_CONTAINER(machine->keyspace, sk_keyspace, machine);
}

static void keep(catalogue_machine *machine)
{
    sk_buffer_clear(&machine->bytes);
    sk_catalogue_encode(&machine->catalogue, &machine->bytes);
    sk_value value = {.bytes = sk_buffer_slice(&machine->bytes)};
    sk_keyspace_put(keyspace_of(machine), sk_slice_text(catalogue_key), value);
    machine->changes++;
}

static int load(catalogue_machine *machine)
{
    sk_value value;
    machine->changes++;
    if (sk_keyspace_find(keyspace_of(machine), sk_slice_text(catalogue_key), &value))
        return sk_catalogue_decode(&machine->catalogue, value.bytes);
    sk_catalogue_deinit(&machine->catalogue);
    sk_catalogue_init(&machine->catalogue);
    return 0;
}

static void apply(sk_machine *base, const sk_command_context *context, sk_slice command, sk_buffer *reply)
{
    catalogue_machine *machine = own(base);
    sk_slice argv[3];
    int argc = sk_command_decode(command, argv, 3);
    if (argc != 3 || !sk_slice_equal(argv[0], sk_slice_text(SK_CATALOGUE_COMMAND))) {
        machine->keyspace->ops->apply(machine->keyspace, context, command, reply);
        return;
    }
    machine->keyspace->ops->advance(machine->keyspace, context->clock_ms);
    uint64_t before = machine->catalogue.version;
    sk_catalogue_apply(&machine->catalogue, (size_t)argc, argv, reply);
    if (machine->catalogue.version != before) keep(machine);
}

static void advance(sk_machine *base, uint64_t clock_ms)
{
    sk_machine *keyspace = own(base)->keyspace;
    keyspace->ops->advance(keyspace, clock_ms);
}

static sk_machine_job *query(sk_machine *base, const sk_command_context *context, sk_slice command, sk_buffer *reply)
{
    sk_machine *keyspace = own(base)->keyspace;
    return keyspace->ops->query(keyspace, context, command, reply);
}

static uint64_t next_deadline(const sk_machine *base)
{
    const sk_machine *keyspace = own_const(base)->keyspace;
    return keyspace->ops->next_deadline(keyspace);
}

static uint64_t digest(const sk_machine *base)
{
    const sk_machine *keyspace = own_const(base)->keyspace;
    return keyspace->ops->digest(keyspace);
}

static size_t memory(const sk_machine *base)
{
    const sk_machine *keyspace = own_const(base)->keyspace;
    return keyspace->ops->memory(keyspace);
}

// ---- Images: the key space's own ----

static sk_machine_image *image_open(sk_machine *base)
{
    sk_machine *keyspace = own(base)->keyspace;
    return keyspace->ops->image_open(keyspace);
}

static bool image_next(sk_machine_image *image, sk_buffer *out, size_t budget)
{
    return sk_keyspace_image_next(image, out, budget);
}

static void image_close(sk_machine_image *image)
{
    sk_keyspace_image_close(image);
}

static sk_machine_restore *restore_open(sk_machine *base)
{
    sk_machine_restore *restore = sk_alloc_zeroed(sizeof *restore);
    restore->owner = own(base);
    restore->inner = restore->owner->keyspace->ops->restore_open(restore->owner->keyspace);
    return restore;
}

static int restore_add(sk_machine_restore *restore, sk_slice bytes)
{
    return restore->owner->keyspace->ops->restore_add(restore->inner, bytes);
}

static int restore_finish(sk_machine_restore *restore)
{
    catalogue_machine *machine = restore->owner;
    int error = machine->keyspace->ops->restore_finish(restore->inner);
    sk_free(restore);
    if (error) return error;
    // The image's own hash has been checked: a catalogue that cannot be read was written by something newer.
    int unreadable = load(machine);
    SK_ASSERT(!unreadable);
    return 0;
}

static void restore_abort(sk_machine_restore *restore)
{
    restore->owner->keyspace->ops->restore_abort(restore->inner);
    sk_free(restore);
}

static bool collect(sk_machine *base, size_t budget)
{
    sk_machine *keyspace = own(base)->keyspace;
    return keyspace->ops->collect(keyspace, budget);
}

static void close_machine(sk_machine *base)
{
    catalogue_machine *machine = own(base);
    machine->keyspace->ops->close(machine->keyspace);
    sk_catalogue_deinit(&machine->catalogue);
    sk_buffer_deinit(&machine->bytes);
    sk_free(machine);
}

static const sk_machine_ops catalogue_ops = {
    .apply = apply,
    .advance = advance,
    .query = query,
    .next_deadline = next_deadline,
    .digest = digest,
    .memory = memory,
    .image_open = image_open,
    .image_next = image_next,
    .image_close = image_close,
    .restore_open = restore_open,
    .restore_add = restore_add,
    .restore_finish = restore_finish,
    .restore_abort = restore_abort,
    .collect = collect,
    .close = close_machine,
};

sk_machine *sk_catalogue_machine_open(void)
{
    catalogue_machine *machine = sk_alloc_zeroed(sizeof *machine);
    machine->machine.ops = &catalogue_ops;
    machine->keyspace = sk_keyspace_open(&(sk_keyspace_limits){0});
    sk_catalogue_init(&machine->catalogue);
    return &machine->machine;
}

sk_keyspace_facts sk_catalogue_machine_facts(const sk_machine *base)
{
    return sk_keyspace_facts_of(own_const(base)->keyspace);
}

const sk_catalogue *sk_catalogue_machine_get(const sk_machine *base, uint64_t *changes)
{
    const catalogue_machine *machine = own_const(base);
    if (changes) *changes = machine->changes;
    return &machine->catalogue;
}
