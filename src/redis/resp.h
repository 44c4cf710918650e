// RESP, both ways (RESP2 and RESP3). Incremental: bytes come cut anywhere and the result does not depend on the cuts.
#ifndef SK_REDIS_RESP_H
#define SK_REDIS_RESP_H

#include <stdbool.h>
#include "base/bytes.h"

// ---- Requests: arrays of bulk strings, or an inline line ----

typedef struct sk_resp_limits {
    size_t inline_size_max;  // 64 KiB as Redis
    size_t bulk_size_max;    // one argument; proto-max-bulk-len
    size_t argument_max;     // 1024 * 1024 as Redis
    size_t request_size_max; // all of one request
} sk_resp_limits;

typedef enum sk_resp_verdict {
    SK_RESP_MORE,    // not complete yet
    SK_RESP_REQUEST, // one request; argc may be 0 (an empty line or *0): ignore it
    SK_RESP_ERROR,   // framing error: answer `error` and close (never resynchronise)
} sk_resp_verdict;

// The parser keeps its place in an unfinished request: an argument's bytes are never looked at twice, however small the pieces.
typedef struct sk_resp_parser {
    sk_resp_limits limits;
    sk_slice *argv;       // borrowed from the input given to the successful call
    size_t argc;
    const char *error;    // Redis's own text, with its "ERR " prefix, e.g. "ERR Protocol error: invalid bulk length"
    size_t argv_capacity; // the rest is private
    size_t *offsets;
    size_t offset, scanned, argument_size, wanted, arguments_left;
    int state;
    sk_buffer unquoted;
    char error_text[56];
} sk_resp_parser;

void sk_resp_parser_init(sk_resp_parser *parser, const sk_resp_limits *limits);
void sk_resp_parser_deinit(sk_resp_parser *parser);
// Looks at `input` (all unconsumed bytes, the same ones as in the call before plus newer ones behind them). REQUEST: `*used` bytes
// belong to it; argv is valid as long as input's memory and until the next call. MORE and ERROR: nothing is used.
// Never allocates from a size that the header claims: memory grows with bytes that came.
sk_resp_verdict sk_resp_parse(sk_resp_parser *parser, sk_slice input, size_t *used);
// A lower bound on bytes still missing from the request under way (0: unknown): how much a host may usefully read.
size_t sk_resp_parser_wants(const sk_resp_parser *parser);
// Is this first word of a request that of an HTTP request ("POST", "Host:")? A browser was talked into speaking to us: log it and close
// without a reply, as Redis does.
bool sk_resp_is_http(sk_slice name);

// ---- Replies ----

typedef struct sk_reply {
    sk_buffer *out;
    uint8_t resp; // 2 or 3
} sk_reply;

void sk_reply_simple(sk_reply *reply, const char *text);            // +OK
void sk_reply_error(sk_reply *reply, const char *text);             // text with its code: "ERR ...", "WRONGTYPE ..."
void sk_reply_errorf(sk_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3))); // CR LF replaced
void sk_reply_integer(sk_reply *reply, int64_t value);
void sk_reply_bulk(sk_reply *reply, sk_slice bytes);
void sk_reply_text(sk_reply *reply, const char *text);              // bulk
void sk_reply_verbatim(sk_reply *reply, const char *format3, sk_slice bytes); // RESP2: bulk
void sk_reply_null(sk_reply *reply);                                // $-1 or _
void sk_reply_null_array(sk_reply *reply);                          // *-1 or _
void sk_reply_bool(sk_reply *reply, bool value);                    // :0/:1 or #f/#t
void sk_reply_double(sk_reply *reply, double value);                // bulk or ,
void sk_reply_array(sk_reply *reply, size_t count);
void sk_reply_map(sk_reply *reply, size_t pairs);                   // RESP2: array of 2 * pairs
void sk_reply_set(sk_reply *reply, size_t count);
void sk_reply_push(sk_reply *reply, size_t count);

// ---- Values: what a client of ours reads back ----

enum sk_resp_type {
    SK_RESP_SIMPLE, SK_RESP_FAILURE, SK_RESP_INTEGER, SK_RESP_BULK, SK_RESP_NULL, SK_RESP_DOUBLE, SK_RESP_BOOL,
    SK_RESP_BIG_NUMBER, SK_RESP_VERBATIM, SK_RESP_ARRAY, SK_RESP_MAP, SK_RESP_SET, SK_RESP_PUSH,
};

typedef struct sk_resp_value sk_resp_value;
struct sk_resp_value {
    enum sk_resp_type type;
    sk_slice text;      // of text-like types; borrowed from the input
    int64_t integer;    // INTEGER, BOOL
    double number;      // DOUBLE
    sk_resp_value *items; // aggregates: count values (a map: 2 * pairs), owned by the tree
    size_t count;
};

enum { SK_RESP_DEPTH_MAX = 1024 };

// One value from `input`. 1: complete, `*used` bytes; 0: more bytes are needed; SK_EPROTOCOL: malformed or nested deeper than
// SK_RESP_DEPTH_MAX. Iterative. Free the value with sk_resp_value_deinit, whatever was returned.
int sk_resp_value_parse(sk_slice input, sk_resp_value *out, size_t *used);
void sk_resp_value_deinit(sk_resp_value *value);

#endif
