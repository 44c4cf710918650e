// Serves clients where no node can: every command gets the same error, in its place, so that pipelines stay
// in step.
#ifndef SK_HOST_REFUSAL_H
#define SK_HOST_REFUSAL_H

#include <stdbool.h>
#include "base/bytes.h"

typedef struct sk_refusal sk_refusal; // one a connection

sk_refusal *sk_refusal_open(void);
void sk_refusal_close(sk_refusal *refusal);
// Answers each whole command in `input` with `error` (without its leading minus), appended to `out`. Returns
// the bytes consumed;
// `*end`: the connection is to be closed once `out` is written.
size_t sk_refusal_receive(sk_refusal *refusal, sk_slice input, const char *error, sk_buffer *out, bool *end);

#endif
