"""Starts what stands on both sides of foreword: the scripted upstream, and processes for clients."""

import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult
from pathlib import Path

from processes import Children

PROGRAM = Path(__file__).with_name("scripted_upstream.py")


def start_upstream(children: Children) -> str:
    """Its address, without a path."""
    child = children.start("upstream", [sys.executable, str(PROGRAM)])
    return f"http://127.0.0.1:{child.wait_for_line(r'^port ([0-9]+)$', 20)[1]}"


@contextlib.contextmanager
def client_processes(count: int) -> Iterator[Callable[..., AsyncResult]]:
    """Gives a function that calls another one in a process of its own; leaving the block ends what still runs."""
    with get_context("spawn").Pool(count, _quiet) as pool:
        yield lambda function, *arguments: pool.apply_async(function, arguments)


def _quiet() -> None:
    # Pauses of the collector would be measured as latency. Who is stopped is told by the parent.
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
