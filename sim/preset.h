// The models of the theory, by name: what may happen to time, and how a process may fail. A run has one timing model and one
// failure model, or neither (then the seed draws from every kind of fault).
//
//   timing    synchronous             delays and drift have bounds that the nodes know; the network loses nothing
//             partially-synchronous   no bound holds at first; later one does that nobody knew (Dwork, Lynch, Stockmeyer 1988)
//             asynchronous            no bound ever; every message that is not omitted arrives in the end
//   failure   crash-stop              a minority ends, for good
//             crash-recovery          any process ends and starts again with what its disk has synced
//             send-omission           a process loses messages that it sends
//             receive-omission        ... or that it should receive
//             byzantine               a process may do anything; only for a protocol whose row below says that it can
//             unrecoverable           the disks of a majority or of all are ruined at once: the cluster must stop safely
//
// A timing model alone means that no process fails; a failure model alone goes with partial synchrony.
#ifndef SIM_PRESET_H
#define SIM_PRESET_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/prng.h"
#include "sim/fault.h"

enum sk_preset_timing {
    SK_TIMING_DRAWN, // no preset
    SK_TIMING_SYNCHRONOUS,
    SK_TIMING_PARTIAL,
    SK_TIMING_ASYNCHRONOUS,
};

enum sk_preset_failure {
    SK_FAILURE_DRAWN, // no preset
    SK_FAILURE_NONE,
    SK_FAILURE_CRASH_STOP,
    SK_FAILURE_CRASH_RECOVERY,
    SK_FAILURE_SEND_OMISSION,
    SK_FAILURE_RECEIVE_OMISSION,
    SK_FAILURE_BYZANTINE,
    SK_FAILURE_UNRECOVERABLE,
};

typedef struct sk_preset {
    enum sk_preset_timing timing;
    enum sk_preset_failure failure;
} sk_preset;

struct sk_world;

// What a member that lies makes of a frame on its way out: it may alter it, or withhold it (false). Every protocol that bears lies
// brings one of its own, since a good lie knows what it lies about.
typedef bool (*sk_lie)(struct sk_world *world, sk_prng *prng, uint32_t from, uint32_t to, sk_buffer *frame);

sk_lie sk_preset_lie(const char *protocol); // NULL: it bears none

// "synchronous,crash-stop" for that protocol. False: `problem` (size bytes) says what is wrong and what could be asked instead.
bool sk_preset_parse(const char *text, const char *protocol, sk_preset *out, char *problem, size_t size);
// May this kind of fault happen at all?
bool sk_preset_allows(const sk_preset *preset, enum sk_fault fault);
// "synchronous,crash-stop", "drawn" when there is none. Static text of the parts in `out`.
void sk_preset_name(const sk_preset *preset, char *out, size_t size);

#endif
