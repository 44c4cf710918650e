// Lamport's space-time diagram of a selection of events, as SVG for any browser: a vertical line a process, time
// downward, one row an event (not to scale), an arrow a message.
#ifndef SIM_DIAGRAM_H
#define SIM_DIAGRAM_H

#include "sim/tell.h"

void sk_diagram_write(const sk_account *account, const sk_selection *selection, const char *title, const char *subtitle,
                      FILE *out);

#endif
