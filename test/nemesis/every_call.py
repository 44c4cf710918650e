"""A node whose k-th call fails, for every k: memory, or its disk; once, or that and all after it.

A life of a node is: start, 150 writes with a snapshot among them, stop. `first` is the life of a new directory, `second` starts
from a log and a snapshot. For every k the k-th call of one of them fails (shim.c, memory.c); then the node starts again on what
that left, with nothing wrong, and is asked for everything. What must hold:

    the life ends by itself with a status and a line that says why, or answers errors and goes on until it is stopped; never a signal
    what was acknowledged is there, and nothing is there in part: MSET's two keys are equal, APPEND's value is whole tokens

    every_call.py [--of memory|disk] [--from K] [--step N] [--seconds S] [--limit N]
"""
import argparse
import errno
import json
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "test", "proc"), os.path.join(ROOT, "test", "nemesis")]

from harness import BUILD, SKEIND, ConnectionLost, Failure, Resp, RespError, check

import control

MEMORY_SHIM = os.path.join(BUILD, "memory-shim.so")
DISK_SHIM = os.path.join(BUILD, "nemesis-shim.so")
FOREVER = 1 << 40
OUT_OF_MEMORY = 71
# What a node may end with by itself: stopped, failed, no memory, its disk.
STATUSES = {"memory": (0, 1, 69, OUT_OF_MEMORY, 74, 78), "disk": (0, 1, 74, 75, 77, 78)}
SETTINGS = ("--snapshot-entries", "100", "--log-segment-size", "64kb", "--log-size-max", "256kb", "--request-timeout", "500ms",
            "--stop-timeout", "2s")
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "EINTR", "short")
BATCHES, TOKEN = 10, "token."


class Memory:
    """The test's side of memory.c."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)

    def arm(self, at, times):
        struct.pack_into("<4q", self.map, 0, 0, at, times, 0)

    def calls(self):
        return struct.unpack_from("<q", self.map, 0)[0]

    def fired(self):
        return struct.unpack_from("<q", self.map, 24)[0]

    def environment(self):
        return {"LD_PRELOAD": MEMORY_SHIM, "MEMORY_CONTROL": self.path, "NEMESIS_PARENT": str(os.getpid())}


class Disk:
    """The test's side of shim.c, as far as it counts calls."""

    def __init__(self, path):
        self.control = control.Control(path)

    def arm(self, at, times, error="EIO"):
        for name, value in (("calls", 0), ("nth_fired", 0), ("nth_error", -1 if error == "short" else getattr(errno, error)),
                            ("nth_times", times), ("nth", at)):
            self.control.set(name, value)

    def calls(self):
        return self.control.get("calls")

    def fired(self):
        return self.control.get("nth_fired")

    def environment(self):
        return {"LD_PRELOAD": DISK_SHIM, **control.environment(self.control)}


class Known:
    """What the client knows: values acknowledged, and what else may be there because the answer was an error or none."""

    def __init__(self):
        self.values = {}
        self.maybe = {}
        self.count, self.count_maybe = 0, 0
        self.tokens, self.tokens_maybe = 0, 0


class Life:
    def __init__(self, directory, environment):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([SKEIND, "--dir", directory, "--port", "0", "--peer-port", "0", *SETTINGS], stdin=subprocess.DEVNULL,
                                        stderr=self.log, env={**os.environ, **environment})
        self.stopped = False

    def text(self):
        """Read beside the node's own offset: a seek here would move where it writes."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def port(self, limit_s=20):
        """Of the running node; None if it ended first."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            found = re.search(r"clients=127\.0\.0\.1:(\d+)", self.text())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                return None
            time.sleep(0.002)
        raise Failure("neither listening nor ended: " + self.text())

    def end(self, limit_s=20):
        """Stops it if it runs; its exit status (negative: a signal)."""
        try:
            if self.process.poll() is None:
                self.stopped = True
                self.process.send_signal(signal.SIGTERM)
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("does not stop: " + self.text()) from None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def batch_of(number, life):
    """Writes of one pipeline, as (command, what it means)."""
    tag = f"{life}.{number}"
    commands = [(("SET", f"key.{i % 20}", f"{tag}.{i}"), ("set", f"key.{i % 20}", f"{tag}.{i}")) for i in range(10)]
    commands.append((("MSET", "pair.a", tag, "pair.b", tag), ("pair", None, tag)))
    commands.append((("INCR", "count"), ("count", None, None)))
    commands.append((("APPEND", "tokens", TOKEN), ("tokens", None, None)))
    if number % 3 == 0:
        commands.append((("SET", "big", tag + "." * 9000), ("set", "big", tag + "." * 9000)))
    commands.append((("DEL", "key.19"), ("set", "key.19", None)))
    return commands


def take(known, meaning, reply):
    """One reply; None: there was none."""
    kind, key, value = meaning
    sure = reply is not None and not isinstance(reply, RespError)
    if kind in ("set", "pair"):
        name = key or "pair"
        if sure:
            known.values[name], known.maybe[name] = value, set()
        else:
            known.maybe.setdefault(name, set()).add(value)
    elif kind == "count":
        known.count, known.count_maybe = known.count + sure, known.count_maybe + (not sure)
    else:
        known.tokens, known.tokens_maybe = known.tokens + sure, known.tokens_maybe + (not sure)


def write(port, life, known):
    """All batches, or until the node is gone or has answered nothing but errors twice. How many writes were acknowledged."""
    acknowledged, useless = 0, 0
    try:
        client = Resp(port, 10)
    except ConnectionLost:
        return 0
    with client:
        for number in range(BATCHES):
            commands = batch_of(number, life)
            replies = []
            try:
                client.send(b"".join(client.encode(*command) for command, _ in commands))
                for _ in commands:
                    replies.append(client.read())
            except ConnectionLost:
                pass
            for index, (_, meaning) in enumerate(commands):
                take(known, meaning, replies[index] if index < len(replies) else None)
            good = sum(not isinstance(reply, RespError) for reply in replies)
            acknowledged += good
            useless += good == 0
            if len(replies) < len(commands) or useless > 1:
                break
    return acknowledged


def expect(known, name, found):
    allowed = {known.values.get(name)} | known.maybe.get(name, set())
    check(found in allowed, f"{name} is {found!r}, not one of {sorted(map(repr, allowed))[:6]}")


def text(reply):
    return reply.decode() if reply is not None else None


def verify(directory, known):
    """A start with nothing wrong: everything acknowledged is there."""
    life = Life(directory, {})
    try:
        port = life.port()
        check(port, f"no start afterwards: {life.process.poll()}: {life.text()}")
        end = time.monotonic() + 20
        with Resp(port, 10) as client:
            while True:
                try:
                    client.call("GET", "count")
                    break
                except RespError as problem:
                    check(time.monotonic() < end, f"does not serve afterwards: {problem}: {life.text()}")
                    time.sleep(0.01)
            for name in sorted(set(known.values) | set(known.maybe)):
                if name == "pair":
                    a, b = text(client.call("GET", "pair.a")), text(client.call("GET", "pair.b"))
                    check(a == b, f"half of an entry: {a!r} and {b!r}")
                    expect(known, name, a)
                else:
                    expect(known, name, text(client.call("GET", name)))
            count = int(client.call("GET", "count") or 0)
            check(known.count <= count <= known.count + known.count_maybe, f"{count} counted, {known.count} acknowledged")
            tokens = text(client.call("GET", "tokens")) or ""
            times = len(tokens) // len(TOKEN)
            check(tokens == TOKEN * times, f"a part of a token: {tokens[-20:]!r}")
            check(known.tokens <= times <= known.tokens + known.tokens_maybe, f"{times} tokens, {known.tokens} acknowledged")
        check(life.end() == 0, f"does not stop well afterwards: {life.text()}")
    finally:
        life.close()


class Result:
    def __init__(self, outcome, fired, acknowledged):
        self.outcome, self.fired, self.acknowledged = outcome, fired, acknowledged


def one(kind, which, at, times, error, prepared, scratch):
    """The `at`-th call of that life fails. Raises Failure when something does not hold."""
    directory = os.path.join(scratch, "node")
    shutil.rmtree(directory, ignore_errors=True)
    known = Known()
    if which == "second":
        shutil.copytree(prepared[0], directory)
        known = Known()
        for name, value in prepared[1].items():
            setattr(known, name, json.loads(json.dumps(value)) if name != "maybe" else {})
    shim = (Memory if kind == "memory" else Disk)(os.path.join(scratch, "control"))
    shim.arm(*((at, times) if kind == "memory" else (at, times, error)))
    life = Life(directory, shim.environment())
    try:
        port = life.port()
        acknowledged = write(port, which, known) if port else 0
        status = life.end()
        said = life.text()
        check(status >= 0, f"signal {-status}: {said}")
        check(status in STATUSES[kind], f"status {status}: {said}")
        if status == OUT_OF_MEMORY:
            check(said.count("out of memory") == 1, f"not one line about memory: {said}")
        elif status:
            check(re.search(r"^skeind: |level=error", said, re.M), f"status {status} without a reason: {said}")
        fired, calls = shim.fired(), shim.calls()
    finally:
        life.close()
    # A directory that was never founded holds nothing, and nothing was acknowledged.
    verify(directory, known)
    outcome = "not reached" if not fired else f"status {status}" if status else "went on"
    return Result(outcome, fired, acknowledged), calls


def prepare(scratch):
    """A directory with a log and a snapshot, and what is in it."""
    directory = os.path.join(scratch, "prepared")
    known = Known()
    life = Life(directory, {})
    try:
        write(life.port(), "zeroth", known)
        check(life.end() == 0, life.text())
    finally:
        life.close()
    check(any(name.endswith(".snap") for name in os.listdir(os.path.join(directory, "snap"))), "no snapshot was taken")
    check(not any(known.maybe.values()), "an error with nothing wrong")
    return directory, vars(known)


def cases(kind, counts):
    """All of them, in the order of k: (k, life, so many times, error)."""
    errors = ("",) if kind == "memory" else ERRORS
    for at in range(1, max(counts.values()) + 1):
        for which in ("first", "second"):
            if at <= counts[which]:
                for error in errors:
                    for times in (1, FOREVER):
                        if not (error == "EINTR" and times != 1):  # for ever it is no interruption
                            yield at, which, times, error


def run(kind, first, step=1, seconds=1e9, limit=1 << 40):
    end = time.monotonic() + seconds
    outcomes, failures, done, at = {}, [], 0, 0
    with tempfile.TemporaryDirectory(prefix="skein-test.") as scratch:
        prepared = prepare(scratch)
        counts = {}
        for which in ("first", "second"):
            result, counts[which] = one(kind, which, 0, 0, "EIO", prepared, scratch)
            check(result.acknowledged >= 140, f"only {result.acknowledged} writes with nothing wrong")
        every = list(cases(kind, counts))
        index = first
        while index < len(every) and time.monotonic() < end and done < limit:
            at, which, times, error = every[index]
            what = f"{kind} call {at} of the {which} life fails {'once' if times == 1 else 'for ever'} {error}".rstrip()
            try:
                result, _ = one(kind, which, at, times, error, prepared, scratch)
                outcomes[result.outcome] = outcomes.get(result.outcome, 0) + 1
            except (Failure, ConnectionLost, RespError) as problem:
                failures.append(index)
                print(f"FAILED {what} (--of {kind} --from {index}): {problem}", flush=True)
            except KeyboardInterrupt:
                break
            done += 1
            index += step
    return {"kind": kind, "cases": len(every), "calls": counts, "done": done, "next": index if index < len(every) else 0,
            "outcomes": outcomes, "failures": failures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=("memory", "disk"), default="memory")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--limit", type=int, default=1 << 40)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = run(options.of, options.first, options.step, options.seconds, options.limit)
    print(json.dumps(found))
    return 1 if found["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
