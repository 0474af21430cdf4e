"""HTTP/1.1 as the scripted upstream speaks it: requests read whole, answers written as events or at once.

Standard library only. What is answered is decided in chat_models.py and upstream.py.
"""

import asyncio
import contextlib
import hashlib
import json
from dataclasses import dataclass, field

REQUEST_BODY_LIMIT = 64 << 20


@dataclass
class Request:
    """One request, read to its end."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass
class State:
    """What the upstream remembers between requests."""

    hangups: int = 0
    requests: int = 0
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    failed_once: set[str] = field(default_factory=set)

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())


class HangUp(Exception):
    """The client side is gone."""


class Refused(Exception):
    """A request that gets an error answer."""

    def __init__(self, status: int, message: str, code: str = "invalid_value"):
        super().__init__(message)
        self.status, self.code = status, code


class Connection:
    """One client connection: reads requests, writes answers, notices when the other side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: State):
        self.reader, self.writer, self.state = reader, writer, state

    async def read_request(self) -> Request | None:
        """The next request, or None where the client is done."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, path, headers, await self.read_body(headers))

    async def read_body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = bytearray()
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
            if len(body) > REQUEST_BODY_LIMIT:
                raise Refused(413, "body too large")
        while (await self.reader.readline()).strip():
            pass
        return bytes(body)

    async def send(self, data: bytes) -> None:
        """Writes; a client that is gone is a `HangUp`, also where the system has not noticed it in the write."""
        if self.reader.at_eof():
            raise HangUp
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError as error:
            raise HangUp from error

    async def wait_for(self, awaitable) -> None:
        """Waits for something, or for the client to hang up."""
        wanted = asyncio.ensure_future(awaitable)
        gone = asyncio.ensure_future(self.reader.read(1))
        try:
            await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise HangUp
        finally:
            wanted.cancel()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await gone

    async def answer(self, status: int, body: bytes, content_type: str, **more: str) -> None:
        await self.send(self.head(status, content_type, **more, content_length=str(len(body))) + body)

    async def answer_json(self, value, status: int = 200, **more: str) -> None:
        await self.answer(status, json.dumps(value).encode(), "application/json", **more)

    def head(self, status: int, content_type: str, **more: str) -> bytes:
        headers = {
            "content-type": content_type,
            "x-request-id": f"req_upstream_{self.state.requests}",
            "openai-processing-ms": "7",
            "x-ratelimit-remaining-requests": "41",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode()

    async def start_events(self) -> None:
        await self.send(self.head(200, "text/event-stream; charset=utf-8", transfer_encoding="chunked"))

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def event(self, value, name: str | None = None) -> None:
        prefix = f"event: {name}\n" if name else ""
        await self.chunk(f"{prefix}data: {json.dumps(value)}\n\n".encode())

    async def end_events(self, done: bool = True) -> None:
        await self.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n" if done else b"0\r\n\r\n")
