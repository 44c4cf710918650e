// The kinds of space: how each protocol's spaces agree, what they hold, and what may be asked of them. A new kind is one row in
// kind.c, beside its folder in src/protocol.
#ifndef SK_NODE_KIND_H
#define SK_NODE_KIND_H

#include "protocol/machine.h"
#include "protocol/protocol.h"
#include "redis/keyspace.h"

enum sk_durability { SK_DURABILITY_ALWAYS, SK_DURABILITY_GROUP, SK_DURABILITY_VOLATILE };
enum { SK_VOLATILE_WRITTEN_MS = 1000 };
enum sk_reads_mode { SK_READS_DEFAULT, SK_READS_LINEARIZABLE, SK_READS_SESSION, SK_READS_LOCAL };

typedef struct sk_space_kind {
    const sk_protocol *protocol;
    const char *promise;  // one line for people
    const char *writable; // what a write needs, for people
    // An empty machine. Closed through its ops. `options` as the catalogue keeps them (sk_command_encode of names and values), accepted by
    // options_ok.
    sk_machine *(*open)(sk_node_id node, sk_slice options);
    sk_keyspace_facts (*facts)(const sk_machine *machine);
    bool (*has_prefix)(const sk_machine *machine, sk_slice prefix); // a key that begins so? (the default space's kind)
    void (*set_memory_max)(sk_machine *machine, uint64_t bytes); // logical bytes; 0: no bound
    // NULL when the kind has this durability, else why not (static text, for an error reply).
    const char *(*durability_refused)(enum sk_durability durability);
    const char *const *options; // names, lower case, NULL at the end; memory-max, which every kind has, apart
    const char *options_help;   // what there is, for an error reply
    // May a space have these options, `given` having been given now, in the same form, when it is created or later? False: why not is appended, for
    // an error reply. NULL: it has none.
    bool (*options_ok)(sk_slice options, sk_slice given, bool created, sk_buffer *why);
    // The options have changed while the space is open: the catalogue's, so the same on every node. NULL: it has none.
    void (*set_options)(sk_machine *machine, sk_slice options);
    enum sk_reads_mode reads; // of a space that was created without READS
} sk_space_kind;

// The kind whose protocol has this name (as in SPACE CREATE ... PROTOCOL name); NULL: there is none.
const sk_space_kind *sk_space_kind_find(sk_slice name);
// All rows, for errors that say what there is.
const sk_space_kind *const *sk_space_kinds(size_t *count);
// The system space's: the catalogue over raft.
extern const sk_space_kind sk_space_kind_system;

const char *sk_durability_name(enum sk_durability durability);
// The window of what is answered and not on disk, in milliseconds: 0 for always, N for group; volatile promises nothing. Half of it a record waits.
uint32_t sk_durability_window_ms(enum sk_durability durability, uint32_t group_ms);
// "none", "50 ms", ...: what a power cut may take of what was answered, for people. Returns `out`.
const char *sk_durability_loss(enum sk_durability durability, uint32_t group_ms, char *out, size_t size);
const char *sk_reads_mode_name(enum sk_reads_mode mode);
bool sk_reads_mode_parse(sk_slice text, enum sk_reads_mode *out); // never SK_READS_DEFAULT

#endif
