"""Edits in a row against traffic: no request fails, and none sees two states of the knowledge."""

import asyncio
import random
import signal
import time

from soak_checks import Table, check_counts
from soak_faults import MOST_GROWTH, Watch
from soak_place import Foreword, Place
from soak_run import LEFT_ALONE, print_wrong, unexplained
from soak_traffic import QUESTIONS, Traffic, tally

CLIENTS = 64
EDIT_SECONDS = 0.15
LAST_SECONDS = 15
# The facts of this knowledge are alike on purpose.
EXPECTED = ["near-duplicate", LEFT_ALONE]
# Questions of one turn: what earlier turns were told stays told.
KINDS = {"plain": 70, "stream": 20, "hang_up": 10}


def write_knowledge(place: Place, generation: int) -> None:
    """All items carry the generation; the file is replaced, so that it is never seen half-written."""
    folder = place.knowledge / "soak"
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "brand.toml").write_text('name = "DocArray"\nlanguages = ["en"]\n')
    items = [
        f"Q: {question}\nA: DocArray does that, generation {generation}.\nSource: https://docs.docarray.org/\n"
        for question in QUESTIONS[:4]
    ]
    facts = [
        f"## Sending tensors\n\nDocArray sends tensors between Python microservices over gRPC, generation {generation}.\n"
        "Source: https://docs.docarray.org/\n",
        f"## Nested data\n\nDocArray represents nested data of text, images and audio in Python, generation {generation}.\n"
        "Source: https://docs.docarray.org/\n",
    ]
    beside = folder / ".items.tmp"
    beside.write_text("---\nlanguage: en\n---\n\n" + "\n".join([*facts, "## Examples\n", *items]))
    beside.replace(folder / "items.md")


async def last_is_served(outcomes: list, generation: int) -> bool:
    deadline = time.monotonic() + LAST_SECONDS
    while time.monotonic() < deadline:
        if any(generation in outcome.generations for outcome in outcomes[-200:]):
            return True
        await asyncio.sleep(0.1)
    return False


def went_back(outcomes: list) -> int:
    """Requests that began after a later state had been seen by one that had ended, and saw an earlier one."""
    told = [one for one in outcomes if one.generations]
    ends = sorted((one.ended, max(one.generations)) for one in told)
    newest, at, count = 0, 0, 0
    for one in sorted(told, key=lambda one: one.began):
        while at < len(ends) and ends[at][0] < one.began:
            newest = max(newest, ends[at][1])
            at += 1
        count += min(one.generations) < newest
    return count


async def under_fire(place: Place, rng: random.Random, edits: int, rate: float, signals: float) -> Table:
    table = Table(f"{edits:,} edits in a row against {rate:.0f} requests a second")
    server = await Foreword.start(place, "reload")
    traffic, watch = Traffic(server.port, rng, rate, CLIENTS, KINDS), Watch(server)
    at_start, began = server.fds(), time.monotonic()
    traffic.start()
    for generation in range(1, edits + 1):
        write_knowledge(place, generation)
        await asyncio.sleep(rng.uniform(0.2, 1.8) * EDIT_SECONDS)
        if rng.random() < signals:
            # Read twice at once: by whoever watches the files, and because it was told.
            server.send(signal.SIGHUP)
    seconds = time.monotonic() - began
    is_served = await last_is_served(traffic.outcomes, edits)
    outcomes = await traffic.stop()
    watch.stop()
    samples = await server.quiet()
    counts = tally(outcomes)
    table.row("edits a second", f"{edits / seconds:.1f}", "–", None)
    table.row("requests a second", f"{len(outcomes) / (time.monotonic() - began):.0f}", f"about {rate:.0f}",
              len(outcomes) >= 0.9 * rate * seconds)  # fmt: skip
    table.some("answers, byte for byte the upstream's", counts["ok"])
    failed = [one for one in outcomes if one.what not in ("ok", "hung_up")]
    table.none("failed requests", len(failed))
    print_wrong(failed)
    told = [one for one in outcomes if one.generations]
    table.some("requests that were told of a state", len(told))
    table.none("requests that saw two states", sum(len(set(one.generations)) > 1 for one in told))
    table.none("requests that saw an earlier state than others before them", went_back(outcomes))
    seen = {generation for one in told for generation in one.generations}
    table.some("different states seen", len(seen))
    reloads = samples.by("foreword_reloads_total", "result")
    table.some("reloads published (edits that follow closely are read together)", reloads["published"])
    table.none("reloads rejected", reloads["rejected"])
    table.row("the last edit is served", "yes" if is_served else "no", "yes", is_served)
    check_counts(table, samples, outcomes)
    second, last = watch.quarters(0)
    figure = f"{second:.0f}, {last:.0f} MB"
    table.row("memory, second and last quarter", figure, f"at most {MOST_GROWTH:.0%}", watch.is_flat())
    table.row("memory by eighths of the time, MB", watch.course(), "–", None)
    second, last = watch.quarters(1)
    table.row("descriptors, second and last quarter", f"{second:.0f}, {last:.0f}", "at most 5 more", last <= second + 5)
    now = server.fds()
    # Connections to the upstream are kept for a while.
    table.row("descriptors, start and end", f"{at_start}, {now}", f"at most {CLIENTS} more", now <= at_start + CLIENTS)
    strange = unexplained(server, EXPECTED)
    table.none(f"warnings and errors in the log {list(strange) or ''}", sum(strange.values()))
    return table
