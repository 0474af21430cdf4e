"""Drives foreword at twice its capacity, with thousands of open streams, and with slow clients; judges what it did.

The upstream takes its time as a model does, so the capacity is what `server.max_requests` allows: that many answers
at once. What is offered beyond it must be refused at once and must not slow down what was admitted. Clients run in
processes of their own. `scripts/load` starts this file; it builds nothing.
"""

import argparse
import asyncio
import json
import re
import resource
import socket
import sys
import time
import urllib.request
from collections.abc import Callable

import foreword_server
from load_client import PATIENCE, SEEDS, Load, Outcome, chat
from processes import Children, ProcessError, Stopped, fail, stop_on_signals
from scripted import client_processes, start_upstream
from watched import Findings, Watch, descriptors, descriptors_again, percentile, rss_mb

SLOW_CLIENTS = 20
# Longest time for descriptors to be given back: idle upstream connections are dropped after two seconds.
GIVE_BACK_SECONDS = 20
SMALL_CACHES = {
    # Full within the first minute: what caches may hold is no leak.
    "FOREWORD_INJECTION__PLAN_CACHE": "200",
    "FOREWORD_RETRIEVAL__QUERY_CACHE": "200",
    "FOREWORD_UPSTREAM__POOL_IDLE_TIMEOUT": "2s",
    "FOREWORD_LIVE__STORE": "off",
}


# What follows runs in the clients' processes.


def loop_closed(port: int, model: str, clients: int, seconds: float, pause: float = 0.0) -> Outcome:
    return asyncio.run(then_closed(Load(port, model), lambda load: load.closed_loop(clients, seconds, pause)))


def loop_open(port: int, model: str, rate: float, seconds: float) -> Outcome:
    return asyncio.run(then_closed(Load(port, model), lambda load: load.open_loop(rate, seconds)))


async def then_closed(load: Load, drive) -> Outcome:
    outcome = await drive(load)
    load.close()
    # The loop closes sockets in its next round.
    await asyncio.sleep(0.1)
    return outcome


def hold_streams(port: int, count: int) -> Outcome:
    """Opens streams that stay silent until somebody releases them; each must then end whole."""

    async def hold() -> Outcome:
        load, outcome = Load(port, "hold-0"), Outcome()

        async def one():
            connection, seed = await load.connect(), next(SEEDS)
            connection.buffer.clear()
            connection.waiting = asyncio.get_running_loop().create_future()
            connection.transport.write(chat("hold-0", seed, stream=True))
            outcome.judge(await connection.waiting, seed, 0.0)
            connection.transport.close()

        streams = []
        for _ in range(count):
            streams.append(asyncio.ensure_future(one()))
            await asyncio.sleep(0.001)
        await asyncio.gather(*streams)
        return outcome

    return asyncio.run(hold())


def be_slow(port: int, seconds: float) -> dict:
    """Readers that take 64 MB a few kilobytes at a time, and writers that send a byte at a time."""
    ended = time.monotonic() + seconds

    async def reader(loop, done):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        with client:
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_sendall(client, chat("big-64", next(SEEDS), stream=True))
            while time.monotonic() < ended:
                read = await asyncio.wait_for(loop.sock_recv(client, 2_048), PATIENCE)
                done["read"] += len(read)
                await asyncio.sleep(0.05)

    async def writer(loop, done):
        client = socket.socket()
        client.setblocking(False)
        with client:
            await loop.sock_connect(client, ("127.0.0.1", port))
            for byte in chat("think-50", next(SEEDS), stream=True) * 100:
                if time.monotonic() > ended:
                    return
                await loop.sock_sendall(client, bytes([byte]))
                done["written"] += 1
                await asyncio.sleep(0.05)

    async def all_of_them() -> dict:
        loop, done = asyncio.get_running_loop(), {"read": 0, "written": 0}
        await asyncio.gather(*(kind(loop, done) for kind in (reader, writer) for _ in range(SLOW_CLIENTS)))
        return done

    return asyncio.run(all_of_them())


# What follows runs here.


def asked(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def port_of(url: str) -> int:
    return int(re.search(r":(\d+)", url.removeprefix("http://"))[1])


def in_milliseconds(values: list[float]) -> str:
    return f"p50 {percentile(values, 0.5):.0f} ms, p99 {percentile(values, 0.99):.0f} ms"


class Run:
    """One foreword in front of the upstream, and what is done to it."""

    def __init__(self, options, children: Children, clients: Callable, findings: Findings):
        self.options, self.children, self.clients, self.findings = options, children, clients, findings
        self.upstream = start_upstream(children)
        self.model = f"think-{options.think}"

    def start(self, max_requests: int) -> None:
        settings = {"FOREWORD_SERVER__MAX_REQUESTS": str(max_requests), **SMALL_CACHES}
        binary = foreword_server.binary_named_by_environment()
        self.server = foreword_server.start(self.children, binary, f"{self.upstream}/v1", settings)
        self.pid, self.port = self.server.child.pid, port_of(self.server.base_url)
        # The connection that asked whether it is ready is given back first.
        time.sleep(0.5)
        self.descriptors = descriptors(self.pid)

    def finish(self, what: str) -> None:
        """Everything that was opened is given back, and the process lives; then it ends."""
        count = descriptors_again(self.pid, self.descriptors, GIVE_BACK_SECONDS)
        self.findings.add(f"{what}: descriptors afterwards", f"{self.descriptors} → {count}", "the start value", count <= self.descriptors)
        self.findings.add(f"{what}: the process", "runs" if self.server.child.running else "has ended", "runs", self.server.child.running)
        self.server.child.end()

    def closed(self, clients: int, seconds: float, pause: float = 0.0):
        return self.clients(loop_closed, self.port, self.model, clients, seconds, pause)

    def overload(self) -> None:
        """Both loops at twice the capacity."""
        places, add = self.options.places, self.findings.add
        self.start(places)
        self.closed(places, 3).get()
        alone = self.closed(4, 15).get().admitted
        self.findings.note("unloaded, 4 at once", in_milliseconds(alone))
        full = self.closed(places, 10, 0.005).get()
        capacity = len(full.admitted) / full.seconds
        self.findings.note(f"capacity with {places} at once", f"{capacity:.0f} answers/s, {in_milliseconds(full.admitted)}")
        seconds = self.options.minutes * 60
        pause = percentile(alone, 0.5) / 1000
        loops = {
            "closed loop": lambda: self.closed(2 * places, seconds, pause),
            "open loop": lambda: self.clients(loop_open, self.port, self.model, 2 * capacity, seconds),
        }
        for name, begin in loops.items():
            with Watch(self.pid) as watch:
                outcome = begin().get()
            self.judge(f"{name}, {self.options.minutes:g} min", outcome, watch, capacity, percentile(alone, 0.99))
        served = len(self.closed(4, 3).get().admitted)
        add("afterwards", f"{served} answers in 3 s", "some", served > 0)
        self.finish("load")

    def judge(self, name: str, outcome: Outcome, watch: Watch, capacity: float, p99_alone: float) -> None:
        add = self.findings.add
        offered = outcome.requests / outcome.seconds
        add(f"{name}: offered", f"{offered:.0f}/s = {offered / capacity:.2f} × capacity", "≥ 1.8 ×", offered >= 1.8 * capacity)
        p99 = percentile(outcome.admitted, 0.99)
        figure = f"{len(outcome.admitted)} answers, {in_milliseconds(outcome.admitted)} = {p99 / p99_alone:.2f} × unloaded"
        add(f"{name}: admitted", figure, "p99 ≤ 3 × unloaded", p99 <= 3 * p99_alone)
        lost = ", ".join(f"{count} {why}" for why, count in outcome.lost.items()) or "nothing else"
        add(f"{name}: the rest", f"{outcome.refused} × 503 with Retry-After, {lost}", "nothing else", not outcome.lost and outcome.refused > 0)
        first, low, high = watch.rss_from(0.2)
        change = max(high - first, first - low) / first
        add(f"{name}: RSS after a fifth of the time", f"{first:.1f} MB, then {low:.1f} to {high:.1f} ({change:.1%})", "within 5 %", change <= 0.05)
        decisions = ", ".join(f"{name} {count}" for name, count in outcome.decisions.most_common())
        self.findings.note(f"{name}: decisions", decisions or "none")

    def streams_and_slow_clients(self) -> None:
        """Idle streams beside a normal client, then slow clients beside it."""
        count, add = self.options.streams, self.findings.add
        self.start(4096)
        self.closed(4, 3).get()
        alone = self.closed(4, 10).get().admitted
        p99_alone = percentile(alone, 0.99)
        self.findings.note("a normal client alone, 4 at once", in_milliseconds(alone))
        before = rss_mb(self.pid)
        held = self.clients(hold_streams, self.port, count)
        open_now = self.wait_for_streams(count)
        with Watch(self.pid) as watch:
            beside = self.closed(4, 10).get()
        figure = f"{open_now} open, RSS {before:.0f} → {watch.rss_peak:.0f} MB (+{watch.rss_peak - before:.0f}), {watch.descriptors_peak} descriptors"
        add("idle streams", figure, f"{count} open, + ≤ 200 MB", open_now >= count and watch.rss_peak - before <= 200)
        self.beside("beside idle streams", beside, p99_alone)
        asked(f"{self.upstream}/control/release")
        whole = len(held.get(120).admitted)
        add("idle streams, released", f"{whole} of {count} ended whole", "all", whole == count)

        # Measured again: on a machine that does other things, too, a minute is a long time.
        again = self.closed(4, 10).get().admitted
        self.findings.note("a normal client alone again", in_milliseconds(again))
        before = rss_mb(self.pid)
        slow = self.clients(be_slow, self.port, 15)
        time.sleep(2)
        with Watch(self.pid) as watch:
            beside = self.closed(4, 10).get()
        done = slow.get(60)
        figure = f"{done['read'] // 1024} KB read, {done['written']} bytes written, RSS {before:.0f} → {watch.rss_peak:.0f} MB"
        add(f"{SLOW_CLIENTS} slow readers and {SLOW_CLIENTS} slow writers", figure, "+ ≤ 50 MB", watch.rss_peak - before <= 50 and done["read"] > 0)
        self.beside("beside slow clients", beside, percentile(again, 0.99))
        self.finish("streams and slow clients")

    def beside(self, name: str, outcome: Outcome, p99_alone: float) -> None:
        """A client that did nothing wrong must not notice the others."""
        p99 = percentile(outcome.admitted, 0.99) if outcome.admitted else float("inf")
        lost = outcome.refused + outcome.lost.total()
        figure = f"{len(outcome.admitted)} answers, {lost} lost, p99 {p99:.0f} ms = {p99 / p99_alone:.2f} × alone"
        self.findings.add(f"a normal client {name}", figure, "p99 ≤ 2 × alone, none lost", not lost and p99 <= 2 * p99_alone)

    def wait_for_streams(self, count: int) -> int:
        deadline = time.monotonic() + 60
        while True:
            held = json.loads(asked(f"{self.upstream}/control/seen"))["held"]
            if held >= count or time.monotonic() > deadline:
                return held
            time.sleep(0.2)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/load", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0.5, help="for each of the two loops (default: 0.5)")
    parser.add_argument("--places", type=int, default=32, help="server.max_requests while it is overloaded (default: 32)")
    parser.add_argument("--think", type=int, default=50, help="how long an answer takes, in ms (default: 50)")
    parser.add_argument("--streams", type=int, default=2000, help="idle streams at once (default: 2000)")
    parser.add_argument("--phases", nargs="+", default=["overload", "streams"], choices=["overload", "streams"])
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    return parser.parse_args()


def main() -> int:
    options = parse()
    stop_on_signals()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        with Children() as children, client_processes(2) as clients:
            findings = Findings(options.json)
            run = Run(options, children, clients, findings)
            if "overload" in options.phases:
                run.overload()
            if "streams" in options.phases:
                run.streams_and_slow_clients()
            return findings.finish()
    except (ProcessError, Stopped, OSError) as error:
        return fail("scripts/load", error)


if __name__ == "__main__":
    sys.exit(main())
