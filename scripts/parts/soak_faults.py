"""What goes wrong while a soak runs: knowledge files, configuration, upstream, disk. A fault is over before the next."""

import asyncio
import contextlib
import random
import shutil
import signal
import time
from collections import Counter

from soak_place import Foreword, Place
from soak_traffic import Outcome

BROKEN_YAML = "---\ntags: [sending\nlanguage: {en\n---\n\n## A heading\n\nDocArray text under a broken front matter.\n"
CALM_SECONDS = 0.6
# A request that was under way when the upstream went, or came just before it was back.
GRACE_SECONDS = 0.5
# Of memory from the second quarter of the time to the last; before so many seconds caches still fill.
MOST_GROWTH, FILLING_SECONDS = 1.10, 100
# What the log may complain of, and the fault behind it.
EXPECTED = [
    "knowledge not reloaded", "refused", "receipts cannot be written", "the configuration has errors", "error[",
    "error: ", "warning", "the log's level has changed", "old receipts cannot", "cache", "in force after a restart",
]  # fmt: skip


class Faults:
    """Draws one fault after the other; remembers when the upstream was away."""

    def __init__(self, place: Place, server: Foreword | None, rng: random.Random):
        self.place, self.server, self.rng = place, server, rng
        self.done: Counter[str] = Counter()
        self.outages: list[tuple[float, float]] = []
        self._texts = {path: path.read_text() for path in place.knowledge.glob("*/*.md")}
        self._edits = 0
        self._all = [self.edit, self.edit, self.add, self.break_file, self.cut_file, self.delete, self.replace_file,
                     self.replace_folder, self.configure, self.break_configuration, self.restart_upstream]  # fmt: skip
        if place.is_small_disk:
            self._all += [self.fill_disk]

    async def run(self, until: float) -> None:
        """All faults in an order of chance, again and again."""
        while True:
            for fault in self.rng.sample(self._all, len(self._all)):
                if time.monotonic() > until:
                    return
                await fault()
                self.done[fault.__name__.replace("_", " ")] += 1
                await asyncio.sleep(self.rng.uniform(0.2, 1.0) * CALM_SECONDS)

    def _any_file(self):
        return self.rng.choice(sorted(self._texts))

    def _edited(self, path) -> str:
        self._edits += 1
        name = f"ote number {self._edits}"
        fact = f"\n## N{name}\n\nDocArray n{name}: it sends tensors over gRPC and HTTP.\n"
        return self._texts[path] + fact + "Source: https://docs.docarray.org/\n"

    async def edit(self) -> None:
        path = self._any_file()
        path.write_text(self._edited(path))

    async def add(self) -> None:
        path = self._any_file()
        beside = path.with_name(f"added-{self.rng.randrange(3)}.md")
        beside.write_text(self._edited(path).replace("## ", "## Once more: "))
        await asyncio.sleep(CALM_SECONDS)
        beside.unlink()

    async def break_file(self) -> None:
        path = self._any_file()
        path.write_text(BROKEN_YAML)
        await asyncio.sleep(2 * CALM_SECONDS)
        path.write_text(self._texts[path])

    async def cut_file(self) -> None:
        """As an editor that writes slowly: half of it stands there for a while."""
        path = self._any_file()
        data = self._edited(path)
        path.write_text(data[: self.rng.randrange(len(data))])
        await asyncio.sleep(self.rng.uniform(0, CALM_SECONDS))
        path.write_text(data)

    async def delete(self) -> None:
        path = self._any_file()
        path.unlink()
        await asyncio.sleep(2 * CALM_SECONDS)
        path.write_text(self._texts[path])

    async def replace_file(self) -> None:
        path = self._any_file()
        beside = path.with_name(f".{path.name}.tmp")
        beside.write_text(self._edited(path))
        beside.replace(path)

    async def replace_folder(self) -> None:
        """The whole knowledge folder makes way for another."""
        new, old = self.place.folder / "knowledge-new", self.place.folder / "knowledge-old"
        shutil.copytree(self.place.knowledge, new)
        self.place.knowledge.rename(old)
        await asyncio.sleep(self.rng.choice([0, CALM_SECONDS]))
        new.rename(self.place.knowledge)
        shutil.rmtree(old)

    async def configure(self) -> None:
        # One key that changes at once, one that needs a restart.
        level = self.rng.choice(["info", "warn"])
        self.place.configure(level=level, extra=f"[server]\nmax_headers = {self.rng.randint(100, 128)}\n")
        self.server.send(signal.SIGHUP)

    async def break_configuration(self) -> None:
        self.place.config.write_text("[knowledge]\nfolder = \n")
        self.server.send(signal.SIGHUP)
        await asyncio.sleep(CALM_SECONDS)
        self.place.configure()
        self.server.send(signal.SIGHUP)

    async def restart_upstream(self) -> None:
        upstream, began = self.place.upstream, time.monotonic()
        upstream.process.send(signal.SIGKILL)
        await upstream.process.ended(10)
        await asyncio.sleep(self.rng.uniform(0, 1.5))
        await upstream.start()
        self.outages.append((began, time.monotonic() + GRACE_SECONDS))

    async def fill_disk(self) -> None:
        """Full while receipts come in and an edit wants the cache written."""
        await asyncio.to_thread(self.place.fill_disk)
        try:
            await self.edit()
            await asyncio.sleep(self.rng.uniform(3, 5))
        finally:
            await asyncio.to_thread(self.place.free_disk)

    def excuse(self, outcome: Outcome) -> bool:
        """Whether the upstream was away while the request ran."""
        return any(outcome.began <= end and outcome.ended >= began for began, end in self.outages)


class Watch:
    """Memory and file descriptors of a process, once a second."""

    def __init__(self, server: Foreword):
        self.server = server
        self.seen: list[tuple[float, int]] = []
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            while True:
                self.seen.append((self.server.rss_mb(), self.server.fds()))
                await asyncio.sleep(1)

    def stop(self) -> None:
        self._task.cancel()

    def quarters(self, of: int) -> tuple[float, float]:
        """The mean of the second quarter of the time, and of the last; `of`: 0 memory, 1 descriptors."""
        values = [seen[of] for seen in self.seen]
        quarter = max(1, len(values) // 4)
        second, last = values[quarter : 2 * quarter] or values, values[-quarter:]
        return sum(second) / len(second), sum(last) / len(last)

    def is_flat(self) -> bool | None:
        """Whether memory stayed; `None` where the time was too short to tell."""
        second, last = self.quarters(0)
        return last <= second * MOST_GROWTH if len(self.seen) >= FILLING_SECONDS else None

    def course(self) -> str:
        """Memory by eighths of the time, in MB."""
        step = max(1, len(self.seen) // 8)
        parts = [self.seen[at : at + step] for at in range(0, len(self.seen), step)][:8]
        return ", ".join(f"{sum(memory for memory, _ in part) / len(part):.0f}" for part in parts)
