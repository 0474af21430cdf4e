"""Checks the real `openai` Python package against a base URL that leads, through the proxy, to ../upstream.py.

Nothing of the package is changed but its base URL. Prints `ok NAME` or `FAIL NAME: why` for each check.

FOREWORD_BASE_URL   where the package is pointed at, with /v1
UPSTREAM_URL        the scripted upstream itself, with /v1: to ask what it saw
FOREWORD_DIRECT     set where there is no proxy in between: the upstream and the checks are tested alone
"""

import asyncio
import hashlib
import json
import os
import sys
import threading
import time
import traceback
import urllib.request
import uuid

import openai
from pydantic import BaseModel

BASE_URL = os.environ["FOREWORD_BASE_URL"]
UPSTREAM_URL = os.environ["UPSTREAM_URL"]
THROUGH_PROXY = not os.environ.get("FOREWORD_DIRECT")

OFF_TOPIC = "What is the capital of France?"
ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?"
IMAGE = "data:image/png;base64," + "iVBORw0KGgo" * 20_000
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": name, "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("weather", "import_rows")
]

client = openai.OpenAI(base_url=BASE_URL, api_key="sk-check", max_retries=0, timeout=30)
checks = []


def check(function):
    """Registers a check; its name is the function's."""
    checks.append(function)
    return function


def user(text):
    return [{"role": "user", "content": text}]


def ask(model, messages=None, **options):
    return client.chat.completions.create(model=model, messages=messages or user(OFF_TOPIC), **options)


def equal(found, expected, what="value"):
    if found != expected:
        raise AssertionError(f"{what}: found {str(found)[:300]!r}, expected {str(expected)[:300]!r}")


def upstream(path, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(UPSTREAM_URL + path, method=method), timeout=10) as answer:
        return json.load(answer)


def wait_for_hangup(before):
    """The upstream notices that its client is gone: asked until it does, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while upstream("/_hangups")["hangups"] <= before:
        if time.monotonic() > deadline:
            raise AssertionError("the upstream did not notice within 10 s that the client hung up")
        threading.Event().wait(0.02)


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@check
def plain_chat():
    answer = ask("echo", [{"role": "system", "content": "Be short."}, *user(OFF_TOPIC)])
    equal(answer.choices[0].message.role, "assistant")
    equal(json.loads(answer.choices[0].message.content)["last"], OFF_TOPIC)
    equal(answer.usage.total_tokens, 7)


@check
def body_is_untouched_where_nothing_is_injected():
    raw = client.chat.completions.with_raw_response.create(
        model="echo", messages=user(OFF_TOPIC), extra_body={"vendor_field": {"b": 1, "a": 1e2}}
    )
    seen = json.loads(raw.parse().choices[0].message.content)
    equal(seen["sha256"], hashlib.sha256(raw.http_response.request.content).hexdigest(), "sha256 of the body")
    equal(seen["headers"]["authorization"], "Bearer sk-check")
    if THROUGH_PROXY and raw.headers["x-foreword-decision"] == "injected":
        raise AssertionError("an off-topic question got an injection")


@check
def on_topic_chat_is_injected():
    raw = client.chat.completions.with_raw_response.create(model="echo", messages=user(ON_TOPIC))
    seen = json.loads(raw.parse().choices[0].message.content)
    if not THROUGH_PROXY:
        return
    equal(raw.headers.get("x-foreword-decision"), "injected", "x-foreword-decision")
    assert int(raw.headers["x-foreword-items"]) > 0, "no items"
    assert raw.headers["x-foreword-receipt"], "no receipt"
    assert seen["messages"] > 1, "nothing arrived upstream besides the question"
    equal(seen["last"], ON_TOPIC, "the last message")


@check
def headers_of_the_upstream_are_visible():
    raw = client.chat.completions.with_raw_response.create(model="echo", messages=user(OFF_TOPIC))
    equal(raw.headers["openai-processing-ms"], "7")
    equal(raw.headers["x-ratelimit-remaining-requests"], "41")
    assert raw.headers["x-request-id"].startswith("req_upstream_"), raw.headers["x-request-id"]
    equal(raw.parse()._request_id, raw.headers["x-request-id"], "request id on the parsed answer")
    equal("x-foreword-decision" in raw.headers, THROUGH_PROXY, "x-foreword-decision is there")


@check
def compressed_answer():
    equal(ask("compressed").choices[0].message.content, "packed " * 5000)


@check
def streaming_chat():
    chunks = list(ask("stream", stream=True, stream_options={"include_usage": True}))
    assert text_of(chunks).endswith("data: [DONE] " + OFF_TOPIC), text_of(chunks)
    assert "\u2028" in text_of(chunks) and "👩‍🚀" in text_of(chunks), "text was changed"
    equal(chunks[-1].usage.total_tokens, 7, "usage in the last chunk")


@check
def streaming_chat_on_topic():
    assert text_of(ask("stream", user(ON_TOPIC), stream=True)).endswith(ON_TOPIC), "the question did not come back"


@check
def events_are_not_held_back():
    name = uuid.uuid4().hex
    with ask(f"gated:{name}", stream=True) as stream:
        events = iter(stream)
        equal(next(events).choices[0].delta.content, "before ")
        # Only now does the upstream send the rest.
        upstream(f"/_release/{name}", "POST")
        equal(text_of(events), "after")


@check
def tools_round_trip():
    messages = user(ON_TOPIC)
    message = ask("tools", messages, tools=TOOLS).choices[0].message
    equal(json.loads(message.tool_calls[0].function.arguments), {"city": "Zürich"})
    equal(len(json.loads(message.tool_calls[1].function.arguments)["rows"]), 4000)
    messages.append(message)
    messages += [{"role": "tool", "tool_call_id": id_, "content": f"result {id_}"} for id_ in ("call_a", "call_b")]
    answer = ask("tools", messages, tools=TOOLS).choices[0].message.content
    equal(answer, "tools said: result call_a / result call_b")


@check
def tools_round_trip_streamed():
    calls = {}
    for chunk in ask("tools", user(ON_TOPIC), tools=TOOLS, stream=True):
        for piece in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(
                piece.index, {"id": piece.id, "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["function"]["name"] += piece.function.name or ""
            call["function"]["arguments"] += piece.function.arguments or ""
    equal([call["function"]["name"] for call in calls.values()], ["weather", "import_rows"])
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls.values()]
    messages = [*user(ON_TOPIC), {"role": "assistant", "tool_calls": list(calls.values())}, *results]
    equal(text_of(ask("tools", messages, tools=TOOLS, stream=True)), "tools said: done / done")


@check
def long_conversation_on_topic():
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"{ON_TOPIC} ({n})"} for n in range(41)]
    seen = json.loads(ask("echo", [{"role": "system", "content": "Be short."}, *turns]).choices[0].message.content)
    equal(seen["last"], f"{ON_TOPIC} (40)")


@check
def image_parts():
    parts = [
        {"type": "text", "text": ON_TOPIC},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    seen = json.loads(ask("vision", [{"role": "user", "content": parts}]).choices[0].message.content)
    equal(seen["types"], ["text", "image_url", "image_url"])
    equal(seen["images"][0], hashlib.sha256(IMAGE.encode()).hexdigest(), "sha256 of the image")
    equal(seen["detail"], ["low", None])


class City(BaseModel):
    city: str
    people: int


@check
def structured_output():
    answer = client.chat.completions.parse(model="structured", messages=user(OFF_TOPIC), response_format=City)
    equal(answer.choices[0].message.parsed, City(city="Paris", people=2102650))


@check
def abort_in_mid_stream():
    before = upstream("/_hangups")["hangups"]
    stream = ask("slow-stream", stream=True)
    for _, _chunk in zip(range(3), stream):
        pass
    stream.close()
    wait_for_hangup(before)


@check
def abort_before_the_first_byte():
    before = upstream("/_hangups")["hangups"]
    try:
        client.with_options(timeout=0.3).chat.completions.create(model="silent", messages=user(OFF_TOPIC))
        raise AssertionError("a silent upstream answered")
    except openai.APITimeoutError:
        wait_for_hangup(before)


@check
def upstream_breaks_off_in_mid_stream():
    # Often enough to meet the moments in which the last events and the break come together.
    for _ in range(30):
        words = []
        try:
            for chunk in ask("broken-stream", stream=True):
                words.append(chunk.choices[0].delta.content)
        except openai.APIConnectionError:
            equal(words, ["one ", "two ", "three "], "what came before the break")
        else:
            raise AssertionError("a broken stream looked like a whole one")


def check_error(status, kind):
    try:
        ask(f"error-{status}")
    except openai.APIStatusError as error:
        equal(type(error), kind, "exception")
        equal(error.status_code, status)
        equal(error.body["code"], f"code_{status}", "code in the body")
        equal(error.body["message"], f"scripted {status}", "message in the body")
        return error
    raise AssertionError("no exception")


@check
def errors_are_mapped():
    kinds = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
    }
    for status, kind in kinds.items():
        check_error(status, kind)


@check
def rate_limit_says_when_to_retry():
    equal(check_error(429, openai.RateLimitError).response.headers["retry-after"], "17")


@check
def error_page_passes():
    try:
        ask("error-html")
        raise AssertionError("no exception")
    except openai.InternalServerError as error:
        equal(error.status_code, 502)
        assert "<h1>502 Bad Gateway</h1>" in error.response.text, error.response.text


@check
def package_retries_by_itself():
    retrying = client.with_options(max_retries=2)
    answer = retrying.chat.completions.create(model=f"flaky:{uuid.uuid4().hex}", messages=user(OFF_TOPIC))
    equal(answer.choices[0].message.content, "second time")


@check
def models_list():
    assert "echo" in [model.id for model in client.models.list()], "model echo is not listed"


@check
def embeddings_with_a_large_body():
    texts = [f"{n} " + "größe " * 1000 for n in range(160)]
    answer = client.embeddings.create(model="any", input=texts)
    equal([entry.embedding[0] for entry in answer.data], [float(len(text.encode())) for text in texts])
    assert answer.data[0].embedding[1] > 1_000_000, "the body is not a megabyte"


@check
def parallel_streams():
    # Every other one gets an injection.
    questions = [f"Caller {n}: {ON_TOPIC}" if n % 2 else f"caller {n} " + "word " * 200 for n in range(20)]

    async def one(calls, question):
        stream = await calls.chat.completions.create(model="stream", messages=user(question), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=BASE_URL, api_key="sk-check", max_retries=0, timeout=60) as calls:
            return await asyncio.gather(*(one(calls, question) for question in questions))

    for question, answer in zip(questions, asyncio.run(all_of_them()), strict=True):
        assert answer.endswith(question), f"wrong answer for {question[:30]!r}"


@check
def legacy_completions():
    answer = client.completions.create(model="any", prompt="Once upon a time")
    equal(answer.choices[0].text, "16 characters")
    pieces = client.completions.create(model="any", prompt="Once upon a time", stream=True)
    equal("".join(piece.choices[0].text for piece in pieces), "16 characters")


@check
def responses_plain():
    equal(client.responses.create(model="any", input=OFF_TOPIC).output_text, OFF_TOPIC)


@check
def responses_streamed():
    with client.responses.stream(model="any", input=OFF_TOPIC) as stream:
        kinds = [event.type for event in stream]
        equal(stream.get_final_response().output_text, OFF_TOPIC)
    equal((kinds[0], kinds[-1]), ("response.created", "response.completed"))


@check
def file_upload():
    content = bytes(range(256)) * 12_000
    uploaded = client.files.create(file=("rows.jsonl", content), purpose="fine-tune")
    equal(uploaded.id, hashlib.sha256(content).hexdigest(), "sha256 of the file")
    equal((uploaded.bytes, uploaded.purpose), (len(content), "fine-tune"))


@check
def speech_download():
    expected = bytes(range(256)) * 1200
    equal(client.audio.speech.create(model="tts", voice="alloy", input="hello").content, expected, "audio")
    streaming = client.audio.speech.with_streaming_response
    with streaming.create(model="tts", voice="alloy", input="hello") as answer:
        equal(answer.headers["content-type"], "audio/mpeg")
        equal(b"".join(answer.iter_bytes()), expected, "audio in pieces")


def main():
    failed = 0
    for function in checks:
        try:
            function()
            print("ok", function.__name__, flush=True)
        except Exception as error:
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[1].lineno
            print(f"FAIL {function.__name__}: line {place}: {type(error).__name__}: {error}"[:600], flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
