// Both files are small and written the same careful way: a .part file, sync, rename, folder sync.
#include "store/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/assert.h"
#include "base/crc.h"
#include "base/error.h"
#include "wire/codec.h"

// identity:  magic 8, version u32, node u32, cluster 16, founder count u32, {id u32, address sized}*, CRC-32C
// u32 of all before boot:      magic 8, version u32, boot u64, CRC-32C u32 of all before
static const char identity_magic[8] = {'S', 'K', 'E', 'I', 'N', 'I', 'D', '\n'};
static const char boot_magic[8] = {'S', 'K', 'E', 'I', 'N', 'B', 'T', '\n'};

enum { FILE_SIZE_MAX = 4096 };

// Reads a whole small file: its size, SK_ENOENT, SK_EIO; SK_ECORRUPT when it is far too long.
static int64_t read_file(sk_disk *disk, const char *name, uint8_t *into)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    int64_t result = sk_disk_run(disk, &request);
    if (result < 0) return result;
    int64_t size = SK_ECORRUPT;
    if (request.size <= FILE_SIZE_MAX) {
        request.op = SK_DISK_READ;
        request.offset = 0;
        request.into = into;
        request.into_size = FILE_SIZE_MAX;
        size = sk_disk_run(disk, &request);
    }
    request.op = SK_DISK_CLOSE;
    (void)sk_disk_run(disk, &request);
    return size;
}

static int write_synced(sk_disk *disk, const char *name, sk_slice bytes)
{
    sk_disk_request request = {.op = SK_DISK_CREATE, .size = bytes.size};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    int64_t result = sk_disk_run(disk, &request);
    if (result < 0) return (int)result;
    request.op = SK_DISK_WRITE;
    request.offset = 0;
    request.bytes = bytes;
    request.sync = true;
    result = sk_disk_run(disk, &request);
    request.op = SK_DISK_CLOSE;
    (void)sk_disk_run(disk, &request);
    return result < 0 ? (int)result : 0;
}

static int replace_file(sk_disk *disk, const char *name, sk_slice bytes)
{
    char part[SK_DISK_NAME_MAX];
    (void)snprintf(part, sizeof part, "%s.part", name);
    int error = write_synced(disk, part, bytes);
    if (error) return error;
    sk_disk_request request = {.op = SK_DISK_RENAME};
    memcpy(request.name, part, sizeof part);
    (void)snprintf(request.name_new, sizeof request.name_new, "%s", name);
    int64_t result = sk_disk_run(disk, &request);
    if (result < 0) return (int)result;
    request = (sk_disk_request){.op = SK_DISK_SYNC_FOLDER};
    return (int)sk_disk_run(disk, &request);
}

static void seal(sk_buffer *out)
{
    sk_write_u32(out, sk_crc32c(0, out->data, out->size));
}

// Magic, CRC, then version: 0 and a reader behind the version, SK_ECORRUPT or SK_EVERSION.
static int open_sealed(sk_slice file, const char magic[8], sk_reader *reader)
{
    if (file.size < 16 || memcmp(file.data, magic, 8) != 0) return SK_ECORRUPT;
    if (sk_get_u32(file.data + file.size - 4) != sk_crc32c(0, file.data, file.size - 4)) return SK_ECORRUPT;
    *reader = sk_reader_make(sk_slice_make(file.data + 8, file.size - 12));
    return sk_read_u32(reader) == SK_FORMAT_VERSION ? 0 : SK_EVERSION;
}

static void identity_encode(sk_buffer *out, const sk_identity *identity)
{
    sk_buffer_append(out, identity_magic, sizeof identity_magic);
    sk_write_u32(out, SK_FORMAT_VERSION);
    sk_write_u32(out, identity->node);
    sk_buffer_append(out, identity->cluster.bytes, SK_CLUSTER_ID_SIZE);
    sk_write_u32(out, identity->founder_count);
    for (uint32_t i = 0; i < identity->founder_count; i++) {
        const sk_founder *founder = &identity->founders[i];
        sk_write_u32(out, founder->id);
        sk_write_sized(out,
                       sk_slice_make(founder->address, strnlen(founder->address, SK_ADDRESS_SIZE_MAX - 1)));
    }
    seal(out);
}

static int identity_decode(sk_slice file, sk_identity *out)
{
    sk_reader reader;
    int error = open_sealed(file, identity_magic, &reader);
    if (error) return error;
    memset(out, 0, sizeof *out);
    out->node = sk_read_u32(&reader);
    sk_slice cluster = sk_read_bytes(&reader, SK_CLUSTER_ID_SIZE);
    if (cluster.size == SK_CLUSTER_ID_SIZE) memcpy(out->cluster.bytes, cluster.data, SK_CLUSTER_ID_SIZE);
    out->founder_count = sk_read_u32(&reader);
    if (out->founder_count > SK_FOUNDERS_MAX) return SK_ECORRUPT;
    for (uint32_t i = 0; i < out->founder_count; i++) {
        out->founders[i].id = sk_read_u32(&reader);
        sk_slice address = sk_read_sized(&reader);
        if (address.size >= SK_ADDRESS_SIZE_MAX) return SK_ECORRUPT;
        if (address.size > 0) memcpy(out->founders[i].address, address.data, address.size);
    }
    return sk_reader_done(&reader) ? 0 : SK_ECORRUPT;
}

int sk_identity_load(sk_disk *disk, sk_identity *out)
{
    uint8_t bytes[FILE_SIZE_MAX];
    int64_t size = read_file(disk, "identity", bytes);
    if (size < 0) return (int)size;
    return identity_decode(sk_slice_make(bytes, (size_t)size), out);
}

int sk_identity_found(sk_disk *disk, const sk_identity *identity)
{
    SK_ASSERT(identity->node != 0);
    SK_ASSERT(identity->founder_count <= SK_FOUNDERS_MAX);
    uint8_t bytes[FILE_SIZE_MAX];
    int64_t size = read_file(disk, "identity", bytes);
    if (size >= 0 || size == SK_ECORRUPT) return SK_EEXIST;
    if (size != SK_ENOENT) return (int)size;
    sk_buffer out = {0};
    identity_encode(&out, identity);
    int error = replace_file(disk, "identity", sk_buffer_slice(&out));
    sk_buffer_deinit(&out);
    return error;
}

static int boot_read(sk_disk *disk, uint64_t *boot)
{
    uint8_t bytes[FILE_SIZE_MAX];
    int64_t size = read_file(disk, "boot", bytes);
    if (size < 0) return (int)size;
    sk_reader reader;
    int error = open_sealed(sk_slice_make(bytes, (size_t)size), boot_magic, &reader);
    if (error) return error;
    uint64_t value = sk_read_u64(&reader);
    if (!sk_reader_done(&reader)) return SK_ECORRUPT;
    *boot = value;
    return 0;
}

int sk_identity_boot(sk_disk *disk, sk_identity *identity, uint64_t seen_max, uint64_t random)
{
    uint64_t last = 0;
    int error = boot_read(disk, &last);
    // A missing or damaged one is made good from what the log has seen; a newer format or a dumb disk is not
    // ours to mend.
    if (error && error != SK_ENOENT && error != SK_ECORRUPT) return error;
    uint64_t step = (random & (((uint64_t)1 << SK_BOOT_RANDOM_BITS) - 1)) << SK_BOOT_COUNT_BITS;
    uint64_t boot = (last > seen_max ? last : seen_max) + 1 + step;
    sk_buffer out = {0};
    sk_buffer_append(&out, boot_magic, sizeof boot_magic);
    sk_write_u32(&out, SK_FORMAT_VERSION);
    sk_write_u64(&out, boot);
    seal(&out);
    error = replace_file(disk, "boot", sk_buffer_slice(&out));
    sk_buffer_deinit(&out);
    if (error) return error;
    identity->boot = boot;
    return 0;
}
