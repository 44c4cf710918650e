"""A causal space through the real daemon: every node takes writes at once; a session that moves with its token finds all that it wrote and
read, or is told in time that the node does not have it; a restart of all loses nothing."""
import time

from harness import check, ConnectionLost, Playground, RespError, run, wait_for

SPACE = "shadows/"


def token_of(client):
    return client.call("SESSION", "TOKEN").decode()


def refused(client, prefix, *words):
    try:
        reply = client.call(*words)
    except RespError as error:
        check(str(error).startswith(prefix), f"{words}: {error}")
        return
    check(False, f"{words}: {reply!r}, not an error")


def moving(ground):
    """One session, from node to node: its own writes and reads are always there."""
    token = None
    for turn in range(60):
        with ground.client(ground.numbers[turn % 3]) as client:
            if token:
                check(client.call("SESSION", "USE", token) == "OK", "SESSION USE")
                seen = client.call("GET", SPACE + "mine")
                check(seen == str(turn - 1).encode(), f"turn {turn}: its own write: {seen}")
                check(client.call("SCARD", SPACE + "turns") == turn, "its earlier writes")
            check(client.call("SET", SPACE + "mine", turn) == "OK", "SET")
            client.call("SADD", SPACE + "turns", turn)
            token = token_of(client)


def retired_and_alone(ground):
    """Node 1 has lived often, and the others have retired its lives; what node 3 has on disk it has after a restart without them, too."""
    for turn in range(8):
        with ground.client(1) as client:
            for _ in range(5):
                client.call("INCR", SPACE + "lives")
        for number in (2, 3):
            with ground.client(number) as client:
                wait_for(f"turn {turn} at node {number}", lambda: client.call("GET", SPACE + "lives") == str(5 * turn + 5).encode())
        ground.act("kill", 1)
        ground.act("start", 1)
        ground.wait_all_serve()
    for number in ground.numbers:
        ground.act("kill", number)
    ground.act("start", 3)

    def here():
        try:
            with ground.client(3) as client:
                return client.call("GET", SPACE + "lives")
        except (ConnectionLost, RespError):
            return None
    check(wait_for("node 3 alone", here) == b"40", "node 3 has lost what it had on disk")
    for number in (1, 2):
        ground.act("start", number)
    ground.wait_all_serve()


def main():
    with Playground(interval=0) as ground:
        ground.wait_all_serve()
        with ground.client(1) as client:
            check(client.call("SPACE", "CREATE", "shadows", "PREFIX", SPACE, "PROTOCOL", "causal") == "OK", "CREATE")
        for number in ground.numbers:
            with ground.client(number) as client:
                wait_for(f"the space at node {number}", lambda: client.call("SET", SPACE + "hello", "1") == "OK")
        moving(ground)

        # Written where nobody hears of it: elsewhere the session waits, and is told so in time.
        ground.act("pause", 2)
        ground.act("pause", 3)
        with ground.client(1) as client:
            for number in range(100):
                check(client.call("SET", SPACE + f"alone{number}", number) == "OK", "SET alone")
            token = token_of(client)
            refused(client, "ERR", "SESSION", "USE", token[:-2] + ("00" if token[-2:] != "00" else "01"))
        ground.act("kill", 1)
        ground.act("resume", 2)
        ground.act("resume", 3)
        with ground.client(2) as client:
            wait_for("node 2 serves", lambda: client.call("GET", SPACE + "hello") == b"1")
            here = client.call("EXISTS", SPACE + "alone99") == 1  # on its way when node 2 stopped
            begun = time.monotonic()
            if not here:
                refused(client, "TRYAGAIN", "SESSION", "USE", token, "WAIT", "300")
                check(0.2 < time.monotonic() - begun < 1.5, "it waited as long as it was told")
        ground.act("start", 1)
        with ground.client(3) as client:
            def used():
                try:
                    return client.call("SESSION", "USE", token) == "OK"
                except RespError as error:
                    check(str(error).startswith("TRYAGAIN"), str(error))
                    return False
            wait_for("what node 1 had on disk", used)
            check(client.call("GET", SPACE + "alone99") == b"99", "the session's write")

        ground.wait_all_serve()  # node 3 may have had it before node 1 was back
        retired_and_alone(ground)

        for number in ground.numbers:
            ground.act("kill", number)
        for number in ground.numbers:
            ground.act("start", number)
        ground.wait_all_serve()
        for number in ground.numbers:
            with ground.client(number) as client:
                wait_for(f"the session at node {number}", lambda: client.call("SESSION", "USE", token) == "OK")
                check(client.call("GET", SPACE + "mine") == b"59", "after a restart of all")


run(main)
