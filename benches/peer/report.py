"""Ratios pair by pair, their middle and ends; the machine; the table and the files that keep them."""

import csv
import datetime
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from statistics import median

import build
import rows

HEAD = (
    f"{'work':12}{'model':40}{'isa':>5}{'n':>3} {'ocelli':>9} {'llama.cpp':>9} {'unit':9}"
    f" {'ratio':>6}  {'min .. max':15}{'mark':>7}  {'others':>6}  note"
)


def busy():
    """Seconds that all processors have been busy since the machine began, and the time."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, fields)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK"), time.monotonic()


def others(before, own):
    """The share of the machine that was taken by others since `before`, where `own` seconds were ours."""
    now = busy()
    return max(0.0, (now[0] - before[0] - own) / (now[1] - before[1]) / os.cpu_count())


class Result:
    """A row on an instruction set and number of threads: `pairs` of figures of both engines."""

    def __init__(self, row, isa, threads, pairs, tokens):
        self.row, self.isa, self.threads, self.pairs = row, isa, threads, pairs
        self.count = tokens.get(row.work, 1)
        self.ratios = [self._ratio(pair) for pair in pairs]
        self.others = max(pair[engine]["others"] for pair in pairs for engine in pair)

    def _ratio(self, pair):
        ocelli, peer = pair["ocelli"][self.row.work], pair["peer"][self.row.work]
        return ocelli / peer if self.row.work == "memory" else peer / ocelli

    def shown(self, value):
        """A figure in the unit of its work."""
        unit = rows.UNIT[self.row.work]
        if unit == "MiB":
            return value / (1 << 20)
        return self.count / value if unit == "tokens/s" else value * 1e3

    def middle(self, engine):
        return median(self.shown(pair[engine][self.row.work]) for pair in self.pairs)

    def mark(self):
        """The mark and whether the middle ratio reaches it."""
        mark = self.row.mark(self.isa)
        if mark is None:
            return ""
        memory = self.row.work == "memory"
        reached = median(self.ratios) <= mark if memory else median(self.ratios) >= mark
        return f"{'≤' if memory else '≥'}{mark:g} {'yes' if reached else 'no'}"

    def note(self):
        own = [pair["ocelli"] for pair in self.pairs]
        if self.row.work == "decode":
            return f"{median(one['bandwidth'] for one in own):.0f} % of the bandwidth"
        if self.row.work == "memory":
            return f"{median(one['memory'] / one['bill'] for one in own):.3f} of weights and bill"
        return f"{own[0]['views']:.0f} views" if own[0].get("views", 1) != 1 else ""

    def line(self):
        spread = f"{min(self.ratios):.2f} .. {max(self.ratios):.2f}"
        return (
            f"{self.row.work:12}{self.row.name():40}{self.isa:>5}{self.threads:>3} {self.middle('ocelli'):9.1f}"
            f" {self.middle('peer'):9.1f} {rows.UNIT[self.row.work]:9} {median(self.ratios):6.2f}  {spread:15}"
            f"{self.mark():>7}  {self.others:6.0%}  {self.note()}"
        ).rstrip()

    def cells(self):
        """The same as a line of a Markdown table."""
        spread = f"{median(self.ratios):.2f} ({min(self.ratios):.2f} .. {max(self.ratios):.2f})"
        figures = f"{self.middle('ocelli'):.1f} | {self.middle('peer'):.1f} {rows.UNIT[self.row.work]}"
        mark, own = self.mark() or "–", f"{self.others:.0%}"
        cells = [self.row.work, self.row.name(), self.isa, self.threads, figures, spread, mark, own, self.note()]
        return "| " + " | ".join(map(str, cells)) + " |"


def _said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Machine:
    """Where and when, as it was when the race began."""

    def __init__(self, program, given=False):
        self.date = datetime.datetime.now(datetime.timezone.utc)
        self.load = os.getloadavg()
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        self.cpu = found[1] if found else platform.machine()
        wanted = re.compile(r"avx|fma|f16c|bmi2|amx|vnni|asimd|sve|i8mm|bf16")
        self.flags = [flag for flag in build.flags() if wanted.search(flag)]
        commit = _said("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
        self.ocelli = _said(str(program), "--version") + (", a program that was given; here is" if given else ",")
        self.ocelli += f" commit {commit}"

    def file_name(self):
        cpu = re.sub(r"\((R|TM)\)|CPU|Processor|@", "", self.cpu, flags=re.I)
        features = "avx512vnni" if "avx512_vnni" in self.flags else ""
        words = re.findall(r"[a-z0-9.]+", f"{cpu} {features}".lower())
        return f"{self.date:%Y-%m-%d}-{'-'.join(words)}"

    def lines(self, given):
        after = os.getloadavg()
        return [
            f"- {self.date:%Y-%m-%d %H:%M} UTC, {given.rounds} pairs for each row",
            f"- {self.cpu}, {os.cpu_count()} processors: {' '.join(self.flags)}",
            f"- {self.ocelli}",
            f"- llama.cpp as in {'-'.join(build.PACKAGE)}, {_said('cc', '--version').splitlines()[0]}",
            f"- {platform.system()} {platform.release()}, load average {self.load[0]:.2f} before, {after[0]:.2f} after",
        ]


def record(folder, machine, given, results):
    """Writes the table and, beside it, every pair as CSV; a later result of the same day has a number in its name."""
    folder.mkdir(exist_ok=True)
    name, number = machine.file_name(), 1
    while (table := folder / f"{name}{'' if number == 1 else f'-{number}'}.md").exists():
        number += 1
    lines = [
        "# Ocelli against llama.cpp", "", *machine.lines(given), "",
        "A ratio is the median of the pairs, with the smallest and the largest; above 1 Ocelli is faster (memory: below 1",
        "it is smaller). `others` is the most of the machine that other processes took during a row.", "",
        "| work | model | isa | threads | Ocelli | llama.cpp | ratio | mark | others | |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(result.cells() for result in results),
    ]  # fmt: skip
    table.write_text("\n".join(lines) + "\n")
    pairs = table.with_suffix(".csv")
    with pairs.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["work", "model", "isa", "threads", "pair", "unit", "ocelli", "llama.cpp", "ratio", "others"])
        for result in results:
            for number, (pair, ratio) in enumerate(zip(result.pairs, result.ratios), 1):
                figures = [f"{result.shown(pair[engine][result.row.work]):.3f}" for engine in ("ocelli", "peer")]
                load = max(pair[engine]["others"] for engine in pair)
                head = [result.row.work, result.row.name(), result.isa, result.threads, number]
                out.writerow([*head, rows.UNIT[result.row.work], *figures, f"{ratio:.4f}", f"{load:.3f}"])
    return table, pairs
