"""Histories that others recorded and judged, where the folder beside the repository has them: ../shared/histories/MODEL/{good,bad}."""
import glob
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEIN = os.path.join(ROOT, "build", "skein")
COULD_NOT_RUN = 77
FIRST_OPERATIONS, LIMIT_MS = 150, 50


def operations(path):
    with open(path, encoding="utf-8") as file:
        return file.read().count(":invoke")


def main():
    # A worktree of the repository may lie one folder deeper than the repository itself.
    places = [os.path.join(ROOT, up, "shared", "histories") for up in ("..", os.path.join("..", ".."))]
    folder = next((place for place in places if os.path.isdir(place)), None)
    files = sorted(glob.glob(os.path.join(folder, "*", "*", "*.edn"))) if folder else []
    if not files:
        print(f"could not run: no recorded histories in {places[0]}")
        return COULD_NOT_RUN
    wrong = 0
    slowest = 0.0
    for path in files:
        model, kind = path.split(os.sep)[-3:-1]
        best = None
        for _ in range(5):
            begun = time.monotonic()
            done = subprocess.run([SKEIN, "check", "--model", model, path], capture_output=True, text=True, timeout=120)
            took = (time.monotonic() - begun) * 1000
            best = took if best is None else min(best, took)
            if best <= LIMIT_MS:
                break
        verdict = "holds" if kind == "good" else "violated"
        if not done.stdout.startswith(f"{path}: {verdict} "):
            print(f"wrong: {done.stdout}{done.stderr}")
            wrong += 1
        if operations(path) <= FIRST_OPERATIONS:
            slowest = max(slowest, best)
            if best > LIMIT_MS:
                print(f"slow: {path} took {best:.0f} ms")
                wrong += 1
    print(f"figure: {len(files) - wrong} of {len(files)} recorded histories have their verdicts; of those up to "
          f"{FIRST_OPERATIONS} operations the slowest took {slowest:.0f} ms, program start included")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
