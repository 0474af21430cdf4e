"""A model endpoint that follows a script, for load and attacks: `scripted_upstream.py` prints its port and serves.

The name of the model in a request says what to do, so that one endpoint serves every phase:

    think-50     the answer takes 50 ms; a streamed one comes as ten events over that time
    hold-0       one event, then silence until somebody asks for /control/release
    big-64       64 MB of events, as fast as they are read

The answer bears the request's `seed` as its id, by which a client tells that it is its own. /control/seen tells what
has arrived; foreword has no path to it. Loopback only. It knows nothing of foreword.
"""

import asyncio
import collections
import gc
import json
import re
import sys

ASKED = re.compile(rb'"model":\s?"(\w+)-(\d+)"')
SEED = re.compile(rb'"seed":\s?(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.I)
CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.I)
EVENTS = 10
# Of a body only its beginning is looked at; the rest is counted.
LOOKED_AT = 16_384
PIECE = b"data: " + b"x" * 8_186 + b"\n\n"


class Seen:
    """What has arrived, and who waits to be released."""

    def __init__(self):
        self.targets = collections.Counter()
        self.bytes = self.open = self.most_open = self.held = 0
        self.release = asyncio.Event()

    def told(self) -> bytes:
        fields = {"targets": self.targets.most_common(50), "bytes": self.bytes, "open": self.open}
        return json.dumps({**fields, "most_open": self.most_open, "held": self.held}).encode()


class Connection(asyncio.Protocol):
    """One connection of a proxy: requests one after another."""

    def __init__(self, seen: Seen):
        self.seen = seen
        self.buffer = bytearray()
        self.reading = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.task = None

    def connection_made(self, transport):
        self.transport = transport
        self.seen.open += 1
        self.seen.most_open = max(self.seen.most_open, self.seen.open)

    def connection_lost(self, _):
        self.seen.open -= 1
        if self.task:
            self.task.cancel()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def data_received(self, data):
        self.seen.bytes += len(data)
        self.buffer += data
        while self._next_request():
            pass

    def _next_request(self) -> bool:
        if self.reading is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.buffer[: end + 2])
            del self.buffer[: end + 4]
            target = head.split(b" ", 2)[1].decode("latin-1")
            self.seen.targets[target] += 1
            length = LENGTH.search(head)
            # What is left of the body: a number of bytes, or None for chunks.
            self.reading = [target, None if CHUNKED.search(head) else int(length[1]) if length else 0, b""]
        complete = self._take_chunks() if self.reading[1] is None else self._take_length()
        if not complete:
            return False
        target, _, body = self.reading
        self.reading = None
        self._answer(target, body)
        return bool(self.buffer)

    def _take(self, count: int):
        self.reading[2] += bytes(self.buffer[: min(count, max(0, LOOKED_AT - len(self.reading[2])))])
        del self.buffer[:count]

    def _take_length(self) -> bool:
        taken = min(self.reading[1], len(self.buffer))
        self.reading[1] -= taken
        self._take(taken)
        return self.reading[1] == 0

    def _take_chunks(self) -> bool:
        """Whole chunks, read as strictly as a chunk can be: what is none ends the connection."""
        while True:
            line = CHUNK.match(self.buffer)
            if not line:
                if b"\r\n" in self.buffer:
                    self.seen.targets["(a malformed chunk)"] += 1
                    self.transport.abort()
                return False
            size, begin = int(line[1], 16), line.end()
            if len(self.buffer) < begin + size + 2:
                return False
            if size:
                del self.buffer[:begin]
                self._take(size)
                del self.buffer[:2]
                continue
            # Trailers, then an empty line.
            end = begin if self.buffer[begin : begin + 2] == b"\r\n" else self.buffer.find(b"\r\n\r\n", begin) + 2
            if end < begin:
                return False
            del self.buffer[: end + 2]
            return True

    def _answer(self, target: str, body: bytes):
        if target.startswith("/control/"):
            if target == "/control/release":
                self.seen.release.set()
                self.seen.release = asyncio.Event()
            return self._write_whole(self.seen.told())
        asked = ASKED.search(body)
        kind, amount = (asked[1].decode(), int(asked[2])) if asked else ("think", 0)
        seed = SEED.search(body)
        number = seed[1].decode() if seed else "0"
        if kind == "think" and b'"stream":true' not in body:
            answer = {"id": number, "object": "chat.completion", "model": "scripted", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "An answer of a usual length."}, "finish_reason": "stop"}]}
            asyncio.get_running_loop().call_later(amount / 1000, self._write_whole, json.dumps(answer).encode())
        else:
            self.task = asyncio.ensure_future(self._stream(kind, amount, number))

    def _write_whole(self, body: bytes):
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)

    def _event(self, number: str, text: str) -> bytes:
        event = {"id": number, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
        return self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    @staticmethod
    def _chunk(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    async def _stream(self, kind: str, amount: int, number: str):
        write = self.transport.write
        write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        write(self._event(number, "first"))
        if kind == "hold":
            self.seen.held += 1
            try:
                await self.seen.release.wait()
            finally:
                self.seen.held -= 1
        elif kind == "big":
            for _ in range(amount * 1_048_576 // len(PIECE)):
                await self.writable.wait()
                write(self._chunk(PIECE))
        else:
            for _ in range(EVENTS - 1):
                await asyncio.sleep(amount / 1000 / (EVENTS - 1))
                write(self._event(number, " word"))
        write(self._chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def main():
    loop = asyncio.get_running_loop()
    seen = Seen()
    server = await loop.create_server(lambda: Connection(seen), "127.0.0.1", 0, backlog=4096)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    # Pauses of the collector would be measured as latency of what is under load.
    gc.disable()
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
