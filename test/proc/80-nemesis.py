"""Real nodes behind a proxy, on disks and clocks that misbehave: first that the tools do what they say, then a few short cells.

The cells are script/nemesis's `smoke`; one of them is a canary, which must be caught. All cells: script/nemesis --cells all.
"""
import os
import random
import signal
import subprocess
import sys
import tempfile

from harness import ROOT, check, figure, run

sys.path.insert(0, os.path.join(ROOT, "test", "nemesis"))
import cluster
import control
import power

# What a node does to its files, then its power goes.
WRITER = """
import os, signal
d = os.open(DIRECTORY, os.O_RDONLY)
def make(name):
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, dir_fd=d)
a = make("a")
os.pwrite(a, b"synced", 0)
os.fdatasync(a)
os.fsync(os.open(".", os.O_RDONLY, dir_fd=d))
%s
os.kill(os.getpid(), signal.SIGKILL)
"""


def after_power_cut(program, everything=True, seed=1):
    with tempfile.TemporaryDirectory(prefix="skein-test.") as top:
        directory, journal = os.path.join(top, "node"), os.path.join(top, "undo")
        os.mkdir(directory)
        rules = control.Control(os.path.join(top, "control"))
        done = subprocess.run([sys.executable, "-c", WRITER.replace("DIRECTORY", repr(directory)) % program], capture_output=True, text=True,
                              env=dict(os.environ, LD_PRELOAD=cluster.SHIM, **control.environment(rules, journal)))
        check(done.returncode == -signal.SIGKILL, f"the writer ended with {done.returncode}: {done.stderr}")
        lost = power.cut(directory, journal, random.Random(seed), everything)
        files = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as file:
                files[name] = file.read()
        return files, lost


def power_loses_what_no_sync_covered():
    cases = [
        ("", {"a": b"synced"}),
        ("os.pwrite(a, b'lost', 3)", {"a": b"synced"}),
        ("os.pwrite(a, b'XX', 0); os.pwrite(a, b'YYYY', 1)", {"a": b"synced"}),
        ("os.pwrite(a, b'XX', 0); os.fdatasync(a)", {"a": b"XXnced"}),
        ("os.ftruncate(a, 2)", {"a": b"synced"}),
        ("os.ftruncate(a, 2); os.pwrite(a, b'longer than before', 0)", {"a": b"synced"}),
        ("b = make('b'); os.pwrite(b, b'new', 0); os.fdatasync(b)", {"a": b"synced"}),  # its name was never synced
        ("b = make('b'); os.pwrite(b, b'new', 0); os.fsync(os.open('.', os.O_RDONLY, dir_fd=d))", {"a": b"synced", "b": b""}),
        ("os.rename('a', 'b', src_dir_fd=d, dst_dir_fd=d)", {"a": b"synced"}),
        ("os.unlink('a', dir_fd=d)", {"a": b"synced"}),
        ("os.unlink('a', dir_fd=d); os.fsync(os.open('.', os.O_RDONLY, dir_fd=d))", {}),
        ("b = make('b'); os.pwrite(b, b'b', 0); os.fdatasync(b); os.rename('b', 'a', src_dir_fd=d, dst_dir_fd=d)", {"a": b"synced"}),
    ]
    for program, expected in cases:
        found, _ = after_power_cut(program)
        check(found == expected, f"after {program!r}: {found}, expected {expected}")
    # Some of it may stay, in any order; each outcome must be one that a disk may show.
    outcomes = {after_power_cut("os.pwrite(a, b'X', 0); os.pwrite(a, b'Y', 5)", False, seed)[0]["a"] for seed in range(40)}
    possible = {b"synced", b"Xynced", b"synceY", b"XynceY"}
    check(outcomes <= possible and len(outcomes) >= 3, f"outcomes of two unsynced writes: {outcomes}")


def cells_hold():
    done = subprocess.run([os.path.join(ROOT, "script", "nemesis"), "--cells", "smoke", "--seed", str(random.randrange(1 << 30))],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    check(done.returncode == 0, f"script/nemesis ended with {done.returncode}")
    figure("nemesis:", done.stdout.strip().split("\n")[-1])


def main():
    power_loses_what_no_sync_covered()
    cells_hold()


if __name__ == "__main__":
    run(main)
