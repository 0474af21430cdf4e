"""Asks a real model server through real clients, directly and through the proxy, and compares what a program sees but for
the answer's content: the types of all fields, how streams and errors look, which methods fail and how.

Texts, numbers and ids become their types, so that two answers of other words are alike; of a stream the kinds of its chunks
are compared. The clients retry as they do by themselves: the server closes connections right after a stream without having said
so, and who asks at once on the same one, client or proxy, may meet that. A field that is there in one answer and not in another of the same way is left to the server: each question is
asked three times, and the fields that came at all are compared.

Prints `ok NAME` or `FAIL NAME: why` for each check. MODEL names the model; the rest of the environment is that of check.py. One
of openai's own package, or of the frameworks: which are installed decides.
"""

import json
import os
import sys
import traceback

os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "DO_NOT_TRACK": "1"}

import openai  # noqa: E402

BASE_URL, UPSTREAM_URL, MODEL = (os.environ[name] for name in ("FOREWORD_BASE_URL", "UPSTREAM_URL", "MODEL"))
ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?"
ASKED = [{"role": "system", "content": "You are short."}, {"role": "user", "content": ON_TOPIC}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "weather", "parameters": {"type": "object", "properties": {}}}}]
TOKENS = 12
# What a library notes for itself, not what the server said.
OWN = {"_hidden_params", "_response_headers", "response_ms", "created"}
# Fields of one connection, and the date, which who passes an answer on may add (RFC 9110, 6.6.1).
OF_CONNECTIONS = {"connection", "keep-alive", "transfer-encoding", "date"}
checks = []


def check(function):
    checks.append(function)
    return function


def shape(value):
    """A value with types in place of what it holds."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in sorted(value.items()) if key not in OWN and entry is not None}
    if isinstance(value, list | tuple):
        return sorted({json.dumps(shape(entry)) for entry in value})
    return type(value).__name__


def kinds(chunks) -> list[str]:
    """The kinds of chunks that a stream has."""
    return sorted({json.dumps(shape(chunk)) for chunk in chunks})


def failure(asked):
    try:
        asked()
    except Exception as error:  # noqa: BLE001 whatever the library makes of it
        return [type(error).__name__, getattr(error, "status_code", None), shape(getattr(error, "body", None))]
    return "no error"


@check
def openai_python(url):
    client = openai.OpenAI(base_url=url, api_key="sk-check", timeout=120)
    chat = client.chat.completions
    common = {"model": MODEL, "messages": ASKED, "max_tokens": TOKENS, "temperature": 0}
    yield "plain", chat.create(**common)
    yield "two choices", chat.create(**common, n=1, logprobs=True, top_logprobs=2)
    yield "stream", kinds(chat.create(**common, stream=True, stream_options={"include_usage": True}))
    yield "tools", chat.create(**common, tools=TOOLS)
    yield "models", client.models.list()
    yield "wrong", failure(lambda: chat.create(model=MODEL, messages=[{"role": "user", "content": 7}]))
    yield "nowhere", failure(lambda: client.files.retrieve("file-that-is-not-there"))
    answer = chat.with_raw_response.create(**common)
    if url == BASE_URL:
        assert answer.headers["x-foreword-decision"] == "injected", answer.headers
    yield "head", sorted(name for name in answer.headers if not name.startswith("x-foreword-") and name not in OF_CONNECTIONS)


def frameworks():
    import litellm
    from langchain_core.messages import HumanMessage, SystemMessage
    from langchain_openai import ChatOpenAI
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI as LlamaIndexOpenAI

    litellm.suppress_debug_info = True

    @check
    def langchain(url):
        model = ChatOpenAI(model=MODEL, base_url=url, api_key="sk-check", max_tokens=TOKENS, temperature=0, timeout=120)
        asked = [SystemMessage("You are short."), HumanMessage(ON_TOPIC)]
        yield "plain", model.invoke(asked)
        yield "stream", kinds(model.stream(asked))
        yield "wrong", failure(lambda: model.bind(max_tokens="many").invoke(asked))

    @check
    def llama_index(url):
        model = LlamaIndexOpenAI(model="gpt-4o-mini", api_base=url, api_key="sk-check", max_tokens=TOKENS, temperature=0)
        asked = [ChatMessage(role="system", content="You are short."), ChatMessage(role="user", content=ON_TOPIC)]
        yield "plain", model.chat(asked)
        yield "stream", kinds(model.stream_chat(asked))

    @check
    def litellm_(url):
        common = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "sk-check", "messages": ASKED, "max_tokens": TOKENS, "num_retries": 2}
        yield "plain", litellm.completion(**common)
        yield "stream", kinds(litellm.completion(**common, stream=True))
        yield "wrong", failure(lambda: litellm.completion(**{**common, "messages": [{"role": "user", "content": 7}]}))


def seen(function, url) -> dict[str, list[str]]:
    """Every shape that each question brought in three turns."""
    shapes: dict[str, set[str]] = {}
    for _ in range(3):
        for name, value in function(url):
            shapes.setdefault(name, set()).add(json.dumps(shape(value) if not isinstance(value, list) else value))
    return {name: sorted(found) for name, found in shapes.items()}


def main() -> int:
    if os.environ.get("FRAMEWORKS"):
        checks.clear()
        frameworks()
    failed = 0
    for function in checks:
        try:
            direct, through = seen(function, UPSTREAM_URL), seen(function, BASE_URL)
        except Exception:  # noqa: BLE001
            print(f"FAIL {function.__name__}: {traceback.format_exc(limit=3)}")
            failed += 1
            continue
        for name in direct:
            if direct[name] == through.get(name):
                print(f"ok {function.__name__} {name}")
            else:
                print(f"FAIL {function.__name__} {name}: directly {direct[name]}, through the proxy {through.get(name)}")
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
