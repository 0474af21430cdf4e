"""Starts `foreword serve` in front of an upstream, on ports of the system's choice, and waits until it is ready and every
text has its vector."""

import json
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from processes import Child, Children, ProcessError

ROOT = Path(__file__).resolve().parents[2]
# Long enough for embedding all knowledge once with a slow, unoptimised binary.
READY_SECONDS = 400


@dataclass
class ForewordServer:
    """A running proxy: the address that clients use (with /v1) and the admin listener's."""

    child: Child
    base_url: str
    admin_url: str


def binary_named_by_environment() -> Path:
    """FOREWORD_BIN, else the development build of this checkout."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or "target")
    return ROOT / (os.environ.get("FOREWORD_BIN") or target / "debug/foreword")


def start(
    children: Children,
    binary: Path,
    upstream_url: str,
    settings: dict[str, str] | None = None,
    config: Path = ROOT / "foreword.toml",
) -> ForewordServer:
    """`settings` are environment variables of the configuration, such as FOREWORD_LIVE__STORE."""
    if not os.access(binary, os.X_OK):
        raise ProcessError(f"there is no foreword at {binary}; run `cargo build` or name one with FOREWORD_BIN")
    anywhere = "127.0.0.1:0"
    command = [str(binary), "serve", "--config", str(config), "--upstream", upstream_url]
    child = children.start("foreword", [*command, "--listen", anywhere, "--admin", anywhere], cwd=ROOT, env=settings)
    address = r"(https?://[^\s\"',]+)"
    listening = child.wait_for_line(rf"listening on\W+{address}", READY_SECONDS)[1].rstrip("/.")
    admin = child.wait_for_line(rf"admin on\W+{address}", READY_SECONDS)[1].rstrip("/.")
    child.wait_until_ready(f"{admin}/readyz", READY_SECONDS)
    wait_for_vectors(child, admin)
    return ForewordServer(child, f"{listening}/v1", admin)


def wait_for_vectors(child: Child, admin_url: str) -> None:
    """A first start serves by words alone at first; what is measured or shown is what comes after it."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{admin_url}/readyz", timeout=5) as answer:
            snapshot = json.load(answer).get("snapshot")
        # Who shows no admin token is not told.
        if snapshot is None or snapshot["texts_waiting"] == 0:
            return
        if child.has_ended_within(0.2):
            break
    raise ProcessError(f"{child.name} has not embedded its texts. Its last lines:\n{child.last_lines()}")
