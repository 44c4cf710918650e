// A peer frame in words: "VOTE term 5 last 12@4". For people; what it cannot read it calls by its size.
#ifndef SIM_FRAME_TEXT_H
#define SIM_FRAME_TEXT_H

#include "sim/chronicle.h"

enum sk_topic sk_frame_text(const sk_frame *frame, sk_buffer *out);

#endif
