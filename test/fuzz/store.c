// Files that the node may find in its directory: the first byte says which. Whatever they hold the store opens, refuses in words, or
// sets them aside; nothing is believed without its checksum, no size is taken at its word.
//
//   0 a log segment    1 a log segment whose second batch is sealed again (so that records are reached)
//   2 a snapshot       3 the identity and boot files      4 records as they stand in a batch
#include "base/assert.h"
#include "sim/disk.h"
#include "store/snapshot.h"
#include "store/wal.h"
#include "store/wal_format.h"
#include "test/support/fuzz.h"

static sk_identity identity_of(void) // as in test/unit/golden.c, so that the golden files are a corpus
{
    sk_identity identity = {.node = 2, .founder_count = 2, .boot = 7};
    for (unsigned i = 0; i < SK_CLUSTER_ID_SIZE; i++) identity.cluster.bytes[i] = (uint8_t)(i * 17);
    identity.founders[0] = (sk_founder){.id = 1, .address = "gw1.example:7400"};
    identity.founders[1] = (sk_founder){.id = 2, .address = "[fd00::2]:7400"};
    return identity;
}

static void on_durable(sk_wal_owner *owner, uint64_t sequence)
{
    (void)owner;
    (void)sequence;
}

static void on_failed(sk_wal_owner *owner, int error)
{
    (void)owner;
    (void)error;
}

static void on_record(void *context, uint32_t space, const sk_record *record)
{
    (void)space;
    *(uint64_t *)context += record->payload.size + 1;
}

static void open_log(sim_disk *disk, sk_slice segment)
{
    sk_identity identity = identity_of();
    sk_wal_owner owner = {.durable = on_durable, .failed = on_failed};
    sk_wal_config config = {.segment_size = 4096, .size_max = 65536};
    sim_disk_put(disk, "wal/0000000000000001.log", segment);
    for (int again = 0; again < 2; again++) { // what the first opening left must open cleanly
        sk_wal *wal = NULL;
        sk_wal_found found;
        uint64_t bytes = 0;
        int error = sk_wal_open(&wal, sim_disk_face(disk), &identity, &config, &owner, NULL, on_record, &bytes, &found);
        SK_ASSERT(error == 0 || error == SK_EFOREIGN || error == SK_EVERSION);
        if (error) return;
        SK_ASSERT(bytes <= segment.size * 2);
        while (sim_disk_step(disk)) {
        }
        sk_wal_close(wal);
    }
}

// The first batch behind the header gets a right checksum again.
static void reseal(sk_buffer *segment)
{
    enum { AT = SK_WAL_HEADER_SIZE };
    if (segment->size < AT + SK_WAL_BATCH_HEADER_SIZE) return;
    sk_identity identity = identity_of();
    sk_wal_segment_header segment_header = {.boot = 7, .segment = 1, .file_size = 4096};
    sk_wal_segment_header_put(segment->data, &identity, &segment_header);
    size_t left = segment->size - AT;
    uint32_t records = segment->data[AT] % 8;
    sk_wal_batch_header header = {.size = (uint32_t)left, .number = 1, .oldest = 1, .boot = 7, .records = records};
    sk_wal_batch_seal(segment->data + AT, sk_wal_seed(&identity, 1), &header);
}

static int ignore_chunk(void *context, sk_slice bytes)
{
    *(uint64_t *)context += bytes.size;
    return 0;
}

static void open_snapshot(sim_disk *disk, sk_slice file)
{
    sk_identity identity = identity_of();
    sim_disk_put(disk, "snap/00000001-0000000000000009.snap", file);
    sk_snapshot_info info = {0};
    int error = sk_snapshot_find(sim_disk_face(disk), &identity, 1, NULL, &info);
    uint64_t bytes = 0;
    if (error == 0) {
        error = sk_snapshot_read(sim_disk_face(disk), &identity, &info, ignore_chunk, &bytes);
        SK_ASSERT(bytes <= file.size);
    }
    // The same bytes as from a peer, cut in two.
    info = (sk_snapshot_info){.space = 1, .position = 9, .epoch = 3, .size = file.size};
    bytes = 0;
    sk_snapshot_parser *parser = sk_snapshot_parser_open(&identity, &info, ignore_chunk, &bytes);
    error = sk_snapshot_parser_add(parser, sk_slice_make(file.data, file.size / 2));
    if (!error) error = sk_snapshot_parser_add(parser, sk_slice_make(file.data + file.size / 2, file.size - file.size / 2));
    if (error) sk_snapshot_parser_abort(parser);
    else (void)sk_snapshot_parser_finish(parser);
    SK_ASSERT(bytes <= file.size);
}

static void open_identity(sim_disk *disk, sk_slice file)
{
    sk_identity identity;
    sim_disk_put(disk, "identity", file);
    sim_disk_put(disk, "boot", file);
    if (sk_identity_load(sim_disk_face(disk), &identity)) return;
    SK_ASSERT(identity.founder_count <= SK_FOUNDERS_MAX);
    (void)sk_identity_boot(sim_disk_face(disk), &identity, 0, 0);
}

static void take_records(sk_slice bytes)
{
    uint32_t space;
    sk_record record;
    for (size_t before = bytes.size; sk_wal_record_take(&bytes, &space, &record); before = bytes.size) {
        SK_ASSERT(bytes.size < before && record.payload.size < before);
        sk_buffer again = {0};
        sk_wal_record_put(&again, space, &record);
        sk_slice rest = sk_buffer_slice(&again);
        uint32_t space_again;
        sk_record record_again;
        SK_ASSERT(sk_wal_record_take(&rest, &space_again, &record_again) && rest.size == 0);
        SK_ASSERT(space_again == space && record_again.number == record.number && record_again.position == record.position);
        SK_ASSERT(sk_slice_equal(record_again.payload, record.payload));
        sk_buffer_deinit(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    sk_prng prng;
    sk_prng_init(&prng, 1);
    sim_disk *disk = sim_disk_open(prng, NULL);
    sk_slice input = sk_slice_make(data + 1, size - 1);
    sk_buffer copy = {0};
    switch (data[0] % 5) {
    case 0: open_log(disk, input); break;
    case 1:
        sk_buffer_append_slice(&copy, input);
        reseal(&copy);
        open_log(disk, sk_buffer_slice(&copy));
        break;
    case 2: open_snapshot(disk, input); break;
    case 3: open_identity(disk, input); break;
    default: take_records(input);
    }
    sk_buffer_deinit(&copy);
    sim_disk_close(disk);
    return 0;
}
