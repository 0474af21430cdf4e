"""The clients of the soak: plain and streamed chat requests, conversations, tool calls, bodies that are no chat,
hang-ups. Every answer is compared with what the upstream must have said, byte for byte."""

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import soak_upstream

ANSWER_SECONDS = 30
QUESTIONS = [
    "Which Python library can represent nested multimodal data such as text, images and audio?",
    "How do I send tensors between two Python microservices?",
    "What can I use to search a collection of pictures with a text query?",
    "I want to try similarity search on my laptop without a database server. What is there?",
    "What open-source server gives me CLIP embeddings for images and sentences?",
    "What is the capital of France?",
    "Write a limerick about a lighthouse.",
]
TOOLS = [{"type": "function", "function": {"name": "stock", "parameters": {"type": "object", "properties": {}}}}]
KINDS = {"plain": 34, "stream": 30, "hang_up": 10, "dialogue": 12, "tools": 8, "not_chat": 4, "other_path": 2}
# Codes of errors that say what the upstream did.
HONEST = {"upstream_unreachable", "upstream_broken", "upstream_timeout", "too_many_requests_at_once"}


@dataclass
class Request:
    """One request, and what its answer must be."""

    kind: str
    ref: str
    path: str
    body: bytes
    fields: dict[str, str]
    expected: bytes
    hangs_up_after: int | None = None

    def encoded(self) -> bytes:
        method = "GET" if self.kind == "other_path" else "POST"
        lines = [f"{method} {self.path} HTTP/1.1", "host: soak", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass
class Outcome:
    """How one request ended. `what`: ok, error, cut, hung_up, unanswered, or wrong with the reason in `why`."""

    request: Request
    began: float
    ended: float = 0.0
    what: str = "unanswered"
    why: str = ""
    is_sent: bool = False
    decision: str = ""
    receipt: str = ""
    generations: list[int] = field(default_factory=list)


def messages_of(kind: str, rng: random.Random, ask: str) -> list[dict]:
    if kind == "dialogue":
        past = []
        for question in rng.sample(QUESTIONS, rng.randint(1, 3)):
            past += [{"role": "user", "content": question}, {"role": "assistant", "content": "It depends on what you need."}]
        return [{"role": "system", "content": "You are a helpful assistant."}, *past, {"role": "user", "content": ask}]
    if kind == "tools":
        call = {"id": "call_1", "type": "function", "function": {"name": "stock", "arguments": "{}"}}
        return [
            {"role": "user", "content": ask},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "{\"left\": 3}"},
        ]
    return [{"role": "user", "content": ask}]


def request_of(kind: str, ref: str, rng: random.Random, question: str | None = None) -> Request:
    """A request of a kind; `ref` tells it from all others."""
    path, fields = "/v1/chat/completions", {"x-soak-ref": ref}
    if kind in ("not_chat", "other_path"):
        body = b"" if kind == "other_path" else rng.choice([b"{\"messages\": [", b"not json " + ref.encode()])
        path = "/v1/models" if kind == "other_path" else path
        return Request(kind, ref, path, body, fields, soak_upstream.whole(ref, hashlib.sha256(body).hexdigest()[:8]))
    messages = messages_of(kind, rng, question or rng.choice(QUESTIONS))
    streams = kind in ("stream", "hang_up") or (kind == "dialogue" and rng.random() < 0.5)
    body = {"model": "soak", "messages": messages, "stream": streams, **({"tools": TOOLS} if kind == "tools" else {})}
    fields["x-soak-messages"] = ",".join(map(soak_upstream.digest, messages))
    # Each client a conversation of its own.
    fields["x-foreword-conversation"] = ref
    if not streams:
        return Request(kind, ref, path, json.dumps(body).encode(), fields, soak_upstream.whole(ref, "whole"))
    fields["x-soak-streams"] = "yes"
    expected = b"".join(soak_upstream.events(ref, "whole"))
    hangs_up_after = rng.randrange(1, len(expected)) if kind == "hang_up" else None
    return Request(kind, ref, path, json.dumps(body).encode(), fields, expected, hangs_up_after)


async def read_body(reader, fields: dict[str, str], into: bytearray, enough: int | None) -> None:
    """Reads a body, at most `enough` bytes of it. A body that ends before its end is an IncompleteReadError."""
    if fields.get("transfer-encoding", "").lower() != "chunked":
        into += await reader.readexactly(int(fields["content-length"]))
        return
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        into += await reader.readexactly(size)
        await reader.readexactly(2)
        if enough is not None and len(into) >= enough:
            return
    await reader.readuntil(b"\r\n")


class Client:
    """One connection that is kept as long as it can be."""

    def __init__(self, port: int):
        self.port = port
        self.reader = self.writer = None

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def send(self, request: Request) -> Outcome:
        outcome, body = Outcome(request, time.monotonic()), bytearray()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._exchange(request, outcome, body)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            outcome.what = "cut" if body or outcome.decision else "unanswered"
            outcome.why = type(error).__name__
            if not request.expected.startswith(bytes(body)):
                outcome.what, outcome.why = "wrong", f"cut off, and other bytes before: {bytes(body)[:200]!r}"
        except TimeoutError:
            self.close()
            outcome.what, outcome.why = "wrong", f"no end within {ANSWER_SECONDS} s"
        outcome.ended = time.monotonic()
        return outcome

    async def _exchange(self, request: Request, outcome: Outcome, body: bytearray) -> None:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(request.encoded())
        await self.writer.drain()
        outcome.is_sent = True
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        status = int(head[0].split(" ")[1])
        outcome.decision, outcome.receipt = fields.get("x-foreword-decision", "-"), fields.get("x-foreword-receipt", "")
        outcome.generations = [int(one) for one in fields.get("x-soak-generations", "").split(",") if one]
        await read_body(self.reader, fields, body, request.hangs_up_after)
        if fields.get("connection", "").lower() == "close" or request.hangs_up_after is not None:
            self.close()
        self._judge(status, request, outcome, bytes(body))

    @staticmethod
    def _judge(status: int, request: Request, outcome: Outcome, body: bytes) -> None:
        if status == 200 and body == request.expected:
            outcome.what = "ok"
        elif status == 200 and request.hangs_up_after is not None and request.expected.startswith(body):
            outcome.what = "hung_up"
        elif status >= 400:
            code = ""
            with contextlib.suppress(ValueError, KeyError, TypeError):
                error = json.loads(body)["error"]
                code = error["code"] if error["message"] and error["type"] else ""
            is_honest = status in (502, 503, 504) and code in HONEST
            outcome.what, outcome.why = ("error", code) if is_honest else ("wrong", f"status {status}: {body[:200]!r}")
        else:
            outcome.what, outcome.why = "wrong", f"status {status}, other bytes: {body[:300]!r}"


class Traffic:
    """Many clients, each sending one request after the other, `rate` a second in all, until told to stop."""

    def __init__(self, port: int, rng: random.Random, rate: float, clients: int, kinds: dict[str, int] = KINDS):
        self.port, self.rng, self.rate, self.kinds = port, rng, rate, kinds
        self.outcomes: list[Outcome] = []
        self._stop = asyncio.Event()
        self._clients = clients
        self._tasks: list[asyncio.Task] = []
        self._name = f"{rng.getrandbits(32):08x}"
        self._number = 0

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._one_client(number)) for number in range(self._clients)]

    async def stop(self) -> list[Outcome]:
        """Ends when all requests have."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        return self.outcomes

    async def _one_client(self, number: int) -> None:
        client, period = Client(self.port), self._clients / self.rate
        due = time.monotonic() + number * period / self._clients
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.0, due - time.monotonic()))
            if self._stop.is_set():
                break
            self._number += 1
            kind = self.rng.choices(list(self.kinds), list(self.kinds.values()))[0]
            self.outcomes.append(await client.send(request_of(kind, f"{self._name}-{self._number}", self.rng)))
            # Somebody who was held up does not catch up.
            due = max(due + period, time.monotonic())
        client.close()


def tally(outcomes: list[Outcome]) -> Counter:
    return Counter(outcome.what for outcome in outcomes)
