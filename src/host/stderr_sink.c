#include "host/stderr_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "host/clock.h"

enum { LINE_MAX_SIZE = 1200 };

// The msg="..." at the start of a line, or all of it.
static size_t message_size(const char *line)
{
    static const char head[] = "msg=\"";
    enum { HEAD_SIZE = sizeof head - 1 };
    if (strncmp(line, head, HEAD_SIZE) != 0) return strlen(line);
    size_t size = HEAD_SIZE;
    while (line[size] && line[size] != '"') size++;
    return line[size] ? size + 1 : size;
}

static void summarise(sk_stderr_sink *sink, sk_sink_slot *slot, sk_buffer *summary)
{
    if (slot->held_back) sk_buffer_printf(summary, "%s repeated=%u\n", slot->message, slot->held_back);
    slot->hash = slot->held_back = 0;
}

bool sk_stderr_sink_admit(sk_stderr_sink *sink, enum sk_log_level level, const char *line, sk_ns now,
                          sk_buffer *summary)
{
    size_t size = message_size(line);
    uint64_t hash = sk_hash64((uint64_t)level, line, size) | 1;
    sk_sink_slot *mine = NULL, *oldest = &sink->slots[0];
    for (size_t i = 0; i < SK_SINK_SLOTS; i++) {
        sk_sink_slot *slot = &sink->slots[i];
        if (slot->hash && now - slot->start >= SK_SINK_WINDOW) summarise(sink, slot, summary);
        if (slot->hash == hash) mine = slot;
        if (!slot->hash || (oldest->hash && slot->start < oldest->start)) oldest = slot;
    }
    if (!mine) {
        mine = oldest;
        summarise(sink, mine, summary);
        *mine = (sk_sink_slot){.hash = hash, .start = now, .level = level};
        snprintf(mine->message, sizeof mine->message, "%.*s", (int)size, line);
        if (size >= sizeof mine->message) mine->message[sizeof mine->message - 2] = '"';
    }
    if (mine->count < SK_SINK_BURST) {
        mine->count++;
        return true;
    }
    mine->held_back++;
    return false;
}

static void write_line(sk_stderr_sink *sink, enum sk_log_level level, const char *text, size_t size,
                       sk_ns now)
{
    static const char priorities[] = {'7', '6', '4', '3'}; // of syslog: debug, info, warning, error
    char line[LINE_MAX_SIZE], priority[4] = "";
    if (sink->journal) snprintf(priority, sizeof priority, "<%c>", priorities[level]);
    uint64_t wall_ms = sk_clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int used = snprintf(line, sizeof line, "%stime=%s.%03uZ boot=%" PRIu64 ".%03u level=%s %.*s", priority,
                        stamp, (unsigned)(wall_ms % 1000), now / SK_S, (unsigned)(now % SK_S / SK_MS),
                        sk_log_level_name(level), (int)size, text);
    size_t length = (size_t)used < sizeof line - 1 ? (size_t)used : sizeof line - 2;
    line[length++] = '\n';
    // One write a line, so that lines of several processes do not mix; a full pipe loses the line, not the
    // node.
    if (write(sink->fd, line, length) != (ssize_t)length) sink->dropped++;
}

static void sink_write(sk_log_sink *base, enum sk_log_level level, const char *line)
{
    sk_stderr_sink *sink = (sk_stderr_sink *)base;
    sk_ns now = sk_clock_boot();
    sk_buffer summary = {0};
    bool admitted = sk_stderr_sink_admit(sink, level, line, now, &summary);
    const char *at = (const char *)summary.data;
    for (size_t left = summary.size; left;) {
        size_t size = (size_t)((const char *)memchr(at, '\n', left) - at);
        write_line(sink, SK_LOG_WARN, at, size, now);
        at += size + 1;
        left -= size + 1;
    }
    sk_buffer_deinit(&summary);
    if (admitted) write_line(sink, level, line, strlen(line), now);
}

void sk_stderr_sink_init(sk_stderr_sink *sink, int fd, enum sk_log_level level, bool journal)
{
    *sink = (sk_stderr_sink){.base = {.write = sink_write, .level = level}, .fd = fd, .journal = journal};
}
