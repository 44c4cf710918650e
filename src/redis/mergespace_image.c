// A mergeable key space as bytes: snapshots. Integers are LEB128.
//
//   magic "SKMERGE" and the format version
//   head   sized: seen, base, greatest stamp (8 bytes)
//   chunks each sized, not empty, as a full walk gives them (data/mergeable.h)
//   end    0, then content and number of live keys, eight bytes each, least significant first
//
// A walk is merged into an empty state: what a snapshot and a peer bring goes through one door.
#include "base/alloc.h"
#include "base/error.h"
#include "redis/mergespace_data.h"
#include "redis/pack.h"

static const uint8_t magic[8] = {'S', 'K', 'M', 'E', 'R', 'G', 'E', 1};
enum { CHUNK_SIZE = 64 * 1024 };

// ---- Image ----

struct sk_machine_image {
    sk_walk *walk;
    uint64_t content, live, stamp;
    sk_buffer bytes;
    size_t given;
    bool begun, all;
};

sk_machine_image *sk_merge_image_open(sk_machine *machine)
{
    sk_mergeable *state = &sk_mergespace_of(machine)->state;
    sk_machine_image *image = sk_alloc_zeroed(sizeof *image);
    image->walk = sk_walk_open(state, NULL);
    image->content = state->content;
    image->live = state->live;
    image->stamp = state->clock.last;
    return image;
}

static void begin(sk_machine_image *image)
{
    sk_buffer head = {0};
    sk_vector_write(sk_walk_seen(image->walk), &head);
    sk_vector_write(sk_walk_base(image->walk), &head);
    sk_write_u64(&head, image->stamp);
    sk_buffer_append(&image->bytes, magic, sizeof magic);
    sk_write_sized(&image->bytes, sk_buffer_slice(&head));
    sk_buffer_deinit(&head);
    image->begun = true;
}

static void add_chunk(sk_machine_image *image)
{
    sk_buffer chunk = {0};
    image->all = !sk_walk_next(image->walk, &chunk, CHUNK_SIZE);
    sk_write_sized(&image->bytes, sk_buffer_slice(&chunk));
    sk_buffer_deinit(&chunk);
    if (!image->all) return;
    sk_write_varint(&image->bytes, 0);
    sk_write_u64(&image->bytes, image->content);
    sk_write_u64(&image->bytes, image->live);
}

bool sk_merge_image_next(sk_machine_image *image, sk_buffer *out, size_t budget)
{
    if (!image->begun) begin(image);
    if (image->given == image->bytes.size) {
        sk_buffer_reset(&image->bytes, 4 * CHUNK_SIZE);
        image->given = 0;
        add_chunk(image);
    }
    size_t left = image->bytes.size - image->given;
    if (budget == 0) budget = 1;
    size_t part = left < budget ? left : budget;
    sk_buffer_append(out, image->bytes.data + image->given, part);
    image->given += part;
    return image->given < image->bytes.size || !image->all;
}

void sk_merge_image_close(sk_machine_image *image)
{
    sk_walk_close(image->walk);
    sk_buffer_deinit(&image->bytes);
    sk_free(image);
}

// ---- Restore ----

struct sk_machine_restore {
    sk_mergespace *space;
    sk_mergeable state;
    sk_vector base; // the state's at the end: until then it would say that all was seen and is gone
    sk_buffer pending;
    size_t wanted; // no use to look at pending before it has so many
    bool begun, has_head, ended, bad;
};

sk_machine_restore *sk_merge_restore_open(sk_machine *machine)
{
    sk_machine_restore *restore = sk_alloc_zeroed(sizeof *restore);
    restore->space = sk_mergespace_of(machine);
    sk_mergeable_init(&restore->state, restore->space->options.node, restore->space->options.drift_max_ms);
    return restore;
}

static bool take_head(sk_machine_restore *restore, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    sk_vector_read(&restore->state.seen, &reader, bytes.size);
    sk_vector_read(&restore->base, &reader, bytes.size);
    restore->state.clock.last = sk_read_u64(&reader);
    restore->has_head = true;
    return sk_reader_done(&reader) && sk_vector_covers(&restore->state.seen, &restore->base);
}

// One element from the front. 1, 0 (more bytes are needed) or negative.
static int take(sk_machine_restore *restore, sk_slice *bytes)
{
    sk_slice rest = *bytes;
    uint64_t size;
    if (restore->ended) return SK_ECORRUPT;
    if (!restore->begun) {
        if (rest.size < sizeof magic) return 0;
        if (memcmp(rest.data, magic, sizeof magic) != 0) return SK_ECORRUPT;
        restore->begun = true;
        *bytes = sk_slice_make(rest.data + sizeof magic, rest.size - sizeof magic);
        return 1;
    }
    int got = sk_unpack(&rest, &size);
    if (got <= 0) return got < 0 ? SK_ECORRUPT : 0;
    bool end = size == 0;
    if (end) size = 16;
    if (size > SK_TREE_KEY_MAX) return SK_ECORRUPT;
    if (rest.size < size) {
        restore->wanted = (size_t)(rest.data - bytes->data) + (size_t)size;
        return 0;
    }
    sk_slice element = sk_slice_make(rest.data, (size_t)size);
    bool valid;
    if (!restore->has_head) {
        valid = !end && take_head(restore, element);
    } else if (end) {
        restore->ended = true;
        sk_mergeable_settle(&restore->state, &restore->base);
        valid = sk_get_u64(element.data) == restore->state.content && sk_get_u64(element.data + 8) == restore->state.live;
    } else {
        valid = sk_mergeable_merge(&restore->state, element, 0) == 0;
    }
    *bytes = sk_slice_make(rest.data + size, rest.size - (size_t)size);
    return valid ? 1 : SK_ECORRUPT;
}

int sk_merge_restore_add(sk_machine_restore *restore, sk_slice bytes)
{
    if (restore->bad) return SK_ECORRUPT;
    sk_buffer_append_slice(&restore->pending, bytes);
    if (restore->pending.size < restore->wanted) return 0;
    restore->wanted = 0;
    sk_slice rest = sk_buffer_slice(&restore->pending);
    int got = 1;
    while (rest.size && got == 1) got = take(restore, &rest);
    sk_buffer_consume(&restore->pending, restore->pending.size - rest.size);
    restore->bad = got < 0;
    return got < 0 ? SK_ECORRUPT : 0;
}

void sk_merge_restore_abort(sk_machine_restore *restore)
{
    sk_mergeable_deinit(&restore->state);
    sk_vector_deinit(&restore->base);
    sk_buffer_deinit(&restore->pending);
    sk_free(restore);
}

// Trees know where their garbage goes: the state is moved as a whole, and the old one goes with the restore.
static void move_trees(sk_mergeable *state)
{
    sk_tree *const trees[] = {&state->keys, &state->parts, &state->index, &state->expiries};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) trees[i]->garbage = &state->garbage;
}

int sk_merge_restore_finish(sk_machine_restore *restore)
{
    if (restore->bad || !restore->ended || restore->pending.size) {
        sk_merge_restore_abort(restore);
        return SK_ECORRUPT;
    }
    sk_mergeable *state = &restore->space->state;
    sk_mergeable old = *state;
    *state = restore->state;
    restore->state = old;
    move_trees(state);
    move_trees(&restore->state);
    state->self = old.self;
    restore->state.self = 0;
    sk_merge_restore_abort(restore);
    return 0;
}
