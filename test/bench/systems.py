"""The systems that script/bench compares, each as three nodes on loopback with free ports: start, who leads, how one write is made,
what its servers are. The settings are those that each system's own documentation recommends where an acknowledged write must be on disk.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import base64

from harness import ConnectionLost, Failure, Playground, Resp, RespError, can_bind, wait_for
from measure import end, load, start

NODES = 3
PORTS_A_NODE = 3


def version_of(command, pattern):
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"


def free_ports(count):
    """Ports below those that the kernel hands out by itself."""
    found = []
    at = 20000 + os.getpid() * 7 % 9000
    while len(found) < count:
        at = at + 1 if at < 31000 else 12000
        if can_bind(at):
            found.append(at)
    return found


class System:
    """Three nodes, numbered from 0. `ports` are those for clients."""
    name = wire = None
    package = None         # Debian's
    program = None
    acknowledgement = ""   # what a write's acknowledgement means
    settings = ""
    write_flags = {}       # of the load generator
    variants = ()          # other ways to drive it with 256 requests or more under way: (label, connections, pipeline)
    reads = "linearizable"

    def __init__(self, directory):
        self.directory = directory
        self.processes = []
        self.ports = []

    @classmethod
    def missing(cls):
        """The Debian package to install, or None."""
        return None if shutil.which(cls.program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin") else cls.package

    def __enter__(self):
        os.makedirs(self.directory)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if not kind:
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        end(self.processes)

    def log(self, number):
        return os.path.join(self.directory, f"node-{number}.log")

    def node_directory(self, number):
        path = os.path.join(self.directory, f"node-{number}")
        os.makedirs(path, exist_ok=True)
        return path

    def pid(self, number):
        return self.processes[number].pid

    def pids(self):
        return [self.pid(number) for number in range(NODES)]

    def address(self, number):
        return f"127.0.0.1:{self.ports[number]}"

    def load(self, write=True, **flags):
        """Writes, or reads, through the leader: for every system the shortest way."""
        if write:
            flags.update(self.write_flags)
        else:
            flags["ratio"] = "0:1"
        return load([self.address(self.leader())], self.pids(), self.wire, **flags)

    def before_failover(self):
        """Whatever watches over the servers and is not needed otherwise."""

    def start(self):
        raise NotImplementedError

    def leader(self):
        """The number of the node that leads now; waits for one."""
        raise NotImplementedError

    def attempt(self, number, timeout_s):
        """One write through this node: True if it was acknowledged within the time."""
        raise NotImplementedError


class Skein(System):
    name, wire = "Skein", "resp"
    acknowledgement = "fdatasync at a majority of the nodes"
    settings = "defaults"
    words = ()

    @classmethod
    def missing(cls):
        return None

    def start(self):
        self.ground = Playground(nodes=NODES, interval=0, directory=os.path.join(self.directory, "nodes"), settings=self.words)
        self.ports = self.ground.ports
        self.ground.wait_all_serve()

    def stop(self):
        if hasattr(self, "ground"):
            for number in range(NODES):
                try:
                    os.kill(self.pid(number), signal.SIGCONT)
                except OSError:
                    pass
            self.ground.close()

    def pid(self, number):
        return self.ground.pid(number + 1)

    def leader(self):
        return self.ground.leader() - 1

    def attempt(self, number, timeout_s):
        return resp_attempt(self.ports[number], timeout_s)

    @classmethod
    def version(cls):
        from harness import SKEIN
        return version_of([SKEIN, "--version"], r"skein (\S+)")


def resp_attempt(port, timeout_s, *behind):
    try:
        with Resp(port, timeout_s) as client:
            client.call("SET", "failover", "x")
            return not behind or client.call(*behind) >= 1
    except (ConnectionLost, RespError):
        return False


class Redis(System):
    name, wire = "Redis", "resp"
    package = program = "redis-server"
    acknowledgement = ("the primary has fsynced and one replica has the write (WAIT 1 behind every write); a failover may still lose it: "
                       "Sentinel does not ask who was acknowledged")
    settings = "appendonly yes, appendfsync always, save '', WAIT 1 0 behind every SET or burst of 16; failover by three Sentinels, down-after 1 s"
    write_flags = {"wait": 1}
    reads = "plain GET, not linearizable"

    def start(self):
        self.ports = free_ports(2 * NODES)
        self.sentinel_ports = self.ports[NODES:]
        self.ports = self.ports[:NODES]
        for number in range(NODES):
            command = ["redis-server", "--port", self.ports[number], "--bind", "127.0.0.1", "--dir", self.node_directory(number), "--save", "",
                       "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0", "--maxclients", "12000"]
            if number:
                command += ["--replicaof", "127.0.0.1", self.ports[0]]
            self.processes.append(start([str(word) for word in command], self.log(number)))
        wait_for("both replicas are in step", self._in_step, 30)

    def _in_step(self):
        try:
            with Resp(self.ports[0]) as client:
                text = client.call("INFO", "replication").decode()
        except (ConnectionLost, RespError):
            return False
        return len(re.findall(r"slave\d:.*state=online", text)) == NODES - 1

    def leader(self):
        def found():
            for number in range(NODES):
                try:
                    with Resp(self.ports[number], 0.5) as client:
                        if b"role:master" in client.call("INFO", "replication"):
                            return [number]
                except (ConnectionLost, RespError):
                    pass
            return None
        return wait_for("a primary", found, 30)[0]

    def before_failover(self):
        for number in range(NODES):
            path = os.path.join(self.directory, f"sentinel-{number}.conf")
            with open(path, "w") as file:
                file.write(f"port {self.sentinel_ports[number]}\nbind 127.0.0.1\ndir {self.directory}\n"
                           f"sentinel monitor m 127.0.0.1 {self.ports[0]} 2\nsentinel down-after-milliseconds m 1000\n"
                           "sentinel failover-timeout m 5000\nsentinel parallel-syncs m 2\n")
            self.processes.append(start(["redis-server", path, "--sentinel"], os.path.join(self.directory, f"sentinel-{number}.log")))

        def met():
            try:
                for port in self.sentinel_ports:
                    with Resp(port, 1.0) as client:
                        words = client.call("SENTINEL", "MASTER", "m")
                        facts = dict(zip(words[::2], words[1::2]))
                        if int(facts[b"num-other-sentinels"]) != NODES - 1 or int(facts[b"num-slaves"]) != NODES - 1:
                            return False
            except (ConnectionLost, RespError, KeyError):
                return False
            return True
        wait_for("the Sentinels have met", met, 30)

    def attempt(self, number, timeout_s):
        return resp_attempt(self.ports[number], timeout_s, "WAIT", 1, int(timeout_s * 1000))

    @classmethod
    def version(cls):
        return version_of(["redis-server", "--version"], r"v=(\S+)")


class Etcd(System):
    name, wire = "etcd", "etcd"
    package, program = "etcd-server", "etcd"
    acknowledgement = "fdatasync at a majority"
    settings = "defaults (heartbeat 100 ms, election 1 s), quota 8 GB; gRPC"
    variants = (("16 connections × 16 calls", 16, 16), ("64 connections × 16 calls", 64, 16))

    def start(self):
        ports = free_ports(2 * NODES)
        self.ports, peers = ports[:NODES], ports[NODES:]
        cluster = ",".join(f"n{number}=http://127.0.0.1:{peers[number]}" for number in range(NODES))
        for number in range(NODES):
            client, peer = f"http://127.0.0.1:{self.ports[number]}", f"http://127.0.0.1:{peers[number]}"
            self.processes.append(start(
                ["etcd", "--name", f"n{number}", "--data-dir", self.node_directory(number), "--listen-client-urls", client,
                 "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", cluster, "--initial-cluster-state", "new", "--quota-backend-bytes", str(8 << 30),
                 "--logger", "zap", "--log-level", "error"], self.log(number), {"ETCD_UNSUPPORTED_ARCH": os.uname().machine}))
        self.leader()

    def _post(self, number, path, body, timeout_s):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=timeout_s)
        try:
            connection.request("POST", path, json.dumps(body))
            reply = connection.getresponse()
            return json.loads(reply.read()) if reply.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def leader(self):
        def found():
            for number in range(NODES):
                status = self._post(number, "/v3/maintenance/status", {}, 1.0)
                if status and status.get("leader", "0") != "0" and status["leader"] == status["header"]["member_id"]:
                    return [number]
            return None
        return wait_for("an etcd leader", found, 30)[0]

    def attempt(self, number, timeout_s):
        word = base64.b64encode(b"failover").decode()
        return self._post(number, "/v3/kv/put", {"key": word, "value": word}, timeout_s) is not None

    @classmethod
    def version(cls):
        return version_of(["etcd", "--version"], r"etcd Version: (\S+)")


class ZooKeeper(System):
    name, wire = "ZooKeeper", "zookeeper"
    package, program = "zookeeper", "java"
    acknowledgement = "fsync at a majority"
    settings = "tickTime 2000, initLimit 10, syncLimit 5, forceSync yes (default), log and snapshots in one directory, 1 GB of heap"
    reads = "from one node, not linearizable"
    jar = "/usr/share/java/zookeeper.jar"

    @classmethod
    def missing(cls):
        return None if shutil.which("java") and os.path.exists(cls.jar) else "zookeeper"

    def start(self):
        ports = free_ports(3 * NODES)
        self.ports = ports[:NODES]
        servers = "".join(f"server.{number + 1}=127.0.0.1:{ports[NODES + number]}:{ports[2 * NODES + number]}\n" for number in range(NODES))
        for number in range(NODES):
            home = self.node_directory(number)
            with open(os.path.join(home, "myid"), "w") as file:
                file.write(f"{number + 1}\n")
            config = os.path.join(self.directory, f"zoo-{number}.cfg")
            with open(config, "w") as file:
                file.write(f"tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={home}\nclientPort={self.ports[number]}\n"
                           f"clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{servers}")
            self.processes.append(start(
                ["java", "-Xmx1g", "-cp", f"{self.jar}:/usr/share/java/slf4j-simple.jar", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                 "org.apache.zookeeper.server.quorum.QuorumPeerMain", config], self.log(number)))
        wait_for("all three serve", lambda: all(self._mode(number) for number in range(NODES)), 60)

    def _mode(self, number):
        """leader, follower, or None."""
        try:
            with socket.create_connection(("127.0.0.1", self.ports[number]), 1.0) as connection:
                connection.sendall(b"srvr")
                text = b""
                while True:
                    more = connection.recv(4096)
                    if not more:
                        break
                    text += more
        except OSError:
            return None
        found = re.search(rb"Mode: (\w+)", text)
        return found.group(1).decode() if found else None

    def leader(self):
        def found():
            return [number for number in range(NODES) if self._mode(number) == "leader"]
        return wait_for("a ZooKeeper leader", found, 60)[0]

    def attempt(self, number, timeout_s):
        """A session of its own, then one create of a new znode each time (sequential), as a client that comes anew does."""
        try:
            with socket.create_connection(("127.0.0.1", self.ports[number]), timeout_s) as connection:
                connection.sendall(struct.pack(">iiqiqi16sb", 45, 0, 0, 30000, 0, 16, b"", 0))
                self._frame(connection)
                path = b"/failover-"
                body = struct.pack(">iii", 1, 1, len(path)) + path + struct.pack(">i1s", 1, b"x")
                body += struct.pack(">iii5si6si", 1, 31, 5, b"world", 6, b"anyone", 2)
                connection.sendall(struct.pack(">i", len(body)) + body)
                return struct.unpack(">iqi", self._frame(connection)[:16])[2] == 0
        except (OSError, struct.error):
            return False

    @staticmethod
    def _frame(connection):
        def take(size):
            data = b""
            while len(data) < size:
                more = connection.recv(size - len(data))
                if not more:
                    raise OSError("closed")
                data += more
            return data
        return take(struct.unpack(">i", take(4))[0])

    @classmethod
    def version(cls):
        return version_of(["dpkg-query", "-W", "-f", "${Version}", "zookeeper"], r"^([0-9.]+)")


class NatsConnection:
    """As much of NATS' protocol as one request needs."""

    def __init__(self, port, timeout_s):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}\r\nSUB _INBOX.r 1\r\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def request(self, subject, body):
        self.socket.sendall(b"PUB %s _INBOX.r %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while True:
            line = self.file.readline()
            if not line:
                raise OSError("closed")
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            if line.startswith((b"MSG", b"HMSG")):
                return self.file.read(int(line.split()[-1]) + 2)[:-2]


class Nats(System):
    name, wire = "NATS JetStream", "nats"
    package = program = "nats-server"
    acknowledgement = "a majority has it in memory or in the page cache: **before** fsync (every 2 minutes)"
    settings = "stream of 3 replicas in files, oldest discarded beyond 1 GB, direct gets allowed"
    reads = "direct get, not linearizable"

    def start(self):
        ports = free_ports(2 * NODES)
        self.ports, routes = ports[:NODES], ports[NODES:]
        for number in range(NODES):
            config = os.path.join(self.directory, f"nats-{number}.conf")
            with open(config, "w") as file:
                file.write(f'server_name: n{number}\nlisten: "127.0.0.1:{self.ports[number]}"\n'
                           f'jetstream {{ store_dir: "{self.node_directory(number)}", max_mem: 256MB, max_file: 8GB }}\n'
                           f'cluster {{ name: c, listen: "127.0.0.1:{routes[number]}", routes: ['
                           + ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes) + "] }\n")
            self.processes.append(start([shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin"), "-c", config], self.log(number)))
        wait_for("the stream is made", self._make_stream, 60, 0.2)
        self.leader()

    def _request(self, number, subject, body=b"", timeout_s=2.0):
        try:
            with NatsConnection(self.ports[number], timeout_s) as connection:
                return json.loads(connection.request(subject, body))
        except (OSError, ValueError):
            return None

    def _make_stream(self):
        reply = self._request(0, "$JS.API.STREAM.CREATE.KV", json.dumps({
            "name": "KV", "subjects": ["kv.>"], "retention": "limits", "storage": "file", "num_replicas": NODES, "discard": "old",
            "max_bytes": 1 << 30, "max_msgs": -1, "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "max_consumers": -1,
            "duplicate_window": 1000000000, "allow_direct": True}).encode(), 5.0)
        return reply and "error" not in reply

    def leader(self):
        def found():
            for number in range(NODES):
                reply = self._request(number, "$JS.API.STREAM.INFO.KV", timeout_s=1.0)
                name = reply and reply.get("cluster", {}).get("leader")
                if name:
                    return [int(name[1:])]
            return None
        return wait_for("a leader of the stream", found, 30)[0]

    def attempt(self, number, timeout_s):
        reply = self._request(number, "kv.failover", b"x", timeout_s)
        return bool(reply) and "seq" in reply

    @classmethod
    def version(cls):
        return version_of([shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin"), "--version"], r" v?(\d\S*)")


PEERS = (Redis, Etcd, ZooKeeper, Nats)


def time_failover(system, how):
    """Seconds from the signal to the leader until the first write that any other node acknowledges. Each survivor is tried again and
    again by a thread of its own, half a second an attempt."""
    import threading
    leader = system.leader()
    pid = system.pid(leader)
    first = []
    done = threading.Event()

    def writer(number):
        while not done.is_set():
            if system.attempt(number, 0.5):
                first.append(time.monotonic())
                done.set()
            else:
                time.sleep(0.001)

    began = time.monotonic()
    os.kill(pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    threads = [threading.Thread(target=writer, args=(number,), daemon=True) for number in range(NODES) if number != leader]
    for thread in threads:
        thread.start()
    if not done.wait(60):
        done.set()
        raise Failure(f"{system.name}: no write was acknowledged within 60 s after the leader's {how}")
    for thread in threads:
        thread.join()
    if how != "kill":
        os.kill(pid, signal.SIGCONT)
    return min(first) - began
