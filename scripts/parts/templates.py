"""Real chat templates in llama.cpp's server: what it accepts directly it must accept through foreword.

Random conversations, legal and not, are rendered by the server (`/apply-template`, which runs no model) with one
template after another, directly and through foreword, which takes that path for a chat. Needs what
`scripts/setup --llm` and `scripts/setup` bring, and the foreword that FOREWORD_BIN names, else target/debug/foreword.
"""

import json
import os
import random
import sys
import urllib.error
import urllib.request
from pathlib import Path

import foreword_server
import processes

ROOT = Path(__file__).resolve().parents[2]
LLM = ROOT / ".foreword/llm"
TEMPLATES = ROOT / ".foreword/templates"
# Those that refuse conversations, and some that refuse none.
NAMES = ["gemma", "gemma3", "mistral_v1", "mistral_v2v3", "mistral_v3_tekken", "mistral_v7_tekken", "cohere", "aya",
         "llama3_2_vision", "qwen_25", "phi_4"]  # fmt: skip
CONVERSATIONS = 60
QUESTIONS = [
    "Which Python library should I use for data that mixes text, images and audio?",
    "How do I send tensors between two Python microservices?",
    "What open-source server gives me CLIP embeddings for images and sentences?",
    "thanks",
    "What is the capital of France?",
]


def conversation(chance: random.Random) -> list[dict]:
    """Turns, some with tools, with a system text or without; now and then a message is missing, doubled or moved."""
    messages = [{"role": "system", "content": "Be brief."}] if chance.random() < 0.5 else []
    for turn in range(chance.randint(1, 4)):
        messages.append({"role": "user", "content": chance.choice(QUESTIONS)})
        if chance.random() < 0.2:
            identity = f"call{turn:05}"
            call = {"id": identity, "type": "function", "function": {"name": "f", "arguments": "{}"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": identity, "content": "1"})
        messages.append({"role": "assistant", "content": "It depends."})
    if chance.random() < 0.8:
        messages.pop()
    place = chance.randrange(len(messages))
    match chance.randrange(6):
        case 0 if len(messages) > 1:
            messages.pop(place)
        case 1:
            messages.insert(place, messages[place])
        case 2:
            messages.append(messages.pop(place))
    return messages


def render(base_url: str, messages: list[dict]) -> tuple[bool, str]:
    """Whether the server accepts a conversation, and what foreword decided."""
    body = json.dumps({"messages": messages}).encode()
    request = urllib.request.Request(f"{base_url}/apply-template", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()
            return True, response.headers.get("x-foreword-decision", "")
    except urllib.error.HTTPError as error:
        with error:
            error.read()
            return False, error.headers.get("x-foreword-decision", "")


def check(name: str, conversations: list[list[dict]], binary: Path) -> tuple[int, int, int]:
    """Conversations that are accepted, those of them that got something, and those that are then refused."""
    with processes.Children() as children:
        weights = next(LLM.glob("*.gguf"))
        command = [sys.executable, str(ROOT / "scripts/parts/llama_server.py"), str(weights), name]
        environment = {"PYTHONPATH": str(LLM / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
        server = children.start("the model server", [*command, str(TEMPLATES / f"{name}.jinja")], env=environment)
        address = server.wait_for_line(r"^listening (http://\S+)", 120)[1]
        server.wait_until_ready(f"{address}/health", 120)
        proxied = foreword_server.start(children, binary, address).base_url.removesuffix("/v1")
        accepted = injected = refused = 0
        for messages in conversations:
            if not render(address, messages)[0]:
                continue
            accepted += 1
            is_accepted, decision = render(proxied, messages)
            injected += decision == "injected"
            if not is_accepted:
                refused += 1
                print(f"{name} refuses what it accepted: {json.dumps(messages)}", file=sys.stderr)
        return accepted, injected, refused


def main() -> int:
    os.environ["FOREWORD_INJECTION__CHAT_PATHS"] = "/chat/completions, /apply-template"
    # A busy machine must not turn an injection into a missed deadline.
    os.environ["FOREWORD_RETRIEVAL__DEADLINE"] = "10s"
    os.environ["FOREWORD_RETRIEVAL__DEADLINE_CAP"] = "10s"
    chance = random.Random(1)
    conversations = [conversation(chance) for _ in range(CONVERSATIONS)]
    binary = foreword_server.binary_named_by_environment()
    failed = 0
    for name in NAMES:
        accepted, injected, refused = check(name, conversations, binary)
        print(f"{name}: {accepted} of {CONVERSATIONS} accepted, {injected} of them injected, {refused} then refused", flush=True)
        failed += refused or not injected
    return 1 if failed else 0


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main())
    except (processes.ProcessError, processes.Stopped, OSError, StopIteration) as error:
        sys.exit(processes.fail("templates", error))
