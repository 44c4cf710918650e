// The log of a real node: one line of logfmt each, to a file descriptor, at once.
//
//     time=2026-03-01T12:00:00.123Z boot=4711.250 level=info msg="..." key=value
//
// `boot` is seconds on the boot-time clock: many gateways boot in 1970, and only it can be compared then.
// Below systemd the line begins with the journal's priority. A line that repeats (same level and msg,
// whatever its other fields) is let through BURST times in a window; what was held back is told when the
// window has passed and somebody logs again.
#ifndef SK_HOST_STDERR_SINK_H
#define SK_HOST_STDERR_SINK_H

#include "base/log.h"
#include "base/time.h"

enum { SK_SINK_SLOTS = 32, SK_SINK_BURST = 5, SK_SINK_MESSAGE_MAX = 80 };
#define SK_SINK_WINDOW (10 * SK_S)

typedef struct sk_sink_slot {
    uint64_t hash; // of level and msg; 0: free
    sk_ns start;   // of the window
    uint32_t count;
    uint32_t held_back;
    enum sk_log_level level;
    char message[SK_SINK_MESSAGE_MAX]; // msg="..." for the line that tells of those held back
} sk_sink_slot;

typedef struct sk_stderr_sink {
    sk_log_sink base; // first: a pointer to it is a pointer to this
    int fd;
    bool journal;
    uint64_t dropped; // lines that the descriptor did not take
    sk_sink_slot slots[SK_SINK_SLOTS];
} sk_stderr_sink;

// `journal`: begin lines with a priority (when JOURNAL_STREAM says that stderr is the journal).
void sk_stderr_sink_init(sk_stderr_sink *sink, int fd, enum sk_log_level level, bool journal);
// Is this line let through at `now`? Counts it. Appends to `summary` a line (without stamp) for each message
// whose window has passed with some held back.
bool sk_stderr_sink_admit(sk_stderr_sink *sink, enum sk_log_level level, const char *line, sk_ns now,
                          sk_buffer *summary);

#endif
