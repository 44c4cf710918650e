"""Results: a table for people, and counters that add up over runs (docs/nemesis.tsv, shown in docs/proof.md)."""
import os

BEGIN, END = "<!-- nemesis:begin -->", "<!-- nemesis:end -->"
COLUMNS = ("workload", "nemesis", "runs", "holds", "violated", "unknown", "caught", "missed", "seconds", "acked", "open", "faults", "p99_ms_max")
VERDICTS = ("holds", "violated", "unknown", "caught", "missed")


def table(results):
    """Workloads down, nemeses across the rows below each other: one line a nemesis."""
    names = sorted({result.workload for result in results})
    cell = {(result.workload, result.nemesis): result for result in results}
    wide = max(len(result.nemesis) for result in results)
    lines = ["", " " * wide + "  " + "  ".join(f"{name:>8}" for name in names)]
    for nemesis in dict.fromkeys(result.nemesis for result in results):
        row = [cell.get((name, nemesis)) for name in names]
        lines.append(f"{nemesis:<{wide}}  " + "  ".join(f"{result.verdict if result else '':>8}" for result in row).rstrip())
    counts = {verdict: sum(result.verdict == verdict for result in results) for verdict in VERDICTS}
    lines.append("")
    lines.append(f"{len(results)} cells: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
                 + f"; {sum(result.ok for result in results)} operations acknowledged, {sum(result.info for result in results)} unknown, "
                 + f"{sum(result.fault_count for result in results)} faults")
    return "\n".join(lines)


def load(path):
    rows = {}
    if os.path.exists(path):
        with open(path) as file:
            lines = file.read().splitlines()
        for line in lines[1:]:
            row = dict(zip(COLUMNS, line.split("\t")))
            rows[row["workload"], row["nemesis"]] = {name: value if name in COLUMNS[:2] else int(value) for name, value in row.items()}
    return rows


def add(root, result):
    path = os.path.join(root, "docs", "nemesis.tsv")
    rows = load(path)
    row = rows.setdefault((result.workload, result.nemesis), dict.fromkeys(COLUMNS, 0) | {"workload": result.workload, "nemesis": result.nemesis})
    row["runs"] += 1
    row[result.verdict] += 1
    row["seconds"] += round(result.seconds)
    row["acked"] += result.ok
    row["open"] += result.info
    row["faults"] += result.fault_count
    row["p99_ms_max"] = max(row["p99_ms_max"], round(result.p99_ms))
    with open(path + ".new", "w") as file:
        file.write("\t".join(COLUMNS) + "\n")
        file.writelines("\t".join(str(rows[key][name]) for name in COLUMNS) + "\n" for key in sorted(rows))
    os.rename(path + ".new", path)
    show(root, rows)


def show(root, rows):
    """The block of docs/proof.md between the two marks; nothing else of that page is touched."""
    page = os.path.join(root, "docs", "proof.md")
    text = open(page).read() if os.path.exists(page) else f"# Proof\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text:
        text += f"\n{BEGIN}\n{END}\n"
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(page, "w") as file:
        file.write(head + BEGIN + "\n" + block(rows) + END + tail)


def block(rows):
    total = {name: sum(row[name] for row in rows.values()) for name in COLUMNS[2:]}
    workloads = sorted({row["workload"] for row in rows.values()})
    names = sorted({row["nemesis"] for row in rows.values()})
    lines = ["## Real processes under a nemesis", "",
             "Written by `script/nemesis --record`. A cell is a workload under a nemesis, on a fresh cluster of real processes; it says how many runs",
             "held, and `!` how many did not: v violated, u unknown. The canary `liar` must be caught, not hold. Counters add up over all recorded",
             "runs, those from before a repair too: `append:dribble` found a frame size that was believed without a check, on bytes that the proxy",
             "itself had lost; both are mended.", "",
             f"{len(rows)} cells, {total['runs']} runs, {total['seconds'] / 3600:.1f} hours: {total['holds']} held, {total['violated']} violated, "
             f"{total['unknown']} unknown; canaries {total['caught']} caught, {total['missed']} missed. "
             f"{total['acked']} operations acknowledged, {total['open']} of unknown outcome, {total['faults']} faults that fired.", "",
             "| nemesis | " + " | ".join(workloads) + " | acked | unknown | faults | worst p99 |", "|---" * (len(workloads) + 5) + "|"]
    for name in names:
        mine = [row for row in rows.values() if row["nemesis"] == name]
        marks = [mark(rows.get((workload, name))) for workload in workloads]
        acked, opened = sum(row["acked"] for row in mine), sum(row["open"] for row in mine)
        lines.append(f"| {name} | " + " | ".join(marks) + f" | {acked} | {100 * opened / max(1, acked + opened):.1f}% | "
                     f"{sum(row['faults'] for row in mine)} | {max(row['p99_ms_max'] for row in mine)} ms |")
    return "\n".join(lines) + "\n"


def mark(row):
    if not row:
        return ""
    text = str(row["holds"] + row["caught"])
    wrong = "".join(f" {row[name]}{name[0]}" for name in ("violated", "unknown", "missed") if row[name])
    return text + (" !" + wrong if wrong else "")
