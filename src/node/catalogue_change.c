// How the catalogue changes: a function of the state and the request alone, the same on every replica.
#include "node/catalogue.h"

#include <string.h>

#include "base/assert.h"
#include "node/node.h"
#include "node/verdict.h"
#include "redis/command.h"

// ---- Requests ----

static void write_request(sk_buffer *out, const char *verb, sk_slice body)
{
    sk_slice argv[] = {sk_slice_text(SK_CATALOGUE_COMMAND), sk_slice_text(verb), body};
    sk_command_encode(out, 3, argv);
}

void sk_catalogue_write_init(sk_buffer *out, uint64_t memory_max)
{
    sk_buffer body = {0};
    sk_write_varint(&body, memory_max);
    write_request(out, "INIT", sk_buffer_slice(&body));
    sk_buffer_deinit(&body);
}

void sk_catalogue_write_create(sk_buffer *out, const sk_space_record *record)
{
    sk_buffer body = {0};
    sk_space_record_write(&body, record);
    write_request(out, "CREATE", sk_buffer_slice(&body));
    sk_buffer_deinit(&body);
}

void sk_catalogue_write_alter(sk_buffer *out, const sk_space_record *record, uint32_t what)
{
    sk_buffer body = {0};
    sk_write_varint(&body, what);
    sk_space_record_write(&body, record);
    write_request(out, "ALTER", sk_buffer_slice(&body));
    sk_buffer_deinit(&body);
}

void sk_catalogue_write_drop(sk_buffer *out, sk_slice name, bool force)
{
    sk_buffer body = {0};
    sk_write_u8(&body, force);
    sk_buffer_append_slice(&body, name);
    write_request(out, "DROP", sk_buffer_slice(&body));
    sk_buffer_deinit(&body);
}

void sk_catalogue_write_step(sk_buffer *out, const char *step, uint32_t id, uint64_t fence_version)
{
    sk_buffer body = {0};
    sk_write_varint(&body, id);
    sk_write_varint(&body, fence_version);
    write_request(out, step, sk_buffer_slice(&body));
    sk_buffer_deinit(&body);
}

// ---- Changes ----

static void ok(sk_buffer *reply)
{
    sk_reply_simple(&(sk_reply){.out = reply, .resp = 2}, "OK");
}

static void refuse(sk_buffer *reply, const char *text)
{
    sk_reply_error(&(sk_reply){.out = reply, .resp = 2}, text);
}

static void malformed(sk_buffer *reply)
{
    refuse(reply, "ERR malformed request to the catalogue");
}

// The default space's record: what the founding node was configured with.
static void on_init(sk_catalogue *catalogue, sk_slice body, sk_buffer *reply)
{
    sk_reader reader = sk_reader_make(body);
    uint64_t memory_max = sk_read_varint(&reader);
    if (!sk_reader_done(&reader)) {
        malformed(reply);
        return;
    }
    if (!sk_catalogue_by_id(catalogue, SK_SPACE_DEFAULT)) {
        catalogue->version++;
        sk_space_record record = {.id = SK_SPACE_DEFAULT,
                                  .number = 1,
                                  .name = "default",
                                  .protocol = "raft",
                                  .phase = SK_PHASE_ACTIVE,
                                  .reads = SK_READS_LINEARIZABLE,
                                  .version = catalogue->version,
                                  .fence_version = catalogue->version,
                                  .limit_version = catalogue->version,
                                  .memory_max = memory_max};
        sk_catalogue_add(catalogue, &record);
    }
    ok(reply);
}

static bool busy(const sk_catalogue *catalogue, sk_buffer *reply)
{
    const sk_space_record *other = sk_catalogue_under_way(catalogue);
    if (!other) return false;
    sk_reply_errorf(&(sk_reply){.out = reply, .resp = 2},
                    "TRYAGAIN space '%s' is %s: one space is created or dropped at a time, nothing was changed", other->name,
                    other->phase == SK_PHASE_DROPPING ? "being dropped" : "being created");
    return true;
}

// NULL: nothing in the catalogue speaks against it.
static bool collides(const sk_catalogue *catalogue, const sk_space_record *wanted, sk_buffer *out)
{
    sk_reply reply = {.out = out, .resp = 2};
    if (sk_catalogue_by_name(catalogue, sk_slice_text(wanted->name))) {
        sk_reply_errorf(&reply, "ERR there is a space '%s' already: SPACE INFO %s shows it", wanted->name, wanted->name);
        return true;
    }
    if (wanted->number && (wanted->number == 1 || sk_catalogue_number_used(catalogue, wanted->number))) {
        sk_reply_errorf(&reply,
                        "ERR number %u is or was a space's, and numbers are never used again: leave NUMBER out to get the lowest free "
                        "one, %u",
                        wanted->number, sk_catalogue_number_lowest(catalogue));
        return true;
    }
    for (size_t i = 0; i < catalogue->count; i++) {
        const sk_space_record *other = &catalogue->records[i];
        if (other->id < SK_SPACE_FIRST_ID) continue;
        if (!sk_prefix_begins(other->prefix, wanted->prefix) && !sk_prefix_begins(wanted->prefix, other->prefix)) continue;
        sk_reply_errorf(&reply, "ERR no prefix may begin another's: space '%s' has '%.*s'", other->name, (int)other->prefix.size,
                        (const char *)other->prefix.data);
        return true;
    }
    return false;
}

static void begun(const sk_space_record *record, sk_buffer *reply)
{
    sk_verdict_write(reply, &(sk_verdict){.kind = SK_VERDICT_WAIT, .id = record->id, .version = record->fence_version});
}

static void on_create(sk_catalogue *catalogue, sk_slice body, sk_buffer *reply)
{
    sk_reader reader = sk_reader_make(body);
    sk_space_record wanted;
    if (!sk_space_record_read(&reader, &wanted) || !sk_reader_done(&reader) || !wanted.prefix.size ||
        sk_space_name_refused(sk_slice_text(wanted.name))) {
        malformed(reply);
        return;
    }
    if (collides(catalogue, &wanted, reply) || busy(catalogue, reply)) return;
    if (catalogue->count >= SK_SPACES_CREATED_MAX + 1 || catalogue->next_id >= UINT32_MAX - 1) {
        refuse(reply, "ERR there are as many spaces as a cluster can have: drop one first");
        return;
    }
    uint32_t number = wanted.number ? wanted.number : sk_catalogue_number_lowest(catalogue);
    if (number > SK_SPACE_NUMBER_MAX) {
        refuse(reply, "ERR all numbers have been used");
        return;
    }
    catalogue->version++;
    wanted.id = catalogue->next_id++;
    wanted.number = number;
    wanted.phase = SK_PHASE_CREATING;
    wanted.forced = false;
    wanted.version = wanted.fence_version = wanted.limit_version = catalogue->version;
    sk_catalogue_number_use(catalogue, number);
    begun(sk_catalogue_add(catalogue, &wanted), reply);
}

static sk_space_record *change(sk_catalogue *catalogue, const sk_space_record *record)
{
    catalogue->version++;
    sk_space_record *changed = &catalogue->records[record - catalogue->records];
    changed->version = catalogue->version;
    return changed;
}

bool sk_catalogue_merge_options(sk_slice old, sk_slice given, sk_buffer *out)
{
    sk_slice all[SK_SPACE_OPTION_WORDS_MAX], more[SK_SPACE_OPTION_WORDS_MAX];
    int count = old.size ? sk_command_decode(old, all, SK_SPACE_OPTION_WORDS_MAX) : 0;
    int more_count = given.size ? sk_command_decode(given, more, SK_SPACE_OPTION_WORDS_MAX) : 0;
    if (count < 0 || more_count < 0 || more_count % 2) return false;
    for (int i = 0; i < more_count; i += 2) {
        int at = 0;
        while (at < count && !sk_slice_equal(all[at], more[i])) at += 2;
        if (at == count && count + 2 > SK_SPACE_OPTION_WORDS_MAX) return false;
        if (at == count) count += 2;
        all[at] = more[i];
        all[at + 1] = more[i + 1];
    }
    sk_command_encode(out, (size_t)count, all);
    return out->size <= SK_SPACE_OPTIONS_MAX;
}

static bool alter_options(sk_catalogue *catalogue, const sk_space_record *record, sk_slice given)
{
    sk_buffer merged = {0};
    bool fits = sk_catalogue_merge_options(record->options, given, &merged);
    if (fits) {
        sk_space_record replaced = *record;
        replaced.options = sk_buffer_slice(&merged);
        sk_buffer prefix = {0}; // the record's own goes with it
        sk_buffer_append_slice(&prefix, record->prefix);
        replaced.prefix = sk_buffer_slice(&prefix);
        sk_catalogue_remove(catalogue, replaced.id);
        sk_catalogue_add(catalogue, &replaced);
        sk_buffer_deinit(&prefix);
    }
    sk_buffer_deinit(&merged);
    return fits;
}

static void no_such_space(sk_slice name, sk_buffer *reply)
{
    sk_reply_errorf(&(sk_reply){.out = reply, .resp = 2}, "ERR there is no space '%.*s': SPACE LIST shows those there are",
                    (int)(name.size < 64 ? name.size : 64), (const char *)name.data);
}

static void on_alter(sk_catalogue *catalogue, sk_slice body, sk_buffer *reply)
{
    sk_reader reader = sk_reader_make(body);
    uint64_t what = sk_read_varint(&reader);
    sk_space_record wanted;
    if (!sk_space_record_read(&reader, &wanted) || !sk_reader_done(&reader)) {
        malformed(reply);
        return;
    }
    const sk_space_record *record = sk_catalogue_by_name(catalogue, sk_slice_text(wanted.name));
    if (!record) {
        no_such_space(sk_slice_text(wanted.name), reply);
        return;
    }
    uint32_t id = record->id;
    if ((what & SK_ALTER_OPTIONS) && !alter_options(catalogue, record, wanted.options)) {
        refuse(reply, "ERR too many options");
        return;
    }
    sk_space_record *changed = change(catalogue, sk_catalogue_by_id(catalogue, id));
    if (what & SK_ALTER_READS) changed->reads = wanted.reads;
    if (what & SK_ALTER_DURABILITY) {
        changed->durability = wanted.durability;
        changed->durability_ms = wanted.durability_ms;
    }
    if (what & SK_ALTER_MEMORY) {
        changed->memory_max = wanted.memory_max;
        changed->limit_version = catalogue->version;
    }
    ok(reply);
}

static void on_drop(sk_catalogue *catalogue, sk_slice body, sk_buffer *reply)
{
    sk_reader reader = sk_reader_make(body);
    bool force = sk_read_u8(&reader) != 0;
    sk_slice name = sk_slice_make(reader.at, sk_reader_left(&reader));
    const sk_space_record *record = reader.bad ? NULL : sk_catalogue_by_name(catalogue, name);
    if (!record) {
        no_such_space(name, reply);
        return;
    }
    if (record->id < SK_SPACE_FIRST_ID) {
        refuse(reply, "ERR the default space cannot be dropped: FLUSHDB deletes its keys");
        return;
    }
    if (busy(catalogue, reply)) return;
    sk_space_record *dropping = change(catalogue, record);
    dropping->phase = SK_PHASE_DROPPING;
    dropping->fence_version = catalogue->version;
    dropping->forced = force;
    begun(dropping, reply);
}

// ---- Steps ----

static void note_outcome(sk_catalogue *catalogue, const sk_space_record *record, enum sk_outcome_kind kind)
{
    if (catalogue->outcome_count == SK_OUTCOMES_MAX) {
        catalogue->outcome_count--;
        memmove(&catalogue->outcomes[0], &catalogue->outcomes[1], catalogue->outcome_count * sizeof catalogue->outcomes[0]);
    }
    catalogue->outcomes[catalogue->outcome_count++] =
        (sk_outcome){.id = record->id, .kind = kind, .version = record->fence_version};
}

static const struct step {
    const char *verb;
    enum sk_space_phase from, to;
    enum sk_outcome_kind outcome; // 0: it goes on
    bool removes, routes;
} steps[] = {
    {"FENCED", SK_PHASE_CREATING, SK_PHASE_FENCED, 0, false, true},
    {"REFUSED", SK_PHASE_CREATING, SK_PHASE_CREATING, SK_OUTCOME_REFUSED, true, false},
    {"ACTIVE", SK_PHASE_FENCED, SK_PHASE_ACTIVE, SK_OUTCOME_ACTIVE, false, false},
    {"KEPT", SK_PHASE_DROPPING, SK_PHASE_ACTIVE, SK_OUTCOME_KEPT, false, false},
    {"DROPPED", SK_PHASE_DROPPING, SK_PHASE_DROPPING, SK_OUTCOME_DROPPED, true, true},
};

static void on_step(sk_catalogue *catalogue, const struct step *step, sk_slice body, sk_buffer *reply)
{
    sk_reader reader = sk_reader_make(body);
    uint64_t id = sk_read_varint(&reader);
    uint64_t version = sk_read_varint(&reader);
    const sk_space_record *record =
        sk_reader_done(&reader) && id < UINT32_MAX ? sk_catalogue_by_id(catalogue, (uint32_t)id) : NULL;
    ok(reply); // a step that comes twice, or late, changes nothing
    if (!record || record->phase != step->from || record->fence_version != version) return;
    sk_space_record *changed = change(catalogue, record);
    changed->phase = step->to;
    changed->forced = false;
    if (step->routes) catalogue->routing = catalogue->version;
    if (step->outcome) note_outcome(catalogue, changed, step->outcome);
    if (step->removes) sk_catalogue_remove(catalogue, changed->id);
    else sk_catalogue_index(catalogue);
}

void sk_catalogue_apply(sk_catalogue *catalogue, size_t argc, const sk_slice *argv, sk_buffer *reply)
{
    static const struct {
        const char *verb;
        void (*run)(sk_catalogue *catalogue, sk_slice body, sk_buffer *reply);
    } changes[] = {{"INIT", on_init}, {"CREATE", on_create}, {"ALTER", on_alter}, {"DROP", on_drop}};
    size_t before = reply->size;
    for (size_t i = 0; argc == 3 && i < sizeof changes / sizeof *changes; i++) {
        if (sk_slice_equal(argv[1], sk_slice_text(changes[i].verb))) changes[i].run(catalogue, argv[2], reply);
    }
    for (size_t i = 0; argc == 3 && i < sizeof steps / sizeof *steps; i++) {
        if (sk_slice_equal(argv[1], sk_slice_text(steps[i].verb))) on_step(catalogue, &steps[i], argv[2], reply);
    }
    if (reply->size == before) malformed(reply);
#ifdef SK_VERIFY
    sk_catalogue_check(catalogue);
#endif
}
