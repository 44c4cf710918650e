// Pieces as bytes.
#include "base/error.h"
#include "data/mergeable_private.h"

int sk_part_compare(sk_part_name a, sk_part_name b)
{
    if (a.slot != b.slot) return a.slot < b.slot ? -1 : 1;
    uint64_t place = sk_place(a.name);
    uint64_t other = sk_place(b.name);
    if (place != other) return place < other ? -1 : 1;
    return sk_slice_compare(a.name, b.name);
}

void sk_piece_deinit(sk_piece *piece)
{
    sk_context_deinit(&piece->context);
    sk_scalar_deinit(&piece->scalar);
    sk_register_deinit(&piece->expiry);
}

void sk_piece_write_begin(sk_buffer *out, uint8_t flags, sk_slice key, sk_slice after, const sk_context *context)
{
    sk_write_u8(out, flags);
    sk_write_sized(out, key);
    if ((flags & SK_PIECE_FULL) && !(flags & SK_PIECE_FIRST)) sk_write_sized(out, after);
    sk_context_write(context, out);
}

void sk_piece_write_part(sk_buffer *out, sk_part_name name, sk_slice body)
{
    sk_write_u8(out, name.slot);
    sk_write_sized(out, name.name);
    sk_write_sized(out, body);
}

bool sk_piece_part(sk_reader *parts, uint64_t *left, sk_part_name *name, sk_slice *body)
{
    if (*left == 0) return false;
    --*left;
    name->slot = sk_read_u8(parts);
    name->name = sk_read_sized(parts);
    *body = sk_read_sized(parts);
    return !parts->bad;
}

// Every part is whole and of a known kind, and they ascend.
static bool parts_valid(sk_mergeable *state, const sk_piece *piece, sk_reader reader)
{
    uint64_t left = piece->count;
    sk_part_name name;
    sk_part_name last = {0};
    sk_slice body;
    while (sk_piece_part(&reader, &left, &name, &body)) {
        sk_reader inner = sk_reader_make(body);
        if (name.slot == SK_SLOT_SET) sk_dots_read(&state->other_dots, &inner);
        else if (name.slot == SK_SLOT_MAP) sk_scalar_read(&state->other_scalar, &inner);
        else return false;
        if (!sk_reader_done(&inner)) return false;
        if (last.slot && sk_part_compare(last, name) >= 0) return false;
        last = name;
    }
    return sk_reader_done(&reader);
}

static bool expiry_valid(const sk_register *expiry)
{
    for (size_t i = 0; i < expiry->count; i++) {
        if (expiry->list[i].value.size != 8) return false;
    }
    return true;
}

// A part's tail, with the right place.
static bool after_valid(sk_slice tail)
{
    if (tail.size < 1 + SK_PLACE_SIZE || (tail.data[0] != SK_SLOT_SET && tail.data[0] != SK_SLOT_MAP)) return false;
    sk_buffer entry = {0};
    sk_slice place = sk_slice_make(tail.data + 1, tail.size - 1);
    bool valid = sk_slice_equal(sk_key_entry(&entry, sk_entry_name(place)), place);
    sk_buffer_deinit(&entry);
    return valid;
}

int sk_piece_read(sk_mergeable *state, sk_slice bytes, sk_piece *out)
{
    sk_reader reader = sk_reader_make(bytes);
    out->flags = sk_read_u8(&reader);
    out->key = sk_read_sized(&reader);
    out->after = sk_slice_make(NULL, 0);
    bool full = out->flags & SK_PIECE_FULL;
    bool first = !full || (out->flags & SK_PIECE_FIRST);
    if (out->flags >= SK_PIECE_FLAGS_END || (!full && out->flags)) reader.bad = true;
    if (!first) out->after = sk_read_sized(&reader);
    if (!first && !after_valid(out->after)) reader.bad = true;
    sk_context_read(&out->context, &reader);
    sk_scalar_clear(&out->scalar);
    sk_register_clear(&out->expiry);
    if (first) {
        sk_scalar_read(&out->scalar, &reader);
        sk_register_read(&out->expiry, &reader);
    }
    out->count = sk_read_varint(&reader);
    if (reader.bad || !expiry_valid(&out->expiry)) return SK_EPROTOCOL;
    out->parts = sk_slice_make(reader.at, sk_reader_left(&reader));
    return parts_valid(state, out, reader) ? 0 : SK_EPROTOCOL;
}
