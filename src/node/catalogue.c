#include "node/catalogue.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum { FORMAT_VERSION = 1 };

// ---- Life ----

void sk_catalogue_init(sk_catalogue *catalogue)
{
    *catalogue = (sk_catalogue){.next_id = SK_SPACE_FIRST_ID};
}

static void record_deinit(sk_space_record *record)
{
    sk_free((void *)(uintptr_t)record->prefix.data);
    sk_free((void *)(uintptr_t)record->options.data);
}

void sk_catalogue_deinit(sk_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->count; i++) record_deinit(&catalogue->records[i]);
    sk_free(catalogue->records);
    sk_free(catalogue->used);
    sk_free((void *)catalogue->by_prefix);
    *catalogue = (sk_catalogue){0};
}

static sk_slice copy(sk_slice bytes)
{
    if (!bytes.size) return sk_slice_make(NULL, 0);
    uint8_t *owned = sk_alloc(bytes.size);
    memcpy(owned, bytes.data, bytes.size);
    return sk_slice_make(owned, bytes.size);
}

// ---- Finding ----

static size_t lower_bound(const sk_catalogue *catalogue, uint32_t id)
{
    size_t low = 0, high = catalogue->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (catalogue->records[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

const sk_space_record *sk_catalogue_by_id(const sk_catalogue *catalogue, uint32_t id)
{
    size_t at = lower_bound(catalogue, id);
    return at < catalogue->count && catalogue->records[at].id == id ? &catalogue->records[at] : NULL;
}

const sk_space_record *sk_catalogue_by_name(const sk_catalogue *catalogue, sk_slice name)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        if (sk_slice_equal_nocase(name, catalogue->records[i].name)) return &catalogue->records[i];
    }
    return NULL;
}

const sk_space_record *sk_catalogue_by_number(const sk_catalogue *catalogue, uint32_t number)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        if (catalogue->records[i].number == number) return &catalogue->records[i];
    }
    return NULL;
}

bool sk_prefix_begins(sk_slice prefix, sk_slice key)
{
    return key.size >= prefix.size && (!prefix.size || memcmp(prefix.data, key.data, prefix.size) == 0);
}

// No prefix begins another, so the only one that can begin the key is the last that sorts at or before it.
const sk_space_record *sk_catalogue_owner(const sk_catalogue *catalogue, sk_slice key)
{
    size_t low = 0, high = catalogue->by_prefix_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sk_slice_compare(catalogue->by_prefix[middle]->prefix, key) <= 0) low = middle + 1;
        else high = middle;
    }
    if (!low) return NULL;
    const sk_space_record *record = catalogue->by_prefix[low - 1];
    return sk_prefix_begins(record->prefix, key) ? record : NULL;
}

const sk_space_record *sk_catalogue_under_way(const sk_catalogue *catalogue)
{
    for (size_t i = catalogue->count; i-- > 0;) {
        if (catalogue->records[i].phase != SK_PHASE_ACTIVE) return &catalogue->records[i];
    }
    return NULL;
}

const sk_outcome *sk_catalogue_outcome(const sk_catalogue *catalogue, uint32_t id, uint64_t version)
{
    for (size_t i = catalogue->outcome_count; i-- > 0;) {
        const sk_outcome *outcome = &catalogue->outcomes[i];
        if (outcome->id == id && outcome->version == version) return outcome;
    }
    return NULL;
}

const char *sk_space_phase_name(enum sk_space_phase phase)
{
    switch (phase) {
    case SK_PHASE_CREATING: return "creating";
    case SK_PHASE_FENCED: return "fenced";
    case SK_PHASE_ACTIVE: return "active";
    case SK_PHASE_DROPPING: return "dropping";
    }
    return "unknown";
}

const char *sk_space_name_refused(sk_slice name)
{
    if (!name.size || name.size > SK_SPACE_NAME_MAX) return "a space's name has 1 to 63 characters";
    if (sk_slice_equal_nocase(name, "system")) return "'system' is the cluster's own space";
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return "a space's name is made of letters, digits, '-', '_' and '.'";
    }
    return NULL;
}

// ---- Records ----

static bool owns_prefix(const sk_space_record *record)
{
    return record->id >= SK_SPACE_FIRST_ID && record->phase != SK_PHASE_CREATING;
}

void sk_catalogue_index(sk_catalogue *catalogue)
{
    catalogue->by_prefix = sk_realloc((void *)catalogue->by_prefix, (catalogue->count + 1) * sizeof *catalogue->by_prefix);
    catalogue->by_prefix_count = 0;
    for (size_t i = 0; i < catalogue->count; i++) {
        const sk_space_record *record = &catalogue->records[i];
        if (!owns_prefix(record)) continue;
        size_t at = catalogue->by_prefix_count++;
        for (; at > 0 && sk_slice_compare(catalogue->by_prefix[at - 1]->prefix, record->prefix) > 0; at--)
            catalogue->by_prefix[at] = catalogue->by_prefix[at - 1];
        catalogue->by_prefix[at] = record;
    }
}

sk_space_record *sk_catalogue_add(sk_catalogue *catalogue, const sk_space_record *record)
{
    if (catalogue->count == catalogue->capacity) {
        catalogue->capacity = catalogue->capacity ? catalogue->capacity * 2 : 4;
        catalogue->records = sk_realloc(catalogue->records, catalogue->capacity * sizeof *catalogue->records);
    }
    size_t at = lower_bound(catalogue, record->id);
    SK_ASSERT(at == catalogue->count || catalogue->records[at].id != record->id);
    memmove(&catalogue->records[at + 1], &catalogue->records[at], (catalogue->count - at) * sizeof *catalogue->records);
    catalogue->count++;
    sk_space_record *added = &catalogue->records[at];
    *added = *record;
    added->prefix = copy(record->prefix);
    added->options = copy(record->options);
    sk_catalogue_index(catalogue);
    return added;
}

void sk_catalogue_remove(sk_catalogue *catalogue, uint32_t id)
{
    size_t at = lower_bound(catalogue, id);
    SK_ASSERT(at < catalogue->count && catalogue->records[at].id == id);
    record_deinit(&catalogue->records[at]);
    catalogue->count--;
    memmove(&catalogue->records[at], &catalogue->records[at + 1], (catalogue->count - at) * sizeof *catalogue->records);
    sk_catalogue_index(catalogue);
}

// ---- Numbers ----

bool sk_catalogue_number_used(const sk_catalogue *catalogue, uint32_t number)
{
    for (size_t i = 0; i < catalogue->used_count; i++) {
        if (number >= catalogue->used[i].first && number <= catalogue->used[i].last) return true;
    }
    return false;
}

// 0 is the routed view and 1 the default space.
uint32_t sk_catalogue_number_lowest(const sk_catalogue *catalogue)
{
    uint32_t number = 2;
    for (size_t i = 0; i < catalogue->used_count && catalogue->used[i].first <= number; i++) {
        if (catalogue->used[i].last >= number) number = catalogue->used[i].last + 1;
    }
    return number;
}

void sk_catalogue_number_use(sk_catalogue *catalogue, uint32_t number)
{
    SK_ASSERT(!sk_catalogue_number_used(catalogue, number));
    size_t at = 0;
    while (at < catalogue->used_count && catalogue->used[at].last < number) at++;
    bool before = at > 0 && catalogue->used[at - 1].last + 1 == number;
    bool after = at < catalogue->used_count && catalogue->used[at].first == number + 1;
    if (before && after) {
        catalogue->used[at - 1].last = catalogue->used[at].last;
        catalogue->used_count--;
        memmove(&catalogue->used[at], &catalogue->used[at + 1], (catalogue->used_count - at) * sizeof *catalogue->used);
    } else if (before) {
        catalogue->used[at - 1].last = number;
    } else if (after) {
        catalogue->used[at].first = number;
    } else {
        catalogue->used = sk_realloc(catalogue->used, (catalogue->used_count + 1) * sizeof *catalogue->used);
        memmove(&catalogue->used[at + 1], &catalogue->used[at], (catalogue->used_count - at) * sizeof *catalogue->used);
        catalogue->used[at] = (sk_number_run){.first = number, .last = number};
        catalogue->used_count++;
    }
}

// ---- Bytes ----

void sk_space_record_write(sk_buffer *out, const sk_space_record *record)
{
    sk_write_varint(out, record->id);
    sk_write_varint(out, record->number);
    sk_write_sized(out, sk_slice_text(record->name));
    sk_write_sized(out, sk_slice_text(record->protocol));
    sk_write_u8(out, (uint8_t)record->phase);
    sk_write_u8(out, (uint8_t)record->durability);
    sk_write_varint(out, record->durability_ms);
    sk_write_u8(out, (uint8_t)record->reads);
    sk_write_varint(out, record->version);
    sk_write_varint(out, record->fence_version);
    sk_write_varint(out, record->limit_version);
    sk_write_varint(out, record->memory_max);
    sk_write_u8(out, record->forced);
    sk_write_sized(out, record->prefix);
    sk_write_sized(out, record->options);
}

static bool read_text(sk_reader *reader, char *out, size_t out_size)
{
    sk_slice text = sk_read_sized(reader);
    if (reader->bad || text.size >= out_size || (text.size && memchr(text.data, 0, text.size))) return false;
    memset(out, 0, out_size);
    if (text.size) memcpy(out, text.data, text.size);
    return true;
}

bool sk_space_record_read(sk_reader *reader, sk_space_record *out)
{
    *out = (sk_space_record){0};
    uint64_t id = sk_read_varint(reader);
    uint64_t number = sk_read_varint(reader);
    if (!read_text(reader, out->name, sizeof out->name) || !read_text(reader, out->protocol, sizeof out->protocol)) return false;
    uint8_t phase = sk_read_u8(reader);
    uint8_t durability = sk_read_u8(reader);
    uint64_t durability_ms = sk_read_varint(reader);
    uint8_t reads = sk_read_u8(reader);
    out->version = sk_read_varint(reader);
    out->fence_version = sk_read_varint(reader);
    out->limit_version = sk_read_varint(reader);
    out->memory_max = sk_read_varint(reader);
    out->forced = sk_read_u8(reader) != 0;
    out->prefix = sk_read_sized(reader);
    out->options = sk_read_sized(reader);
    out->id = (uint32_t)id;
    out->number = (uint32_t)number;
    out->phase = (enum sk_space_phase)phase;
    out->durability = (enum sk_durability)durability;
    out->durability_ms = (uint32_t)durability_ms;
    out->reads = (enum sk_reads_mode)reads;
    return !reader->bad && id < UINT32_MAX && number <= SK_SPACE_NUMBER_MAX && phase >= SK_PHASE_CREATING &&
           phase <= SK_PHASE_DROPPING && durability <= SK_DURABILITY_VOLATILE && durability_ms <= UINT32_MAX &&
           reads <= SK_READS_LOCAL && out->prefix.size <= SK_SPACE_PREFIX_MAX && out->options.size <= SK_SPACE_OPTIONS_MAX;
}

void sk_catalogue_encode(const sk_catalogue *catalogue, sk_buffer *out)
{
    sk_write_varint(out, FORMAT_VERSION);
    sk_write_varint(out, catalogue->version);
    sk_write_varint(out, catalogue->routing);
    sk_write_varint(out, catalogue->next_id);
    sk_write_varint(out, catalogue->used_count);
    for (size_t i = 0; i < catalogue->used_count; i++) {
        sk_write_varint(out, catalogue->used[i].first);
        sk_write_varint(out, catalogue->used[i].last);
    }
    sk_write_varint(out, catalogue->outcome_count);
    for (size_t i = 0; i < catalogue->outcome_count; i++) {
        sk_write_varint(out, catalogue->outcomes[i].id);
        sk_write_u8(out, (uint8_t)catalogue->outcomes[i].kind);
        sk_write_varint(out, catalogue->outcomes[i].version);
    }
    sk_write_varint(out, catalogue->count);
    for (size_t i = 0; i < catalogue->count; i++) sk_space_record_write(out, &catalogue->records[i]);
}

static bool read_used(sk_catalogue *fresh, sk_reader *reader)
{
    uint64_t count = sk_read_varint(reader);
    uint64_t last = 0;
    if (reader->bad || count > sk_reader_left(reader)) return false;
    fresh->used = sk_alloc((count + 1) * sizeof *fresh->used);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t first = sk_read_varint(reader);
        uint64_t end = sk_read_varint(reader);
        if (reader->bad || first <= last + (i > 0) || end < first || end > SK_SPACE_NUMBER_MAX) return false;
        fresh->used[fresh->used_count++] = (sk_number_run){.first = (uint32_t)first, .last = (uint32_t)end};
        last = end;
    }
    return true;
}

static bool read_outcomes(sk_catalogue *fresh, sk_reader *reader)
{
    uint64_t count = sk_read_varint(reader);
    if (reader->bad || count > SK_OUTCOMES_MAX) return false;
    for (uint64_t i = 0; i < count; i++) {
        sk_outcome *outcome = &fresh->outcomes[fresh->outcome_count++];
        outcome->id = (uint32_t)sk_read_varint(reader);
        outcome->kind = (enum sk_outcome_kind)sk_read_u8(reader);
        outcome->version = sk_read_varint(reader);
    }
    return !reader->bad;
}

static bool read_all(sk_catalogue *fresh, sk_reader *reader)
{
    if (sk_read_varint(reader) != FORMAT_VERSION) return false;
    fresh->version = sk_read_varint(reader);
    fresh->routing = sk_read_varint(reader);
    uint64_t next_id = sk_read_varint(reader);
    if (reader->bad || next_id < SK_SPACE_FIRST_ID || next_id >= UINT32_MAX) return false;
    fresh->next_id = (uint32_t)next_id;
    if (!read_used(fresh, reader) || !read_outcomes(fresh, reader)) return false;
    uint64_t count = sk_read_varint(reader);
    if (reader->bad || count > SK_SPACES_CREATED_MAX + 1) return false;
    for (uint64_t i = 0; i < count; i++) {
        sk_space_record record;
        if (!sk_space_record_read(reader, &record) || record.id >= fresh->next_id) return false;
        if (fresh->count && record.id <= fresh->records[fresh->count - 1].id) return false;
        sk_catalogue_add(fresh, &record);
    }
    return sk_reader_done(reader);
}

int sk_catalogue_decode(sk_catalogue *catalogue, sk_slice bytes)
{
    sk_catalogue fresh;
    sk_catalogue_init(&fresh);
    sk_reader reader = sk_reader_make(bytes);
    if (!read_all(&fresh, &reader)) {
        sk_catalogue_deinit(&fresh);
        return SK_ECORRUPT;
    }
    sk_catalogue_deinit(catalogue);
    *catalogue = fresh;
    return 0;
}

void sk_catalogue_check(const sk_catalogue *catalogue)
{
    size_t under_way = 0;
    SK_ASSERT(catalogue->routing <= catalogue->version);
    for (size_t i = 0; i < catalogue->count; i++) {
        const sk_space_record *one = &catalogue->records[i];
        SK_ASSERT(one->id < catalogue->next_id && one->version <= catalogue->version);
        SK_ASSERT(i == 0 || catalogue->records[i - 1].id < one->id);
        SK_ASSERT(one->id < SK_SPACE_FIRST_ID || sk_catalogue_number_used(catalogue, one->number));
        under_way += one->phase != SK_PHASE_ACTIVE;
        for (size_t k = 0; k < i; k++) {
            const sk_space_record *other = &catalogue->records[k];
            SK_ASSERT(strcmp(one->name, other->name) != 0 && one->number != other->number);
            if (one->id < SK_SPACE_FIRST_ID || other->id < SK_SPACE_FIRST_ID) continue;
            SK_ASSERT(!sk_prefix_begins(one->prefix, other->prefix) && !sk_prefix_begins(other->prefix, one->prefix));
        }
    }
    SK_ASSERT(under_way <= 1);
}
