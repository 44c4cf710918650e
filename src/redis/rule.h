// A rule: a text in Lua 5.4 that makes one value of the values that a register was left with by writes that did not know of each other
// (OPTION conflict custom). It is asked when the register is read, and what it says is never stored: nodes that hold the same values
// show the same, whatever the rule computes.
//
//   the text   either gives a function, which is called with the values:      return function(s) return s[1] .. s[2] end
//              or is that function's body, with the values in `s`:            return table.concat(s, ",")
//   s          an array of strings, at least two, ascending bytewise, no two equal
//   answer     a string; anything else is a failure
//
// It is pure: nothing that it can reach outlives the evaluation (each has a Lua state of its own), and nothing tells it of the node, the
// time or chance. What it can use is in rule_library.h. Its limits:
//
//   steps      a Lua instruction takes one, and one more for each 4 KiB that the evaluation holds; a library function takes some by the
//              size of what it looks at, an allocation one for each 16 bytes. So instructions that compare or copy much are counted
//              as what they are. All of them take some milliseconds, whatever the rule does (test/unit/rule.c has the worst known)
//   memory     of everything together; more is refused, which never ends the process
//
// Numbers are 64-bit integers and IEEE 754 doubles. What differs between processors is a failure: a number that is none (0/0), whose
// sign is the processor's own. '^' is refused where it stands, since pow() is rounded differently here and there.
#ifndef SK_REDIS_RULE_H
#define SK_REDIS_RULE_H

#include "base/bytes.h"

enum {
    SK_RULE_SIZE_MAX = 4096, // bytes of the text
    SK_RULE_MEMORY_MAX = 1024 * 1024,
    SK_RULE_STEPS_MAX = 500 * 1000, // of one evaluation
};

// Asks the rule. `values` as above, borrowed. True: the answer is appended to `out`; false: why there is none, one line such as
// "rule:3: attempt to index a nil value". What it took is added to *steps, what is fixed for an evaluation included.
bool sk_rule_run(sk_slice text, const sk_slice *values, size_t count, uint64_t *steps, sk_buffer *out);

// May this be a space's rule: not too long, and a string for at least one of a few samples (numbers, words, JSON)? False: why not is
// appended, as above.
bool sk_rule_check(sk_slice text, sk_buffer *why);

#endif
