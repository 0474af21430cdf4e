"""kill -9 at moments of chance while cache, audit log and store are written; each next start must be clean."""

import asyncio
import os
import random
import signal
import time

from soak_checks import Table, half_written, read_audit, read_store
from soak_faults import Faults
from soak_place import Foreword, Place
from soak_run import LEFT_ALONE, print_wrong, unexplained
from soak_traffic import Traffic

RATE, CLIENTS = 60, 16
SOONEST_SECONDS, LATEST_SECONDS = 0.05, 2.5
# One time in so many it is killed while it starts.
STARTING = 5
# Two times in five the moment is not left to chance: it is when the cache is being written, as soon as that is seen.
WRITING = (1, 3)
LONGEST_LOOK_SECONDS, BETWEEN_LOOKS_SECONDS = 4, 0.0002
# What was begun and never finished is removed once it is a minute old.
LATER_SECONDS = 600
EXPECTED = ["knowledge not reloaded", "refused", "near-duplicate", LEFT_ALONE]


async def edit_without_end(faults: Faults, rng: random.Random) -> None:
    while True:
        await faults.replace_file()
        await asyncio.sleep(rng.uniform(0.05, 0.3))


def kill_while_writing(place: Place, server: Foreword) -> None:
    """Kills as soon as a file more than before lies beside the cache, or after a while."""
    before, until = len(os.listdir(place.cache)), time.monotonic() + LONGEST_LOOK_SECONDS
    while time.monotonic() < until and len(os.listdir(place.cache)) <= before:
        time.sleep(BETWEEN_LOOKS_SECONDS)
    server.send(signal.SIGKILL)


async def one_life(place: Place, faults: Faults, rng: random.Random, number: int) -> tuple[list, Foreword]:
    """Starts a foreword, lets it work, and kills it; gives what the clients got."""
    server = Foreword.spawn(place, f"kill-{number}")
    if number % STARTING == STARTING - 1:
        await asyncio.sleep(rng.uniform(0, 0.6))
        server.send(signal.SIGKILL)
        await server.ended(10)
        return [], server
    await server.ready()
    traffic = Traffic(server.port, rng, RATE, CLIENTS)
    editing = asyncio.create_task(edit_without_end(faults, rng))
    traffic.start()
    await asyncio.sleep(rng.uniform(SOONEST_SECONDS, LATEST_SECONDS))
    if number % STARTING in WRITING:
        await asyncio.to_thread(kill_while_writing, place, server)
    server.send(signal.SIGKILL)
    await server.ended(10)
    editing.cancel()
    return await traffic.stop(), server


def age(place: Place) -> int:
    """Makes what lies beside the cache as old as if the next start came later; how many files that are."""
    files = [path for path in place.cache.iterdir() if path.name != "vectors.bin"]
    for path in files:
        os.utime(path, (0, time.time() - LATER_SECONDS))
    return len(files)


async def at_random_moments(place: Place, rng: random.Random, times: int) -> Table:
    table, faults = Table(f"kill -9, {times} times"), Faults(place, None, rng)
    outcomes, strange, unsound, damaged, more_cut, cut = [], {}, [], 0, 0, 0
    for number in range(times):
        got, server = await one_life(place, faults, rng, number)
        outcomes += got
        strange |= unexplained(server, EXPECTED)
        said, _ = read_store(place.store)
        unsound += [said] if said != "ok" else []
        damaged += "vectors.bin" in half_written(place)
        now = read_audit(place).cut
        more_cut, cut = more_cut + (now > cut + 1), now
    left_behind = age(place)
    server = await Foreword.start(place, "after")
    await asyncio.sleep(1)
    traffic = Traffic(server.port, rng, RATE, CLIENTS)
    traffic.start()
    await asyncio.sleep(2)
    last = await traffic.stop()
    await asyncio.sleep(1)
    strange |= unexplained(server, EXPECTED)
    wrong = [one for one in outcomes if one.what == "wrong"] + [one for one in last if one.what not in ("ok", "hung_up")]
    audit = read_audit(place)
    said, stored = read_store(place.store)
    table.some("answers, byte for byte the upstream's", sum(one.what == "ok" for one in outcomes + last))
    table.none("wrong bytes; anything but an answer after the last start", len(wrong))
    print_wrong(wrong)
    table.none(f"warnings and errors at the next starts {list(strange) or ''}", sum(strange.values()))
    table.row("stores that PRAGMA integrity_check finds fault with", len(unsound), "0", not unsound and said == "ok")
    table.some("receipts in the store", len(stored))
    table.some("whole lines in the audit log", sum(audit.ids.values()))
    table.row("cut lines in the audit log", audit.cut, "at most one a kill", more_cut == 0)
    table.row("its last line now", "whole" if audit.ends_whole else "cut", "whole", audit.ends_whole)
    table.none("receipts there twice", sum(count - 1 for count in audit.ids.values()))
    table.none("caches that are not whole", damaged)
    table.row("half-written files that the kills left beside the cache", left_behind, "–", None)
    table.none("of them there after a start ten minutes later", len(half_written(place)))
    return table
