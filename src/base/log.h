// Where a part that may speak to people sends its lines. The sink is given from outside (the daemon's stderr, the
// simulator's trace); protocols have none.
#ifndef SK_BASE_LOG_H
#define SK_BASE_LOG_H

#include <stdint.h>
#include "base/bytes.h"

enum sk_log_level { SK_LOG_DEBUG, SK_LOG_INFO, SK_LOG_WARN, SK_LOG_ERROR };

typedef struct sk_log_sink sk_log_sink;
struct sk_log_sink {
    // `line` is logfmt without time and level: msg="..." key=value ...
    void (*write)(sk_log_sink *sink, enum sk_log_level level, const char *line);
    enum sk_log_level level; // less than this is not formatted
};

const char *sk_log_level_name(enum sk_log_level level);
void sk_log(sk_log_sink *sink, enum sk_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Copies untrusted bytes into `out` (size bytes, always terminated): control bytes, quotes and non-ASCII escaped.
const char *sk_log_escape(char *out, size_t size, sk_slice bytes);

#endif
