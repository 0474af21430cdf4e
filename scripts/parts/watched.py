"""What the kernel says of a process while something is done to it: memory, descriptors, time; and verdicts on it.

It reads /proc and judges; it starts nothing.
"""

import json
import os
import pathlib
import re
import threading
import time
from dataclasses import asdict, dataclass


def rss_mb(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)[1]) / 1024


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors_again(pid: int, start: int, seconds: float) -> int:
    """The number of descriptors, once it is `start` again or `seconds` have gone by."""
    deadline = time.monotonic() + seconds
    while descriptors(pid) > start and time.monotonic() < deadline:
        time.sleep(0.1)
    return descriptors(pid)


class Watch:
    """Samples memory and descriptors of a process twice a second while the `with` block runs."""

    def __init__(self, pid: int):
        self.pid = pid
        self.samples: list[tuple[float, float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.began = time.monotonic()
        self.rss_before = rss_mb(self.pid)
        self.cpu_before = cpu_seconds(self.pid)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.seconds = time.monotonic() - self.began

    def _run(self):
        while not self._stop.is_set():
            try:
                sample = (time.monotonic() - self.began, rss_mb(self.pid), descriptors(self.pid))
            except (OSError, TypeError):
                return  # The process has ended: whoever asks next will see it.
            self.samples.append(sample)
            self._stop.wait(0.5)

    @property
    def rss_peak(self) -> float:
        return max(rss for _, rss, _ in self.samples)

    @property
    def descriptors_peak(self) -> int:
        return max(count for _, _, count in self.samples)

    def rss_from(self, share: float) -> tuple[float, float, float]:
        """Memory once `share` of the time had gone by (mean over a few samples), and its bounds from then on."""
        later = [rss for when, rss, _ in self.samples if when >= share * self.seconds]
        first = later[: max(1, len(later) // 40)]
        return sum(first) / len(first), min(later), max(later)


@dataclass
class Finding:
    """One line of a report: what was done, what came of it, what had to."""

    what: str
    figure: str
    target: str
    passed: bool


class Findings:
    """All lines, printed as they come, and the exit code that they make."""

    def __init__(self, json_wanted: bool):
        self.json_wanted = json_wanted
        self.all: list[Finding] = []
        self._row("what", "figure", "target", "")
        self._row("---", "---", "---", "---")

    def _row(self, *cells: str):
        if not self.json_wanted:
            print("| " + " | ".join(cells) + " |", flush=True)

    def add(self, what: str, figure: str, target: str, passed: bool):
        self.all.append(Finding(what, figure, target, passed))
        self._row(what, figure, target, "passed" if passed else "**missed**")

    def note(self, what: str, figure: str):
        """A figure that nothing is demanded of."""
        self.add(what, figure, "–", True)

    def finish(self) -> int:
        missed = [finding.what for finding in self.all if not finding.passed]
        if self.json_wanted:
            print(json.dumps([asdict(finding) for finding in self.all], indent=1))
        else:
            print(f"\nmissed: {', '.join(missed)}" if missed else "\nall passed", flush=True)
        return 1 if missed else 0


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1))]
