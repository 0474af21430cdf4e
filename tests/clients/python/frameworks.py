"""Checks frameworks that speak OpenAI's interface: LangChain's ChatOpenAI, LlamaIndex's OpenAI, litellm.

Each check is run twice, against ../upstream.py itself and against the proxy in front of it, and gives what a program
using the framework sees: objects, chunks in their order, exceptions. The two must be equal. What the frameworks make up
for themselves (ids, clocks) is left out. The answers of the scripted upstream do not depend on what was added to a
request, except those of the model `echo`; so that the check `an_injection_is_made` can see the addition.

Prints `ok NAME` or `FAIL NAME: why` for each check. The environment is that of check.py.
"""

import hashlib
import json
import os
import sys
import traceback

# Nothing but the two addresses is to be called: no traces, no price lists.
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "DO_NOT_TRACK": "1"}

import litellm  # noqa: E402
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage  # noqa: E402
from langchain_openai import ChatOpenAI  # noqa: E402
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock  # noqa: E402
from llama_index.core.tools import FunctionTool  # noqa: E402
from llama_index.llms.openai import OpenAI as LlamaIndexOpenAI  # noqa: E402
from pydantic import BaseModel  # noqa: E402

BASE_URL = os.environ["FOREWORD_BASE_URL"]
UPSTREAM_URL = os.environ["UPSTREAM_URL"]
THROUGH_PROXY = not os.environ.get("FOREWORD_DIRECT")

OFF_TOPIC = "What is the capital of France?"
ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?"
IMAGE = "data:image/png;base64," + "iVBORw0KGgo" * 2_000
ERRORS = (400, 401, 403, 404, 422, 429, 500, 503)
OWN_IDS = ("id", "_hidden_params", "_response_headers", "created", "x-request-id")

litellm.suppress_debug_info = True
checks = []


def check(function):
    """Registers a check: a function of a base URL, which gives what the client sees."""
    checks.append(function)
    return function


class City(BaseModel):
    """A city."""

    city: str
    people: int


def weather() -> str:
    """weather"""
    return "rain"


def import_rows() -> str:
    """import_rows"""
    return "done"


def plain(value):
    """What a framework gave, as JSON types, without what it makes up for itself."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items() if key not in OWN_IDS}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def error_of(call):
    """The exception of a call, with what a program can read of it."""
    try:
        call()
    except Exception as error:
        status = getattr(error, "status_code", None)
        answer = getattr(error, "response", None)
        retry = answer.headers.get("retry-after") if answer is not None else None
        return [type(error).__name__, status, plain(getattr(error, "body", None)), retry, str(error)]
    raise AssertionError("no exception")


def equal(found, expected, what="value"):
    if found != expected:
        raise AssertionError(f"{what}: found {str(found)[:300]!r}, expected {str(expected)[:300]!r}")


# ---- LangChain ------------------------------------------------------------------------------------------------------


def langchain(base_url, model, **options):
    return ChatOpenAI(model=model, base_url=base_url, api_key="sk-check", max_retries=0, timeout=30, **options)


def langchain_parts():
    return [
        {"type": "text", "text": ON_TOPIC},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
    ]


@check
def langchain_plain(base_url):
    answer = langchain(base_url, "compressed").invoke([SystemMessage("Be short."), HumanMessage(ON_TOPIC)])
    equal(answer.content, "packed " * 5000)
    return plain(answer)


@check
def langchain_streaming(base_url):
    chunks = list(langchain(base_url, "stream", stream_usage=True).stream(ON_TOPIC))
    text = "".join(chunk.content for chunk in chunks)
    assert text.endswith(ON_TOPIC) and "👩‍🚀" in text, text
    return plain(chunks)


@check
def langchain_tools(base_url):
    model = langchain(base_url, "tools").bind_tools([weather, import_rows])
    said = [HumanMessage(ON_TOPIC)]
    call = model.invoke(said)
    equal(len(call.tool_calls[1]["args"]["rows"]), 4000)
    results = [ToolMessage(f"result {made['id']}", tool_call_id=made["id"]) for made in call.tool_calls]
    answer = model.invoke([*said, call, *results])
    equal(answer.content, "tools said: result call_a / result call_b")
    return plain([call, answer])


@check
def langchain_tools_streaming(base_url):
    chunks = list(langchain(base_url, "tools").bind_tools([weather, import_rows]).stream(ON_TOPIC))
    whole = sum(chunks[1:], chunks[0])
    equal([call["name"] for call in whole.tool_calls], ["weather", "import_rows"])
    return plain(chunks)


@check
def langchain_structured_output(base_url):
    model = langchain(base_url, "structured").with_structured_output(City, method="json_schema", include_raw=True)
    answer = model.invoke(ON_TOPIC)
    equal(answer["parsed"], City(city="Paris", people=2102650))
    return plain(answer)


@check
def langchain_images(base_url):
    answer = langchain(base_url, "vision").invoke([HumanMessage(langchain_parts())])
    equal(json.loads(answer.content)["images"], [hashlib.sha256(IMAGE.encode()).hexdigest()])
    return plain(answer)


@check
def langchain_errors(base_url):
    return [error_of(lambda: langchain(base_url, f"error-{status}").invoke(ON_TOPIC)) for status in ERRORS]


@check
def langchain_broken_stream(base_url):
    words = []

    def read():
        for chunk in langchain(base_url, "broken-stream").stream(ON_TOPIC):
            words.append(chunk.content)

    kind = error_of(read)[0]
    equal(words, ["one ", "two ", "three "])
    return [words, kind]


@check
def langchain_responses(base_url):
    model = langchain(base_url, "any", use_responses_api=True)
    answer = model.invoke(OFF_TOPIC)
    equal(answer.text, OFF_TOPIC)
    return plain([answer, list(model.stream(OFF_TOPIC))])


# ---- LlamaIndex -----------------------------------------------------------------------------------------------------


def llama_index(base_url, model, **options):
    # It wants a name whose context window it knows; the scripted model is named as a program names any other field.
    more = {"model": model, **options}
    return LlamaIndexOpenAI(
        model="gpt-4o", api_base=base_url, api_key="sk-check", max_retries=0, timeout=30, additional_kwargs=more
    )


def said(text=ON_TOPIC):
    return [ChatMessage(role="system", content="Be short."), ChatMessage(role="user", content=text)]


@check
def llama_index_plain(base_url):
    answer = llama_index(base_url, "compressed").chat(said())
    equal(answer.message.content, "packed " * 5000)
    return plain(answer)


@check
def llama_index_complete(base_url):
    return plain(llama_index(base_url, "compressed").complete(ON_TOPIC))


@check
def llama_index_streaming(base_url):
    chunks = list(llama_index(base_url, "stream").stream_chat(said()))
    assert chunks[-1].message.content.endswith(ON_TOPIC), chunks[-1]
    return plain(chunks)


def llama_index_tools_of():
    return [FunctionTool.from_defaults(function) for function in (weather, import_rows)]


@check
def llama_index_tools(base_url):
    model, tools = llama_index(base_url, "tools"), llama_index_tools_of()
    call = model.chat_with_tools(tools, user_msg=ON_TOPIC, allow_parallel_tool_calls=True)
    made = model.get_tool_calls_from_response(call)
    equal([one.tool_name for one in made], ["weather", "import_rows"])
    results = [
        ChatMessage(role="tool", content=f"result {one.tool_id}", additional_kwargs={"tool_call_id": one.tool_id})
        for one in made
    ]
    history = [ChatMessage(role="user", content=ON_TOPIC), call.message, *results]
    answer = model.chat_with_tools(tools, chat_history=history, allow_parallel_tool_calls=True)
    equal(answer.message.content, "tools said: result call_a / result call_b")
    return plain([call, made, answer])


@check
def llama_index_tools_streaming(base_url):
    chunks = list(llama_index(base_url, "tools").stream_chat_with_tools(llama_index_tools_of(), user_msg=ON_TOPIC))
    # The whole call so far stands in every chunk: a digest of them all is compared instead of gigabytes.
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(json.dumps(plain(chunk), sort_keys=True).encode())
    return [len(chunks), digest.hexdigest()]


@check
def llama_index_structured_output(base_url):
    form = {"type": "json_schema", "json_schema": {"name": "City", "schema": City.model_json_schema()}}
    answer = llama_index(base_url, "structured", response_format=form).chat(said())
    equal(City.model_validate_json(answer.message.content), City(city="Paris", people=2102650))
    return plain(answer)


@check
def llama_index_images(base_url):
    blocks = [TextBlock(text=ON_TOPIC), ImageBlock(url="https://example.com/a.png", detail="low")]
    answer = llama_index(base_url, "vision").chat([ChatMessage(role="user", blocks=blocks)])
    equal(json.loads(answer.message.content)["types"], ["text", "image_url"])
    return plain(answer)


@check
def llama_index_errors(base_url):
    return [error_of(lambda: llama_index(base_url, f"error-{status}").chat(said())) for status in ERRORS]


# ---- litellm --------------------------------------------------------------------------------------------------------


def ask_litellm(base_url, model, content=ON_TOPIC, **options):
    options.setdefault("messages", [{"role": "user", "content": content}])
    # Its part for tool servers wants one more package, also where there is no tool server.
    options |= {"api_base": base_url, "api_key": "sk-check", "max_retries": 0, "timeout": 30, "_skip_mcp_handler": True}
    return litellm.completion(model=f"openai/{model}", **options)


def litellm_tools_of():
    form = {"type": "object", "properties": {}}
    return [
        {"type": "function", "function": {"name": name, "description": name, "parameters": form}}
        for name in ("weather", "import_rows")
    ]


@check
def litellm_plain(base_url):
    answer = ask_litellm(base_url, "compressed")
    equal(answer.choices[0].message.content, "packed " * 5000)
    return plain(answer)


@check
def litellm_streaming(base_url):
    chunks = list(ask_litellm(base_url, "stream", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.endswith(ON_TOPIC), text
    return plain(chunks)


@check
def litellm_tools(base_url):
    question = {"role": "user", "content": ON_TOPIC}
    call = ask_litellm(base_url, "tools", tools=litellm_tools_of()).choices[0].message
    results = [
        {"role": "tool", "tool_call_id": made.id, "content": f"result {made.id}"} for made in call.tool_calls
    ]
    answer = ask_litellm(
        base_url, "tools", messages=[question, call.model_dump(), *results], tools=litellm_tools_of()
    )
    equal(answer.choices[0].message.content, "tools said: result call_a / result call_b")
    return plain([call, answer])


@check
def litellm_tools_streaming(base_url):
    chunks = list(ask_litellm(base_url, "tools", tools=litellm_tools_of(), stream=True))
    whole = litellm.stream_chunk_builder(chunks)
    equal([call.function.name for call in whole.choices[0].message.tool_calls], ["weather", "import_rows"])
    return plain(chunks)


@check
def litellm_structured_output(base_url):
    answer = ask_litellm(base_url, "structured", response_format=City)
    equal(City.model_validate_json(answer.choices[0].message.content), City(city="Paris", people=2102650))
    return plain(answer)


@check
def litellm_images(base_url):
    answer = ask_litellm(base_url, "vision", langchain_parts())
    equal(json.loads(answer.choices[0].message.content)["images"], [hashlib.sha256(IMAGE.encode()).hexdigest()])
    return plain(answer)


@check
def litellm_errors(base_url):
    return [error_of(lambda: ask_litellm(base_url, f"error-{status}")) for status in ERRORS]


@check
def litellm_broken_stream(base_url):
    words = []

    def read():
        for chunk in ask_litellm(base_url, "broken-stream", stream=True):
            words.append(chunk.choices[0].delta.content)

    kind = error_of(read)[0]
    return [words, kind]


# ---- the comparison -------------------------------------------------------------------------------------------------


def an_injection_is_made():
    """With each framework: the upstream got more messages than the framework sent."""
    answers = {
        "LangChain": langchain(BASE_URL, "echo").invoke(ON_TOPIC).content,
        "LlamaIndex": llama_index(BASE_URL, "echo").chat([ChatMessage(role="user", content=ON_TOPIC)]).message.content,
        "litellm": ask_litellm(BASE_URL, "echo").choices[0].message.content,
    }
    for name, answer in answers.items():
        seen = json.loads(answer)
        equal(seen["last"], ON_TOPIC, f"{name}: the last message")
        equal(seen["messages"] > 1, THROUGH_PROXY, f"{name}: more than one message")


def compare(function):
    """Runs a check on both ways; the first difference is the message."""
    direct, through = function(UPSTREAM_URL), function(BASE_URL)
    if direct != through:
        one, other = json.dumps(direct, default=str), json.dumps(through, default=str)
        at = next((place for place, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
        near = slice(max(0, at - 80), at + 120)
        raise AssertionError(f"directly {one[near]!r}, through the proxy {other[near]!r}")


def main():
    failed = 0
    todo = [(function.__name__, lambda function=function: compare(function)) for function in checks]
    todo.append((an_injection_is_made.__name__, an_injection_is_made))
    for name, run in todo:
        try:
            run()
            print("ok", name, flush=True)
        except Exception as error:
            failed += 1
            places = traceback.extract_tb(error.__traceback__)
            place = [frame.lineno for frame in places if frame.filename == __file__][-1]
            print(f"FAIL {name}: line {place}: {type(error).__name__}: {error}"[:700], flush=True)
    print(f"{len(todo) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
