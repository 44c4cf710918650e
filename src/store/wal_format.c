#include "store/wal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/assert.h"
#include "base/crc.h"
#include "base/error.h"
#include "wire/codec.h"

static const char segment_magic[8] = {'S', 'K', 'E', 'I', 'N', 'W', 'L', '\n'};

uint32_t sk_wal_seed(const sk_identity *identity, uint64_t segment)
{
    uint8_t bytes[SK_CLUSTER_ID_SIZE + 4 + 8];
    memcpy(bytes, identity->cluster.bytes, SK_CLUSTER_ID_SIZE);
    uint8_t *at = sk_put_u32(bytes + SK_CLUSTER_ID_SIZE, identity->node);
    at = sk_put_u64(at, segment);
    SK_ASSERT(at == bytes + sizeof bytes);
    return sk_crc32c(0, bytes, sizeof bytes);
}

void sk_wal_segment_header_put(uint8_t out[SK_WAL_HEADER_SIZE], const sk_identity *identity,
                               const sk_wal_segment_header *header)
{
    memcpy(out, segment_magic, sizeof segment_magic);
    uint8_t *at = sk_put_u32(out + 8, SK_FORMAT_VERSION);
    at = sk_put_u32(at, identity->node);
    memcpy(at, identity->cluster.bytes, SK_CLUSTER_ID_SIZE);
    at = sk_put_u64(at + SK_CLUSTER_ID_SIZE, header->boot);
    at = sk_put_u64(at, header->segment);
    at = sk_put_u64(at, header->file_size);
    at = sk_put_u32(at, header->recycled);
    at = sk_put_u32(at, sk_crc32c(0, out, SK_WAL_HEADER_SIZE - 4));
    SK_ASSERT(at == out + SK_WAL_HEADER_SIZE);
}

int sk_wal_segment_header_get(const uint8_t bytes[SK_WAL_HEADER_SIZE], const sk_identity *identity,
                              sk_wal_segment_header *out)
{
    if (memcmp(bytes, segment_magic, sizeof segment_magic) != 0) return SK_ECORRUPT;
    if (sk_get_u32(bytes + SK_WAL_HEADER_SIZE - 4) != sk_crc32c(0, bytes, SK_WAL_HEADER_SIZE - 4))
        return SK_ECORRUPT;
    if (sk_get_u32(bytes + 8) != SK_FORMAT_VERSION) return SK_EVERSION;
    if (sk_get_u32(bytes + 12) != identity->node) return SK_EFOREIGN;
    if (memcmp(bytes + 16, identity->cluster.bytes, SK_CLUSTER_ID_SIZE) != 0) return SK_EFOREIGN;
    out->boot = sk_get_u64(bytes + 32);
    out->segment = sk_get_u64(bytes + 40);
    out->file_size = sk_get_u64(bytes + 48);
    out->recycled = sk_get_u32(bytes + 56) != 0;
    return 0;
}

void sk_wal_batch_seal(uint8_t *batch, uint32_t seed, sk_wal_batch_header *header)
{
    SK_ASSERT(header->size >= SK_WAL_BATCH_HEADER_SIZE && header->size <= SK_WAL_BATCH_SIZE_MAX);
    SK_ASSERT(header->synced < header->number);
    header->body = sk_crc32c(seed, batch + SK_WAL_BATCH_HEADER_SIZE, header->size - SK_WAL_BATCH_HEADER_SIZE);
    uint8_t *at = sk_put_u32(batch, SK_WAL_BATCH_MAGIC);
    at = sk_put_u32(at, header->size);
    at = sk_put_u64(at, header->number);
    at = sk_put_u64(at, header->synced);
    at = sk_put_u64(at, header->oldest);
    at = sk_put_u64(at, header->boot);
    at = sk_put_u32(at, header->records);
    at = sk_put_u32(at, header->chain);
    at = sk_put_u32(at, header->body);
    header->header = sk_crc32c(seed, batch, SK_WAL_BATCH_HEADER_SIZE - 4);
    at = sk_put_u32(at, header->header);
    SK_ASSERT(at == batch + SK_WAL_BATCH_HEADER_SIZE);
}

bool sk_wal_batch_header_get(const uint8_t bytes[SK_WAL_BATCH_HEADER_SIZE], uint32_t seed,
                             sk_wal_batch_header *out)
{
    if (sk_get_u32(bytes) != SK_WAL_BATCH_MAGIC) return false;
    out->header = sk_get_u32(bytes + SK_WAL_BATCH_HEADER_SIZE - 4);
    if (out->header != sk_crc32c(seed, bytes, SK_WAL_BATCH_HEADER_SIZE - 4)) return false;
    out->size = sk_get_u32(bytes + 4);
    out->number = sk_get_u64(bytes + 8);
    out->synced = sk_get_u64(bytes + 16);
    out->oldest = sk_get_u64(bytes + 24);
    out->boot = sk_get_u64(bytes + 32);
    out->records = sk_get_u32(bytes + 40);
    out->chain = sk_get_u32(bytes + 44);
    out->body = sk_get_u32(bytes + 48);
    return out->size >= SK_WAL_BATCH_HEADER_SIZE && out->size <= SK_WAL_BATCH_SIZE_MAX &&
           out->number > out->synced && out->oldest > 0;
}

bool sk_wal_batch_body_valid(const sk_wal_batch_header *header, uint32_t seed, sk_slice records)
{
    SK_ASSERT(records.size == header->size - SK_WAL_BATCH_HEADER_SIZE);
    if (header->body != sk_crc32c(seed, records.data, records.size)) return false;
    for (uint32_t i = 0; i < header->records; i++) {
        uint32_t space;
        sk_record record;
        if (!sk_wal_record_take(&records, &space, &record)) return false;
    }
    return records.size == 0;
}

void sk_wal_record_put(sk_buffer *out, uint32_t space, const sk_record *record)
{
    uint8_t *begin = sk_buffer_reserve(out, 5 * SK_VARINT_SIZE_MAX + 1 + record->payload.size);
    uint8_t *at = sk_put_varint(begin, space);
    *at++ = (uint8_t)record->kind;
    at = sk_put_varint(at, record->number);
    at = sk_put_varint(at, record->position);
    at = sk_put_varint(at, record->epoch);
    at = sk_put_varint(at, record->payload.size);
    if (record->payload.size > 0) memcpy(at, record->payload.data, record->payload.size);
    out->size += (size_t)(at - begin) + record->payload.size;
}

bool sk_wal_record_take(sk_slice *from, uint32_t *space, sk_record *out)
{
    sk_reader reader = sk_reader_make(*from);
    uint64_t id = sk_read_varint(&reader);
    uint8_t kind = sk_read_u8(&reader);
    out->number = sk_read_varint(&reader);
    out->position = sk_read_varint(&reader);
    out->epoch = sk_read_varint(&reader);
    out->payload = sk_read_sized(&reader);
    if (reader.bad || id > UINT32_MAX || kind < SK_RECORD_ENTRY || kind > SK_RECORD_TRUNCATE) return false;
    *space = (uint32_t)id;
    out->kind = (enum sk_record_kind)kind;
    *from = sk_slice_make(reader.at, (size_t)(reader.end - reader.at));
    return true;
}

void sk_wal_segment_name(char out[SK_DISK_NAME_MAX], const char *folder, uint64_t number)
{
    (void)snprintf(out, SK_DISK_NAME_MAX, "%s/%016" PRIx64 ".log", folder, number);
}

void sk_wal_spare_name(char out[SK_DISK_NAME_MAX], uint64_t number)
{
    (void)snprintf(out, SK_DISK_NAME_MAX, "wal/%016" PRIx64 ".spare", number);
}

// Sixteen hexadecimal digits and the ending; else 0.
static uint64_t number_before(const char *name, const char *ending)
{
    uint64_t number = 0;
    if (strlen(name) != 16 + strlen(ending) || strcmp(name + 16, ending) != 0) return 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a' + 10);
        else
            return 0;
        number = number << 4 | digit;
    }
    return number;
}

uint64_t sk_wal_segment_number(const char *name)
{
    return number_before(name, ".log");
}

uint64_t sk_wal_spare_number(const char *name)
{
    return number_before(name, ".spare");
}
