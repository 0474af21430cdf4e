"""Attacks foreword, each attack beside an honest client, and judges: was it ended, was everybody else served, was
everything given back.

The limits on time are set low, so that each is reached within the seconds that an attack lasts. Attackers and the
honest client run in processes of their own. `scripts/attacks` starts this file; it builds nothing.
"""

import argparse
import asyncio
import inspect
import json
import resource
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import attack_http1
import attack_http2
import foreword_server
from attack_http1 import SMUGGLED, Done
from load_client import Load, Outcome
from processes import Children, ProcessError, Stopped, fail, stop_on_signals
from scripted import client_processes, start_upstream
from watched import Findings, Watch, descriptors, descriptors_again, percentile

SETTINGS = {
    "FOREWORD_SERVER__HEADER_TIMEOUT": "2s",
    "FOREWORD_SERVER__BODY_TIMEOUT": "3s",
    "FOREWORD_UPSTREAM__POOL_IDLE_TIMEOUT": "1s",
    "FOREWORD_LIVE__STORE": "off",
    "FOREWORD_RETRIEVAL__MODEL": "off",
    # What it writes is read here, and that is not what is measured.
    "FOREWORD_LOG__LEVEL": "error",
}
GIVE_BACK_SECONDS = 15
MOST_GROWTH_MB = 100
# An honest answer takes 50 ms of the upstream's own time. The attacker has the same processors.
PROMPT_MS = 1_000

PLAIN = {
    "HTTP/2 rapid reset": attack_http2.rapid_reset,
    "HTTP/2 reset once forwarded": attack_http2.late_reset,
    "HTTP/2 CONTINUATION flood": attack_http2.continuation_flood,
    "HTTP/2 empty CONTINUATION flood": attack_http2.empty_continuations,
    "HTTP/2 compression bomb": attack_http2.compression_bomb,
    "HTTP/2 PING flood": attack_http2.ping_flood,
    "HTTP/2 SETTINGS flood": attack_http2.settings_flood,
    "HTTP/2 WINDOW_UPDATE flood": attack_http2.window_updates,
    "HTTP/2 empty DATA flood": attack_http2.empty_data,
    "HTTP/2 closed windows": attack_http2.closed_windows,
    "HTTP/2 unfinished streams": attack_http2.slow_streams,
    "HTTP/2 smuggling shapes": attack_http2.smuggling,
    "slow heads": attack_http1.slow_heads,
    "silent connections": attack_http1.silent_connections,
    "silent bodies": attack_http1.silent_bodies,
    "slow bodies": attack_http1.slow_bodies,
    "header bombs": attack_http1.header_bombs,
    "chunk extensions": attack_http1.chunk_extensions,
    "oversized bodies": attack_http1.oversized_bodies,
    "pipelines without reading": attack_http1.pipelines,
    "smuggling shapes": attack_http1.smuggling,
    "garbage": attack_http1.garbage,
}
OVER_TLS = {"TLS garbage": attack_http1.tls_garbage}
# Against a foreword that may open 300 descriptors: nobody can be served meanwhile, but everybody afterwards.
STARVED = {"no descriptors left": attack_http1.silent_connections}
FEW_DESCRIPTORS = 300
ATTACKS = {**PLAIN, **OVER_TLS, **STARVED}


# What follows runs in processes of their own.


def attack(name: str, port: int, seconds: float) -> Done:
    return asyncio.run(ATTACKS[name](port, seconds))


def honest(port: int, seconds: float, certificate: str | None) -> Outcome:
    async def drive() -> Outcome:
        context = ssl.create_default_context(cafile=certificate) if certificate else None
        if context:
            context.check_hostname = False
        load = Load(port, "think-50", unseen_every=10, ssl=context)
        # A pause even between answers: it is one of many, not a load.
        outcome = await load.closed_loop(4, seconds, 0.05)
        load.close()
        await asyncio.sleep(0.1)
        return outcome

    return asyncio.run(drive())


# What follows runs here.


def certificate_in(folder: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1, signed by itself."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return str(certificate), str(key)


class Target:
    """A foreword that is attacked."""

    def __init__(self, children: Children, upstream: str, certificate: tuple[str, str] | None = None):
        settings = dict(SETTINGS)
        if certificate:
            settings |= {"FOREWORD_SERVER__TLS_CERTIFICATE": certificate[0], "FOREWORD_SERVER__TLS_KEY": certificate[1]}
        binary = foreword_server.binary_named_by_environment()
        self.server = foreword_server.start(children, binary, f"{upstream}/v1", settings)
        self.certificate = certificate[0] if certificate else None
        self.pid = self.server.child.pid
        self.port = int(self.server.base_url.removesuffix("/v1").rsplit(":", 1)[1])
        time.sleep(0.5)
        self.descriptors = descriptors(self.pid)


class Siege:
    """All attacks, one after another."""

    def __init__(self, clients: Callable, upstream: str, seconds: float, findings: Findings):
        self.clients, self.upstream, self.seconds, self.findings = clients, upstream, seconds, findings

    def attack(self, name: str, target: Target) -> None:
        with Watch(target.pid) as watch:
            served = self.clients(honest, target.port, self.seconds, target.certificate)
            done: Done = self.clients(attack, name, target.port, self.seconds).get()
            outcome: Outcome = served.get()
        left = descriptors_again(target.pid, target.descriptors, GIVE_BACK_SECONDS)
        growth = watch.rss_peak - watch.rss_before
        lost = outcome.refused + outcome.lost.total()
        p99 = percentile(outcome.admitted, 0.99) if outcome.admitted else float("inf")
        figure = f"{done.figure()}; RSS +{growth:.0f} MB; descriptors {target.descriptors} → {watch.descriptors_peak} → {left}"
        checks = {
            done.must or "survived": done.as_it_must,
            f"RSS + ≤ {MOST_GROWTH_MB} MB": growth <= MOST_GROWTH_MB,
            "descriptors given back": left <= target.descriptors,
            "nothing smuggled": not self.has_smuggled(),
            "still running": target.server.child.running,
            "honest client served": not lost and p99 <= PROMPT_MS,
        }
        missed = [check for check, holds in checks.items() if not holds]
        honest_figure = f"honest client: {len(outcome.admitted)} answers, {lost} lost, p99 {p99:.0f} ms"
        if outcome.lost:
            honest_figure += f" ({', '.join(outcome.lost)})"
        told = done.must or "everybody else served"
        self.findings.add(name, f"{figure}; {honest_figure}", f"missed: {', '.join(missed)}" if missed else told, not missed)

    def starve(self, name: str, target: Target) -> None:
        with Watch(target.pid) as watch:
            done: Done = self.clients(attack, name, target.port, self.seconds).get()
        outcome: Outcome = self.clients(honest, target.port, 5, None).get()
        left = descriptors_again(target.pid, target.descriptors, GIVE_BACK_SECONDS)
        slowest = max(outcome.admitted, default=float("inf"))
        figure = (
            f"{done.figure()}; descriptors {target.descriptors} → {watch.descriptors_peak} of {FEW_DESCRIPTORS} → {left}; honest client afterwards: "
            f"{len(outcome.admitted)} answers, {outcome.lost.total()} lost, the slowest after {slowest / 1000:.1f} s"
        )
        held = target.server.child.running and not outcome.lost and slowest <= 5_000 and left <= target.descriptors
        self.findings.add(name, figure, "served within 5 s of its end", held)

    def has_smuggled(self) -> bool:
        with urllib.request.urlopen(f"{self.upstream}/control/seen", timeout=10) as answer:
            targets = dict(json.load(answer)["targets"])
        # What a client sends openly after a request that was complete is no secret; only it may arrive.
        return any(target not in OPEN_TARGETS for target in targets)


OPEN_TARGETS = {"/v1/chat/completions", "/v1/embeddings", "/v1/models", "/control/seen"}
assert SMUGGLED not in OPEN_TARGETS


def allow_descriptors(count: int | None) -> None:
    """So many for whoever is started from now on; `None`: as many as may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count or most, most))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/attacks", description="Attacks foreword beside an honest client.")
    parser.add_argument("--seconds", type=float, default=8, help="for each attack (default: 8)")
    parser.add_argument("--only", nargs="+", choices=list(ATTACKS), metavar="NAME", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="name the attacks, and end")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if options.list:
        for name, function in ATTACKS.items():
            print(f"{name}: {inspect.getdoc(function) or 'see its name'}")
        return 0
    stop_on_signals()
    allow_descriptors(None)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="foreword-attacks-") as folder,
            Children() as children,
            client_processes(2) as clients,
        ):
            findings = Findings(options.json)
            upstream = start_upstream(children)
            siege = Siege(clients, upstream, options.seconds, findings)
            targets: dict[str, Target] = {}
            for name in options.only or ATTACKS:
                kind = next(key for key, names in (("plain", PLAIN), ("tls", OVER_TLS), ("few", STARVED)) if name in names)
                if kind not in targets:
                    certificate = certificate_in(Path(folder)) if kind == "tls" else None
                    allow_descriptors(FEW_DESCRIPTORS if kind == "few" else None)
                    targets[kind] = Target(children, upstream, certificate)
                    allow_descriptors(None)
                (siege.starve if kind == "few" else siege.attack)(name, targets[kind])
            return findings.finish()
    except (ProcessError, Stopped, OSError, subprocess.CalledProcessError) as error:
        return fail("scripts/attacks", error)


if __name__ == "__main__":
    sys.exit(main())
