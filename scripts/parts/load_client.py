"""Clients over HTTP/1.1 that keep their connections, drive a rate or a number at once, and check every answer.

An answer is right when it is whole and bears the seed of its request; a refusal when it is 503 with Retry-After.
Everything else is counted as lost. It knows the scripted upstream's answers, and nothing of foreword but its headers.
"""

import asyncio
import collections
import itertools
import json
import re
import time
from dataclasses import dataclass, field

CHAT = "/v1/chat/completions"
# Longer than anything here takes; a request that is not answered by then is lost.
PATIENCE = 30.0
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)
DECISION = re.compile(rb"\r\nx-foreword-decision: ([\w-]+)", re.I)
SEEDS = itertools.count(1)
QUESTION = "Which Python library can I use to represent nested multimodal data such as text, images and audio?"


def chat(model: str, seed: int, stream: bool, unseen: bool = False) -> bytes:
    """A whole request. One in twenty or so should be `unseen`: a question that no cache knows."""
    question = f"{QUESTION} Ticket {seed}." if unseen else QUESTION
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": question}]
    body = {"model": model, "seed": seed, "stream": stream, "messages": messages}
    data = json.dumps(body, separators=(",", ":")).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self):
        self.buffer = bytearray()
        self.waiting = None
        self.expected = None
        self.closed = False
        self.reusable = True
        self.first = 0.0

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.closed = True
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    def data_received(self, data):
        if not self.buffer:
            self.first = time.perf_counter()
        self.buffer += data
        if self._whole() and self.waiting and not self.waiting.done():
            self.waiting.set_result(bytes(self.buffer))

    def _whole(self) -> bool:
        if self.expected is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.buffer[: end + 2])
            length = LENGTH.search(head)
            self.expected = end + 4 + int(length[1]) if length else -1
            self.reusable = b"\r\nconnection: close" not in head.lower()
        return self.buffer.endswith(b"0\r\n\r\n") if self.expected < 0 else len(self.buffer) >= self.expected

    async def exchange(self, request: bytes) -> bytes | None:
        """The whole answer, or nothing if the connection ended first."""
        self.buffer.clear()
        self.expected = None
        self.waiting = asyncio.get_running_loop().create_future()
        if self.closed:
            return None
        self.transport.write(request)
        return await asyncio.wait_for(self.waiting, PATIENCE)


@dataclass
class Outcome:
    """What became of the requests of one phase. Times are in milliseconds, until the answer's last byte."""

    admitted: list[float] = field(default_factory=list)
    refused: int = 0
    lost: collections.Counter = field(default_factory=collections.Counter)
    decisions: collections.Counter = field(default_factory=collections.Counter)
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return len(self.admitted) + self.refused + self.lost.total()

    def judge(self, answer: bytes | None, seed: int, milliseconds: float) -> bool:
        """Counts one answer; says whether it was admitted."""
        if answer is None:
            self.lost["connection closed"] += 1
            return False
        status = answer[9:12]
        head, _, body = answer.partition(b"\r\n\r\n")
        if status == b"200" and f'"id": "{seed}"'.encode() in body:
            if b"text/event-stream" in head and b"data: [DONE]" not in body:
                self.lost["stream not whole"] += 1
                return False
            self.admitted.append(milliseconds)
            if decision := DECISION.search(head):
                self.decisions[decision[1].decode()] += 1
            return True
        if status == b"503" and b"\r\nretry-after: " in head.lower():
            self.refused += 1
        else:
            self.lost[f"status {status.decode()}" if status != b"200" else "another's answer"] += 1
        return False


class Load:
    """Sends chat requests to one address."""

    def __init__(self, port: int, model: str, unseen_every: int = 20, ssl=None):
        self.port, self.model, self.unseen_every, self.ssl = port, model, unseen_every, ssl
        self.idle: list[Connection] = []

    async def connect(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, "127.0.0.1", self.port, ssl=self.ssl
        )
        return connection

    async def request(self, outcome: Outcome, seed: int, scheduled: float | None = None) -> bool:
        """One request on a connection that is free, or a new one; its time runs from when it was due."""
        began = scheduled or time.perf_counter()
        request = chat(self.model, seed, stream=seed % 2 == 0, unseen=seed % self.unseen_every == 0)
        try:
            while self.idle and self.idle[-1].closed:
                self.idle.pop()
            connection = self.idle.pop() if self.idle else await asyncio.wait_for(self.connect(), PATIENCE)
            answer = await connection.exchange(request)
        except (OSError, TimeoutError) as error:
            outcome.lost[type(error).__name__] += 1
            return False
        admitted = outcome.judge(answer, seed, (time.perf_counter() - began) * 1000)
        if connection.reusable and not connection.closed:
            self.idle.append(connection)
        else:
            connection.transport.close()
        return admitted

    def close(self):
        while self.idle:
            self.idle.pop().transport.close()

    async def closed_loop(self, clients: int, seconds: float, pause: float) -> Outcome:
        """So many clients with one request each; one that was refused tries again after `pause` seconds."""
        outcome, began = Outcome(), time.perf_counter()

        async def client(number: int):
            # Not all at the same moment.
            await asyncio.sleep(pause * number / clients)
            while time.perf_counter() - began < seconds:
                if not await self.request(outcome, next(SEEDS)):
                    await asyncio.sleep(pause)

        await asyncio.gather(*(client(number) for number in range(clients)))
        outcome.seconds = time.perf_counter() - began
        return outcome

    async def open_loop(self, rate: float, seconds: float) -> Outcome:
        """Requests at a fixed rate, whatever becomes of those before."""
        outcome, began, tasks = Outcome(), time.perf_counter(), set()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.ensure_future(self.request(outcome, next(SEEDS), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        outcome.seconds = time.perf_counter() - began
        return outcome
