// Data as histories write it: EDN (Jepsen's) and JSON, by one reader. What EDN and JSON share is read the same way: `,` and a
// lone `:` are white space, and so is one right behind a string: {"f": "read"}, {"f":1} and {:f :read} are all maps; commas,
// comments (;) and tags (#x) are skipped. Integers beyond 64 bits are kept as keywords of their digits.
#ifndef SK_CHECK_DATUM_H
#define SK_CHECK_DATUM_H

#include <stdbool.h>
#include "base/arena.h"

enum sk_datum_type {
    SK_DATUM_NIL,
    SK_DATUM_BOOL,
    SK_DATUM_INTEGER,
    SK_DATUM_FLOAT,
    SK_DATUM_STRING,  // and JSON's strings
    SK_DATUM_KEYWORD, // text without its colon; symbols too
    SK_DATUM_LIST,    // (...) and [...]
    SK_DATUM_MAP,     // items: key, value, key, value ...
    SK_DATUM_SET,
};

typedef struct sk_datum sk_datum;
struct sk_datum {
    enum sk_datum_type type;
    int64_t integer; // and BOOL
    double number;
    sk_slice text;
    sk_datum *items;
    size_t count;
    size_t line; // of a map: where it began, from 1
};

enum { SK_DATUM_DEPTH_MAX = 64 };

typedef struct sk_datum_reader {
    sk_slice input;
    size_t at;
    size_t line;
    sk_arena *arena; // everything read lives here
    const char *error;
} sk_datum_reader;

void sk_datum_reader_init(sk_datum_reader *reader, sk_slice input, sk_arena *arena);
// The next datum: 1, 0 at the end of the input, SK_EPROTOCOL with reader->error and reader->line.
int sk_datum_read(sk_datum_reader *reader, sk_datum *out);

// NULL when it is no map or has no such key (a keyword or a string of that text).
const sk_datum *sk_datum_get(const sk_datum *map, const char *key);
bool sk_datum_is(const sk_datum *datum, const char *text); // keyword or string of that text
bool sk_datum_equal(const sk_datum *a, const sk_datum *b); // sets and maps whatever their order
// A canonical form: equal data give equal bytes.
void sk_datum_write(const sk_datum *datum, sk_buffer *out);

#endif
