"""kill -9 at moments of chance while cache, audit log and store are written; each next start must be clean."""

import asyncio
import random
import signal

from soak_checks import Table, half_written, read_audit, read_store
from soak_faults import Faults
from soak_place import Foreword, Place
from soak_run import print_wrong, unexplained
from soak_traffic import Traffic

RATE, CLIENTS = 60, 16
SOONEST_SECONDS, LATEST_SECONDS = 0.05, 2.5
# One time in so many it is killed while it starts.
STARTING = 5
# Edits that hit the moment between a file's truncation and its writing are refused, and say so.
EXPECTED = ["knowledge not reloaded", "refused"]


async def edit_without_end(faults: Faults, rng: random.Random) -> None:
    while True:
        await faults.replace_file()
        await asyncio.sleep(rng.uniform(0.05, 0.3))


async def one_life(place: Place, rng: random.Random, number: int) -> tuple[list, Foreword]:
    """Starts a foreword, lets it work, and kills it; gives what the clients got."""
    server = Foreword.spawn(place, f"kill-{number}")
    if number % STARTING == STARTING - 1:
        await asyncio.sleep(rng.uniform(0, 0.6))
        server.send(signal.SIGKILL)
        await server.ended(10)
        return [], server
    await server.ready()
    faults, traffic = Faults(place, server, rng), Traffic(server.port, rng, RATE, CLIENTS)
    editing = asyncio.create_task(edit_without_end(faults, rng))
    traffic.start()
    await asyncio.sleep(rng.uniform(SOONEST_SECONDS, LATEST_SECONDS))
    server.send(signal.SIGKILL)
    await server.ended(10)
    editing.cancel()
    return await traffic.stop(), server


async def at_random_moments(place: Place, rng: random.Random, times: int) -> Table:
    table = Table(f"kill -9, {times} times")
    outcomes, strange, unsound, damaged, most_left, more_cut, cut = [], {}, [], 0, 0, 0, 0
    for number in range(times):
        got, server = await one_life(place, rng, number)
        outcomes += got
        strange |= unexplained(server, EXPECTED)
        said, _ = read_store(place.store)
        unsound += [said] if said != "ok" else []
        left = half_written(place)
        damaged += "vectors.bin" in left
        most_left = max(most_left, len(left))
        now = read_audit(place).cut
        more_cut, cut = more_cut + (now > cut + 1), now
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
    table.row("most half-written files beside the cache right after a kill", most_left, "at most 1", most_left <= 1)
    table.none("half-written files beside the cache at the end", len(half_written(place)))
    return table
