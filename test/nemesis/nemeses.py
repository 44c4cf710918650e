"""What goes wrong in a cell: each nemesis hurts and heals until the time is up.

A nemesis names its evidence: counters of what really happened (bytes that waited, processes that died, calls that failed), not of
what was intended. Without evidence a cell says nothing.
"""
import os
import random
import time

from control import FULL


class Nemesis:
    def __init__(self, name, run, evidence, undo=False, disk=False, nodes=3):
        self.name, self.run, self.evidence, self.undo, self.disk, self.nodes = name, run, evidence, undo, disk, nodes


ALL = {}


def nemesis(*evidence, **traits):
    def add(function):
        name = function.__name__.replace("_", "-")
        ALL[name] = Nemesis(name, function, evidence, **traits)
        return function
    return add


class World:
    """What a nemesis may use."""

    def __init__(self, cluster, clients, rng, until):
        self.cluster, self.clients, self.rng, self.until = cluster, clients, rng, until
        self.net = cluster.proxy

    @property
    def goes_on(self):
        return time.monotonic() < self.until

    def rest(self, low, high=None):
        seconds = low if high is None else self.rng.uniform(low, high)
        self.cluster.rest(max(0.0, min(seconds, self.until - time.monotonic())))

    def node(self):
        return self.cluster.nodes[self.rng.choice(self.cluster.numbers)]

    def victim(self):
        """The leader every other time: most goes wrong there."""
        leader = self.cluster.leader() if self.rng.random() < 0.5 else None
        return self.cluster.nodes[leader] if leader else self.node()

    def nodes(self):
        return list(self.cluster.nodes.values())

    def some(self):
        """Some nodes, perhaps all, in any order."""
        return self.rng.sample(self.nodes(), self.rng.randrange(1, len(self.nodes()) + 1))

    def links(self, hurt, low=0.3, high=2.5, calm=(0.2, 0.8)):
        """Rounds of: hurt the network, wait, heal it, wait."""
        while self.goes_on:
            hurt()
            self.rest(low, high)
            self.net.heal()
            self.rest(*calm)


@nemesis()
def none(world):
    world.rest(world.until)


# ---- The network ----

@nemesis("held pieces")
def isolate(world):
    """One node from all others; what was sent arrives after healing."""
    world.links(lambda: world.net.set(world.net.around(world.victim().number), held=True))


@nemesis("refused")
def sever(world):
    """One node from all others, by resets and refusals."""
    def hurt():
        ways = world.net.around(world.victim().number)
        world.net.set(ways, refused=True)
        world.net.reset(ways)
    world.links(hurt)


@nemesis("held pieces", nodes=5)
def split(world):
    """Two of five from the other three."""
    def hurt():
        few = set(world.rng.sample(world.cluster.numbers, len(world.cluster.numbers) // 2))
        world.net.set([way for way in world.net.ways() if (way[0] in few) != (way[1] in few)], held=True)
    world.links(hurt)


@nemesis("held pieces")
def bridge(world):
    """One link only: two nodes that see the third and not each other."""
    def hurt():
        a, b = world.rng.sample(world.cluster.numbers, 2)
        world.net.set([(a, b), (b, a)], held=True)
    world.links(hurt)


@nemesis("held pieces", nodes=5)
def ring(world):
    """Each of five nodes sees its two neighbours only: every node sees a majority, and each another one."""
    def hurt():
        order = world.rng.sample(world.cluster.numbers, len(world.cluster.numbers))
        near = {(order[i], order[i - 1]) for i in range(len(order))}
        near |= {(b, a) for a, b in near}
        world.net.set([way for way in world.net.ways() if way not in near], held=True)
    world.links(hurt)


@nemesis("held pieces")
def oneway_out(world):
    """A node that hears and is not heard."""
    world.links(lambda: world.net.set(world.net.ways(a=world.victim().number), held=True))


@nemesis("held pieces")
def oneway_in(world):
    """A node that is heard and does not hear."""
    world.links(lambda: world.net.set(world.net.ways(b=world.victim().number), held=True))


@nemesis("held pieces")
def flap(world):
    """Some directions held and freed, many times a second."""
    def hurt():
        ways = world.net.ways()
        world.net.set(world.rng.sample(ways, world.rng.randrange(1, len(ways) + 1)), held=True)
    world.links(hurt, 0.02, 0.4, calm=(0.01, 0.4))


@nemesis("delayed pieces")
def delay(world):
    """Every direction its own delay and jitter: order between pairs is lost."""
    def hurt():
        for way in world.net.ways():
            slow = world.rng.choice([0.0, 0.005, 0.03, 0.15, 0.4])
            world.net.set([way], delay=slow, jitter=slow * world.rng.random())
    world.links(hurt, 1.0, 3.0)


@nemesis("resets")
def reset(world):
    """Connections that end with RST at any time."""
    while world.goes_on:
        world.net.reset(world.rng.sample(world.net.ways(), world.rng.randrange(1, 4)))
        world.rest(0.03, 0.6)


@nemesis("held pieces")
def stall(world):
    """One direction of one link stands still for a while."""
    world.links(lambda: world.net.set([world.rng.choice(world.net.ways())], held=True), 0.1, 3.0, calm=(0.05, 0.3))


@nemesis("half-open")
def half_open(world):
    """One end learns that the connection is gone, the other one does not."""
    world.links(lambda: world.net.half_open(world.rng.sample(world.net.ways(), world.rng.randrange(1, 4))), 0.3, 2.0, calm=(0.3, 0.8))


@nemesis("throttled pieces")
def bandwidth(world):
    """A few kilobytes a second, on some or all links."""
    def hurt():
        for way in world.net.ways():
            if world.rng.random() < 0.7:
                world.net.set([way], rate=world.rng.choice([2000, 8000, 32000, 128000]))
    world.links(hurt, 1.0, 3.0)


@nemesis("dribbled pieces")
def dribble(world):
    """A few bytes at a time."""
    def hurt():
        for way in world.net.ways():
            world.net.set([way], chunk=world.rng.choice([1, 2, 3, 7, 16, 61]))
    world.links(hurt, 1.0, 3.0)


@nemesis("flipped bits")
def corrupt(world):
    """Bits that flip on the way, as TCP's checksum lets through."""
    def hurt():
        world.net.set(world.net.ways(), corrupt=world.rng.choice([0.002, 0.01, 0.05]))
    world.links(hurt, 0.5, 2.0, calm=(0.3, 0.6))


# ---- Processes ----

@nemesis("kills")
def kill(world):
    """kill -9 of one node, started again soon or later; sometimes a second one meanwhile."""
    while world.goes_on:
        dead = [world.victim()]
        if world.rng.random() < 0.3:
            dead.append(world.node())
        for one in dead:
            one.kill()
        world.rest(0.0, 1.2)
        for one in dead:
            if not one.up:
                one.start()
        world.rest(0.2, 1.5)


@nemesis("kills")
def kill_leader(world):
    """Always the leader, as soon as there is a new one."""
    while world.goes_on:
        leader = world.cluster.leader()
        if leader:
            one = world.cluster.nodes[leader]
            one.kill()
            world.rest(0.0, 0.5)
            one.start()
        world.rest(0.2, 1.0)


@nemesis("kills")
def kill_all(world):
    """All at the same moment."""
    while world.goes_on:
        for one in world.nodes():
            one.kill_soon()
        for one in world.nodes():
            one.kill()
        world.rest(0.0, 0.3)
        for one in world.rng.sample(world.nodes(), len(world.nodes())):
            one.start()
            world.rest(0.0, 0.2)
        world.rest(1.0, 2.5)


@nemesis("pauses")
def pause(world):
    """SIGSTOP: it wakes up, and thinks that no time has passed."""
    while world.goes_on:
        asleep = [world.victim()]
        if world.rng.random() < 0.3:
            asleep.append(world.node())
        for one in asleep:
            one.pause()
        world.rest(*world.rng.choice([(0.02, 0.3), (0.5, 1.5), (1.5, 3.5)]))
        for one in asleep:
            one.resume()
        world.rest(0.1, 1.2)


@nemesis("pauses")
def strobe(world):
    """SIGSTOP and SIGCONT many times a second: a processor that is far too slow."""
    while world.goes_on:
        one = world.victim()
        until = min(time.monotonic() + world.rng.uniform(0.5, 3.0), world.until)
        stopped, running = world.rng.choice([(0.02, 0.002), (0.1, 0.02), (0.3, 0.1)])
        while time.monotonic() < until:
            one.pause()
            world.rest(stopped)
            one.resume()
            world.rest(running)
        world.rest(0.1, 0.6)


@nemesis("hang-ups")
def hang_up(world):
    """Clients' connections end at any time, in the middle of requests and of replies."""
    while world.goes_on:
        for client in world.rng.sample(world.clients, world.rng.randrange(1, 4)):
            if client.hang_up():
                world.cluster.count("hang-ups")
        world.rest(0.005, 0.15)


@nemesis("kills")
def storm(world):
    """One node killed as soon as it has begun to start, again and again: recovery is cut short."""
    while world.goes_on:
        one = world.victim()
        for _ in range(world.rng.randrange(3, 12)):
            one.kill()
            one.start()
            world.rest(*world.rng.choice([(0.0, 0.02), (0.02, 0.15), (0.1, 0.5)]))
        world.rest(0.3, 1.5)


@nemesis("stops")
def stop(world):
    """SIGTERM, one node after the other."""
    while world.goes_on:
        one = world.victim()
        one.stop()
        world.rest(0.0, 0.6)
        one.start()
        world.rest(0.2, 1.0)


# ---- Disks ----

def disks(world, hurt, low, high, spread=False):
    """Rounds of: some disks fail, are well again, and who gave up is started anew."""
    while world.goes_on:
        for one in (world.some() if spread else [world.victim()]):
            hurt(one)
        world.rest(low, high)
        for one in world.nodes():
            one.control.heal()
        world.cluster.rest(0.05)
        world.cluster.revive()
        world.rest(0.3, 1.2)


@nemesis("failed write", "failed create", "failed allocate", disk=True)
def disk_full(world):
    """ENOSPC on one node."""
    disks(world, lambda one: one.control.fail(FULL, "ENOSPC"), 0.2, 2.0)


@nemesis("failed write", "failed create", "failed allocate", disk=True)
def disk_full_all(world):
    """ENOSPC on any number of nodes at a time, now and then or always."""
    disks(world, lambda one: one.control.fail(FULL, "ENOSPC", world.rng.choice([50, 300, 1000])), 0.2, 2.0, spread=True)


@nemesis("failed write", "failed create", "failed allocate", disk=True)
def quota(world):
    """EDQUOT, for a few calls."""
    disks(world, lambda one: one.control.fail(FULL, "EDQUOT", world.rng.choice([100, 1000]), world.rng.randrange(1, 4)), 0.2, 1.0)


@nemesis("failed write", "failed sync", "failed create", "failed rename", "failed unlink", "failed allocate", disk=True)
def io_error(world):
    """EIO from any call, once or for a time, at some nodes."""
    def hurt(one):
        operations = world.rng.choice([("write",), ("sync",), ("create", "allocate"), ("rename", "unlink"), ("write", "sync", "create", "rename", "unlink")])
        one.control.fail(operations, "EIO", world.rng.choice([20, 200, 1000]), world.rng.choice([1, 3, -1]))
    disks(world, hurt, 0.2, 1.5, spread=True)


@nemesis("failed sync", undo=True, disk=True)
def sync_fail(world):
    """fdatasync fails once, then says yes; what it covered may be gone for good: the power fails behind it."""
    while world.goes_on:
        one = world.victim()
        one.control.fail(("sync",), "EIO", left=1)
        world.rest(0.2, 1.0)
        one.control.heal()
        if world.rng.random() < 0.6:
            one.kill()
            one.power_cut()
            one.start()
        else:
            world.cluster.revive()
        world.rest(0.3, 1.2)


@nemesis("failed read", disk=True)
def read_error(world):
    """EIO while a node reads its files at start."""
    while world.goes_on:
        one = world.victim()
        one.control.fail(("read",), "EIO", world.rng.choice([50, 300, 1000]), world.rng.choice([1, 5, -1]))
        one.kill()
        one.start()
        world.rest(0.2, 1.0)
        one.control.heal()
        world.rest(0.3, 1.0)
        world.cluster.revive()


@nemesis("stalled syncs")
def slow_disk(world):
    """fdatasync takes long: from milliseconds to seconds."""
    while world.goes_on:
        for one in world.some():
            one.control.set("sync_delay_us", int(world.rng.choice([5e3, 5e4, 3e5, 1.5e6, 4e6])))
        world.rest(0.5, 3.0)
        for one in world.nodes():
            one.control.heal()
        world.rest(0.2, 0.8)


@nemesis("short writes")
def short_write(world):
    """Writes of a part, and EINTR, all the time; nodes killed among them."""
    for one in world.nodes():
        one.control.set("short_per_1000", world.rng.choice([50, 300, 700]))
    while world.goes_on:
        world.rest(0.5, 2.0)
        one = world.victim()
        one.kill()
        one.start()


def linger(world):
    """Syncs that take a moment: so there is something that no sync has covered when the power goes."""
    for one in world.nodes():
        one.control.set("sync_delay_us", int(world.rng.choice([0, 1e3, 5e3, 2e4])))


@nemesis("lost writes", undo=True)
def power(world):
    """One node loses its power: what was not synced is lost, in part, torn."""
    while world.goes_on:
        linger(world)
        one = world.victim()
        one.kill()
        one.power_cut()
        world.rest(0.0, 0.8)
        one.start()
        world.rest(0.3, 1.5)


@nemesis("lost writes", undo=True)
def power_all(world):
    """All nodes lose their power at once."""
    while world.goes_on:
        linger(world)
        world.rest(0.1)
        blackout(world)
        world.rest(1.0, 2.5)


def blackout(world, everything=False):
    for one in world.nodes():
        one.kill_soon()
    for one in world.nodes():
        one.kill()
        one.power_cut(everything)
    world.rest(0.0, 0.3)
    for one in world.nodes():
        one.start()


@nemesis("lost writes", undo=True)
def power_storm(world):
    """Power that fails while nodes recover from its last failure, with syncs that take a while: most is uncovered."""
    while world.goes_on:
        one = world.victim()
        for _ in range(world.rng.randrange(2, 7)):
            one.control.set("sync_delay_us", int(world.rng.choice([0, 2e4, 2e5])))
            one.kill()
            one.power_cut()
            one.start()
            world.rest(*world.rng.choice([(0.0, 0.03), (0.02, 0.2), (0.2, 0.6)]))
        one.control.heal()
        world.rest(0.3, 1.5)


def follower(world):
    """One that does not lead; another one must know what it forgets."""
    leader = world.cluster.leader()
    return world.cluster.nodes[world.rng.choice([number for number in world.cluster.numbers if number != leader])] if leader else None


def harm_files(world, harm):
    """Rounds of: a follower dies, its files are harmed, it starts, and has refilled before anything else happens."""
    while world.goes_on:
        one = follower(world)
        if one is None:
            world.rest(0.2)
            continue
        one.kill()
        harm(one)
        one.start()
        world.rest(0.3, 1.0)
        world.cluster.wait_healed()
        world.rest(0.2, 0.6)


@nemesis("flipped bits on disk")
def rot(world):
    """Bits flip in a dead follower's log and snapshots."""
    def harm(one):
        for _ in range(world.rng.choice([1, 1, 3, 20])):
            world.cluster.count("flipped bits on disk", one.flip_bit(world.rng))
    harm_files(world, harm)


@nemesis("files cut or gone")
def shorten(world):
    """A dead follower's log and snapshots lose their ends, or files, or all files."""
    def harm(one):
        files = one.files()
        for path in files if world.rng.random() < 0.25 else world.rng.sample(files, world.rng.randrange(1, len(files) + 1)) if files else []:
            world.cluster.count("files cut or gone")
            if world.rng.random() < 0.5:
                os.unlink(path)
            else:
                os.truncate(path, world.rng.randrange(os.path.getsize(path) + 1))
    harm_files(world, harm)


# ---- Clocks ----

JUMPS = (0, 0.5, -0.5, 288, -288, 3600, -3600, 86400 * 365 * 10, -86400 * 365 * 60)  # the last one: before 1970


@nemesis("wall clock lies")
def wall_jump(world):
    """Each node's wall clock jumps by itself, between 1970 and next decade."""
    while world.goes_on:
        for one in world.some():
            one.control.set_wall(world.rng.choice(JUMPS))
        world.rest(0.02, 0.6)


@nemesis("kills")
def boot_clock(world):
    """Nodes that start again with another boot-time clock, as machines do; wall clocks differ too."""
    while world.goes_on:
        one = world.victim()
        one.kill()
        one.control.set_boot(world.rng.choice([-1e9, -100, 1000, 86400 * 300]) + world.rng.random() * 100)
        one.control.set_wall(world.rng.choice(JUMPS))
        world.rest(0.0, 0.5)
        one.start()
        world.rest(0.4, 1.5)


# ---- All of it ----

@nemesis("kills", "pauses", "held pieces", "resets", "stalled syncs", "power cuts", undo=True)
def chaos(world):
    """Short pieces of the others, one upon the other: links are not healed before the next accident begins."""
    rng = world.rng

    def cut():
        world.net.set(rng.sample(world.net.ways(), rng.randrange(1, 4)), held=True)

    def mend():
        world.net.heal()

    def break_links():
        world.net.reset(rng.sample(world.net.ways(), 2))

    def lag():
        world.net.set(rng.sample(world.net.ways(), 3), delay=0.1, jitter=0.2)

    def sleep():
        one = world.victim()
        one.pause()
        world.rest(0.05, 1.5)
        one.resume()

    def die():
        one = world.victim()
        one.kill()
        if rng.random() < 0.6:
            one.power_cut()
        world.rest(0.0, 0.6)
        one.start()

    def drag():
        world.victim().control.set("sync_delay_us", int(rng.choice([0, 5e4, 1e6])))

    def jump():
        world.node().control.set_wall(rng.choice(JUMPS))

    accidents = rng.sample([cut, break_links, lag, sleep, die, die, drag, jump], 5) + [mend, mend]
    while world.goes_on:
        rng.choice(accidents)()
        world.rest(0.02, 0.7)


# ---- The canary: not a fault that is survived, but a lie. Whoever believes this disk loses what it acknowledged. ----

@nemesis("lost writes", undo=True)
def liar(world):
    """fdatasync says yes and does nothing on all nodes; then all lose their power. Must be found out."""
    while world.goes_on:
        for one in world.nodes():
            one.control.set("lie", 1)
        world.rest(1.0, 2.0)
        blackout(world, everything=True)
        for one in world.nodes():
            one.control.set("lie", 0)
        world.rest(1.5, 2.5)


CANARIES = {"liar"}


def rng_of(seed, *words):
    return random.Random("/".join(map(str, (seed,) + words)))
