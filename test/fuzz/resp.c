// RESP from outside: requests and replies. The first byte says how the rest is cut and which parser gets it.
//
// Beyond not crashing: what is parsed does not depend on the cuts (E04), a parser in error stays there (E06), and
// memory follows what came, not what it claims (E01).
#include "base/assert.h"
#include "base/hash.h"
#include "redis/resp.h"
#include "test/support/fuzz.h"

static const sk_resp_limits limits = {.inline_size_max = 64 * 1024,
                                      .bulk_size_max = 1024 * 1024,
                                      .argument_max = 1024 * 1024,
                                      .request_size_max = 2 * 1024 * 1024};

static uint64_t add_request(uint64_t hash, const sk_resp_parser *parser)
{
    hash = sk_hash_mix(hash, parser->argc);
    for (size_t i = 0; i < parser->argc; i++)
        hash = sk_hash64(hash, parser->argv[i].data, parser->argv[i].size);
    return hash;
}

// A hash of all that comes out of the input, given in pieces of `step` bytes.
static uint64_t requests(sk_slice input, size_t step)
{
    sk_resp_parser parser;
    sk_resp_parser_init(&parser, &limits);
    uint64_t hash = 1;
    size_t begin = 0;
    size_t end = 0;
    sk_resp_verdict verdict = SK_RESP_MORE;
    while (verdict != SK_RESP_ERROR) {
        size_t used = 0;
        verdict = sk_resp_parse(&parser, sk_slice_make(input.data + begin, end - begin), &used);
        if (verdict == SK_RESP_REQUEST) {
            SK_ASSERT(used > 0 && used <= end - begin);
            hash = add_request(hash, &parser);
            begin += used;
        } else if (verdict == SK_RESP_MORE) {
            SK_ASSERT(used == 0);
            if (end == input.size) break;
            end = step < input.size - end ? end + step : input.size;
        }
        SK_ASSERT(parser.argv_capacity <= 16 + input.size);
    }
    if (verdict == SK_RESP_ERROR) {
        size_t used;
        hash = sk_hash64(hash, parser.error, strlen(parser.error));
        SK_ASSERT(sk_resp_parse(&parser, sk_slice_text("PING\r\n"), &used) == SK_RESP_ERROR && used == 0);
    } else {
        hash = sk_hash_mix(hash, input.size - begin);
    }
    sk_resp_parser_deinit(&parser);
    return hash;
}

static void values(sk_slice input)
{
    size_t used = 0;
    sk_resp_value value;
    int got = sk_resp_value_parse(input, &value, &used);
    SK_ASSERT(got == 1 ? used > 0 && used <= input.size : used == 0);
    sk_resp_value_deinit(&value);
    if (got != 1) return;
    // What is complete needs all of its bytes.
    SK_ASSERT(sk_resp_value_parse(sk_slice_make(input.data, used - 1), &value, &used) == 0);
    sk_resp_value_deinit(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    sk_slice input = sk_slice_make(data + 1, size - 1);
    if (data[0] & 1) {
        values(input);
        return 0;
    }
    uint64_t whole = requests(input, SIZE_MAX);
    SK_ASSERT(requests(input, (data[0] >> 1) + 1) == whole);
    return 0;
}
