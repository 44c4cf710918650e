// A snapshot file: as it comes from a stranger, or a whole one that is damaged in one place. The first byte chooses.
//
// Beyond not crashing: a file that was built is accepted however it is cut; with any one byte changed, or cut short, it is not.
#include "base/assert.h"
#include "store/snapshot_format.h"
#include "test/support/fuzz.h"

static int count_bytes(void *context, sk_slice bytes)
{
    *(size_t *)context += bytes.size;
    return 0;
}

static int parse(const sk_identity *identity, const sk_snapshot_info *info, sk_slice file, size_t step, size_t *bytes)
{
    sk_snapshot_parser *parser = sk_snapshot_parser_open(identity, info, count_bytes, bytes);
    for (size_t at = 0; at < file.size; at += step) {
        size_t part = step < file.size - at ? step : file.size - at;
        int error = sk_snapshot_parser_add(parser, sk_slice_make(file.data + at, part));
        if (error == 0) continue;
        sk_snapshot_parser_abort(parser);
        return error;
    }
    return sk_snapshot_parser_finish(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    sk_identity identity = {.node = 1, .boot = 3};
    size_t step = 1 + data[1] % 64;
    sk_slice rest = sk_slice_make(data + 4, size - 4);
    size_t seen = 0;
    if (data[0] % 2 == 0) {
        sk_snapshot_info info = {.space = 1, .position = 7, .size = rest.size};
        parse(&identity, &info, rest, step, &seen);
        SK_ASSERT(seen <= rest.size);
        return 0;
    }
    sk_snapshot_info info = {.space = 1, .position = 7, .epoch = 2};
    sk_snapshot_chain chain = {0};
    sk_buffer file = {0};
    sk_snapshot_header_append(&file, &chain, &identity, &info);
    size_t chunk = 1 + data[2];
    for (size_t at = 0; at < rest.size; at += chunk) {
        size_t part = chunk < rest.size - at ? chunk : rest.size - at;
        sk_snapshot_chunk_append(&file, &chain, sk_slice_make(rest.data + at, part));
    }
    sk_snapshot_end_append(&file, &chain);
    info.size = file.size;
    SK_ASSERT(parse(&identity, &info, sk_buffer_slice(&file), step, &seen) == 0);
    SK_ASSERT(seen == rest.size);
    size_t place = (size_t)(data[3] * 257u) % file.size;
    SK_ASSERT(parse(&identity, &info, sk_slice_make(file.data, place), step, &seen) != 0);
    file.data[place] ^= (uint8_t)(1u << data[0] / 2 % 8);
    SK_ASSERT(parse(&identity, &info, sk_buffer_slice(&file), step, &seen) != 0);
    sk_buffer_deinit(&file);
    return 0;
}
