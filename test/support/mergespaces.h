// Nodes with a mergeable key space each, driven by hand: requests as clients write them, operations carried from one to another.
#ifndef SK_TEST_SUPPORT_MERGESPACES_H
#define SK_TEST_SUPPORT_MERGESPACES_H

#include "redis/command.h"
#include "redis/mergespace.h"
#include "redis/resp.h"

typedef struct merge_node {
    sk_machine *machine;
    sk_command_context context;
    sk_buffer command, reply;
    sk_buffer operations; // all that this node ever did
} merge_node;

static inline void merge_node_open(merge_node *node, uint32_t id, sk_mergespace_options options)
{
    options.node = id;
    if (!options.drift_max_ms) options.drift_max_ms = 500;
    *node = (merge_node){.machine = sk_mergespace_open(&options)};
    node->machine->mergeable->identify(node->machine, 1);
    node->context = (sk_command_context){.clock_ms = 1000, .wall_offset_ms = 1700000000000, .seed = 1, .resp = 2};
}

static inline void merge_node_close(merge_node *node)
{
    node->machine->ops->close(node->machine);
    sk_buffer_deinit(&node->command);
    sk_buffer_deinit(&node->reply);
    sk_buffer_deinit(&node->operations);
}

static inline uint64_t merge_wall_ms(const merge_node *node)
{
    return node->context.clock_ms + (uint64_t)node->context.wall_offset_ms;
}

static inline void merge_execute(merge_node *node, size_t argc, const sk_slice *argv)
{
    sk_reply reply = {.out = &node->reply, .resp = node->context.resp};
    const sk_command *command = sk_command_select(argc, argv, &reply);
    if (!command) return;
    sk_buffer_clear(&node->command);
    sk_command_encode(&node->command, argc, argv);
    sk_slice bytes = sk_buffer_slice(&node->command);
    node->context.seed = node->context.seed * 6364136223846793005u + 1442695040888963407u;
    if (command->flags & SK_COMMAND_WRITE) {
        node->machine->mergeable->prepare(node->machine, &node->context, bytes, &node->reply, &node->operations);
        return;
    }
    sk_machine_job *job = node->machine->ops->query(node->machine, &node->context, bytes, &node->reply);
    if (!job) return;
    while (job->ops->run(job, &node->reply, 100)) {
    }
    job->ops->close(job);
}

// One inline request, words between spaces; its reply as text, until the next call.
static inline const char *merge_ask(merge_node *node, const char *line)
{
    enum { WORDS_MAX = 64 };
    sk_slice words[WORDS_MAX];
    size_t count = 0;
    while (*line && count < WORDS_MAX) {
        size_t size = strcspn(line, " ");
        words[count++] = sk_slice_make(line, size);
        line += size + (line[size] == ' ');
    }
    sk_buffer_clear(&node->reply);
    merge_execute(node, count, words);
    sk_buffer_append_byte(&node->reply, 0);
    node->reply.size--;
    return (const char *)node->reply.data;
}

// All operations of `from` to `to`, those it has already included.
static inline int merge_carry(merge_node *to, const merge_node *from)
{
    size_t taken;
    return to->machine->mergeable->apply(to->machine, merge_wall_ms(to), sk_buffer_slice(&from->operations), &taken);
}

#endif
