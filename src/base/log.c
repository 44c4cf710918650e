#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

enum { LINE_SIZE_MAX = 1024 };

const char *sk_log_level_name(enum sk_log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

void sk_log(sk_log_sink *sink, enum sk_log_level level, const char *format, ...)
{
    if (!sink || level < sink->level) return;
    char line[LINE_SIZE_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    sink->write(sink, level, line);
}

const char *sk_log_escape(char *out, size_t size, sk_slice bytes)
{
    SK_ASSERT(size >= 8);
    size_t used = 0;
    for (size_t i = 0; i < bytes.size && used + 5 < size; i++) {
        uint8_t c = bytes.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = 0;
    return out;
}
