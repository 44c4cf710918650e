"""DURABILITY of crdt and causal spaces: `group` and `volatile` answer before the disk, lose at most their window when a node is killed, and never
number two changes alike: what was lost here and had reached others comes back, and all agree. raft spaces have `always` alone.
"""
import time

from harness import check, ConnectionLost, figure, Playground, RespError, run, wait_for

WINDOW_MS = 400
SPACES = {"g": ("crdt", f"group {WINDOW_MS} ms", ["GROUP", "MS", WINDOW_MS]), "v": ("causal", "volatile", ["VOLATILE"]),
          "a": ("crdt", "always", ["ALWAYS"])}


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def info(client, space):
    return pairs(client.call("SPACE", "INFO", space))


def refused(client, *words):
    try:
        client.call(*words)
    except RespError as error:
        return str(error)
    check(False, f"{words}: no error")


def again(ground, number, action):
    """Ends a node and starts it; returns when it answers in the spaces that need nobody."""
    ground.act(action, number)
    ground.act("start", number)

    def answers():
        try:
            with ground.client(number) as client:
                return all(client.call("EXISTS", f"{space}/hello") == 1 for space in SPACES)
        except (ConnectionLost, RespError):
            return False
    wait_for(f"node {number} is back", answers)


def create(ground):
    with ground.client(1) as client:
        for name, (protocol, _, words) in SPACES.items():
            check(client.call("SPACE", "CREATE", name, "PREFIX", f"{name}/", "PROTOCOL", protocol, "DURABILITY", *words) == "OK", f"CREATE {name}")
        why = refused(client, "SPACE", "CREATE", "r", "PREFIX", "r/", "PROTOCOL", "raft", "DURABILITY", "GROUP", "MS", 5)
        check("would make that majority a guess" in why, why)
        check("could choose two leaders" in refused(client, "SPACE", "CREATE", "r", "PREFIX", "r/", "PROTOCOL", "raft", "DURABILITY", "VOLATILE"), "volatile")
        check("1 to 60000" in refused(client, "SPACE", "ALTER", "g", "DURABILITY", "GROUP", "MS", 0), "no window")
    for number in ground.numbers:
        with ground.client(number) as client:
            for name, (_, shown, _) in SPACES.items():
                wait_for(f"{name} at node {number}", lambda: client.call("SET", f"{name}/hello", "1") == "OK")
                check(info(client, name)[b"durability"].decode() == shown, f"{info(client, name)}")
            check(info(client, "g")[b"loss_window"] == b"400 ms" and info(client, "a")[b"loss_window"] == b"none"
                  and info(client, "v")[b"loss_window"].startswith(b"no bound"), "the window is shown")
            check("loss_window=400 ms" in client.call("INFO", "skein").decode(), "in INFO too")
    check({space["name"]: space["loss_window"] for space in ground.status()["nodes"][0]["spaces"]}["g"] == "400 ms", "and in status")


def answered_before_the_disk(ground):
    """One after another, so each write would pay for a sync of its own."""
    with ground.client(1) as client:
        before = pairs([part for line in client.call("INFO", "skein").decode().split("\r\n") if ":" in line for part in line.split(":", 1)])
        begun = time.monotonic()
        for at in range(1000):
            client.call("SET", f"g/k{at % 10}", at)
        took = time.monotonic() - begun
        after = pairs([part for line in client.call("INFO", "skein").decode().split("\r\n") if ":" in line for part in line.split(":", 1)])
        syncs = int(after["log_syncs"]) - int(before["log_syncs"])
        figure("49-durability:", f"1000 writes one after another, group {WINDOW_MS} ms: {took * 1000:.0f} ms, {syncs} syncs")
        check(syncs < 200, f"{syncs} syncs for 1000 writes: each waited for its own")
        begun = time.monotonic()
        client.call("SET", "a/k", "1")
        wait_for("what was written before goes with the first that does not wait", lambda: info(client, "g")[b"not_synced"] == 0)


def killed_alone(ground):
    """Nobody else has heard of it: what is older than the window stays, and the node goes on with numbers of its own."""
    ground.act("cut", 1)
    ground.act("cut", 2)
    with ground.client(1) as client:
        for at in range(50):
            client.call("INCR", "g/old")
        wait_for("the window is over", lambda: info(client, "g")[b"not_synced"] == 0)
        client.call("INCR", "g/young")
        check(info(client, "g")[b"not_synced"] > 0, "answered, and not on disk")
    again(ground, 1, "kill")
    with ground.client(1) as client:
        check(client.call("GET", "g/old") == b"50", "what was older than the window is there")
        kept = int(client.call("GET", "g/young") or 0)
        check(kept == 0, f"the write in the window was on disk: {kept}: what is killed was not in it")
        for _ in range(7):
            client.call("INCR", "g/young")
    ground.act("heal")
    for number in ground.numbers:
        with ground.client(number) as client:
            wait_for(f"node {number}", lambda: client.call("GET", "g/old") == b"50" and client.call("GET", "g/young") == b"7")


def killed_linked(ground, space):
    """The others have heard of it: nothing is lost, and later writes are not taken for earlier ones."""
    total = 0
    for turn in range(8):
        with ground.client(1) as client:
            for at in range(20):
                client.call("INCR", f"{space}/turns")
                client.call("SADD", f"{space}/set", f"{turn}-{at}")
            total += 20
            with ground.client(2) as other:
                wait_for("node 2 has heard of it", lambda: other.call("GET", f"{space}/turns") == str(total).encode())
        again(ground, 1, "kill")
        for number in ground.numbers:
            with ground.client(number) as client:
                wait_for(f"turn {turn}, node {number}: all of it", lambda: client.call("GET", f"{space}/turns") == str(total).encode()
                         and client.call("SCARD", f"{space}/set") == total)


def alter_and_stop(ground):
    ground.act("cut", 3)
    with ground.client(3) as client:
        client.call("SET", "v/last", "words")
    again(ground, 3, "stop")  # who is stopped gently writes all down
    with ground.client(3) as client:
        wait_for("its last words", lambda: client.call("GET", "v/last") == b"words")
    ground.act("heal")
    ground.wait_all_serve()
    with ground.client(1) as client:
        check(client.call("SPACE", "ALTER", "g", "DURABILITY", "ALWAYS") == "OK", "ALTER")
        wait_for("it is known", lambda: info(client, "g")[b"loss_window"] == b"none")
        client.call("SET", "g/safe", "1")
        check(info(client, "g")[b"not_synced"] == 0, "on disk before the answer")


def main():
    with Playground(interval=0, cuts=True) as ground:
        ground.wait_all_serve()
        create(ground)
        answered_before_the_disk(ground)
        killed_alone(ground)
        for space in SPACES:
            killed_linked(ground, space)
        alter_and_stop(ground)


run(main)
