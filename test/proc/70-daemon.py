"""skeind as its operator meets it: founding, refusing, starting, stopping, exit codes; and the client port's manners."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import SKEIND, ConnectionLost, Resp, RespError, check, figure, run, wait_for

CONFIG, BUSY, USAGE, UNAVAILABLE, PERMISSION = 78, 75, 2, 69, 77


class Daemon:
    """One skeind on free ports, with its log."""

    def __init__(self, *words, env=None):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([SKEIND, "--port", "0", "--peer-port", "0", *words], stdin=subprocess.DEVNULL, stderr=self.log,
                                        env={**os.environ, **(env or {})})
        self.port = int(wait_for("its address in the log", lambda: self.find(r"clients=127\.0\.0\.1:(\d+)"), 10).group(1))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.text())
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.log.close()

    def text(self):
        """Read beside the node's own offset: a seek here would move where it writes."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def find(self, pattern):
        check(self.process.poll() is None or re.search(pattern, self.text()), f"skeind ended with {self.process.poll()}: {self.text()}")
        return re.search(pattern, self.text())

    def wait_log(self, pattern, limit_s=10):
        return wait_for(f"{pattern} in the log", lambda: self.find(pattern), limit_s)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(10)


def skeind(*words, env=None):
    done = subprocess.run([SKEIND, *words], capture_output=True, text=True, timeout=10, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def expect(status, text, *words, env=None):
    code, said = skeind(*words, env=env)
    check(code == status, f"{words}: exit {code} instead of {status}: {said}")
    check(text in said, f"{words}: no {text!r} in {said!r}")
    check(status == 0 or said.count("skeind: ") == 1, f"{words}: not one plain line: {said!r}")
    return said


def start_matrix(folder):
    """Security list 1: nothing but loopback without a plain word."""
    for key in ("--bind", "--peer-bind"):
        for address in ("0.0.0.0", "::", "192.0.2.1"):
            expect(CONFIG, "no TLS and no password", key, address, "--dir", os.path.join(folder, "open"))
    check(not os.path.exists(os.path.join(folder, "open")), "a refused start makes no directory")
    expect(CONFIG, "no TLS", "--dir", folder, env={"SKEIN_BIND": "0.0.0.0"})
    expect(USAGE, "did you mean 'port'", "--prot", "1")
    expect(UNAVAILABLE, "cannot listen", "--dir", os.path.join(folder, "taken"), "--port", str(taken_port()))
    expect(CONFIG, "is not a directory", "--dir", "/dev/null")
    expect(CONFIG, "make the directory above", "--dir", os.path.join(folder, "a", "b"))
    shared = os.path.join(folder, "shared")
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    expect(PERMISSION, "others may write", "--dir", shared)


taken = socket.socket()


def taken_port():
    if taken.getsockname()[1] == 0:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
    return taken.getsockname()[1]


def alone(folder):
    directory = os.path.join(folder, "alone")
    with Daemon("--dir", directory) as daemon:
        daemon.wait_log("msg=\"ready\"")
        with Resp(daemon.port) as client:
            check(client.call("SET", "k", "v") == "OK", "a cluster of one serves")
        with open(os.path.join(directory, "pid")) as file:
            check(int(file.read()) == daemon.process.pid, "the pid file")
        for name in ("identity", "boot", "pid", "lock"):
            mode = os.stat(os.path.join(directory, name)).st_mode & 0o777
            check(mode == 0o600, f"{name} has mode {mode:o}")
        check(os.stat(directory).st_mode & 0o777 == 0o700, "the directory is private")
        # D24: a second process on the same directory.
        expect(BUSY, "in use", "--dir", directory, "--port", "0")
        check(daemon.stop() == 0, "SIGTERM ends it with 0")
        check("msg=\"stopped\" clean=yes" in daemon.text(), "a clean stop")
    check(not os.path.exists(os.path.join(directory, "pid")), "the pid file goes with it")
    # D24: a stale pid file, and a lock file left by a dead process, keep nobody out.
    with open(os.path.join(directory, "pid"), "w") as file:
        file.write("1\n")
    with Daemon("--dir", directory) as daemon:
        with Resp(daemon.port) as client:
            check(wait_for("the key is back", lambda: call_or_none(client, "GET", "k")) == b"v", "the key is back")
        check(daemon.stop(signal.SIGINT) == 0, "SIGINT ends it with 0")
    expect(CONFIG, "belongs to node 1", "--dir", directory, "--node", "2")
    expect(CONFIG, "not a founder", "--dir", directory, "--peers", "1@127.0.0.1:1,2@127.0.0.1:2")
    expect(CONFIG, "belongs to cluster", "--dir", directory, "--cluster-id", "0" * 32)
    os.remove(os.path.join(directory, "identity"))
    expect(CONFIG, "its identity file is gone", "--dir", directory, "--port", "0")


def call_or_none(client, *words):
    try:
        return client.call(*words)
    except RespError:
        return None


def stop_while_starting(folder):
    """A stop that comes at any moment of the start is heard."""
    directory = os.path.join(folder, "early")
    for delay_ms in range(0, 24, 3):
        process = subprocess.Popen([SKEIND, "--dir", directory, "--port", "0"], stderr=subprocess.PIPE, text=True)
        time.sleep(delay_ms / 1000)
        process.terminate()
        said = process.communicate(timeout=10)[1]
        check(process.returncode in (0, -signal.SIGTERM), f"after {delay_ms} ms: {process.returncode} {said}")


def founders(folder):
    directory = os.path.join(folder, "one-of-three")
    peers = "1@127.0.0.1:1,2@127.0.0.1:2,3@127.0.0.1:3"
    # No identity: it runs, refuses every command in step, and says why.
    with Daemon("--dir", directory, "--node", "2", "--peers", peers) as daemon:
        daemon.wait_log("no identity")
        with Resp(daemon.port) as client:
            replies = client.pipeline([("GET", "a"), ("SET", "a", "x" * 60000), ("PING",)])
            check(all(isinstance(reply, RespError) for reply in replies), f"refused: {replies}")
            check(all(str(reply).startswith("CLUSTERDOWN this node has no identity in") for reply in replies), f"refused: {replies}")
            client.send(b"*1\r\n$x\r\n")
            check("Protocol error" in str(client.read()), "a framing error is named")
            try:
                client.read()
                check(False, "and ends the connection")
            except ConnectionLost:
                pass
        check(daemon.stop() == 0, "it stops")
    check(os.listdir(directory) == ["lock"], f"nothing was written: {os.listdir(directory)}")
    init = ["init", "--dir", directory, "--node", "2", "--peers", peers]
    expect(USAGE, "--cluster-name is missing", *init)
    said = expect(0, "node 2 of 3", *init, "--cluster-name", "site")
    cluster = re.search("cluster ([0-9a-f]{32})", said).group(1)
    expect(1, f"already belongs to node 2 of cluster {cluster}", *init, "--cluster-name", "other")
    other = os.path.join(folder, "another-of-three")
    said = expect(0, "node 3 of 3", "init", "--dir", other, "--node", "3", "--peers", peers, "--cluster-name", "site")
    check(cluster in said, "founders derive the same cluster")
    with Daemon("--dir", directory) as daemon:
        daemon.wait_log("founders=3")
        started = time.monotonic()
        with Resp(daemon.port) as client:
            try:
                client.call("SET", "k", "v")
                check(False, "one of three cannot write")
            except RespError as refusal:
                check(str(refusal).startswith("CLUSTERDOWN"), f"refused: {refusal}")
        check(time.monotonic() - started < 3, "within request-timeout")
        check(daemon.stop() == 0, "it stops without its peers")


def manners(folder):
    """Clients that do not read, that end their side, that ask for much."""
    with Daemon("--dir", os.path.join(folder, "manners"), "--client-output-max", "4mb") as daemon:
        daemon.wait_log("msg=\"ready\"")
        with Resp(daemon.port) as client:
            check(client.call("SET", "big", "b" * 3000000) == "OK", "a big value")
            for _ in range(3):
                check(len(client.call("GET", "big")) == 3000000, "and back")
        # Half-closed: everything asked before the end is answered.
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as link:
            link.sendall(b"PING\r\n" + b"".join(b"SET h%d 1\r\n" % i for i in range(100)))
            link.shutdown(socket.SHUT_WR)
            got = b""
            while piece := link.recv(65536):
                got += piece
            check(got == b"+PONG\r\n" + b"+OK\r\n" * 100, f"after the end: {got[-60:]!r}")
        # One that does not read is held back or closed; the node does not grow with it, nor do others wait.
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=0.3) as rude:
            try:
                for _ in range(50):
                    rude.sendall(b"GET big\r\n" * 100)
            except OSError:
                pass
            with Resp(daemon.port, 20) as polite:
                started = time.monotonic()
                limit_s = 10 if "debug" in SKEIND else 1
                check(polite.call("PING") == "PONG" and time.monotonic() - started < limit_s, "others are served")
            with open(f"/proc/{daemon.process.pid}/status") as file:
                kib = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
            figure("memory with a client that asks for 15 GB and does not read:", f"{kib / 1024:.1f} MiB")
            # A sanitizer's own books are no part of the bound.
            check(kib < 64 * 1024 or "debug" in SKEIND, f"it grew to {kib} KiB")
        # A pipeline much longer than every buffer, written and read at the same time.
        with Resp(daemon.port, 20) as client:
            count = 200000
            thread = threading.Thread(target=lambda: client.send(b"INCR n\r\n" * count))
            thread.start()
            for i in range(count):
                reply = client.read()
                check(reply == i + 1, f"reply {i} is {reply}")
            thread.join()
        # QUIT is answered, then the connection ends, though more was sent.
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as link:
            link.sendall(b"QUIT\r\n" + b"PING\r\n" * 10000)
            got = b""
            try:
                while piece := link.recv(65536):
                    got += piece
            except OSError:
                pass
            check(got == b"+OK\r\n", f"QUIT: {got[:60]!r}")
        check(daemon.stop() == 0, "it stops")


def too_many(folder):
    with Daemon("--dir", os.path.join(folder, "many"), "--clients-max", "50") as daemon:
        links = [Resp(daemon.port) for _ in range(50)]
        check(all(link.call("PING") == "PONG" for link in links), "fifty are served")
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as link:
            check(link.recv(100) == b"-ERR max number of clients reached\r\n", "the next is told why not")
        for link in links:
            link.close()

        wait_for("room again", lambda: served(daemon.port))


def served(port):
    try:
        with Resp(port) as client:
            return client.call("PING") == "PONG"
    except (ConnectionLost, RespError):
        return False


def few_descriptors(folder):
    """Descriptors are limited: it says so, takes fewer clients, and serves again when they have gone."""
    command = f"ulimit -n 200; exec {SKEIND} --dir {os.path.join(folder, 'few')} --port 0"
    log = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(["sh", "-c", command], stderr=log)

    def text():
        log.seek(0)
        return log.read()
    try:
        few_descriptors_of(process, text)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        log.close()


def few_descriptors_of(process, text):
    found = wait_for("its address", lambda: re.search(r"clients=127\.0\.0\.1:(\d+)", text()))
    check("fewer clients than clients-max" in text(), "it says that descriptors are limited")
    port = int(found.group(1))
    links = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(300)]
    for link in links:
        link.close()
    wait_for("it serves again", lambda: served(port))
    process.terminate()
    check(process.wait(10) == 0, "it stops")


def main():
    folder = tempfile.mkdtemp(prefix="skein-test.")
    for part in (start_matrix, alone, stop_while_starting, founders, manners, too_many, few_descriptors):
        started = time.monotonic()
        part(folder)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s")
    shutil.rmtree(folder)


run(main)
