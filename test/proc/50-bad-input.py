"""Bytes that nobody should send, at both ports, and files that nobody should have: each is refused and the node goes on.

The cases carry the ids of the checklist they come from (E01 ...)."""
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from harness import check, ConnectionLost, figure, memory_kib, Playground, Resp, RespError, run, SKEIND, wait_for


def exchange(port, data, limit_s=5.0, pieces=None):
    """Sends; returns (what came back, whether the other side closed)."""
    with socket.create_connection(("127.0.0.1", port), timeout=limit_s) as link:
        try:
            for piece in pieces or [data]:
                link.sendall(piece)
        except OSError:
            pass  # closed while we were still talking: fine
        got = b""
        link.settimeout(limit_s)
        while True:
            try:
                data = link.recv(65536)
            except socket.timeout:
                return got, False
            except OSError:
                return got, True
            if not data:
                return got, True
            got += data


def client_port(ground):
    port = ground.port(1)
    before = memory_kib(ground.pid(1))
    # (id, bytes, beginning of the answer); all end the connection.
    cases = [
        ("E01 negative bulk length", b"*1\r\n$-2\r\n", b"-ERR Protocol error: invalid bulk length"),
        ("E01 huge bulk length", b"*1\r\n$9223372036854775807\r\n", b"-ERR Protocol error: invalid bulk length"),
        ("E01 overflowing bulk length", b"*1\r\n$99999999999999999999\r\n", b"-ERR Protocol error: invalid bulk length"),
        ("E01 huge count", b"*1000000000\r\n", b"-ERR Protocol error: invalid multibulk length"),
        ("E01 no number", b"*x\r\n", b"-ERR Protocol error: invalid multibulk length"),
        ("E02 null bulk as argument", b"*2\r\n$3\r\nGET\r\n$-1\r\n", b"-ERR Protocol error: invalid bulk length"),
        ("E02 array as argument", b"*2\r\n$3\r\nGET\r\n*1\r\n", b"-ERR Protocol error: expected '$', got '*'"),
        ("E03 nesting", b"*1\r\n" * 2000, b"-ERR Protocol error: expected '$', got '*'"),
        ("E05 inline without end", b"a" * 70000, b"-ERR Protocol error: too big inline request"),
        ("E05 unbalanced quotes", b'SET k "abc\r\n', b"-ERR Protocol error: unbalanced quotes in request"),
        ("E05 count without end", b"*" + b"1" * 70000, b"-ERR Protocol error: "),
        ("E07 HTTP POST", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
        ("E07 HTTP Host", b"Host: a\r\n", b""),
    ]
    for name, data, beginning in cases:
        got, closed = exchange(port, data)
        check(closed, f"{name}: the connection stays open; got {got[:80]!r}")
        check(got.startswith(beginning), f"{name}: {got[:100]!r}")
        check(got.count(b"\n") <= 1, f"{name}: more than one answer: {got[:200]!r}")
    # E06: after the length the right number of bytes must be followed by CR LF; nothing behind it may run.
    got, closed = exchange(port, b"*2\r\n$3\r\nGETxx$1\r\nk\r\n*1\r\n$8\r\nFLUSHALL\r\n", 2.0)
    check(closed or b"+OK" not in got, f"E06: {got!r}")
    # E04: the same request cut at every byte.
    request = Resp.encode("SET", "cut", "a\r\nb") + Resp.encode("GET", "cut") + b"PING\r\n"
    for cut in range(1, len(request)):
        with Resp(port) as client:
            client.send(request[:cut])
            client.send(request[cut:])
            check([client.read() for _ in range(3)] == ["OK", b"a\r\nb", "PONG"], f"E04: cut at {cut}")
    # E08: answers that nobody reads are bounded: this client is closed or throttled, the others do not notice.
    with Resp(port) as rude:
        rude.socket.settimeout(1.0)
        try:
            for _ in range(200):
                rude.send(b"NOSUCH\r\n" * 1000)
        except ConnectionLost:
            pass
        with Resp(port) as polite:
            check(polite.call("PING") == "PONG", "E08: another client is served")
    # Random bytes, many connections.
    rng = random.Random(7)
    for _ in range(200):
        data = bytes(rng.choice(b"*$:+-\r\n0123456789 GETSaz\x00\xff") for _ in range(rng.randrange(1, 300)))
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(data)
    with Resp(port) as client:
        check(client.call("PING") == "PONG", "the node goes on")
        long_key = "k" * 100000
        check(client.call("SET", long_key, "v") == "OK" and client.call("GET", long_key) == b"v", "a long key")
    after = memory_kib(ground.pid(1))
    figure("memory after bad input:", f"{after / 1024:.1f} MiB (before {before / 1024:.1f})")
    check(after < before + 64 * 1024, "bad input has made the node grow")


def peer_port(ground):
    """The port for the other nodes: a frame is size u32, crc u32, head u32, kind, flags, space, payload; the first is a hello."""
    port = ground.peer_port(1)
    rng = random.Random(11)
    hello_like = struct.pack("<III", 60, 0, 0) + b"\x01\x00\x00" + b"SKEIN\0LK" + bytes(rng.randrange(256) for _ in range(49))
    cases = [b"\x00" * 64, b"\xff" * 64, struct.pack("<II", 0xFFFFFFFF, 0) + b"x" * 100, struct.pack("<II", 0, 0) + b"x" * 40,
             hello_like, hello_like[:20], b"PING\r\n" * 10, b"GET / HTTP/1.1\r\n\r\n"]
    cases += [bytes(rng.randrange(256) for _ in range(rng.randrange(1, 2000))) for _ in range(100)]
    unclosed = 0
    for data in cases:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            try:
                link.sendall(data)
            except OSError:
                pass
    for data in cases[:3]:
        got, closed = exchange(port, data, 15.0)
        unclosed += not closed
    check(unclosed == 0, f"{unclosed} connections with nonsense stay open")
    # Somebody who connects and says nothing must not keep others out.
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(50)]
    for number in ground.numbers:
        check(ground.serves(number), "the nodes go on")
    for link in silent:
        link.close()
    status = ground.wait_even()
    check(all(peer["linked"] for node in status["nodes"] for peer in node["peers"]), "all links are up")


def run_skeind(*words, env=None, limit_s=10):
    done = subprocess.run([SKEIND, *words], capture_output=True, text=True, timeout=limit_s, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def configuration():
    folder = tempfile.mkdtemp(prefix="skein-test.")
    path = os.path.join(folder, "skein.conf")
    bad = ["port = x\n", "port = 70000\n", "no-such-key = 1\n", "port\n", "election-min = 5 parsecs\n", "log-segment-size = -1\n",
           "\x00\x01\x02\n", "port = 1\nport = \n" + "a" * 100000]
    for text in bad:
        with open(path, "w") as file:
            file.write(text)
        code, said = run_skeind("--config", path, "--dir", os.path.join(folder, "d"))
        check(code == 78, f"configuration {text[:40]!r}: exit {code}, {said[:300]}")
        check(0 < len(said) < 2000, f"configuration {text[:40]!r}: says {said[:300]!r}")
    code, said = run_skeind("--config", os.path.join(folder, "missing.conf"))
    check(code != 0 and said, "a missing configuration file")
    check(run_skeind("--no-such-flag")[0] in (2, 64, 78), "an unknown flag")
    check(run_skeind("--port")[0] in (2, 64, 78), "a flag without value")
    check(run_skeind("--help")[0] == 0 and run_skeind("--version")[0] == 0, "help and version")
    shutil.rmtree(folder)


def damage(path, offset, size):
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        end = file.tell()
        file.seek(min(offset, max(0, end - size)))
        file.write(os.urandom(size))


def damaged_files():
    """One node's files are damaged while it is down: it starts or says plainly why not, and nothing acknowledged is lost."""
    with Playground() as ground:
        with ground.client(1) as client:
            check(client.pipeline([("SET", f"d:{i}", f"v{i}") for i in range(2000)])[-1] == "OK", "load")
        ground.wait_even()
        leader = ground.leader()
        victim = next(number for number in ground.numbers if number != leader)
        ground.act("stop", victim)
        node = os.path.join(ground.directory, f"node-{victim}")
        segments = sorted(os.listdir(os.path.join(node, "wal")))
        damage(os.path.join(node, "wal", segments[-1]), 20000, 64)
        ground.act("start", victim)
        ground.wait_all_serve()
        ground.wait_even()
        for number in ground.numbers:
            with ground.client(number) as client:
                replies = client.pipeline([("GET", f"d:{i}") for i in range(2000)])
                wrong = [i for i, reply in enumerate(replies) if reply != f"v{i}".encode()]
                check(not wrong, f"node {number} after damage: {len(wrong)} keys wrong, first {wrong[:3]}")
        # A boot file that is nonsense must not keep the node from starting.
        ground.act("stop", victim)
        damage(os.path.join(node, "boot"), 0, 16)
        ground.act("start", victim)
        ground.wait_all_serve()


def damaged_identity():
    folder = tempfile.mkdtemp(prefix="skein-test.")
    node = os.path.join(folder, "node-1")
    code, said = run_skeind("init", "--dir", node, "--node", "1", "--peers", "1@127.0.0.1:1", "--cluster-id", "0" * 31 + "1")
    check(code == 0, f"init: {said}")
    code, said = run_skeind("init", "--dir", node, "--node", "1", "--peers", "1@127.0.0.1:1", "--cluster-id", "0" * 31 + "2")
    check(code != 0 and said, "founding twice is refused")
    damage(os.path.join(node, "identity"), 8, 16)
    process = subprocess.Popen([SKEIND, "--dir", node, "--node", "1", "--port", "0", "--peer-port", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    # It may end with a plain word or run and serve nothing; it must not abort.
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.terminate()
    said = process.communicate(timeout=20)[0]
    check(process.returncode >= 0 and process.returncode != 134, f"a damaged identity: {process.returncode} {said}")
    check("identity" in said.lower() or "damaged" in said.lower(), f"a damaged identity is not named: {said}")
    shutil.rmtree(folder)


def main():
    configuration()
    damaged_identity()
    with Playground() as ground:
        client_port(ground)
        peer_port(ground)
        check(ground.process.poll() is None, "the playground runs")
    damaged_files()


run(main)
