#include "redis/keyspace_image.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "redis/keyspace_data.h"
#include "redis/pack.h"

static const uint8_t magic[8] = {'S', 'K', 'K', 'E', 'Y', 'S', 0, 1};

// What the end of an image must say.
static uint64_t seal(uint64_t content, uint64_t clock_ms, uint64_t changes)
{
    return sk_hash_mix(sk_hash_mix(content, clock_ms), changes);
}

// ---- Image ----

struct sk_machine_image {
    sk_tree keys; // a snapshot
    sk_tree_cursor cursor;
    uint64_t clock_ms, changes, content;
    sk_slice value; // what is left of the entry under way
    bool began;
};

sk_machine_image *sk_keyspace_image_open(sk_machine *machine)
{
    sk_keyspace *keyspace = SK_CONTAINER(machine, sk_keyspace, machine);
    sk_machine_image *image = sk_alloc_zeroed(sizeof *image);
    image->keys = sk_tree_snapshot(&keyspace->keys);
    sk_tree_seek(&image->cursor, &image->keys, sk_slice_make(NULL, 0));
    image->clock_ms = keyspace->clock_ms;
    image->changes = keyspace->changes;
    image->content = keyspace->content;
    return image;
}

static void write_begin(sk_machine_image *image, sk_buffer *out)
{
    sk_buffer_append(out, magic, sizeof magic);
    sk_pack_append(out, image->clock_ms);
    sk_pack_append(out, image->changes);
    sk_pack_append(out, image->keys.count);
    image->began = true;
}

static void write_entry_head(sk_buffer *out, sk_slice key, const sk_value *value)
{
    sk_pack_append(out, (uint64_t)value->tag + 1);
    sk_pack_append(out, value->meta);
    sk_pack_append(out, key.size);
    sk_buffer_append_slice(out, key);
    sk_pack_append(out, value->bytes.size);
}

static void write_end(const sk_machine_image *image, sk_buffer *out)
{
    uint64_t sealed = seal(image->content, image->clock_ms, image->changes);
    sk_pack_append(out, 0);
    for (int i = 0; i < 8; i++) sk_buffer_append_byte(out, (uint8_t)(sealed >> (8 * i)));
}

bool sk_keyspace_image_next(sk_machine_image *image, sk_buffer *out, size_t budget)
{
    size_t end = out->size + (budget ? budget : 1);
    if (!image->began) write_begin(image, out);
    while (out->size < end) {
        size_t room = end - out->size;
        if (image->value.size) {
            size_t part = image->value.size < room ? image->value.size : room;
            sk_buffer_append(out, image->value.data, part);
            image->value = sk_slice_make(image->value.data + part, image->value.size - part);
            continue;
        }
        sk_slice key;
        sk_value value;
        if (!sk_tree_next(&image->cursor, &key, &value)) {
            write_end(image, out);
            return false;
        }
        write_entry_head(out, key, &value);
        image->value = value.bytes;
    }
    return true;
}

void sk_keyspace_image_close(sk_machine_image *image)
{
    sk_tree_drop(&image->keys);
    sk_free(image);
}

// ---- Restore ----

enum stage { STAGE_BEGIN, STAGE_ENTRIES, STAGE_END, STAGE_BAD };

struct sk_machine_restore {
    sk_keyspace *keyspace;
    sk_tree_builder *builder;
    sk_tree expiries;
    enum stage stage;
    uint64_t clock_ms, changes, content;
    uint64_t count, count_wanted;
    sk_buffer pending;     // bytes of an element that is not complete
    size_t pending_wanted; // no use to look at pending before it has so many
    sk_buffer expiry_key;
};

sk_machine_restore *sk_keyspace_restore_open(sk_machine *machine)
{
    sk_machine_restore *restore = sk_alloc_zeroed(sizeof *restore);
    restore->keyspace = SK_CONTAINER(machine, sk_keyspace, machine);
    restore->builder = sk_tree_builder_open(&restore->keyspace->garbage);
    sk_tree_init(&restore->expiries, &restore->keyspace->garbage);
    return restore;
}

enum { TAKE_MORE = 0, TAKE_OK = 1, TAKE_BAD = -1 };

static int take_begin(sk_machine_restore *restore, sk_slice *bytes)
{
    if (bytes->size < sizeof magic) return TAKE_MORE;
    if (memcmp(bytes->data, magic, sizeof magic) != 0) return TAKE_BAD;
    sk_slice rest = sk_slice_make(bytes->data + sizeof magic, bytes->size - sizeof magic);
    uint64_t *const fields[] = {&restore->clock_ms, &restore->changes, &restore->count_wanted};
    for (size_t i = 0; i < 3; i++) {
        int got = sk_unpack(&rest, fields[i]);
        if (got != TAKE_OK) return got;
    }
    restore->stage = STAGE_ENTRIES;
    *bytes = rest;
    return TAKE_OK;
}

// A size and so many bytes. When they are not all there yet, pending_wanted says how many of the whole
// element there must be.
static int take_sized(sk_machine_restore *restore, const uint8_t *element, sk_slice *rest, sk_slice *out)
{
    uint64_t size;
    int got = sk_unpack(rest, &size);
    if (got != TAKE_OK) return got;
    if (size > SK_TREE_KEY_MAX) return TAKE_BAD;
    if (rest->size < size) {
        restore->pending_wanted = (size_t)(rest->data - element) + (size_t)size;
        return TAKE_MORE;
    }
    *out = sk_slice_make(rest->data, (size_t)size);
    *rest = sk_slice_make(rest->data + size, rest->size - (size_t)size);
    return TAKE_OK;
}

static bool tag_known(uint64_t tag)
{
    return (tag & SK_TYPE_MASK) == SK_TYPE_STRING && (tag & SK_FORM_MASK) <= SK_FORM_RAW && tag <= UINT8_MAX;
}

static bool add_entry(sk_machine_restore *restore, sk_slice key, const sk_value *value)
{
    if (!sk_tree_builder_add(restore->builder, key, *value)) return false;
    restore->content += sk_keyspace_entry_hash(key, value);
    restore->count++;
    if (!value->meta) return true;
    sk_slice expiry = sk_expiry_key(&restore->expiry_key, value->meta, key);
    return sk_tree_put(&restore->expiries, expiry, (sk_value){0});
}

static int take_end(sk_machine_restore *restore, sk_slice *rest)
{
    if (rest->size < 8) return TAKE_MORE;
    uint64_t sealed = 0;
    for (int i = 0; i < 8; i++) sealed |= (uint64_t)rest->data[i] << (8 * i);
    if (sealed != seal(restore->content, restore->clock_ms, restore->changes)) return TAKE_BAD;
    if (restore->count != restore->count_wanted) return TAKE_BAD;
    restore->stage = STAGE_END;
    *rest = sk_slice_make(rest->data + 8, rest->size - 8);
    return TAKE_OK;
}

static int take_entry(sk_machine_restore *restore, sk_slice *bytes)
{
    sk_slice rest = *bytes;
    uint64_t tag;
    int got = sk_unpack(&rest, &tag);
    if (got != TAKE_OK) return got;
    if (tag == 0) {
        got = take_end(restore, &rest);
    } else {
        sk_value value = {.tag = (uint8_t)(tag - 1)};
        sk_slice key;
        if (!tag_known(tag - 1)) return TAKE_BAD;
        if ((got = sk_unpack(&rest, &value.meta)) != TAKE_OK) return got;
        if ((got = take_sized(restore, bytes->data, &rest, &key)) != TAKE_OK) return got;
        if ((got = take_sized(restore, bytes->data, &rest, &value.bytes)) != TAKE_OK) return got;
        if (!add_entry(restore, key, &value)) return TAKE_BAD;
    }
    if (got == TAKE_OK) *bytes = rest;
    return got;
}

static int take(sk_machine_restore *restore, sk_slice *bytes)
{
    restore->pending_wanted = 0;
    switch (restore->stage) {
    case STAGE_BEGIN:
        return take_begin(restore, bytes);
    case STAGE_ENTRIES:
        return take_entry(restore, bytes);
    default:
        return TAKE_BAD; // bytes behind the end
    }
}

int sk_keyspace_restore_add(sk_machine_restore *restore, sk_slice bytes)
{
    if (restore->stage == STAGE_BAD) return SK_ECORRUPT;
    sk_slice rest = bytes;
    bool buffered = restore->pending.size > 0;
    if (buffered) {
        sk_buffer_append_slice(&restore->pending, bytes);
        if (restore->pending.size < restore->pending_wanted) return 0;
        rest = sk_buffer_slice(&restore->pending);
    }
    int got = TAKE_OK;
    while (rest.size && got == TAKE_OK) got = take(restore, &rest);
    if (got == TAKE_BAD) {
        restore->stage = STAGE_BAD;
        return SK_ECORRUPT;
    }
    if (buffered)
        sk_buffer_consume(&restore->pending, restore->pending.size - rest.size);
    else
        sk_buffer_append_slice(&restore->pending, rest);
    return 0;
}

void sk_keyspace_restore_abort(sk_machine_restore *restore)
{
    if (restore->builder) sk_tree_builder_drop(restore->builder);
    sk_tree_drop(&restore->expiries);
    sk_buffer_deinit(&restore->pending);
    sk_buffer_deinit(&restore->expiry_key);
    sk_free(restore);
}

int sk_keyspace_restore_finish(sk_machine_restore *restore)
{
    if (restore->stage != STAGE_END) {
        sk_keyspace_restore_abort(restore);
        return SK_ECORRUPT;
    }
    sk_keyspace *keyspace = restore->keyspace;
    sk_tree_drop(&keyspace->keys);
    sk_tree_drop(&keyspace->expiries);
    sk_tree_builder_finish(restore->builder, &keyspace->keys);
    restore->builder = NULL;
    keyspace->expiries = restore->expiries;
    sk_tree_init(&restore->expiries, &keyspace->garbage);
    keyspace->clock_ms = restore->clock_ms;
    keyspace->changes = restore->changes;
    keyspace->content = restore->content;
    sk_keyspace_restore_abort(restore);
    return 0;
}
