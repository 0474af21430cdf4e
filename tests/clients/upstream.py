#!/usr/bin/env python3
"""A scripted OpenAI-compatible upstream for the checks of real clients: standard library only.

What a chat request gets is chosen by its `model`: the names are the keys of `CHAT_MODELS` in chat_models.py, and
`error-<status>`. It prints `listening PORT`; with `--log FILE` it writes a line for every request.

Asked by the checks directly, past the proxy:
    GET  /v1/_hangups        {"hangups": n}: how many answers the client side broke off
    POST /v1/_release/NAME   lets the answer of model `gated:NAME` go on
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import struct
import sys

from chat_models import CHAT_MODELS, chat, last_text
from wire import Connection, HangUp, Refused, Request, State

SPEECH = bytes(range(256)) * 1200


async def models(connection: Connection, request: Request) -> None:
    entries = [{"id": name, "object": "model", "created": 1, "owned_by": "scripted"} for name in CHAT_MODELS]
    await connection.answer_json({"object": "list", "data": entries})


async def completions(connection: Connection, request: Request) -> None:
    body = request.json()
    text = f"{len(body['prompt'])} characters"
    base = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        await connection.answer_json({**base, "choices": [choice]})
        return
    await connection.start_events()
    for letter in text:
        choice = {"index": 0, "text": letter, "finish_reason": None, "logprobs": None}
        await connection.event({**base, "choices": [choice]})
    await connection.end_events()


async def responses(connection: Connection, request: Request) -> None:
    """A Responses answer; its stream has named events and ends without [DONE]."""
    body = request.json()
    source = body["input"]
    text = source if isinstance(source, str) else last_text(source)
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    base = {"id": "resp_1", "object": "response", "created_at": 1, "model": body["model"], "error": None}
    base |= {"instructions": None, "metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    finished = {**base, "status": "completed", "output": [item]}
    if not body.get("stream"):
        await connection.answer_json(finished)
        return
    await connection.start_events()
    number = 0

    async def event(kind: str, **more) -> None:
        nonlocal number
        await connection.event({"type": kind, "sequence_number": number, **more}, kind)
        number += 1

    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty = {**item, "status": "in_progress", "content": []}
    await event("response.created", response={**base, "status": "in_progress", "output": []})
    await event("response.output_item.added", output_index=0, item=empty)
    await event("response.content_part.added", **place, part={**part, "text": ""})
    for word in re.findall(r"\S+\s*", text):
        await event("response.output_text.delta", **place, delta=word, logprobs=[])
    await event("response.output_text.done", **place, text=text, logprobs=[])
    await event("response.content_part.done", **place, part=part)
    await event("response.output_item.done", output_index=0, item=item)
    await event("response.completed", response=finished)
    await connection.end_events(done=False)


async def embeddings(connection: Connection, request: Request) -> None:
    """A vector of two numbers for each text: its length in bytes, and the body's."""
    body = request.json()
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = []
    for index, text in enumerate(texts):
        vector = [float(len(text.encode())), float(len(request.body))]
        packed = base64.b64encode(struct.pack("<2f", *vector)).decode()
        value = packed if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    await connection.answer_json({"object": "list", "data": data, "model": body["model"], "usage": usage})


async def files(connection: Connection, request: Request) -> None:
    """An uploaded file: its sha256 is its id."""
    boundary = re.search(r'boundary="?([^";]+)', request.headers["content-type"])[1].encode()
    fields = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
        fields[re.search(rb'name="?([^";\r\n]+)', head)[1].decode()] = value
    content = fields["file"]
    uploaded = {"object": "file", "filename": "rows.jsonl", "created_at": 1, "status": "processed"}
    uploaded |= {"id": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    await connection.answer_json({**uploaded, "purpose": fields["purpose"].decode()})


async def speech(connection: Connection, request: Request) -> None:
    await connection.send(connection.head(200, "audio/mpeg", transfer_encoding="chunked"))
    for start in range(0, len(SPEECH), 10_000):
        await connection.chunk(SPEECH[start : start + 10_000])
    await connection.end_events(done=False)


async def hangups(connection: Connection, request: Request) -> None:
    await connection.answer_json({"hangups": connection.state.hangups})


ROUTES = {
    ("GET", "/v1/models"): models,
    ("POST", "/v1/chat/completions"): chat,
    ("POST", "/v1/completions"): completions,
    ("POST", "/v1/responses"): responses,
    ("POST", "/v1/embeddings"): embeddings,
    ("POST", "/v1/files"): files,
    ("POST", "/v1/audio/speech"): speech,
    ("GET", "/v1/_hangups"): hangups,
}


async def route(connection: Connection, request: Request) -> None:
    path = request.path.partition("?")[0]
    if path.startswith("/v1/_release/"):
        connection.state.gate(path.rpartition("/")[2]).set()
        await connection.answer_json({})
        return
    handler = ROUTES.get((request.method, path))
    try:
        if handler is None:
            raise Refused(404, f"no {request.method} {path}", "not_found")
        await handler(connection, request)
    except Refused as refusal:
        error = {"message": str(refusal), "type": "invalid_request_error", "param": None, "code": refusal.code}
        await connection.answer_json({"error": error}, refusal.status)


async def main() -> None:
    state = State()
    log = open(sys.argv[sys.argv.index("--log") + 1], "w", buffering=1) if "--log" in sys.argv else None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, state)
        request = None
        try:
            while request := await connection.read_request():
                state.requests += 1
                if log:
                    shown = ascii(request.body[:120].decode("utf-8", "replace"))
                    print(state.requests, request.method, request.path, len(request.body), shown, file=log)
                await route(connection, request)
        except HangUp:
            state.hangups += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
