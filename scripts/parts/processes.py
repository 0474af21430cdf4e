"""Child processes that are waited for by what they say, never by time, and that do not outlive this process.

Every child gets a process group of its own, and only groups started here are ever signalled. This file knows
nothing of models or proxies.
"""

import collections
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

PR_SET_PDEATHSIG = 1
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")
_libc = ctypes.CDLL(None, use_errno=True)


class ProcessError(Exception):
    """A child that did not do what it was started for; holds its last lines."""


def _die_with_parent() -> None:
    # Even a parent that is killed outright leaves nothing behind.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A running child whose output is read line by line; the last lines are kept for error messages."""

    def __init__(self, name: str, command: list[str], *, env: dict[str, str] | None = None, cwd=None):
        self.name = name
        self.echo = False
        self._lines = collections.deque(maxlen=400)
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            line = COLOUR_CODES.sub("", line.rstrip("\n"))
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
            if self.echo:
                print(line, flush=True)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def last_lines(self, count: int = 20) -> str:
        with self._changed:
            return "\n".join("  " + line for line in list(self._lines)[-count:])

    def wait_for_line(self, pattern: str, seconds: float) -> re.Match:
        """The first line (past or to come) that has the pattern."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for line in self._lines:
                    if found := re.search(pattern, line):
                        return found
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    break
                self._changed.wait(left)
        what = "ended" if self._ended else f"did not get ready within {seconds:.0f} s"
        raise ProcessError(f"{self.name} {what}. Its last lines:\n{self.last_lines()}")

    def wait_until_ready(self, url: str, seconds: float) -> None:
        """Asks `url` until it answers 200."""
        deadline = time.monotonic() + seconds
        reason = "no answer"
        while self.running and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    answer.read()
                    return
            except urllib.error.HTTPError as error:
                reason = f"status {error.code}"
                error.close()
            except OSError as error:
                reason = str(error)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        raise ProcessError(f"{self.name} is not ready ({url}: {reason}). Its last lines:\n{self.last_lines()}")

    def end(self, seconds: float = 10) -> None:
        """Asks the child to stop and makes it stop after `seconds`."""
        try:
            for kind, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5)):
                self._signal_group(kind)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
                    break
        finally:
            # What the child itself left behind in its group.
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, kind: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, kind)


class Children:
    """All children of one script; leaving the `with` block ends them, the last started first."""

    def __init__(self):
        self._children: list[Child] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not leave half of them running.
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, signal.SIG_IGN)
        for child in reversed(self._children):
            child.end()

    def start(self, name: str, command: list[str], **options) -> Child:
        child = Child(name, command, **options)
        self._children.append(child)
        return child

    def first_to_end(self) -> Child | None:
        return next((child for child in self._children if not child.running), None)


def run_attached(command: list[str], *, env: dict[str, str] | None = None, cwd=None) -> int:
    """Runs a command with our output as its own; it ends with its whole group when we are interrupted."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        return process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def run_captured(command: list[str], *, env: dict[str, str] | None = None, cwd=None) -> tuple[int, str]:
    """Runs a command to its end; gives its exit code and what it printed."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        output, _ = process.communicate()
        return process.returncode, output
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class Stopped(Exception):
    """SIGTERM or Ctrl-C."""


def stop_on_signals() -> None:
    """Turns SIGINT, SIGTERM and SIGHUP into `Stopped`, so that every `with` and `finally` runs."""

    def raise_stopped(number, _frame):
        raise Stopped(signal.Signals(number).name)

    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, raise_stopped)


def fail(script: str, error: BaseException) -> int:
    """Prints an error for a person; gives the exit code."""
    print(f"{script}: {error}", file=sys.stderr, flush=True)
    return 130 if isinstance(error, Stopped) else 1
