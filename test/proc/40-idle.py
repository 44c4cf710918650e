"""What a node costs when nothing happens: wake-ups, bytes written, memory; and the size of the binary."""
import os
import shutil
import subprocess
import tempfile
import time

from harness import bytes_written, check, cpu_seconds, figure, LONG, memory_kib, Playground, run, SKEIND, wakeups

SECONDS = 60 if LONG else 10


def stripped_size():
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "skeind")
    subprocess.run(["strip", "-o", path, SKEIND], check=True)
    size = os.path.getsize(path)
    shutil.rmtree(folder)
    return size


def leads_any_space(ground, number):
    """The system space may have another leader than the default space."""
    with ground.client(number) as client:
        return b"role=leader" in client.call("INFO", "skein")


def main():
    size = stripped_size()
    figure("skeind, stripped:", f"{size / 1024:.0f} KiB")
    check(size < 1536 * 1024, "the binary is over 1.5 MiB")
    with Playground(interval=0) as ground:
        leader = ground.leader()
        with ground.client(1) as client:
            for i in range(100):
                client.call("SET", f"idle:{i}", "x")
        time.sleep(5)  # lets it become quiet: that is what is measured
        nodes = {number: ground.pid(number) for number in ground.numbers}
        before = {number: (wakeups(pid), bytes_written(pid), cpu_seconds(pid)) for number, pid in nodes.items()}
        started = time.monotonic()
        time.sleep(SECONDS)
        seconds = time.monotonic() - started
        for number, pid in nodes.items():
            woken = (wakeups(pid) - before[number][0]) / seconds
            written = bytes_written(pid) - before[number][1]
            busy_ms = (cpu_seconds(pid) - before[number][2]) * 1000
            role = "leader" if leads_any_space(ground, number) else "follower"
            figure(f"idle {role} (node {number}), {seconds:.0f} s:",
                   f"{woken:.1f} wake-ups/s (goal: 3), {written} bytes written, {memory_kib(pid) / 1024:.1f} MiB resident, "
                   f"{busy_ms / seconds:.1f} ms processor a second")
            check(written == 0, f"node {number} writes while idle")
            check(woken <= (3 if role == "follower" else 10), f"node {number} wakes {woken:.1f} times a second")
            check(memory_kib(pid) < 10 * 1024, f"node {number} takes {memory_kib(pid)} KiB")
        check(ground.leader() == leader, "the leader changed while nothing happened")


run(main)
