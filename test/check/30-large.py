"""Large histories: 100,000 operations on many keys within a minute, and a violation in them is found."""
import os
import random
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEIN = os.path.join(ROOT, "build", "skein")
OPERATIONS, KEYS, CLIENTS, LIMIT_S = 100_000, 1000, 20, 60


def record(seed, lost):
    """What clients of a right store see; one in a hundred never learns. In the end a read misses a write, if `lost`."""
    rng = random.Random(seed)
    store, running, lines = {}, {}, []
    client = list(range(CLIENTS))
    fresh, calls = CLIENTS, 0
    while calls < OPERATIONS or running:
        slot = rng.randrange(CLIENTS)
        process = client[slot]
        if process not in running:
            if calls == OPERATIONS:
                continue
            calls += 1
            key = rng.randrange(KEYS)
            f = rng.choice(("read", "read", "write", "cas"))
            value = {"read": "nil", "write": str(rng.randrange(5)), "cas": f"[{rng.randrange(5)} {rng.randrange(5)}]"}[f]
            running[process] = [f, key, value, None]
            lines.append(f"{{:process {process}, :type :invoke, :f :{f}, :value [{key} {value}]}}")
            continue
        f, key, value, seen = running[process]
        if seen is None:  # it takes effect
            seen = "ok"
            if f == "read":
                running[process][2] = store.get(key, "nil")
            elif f == "write":
                store[key] = value
            else:
                old, new = value.strip("[]").split()
                seen = "ok" if store.get(key) == old else "fail"
                store[key] = new if seen == "ok" else store.get(key, "nil")
            running[process][3] = seen
            continue
        del running[process]
        if rng.random() < 0.01:
            seen = "info"
            client[slot] = fresh
            fresh += 1
        lines.append(f"{{:process {process}, :type :{seen}, :f :{f}, :value [{key} {value}]}}")
    if lost:
        for f, value in (("write", 7), ("write", 8), ("read", 7)):
            for kind in ("invoke", "ok"):
                lines.append(f"{{:process 999999, :type :{kind}, :f :{f}, :value [{KEYS // 2} {value}]}}")
    return "\n".join(lines) + "\n"


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, lost, status in (("good", False, 0), ("bad", True, 1)):
            path = os.path.join(folder, name + ".edn")
            with open(path, "w", encoding="utf-8") as file:
                file.write(record(1, lost))
            begun = time.monotonic()
            done = subprocess.run([SKEIN, "check", "-m", "cas-register", "--keyed", path], capture_output=True, text=True)
            took = time.monotonic() - begun
            if done.returncode != status or took > LIMIT_S:
                print(f"wrong: {name}: status {done.returncode} after {took:.1f} s: {done.stdout}{done.stderr}")
                return 1
            print(f"figure: {OPERATIONS} operations on {KEYS} keys, {name}: {took:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
