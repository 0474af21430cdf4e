"""What the scripted upstream answers to a chat, chosen by the request's `model`.

It is strict about conversations, as some providers are: one that it would not accept gets 400.
"""

import asyncio
import gzip
import hashlib
import json
import re

from wire import Connection, Refused, Request

EVENT_INTERVAL_SECONDS = 0.05
LARGE_ARGUMENTS = json.dumps({"rows": [{"id": n, "text": f"Zeile {n}: «größe» \U0001f4c8"} for n in range(4000)]})
# Trips event parsers that split at every line end they know, or at what looks like the end of a stream.
UNICODE_TEXT = "naïve café 東京 👩‍🚀 \u2028 \"quoted\" \\ back\nnew line data: [DONE] "


def check_conversation(messages: list[dict]) -> None:
    """Refuses what a strict provider refuses: late system text, roles that do not alternate, orphan tool messages."""
    open_calls: set[str] = set()
    previous = "system"
    for place, message in enumerate(messages):
        role = {"developer": "system"}.get(message["role"], message["role"])
        if role == "system" and previous != "system":
            raise Refused(400, f"message {place}: system text after the start")
        if role == "tool":
            if message["tool_call_id"] not in open_calls:
                raise Refused(400, f"message {place}: answers no open tool call")
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            raise Refused(400, f"message {place}: tool calls without results before it")
        if role in ("user", "assistant") and role == previous:
            raise Refused(400, f"message {place}: {role} after {role}")
        if role == "assistant":
            open_calls = {call["id"] for call in message.get("tool_calls") or []}
            if previous == "system":
                raise Refused(400, f"message {place}: starts with the assistant")
        previous = role
    if open_calls or previous not in ("user", "tool"):
        raise Refused(400, "nothing to answer at the end")


def last_text(messages: list[dict]) -> str:
    content = messages[-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] in ("text", "input_text"))


def completion(model: str, message: dict, finish: str = "stop") -> dict:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": None}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


def delta(model: str, change: dict, finish: str | None = None) -> dict:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": model,
        "choices": [{"index": 0, "delta": change, "finish_reason": finish}],
    }


async def echo(connection: Connection, request: Request, body: dict) -> None:
    """The sha256 of the request's body as it arrived, and the number of its messages."""
    seen = {
        "sha256": request.sha256(),
        "messages": len(body["messages"]),
        "last": last_text(body["messages"]),
        "headers": request.headers,
    }
    await connection.answer_json(completion(body["model"], {"content": json.dumps(seen)}))


async def compressed(connection: Connection, request: Request, body: dict) -> None:
    text = "packed " * 5000
    answer = json.dumps(completion(body["model"], {"content": text})).encode()
    await connection.answer(200, gzip.compress(answer), "application/json", content_encoding="gzip")


async def stream(connection: Connection, request: Request, body: dict) -> None:
    """The user's text back, one word an event, after a text that trips careless event parsers."""
    model = body["model"]
    await connection.start_events()
    await connection.event(delta(model, {"role": "assistant", "content": ""}))
    for word in re.findall(r"\S+\s*|\s+", UNICODE_TEXT + last_text(body["messages"])):
        await connection.event(delta(model, {"content": word}))
    await connection.event(delta(model, {}, "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        await connection.event({**delta(model, {}), "choices": [], "usage": usage})
    await connection.end_events()


async def gated(connection: Connection, request: Request, body: dict) -> None:
    """One event, then nothing until the gate of this name is released, then the rest."""
    model = body["model"]
    await connection.start_events()
    await connection.event(delta(model, {"role": "assistant", "content": "before "}))
    await connection.wait_for(connection.state.gate(model.partition(":")[2]).wait())
    await connection.event(delta(model, {"content": "after"}, "stop"))
    await connection.end_events()


async def slow_stream(connection: Connection, request: Request, body: dict) -> None:
    """An event at every interval until the client hangs up."""
    await connection.start_events()
    while True:
        await connection.event(delta(body["model"], {"content": "tick "}))
        await connection.wait_for(asyncio.sleep(EVENT_INTERVAL_SECONDS))


async def silent(connection: Connection, request: Request, body: dict) -> None:
    """Not even a status line, until the client hangs up."""
    await connection.wait_for(asyncio.Event().wait())


async def broken_stream(connection: Connection, request: Request, body: dict) -> None:
    """Three events, then the connection is cut without an end."""
    await connection.start_events()
    for word in ("one ", "two ", "three "):
        await connection.event(delta(body["model"], {"content": word}))
    raise ConnectionAbortedError


async def flaky(connection: Connection, request: Request, body: dict) -> None:
    """503 to the first request with this model, an answer to the second."""
    if body["model"] not in connection.state.failed_once:
        connection.state.failed_once.add(body["model"])
        error = {"error": {"message": "try again", "type": "server_error", "param": None, "code": None}}
        await connection.answer_json(error, 503, retry_after_ms="1")
    else:
        await connection.answer_json(completion(body["model"], {"content": "second time"}))


async def tools(connection: Connection, request: Request, body: dict) -> None:
    """Two tool calls, one with large arguments; then, given their results, what was in them."""
    messages, model = body["messages"], body["model"]
    if messages[-1]["role"] == "tool":
        await answer_tool_results(connection, messages, body)
        return
    if [tool["function"]["name"] for tool in body["tools"]] != ["weather", "import_rows"]:
        raise Refused(400, "these are not the tools that the check sends")
    calls = [
        {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Zürich"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "import_rows", "arguments": LARGE_ARGUMENTS}},
    ]
    if not body.get("stream"):
        await connection.answer_json(completion(model, {"content": None, "tool_calls": calls}, "tool_calls"))
        return
    await connection.start_events()
    await connection.event(delta(model, {"role": "assistant", "content": None}))
    for index, call in enumerate(calls):
        text = call["function"]["arguments"]
        opening = {**call, "function": {**call["function"], "arguments": ""}}
        await connection.event(delta(model, {"tool_calls": [{"index": index, **opening}]}))
        for start in range(0, len(text), 1000):
            piece = {"index": index, "function": {"arguments": text[start : start + 1000]}}
            await connection.event(delta(model, {"tool_calls": [piece]}))
    await connection.event(delta(model, {}, "tool_calls"))
    await connection.end_events()


async def answer_tool_results(connection: Connection, messages: list[dict], body: dict) -> None:
    results = [message for message in messages if message["role"] == "tool"]
    calls = [call for message in messages for call in message.get("tool_calls") or []]
    # As values: frameworks write anew what they have read.
    if json.loads(calls[-1]["function"]["arguments"]) != json.loads(LARGE_ARGUMENTS):
        raise Refused(400, "the arguments came back changed")
    text = "tools said: " + " / ".join(result["content"] for result in results)
    if body.get("stream"):
        await connection.start_events()
        await connection.event(delta(body["model"], {"role": "assistant", "content": text}))
        await connection.event(delta(body["model"], {}, "stop"))
        await connection.end_events()
    else:
        await connection.answer_json(completion(body["model"], {"content": text}))


async def vision(connection: Connection, request: Request, body: dict) -> None:
    """The kinds of the last message's parts, and the sha256 of each image address."""
    parts = body["messages"][-1]["content"]
    seen = {
        "types": [part["type"] for part in parts],
        "images": [
            hashlib.sha256(part["image_url"]["url"].encode()).hexdigest()
            for part in parts
            if part["type"] == "image_url"
        ],
        "detail": [part["image_url"].get("detail") for part in parts if part["type"] == "image_url"],
    }
    await connection.answer_json(completion(body["model"], {"content": json.dumps(seen)}))


async def structured(connection: Connection, request: Request, body: dict) -> None:
    form = body.get("response_format") or {}
    if form.get("type") != "json_schema" or "city" not in form["json_schema"]["schema"]["properties"]:
        raise Refused(400, "response_format is not the schema that the check sends")
    answer = {"city": "Paris", "people": 2102650}
    await connection.answer_json(completion(body["model"], {"content": json.dumps(answer), "refusal": None}))


CHAT_MODELS = {
    "echo": echo,
    "compressed": compressed,
    "stream": stream,
    "gated": gated,
    "slow-stream": slow_stream,
    "silent": silent,
    "broken-stream": broken_stream,
    "flaky": flaky,
    "tools": tools,
    "vision": vision,
    "structured": structured,
}


async def answer_error(connection: Connection, model: str) -> None:
    if model == "error-html":
        page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        await connection.answer(502, page, "text/html")
        return
    status = int(model.removeprefix("error-"))
    error = {"message": f"scripted {status}", "type": "scripted_error", "param": "model", "code": f"code_{status}"}
    more = {"retry_after": "17"} if status == 429 else {}
    await connection.answer_json({"error": error}, status, **more)


async def chat(connection: Connection, request: Request) -> None:
    body = request.json()
    check_conversation(body["messages"])
    model = body["model"].partition(":")[0]
    if model.startswith("error-"):
        await answer_error(connection, model)
    elif handler := CHAT_MODELS.get(model):
        await handler(connection, request, body)
    else:
        raise Refused(404, f"no model {model}", "model_not_found")
