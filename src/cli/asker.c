#include "cli/asker.h"

#include <stdio.h>

void sk_asker_init(sk_asker *asker, const sk_endpoint *endpoint, sk_node_view *view)
{
    *asker = (sk_asker){.endpoint = *endpoint, .view = view};
    sk_remote_init(&asker->remote);
}

void sk_asker_deinit(sk_asker *asker)
{
    sk_remote_deinit(&asker->remote);
}

void sk_asker_reset(sk_asker *asker, const char *why)
{
    asker->waiting = false;
    asker->view->answered = false;
    snprintf(asker->view->why, sizeof asker->view->why, "%s", why);
    sk_remote_close(&asker->remote);
}

void sk_asker_ask(sk_asker *asker, sk_ns now, sk_ns timeout)
{
    if (asker->waiting) return;
    if (asker->remote.state == SK_REMOTE_CLOSED && sk_remote_start(&asker->remote, &asker->endpoint)) {
        sk_asker_reset(asker, asker->remote.problem);
        return;
    }
    sk_slice argv[] = {sk_slice_text("NODE"), sk_slice_text("STATUS")};
    sk_remote_request(&asker->remote, 2, argv);
    asker->waiting = true;
    asker->deadline = now + timeout;
    if (asker->remote.state == SK_REMOTE_OPEN) sk_asker_ready(asker, sk_remote_events(&asker->remote));
}

void sk_asker_ready(sk_asker *asker, short events)
{
    if (sk_remote_ready(&asker->remote, events)) {
        sk_asker_reset(asker, asker->remote.problem);
        return;
    }
    const sk_resp_value *reply = NULL;
    int found = sk_remote_next(&asker->remote, &reply);
    if (found == 0) return;
    if (found < 0) {
        sk_asker_reset(asker, asker->remote.problem);
        return;
    }
    asker->waiting = false;
    if (reply->type == SK_RESP_FAILURE) {
        char why[sizeof asker->view->why];
        snprintf(why, sizeof why, "%.*s", (int)reply->text.size, (const char *)reply->text.data);
        sk_asker_reset(asker, why);
    } else if (sk_view_read_status(reply, asker->view)) {
        sk_asker_reset(asker, "its NODE STATUS cannot be read");
    }
}

void sk_asker_expire(sk_asker *asker, sk_ns now)
{
    if (asker->waiting && now >= asker->deadline) sk_asker_reset(asker, "no answer in time");
}
