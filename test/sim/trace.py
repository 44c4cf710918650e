#!/usr/bin/python3
"""Traces as event histories, and shrinking: the vector times that are printed are right, --before agrees with them, the picture is
whole, looking changes nothing, and a planted bug's run is shrunk to one that its replay command repeats."""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = os.path.join(ROOT, "build-verify", "skein-sim")
LINE = re.compile(r"e(\d+) +([\d.]+) (\S+) (.*) \[([\d,]+)\]$")
OTHER_END = re.compile(r"(->|<-) (\S+)")


def run(*arguments):
    done = subprocess.run([SIM, *[str(one) for one in arguments]], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def expect(what, true):
    print(("ok   " if true else "WRONG ") + what, flush=True)
    if not true:
        sys.exit(1)


def read_events(text):
    events = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            number, seconds, process, what, times = match.groups()
            events[int(number)] = (float(seconds), process, what, [int(one) for one in times.split(",")])
    return events


def check_times(events):
    """Each time is its process's last one, one more of its own; a receive's also covers a send of the same text before it."""
    columns, last, sent = {}, {}, {}
    for number in sorted(events):
        _, process, what, times = events[number]
        before = last.get(process, [0] * len(times))
        grown = [i for i in range(len(times)) if times[i] > before[i]]
        assert all(times[i] >= before[i] for i in range(len(times))), f"e{number}: a time went back"
        if what.startswith("receive"):
            text, peer = re.match(r"receive (.*?) <- (\S+)", what).groups()
            if not text.startswith("a damaged"):
                covers = [time for time in sent.get((peer, process, text), []) if all(a <= b for a, b in zip(time, times))]
                assert covers, f"e{number}: nobody sent it"
                own = columns[process] if process in columns else None
                assert own is None or times[own] == before[own] + 1
        else:
            assert len(grown) == 1 and times[grown[0]] == before[grown[0]] + 1, f"e{number}: more than its own component grew"
            assert columns.setdefault(process, grown[0]) == grown[0], f"e{number}: two components for {process}"
        if what.startswith("send"):
            text, peer = re.match(r"send (.*?) -> (\S+)", what).groups()
            sent.setdefault((process, peer, text), []).append(times)
        last[process] = times
    return columns


def check_order(events, columns, a, b):
    """What --before says of two events is what their times say, and its chain holds together."""
    def knows(x, y):  # does y know of x?
        column = columns[events[x][1]]
        return x != y and events[y][3][column] >= events[x][3][column]
    wanted = "happened before" if knows(a, b) else "happened after" if knows(b, a) else "is concurrent with"
    code, said, _ = run("trace", "--seed", 5, "--before", f"e{a}", b)
    assert code == 0 and said.splitlines()[0] == f"e{a} {wanted} e{b}", (a, b, wanted, said)
    chain = [int(match) for match in re.findall(r"^e(\d+) +\d", said, re.M)]
    for one, next_one in zip(chain, chain[1:]) if wanted != "is concurrent with" else ():
        same = events[one][1] == events[next_one][1]
        assert one < next_one and (same or events[next_one][2].startswith("receive")), f"{one} -> {next_one} is no step of a proof"
    return wanted


def trace(folder):
    code, text, _ = run("trace", "--seed", 5)
    events = read_events(text)
    expect(f"a trace of {len(events)} events", code == 0 and len(events) > 5000 and sorted(events) == list(range(1, len(events) + 1)))
    expect("it has marks and an end", "------- " in text and text.rstrip().splitlines()[-1].startswith("ok"))
    columns = check_times(events)
    expect(f"vector times of {len(columns)} processes", len(columns) >= 4)
    middle = len(events) // 2
    answers = {check_order(events, columns, middle, other) for other in (1, middle - 200, middle + 1, middle + 2, middle + 3, middle + 4000)}
    expect(f"--before: {', '.join(sorted(answers))}", len(answers) >= 2)
    code, part, _ = run("trace", "--seed", 5, "--from", 1, "--to", 1.5, "--last", 20)
    shown = read_events(part)
    expect("--from, --to and --last", len(shown) == 20 and all(1 <= one[0] <= 1.5 and events[number] == one for number, one in shown.items()))
    picture = os.path.join(folder, "run.svg")
    code, _, _ = run("trace", "--seed", 5, "--last", 80, "--svg", picture)
    nodes = list(xml.parse(picture).iter())
    kinds = [node.tag.split("}")[1] for node in nodes]
    texts = [node.text or "" for node in nodes if node.tag.endswith("}text")]
    drawn = [one for one in texts if re.match(r"e\d+ ", one)]
    expect("--svg draws every event, arrows, processes and a legend",
           code == 0 and len(drawn) == 80 and kinds.count("line") > 10 and "n1" in texts and "heartbeat" in texts)
    expect("unknown events are refused", run("trace", "--seed", 5, "--before", "e0", "n9.1")[0] == 2)


def hash_of(*arguments):
    code, text, _ = run(*arguments)
    return code, re.search(r"trace hash (\w+)", text).group(1)


def same_run():
    plain = [hash_of("--seed", seed) for seed in (10, 17)]
    planned = [hash_of("--seed", seed, "--only-faults", "1..1024") for seed in (10, 17)]
    expect("with all of its faults planned a run is the same", plain == planned)
    expect("with none it is another", plain[0] != hash_of("--seed", 10, "--only-faults", "none"))


def first_failing(plant):
    _, text, _ = run("--plant", plant, "--seeds", "1..200", "--jobs", 1)
    found = re.search(r"^(?:CRASH|STUCK|WRONG) seed (\d+):", text, re.M)
    expect(f"{plant} is caught", found and text.count("replay: ") == 1)
    return int(found.group(1))


def shrink(plant, folder):
    seed = first_failing(plant)
    picture = os.path.join(folder, f"{plant}.svg")
    code, text, said = run("shrink", "--plant", plant, "--seed", seed, "--seconds", 40, "--svg", picture)
    expect(f"{plant}: it fails", code in (3, 4, 5))
    replays = re.findall(r"^replay: skein-sim (.*)$", text, re.M)
    expect("one replay command", len(replays) == 1)
    lines = int(re.search(r"^(\d+) lines$", text, re.M).group(1))
    expect(f"what matters is told in {lines} lines", 5 <= lines <= 50)
    again, retold, _ = run(*replays[0].split())
    expect("the replay fails in the same way", again == code and text.rstrip().splitlines()[-1].split(": ", 1)[1] in retold)
    expect("and it is drawn", xml.parse(picture).getroot().tag.endswith("svg"))
    sizes = re.search(r"events simulated +(\d+) +(\d+)", text)
    took = re.search(r"shrunk by (\d+) runs in ([\d.]+) s", text)
    if sizes:
        expect("it is smaller", int(sizes.group(2)) < int(sizes.group(1)))
        print(f"figure: {plant}, seed {seed}: {sizes.group(1)} events shrunk to {sizes.group(2)} by {took.group(1)} runs in {took.group(2)} s of processor time")
    return seed


def main():
    with tempfile.TemporaryDirectory() as folder:
        trace(folder)
        same_run()
        seed = shrink("lying-fsync", folder)
        shrink("stale-read", folder)
    code, text, _ = run("--plant", "lying-fsync", "--seeds", f"{seed}..{seed}", "--shrink", "--seconds", 20)
    expect("--shrink shrinks at once", code in (3, 4, 5) and text.count("replay: ") == 1 and "what matters" in text)
    expect("a run that does not fail is not shrunk", run("shrink", "--seed", 5)[0] == 0)
    expect("nonsense is refused", run("--seed", 1, "--without", "nothing-such")[0] == 2 and run("--seeds", "1..2", "--clients", 1)[0] == 2)
    return 0


sys.exit(main())
