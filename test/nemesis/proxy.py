"""The network between the nodes: one process that passes their connections on, and harms them when told.

A pair of nodes has one TCP connection, which the node with the smaller number dials; the proxy listens on one port for each ordered
pair (from, to). Faults are set for a direction (from, to) of the bytes:

    held     nothing passes; it is passed on later (a partition as TCP sees it: what was sent comes after healing)
    refused  connections of the pair are closed at once, in whichever direction
    delay    seconds, with `jitter` more; the order of a connection stays
    rate     bytes a second
    chunk    so many bytes at a time
    corrupt  share of the pieces in which one bit flips

`reset` ends a pair's connections with RST; `half_open` ends the one side and leaves the other open and silent until `heal`. Loss,
duplication and reordering of single bytes do not exist above TCP; loss shows as stalls and resets, reordering as different delays
of different pairs.

Spoken to in JSON lines on the standard input; each is answered by one line with the counters. Ends with its input.
"""
import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading

QUEUE_MAX = 64  # pieces of up to 64 KiB on the way in one direction of a connection; beyond, the sender waits
PIECE = 1 << 16
ONE_BY_ONE = 512  # bytes of a piece that are dribbled; the rest of it follows at once


class Direction:
    def __init__(self):
        self.free = asyncio.Event()
        self.heal()

    def heal(self):
        self.held = self.refused = False
        self.delay = self.jitter = self.corrupt = 0.0
        self.rate = self.chunk = 0
        self.free.set()

    def change(self, faults):
        for name, value in faults.items():
            setattr(self, name, value)
        (self.free.clear if self.held else self.free.set)()


class Connection:
    """Both directions of one connection. `sides` are (reader, writer) of the dialling and of the accepting node."""

    def __init__(self, net, pair, near, far):
        self.net, self.pair = net, pair
        self.sides = [near, far]
        self.half_open = False
        loop = asyncio.get_running_loop()
        back = (pair[1], pair[0])
        self.tasks = []
        for source, target, direction in ((near, far, pair), (far, near, back)):
            queue = asyncio.Queue(QUEUE_MAX)
            self.tasks.append(loop.create_task(self.take(source[0], queue, net.directions[direction])))
            self.tasks.append(loop.create_task(self.pass_on(queue, target[1], net.directions[direction])))

    async def take(self, reader, queue, direction):
        try:
            while data := await reader.read(PIECE):
                delay = direction.delay + random.random() * direction.jitter
                self.net.count["delayed pieces"] += delay > 0
                await queue.put((asyncio.get_running_loop().time() + delay, data))
        except OSError:
            pass
        if not self.half_open:
            await queue.put((0, b""))

    async def wait_free(self, direction):
        if not direction.free.is_set():
            self.net.count["held pieces"] += 1
            await direction.free.wait()

    async def pass_on(self, queue, writer, direction):
        loop = asyncio.get_running_loop()
        last = 0.0
        try:
            while True:
                due, data = await queue.get()
                last = max(due, last)
                if last > loop.time():
                    await asyncio.sleep(last - loop.time())
                await self.wait_free(direction)
                if not data:
                    break
                if direction.corrupt and random.random() < direction.corrupt:
                    at = random.randrange(len(data))
                    data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1:]
                    self.net.count["flipped bits"] += 1
                await self.write(data, writer, direction)
        except (OSError, asyncio.CancelledError):
            pass
        if not self.half_open:
            self.close()

    async def write(self, data, writer, direction):
        if chunk := direction.chunk:  # it may change meanwhile
            self.net.count["dribbled pieces"] += 1
            head, data = data[:ONE_BY_ONE], data[ONE_BY_ONE:]
            for at in range(0, len(head), chunk):
                writer.write(head[at:at + chunk])
                await writer.drain()
                await asyncio.sleep(0)
        if direction.rate:
            self.net.count["throttled pieces"] += 1
            while data and direction.rate:
                part, data = data[:1024], data[1024:]
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(len(part) / max(direction.rate, 1))
        if data:
            writer.write(data)
            await writer.drain()

    def abort(self, side):
        writer = self.sides[side][1]
        own = writer.get_extra_info("socket")
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        writer.transport.abort()

    def close(self):
        self.net.connections.discard(self)
        for task in self.tasks:
            task.cancel()
        for side in (0, 1):
            self.abort(side)

    def open_half(self, side):
        """The node on `side` is told that the connection has ended; the other one is told nothing."""
        self.half_open = True
        self.net.count["half-open"] += 1
        self.abort(side)
        for task in self.tasks:
            task.cancel()


class Net:
    def __init__(self, targets):
        self.targets = targets  # node -> port of its peer listener
        self.directions = {(a, b): Direction() for a in targets for b in targets if a != b}
        self.connections = set()
        self.count = dict.fromkeys(("connections", "held pieces", "delayed pieces", "throttled pieces", "dribbled pieces", "flipped bits",
                                    "resets", "half-open", "refused"), 0)

    async def accept(self, pair, reader, writer):
        ways = self.directions[pair], self.directions[pair[1], pair[0]]
        try:
            if any(way.refused for way in ways):
                self.count["refused"] += 1
                writer.transport.abort()
                return
            # While either way is held no handshake can end: the dialler gets no hello.
            for way in ways:
                if not way.free.is_set():
                    self.count["held pieces"] += 1
                await way.free.wait()
            far = await asyncio.open_connection("127.0.0.1", self.targets[pair[1]], limit=PIECE)
        except OSError:
            writer.transport.abort()
            return
        self.count["connections"] += 1
        self.connections.add(Connection(self, pair, (reader, writer), far))

    async def listen(self):
        ports = {}
        for pair in self.directions:
            server = await asyncio.start_server(lambda reader, writer, pair=pair: self.accept(pair, reader, writer), "127.0.0.1", 0,
                                                limit=PIECE)
            ports["%d-%d" % pair] = server.sockets[0].getsockname()[1]
        return ports

    def of_pair(self, a, b):
        return [connection for connection in self.connections if set(connection.pair) == {a, b}]

    def obey(self, command):
        verb = command["do"]
        if verb == "set":
            for a, b in command["ways"]:
                self.directions[a, b].change(command["faults"])
        elif verb == "heal":
            for direction in self.directions.values():
                direction.heal()
            for connection in [one for one in self.connections if one.half_open]:
                connection.close()
        elif verb in ("reset", "half_open"):
            for a, b in command["ways"]:
                for connection in self.of_pair(a, b):
                    if verb == "reset":
                        self.count["resets"] += 1
                        connection.close()
                    elif not connection.half_open:
                        connection.open_half(connection.pair.index(a))


async def serve():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)  # connections end in all sorts of ways: that is what they are for
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    first = json.loads(await lines.readline())
    random.seed(first["seed"])
    net = Net({int(node): port for node, port in first["targets"].items()})
    print(json.dumps(await net.listen()), flush=True)
    while line := await lines.readline():
        net.obey(json.loads(line))
        print(json.dumps(net.count), flush=True)
    os._exit(0)


class Proxy:
    """The test's side: starts the process, and speaks to it."""

    def __init__(self, targets, seed):
        self.nodes = sorted(targets)
        self.lock = threading.Lock()
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = {tuple(map(int, pair.split("-"))): port for pair, port in self.ask({"targets": targets, "seed": seed}).items()}

    def ask(self, command):
        with self.lock:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)

    def ways(self, a=None, b=None):
        """The directions from a to b; without one of them, from or to all."""
        return [(x, y) for x in self.nodes for y in self.nodes if x != y and a in (None, x) and b in (None, y)]

    def around(self, node):
        return [way for way in self.ways() if node in way]

    def set(self, ways, **faults):
        return self.ask({"do": "set", "ways": ways, "faults": faults})

    def reset(self, ways):
        return self.ask({"do": "reset", "ways": ways})

    def half_open(self, ways):
        return self.ask({"do": "half_open", "ways": ways})

    def heal(self):
        return self.ask({"do": "heal"})

    def counters(self):
        return self.ask({"do": "count"})


if __name__ == "__main__":
    asyncio.run(serve())
