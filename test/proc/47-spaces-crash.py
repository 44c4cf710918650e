"""kill -9 in the middle of SPACE CREATE and SPACE DROP, many times at drawn moments: afterwards the space is there on every node, or on none,
and its keys are where every node looks for them."""
import random
import threading
import time

from harness import check, ConnectionLost, figure, LONG, Playground, RespError, run, wait_for

TRIES = 40 if LONG else 6
SEED = 4711


def names(ground, number):
    with ground.client(number) as client:
        return {bytes(space[1]).decode(): bytes(space[space.index(b"phase") + 1]) for space in client.call("SPACE", "LIST")}


def settled(ground, name):
    """True: active on all nodes; False: on none; None: not settled yet."""
    try:
        phases = [names(ground, number).get(name) for number in ground.numbers]
    except (ConnectionLost, RespError):
        return None
    if all(phase == b"active" for phase in phases):
        return "there"
    return "nowhere" if all(phase is None for phase in phases) else None


def ask(ground, number, words, answers):
    try:
        with ground.client(number, 5) as client:
            answers.append(client.call(*words))
    except (ConnectionLost, RespError) as problem:
        answers.append(str(problem))


def interrupt(ground, draw, words):
    """Asks one node and kills one, a moment later."""
    answers = []
    asker = threading.Thread(target=ask, args=(ground, draw.choice(ground.numbers), words, answers))
    victim = draw.choice(ground.numbers)
    asker.start()
    time.sleep(draw.uniform(0, 0.35))
    after = len(ground.lines)
    ground.kill_at_once(victim)
    asker.join()
    ground.wait_line(rf"node {victim} died", after=after)  # else it cannot be started yet
    ground.act("start", victim)
    for number in ground.numbers:
        wait_for(f"node {number} serves", lambda: ground.serves(number), 60)
    return answers[0]


def call(ground, number, *words):
    """Until it is neither too early nor unknown."""
    def tried():
        try:
            with ground.client(number, 5) as client:
                return [client.call(*words)]
        except ConnectionLost:
            return None
        except RespError as error:
            if str(error).split()[0] in ("CLUSTERDOWN", "TRYAGAIN", "UNKNOWN"):
                return None
            raise
    return wait_for(" ".join(words), tried, 60)[0]


def main():
    draw = random.Random(SEED)
    created = dropped = 0
    with Playground(interval=0) as ground:
        ground.leader()
        for i in range(TRIES):
            name, key = f"s{i}", f"s{i}/key"
            answer = interrupt(ground, draw, ["SPACE", "CREATE", name, "PREFIX", f"s{i}/", "PROTOCOL", "raft"])
            state = wait_for(f"{name} is everywhere or nowhere", lambda: settled(ground, name), 60)
            check(answer != "OK" or state == "there", f"{name} was acknowledged and is {state}")
            created += state == "there"
            if state == "nowhere":
                call(ground, 1, "SPACE", "CREATE", name, "PREFIX", f"s{i}/", "PROTOCOL", "raft")
            call(ground, draw.choice(ground.numbers), "SET", key, str(i))
            for number in ground.numbers:
                check(call(ground, number, "GET", key) == str(i).encode(), f"node {number} does not find {key}")
            answer = interrupt(ground, draw, ["SPACE", "DROP", name, "FORCE"])
            state = wait_for(f"{name} is everywhere or nowhere", lambda: settled(ground, name), 60)
            check(answer != "OK" or state == "nowhere", f"the drop of {name} was acknowledged and it is {state}")
            dropped += state == "nowhere"
            found = call(ground, draw.choice(ground.numbers), "GET", key)
            check(found == (None if state == "nowhere" else str(i).encode()), f"{key} is {found!r}, its space {state}")
            if state == "there":
                call(ground, 1, "SPACE", "DROP", name, "FORCE")
        for number in ground.numbers:
            check(call(ground, number, "DBSIZE") == 0, f"node {number} has keys left in the default space")
    figure("interrupted by kill -9:", f"{created} of {TRIES} creations and {dropped} of {TRIES} drops went through")


run(main)
