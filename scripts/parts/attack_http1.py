"""Attacks over HTTP/1.1 and TLS: bytes written by hand, to a loopback port, for a bounded time.

Each attack is a coroutine of port and seconds that gives a `Done`: what it sent, what came back, and whether that is
how it has to be. What became of everybody else meanwhile is for scripts/parts/attacks.py to see.
"""

import asyncio
import collections
import contextlib
import os
import random
import time
from dataclasses import dataclass, field

from load_client import CHAT

POST = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
STREAMED = "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\n"
# What a smuggled request would ask for; nothing else does.
SMUGGLED = "/v1/smuggled"
# Those who wait are let go by then.
LET_GO = 7.0
BEGINNING = b'{"model":"think-50","messages":[{"role":"user","content":"'


@dataclass
class Done:
    """What an attack did and got."""

    did: str
    answers: collections.Counter = field(default_factory=collections.Counter)
    as_it_must: bool = True
    must: str = ""

    def figure(self) -> str:
        answers = ", ".join(f"{count} × {what}" for what, count in self.answers.most_common(6))
        return f"{self.did}; got {answers or 'nothing'}"


@contextlib.asynccontextmanager
async def connected(port: int):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ending(reader: asyncio.StreamReader, seconds: float) -> tuple[str, bytes]:
    """Everything until the server closes, or `still open` after `seconds`."""
    data = bytearray()
    with contextlib.suppress(OSError):
        try:
            async with asyncio.timeout(seconds):
                while piece := await reader.read(65_536):
                    data += piece
        except TimeoutError:
            return (f"{data[9:12].decode()}, still open" if data else "still open"), bytes(data)
    return (data[9:12].decode(errors="replace") if data.startswith(b"HTTP/1") else "closed"), bytes(data)


async def pour(reader, writer, piece: bytes, seconds: float, most: int = 1 << 40) -> tuple[str, int]:
    """Writes a piece over and over until the server answers or closes; gives its answer and how much was written."""
    answer = asyncio.ensure_future(ending(reader, seconds + 5))
    sent, deadline = 0, time.monotonic() + seconds
    with contextlib.suppress(OSError, TimeoutError):
        while not answer.done() and time.monotonic() < deadline and sent < most:
            writer.write(piece)
            sent += len(piece)
            async with asyncio.timeout(max(0.01, deadline - time.monotonic())):
                await writer.drain()
            await asyncio.sleep(0)
    if not answer.done():
        await asyncio.wait([answer], timeout=1)
    if not answer.done():
        answer.cancel()
        return "still open", sent
    return answer.result()[0], sent


async def trickle(port: int, seconds: float, count: int, start: str, rest: bytes, pause: float):
    """Connections that send a beginning, then a byte at a time; each closed one is opened again."""
    seconds = max(seconds, LET_GO)
    answers, held, ended = collections.Counter(), [], time.monotonic() + seconds

    async def one():
        while time.monotonic() < ended:
            began = time.monotonic()
            with contextlib.suppress(OSError):
                async with connected(port) as (reader, writer):
                    writer.write(start.encode())
                    answer = asyncio.ensure_future(ending(reader, seconds + 10))
                    sent = 0
                    while not answer.done() and time.monotonic() < ended:
                        if rest:
                            writer.write(rest[sent % len(rest)].to_bytes())
                            sent += 1
                        await asyncio.wait([answer], timeout=pause)
                    if answer.done():
                        answers[answer.result()[0]] += 1
                        held.append(time.monotonic() - began)
                    else:
                        answer.cancel()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(count)))
    return answers, max(held, default=float("inf"))


def held_for(longest: float) -> str:
    return f"held for at most {longest:.1f} s" if longest < float("inf") else "never let go"


async def slow_heads(port: int, seconds: float) -> Done:
    head = f"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-slow: {'s' * 900}".encode()
    answers, longest = await trickle(port, seconds, 500, "", head, 0.2)
    return Done(f"500 connections, a byte every 0.2 s, {held_for(longest)}", answers, longest < 4, "let go within 4 s")


async def silent_connections(port: int, seconds: float) -> Done:
    answers, longest = await trickle(port, seconds, 1_000, "", b"", 0.2)
    return Done(f"1,000 connections that say nothing, {held_for(longest)}", answers, longest < 4, "let go within 4 s")


async def silent_bodies(port: int, seconds: float) -> Done:
    head = POST + "content-length: 1000000000000\r\n\r\n"
    answers, longest = await trickle(port, seconds, 300, head + BEGINNING.decode(), b"", 0.2)
    return Done(f"300 bodies of 1 TB that stop, {held_for(longest)}", answers, longest < 5, "let go within 5 s")


async def slow_bodies(port: int, seconds: float) -> Done:
    head = POST + "content-length: 100000\r\n\r\n"
    answers, longest = await trickle(port, seconds, 300, head, BEGINNING + b"s" * 10_000, 0.2)
    return Done(f"300 bodies of 100 KB, a byte every 0.2 s, {held_for(longest)}", answers, longest < 6, "let go within 6 s")


async def repeated(port: int, seconds: float, shapes: dict[str, tuple[str, bytes]]) -> Done:
    """For each shape: a beginning, then a piece over and over. Each has to be ended, and answered with no success."""
    answers, largest, longest, rounds = collections.Counter(), 0, 0.0, 0
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        for name, (start, piece) in shapes.items():
            began = time.monotonic()
            async with connected(port) as (reader, writer):
                writer.write(start.encode())
                answer, sent = await pour(reader, writer, piece, 8)
                answers[f"{answer} ({name})"] += 1
            largest, longest = max(largest, sent), max(longest, time.monotonic() - began)
            rounds += 1
    wrong = [answer for answer in answers if "open" in answer or answer.startswith("2")]
    did = f"{rounds} connections, ended after {longest:.1f} s and {largest / 1_048_576:.1f} MB at the most"
    return Done(did, answers, not wrong and longest < 6, "ended within 6 s, none accepted")


async def header_bombs(port: int, seconds: float) -> Done:
    shapes = {
        "endless field": ("GET /v1/models HTTP/1.1\r\nhost: a\r\nx-bomb: ", b"b" * 16_384),
        "endless fields": ("GET /v1/models HTTP/1.1\r\nhost: a\r\n", b"x-bomb: b\r\n" * 1_000),
        "endless target": ("GET /v1/", b"b" * 16_384),
        "endless trailers": (STREAMED + "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"x-bomb: b\r\n" * 1_000),
        "endless empty lines": ("", b"\r\n" * 8_192),
    }
    return await repeated(port, seconds, shapes)


async def chunk_extensions(port: int, seconds: float) -> Done:
    extension = b"1;" + b"e" * 8_192 + b"\r\na\r\n"
    shapes = {
        "extensions, chat": (POST + "transfer-encoding: chunked\r\n\r\n", extension),
        "extensions, streamed": (STREAMED + "transfer-encoding: chunked\r\n\r\n", extension),
        "one endless extension": (POST + "transfer-encoding: chunked\r\n\r\n1;", b"e" * 16_384),
        "endless chunk size": (POST + "transfer-encoding: chunked\r\n\r\n", b"0" * 16_384),
    }
    return await repeated(port, seconds, shapes)


async def oversized_bodies(port: int, seconds: float) -> Done:
    """Bodies far beyond what is read whole: they must pass in constant memory, whatever their coding."""
    answers, sent_in_all = collections.Counter(), 0

    async def one(number: int):
        nonlocal sent_in_all
        coding = "transfer-encoding: chunked" if number % 2 else "content-length: 100000000000"
        text = b"s" * 65_536
        piece = b"10000\r\n" + text + b"\r\n" if number % 2 else text
        async with connected(port) as (reader, writer):
            begin = f"{len(BEGINNING):x}\r\n".encode() + BEGINNING + b"\r\n" if number % 2 else BEGINNING
            writer.write(f"{POST}{coding}\r\n\r\n".encode() + begin)
            answer, sent = await pour(reader, writer, piece, seconds)
            answers[answer] += 1
            sent_in_all += sent

    await asyncio.gather(*(one(number) for number in range(8)))
    rate = sent_in_all / 1_048_576 / seconds
    return Done(f"8 bodies without end, {rate:.0f} MB/s in all", answers, sent_in_all > 8 * (16 << 20), "pass on, memory bounded")


async def pipelines(port: int, seconds: float) -> Done:
    """Requests one after another whose answers nobody reads: the reader stops taking them after 128 KB."""
    answers, sent_in_all = collections.Counter(), 0
    request = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"

    async def one():
        nonlocal sent_in_all
        async with connected(port) as (_, writer):
            deadline = time.monotonic() + seconds
            with contextlib.suppress(OSError, TimeoutError):
                while time.monotonic() < deadline:
                    writer.write(request * 100)
                    sent_in_all += 100
                    async with asyncio.timeout(max(0.01, deadline - time.monotonic())):
                        await writer.drain()
            answers["still open"] += 1

    await asyncio.gather(*(one() for _ in range(8)))
    return Done(f"8 connections, {sent_in_all} requests written in a row, no answer read", answers)


async def garbage(port: int, seconds: float) -> Done:
    """Bytes that are no HTTP."""
    answers, ended = collections.Counter(), time.monotonic() + seconds
    chance = random.Random(7)

    async def one():
        while time.monotonic() < ended:
            with contextlib.suppress(OSError):
                async with connected(port) as (reader, writer):
                    writer.write(chance.randbytes(chance.choice([1, 100, 10_000, 200_000])))
                    answers[(await ending(reader, 6))[0]] += 1

    await asyncio.gather(*(one() for _ in range(20)))
    open_ones = sum(count for answer, count in answers.items() if "open" in answer)
    return Done(f"{answers.total()} connections with random bytes", answers, not open_ones, "each refused or closed")


CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)


async def tls_garbage(port: int, seconds: float) -> Done:
    """To a TLS port: random bytes, plain HTTP, half a ClientHello, records that lie about their length, silence."""
    answers, ended = collections.Counter(), time.monotonic() + seconds
    shapes = {
        "random": lambda: os.urandom(5_000),
        "plain HTTP": lambda: b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
        "half a hello": lambda: CLIENT_HELLO,
        "a hello of junk": lambda: bytes.fromhex("1603014000010040fc0303") + os.urandom(16_377),
        "junk records": lambda: (b"\x17\x03\x03\x40\x00" + os.urandom(16_384)) * 20,
        "endless alerts": lambda: b"\x15\x03\x03\x00\x02\x01\x00" * 5_000,
        "silence": lambda: b"",
    }

    async def one(name: str, make):
        while time.monotonic() < ended:
            with contextlib.suppress(OSError):
                async with connected(port) as (reader, writer):
                    writer.write(make())
                    answer, data = await ending(reader, 4)
                    answers["an alert, closed" if data[:1] == b"\x15" and answer == "closed" else answer] += 1

    await asyncio.gather(*(one(name, make) for name, make in shapes.items() for _ in range(30)))
    open_ones = sum(count for answer, count in answers.items() if "open" in answer)
    return Done(f"{answers.total()} connections of {len(shapes)} kinds", answers, not open_ones, "closed within 4 s")


def smuggling_shapes() -> dict[str, str]:
    """Requests that two readers could take for different things; each hides one for `SMUGGLED`."""
    hidden = f"GET {SMUGGLED} HTTP/1.1\r\nhost: a\r\n\r\n"
    with_body = "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\n"
    both = f"content-length: {len(hidden) + 5}\r\ntransfer-encoding: chunked\r\n"
    shapes = {
        "both lengths": f"{with_body}{both}\r\n0\r\n\r\n{hidden}",
        "two lengths": f"{with_body}content-length: 0\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "list of lengths": f"{with_body}content-length: 0, {len(hidden)}\r\n\r\n{hidden}",
        "length with a sign": f"{with_body}content-length: +{len(hidden)}\r\n\r\n{hidden}",
        "length in hex": f"{with_body}content-length: 0x{len(hidden):x}\r\n\r\n{hidden}",
        "space before the colon": f"{with_body}content-length : {len(hidden)}\r\n\r\n{hidden}",
        "folded length": f"{with_body}content-length:\r\n {len(hidden)}\r\n\r\n{hidden}",
        "chunked twice": f"{with_body}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n{hidden}",
        "not quite chunked": f"{with_body}transfer-encoding: xchunked\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "chunked by a tab": f"{with_body}transfer-encoding:\tchunked\r\ncontent-length: {len(hidden) + 5}\r\n\r\n0\r\n\r\n{hidden}",
        "chunked by a vertical tab": f"{with_body}transfer-encoding: \x0bchunked\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "chunked in HTTP/1.0": f"POST /v1/embeddings HTTP/1.0\r\ntransfer-encoding: chunked\r\ncontent-length: {len(hidden) + 5}\r\n\r\n0\r\n\r\n{hidden}",
        "bare line feeds in chunks": f"{with_body}transfer-encoding: chunked\r\n\r\n1\na\n0\n\n{hidden}",
        "size beyond 64 bits": f"{with_body}transfer-encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n{hidden}",
        "chunk longer than it says": f"{with_body}transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n{hidden}",
        "line feed in an extension": f"{with_body}transfer-encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n{hidden}",
        "null in a field": f"{with_body}x: a\0b\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "line feed in a field": f"{with_body}x: a\rcontent-length: 0\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "a second line": f"GET /v1/models HTTP/1.1\r\n{with_body}content-length: {len(hidden)}\r\n\r\n{hidden}",
        "absolute target": f"GET http://elsewhere{SMUGGLED} HTTP/1.1\r\nhost: a\r\n\r\n",
        "tunnel": "CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "length on a tunnelled upgrade": f"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: upgrade, content-length\r\nupgrade: h2c\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "dropped by name": f"{with_body}connection: content-length\r\ncontent-length: {len(hidden)}\r\n\r\n{hidden}",
        "a body in chunks that looks like its end": f"{with_body}transfer-encoding: chunked\r\n\r\n{len(hidden) + 5:x}\r\n0\r\n\r\n{hidden}\r\n0\r\n\r\n",
    }
    return shapes


async def smuggling(port: int, _seconds: float) -> Done:
    answers, shapes = collections.Counter(), smuggling_shapes()
    for name, request in shapes.items():
        async with connected(port) as (reader, writer):
            writer.write(request.encode("latin-1"))
            _, data = await ending(reader, 1.0)
            statuses = [line[9:12].decode() for line in data.split(b"\n") if line.startswith(b"HTTP/1.")]
            answers[" then ".join(statuses) or "closed"] += 1
    return Done(f"{len(shapes)} shapes", answers, True, "no hidden request arrives")
