"""script/bench: each part runs, in its shortest form, and says what it promises. The figures themselves are for a quiet machine."""
import json
import os
import subprocess
import sys
import tempfile

from harness import check, ROOT, run

PAGE = os.path.join(ROOT, "docs", "performance.md")


def part(folder, *words):
    """(the section it printed, everything it measured)."""
    raw = os.path.join(folder, "raw.json")
    done = subprocess.run([sys.executable, os.path.join(ROOT, "script", "bench"), *words, "--dry", "--json", raw, "--dir", folder],
                          capture_output=True, text=True, timeout=240)
    check(done.returncode == 0, f"script/bench {words}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    with open(raw) as file:
        return done.stdout, json.load(file)


def page():
    with open(PAGE, "rb") as file:
        return file.read()


def main():
    before = page()
    with tempfile.TemporaryDirectory(prefix="skein-test.", dir="/var/tmp") as folder:
        text, raw = part(folder, "failover", "--kills", "1", "--freezes", "1")
        check(len(raw["killed_ms"]) == 1 and len(raw["frozen_ms"]) == 1, raw)
        check("leader killed (-9), 1 times" in text, text)
        text, raw = part(folder, "failover", "--stall", "--seconds", "3")
        check(raw["stalling"]["stalls"] >= 2 and "leader changes" in text, raw)

        text, raw = part(folder, "flash", "--seconds", "1", "--idle-seconds", "1", "--keys", "1000", "--settings", "--snapshot-entries 5000")
        # A write of its own takes a page, sometimes two; twice that would mean that writes were made which are not counted.
        check(raw["alone"]["bytes"] < 2 * 4096, raw)
        check(raw["alone"]["bytes"] > 4096 > raw["whole"]["bytes"] > 256 and raw["whole"]["snapshots"] >= 3, raw)

        text, raw = part(folder, "memory", "--keys", "20000", "--idle", "500", "--rounds", "1", "--seconds", "1")
        check(raw["full_mib"][0] > raw["rest_mib"][0] > 1 and raw["idle_alone_mib"][1] > raw["idle_alone_mib"][0], raw)

        text, raw = part(folder, "spaces", "--rounds", "1", "--seconds", "1")
        check(all(raw["rounds"][protocol][0]["down"]["per_second"] > 0 for protocol in ("crdt", "causal")), raw)
        text, raw = part(folder, "spaces", "--idle", "--spaces", "3", "--seconds", "1")
        check("idle spaces" in text and set(raw) >= {"raft", "crdt", "causal"}, raw)

        text, raw = part(folder, "compare", "--only", "redis", "--rounds", "1", "--seconds", "1")
        rounds = raw["rounds"]
        for system in ("Skein", "Redis"):
            check(all(rounds[system][0][job]["per_second"] > 0 for job in ("w1", "w64", "w256", "p16", "r64")), rounds)
            check(rounds[system][0]["kill_ms"] > 0 and rounds[system][0]["stop_ms"] > 0, rounds)
        check("| Redis |" in text and "WAIT 1" in text, text)
        check(not [name for name in os.listdir(folder) if name.startswith("skein-bench.")], "directories were left behind")
    check(page() == before, "--dry changed docs/performance.md")


run(main)
