// A page for people: what was found in each file, with a timeline as SVG. It needs no network and no script.
//
// One row a process, one bar an operation, in the order of events (not to scale); what nothing explains is red, what ran beside it
// blue, what came before grey with its place in the order that was found; bars that never end are of unknown outcome. Where a cycle
// is the proof, arrows say who must precede whom.
#ifndef SK_CHECK_PICTURE_H
#define SK_CHECK_PICTURE_H

#include "check/report.h"

void sk_picture_begin(sk_buffer *page);
// `checked`: what was asked, "cas-register, linearizable".
void sk_picture_add(sk_buffer *page, const char *file, const char *checked, const sk_report *report);
void sk_picture_end(sk_buffer *page);

#endif
