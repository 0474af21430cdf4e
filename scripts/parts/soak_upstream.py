"""The upstream of the soak: a process of its own that may be killed at any time. Each answer follows from the request
alone, so that a client can tell every byte of it, and is wrong where the client's messages did not all arrive in order.

    soak_upstream.py PORT        0 for a free one; prints `listening on PORT`
"""

import asyncio
import hashlib
import json
import random
import re
import sys

GENERATION = re.compile(rb"generation (\d+)")
PAUSE_SECONDS = 0.03
EVENTS = 12


def digest(message) -> str:
    """Eight characters that stand for one message."""
    return hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()[:8]


def text_of(ref: str, seen: str) -> str:
    words = hashlib.sha512(f"{ref} {seen}".encode()).hexdigest()
    return f"Answer to {ref}, {seen}: " + " ".join(words[at : at + 8] for at in range(0, len(words), 8))


def whole(ref: str, seen: str) -> bytes:
    """The body of a plain answer."""
    message = {"role": "assistant", "content": text_of(ref, seen)}
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": ref, "object": "chat.completion", "choices": choices, "usage": usage}).encode()


def events(ref: str, seen: str) -> list[bytes]:
    """The events of a streamed answer."""

    def event(delta: dict, finish: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return b"data: " + json.dumps({"id": ref, "object": "chat.completion.chunk", "choices": choices}).encode() + b"\n\n"

    text = text_of(ref, seen)
    step = -(-len(text) // EVENTS)
    pieces = [event({"content": text[at : at + step]}) for at in range(0, len(text), step)]
    return [*pieces, event({}, "stop"), b"data: [DONE]\n\n"]


def arrived(expected: list[str], body: bytes) -> str:
    """`whole` where all messages of the client are there in their order, whatever stands between them."""
    found = iter(digest(message) for message in json.loads(body)["messages"])
    return "whole" if all(one in found for one in expected) else "WRONG"


async def read_request(reader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return head[0], fields, body
    return head[0], fields, await reader.readexactly(int(fields.get("content-length", "0")))


def seen_in(fields: dict[str, str], body: bytes) -> str:
    """What of the client's request arrived: its messages, or all its bytes where it has none."""
    if "x-soak-messages" in fields:
        return arrived(fields["x-soak-messages"].split(","), body)
    return hashlib.sha256(body).hexdigest()[:8]


async def serve_connection(reader, writer) -> None:
    try:
        while True:
            _, fields, body = await read_request(reader)
            ref, seen = fields.get("x-soak-ref", "-"), seen_in(fields, body)
            told = ",".join(sorted({number.decode() for number in GENERATION.findall(body)}))
            head = f"HTTP/1.1 200 OK\r\nx-soak-generations: {told}\r\n"
            if fields.get("x-soak-streams") != "yes":
                answer = whole(ref, seen)
                head += f"content-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer)
                await writer.drain()
                continue
            writer.write(head.encode() + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            pause = random.Random(ref).uniform(0.2, 2) * PAUSE_SECONDS
            for event in events(ref, seen):
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                await writer.drain()
                await asyncio.sleep(pause)
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve_connection, "127.0.0.1", port, backlog=1024)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
