"""Leaves foreword running under real traffic while things go wrong, and checks that nothing is lost.

    scripts/soak                       three minutes: faults under traffic, clock jumps, SIGTERM among streams
    scripts/soak --minutes 30          longer; --hours N too (half a gigabyte of memory an hour, for receipts)
    scripts/soak kill [--times 50]     kill -9 at moments of chance while cache and audit log are written
    scripts/soak reload [--edits 1000] edits in a row against --rate 100 requests a second

    --seed N    repeats the choices of a run; every run prints its own
    FOREWORD_BIN=path names another binary than a release build; SOAK_KEEP=1 leaves the folder of the run.

Prints tables in Markdown; the exit code is 1 where a target was missed.
"""

import argparse
import asyncio
import datetime
import os
import random
import sys

import foreword_server
import processes
import soak_kill
import soak_reload
import soak_run
from soak_checks import Table
from soak_place import ROOT, Foreword, Place

CLOCK_SHARE, LEAST_CLOCK_SECONDS = 0.15, 25
TERM_SECONDS = 20


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["run", "kill", "reload"], default="run")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--signals", type=float, default=0.3, help="share of edits after which SIGHUP is sent as well")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    return parser.parse_args(arguments)


async def warm(place: Place) -> None:
    """Embeds all knowledge once, so that what follows is not about that."""
    await place.upstream.start()
    server = await Foreword.start(place, "warm")
    deadline = 180 * 20
    while (await server.metrics()).sum("foreword_texts_waiting") and deadline:
        deadline -= 1
        await asyncio.sleep(0.05)
    server.end()


async def run(place: Place, options: argparse.Namespace, rng: random.Random) -> list[Table]:
    place.use_knowledge_of_repository()
    place.configure()
    await warm(place)
    seconds = 60 * (60 * options.hours if options.hours else options.minutes)
    clock = max(LEAST_CLOCK_SECONDS, CLOCK_SHARE * seconds)
    tables = [await soak_run.under_faults(place, rng, max(30, seconds - clock - TERM_SECONDS))]
    place.configure()
    tables.append(await soak_run.under_clock_jumps(place, rng, clock))
    tables.append(await soak_run.under_sigterm(place, rng))
    return tables


async def kill(place: Place, options: argparse.Namespace, rng: random.Random) -> list[Table]:
    place.use_knowledge_of_repository()
    place.configure()
    await warm(place)
    return [await soak_kill.at_random_moments(place, rng, options.times)]


async def reload(place: Place, options: argparse.Namespace, rng: random.Random) -> list[Table]:
    soak_reload.write_knowledge(place, 0)
    place.configure()
    await warm(place)
    return [await soak_reload.under_fire(place, rng, options.edits, options.rate, options.signals)]


def main(arguments: list[str]) -> int:
    options = read_options(arguments)
    binary = foreword_server.binary_named_by_environment()
    if not os.access(binary, os.X_OK):
        raise processes.ProcessError(f"there is no foreword at {binary}")
    now = datetime.datetime.now(datetime.UTC)
    print(f"scripts/soak {options.what}, seed {options.seed}, {now:%Y-%m-%d %H:%M} UTC", flush=True)
    work = {"run": run, "kill": kill, "reload": reload}[options.what]
    brands = sorted(path.parent.name for path in (ROOT / "knowledge").glob("*/brand.toml"))
    brands = ["soak"] if options.what == "reload" else brands
    with Place(binary, brands) as place:
        tables = asyncio.run(work(place, options, random.Random(options.seed)))
    for table in tables:
        print(table)
    return 0 if all(table.is_met for table in tables) else 1


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except processes.Stopped as stopped:
        print("\nsoak: stopped", file=sys.stderr)
        sys.exit(stopped.exit_code)
    except (processes.ProcessError, OSError, KeyError) as error:
        sys.exit(processes.fail("soak", error))
