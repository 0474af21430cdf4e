"""Where a soak takes place: a folder of its own with knowledge, configuration and a small disk, a foreword, an upstream.
Both processes end with the place, and only they are signalled."""

import asyncio
import collections
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180
DISK_BYTES = 1 << 32
FILL_ATTEMPTS = 100


def tmpfs_used(folder: Path) -> int:
    data = os.statvfs(folder)
    return (data.f_blocks - data.f_bfree) * data.f_frsize


class Process:
    """A child whose output goes to a file."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None):
        self.log = log
        with open(log, "wb") as file:
            self.child = processes._spawn(command, env, ROOT, stdout=file, stderr=subprocess.STDOUT)
        self.pid = self.child.pid

    async def line(self, pattern: str) -> re.Match:
        """Waits for a line of its output."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            is_running = self.child.poll() is None
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found
            if not is_running:
                break
            await asyncio.sleep(0.02)
        raise processes.ProcessError(f"no line like {pattern}:\n{self.log.read_text(errors='replace')[-3000:]}")

    def send(self, kind: signal.Signals) -> None:
        if self.child.poll() is None:
            os.kill(self.pid, kind)

    async def ended(self, seconds: float) -> int | None:
        """Its exit code; `None` where it has not ended in time."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self.child.poll()

    def end(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(10)


class Upstream:
    """The scripted upstream; restarts on the port that it got first."""

    def __init__(self, place: "Place"):
        self.place, self.port, self.process = place, 0, None

    async def start(self) -> None:
        script = Path(__file__).with_name("soak_upstream.py")
        self.process = Process([sys.executable, str(script), str(self.port)], self.place.folder / "upstream.log")
        self.port = int((await self.process.line(r"listening on (\d+)"))[1])


class Foreword(Process):
    """A running foreword, its ports, and what can be seen of it from outside."""

    port = admin = 0

    @classmethod
    async def start(cls, place: "Place", name: str, env: dict[str, str] | None = None) -> "Foreword":
        server = cls.spawn(place, name, env)
        await server.ready()
        return server

    @classmethod
    def spawn(cls, place: "Place", name: str, env: dict[str, str] | None = None) -> "Foreword":
        anywhere = "127.0.0.1:0"
        command = [str(place.binary), "serve", "--config", str(place.config)]
        command += ["--upstream", f"http://127.0.0.1:{place.upstream.port}/v1", "--listen", anywhere, "--admin", anywhere]
        server = cls(command, place.folder / f"{name}.log", env)
        place.started.append(server)
        return server

    async def ready(self) -> None:
        self.port = int((await self.line(r"listening on\W+http://[\d.]+:(\d+)"))[1])
        self.admin = int((await self.line(r"admin on\W+http://[\d.]+:(\d+)"))[1])
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if await asyncio.to_thread(self._get, "/readyz") is not None:
                    return
            await asyncio.sleep(0.05)
        raise processes.ProcessError(f"not ready:\n{self.log.read_text(errors='replace')[-3000:]}")

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    async def metrics(self) -> "Samples":
        return Samples(await asyncio.to_thread(self._get, "/metrics"))

    async def quiet(self, seconds: float = 20) -> "Samples":
        """The metrics once no request is being answered."""
        deadline = time.monotonic() + seconds
        while True:
            samples = await self.metrics()
            if samples.sum("foreword_in_flight_requests") == 0 or time.monotonic() > deadline:
                return samples
            await asyncio.sleep(0.05)

    def rss_mb(self) -> float:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def complaints(self) -> collections.Counter:
        """Warnings, errors and panics of the log, by what they say, numbers and paths taken out."""
        found = collections.Counter()
        for line in self.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                level, said = entry.get("level"), entry.get("fields", entry).get("message", "")
                if level in ("WARN", "ERROR"):
                    found[f"{level} {re.sub(r'[^ ]*/[^ ]*|[0-9]+', '…', str(said))[:110]}"] += 1
                continue
            if "panicked" in line:
                found[line] += 1
        return found


class Samples:
    """What /metrics says."""

    def __init__(self, text: str):
        self._samples = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M)

    def sum(self, name: str, labels: str = "") -> int:
        return round(sum(float(value) for found, told, value in self._samples if found == name and labels in told))

    def by(self, name: str, label: str) -> dict[str, int]:
        sums = collections.Counter()
        for found, told, value in self._samples:
            if found == name:
                sums[re.search(rf'{label}="(.*?)"', told)[1]] += round(float(value))
        return dict(sums)


class Place:
    """The folder; a `with` block that takes everything down again."""

    def __init__(self, binary: Path, brands: list[str]):
        self.binary, self.brands = binary, brands
        self.started: list[Process] = []
        self.is_small_disk = False

    def __enter__(self) -> "Place":
        self.folder = Path(tempfile.mkdtemp(prefix="foreword-soak-"))
        self.disk, self.knowledge = self.folder / "disk", self.folder / "knowledge"
        self.disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "foreword-soak", self.disk], capture_output=True
        )
        self.is_small_disk = mounted.returncode == 0
        self.cache, self.audit, self.store = self.disk / "cache", self.disk / "audit.jsonl", self.disk / "live.sqlite"
        self.config = self.folder / "foreword.toml"
        self.upstream = Upstream(self)
        return self

    def __exit__(self, *_) -> None:
        for process in [*self.started, self.upstream.process]:
            if process is not None:
                process.end()
        if self.is_small_disk:
            subprocess.run(["umount", self.disk], check=True)
        if os.environ.get("SOAK_KEEP"):
            print(f"kept: {self.folder}", file=sys.stderr)
            return
        shutil.rmtree(self.folder)

    def use_knowledge_of_repository(self) -> None:
        shutil.copytree(ROOT / "knowledge", self.knowledge)

    def configure(self, level: str = "info", extra: str = "") -> None:
        """Writes foreword.toml anew, beside its place and renamed."""
        library = next((ROOT / ".foreword/lib").glob("libonnxruntime.so*"))
        model = ROOT / ".foreword/models/all-minilm-l6-v2-int8"
        text = f"""[knowledge]
folder = "knowledge"
prompts = "{ROOT / 'prompts'}"
default_brands = {json.dumps(self.brands)}
cache = "{self.cache}"
[retrieval]
model = "{model}"
onnx_runtime = "{library}"
[experiment]
holdout = 0.1
[live]
store = "{self.store}"
audit_log = "{self.audit}"
[log]
format = "json"
level = "{level}"
sample = 0.0
{extra}"""
        beside = self.config.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.config)

    def fill_disk(self) -> None:
        """No further page can be had; what is there stays."""
        # More may be written between the look and the deed.
        if not any(self._resize(tmpfs_used(self.disk)) for _ in range(FILL_ATTEMPTS)):
            raise processes.ProcessError(f"{self.disk} cannot be made as small as what it holds")

    def free_disk(self) -> None:
        if not self._resize(DISK_BYTES):
            raise processes.ProcessError(f"{self.disk} cannot be made larger again")

    def _resize(self, size: int) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.disk)]
        return subprocess.run(command, capture_output=True).returncode == 0
