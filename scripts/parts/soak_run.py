"""The three parts of `scripts/soak`: faults under traffic, clock jumps, SIGTERM among streams."""

import asyncio
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from soak_checks import Table, check_counts, check_receipts, read_audit
from soak_faults import EXPECTED, MOST_GROWTH, Faults, Watch
from soak_place import Foreword, Place
from soak_traffic import QUESTIONS, Client, Traffic, request_of, tally

RATE, CLIENTS = 60, 24
# Connections to the upstream are kept for a while.
DESCRIPTORS_MORE = CLIENTS
TAKEN_IN_SECONDS = 15
# Of the drain: what began this long before the signal is answered whole.
CLEARLY_BEFORE_SECONDS = 0.25
TERM_ROUNDS = 5
CLOCK = Path(__file__).with_name("clock.c")
DAY = 86_400
JUMPS = [400 * DAY, -30 * DAY, 0, 3 * 3_600, -DAY, 0]


# Eight retrievals in a row that come too late, as they may on a machine that does other things; counted as skips.
LEFT_ALONE = "retrieval has failed repeatedly"


def fact(text: str, front: str = "") -> str:
    answer = f"Q: {QUESTIONS[1]}\nA: DocArray sends tensors in Protobuf, {text}.\nSource: https://docs.docarray.org/\n"
    return f"---\nlanguage: en\n{front}---\n\n{answer}"


async def sees(server: Foreword, rng: random.Random, generation: int, wanted: bool = True) -> bool:
    """Whether the upstream comes to see a generation (or to see it no longer) within a while."""
    client, deadline, number = Client(server.port), time.monotonic() + TAKEN_IN_SECONDS, 0
    try:
        while time.monotonic() < deadline:
            number += 1
            ref = f"sees-{generation}-{wanted}-{number}-{rng.getrandbits(32)}"
            request = request_of("plain", ref, rng, QUESTIONS[1])
            outcome = await client.send(request)
            if outcome.decision == "injected" and (generation in outcome.generations) == wanted:
                return True
            await asyncio.sleep(0.1)
        return False
    finally:
        client.close()


def unexplained(server: Foreword, allowed: list[str]) -> dict[str, int]:
    return {line: count for line, count in server.complaints().items() if not any(part in line for part in allowed)}


def print_wrong(outcomes, most: int = 5) -> None:
    for outcome in outcomes[:most]:
        request = outcome.request
        print(f"  {request.kind} {request.ref}: {outcome.what}, {outcome.why}, after {outcome.ended - outcome.began:.2f} s")


async def under_faults(place: Place, rng: random.Random, seconds: float) -> Table:
    """Everything that may go wrong while the process lives."""
    table = Table(f"Faults under traffic, {seconds:.0f} s")
    server = await Foreword.start(place, "faults")
    at_start = server.fds()
    traffic, faults, watch = Traffic(server.port, rng, RATE, CLIENTS), Faults(place, server, rng), Watch(server)
    traffic.start()
    await faults.run(time.monotonic() + seconds)
    (place.knowledge / "docarray/soak.md").write_text(fact("generation 4242"))
    outcomes = await traffic.stop()
    watch.stop()
    # Before anything more is asked: what is counted now is what the clients sent.
    samples = await server.quiet()
    await asyncio.sleep(3)
    chats = samples.sum("foreword_decisions_total")
    counts, wrong = tally(outcomes), [one for one in outcomes if one.what in ("wrong", "unanswered")]
    table.some("answers, byte for byte the upstream's", counts["ok"])
    table.some("hung up by the client", counts["hung_up"])
    failed = [one for one in outcomes if one.what in ("error", "cut")]
    table.some("honest errors and answers cut off, while the upstream was away", sum(map(faults.excuse, failed)))
    wrong += [one for one in failed if not faults.excuse(one)]
    table.none("other errors, wrong bytes, no answer", len(wrong))
    print_wrong(wrong)
    check_counts(table, samples, outcomes)
    lost = samples.sum("foreword_receipts_lost_total")
    check_receipts(table, place, outcomes, chats, lost)
    reloads = samples.by("foreword_reloads_total", "result")
    table.some("reloads published", reloads["published"])
    table.some("reloads rejected", reloads["rejected"])
    for name, times in sorted(faults.done.items()):
        table.some(f"fault: {name}", times)
    if not place.is_small_disk:
        table.row("fault: fill disk", "skipped: no tmpfs can be mounted here", "as root", None)
    is_served = await sees(server, rng, 4242)
    table.row("the last edit is served", "yes" if is_served else "no", "yes", is_served)
    second, last = watch.quarters(0)
    figure = f"{second:.0f}, {last:.0f} MB"
    table.row("memory, second and last quarter", figure, f"at most {MOST_GROWTH:.0%}", watch.is_flat())
    table.row("memory by eighths of the time, MB", watch.course(), "–", None)
    now = server.fds()
    most = at_start + DESCRIPTORS_MORE
    table.row("descriptors, start and end", f"{at_start}, {now}", f"at most {DESCRIPTORS_MORE} more", now <= most)
    strange = unexplained(server, [*EXPECTED, LEFT_ALONE])
    table.none(f"unexpected warnings and errors in the log {list(strange) or ''}", sum(strange.values()))
    server.send(signal.SIGTERM)
    code = await server.ended(40)
    table.row("exit code", code, "0", code == 0)
    (place.knowledge / "docarray/soak.md").unlink()
    return table


async def under_clock_jumps(place: Place, rng: random.Random, seconds: float) -> Table:
    """The clock of the process is put forward and back; an item's validity ends and begins again with it."""
    table = Table("Clock jumps")
    library, clock = place.folder / "clock.so", place.folder / "clock"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, CLOCK], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        table.row("clock jumps", f"skipped: {getattr(error, 'stderr', None) or error}", "a C compiler, Linux", None)
        return table
    clock.write_text("0")
    env = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(clock)}
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 100 * DAY))
    timed = place.knowledge / "docarray/soak.md"
    timed.write_text(fact("generation 77", f"valid_until: {until}\n"))
    server = await Foreword.start(place, "clock", env)
    traffic = Traffic(server.port, rng, RATE, CLIENTS)
    traffic.start()
    followed, jumps = 0, 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or jumps < len(JUMPS):
        jump = JUMPS[jumps % len(JUMPS)]
        # Whole or not at all: it is read at any moment.
        beside = clock.with_suffix(".new")
        beside.write_text(str(jump))
        beside.replace(clock)
        await asyncio.sleep(rng.uniform(1.5, 3))
        is_seen = await sees(server, rng, 77, wanted=jump != JUMPS[0])
        followed += is_seen
        jumps += 1
    outcomes = await traffic.stop()
    samples = await server.quiet()
    counts = tally(outcomes)
    table.some("answers, byte for byte the upstream's", counts["ok"])
    wrong = [one for one in outcomes if one.what not in ("ok", "hung_up")]
    table.none("errors, wrong bytes, no answer", len(wrong))
    print_wrong(wrong)
    table.equal("jumps after which the item was told, or not, as its validity says", followed, jumps, "jumps")
    table.row("times that retrieval was left alone (breaker)", samples.sum("foreword_breaker_openings_total"), "–", None)
    strange = unexplained(server, [*EXPECTED, LEFT_ALONE])
    table.none(f"unexpected warnings and errors in the log {list(strange) or ''}", sum(strange.values()))
    server.send(signal.SIGTERM)
    code = await server.ended(40)
    table.row("exit code", code, "0", code == 0)
    timed.unlink()
    said_ids = {one.receipt for one in outcomes if one.receipt}
    table.none("answers whose receipt is missing", len(said_ids - set(read_audit(place).ids)))
    return table


async def under_sigterm(place: Place, rng: random.Random) -> Table:
    """Told to stop among streams: all of them end whole, then the process does."""
    table = Table(f"SIGTERM among streams, {TERM_ROUNDS} times")
    kinds = {"stream": 8, "plain": 1, "tools": 1}
    whole, cut_before, refused, codes, missing, slowest, running = 0, [], 0, [], 0, 0.0, 0
    for number in range(TERM_ROUNDS):
        server = await Foreword.start(place, f"term-{number}")
        traffic = Traffic(server.port, rng, RATE, CLIENTS, kinds)
        traffic.start()
        await asyncio.sleep(rng.uniform(0.8, 2))
        told = time.monotonic()
        server.send(signal.SIGTERM)
        codes.append(await server.ended(40))
        slowest = max(slowest, time.monotonic() - told)
        outcomes = await traffic.stop()
        whole += tally(outcomes)["ok"]
        failed = [one for one in outcomes if one.what != "ok"]
        running += sum(one.began < told < one.ended for one in outcomes if one.what == "ok")
        is_late = [one.began >= told - CLEARLY_BEFORE_SECONDS and one.what == "unanswered" for one in failed]
        cut_before += [one for one, late in zip(failed, is_late) if not late]
        refused += sum(is_late)
        known = {one.receipt for one in outcomes if one.receipt}
        missing += len(known - set(read_audit(place).ids))
    table.some("answers, byte for byte the upstream's", whole)
    table.some("of them running when told to stop", running)
    table.none("cut off, or unanswered though sent before", len(cut_before))
    print_wrong(cut_before)
    table.row("not taken any more, without a byte", f"{refused:,}", "only from the signal on", None)
    table.none("answers whose receipt is missing", missing)
    table.row("exit codes", codes, "all 0", all(code == 0 for code in codes))
    table.row("slowest end", f"{slowest:.1f} s", "under 30 s", slowest < 30)
    return table
