#!/usr/bin/python3
"""The same requests to redis-server 7.0 and to us: the replies must be the same bytes.

    test/proc/10-differential.py [--seed N] [--count N] [--server HOST:PORT] [--only NAME]

Ours is the key space behind a pipe (build/test-unit-commands --serve), then a cluster of three (a client at any node), or with
--server one that runs already. Where Redis itself has no one answer (order of KEYS, SCAN's cursors, a TTL that ticks, the noise of its long double) replies are compared by
what they mean. What we do otherwise on purpose is in DEVIATIONS, each with its reason.
"""
import argparse
import decimal
import errno
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import harness

SERVE = os.path.join(harness.BUILD, "test-unit-commands")
BATCH = 40


class Replies:
    """Cuts a stream into whole replies, each as its raw bytes."""

    def __init__(self, read):
        self.read = read
        self.buffer = b""

    def need(self, size):
        while len(self.buffer) < size:
            more = self.read()
            if not more:
                raise EOFError(f"closed; left over: {self.buffer[:200]!r}")
            self.buffer += more

    def end_of(self, at):
        """Where the reply that begins at `at` ends."""
        while True:
            end = self.buffer.find(b"\r\n", at)
            if end >= 0:
                break
            self.need(len(self.buffer) + 1)
        kind, line, at = self.buffer[at:at + 1], self.buffer[at + 1:end], end + 2
        if kind in b"$=!":
            if int(line) < 0:
                return at
            self.need(at + int(line) + 2)
            return at + int(line) + 2
        if kind in b"*~>%":
            for _ in range(max(int(line), 0) * (2 if kind == b"%" else 1)):
                at = self.end_of(at)
        return at

    def next(self):
        end = self.end_of(0)
        reply, self.buffer = self.buffer[:end], self.buffer[end:]
        return reply


class Pipe:
    def __init__(self, resp):
        self.process = subprocess.Popen([SERVE, "--serve", str(resp)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.replies = Replies(lambda: os.read(self.process.stdout.fileno(), 1 << 16))

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def finish(self, size):
        """No more requests: everything that still comes. At least `size` bytes are on the way, or the end."""
        self.process.stdin.close()
        return self.replies.buffer + self.process.stdout.read()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait(30)
        if status:
            raise SystemExit(f"our side ended with status {status}")


class Socket:
    def __init__(self, family, address, resp):
        self.socket = socket.socket(family)
        self.socket.settimeout(30)
        self.socket.connect(address)
        self.replies = Replies(lambda: self.socket.recv(1 << 16))
        if resp == 3:
            self.send(b"HELLO 3\r\n")
            self.replies.next()

    def send(self, data):
        self.socket.sendall(data)

    def finish(self, size):
        rest = self.replies.buffer
        try:
            while len(rest) < size and (more := self.socket.recv(1 << 16)):
                rest += more
            self.socket.shutdown(socket.SHUT_WR)
            while more := self.socket.recv(1 << 16):
                rest += more
        except (ConnectionResetError, BrokenPipeError, socket.timeout):
            pass
        except OSError as problem:
            if problem.errno != errno.ENOTCONN:
                raise
        return rest

    def close(self):
        self.socket.close()


def encode(arguments):
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in arguments)


# ---- Requests ----

KEYS = [b"a", b"b", b"", b"key:1", b"key:2", b"key:10", b"k\r\n\0y", b"long" * 40]
INTEGERS = [b"0", b"1", b"-1", b"2", b"10", b"9999", b"10000", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775806",
            b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"-0", b"+1", b"01", b" 1", b"1 ", b"", b"1.0", b"1e3",
            b"abc", b"99999999999999999999999"]
FLOATS = [b"0.5", b"-0.25", b"3", b"1e2", b"-1E1", b"12.5e-1", b".5", b"5.", b"+2", b"-0", b"0", b"-0.0", b"1.1", b"0.1", b"0.2", b"nan", b"inf",
          b"-inf", b"infinity", b"", b" 1", b"1 ", b"1e", b"e1", b"1e400000", b"1e-400000", b"1.5.5", b"--1", b"4e18", b"1048576.75", b"abc"]
STRINGS = [b"", b"x", b"hello world", b"x" * 44, b"x" * 45, b"1" * 20, b"1" * 21, b"\0\xff\r\n", b"12", b"-7", b"3.5", b"z" * 3000, b"10.50"]
PATTERNS = [b"*", b"a*", b"*1*", b"key:?", b"key:[0-9]", b"key:[^2]", b"[ab]", b"\\a", b"[a-", b"k*y", b"*:*0", b"", b"?", b"[]a]", b"[\\a]", b"**",
            b"[z-a]", b"a\\", b"[^]", b"key:[1-]*"]

def case(r, name):
    return bytes(c - 32 if 97 <= c <= 122 and r.random() < 0.3 else c for c in name)


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def key(self):
        return self.r.choice(KEYS)

    def integer(self):
        return self.r.choice(INTEGERS) if self.r.random() < 0.4 else b"%d" % self.r.randrange(-20, 50)

    def value(self):
        return self.r.choice(self.r.choice([INTEGERS, FLOATS, STRINGS, STRINGS]))

    def far(self):
        """Never twice the same, so that a comparison of deadlines does not hang on a millisecond."""
        return b"%d" % self.r.randrange(1000000, 99999999)

    def seconds(self):
        """So far that no test sees it pass, or so wrong that it is refused, or in the past."""
        if self.r.random() < 0.6:
            return self.far()
        return self.r.choice(
            [b"0", b"-1", b"-1000", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775", b"9223372036854776", b"9223370000000000", b"-9223372036854775",
             b"-9223372036854776", b"", b"x", b"1.5"])

    def time_option(self):
        name = self.r.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        if self.r.random() < 0.1:
            return [name]
        value = self.seconds()
        if self.r.random() < 0.6:
            value = int(self.far()) + (int(time.time()) if name.endswith(b"AT") else 0)
            value = b"%d" % (value * (1000 if name[0:1] == b"P" else 1))
        return [case(self.r, name), value]

    def set(self):
        request = [b"set", self.key(), self.value()]
        for _ in range(self.r.choice([0, 0, 0, 1, 1, 2, 3])):
            request += self.r.choice([lambda: [case(self.r, b"nx")], lambda: [case(self.r, b"xx")], lambda: [case(self.r, b"get")],
                                      lambda: [b"KEEPTTL"], self.time_option, self.time_option, lambda: [b"persist"], lambda: [b"zz"]])()
        return request

    def getex(self):
        request = [b"getex", self.key()]
        for _ in range(self.r.choice([0, 1, 1, 2])):
            request += self.r.choice([lambda: [b"PERSIST"], self.time_option, lambda: [b"keepttl"], lambda: [b"nx"]])()
        return request

    def expire(self):
        name = self.r.choice([b"expire", b"pexpire", b"expireat", b"pexpireat"])
        time_text = self.seconds()
        if self.r.random() < 0.6:
            number = int(self.far()) + (int(time.time()) if name.endswith(b"at") and self.r.random() < 0.8 else 0)
            time_text = b"%d" % (number * (1000 if name[0:1] == b"p" else 1))
        options = [self.r.choice([b"nx", b"XX", b"gt", b"lt", b"zz"]) for _ in range(self.r.choice([0, 0, 1, 1, 2]))]
        return [name, self.key(), time_text] + options

    def pairs(self):
        return [x for _ in range(self.r.randrange(1, 4)) for x in (self.key(), self.value())] + ([b"odd"] if self.r.random() < 0.1 else [])

    def keys(self):
        return [self.key() for _ in range(self.r.randrange(1, 4))]

    def copy(self):
        return [b"copy", self.key(), self.key()] + self.r.choice([[], [b"REPLACE"], [b"replace", b"replace"], [b"db"], [b"db", b"0"], [b"db", b"x"],
                                                                  [b"DB", b"0", b"replace"], [b"zz"], [b"db", b"99"], [b"db", b"-1"]])

    def scan(self):
        return [b"scan", self.r.choice([b"0", b"0", b"0", b"x", b"", b"1.5", b" 1"])] + self.r.choice(
            [[b"count", b"1000"], [b"COUNT", b"0"], [b"count", b"-5"], [b"count", b"x"], [b"count"], [b"match", self.r.choice(PATTERNS), b"count", b"1000"],
             [b"type", b"string", b"count", b"1000"], [b"type", b"hash", b"count", b"1000"], [b"zz"], [b"zz", b"1"], [b"match"],
             [b"type", b"STRING", b"count", b"500"], [b"count", b"99999999999999999999"]])

    def setrange(self):
        return [b"setrange", self.key(), self.r.choice([b"0", b"1", b"5", b"100", b"-1", b"9223372036854775807", b"x", b"20000", b"536870912"]),
                self.r.choice([b"", b"", b"xy", b"\0", b"abcdef"])]

    def look(self, key):
        """What became of the key of the request before."""
        return self.r.choice([[b"get", key], [b"object", b"encoding", key], [b"ttl", key], [b"strlen", key], [b"object", b"refcount", key]])

    def request(self):
        r, k, v, i = self.r, self.key, self.value, self.integer
        makers = [
            (12, self.set), (4, self.getex), (8, self.expire), (3, self.copy), (2, self.scan), (2, self.setrange),
            (6, lambda: [b"get", k()]), (2, lambda: [b"getdel", k()]), (2, lambda: [b"getset", k(), v()]), (2, lambda: [b"setnx", k(), v()]),
            (2, lambda: [b"setex", k(), self.seconds(), v()]), (2, lambda: [b"psetex", k(), self.seconds() + b"000", v()]),
            (3, lambda: [b"mget"] + self.keys()), (2, lambda: [b"mset"] + self.pairs()), (2, lambda: [b"msetnx"] + self.pairs()),
            (3, lambda: [b"append", k(), v()]), (2, lambda: [b"strlen", k()]),
            (3, lambda: [r.choice([b"getrange", b"substr"]), k(), i(), i()]),
            (4, lambda: [r.choice([b"incr", b"decr"]), k()]), (5, lambda: [r.choice([b"incrby", b"decrby"]), k(), i()]),
            (6, lambda: [b"incrbyfloat", k(), r.choice(FLOATS)]), (4, lambda: [r.choice([b"del", b"unlink"])] + self.keys()),
            (3, lambda: [r.choice([b"exists", b"touch"])] + self.keys()), (2, lambda: [b"type", k()]),
            (2, lambda: [b"keys", r.choice(PATTERNS)]), (1, lambda: [b"randomkey"]), (3, lambda: [b"rename", k(), k()]),
            (3, lambda: [b"renamenx", k(), k()]), (2, lambda: [b"dbsize"]),
            (4, lambda: [b"object", r.choice([b"encoding", b"refcount", b"freq", b"idletime"]), k()]),
            (1, lambda: [b"object"] + r.choice([[], [b"help"], [b"zz", b"a"], [b"encoding"], [b"ENCODING", b"a", b"b"]])),
            (1, lambda: [r.choice([b"flushall", b"flushdb"])] + r.choice([[], [b"sync"], [b"ASYNC"], [b"zz"], [b"sync", b"async"]])),
            (6, lambda: [r.choice([b"ttl", b"pttl", b"expiretime", b"pexpiretime"]), k()]), (2, lambda: [b"persist", k()]),
            (1, lambda: [r.choice([b"nosuchcommand", b"nosuch\r\ncommand", b"get|x", b""])] + self.keys()),
        ]
        request = r.choices([m for _, m in makers], [w for w, _ in makers])[0]()
        if r.random() < 0.02:
            request = request[:-1] if r.random() < 0.5 and len(request) > 1 else request + [v()]
        request[0] = case(r, request[0])
        return request


# ---- Comparing ----

def bulks(reply):
    """The bulk strings of an array (of arrays), without order."""
    out, at = [], 0
    while at < len(reply):
        end = reply.index(b"\r\n", at)
        size = int(reply[at + 1:end]) if reply[at:at + 1] == b"$" else None
        at = end + 2
        if size is not None:
            out.append(reply[at:at + size])
            at += size + 2
    return sorted(out)


def number_of(reply):
    match = re.fullmatch(rb":(-?\d+)\r\n", reply)
    return int(match.group(1)) if match else None


def close_number(ours, theirs, by):
    a, b = number_of(ours), number_of(theirs)
    return a is not None and b is not None and (a == b if min(a, b) < 0 else abs(a - b) <= by)


def same_decimal(ours, theirs):
    """The sum in decimal and the sum in a long double: equal as far as 64 bits of mantissa go."""
    try:
        a, b = (decimal.Decimal(reply.split(b"\r\n")[1].decode()) for reply in (ours, theirs))
    except (decimal.InvalidOperation, IndexError):
        return False
    return abs(a - b) <= max(abs(a), abs(b)) * decimal.Decimal(2) ** -60 + decimal.Decimal("1e-17")


def same(request, ours, theirs):
    """True, False, or "set it again": the meaning is the same, the state no longer."""
    if ours == theirs:
        return True
    name = request[0].lower()
    if name in (b"ttl", b"expiretime"):
        return close_number(ours, theirs, 1)
    if name in (b"pttl", b"pexpiretime"):
        return close_number(ours, theirs, 5000)
    if name == b"object" and len(request) > 1 and request[1].lower() == b"idletime":
        return close_number(ours, theirs, 60)
    if name in (b"keys", b"scan"):
        return ours[:1] == theirs[:1] == b"*" and bulks(ours) == bulks(theirs)
    if name == b"randomkey":
        return (ours[:2] == b"$-") == (theirs[:2] == b"$-")
    if name == b"incrbyfloat" and same_decimal(ours, theirs):
        return "again"
    return False


# What differs on purpose. (request, ours, theirs) -> reason or None.
def deviation(request, ours, theirs):
    name = request[0].lower()
    if name == b"incrbyfloat" and request[2:3] and b"x" in request[2].lower():
        return "hexadecimal floats are not numbers"
    if name == b"object" and request[1:2] and request[1].lower() == b"refcount" and theirs == b":1\r\n":
        return "a copied small integer is not shared in Redis"
    if name == b"dbsize" and number_of(ours) is not None and number_of(ours) < (number_of(theirs) or 0):
        return "Redis counts expired keys until it meets them"
    if name in (b"keys", b"scan") and [k for k in bulks(ours) if k] == [k for k in bulks(theirs) if k]:
        return "the empty key: Redis's matcher finds no pattern for it"
    return None


def compare(ours, theirs, requests, report):
    """Both get the requests; each pair of replies is judged."""
    data = b"".join(encode(r) for r in requests)
    ours.send(data)
    theirs.send(data)
    bad = 0
    for request in requests:
        a, b = ours.replies.next(), theirs.replies.next()
        verdict = same(request, a, b)
        if verdict == "again":
            for side in (ours, theirs):
                side.again = True
        if not verdict:
            reason = deviation(request, a, b)
            if reason:
                report.deviations[reason] = report.deviations.get(reason, 0) + 1
                continue
            bad += 1
            print(f"request {request!r}\n  ours   {a[:300]!r}\n  theirs {b[:300]!r}")
        elif verdict == "again":
            report.again.append(request)
    return bad


class Report:
    def __init__(self):
        self.deviations = {}
        self.again = []
        self.requests = 0


def settle(ours, theirs, keys):
    """After sums that differ in their noise: both get our value again."""
    for key in keys:
        ours.send(encode([b"get", key]))
        reply = ours.replies.next()
        if reply.startswith(b"$-") or reply.startswith(b"_"):
            request = [b"del", key]
        else:
            request = [b"set", key, reply.split(b"\r\n", 1)[1][:-2], b"keepttl"]
        for side in (ours, theirs):
            side.send(encode(request))
            side.replies.next()


def run_random(connect, seed, count, resp, report):
    ours, theirs = connect(resp)
    maker = Maker(seed)
    bad = 0
    for side in (ours, theirs):
        side.send(encode([b"flushall"]))
        side.replies.next()
    done = 0
    while done < count and bad < 5:
        # A sum that may differ in its noise ends a batch.
        requests = []
        while len(requests) < BATCH:
            requests.append(maker.request())
            if requests[-1][0].lower() == b"incrbyfloat":
                break
            if maker.r.random() < 0.2 and len(requests[-1]) > 1:
                requests.append(maker.look(requests[-1][1]))
        report.again = []
        bad += compare(ours, theirs, requests, report)
        settle(ours, theirs, [r[1] for r in report.again])
        done += len(requests)
    report.requests += done
    ours.close()
    theirs.close()
    return bad


# ---- Framing: raw bytes to a new connection, everything that comes back ----

FRAMES = [
    b"*1\r\n$4\r\nPING\r\n"[:0] + b"*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\nget\r\n$1\r\na\r\n",
    b"set a b\r\nget a\r\n", b"set a b\nget a\n", b"  set   a \t 'b c'  \r\nget a\r\n", b"\r\n\r\nexists q\r\n", b"*0\r\nexists q\r\n", b"*-1\r\nexists q\r\n",
    b"*-10\r\n*1\r\n$6\r\ndbsize\r\n", b"set a \"\\x41\\n\\t\\r\\b\\a\\\\\\\"\\q\"\r\nget a\r\n", b"set a 'it\\'s \\n'\r\nget a\r\n", b"set a \"b\"c\r\n", b"set a \"b\r\n",
    b"set a 'b\r\n", b"set a b\"c d\"\r\nget a\r\n", b"set a \"\\xzz\\x4\"\r\nget a\r\n", b"set a \"\"\r\nget a\r\n", b"set a\vb c\r\nget a\r\n",
    b"*1\r\n$-1\r\n", b"*1\r\n$-2\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$9223372036854775808\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n", b"*1\r\n$01\r\na\r\n", b"*1\r\n$+1\r\na\r\n",
    b"*x\r\n", b"*\r\n", b"*+1\r\n", b"*01\r\n", b"* 1\r\n", b"*9223372036854775808\r\n", b"*99999999999999999999\r\n", b"*1\r\n*1\r\n", b"*1\r\n:1\r\n", b"*1\r\nPING\r\n",
    b"get a\r\n*1\r\n$x\r\nget a\r\n", b"*2\r\n$3\r\nget\r\n$1\r\na\r\nget a\r\n*2\r\n$3\r\nget\r\n$1\r\na\r\n", b"a" * 65537 + b"b" * 10,
    b"*1\r\n$6\r\ndbsize\r\n*2\r\n$3\r\nget\r\n", b"get 'a' \"b\" c\r\n", b"\"get\" \"a\"\r\n", b"nosuch 'a\\x' b\r\n",
]


def run_frames(connect, report):
    bad = 0
    for data in FRAMES:
        ours, theirs = connect(2)
        for side in (ours, theirs):
            side.send(encode([b"flushall"]))
            side.replies.next()
            side.send(data)
        # Redis answers before it sees the end; a node may still have to ask another one, so its answers are waited for.
        expected = theirs.finish(0)
        answers = (ours.finish(len(expected)), expected)
        ours.close()
        theirs.close()
        report.requests += 1
        if answers[0] != answers[1]:
            bad += 1
            print(f"frame {data[:100]!r}\n  ours   {answers[0]!r}\n  theirs {answers[1]!r}")
    return bad


# ---- SCAN under change ----

def run_scan(connect, seed, report):
    """Keys that are there all along are all given, whatever comes and goes between the calls; on both sides."""
    r = random.Random(seed)
    bad = 0
    sides = connect(2)
    for side in sides:
        side.send(encode([b"flushall"]))
        side.replies.next()
        steady = [b"telemetry/gateway/0001/sensor/%06d" % i for i in range(500)]
        moving = [b"telemetry/gateway/0001/sensor/%06d/x" % r.randrange(500) for i in range(500)]
        for key in steady:
            side.send(encode([b"set", key, b"1"]))
            side.replies.next()
        cursor, seen, calls = b"0", set(), 0
        while True:
            side.send(encode([b"scan", cursor, b"count", b"7"]))
            reply = side.replies.next()
            parts = re.findall(rb"\$\d+\r\n(.*?)\r\n", reply, re.S)
            cursor = parts[0]
            seen.update(parts[1:])
            calls += 1
            if cursor == b"0" or calls > 5000:
                break
            for _ in range(r.randrange(20)):
                side.send(encode([r.choice([b"del", b"set"]), r.choice(moving)] + []) if r.random() < 0.5 else encode([b"set", r.choice(moving), b"2"]))
                side.replies.next()
        if not seen.issuperset(steady) or calls > 5000:
            bad += 1
            print(f"scan: {len(set(steady) - seen)} keys missed in {calls} calls on {side.__class__.__name__}")
        report.requests += calls
        side.close()
    return bad


# ---- Rows: arity and keys are Redis's ----

OWN_ROWS = {b"siblings"}  # Redis has no such command


def run_rows(connect, report):
    if connect.servers:
        return 0
    bad = 0
    ours = subprocess.run([SERVE, "--rows"], capture_output=True, check=True).stdout.split(b"\n")
    _, theirs = connect(2)
    for row in filter(None, ours):
        name, arity, first, last, step = row.split(b" ")
        if name in OWN_ROWS:
            continue
        theirs.send(encode([b"command", b"info", name]))
        reply = theirs.replies.next()
        match = re.match(rb"\*1\r\n\*10\r\n\$\d+\r\n(\S+)\r\n:(-?\d+)\r\n\*\d+\r\n(?:\+\S+\r\n)*:(-?\d+)\r\n:(-?\d+)\r\n:(-?\d+)\r\n", reply)
        found = match.groups() if match else None
        report.requests += 1
        if found != (name, arity, first, last, step):
            bad += 1
            print(f"row {row!r}: Redis has {found!r}")
    theirs.close()
    return bad


class Connect:
    """Pairs of connections: ours, to any of the servers (or a pipe if there are none), and theirs."""

    def __init__(self, path, servers):
        self.path = path
        self.servers = servers

    def __call__(self, resp):
        theirs = Socket(socket.AF_UNIX, self.path, resp)
        if not self.servers:
            return Pipe(resp), theirs
        return Socket(socket.AF_INET, random.choice(self.servers), resp), theirs


def start_redis(folder):
    path = os.path.join(folder, "redis.sock")
    process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder,
                                "--databases", "1"], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while True:
        try:
            probe = socket.socket(socket.AF_UNIX)
            probe.connect(path)
            probe.close()
            return process, path
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                process.kill()
                raise SystemExit("redis-server did not start")
            time.sleep(0.02)


def run_parts(connect, options, count, report):
    parts = {"rows": lambda: run_rows(connect, report), "frames": lambda: run_frames(connect, report),
             "scan": lambda: run_scan(connect, options.seed, report),
             "random": lambda: run_random(connect, options.seed, count * 2 // 3, 2, report) +
             run_random(connect, options.seed + 1000000, count // 3, 3, report)}
    bad = 0
    for name, part in parts.items():
        if options.only in (None, name):
            started = time.monotonic()
            bad += part()
            print(f"{name} {'at a cluster' if connect.servers else 'at a pipe'}: {time.monotonic() - started:.1f} s", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000000 if os.environ.get("SKEIN_LONG") == "1" else 150000)
    parser.add_argument("--server")
    parser.add_argument("--only", choices=["rows", "frames", "scan", "random"])
    options = parser.parse_args()
    if not shutil.which("redis-server"):
        print("skipped: no redis-server")
        return
    print(f"seed {options.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="skein-differential-")
    process, path = start_redis(folder)
    report = Report()
    try:
        if options.server:
            host, port = options.server.rsplit(":", 1)
            bad = run_parts(Connect(path, [(host, int(port))]), options, options.count, report)
        else:
            bad = run_parts(Connect(path, []), options, options.count, report)
            with harness.Playground(3) as playground:
                playground.wait_all_serve()
                servers = [("127.0.0.1", port) for port in playground.ports]
                bad += run_parts(Connect(path, servers), options, options.count // 15, report)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    for reason, count in sorted(report.deviations.items()):
        print(f"deviation, {count} times: {reason}")
    print(f"{report.requests} requests, {bad} differ; again with: {sys.argv[0]} --seed {options.seed}")
    harness.check(bad == 0, f"{bad} replies differ")


if __name__ == "__main__":
    harness.run(main)
