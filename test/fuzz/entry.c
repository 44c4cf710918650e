// What stands in a log entry and in a peer's messages: envelopes, commands, Raft's messages. The first byte chooses.
//
// Beyond not crashing: what was read is written again as something that reads the same.
#include "base/arena.h"
#include "base/assert.h"
#include "node/envelope.h"
#include "protocol/raft/message.h"
#include "redis/command.h"
#include "test/support/fuzz.h"

static void envelope(sk_slice input)
{
    sk_envelope first;
    if (sk_envelope_read(input, &first) != 0) return;
    SK_ASSERT(first.command.size <= input.size);
    sk_buffer bytes = {0};
    sk_envelope_write(&bytes, &first);
    sk_envelope second;
    SK_ASSERT(sk_envelope_read(sk_buffer_slice(&bytes), &second) == 0);
    SK_ASSERT(second.clock_ms == first.clock_ms && second.number == first.number && second.origin == first.origin);
    SK_ASSERT(sk_slice_equal(second.command, first.command));
    sk_buffer_deinit(&bytes);
}

static void command(sk_slice input)
{
    enum { ARGUMENTS_MAX = 64 };
    sk_slice argv[ARGUMENTS_MAX];
    int argc = sk_command_decode(input, argv, ARGUMENTS_MAX);
    if (argc < 0) return;
    SK_ASSERT(argc <= ARGUMENTS_MAX);
    size_t total = 0;
    for (int i = 0; i < argc; i++) total += argv[i].size;
    SK_ASSERT(total <= input.size);
    sk_buffer bytes = {0};
    sk_command_encode(&bytes, (size_t)argc, argv);
    sk_slice again[ARGUMENTS_MAX];
    SK_ASSERT(sk_command_decode(sk_buffer_slice(&bytes), again, ARGUMENTS_MAX) == argc);
    for (int i = 0; i < argc; i++) SK_ASSERT(sk_slice_equal(argv[i], again[i]));
    sk_buffer_deinit(&bytes);
}

static void raft(sk_slice input)
{
    sk_raft_message message;
    if (!sk_raft_message_decode(input, &message)) return;
    sk_slice entries = message.entries;
    sk_raft_sent_entry entry;
    uint64_t count = 0;
    while (sk_raft_entries_next(&entries, &entry)) {
        SK_ASSERT(entry.term <= message.term);
        SK_ASSERT(entry.payload.size <= input.size);
        count++;
    }
    SK_ASSERT(count == message.count);
    SK_ASSERT(sk_raft_kind_name(message.kind) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    sk_slice rest = sk_slice_make(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: envelope(rest); break;
    case 1: command(rest); break;
    default: raft(rest); break;
    }
    return 0;
}
