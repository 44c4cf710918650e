// Drives a key space as a node of one would: requests go in as clients write them, replies come out.
#ifndef SK_TEST_SUPPORT_DRIVER_H
#define SK_TEST_SUPPORT_DRIVER_H

#include "redis/command.h"
#include "redis/keyspace.h"
#include "redis/resp.h"

typedef struct driver {
    sk_machine *machine;
    sk_command_context context;
    sk_resp_parser parser;
    sk_buffer command;
    sk_buffer reply; // of the last request
} driver;

static inline void driver_open(driver *d, sk_keyspace_limits limits)
{
    const sk_resp_limits resp = {.inline_size_max = 64 * 1024,
                                 .bulk_size_max = 512 * 1024 * 1024,
                                 .argument_max = 1024 * 1024,
                                 .request_size_max = 1024 * 1024 * 1024};
    *d = (driver){.machine = sk_keyspace_open(&limits)};
    d->context =
        (sk_command_context){.clock_ms = 1000, .wall_offset_ms = 1700000000000, .seed = 1, .resp = 2};
    sk_resp_parser_init(&d->parser, &resp);
}

static inline void driver_close(driver *d)
{
    sk_resp_parser_deinit(&d->parser);
    sk_buffer_deinit(&d->command);
    sk_buffer_deinit(&d->reply);
    d->machine->ops->close(d->machine);
}

// One request; the reply is appended to d->reply.
static inline void driver_execute(driver *d, size_t argc, const sk_slice *argv)
{
    sk_reply reply = {.out = &d->reply, .resp = d->context.resp};
    const sk_command *command = sk_command_select(argc, argv, &reply);
    if (!command) return;
    sk_buffer_clear(&d->command);
    sk_command_encode(&d->command, argc, argv);
    sk_slice bytes = sk_buffer_slice(&d->command);
    d->context.seed = d->context.seed * 6364136223846793005u + 1442695040888963407u;
    if (command->flags & SK_COMMAND_WRITE) {
        d->machine->ops->apply(d->machine, &d->context, bytes, &d->reply);
        return;
    }
    sk_machine_job *job = d->machine->ops->query(d->machine, &d->context, bytes, &d->reply);
    if (!job) return;
    while (job->ops->run(job, &d->reply, 100)) {
    }
    job->ops->close(job);
}

// Requests as bytes, whole ones; the replies in d->reply. False: a protocol error (its reply is there too).
static inline bool driver_feed(driver *d, sk_slice input, size_t *consumed)
{
    *consumed = 0;
    while (true) {
        size_t used;
        sk_slice rest = sk_slice_make(input.data + *consumed, input.size - *consumed);
        sk_resp_verdict verdict = sk_resp_parse(&d->parser, rest, &used);
        if (verdict == SK_RESP_MORE) return true;
        if (verdict == SK_RESP_ERROR) {
            sk_reply reply = {.out = &d->reply, .resp = d->context.resp};
            sk_reply_error(&reply, d->parser.error);
            return false;
        }
        *consumed += used;
        if (d->parser.argc) driver_execute(d, d->parser.argc, d->parser.argv);
    }
}

// One inline request; its reply as text, until the next call.
static inline const char *driver_ask(driver *d, const char *line)
{
    sk_buffer input = {0};
    size_t consumed;
    sk_buffer_append_text(&input, line);
    sk_buffer_append_text(&input, "\r\n");
    sk_buffer_clear(&d->reply);
    driver_feed(d, sk_buffer_slice(&input), &consumed);
    sk_buffer_deinit(&input);
    sk_buffer_append_byte(&d->reply, 0);
    d->reply.size--;
    return (const char *)d->reply.data;
}

#endif
