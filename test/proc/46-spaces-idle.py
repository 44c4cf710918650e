"""What idle spaces cost: memory and wake-ups of a node with many, beside what it took with one."""
import glob
import time

from harness import check, figure, LONG, memory_kib, Playground, run

SPACES = 200 if LONG else 60
SECONDS = 30
KIB_A_SPACE = 3 * 1024 / 200
WAKEUPS_MORE = 1.0


def switches(pid):
    """As in 40-idle.py: times that a thread went to sleep of its own."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


def measure(ground):
    before = {number: switches(ground.pid(number)) for number in ground.numbers}
    started = time.monotonic()
    time.sleep(SECONDS)
    seconds = time.monotonic() - started
    return {number: ((switches(ground.pid(number)) - before[number]) / seconds, memory_kib(ground.pid(number)))
            for number in ground.numbers}


def main():
    with Playground(interval=0) as ground:
        ground.leader()
        time.sleep(5)  # lets it become quiet
        one = measure(ground)
        started = time.monotonic()
        with ground.client(1, 10) as client:
            for i in range(SPACES):
                check(client.call("SPACE", "CREATE", f"s{i}", "PREFIX", f"s{i}/", "PROTOCOL", "raft") == "OK", f"CREATE s{i}")
        figure(f"SPACE CREATE, {SPACES} one after another:", f"{(time.monotonic() - started) / SPACES * 1000:.0f} ms each")
        time.sleep(8)
        many = measure(ground)
        for number in ground.numbers:
            more_kib = many[number][1] - one[number][1]
            more_wakeups = many[number][0] - one[number][0]
            figure(f"{SPACES} idle spaces (node {number}):", f"{more_kib} KiB and {more_wakeups:+.1f} wake-ups/s more than one space "
                   f"(goal for 200: 3072 KiB, 1.0)")
            check(more_kib <= KIB_A_SPACE * SPACES + 512, f"node {number} takes {more_kib} KiB more")
            check(more_wakeups <= WAKEUPS_MORE, f"node {number} wakes {more_wakeups:.1f} times a second more")
        with ground.client(2) as client:
            check(client.call("SET", f"s{SPACES - 1}/x", "1") == "OK" and client.call("GET", f"s{SPACES - 1}/x") == b"1", "the last one serves")


run(main)
