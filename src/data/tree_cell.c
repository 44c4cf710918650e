// How one entry lies in a leaf.
//
//   flags      u8      HAS_META | KEY_IN_BLOB | VALUE_IN_BLOB | HAS_TAG_BYTE, and a tag below 16 in the low
//   bits tag        u8      only with HAS_TAG_BYTE key        size u8 or u16 (below 128: one byte), bytes; or
//   a pointer to a blob meta       u64     only with HAS_META value      size, bytes; or a pointer to a blob
#include "base/assert.h"
#include "data/tree_node.h"

enum { HAS_META = 0x80, KEY_IN_BLOB = 0x40, VALUE_IN_BLOB = 0x20, HAS_TAG_BYTE = 0x10, TAG_MASK = 0x0f };

static inline size_t size_width(size_t size)
{
    return size < 128 ? 1 : 2;
}

static inline uint8_t *write_size(uint8_t *at, size_t size)
{
    if (size < 128) {
        *at++ = (uint8_t)size;
    } else {
        *at++ = (uint8_t)(size | 0x80);
        *at++ = (uint8_t)(size >> 7);
    }
    return at;
}

static inline const uint8_t *read_size(const uint8_t *at, size_t *size)
{
    *size = *at++;
    if (*size & 0x80) *size = (*size & 0x7f) | (size_t)*at++ << 7;
    return at;
}

static inline uint8_t *write_bytes(uint8_t *at, sk_slice bytes, sk_blob *blob)
{
    if (blob) {
        memcpy(at, &blob, sizeof blob);
        return at + sizeof blob;
    }
    at = write_size(at, bytes.size);
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static inline const uint8_t *read_bytes(const uint8_t *at, bool in_blob, sk_slice *bytes, sk_blob **blob)
{
    *blob = NULL;
    if (in_blob) {
        memcpy(blob, at, sizeof *blob);
        *bytes = sk_blob_slice(*blob);
        return at + sizeof *blob;
    }
    size_t size;
    at = read_size(at, &size);
    *bytes = sk_slice_make(at, size);
    return at + size;
}

size_t sk_cell_size(const sk_entry *entry)
{
    size_t size = 1 + (size_t)(entry->value.tag > TAG_MASK) + (entry->value.meta ? 8 : 0);
    size += entry->key_blob ? sizeof entry->key_blob : size_width(entry->key.size) + entry->key.size;
    size += entry->value_blob ? sizeof entry->value_blob
                              : size_width(entry->value.bytes.size) + entry->value.bytes.size;
    return size;
}

void sk_cell_write(uint8_t *cell, const sk_entry *entry)
{
    SK_ASSERT(entry->key_blob || entry->key.size <= SK_KEY_INLINE_MAX);
    SK_ASSERT(entry->value_blob || entry->value.bytes.size <= SK_VALUE_INLINE_MAX);
    bool tag_byte = entry->value.tag > TAG_MASK;
    uint8_t *at = cell;
    *at++ = (uint8_t)((entry->value.meta ? HAS_META : 0) | (entry->key_blob ? KEY_IN_BLOB : 0) |
                      (entry->value_blob ? VALUE_IN_BLOB : 0) | (tag_byte ? HAS_TAG_BYTE : entry->value.tag));
    if (tag_byte) *at++ = entry->value.tag;
    at = write_bytes(at, entry->key, entry->key_blob);
    if (entry->value.meta) {
        memcpy(at, &entry->value.meta, 8);
        at += 8;
    }
    write_bytes(at, entry->value.bytes, entry->value_blob);
}

size_t sk_cell_read(const uint8_t *cell, sk_entry *entry)
{
    const uint8_t *at = cell;
    uint8_t flags = *at++;
    entry->value.tag = flags & HAS_TAG_BYTE ? *at++ : flags & TAG_MASK;
    at = read_bytes(at, flags & KEY_IN_BLOB, &entry->key, &entry->key_blob);
    entry->value.meta = 0;
    if (flags & HAS_META) {
        memcpy(&entry->value.meta, at, 8);
        at += 8;
    }
    at = read_bytes(at, flags & VALUE_IN_BLOB, &entry->value.bytes, &entry->value_blob);
    return (size_t)(at - cell);
}

sk_slice sk_cell_key(const uint8_t *cell)
{
    uint8_t flags = *cell++;
    if (flags & HAS_TAG_BYTE) cell++;
    sk_slice key;
    sk_blob *blob;
    read_bytes(cell, flags & KEY_IN_BLOB, &key, &blob);
    return key;
}

bool sk_cell_change_meta(uint8_t *cell, uint64_t meta)
{
    bool has = cell[0] & HAS_META;
    if (has != (meta != 0)) return false;
    if (!has) return true;
    sk_slice key;
    sk_blob *blob;
    const uint8_t *at = cell + 1 + (cell[0] & HAS_TAG_BYTE ? 1 : 0);
    at = read_bytes(at, cell[0] & KEY_IN_BLOB, &key, &blob);
    memcpy(cell + (at - cell), &meta, 8);
    return true;
}

void sk_entry_prepare(sk_entry *entry)
{
    if (!entry->key_blob && entry->key.size > SK_KEY_INLINE_MAX) entry->key_blob = sk_blob_make(entry->key);
    if (!entry->value_blob && entry->value.bytes.size > SK_VALUE_INLINE_MAX) {
        entry->value_blob = sk_blob_make(entry->value.bytes);
    }
}

void sk_entry_retain(const sk_entry *entry)
{
    if (entry->key_blob) sk_blob_retain(entry->key_blob);
    if (entry->value_blob) sk_blob_retain(entry->value_blob);
}

void sk_entry_release(const sk_entry *entry)
{
    if (entry->key_blob) sk_blob_release(entry->key_blob);
    if (entry->value_blob) sk_blob_release(entry->value_blob);
}
