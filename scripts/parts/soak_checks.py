"""What must be true of a foreword that was left running: counts, receipts, stores, what lies on the disk."""

import collections
import json
import shutil
import sqlite3
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from soak_place import Place, Samples
from soak_traffic import Outcome

DIMENSION_BYTES, HASH_BYTES, CHECKSUM_BYTES = 2, 16, 32


@dataclass
class Table:
    """Rows for a person; a row is a name, a figure, a target, and whether it was met; `None` where nothing is asked."""

    title: str
    rows: list[tuple[str, str, str, bool | None]] = field(default_factory=list)

    def row(self, name: str, figure, target: str, is_met: bool | None) -> None:
        self.rows.append((name, str(figure), target, is_met))

    def equal(self, name: str, figure: int, wanted: int, what: str) -> None:
        self.row(name, f"{figure:,}", f"{wanted:,} {what}", figure == wanted)

    def none(self, name: str, figure: int) -> None:
        self.row(name, f"{figure:,}", "0", figure == 0)

    def some(self, name: str, figure: int) -> None:
        """A fault that never came, or a check that saw nothing, proves nothing."""
        self.row(name, f"{figure:,}", "1 or more", figure > 0)

    @property
    def is_met(self) -> bool:
        return all(row[3] is not False for row in self.rows)

    def __str__(self) -> str:
        lines = [f"\n### {self.title}\n", "| what | figure | target | |", "|---|---|---|---|"]
        said = {True: "met", False: "**missed**", None: "–"}
        lines += [f"| {name} | {figure} | {target} | {said[is_met]} |" for name, figure, target, is_met in self.rows]
        return "\n".join(lines)


@dataclass
class Lines:
    """The audit log as it lies there."""

    ids: collections.Counter
    cut: int
    ends_whole: bool


def read_audit(place: Place) -> Lines:
    """All parts of the audit log, those put aside first."""
    ids, cut, ends_whole = collections.Counter(), 0, True
    for path in sorted(place.disk.glob("audit*.jsonl")):
        data = path.read_bytes()
        ends_whole = not data or data.endswith(b"\n")
        for line in data.splitlines():
            try:
                ids[json.loads(line)["id"]] += 1
            except (ValueError, KeyError, TypeError):
                cut += 1
    return Lines(ids, cut, ends_whole)


def read_store(path: Path) -> tuple[str, set[str]]:
    """What SQLite's own check says, and the ids of receipts; of a copy, so that foreword recovers its own."""
    with tempfile.TemporaryDirectory() as folder:
        for part in path.parent.glob(f"{path.name}*"):
            shutil.copy(part, folder)
        copy = Path(folder) / path.name
        if not copy.exists():
            return "ok", set()
        connection = sqlite3.connect(copy)
        try:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'receipts'").fetchone()[0]
            rows = connection.execute("SELECT id FROM receipts").fetchall() if tables else []
            return said, {row[0] for row in rows}
        except sqlite3.DatabaseError as error:
            return str(error), set()
        finally:
            connection.close()


def cache_is_whole(path: Path) -> bool:
    """Whether the file of vectors has just the length that its counts say."""
    data, at = path.read_bytes(), 12
    try:
        at += 4 + struct.unpack_from("<I", data, at)[0]
        dimension, vectors = struct.unpack_from("<II", data, at)
        at += 8 + vectors * (HASH_BYTES + DIMENSION_BYTES * dimension)
        at += 4 + struct.unpack_from("<I", data, at)[0] * (HASH_BYTES + 4)
    except struct.error:
        return False
    return data.startswith(b"fwvector") and len(data) == at + CHECKSUM_BYTES


def half_written(place: Place) -> list[str]:
    """Files beside the cache's place, and a cache that is not whole."""
    left = [path.name for path in place.cache.iterdir() if path.name != "vectors.bin"] if place.cache.is_dir() else []
    cache = place.cache / "vectors.bin"
    return left + ([cache.name] if cache.exists() and not cache_is_whole(cache) else [])


def check_counts(table: Table, samples: Samples, outcomes: list[Outcome]) -> None:
    """Accepted is injected, skipped and refused; and it is what the clients sent."""
    decisions = samples.by("foreword_decisions_total", "decision")
    injected = decisions.pop("injected", 0)
    skipped = sum(decisions.values())
    refused = samples.sum("foreword_requests_total", 'route="refused"')
    passed = samples.sum("foreword_requests_total", 'route="passthrough"')
    told = f"{injected:,} injected + {skipped:,} skipped + {refused:,} refused + {passed:,} other paths"
    accepted = samples.sum("foreword_requests_total")
    table.row("accepted (/metrics)", f"{accepted:,}", told, accepted == injected + skipped + refused + passed)
    table.equal("sent by the clients", sum(outcome.is_sent for outcome in outcomes), accepted, "accepted")
    names = ", ".join(f"{name} {count:,}" for name, count in sorted(decisions.items()))
    table.some("injected", injected)
    table.row("skipped by reason", names, "each is counted", None)


def check_receipts(table: Table, place: Place, outcomes: list[Outcome], chats: int, lost: int) -> None:
    """Each chat request has one receipt in the audit log and one in the store, but for those counted as lost."""
    audit = read_audit(place)
    said, stored = read_store(place.store)
    table.equal("receipts in the audit log", sum(audit.ids.values()), chats, "chat requests")
    table.equal("receipts in the store", len(stored), chats, "chat requests")
    table.none("receipts counted as lost", lost)
    table.none("lines that are not JSON", audit.cut + (not audit.ends_whole))
    table.none("receipts there twice", sum(count - 1 for count in audit.ids.values()))
    known = [outcome.receipt for outcome in outcomes if outcome.receipt and outcome.request.kind != "other_path"]
    table.none("answers whose receipt is missing", sum(receipt not in audit.ids for receipt in known))
    table.row("PRAGMA integrity_check", said, "ok", said == "ok")
    table.none("half-written files beside the cache", len(half_written(place)))
