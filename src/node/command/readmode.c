// READMODE: how fresh the reads of this connection must be (docs/guarantees.md).
#include "node/command/family.h"

#include "node/state.h"

void sk_node_run_readmode(sk_node_call *call)
{
    sk_client *client = call->client;
    if (call->argc > 2) {
        sk_call_wrong_arity(call);
        return;
    }
    if (call->argc == 1) {
        sk_reply_text(&call->reply, sk_reads_mode_name(client->read_mode));
        return;
    }
    enum sk_reads_mode mode = SK_READS_DEFAULT;
    bool known = sk_slice_equal_nocase(call->argv[1], "default") || sk_reads_mode_parse(call->argv[1], &mode);
    if (!known) {
        sk_reply_error(&call->reply, "ERR READMODE is linearizable, session, local, or default (each space's own)");
        return;
    }
    client->read_mode = mode;
    sk_reply_simple(&call->reply, "OK");
}
