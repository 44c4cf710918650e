#include "host/refusal.h"

#include "base/alloc.h"
#include "redis/resp.h"

struct sk_refusal {
    sk_resp_parser parser;
};

sk_refusal *sk_refusal_open(void)
{
    // Nobody is served, so nobody needs much.
    const sk_resp_limits limits = {.inline_size_max = 16 * 1024,
                                   .bulk_size_max = 64 * 1024,
                                   .argument_max = 1024,
                                   .request_size_max = 128 * 1024};
    sk_refusal *refusal = sk_alloc_zeroed(sizeof *refusal);
    sk_resp_parser_init(&refusal->parser, &limits);
    return refusal;
}

void sk_refusal_close(sk_refusal *refusal)
{
    sk_resp_parser_deinit(&refusal->parser);
    sk_free(refusal);
}

size_t sk_refusal_receive(sk_refusal *refusal, sk_slice input, const char *error, sk_buffer *out, bool *end)
{
    sk_resp_parser *parser = &refusal->parser;
    sk_reply reply = {.out = out, .resp = 2};
    size_t total = 0;
    while (total < input.size && !*end) {
        size_t used = 0;
        switch (sk_resp_parse(parser, sk_slice_make(input.data + total, input.size - total), &used)) {
        case SK_RESP_MORE:
            return total;
        case SK_RESP_ERROR:
            sk_reply_error(&reply, parser->error);
            *end = true;
            return input.size;
        case SK_RESP_REQUEST:
            break;
        }
        if (parser->argc) sk_reply_error(&reply, error);
        *end = parser->argc && sk_slice_equal_nocase(parser->argv[0], "quit");
        total += used;
    }
    return total;
}
