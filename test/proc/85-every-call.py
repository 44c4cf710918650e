"""A node whose k-th allocation or disk call fails: a sample of all k, evenly spread (test/nemesis/every_call.py; the long form, and
`script/proof --only calls`, take every k)."""
import os
import random
import sys

from harness import LONG, ROOT, check, figure, run

sys.path.insert(0, os.path.join(ROOT, "test", "nemesis"))
import every_call

STEPS = {"memory": 27, "disk": 53}  # apart from every period of the cases: once and for ever, the kinds of error


def main():
    for kind, step in STEPS.items():
        if LONG:
            step = 1
        found = every_call.run(kind, random.randrange(step), step)
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(found["outcomes"].items()))
        figure(f"every {kind} call fails:", f"{found['done']} of {found['cases']} cases ({found['calls']['first']} + "
                                            f"{found['calls']['second']} calls): {outcomes}")
        check(not found["failures"], f"{len(found['failures'])} cases do not hold")
        # Most of them must have hurt, or the shims do nothing.
        check(found["outcomes"].get("not reached", 0) * 4 < found["done"], "too many calls were never reached")
        check(any(name.startswith("status") for name in found["outcomes"]), "no node ended")


if __name__ == "__main__":
    run(main)
