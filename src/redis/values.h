// Sets and maps as the families need them (family_set.c, family_hash.c), whatever key space keeps them: each family is written once.
#ifndef SK_REDIS_VALUES_H
#define SK_REDIS_VALUES_H

#include "data/mergeable.h"
#include "redis/command.h"

enum sk_values_type { SK_VALUES_SET, SK_VALUES_MAP };

// Stands between two members or fields. Nothing may be changed while it is in use.
typedef struct sk_values_cursor {
    sk_command_call *call;
    sk_part_cursor part;
    enum sk_values_type type;
} sk_values_cursor;

enum sk_values_sum { SK_VALUES_OK, SK_VALUES_NO_NUMBER, SK_VALUES_OVERFLOW, SK_VALUES_REFUSED }; // refused: has been replied

struct sk_values_ops {
    // The set or map at a key and how much is in it. WRONG: another type is shown there; nothing has been replied.
    enum sk_found (*find)(sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t *count);
    // Is it there? A field's value is borrowed until the next call; a set's member has none. NULL: the value is not wanted.
    bool (*get)(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name, sk_slice *value);
    // True if it was not there. The last member or field takes the key with it.
    bool (*put)(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name, sk_slice value);
    bool (*remove)(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name); // true if it was there
    // A field counted on: appends what it then stands at. The field may be absent (0). `more` is a whole or decimal number as text.
    enum sk_values_sum (*count)(sk_command_call *call, sk_slice key, sk_slice field, sk_slice more, bool whole, sk_buffer *sum);
    // A cursor at a place (data/mergeable.h: names in order of a hash), or before the one at an index.
    void (*seek)(sk_values_cursor *cursor, sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t place);
    void (*seek_at)(sk_values_cursor *cursor, sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t index);
    bool (*next)(sk_values_cursor *cursor, sk_slice *name, sk_slice *value); // as get
    void (*end)(sk_values_cursor *cursor);
};

// The set or map that a family's command speaks of. False: WRONGTYPE, or that this space keeps none, has been replied. Else *count, 0 if
// there is none.
bool sk_call_values(sk_command_call *call, enum sk_values_type type, uint64_t *count);
// SSCAN and HSCAN.
void sk_call_scan_values(sk_command_call *call, enum sk_values_type type);

#endif
