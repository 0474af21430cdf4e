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


def _spawn(command: list[str], env: dict[str, str] | None, cwd, **pipes) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_die_with_parent,
        **pipes,
    )


def _signal_group(process: subprocess.Popen, kind: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, kind)


class Child:
    """A running child whose output is read line by line; the last lines are kept for error messages."""

    def __init__(self, name: str, command: list[str], *, env: dict[str, str] | None = None, cwd=None):
        self.name = name
        self.echo = False
        self._lines = collections.deque(maxlen=400)
        self._changed = threading.Condition()
        # Two pipes: in one, what a library writes piece by piece would get into the middle of other lines.
        self._process = _spawn(command, env, cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pipes = [self._process.stdout, self._process.stderr]
        self._open_pipes = len(pipes)
        for pipe in pipes:
            threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe) -> None:
        for line in pipe:
            line = COLOUR_CODES.sub("", line.rstrip("\n"))
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
            if self.echo:
                print(line, flush=True)
        with self._changed:
            self._open_pipes -= 1
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def has_ended_within(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.running

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
                if self._open_pipes == 0 or left <= 0:
                    break
                self._changed.wait(left)
        what = "ended" if self._open_pipes == 0 else f"did not get ready within {seconds:.0f} s"
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
            self.has_ended_within(0.1)
        raise ProcessError(f"{self.name} is not ready ({url}: {reason}). Its last lines:\n{self.last_lines()}")

    def end(self, seconds: float = 10) -> None:
        """Asks the child to stop and makes it stop after `seconds`."""
        try:
            for kind, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5)):
                _signal_group(self._process, kind)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
                    break
        finally:
            # What the child itself left behind in its group.
            _signal_group(self._process, signal.SIGKILL)


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

    def wait_for_first_end(self) -> Child:
        """Waits until one of the children has ended, and gives it."""
        while True:
            for child in self._children:
                if child.has_ended_within(0.5):
                    return child


@contextlib.contextmanager
def _ended_at_exit(process: subprocess.Popen):
    """Whatever happens inside the block, nothing of the process and its group runs after it."""
    try:
        yield process
    except BaseException:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        raise
    finally:
        _signal_group(process, signal.SIGKILL)


def run_attached(command: list[str], *, env: dict[str, str] | None = None, cwd=None) -> int:
    """Runs a command with our output as its own; gives its exit code."""
    with _ended_at_exit(_spawn(command, env, cwd)) as process:
        return process.wait()


def run_captured(command: list[str], *, env: dict[str, str] | None = None, cwd=None) -> tuple[int, str]:
    """Runs a command to its end; gives its exit code and what it printed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with _ended_at_exit(_spawn(command, env, cwd, **pipes)) as process:
        output, _ = process.communicate()
        return process.returncode, output


class Stopped(Exception):
    """SIGTERM, SIGHUP or Ctrl-C."""

    def __init__(self, kind: signal.Signals):
        super().__init__(f"stopped by {kind.name}")
        self.exit_code = 128 + kind


def stop_on_signals() -> None:
    """Turns SIGINT, SIGTERM and SIGHUP into `Stopped`, so that every `with` and `finally` runs."""

    def raise_stopped(number, _frame):
        raise Stopped(signal.Signals(number))

    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, raise_stopped)


def fail(script: str, error: BaseException) -> int:
    """Prints an error for a person; gives the exit code."""
    print(f"{script}: {error}", file=sys.stderr, flush=True)
    return error.exit_code if isinstance(error, Stopped) else 1
