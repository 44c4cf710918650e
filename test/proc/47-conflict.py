"""OPTION conflict through the real daemon: three nodes, cut off from each other, write the same keys; once healed all show what the space's
rule makes of the values, SIBLINGS shows the values themselves. A bad rule is refused when it is given, a rule that fails loses nothing, another
rule sees what the first one saw, and a restart changes nothing."""
import random
import time

from harness import check, figure, Playground, RespError, run, wait_for

KEYS = 200
SUM = """return function(s)
  local sum = 0
  for _, v in ipairs(s) do sum = sum + tonumber(v) end
  return tostring(sum)
end"""
LONGEST = "local most = s[1] for _, v in ipairs(s) do if #v > #most then most = v end end return most .. '/' .. #s"


def in_python(rule, values):
    """What each rule says of values that were written apart, worked out another way."""
    values = sorted(set(values))
    if len(values) == 1:
        return values[0]
    if rule == "merge":
        return b"\n".join(sorted({line for value in values for line in value.split(b"\n") if line}))
    if rule == SUM:
        return str(sum(map(int, values))).encode()
    return min(values, key=lambda value: (-len(value), value)) + b"/%d" % len(values)


def everywhere(ground, what, condition):
    for number in ground.numbers:
        with ground.client(number) as client:
            wait_for(f"{what} at node {number}", lambda: condition(client))


def refused(client, part, *words):
    try:
        reply = client.call(*words)
    except RespError as error:
        check(part in str(error), f"{words}: {error}, without {part!r}")
        return
    check(False, f"{words}: {reply!r}, not an error")


def create(client, name, protocol, *options):
    check(client.call("SPACE", "CREATE", name, "PREFIX", f"{name}/", "PROTOCOL", protocol, *options) == "OK", f"CREATE {name}")


def cut_off(ground, *numbers):
    """A cut takes effect a little after it was asked for: until nothing that another node writes is seen there."""
    for number in numbers:
        ground.act("cut", number)
    other = next(number for number in ground.numbers if number not in numbers)
    for attempt in range(100):
        with ground.client(other) as client:
            client.call("SET", "notes/cut", attempt)
        time.sleep(0.2)
        seen = []
        for number in numbers:
            with ground.client(number) as client:
                seen.append(client.call("GET", "notes/cut") == str(attempt).encode())
        if not any(seen):
            return
    check(False, "cut links pass nothing")


def bad_rules(client):
    begin = ["SPACE", "CREATE", "bad", "PREFIX", "bad/", "PROTOCOL", "crdt", "OPTION", "conflict", "custom"]
    refused(client, "custom needs a rule", *begin)
    refused(client, "rule:2: syntax error near 's'", *begin, "OPTION", "rule", "return function(s)\n  retrun s[1]\nend")
    refused(client, "rule:1: it takes more than 500000 steps", *begin, "OPTION", "rule", "while true do end")
    refused(client, "rule: it takes more than 1048576 bytes of memory", *begin, "OPTION", "rule", "return ('x'):rep(1 << 40)")
    refused(client, "rule:1: attempt to index a nil value (global 'io')", *begin, "OPTION", "rule", "return io.read()")
    refused(client, "attempt to load a binary chunk", *begin, "OPTION", "rule", b"\x1bLua\x54\x00")
    refused(client, "1 to 4096 bytes", *begin, "OPTION", "rule", "--" + "x" * 4096)
    refused(client, "there is no space 'bad'", "SPACE", "INFO", "bad")


def write_apart(ground, draw):
    """space -> key -> each node's last value, or None."""
    written = {}
    cut_off(ground, 1, 2)
    for number in ground.numbers:
        with ground.client(number) as client:
            commands = []
            for space, _ in SPACES:
                for key in range(KEYS):
                    if draw.random() < 0.4:
                        continue
                    value = str(draw.randrange(20)) if space != "notes" else "\n".join(f"line {draw.randrange(9)}" for _ in range(draw.randrange(1, 4)))
                    written.setdefault((space, key), []).append(value.encode())
                    commands.append(("SET", f"{space}/k{key}", value))
                    commands.append(("HSET", f"{space}/h", f"f{key}", value))
            check(all(reply == "OK" or isinstance(reply, int) for reply in client.pipeline(commands)), f"writes at node {number}")
    ground.act("heal")
    return written


SPACES = [("sums", SUM), ("notes", "merge"), ("longest", LONGEST)]


def digests(ground):
    found = {space: set() for space, _ in SPACES}
    for number in ground.numbers:
        with ground.client(number) as client:
            for space, _ in SPACES:
                info = client.call("SPACE", "INFO", space)
                found[space].add(dict(zip(info[::2], info[1::2]))[b"digest"])
    return found


def compare(ground, written, rules):
    several = 0
    for number in ground.numbers:
        with ground.client(number) as client:
            for space, rule in rules:
                keys = [f"{space}/k{key}" for key in range(KEYS)]
                expected = [in_python(rule, written[space, key]) if (space, key) in written else None for key in range(KEYS)]
                check(client.call("MGET", *keys) == expected, f"node {number}: MGET of {space}")
                fields = client.call("HGETALL", f"{space}/h")
                fields = dict(zip(fields[::2], fields[1::2]))
                for key in range(KEYS):
                    values = written.get((space, key))
                    shown = client.call("GET", keys[key])
                    check(shown == expected[key], f"node {number}: {keys[key]} is {shown}, not {expected[key]} of {values}")
                    check(client.call("STRLEN", keys[key]) == len(shown or b""), "STRLEN")
                    check(fields.get(b"f%d" % key) == expected[key], f"node {number}: field f{key} of {space}")
                    siblings = client.call("SIBLINGS", keys[key])
                    check(sorted(row[1] for row in siblings) == sorted(values or []), f"node {number}: SIBLINGS {keys[key]}: {siblings}")
                    siblings = client.call("SIBLINGS", f"{space}/h", f"f{key}")
                    check(sorted(row[1] for row in siblings) == sorted(values or []), f"node {number}: SIBLINGS h f{key}: {siblings}")
                    several += len(set(values or [])) > 1
    return several


def options(client, space):
    info = client.call("SPACE", "INFO", space)
    words = dict(zip(info[::2], info[1::2]))[b"options"]
    return dict(zip(words[::2], words[1::2]))


def failing_rule(ground):
    """A rule that takes numbers only, asked for words."""
    rule = "return function(s)\n  return s[1]:rep(tonumber(s[1]))\nend"
    with ground.client(1) as client:
        check(client.call("SPACE", "ALTER", "sums", "OPTION", "rule", rule) == "OK", "ALTER")
    everywhere(ground, "the rule", lambda client: options(client, "sums") == {b"conflict": b"custom", b"rule": rule.encode()})
    cut_off(ground, 3)
    for number, value in ((1, "a"), (3, "b")):
        with ground.client(number) as client:
            check(client.call("SET", "sums/word", value) == "OK", "SET")
    ground.act("heal")
    everywhere(ground, "both words", lambda client: len(client.call("SIBLINGS", "sums/word")) == 2)
    for number in ground.numbers:
        with ground.client(number) as client:
            for words in (("GET", "sums/word"), ("MGET", "sums/k0", "sums/word"), ("INCR", "sums/word"), ("GETRANGE", "sums/word", 0, 0)):
                refused(client, "rule:2: bad argument #1 to 'rep'", *words)
            check(sorted(row[1] for row in client.call("SIBLINGS", "sums/word")) == [b"a", b"b"], "SIBLINGS")
            check(client.call("EXISTS", "sums/word") == 1, "EXISTS")
    with ground.client(2) as client:
        check(client.call("SET", "sums/word", "decided") == "OK", "SET")
    everywhere(ground, "the decision", lambda client: client.call("GET", "sums/word") == b"decided")


def main():
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    draw = random.Random(seed)
    with Playground(interval=0, cuts=True) as ground:
        ground.wait_all_serve()
        with ground.client(1) as client:
            bad_rules(client)
            create(client, "sums", "crdt", "OPTION", "conflict", "custom", "OPTION", "rule", SUM)
            create(client, "notes", "crdt", "OPTION", "conflict", "merge")
            create(client, "longest", "causal", "OPTION", "conflict", "custom", "rule", LONGEST)
        for space, _ in SPACES:
            everywhere(ground, f"{space}", lambda client: client.call("SET", f"{space}/begin", "1") == "OK")
        written = write_apart(ground, draw)
        wait_for("all digests are equal", lambda: all(len(found) == 1 for found in digests(ground).values()))
        several = compare(ground, written, SPACES)
        figure("47-conflict", f"{several} times several values were shown as one, the same on three nodes")
        check(several > KEYS, "there is something to compare")

        # Another rule sees what the first one saw; a node that was not there learns of it when it comes back.
        ground.act("kill", 3)
        with ground.client(1) as client:
            check(client.call("SPACE", "ALTER", "longest", "OPTION", "rule", SUM) == "OK", "ALTER")
            check(client.call("SPACE", "ALTER", "sums", "OPTION", "conflict", "merge") == "OK", "ALTER")
            refused(client, "rule:1:", "SPACE", "ALTER", "longest", "OPTION", "rule", "return x.y")
        ground.act("start", 3)
        ground.wait_all_serve()
        altered = [("sums", "merge"), ("notes", "merge"), ("longest", SUM)]
        key = next(key for key in range(KEYS) for space, rule in altered[2:] if len(set(written.get((space, key), []))) > 1)
        expected = in_python(SUM, written["longest", key])
        everywhere(ground, "the other rule", lambda client: client.call("GET", f"longest/k{key}") == expected)
        compare(ground, written, altered)
        for number in ground.numbers:
            ground.act("kill", number)
        for number in ground.numbers:
            ground.act("start", number)
        ground.wait_all_serve()
        wait_for("all digests are equal again", lambda: all(len(found) == 1 for found in digests(ground).values()))
        compare(ground, written, altered)
        with ground.client(2) as client:
            check(client.call("SPACE", "ALTER", "sums", "OPTION", "conflict", "custom") == "OK", "ALTER")
        failing_rule(ground)


run(main)
