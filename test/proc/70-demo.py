"""The tour of script/demo holds, with every step it claims; and what it started is gone afterwards."""
import os
import subprocess

from harness import ROOT, check, figure, run


def main():
    done = subprocess.run([os.path.join(ROOT, "script", "demo"), "--once"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "SKEIN_NO_BOOTSTRAP": "1", "NO_COLOR": "1"}, timeout=240)
    print(done.stdout + done.stderr)
    check(done.returncode == 0, f"script/demo --once: exit {done.returncode}")
    check("Every step held." in done.stdout, "the tour did not reach its end")
    for line in done.stdout.split("\n"):
        if "the next acknowledged write" in line:
            figure("the demo:", line.strip(" ✓"))


run(main)
