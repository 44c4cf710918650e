"""Histories with known verdicts through `skein check`: our own, and what the command promises of its output."""
import glob
import html.parser
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEIN = os.path.join(ROOT, "build", "skein")
OWN = os.path.join(ROOT, "test", "check", "histories")
VERDICTS = {"good": ("holds", 0), "bad": ("violated", 1), "unknown": ("unknown", 2)}


def skein_check(*arguments, stdin=None):
    return subprocess.run([SKEIN, "check", *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=120)


def expect(condition, what):
    if not condition:
        print(f"wrong: {what}")
        sys.exit(1)


class Page(html.parser.HTMLParser):
    """Counts what matters of a page, and refuses what would need a network."""

    def __init__(self, text):
        super().__init__()
        self.bars = self.culprits = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        self.bars += tag == "rect"
        self.culprits += "culprit" in names.get("class", "").split()
        expect(tag not in ("script", "link", "img", "iframe") and "src" not in names and "href" not in names,
               f"the page needs nothing from elsewhere: <{tag} {names}>")


def own_histories():
    count = 0
    for folder in sorted(glob.glob(os.path.join(OWN, "*", "*"))):
        model, kind = folder.split(os.sep)[-2:]
        verdict, status = VERDICTS[kind]
        keyed = ["--keyed"] if model.endswith("+keyed") else []
        for path in sorted(os.listdir(folder)):
            path = os.path.join(folder, path)
            done = skein_check("--model", model.removesuffix("+keyed"), *keyed, path)
            expect(done.stdout.startswith(f"{path}: {verdict} "), f"{path}: {done.stdout} {done.stderr}")
            expect(done.returncode == status and done.stdout.count("\n") == 1, f"{path}: status {done.returncode}")
            expect((kind == "bad") == bool(done.stderr), f"only what is violated is explained: {path}")
            count += 1
    expect(count >= 15, f"only {count} histories found")
    print(f"figure: {count} histories of our own have their verdicts")


def many_files():
    good = os.path.join(OWN, "register", "good", "stale-while-writing.edn")
    bad = os.path.join(OWN, "register", "bad", "back-in-time.edn")
    unknown = os.path.join(OWN, "register", "unknown", "truncated.edn")
    expect(skein_check("-m", "register", good, good).returncode == 0, "all hold")
    expect(skein_check("-m", "register", good, unknown).returncode == 2, "one is unknown")
    done = skein_check("-m", "register", unknown, bad, good, "/nowhere/at-all.edn")
    expect(done.returncode == 1 and done.stdout.count("\n") == 4, "violated outweighs unknown; one line each")
    expect("/nowhere/at-all.edn: unknown" in done.stdout, "a file that is not there is unknown, not good")
    with open(good, encoding="utf-8") as file:
        expect(skein_check("-m", "register", "-", stdin=file.read()).returncode == 0, "from the standard input")


def wrong_usage():
    for arguments in (["x.edn"], ["-m", "register"], ["-m", "teapot", "x.edn"], ["-m", "register", "-c", "teapot", "x.edn"],
                      ["-m", "register", "--seconds", "soon", "x.edn"]):
        expect(skein_check(*arguments).returncode == 64, f"usage: {arguments}")


def pictures():
    bad = sorted(glob.glob(os.path.join(OWN, "register", "bad", "*")))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.html")
        done = skein_check("-m", "register", "--html", path, *bad)
        expect(done.returncode == 1, "violated")
        with open(path, encoding="utf-8") as file:
            page = Page(file.read())
        expect(page.culprits == len(bad) and page.bars > len(bad), f"{page.culprits} culprits, {page.bars} bars")
        expect(skein_check("-m", "register", "--html", os.path.join(folder, "no", "where.html"), *bad).returncode == 73,
               "a page that cannot be written")


def limits():
    """D23: a check that cannot finish is unknown."""
    events = []
    for i in range(24):
        events.append(f"{{:process {i} :type :invoke :f :enqueue :value {i}}}")
    for i in range(24):
        events.append(f"{{:process {i} :type :ok :f :enqueue :value {i}}}")
    events += ["{:process 0 :type :invoke :f :dequeue}", "{:process 0 :type :ok :f :dequeue :value 99}"]
    for flag in (["--seconds", "1"], ["--memory", "1"]):
        done = skein_check("-m", "queue", *flag, "-", stdin="\n".join(events))
        expect(done.returncode == 2 and "out of" in done.stdout, f"{flag}: {done.stdout}")


if __name__ == "__main__":
    own_histories()
    many_files()
    wrong_usage()
    pictures()
    limits()
