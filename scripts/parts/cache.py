"""What injection costs a model server that keeps the prompts it has read: the same conversations asked directly,
through foreword, and through a stand-in that puts freshly retrieved facts at the front.

    scripts/bench cache [--conversations 20] [--turns 8] [--model FILE.gguf] [--readings FILE]

    UPSTREAM=https://host/v1 MODEL=name OPENAI_API_KEY=... scripts/bench cache
                                 that endpoint instead of the local model; it must report cached tokens

Every history is scripted, so that the three see the same conversation, and one token is asked for, so that the time is
spent on the prompt. Between two turns the server reads the scripted answer, uncounted: one that had written it would
have it. Each of the three has a model server of its own that has read nothing before, and they take turns, so that a
machine with other work to do is as busy for one as for another. --readings FILE keeps what was read, and goes on where
an earlier run with the same file stopped.
"""

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import foreword_server
import processes

ROOT = Path(__file__).resolve().parents[2]
LLM = ROOT / ".foreword/llm"
SYSTEM = (
    "You are the assistant of a software company. You answer in a few sentences, say so when you do not know, and stay"
    " friendly. You are talking to a customer who writes programs for a living."
)
# What is said between questions about the subject. None of it is about the knowledge folder.
SMALL_TALK = [
    "Thanks, that helps. Could you say it in one sentence?",
    "What is the capital of France?",
    "Hm, I am not sure that I got that.",
    "How long does it take to boil an egg?",
]
# About 80 words, as answers are.
SENTENCES = [
    "It depends on what you want to do with it, but in most cases the simplest way is the best one to begin with.",
    "First write down what goes in and what should come out, then choose the part that does the least work.",
    "There are several ways: the first is quick, the second is thorough, and most people begin with the first one.",
    "Try it with a small example, look at what you get, and go on from there one step at a time.",
    "If that is too slow, measure before you change anything, for it is seldom the part that one suspects.",
]
ANSWER_SENTENCES = 4
# As many as foreword's standard recipe tells in a turn at most.
FRONT_FACTS = 4
SECONDS_OF_SILENCE = 600
DIRECT, FOREWORD, FRONT = "asked directly", "through foreword", "facts at the front"


def scripted(conversation: int, turns: int, questions: list[str]) -> list[dict]:
    """All messages of a conversation: three turns in four ask about the subject."""
    messages = [{"role": "system", "content": SYSTEM}]
    for turn in range(turns):
        place = conversation * turns + turn
        text = SMALL_TALK[place // 4 % 4] if turn % 4 == 3 else questions[place * 7 % len(questions)]
        messages.append({"role": "user", "content": text})
        sentences = [SENTENCES[(place + number) % len(SENTENCES)] for number in range(ANSWER_SENTENCES)]
        messages.append({"role": "assistant", "content": f"{' '.join(sentences)} ({place})"})
    return messages


def organic_questions() -> list[str]:
    """Questions of the suite that fit the knowledge folder and do not name the brand."""
    text = (ROOT / "measure/docarray.yaml").read_text()
    found = re.findall(r'text: "([^"]*)"\n    family: \S+\n    kind: organic', text)
    if len(found) < 20:
        raise processes.ProcessError("the questions of measure/docarray.yaml were not found")
    return found


class Facts:
    """The stand-in's knowledge: the sections of the knowledge folder, found by the words they share with a question."""

    def __init__(self, folder: Path):
        self.sections = []
        for file in sorted(folder.glob("*/*.md")):
            text = re.sub(r"\A---\n.*?\n---\n", "", file.read_text(), flags=re.S)
            for section in re.split(r"^#+ ", text, flags=re.M)[1:]:
                body = " ".join(section.split())
                self.sections.append((body, set(re.findall(r"\w{4,}", body.lower()))))

    def for_question(self, question: str) -> str:
        words = set(re.findall(r"\w{4,}", question.lower()))
        ranked = sorted(self.sections, key=lambda section: (-len(words & section[1]) / len(section[1]) ** 0.5, section[0]))
        return "\n".join(f"- {text}" for text, _ in ranked[:FRONT_FACTS])

    def at_the_front(self, messages: list[dict]) -> list[dict]:
        """The conversation with what fits its last question in front of everything, as systems do that retrieve anew."""
        facts = self.for_question(messages[-1]["content"])
        system = {"role": "system", "content": f"Use these facts:\n{facts}\n\n{messages[0]['content']}"}
        return [system, *messages[1:]]


@dataclass
class Reading:
    """One request as the server counted it."""

    prompt: int
    cached: int
    milliseconds: float
    decision: str
    # The prompt with the answer after it: what the server has when the next turn comes.
    answered: int = 0


@dataclass
class Way:
    """One of the three ways, and what it read: conversation by conversation, turn by turn."""

    name: str
    readings: list[list[Reading]] = field(default_factory=list)

    def later(self) -> list[Reading]:
        """All but the first turns, which nobody has read before."""
        return [reading for conversation in self.readings for reading in conversation[1:]]


def ask(base_url: str, model: str, messages: list[dict]) -> Reading:
    body = {"model": model, "messages": messages, "max_tokens": 1, "temperature": 0}
    headers = {"content-type": "application/json"}
    if key := os.environ.get("OPENAI_API_KEY"):
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(body).encode(), headers)
    started = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_OF_SILENCE) as response:
            answer = json.load(response)
            decision = response.headers.get("x-foreword-decision", "")
    except urllib.error.HTTPError as error:
        raise processes.ProcessError(f"{base_url} answered {error.code}: {error.read()[:500]!r}") from error
    took = (time.monotonic() - started) * 1000
    usage = answer["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if cached is None:
        raise processes.ProcessError(f"{base_url} does not report cached tokens: {usage}")
    # llama.cpp says how long it read; elsewhere it is the time of an answer of one token.
    timings = answer.get("timings") or {}
    return Reading(usage["prompt_tokens"], cached, timings.get("prompt_ms", took), decision)


def start_model(children: processes.Children, weights: Path) -> tuple[str, str]:
    """Base URL and name of a model server that has read nothing."""
    if url := os.environ.get("UPSTREAM"):
        return url.rstrip("/"), os.environ["MODEL"]
    command = [sys.executable, str(ROOT / "scripts/parts/llama_server.py"), str(weights), weights.stem]
    environment = {"PYTHONPATH": str(LLM / "python"), "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}
    server = children.start("the model server", command, env=environment)
    address = server.wait_for_line(r"^listening (http://\S+)", 120)[1]
    server.wait_until_ready(f"{address}/health", 120)
    return f"{address}/v1", weights.stem


@dataclass
class Asked:
    """A way that is ready to be asked."""

    way: Way
    base_url: str
    model: str
    facts: Facts | None = None

    def take(self, messages: list[dict]) -> list[Reading]:
        """Asks all turns of a conversation, and has each answer read."""
        readings = []
        for end in (end for end in range(1, len(messages) + 1) if messages[end - 1]["role"] == "user"):
            sent = self.facts.at_the_front(messages[:end]) if self.facts else messages[:end]
            reading = ask(self.base_url, self.model, sent)
            reading.answered = ask(self.base_url, self.model, [*sent, messages[end]]).prompt
            readings.append(reading)
        return readings


def start(children: processes.Children, weights: Path, ways: list[Way]) -> list[Asked]:
    asked = []
    for way in ways:
        base_url, model = start_model(children, weights)
        if way.name == FOREWORD:
            base_url = foreword_server.start(children, foreword_server.binary_named_by_environment(), base_url).base_url
        asked.append(Asked(way, base_url, model, Facts(ROOT / "knowledge") if way.name == FRONT else None))
    return asked


def read_all(conversations: list[list[dict]], weights: Path, kept: Path | None) -> list[Way]:
    """Asks what has not been asked yet, one conversation after the other, each in the three ways."""
    ways = [Way(name) for name in (DIRECT, FOREWORD, FRONT)]
    if kept and kept.exists():
        for way, lists in zip(ways, json.loads(kept.read_text()), strict=True):
            way.readings = [[Reading(**one) for one in readings] for readings in lists]
    if len(ways[0].readings) >= len(conversations):
        return ways
    with processes.Children() as children:
        asked = start(children, weights, ways)
        for number in range(len(ways[0].readings), len(conversations)):
            for one in asked:
                one.way.readings.append(one.take(conversations[number]))
                last = one.way.readings[-1][-1]
                print(f"  conversation {number + 1}, {one.way.name}: {last.cached} of {last.prompt} cached", flush=True)
            if kept:
                kept.write_text(json.dumps([[[vars(one) for one in list_] for list_ in way.readings] for way in ways]))
    return ways


def injected_anew(readings: list[Reading], plain: list[Reading], keeps: bool) -> list[int]:
    """Tokens that each turn after the first got and that were in no prompt of the conversation before. `keeps`: what was
    injected stays in it. A turn that goes on without (a missed deadline) takes nothing back: a later one gets the same."""
    anew, before = [], 0
    for reading, other in zip(readings, plain, strict=True):
        added = reading.prompt - other.prompt
        anew.append(max(0, added - before))
        if keeps:
            before = max(before, added, reading.answered - other.answered)
    return anew[1:]


def wasted(way: Way, direct: Way, keeps: bool) -> int:
    """Tokens read again although they were read before, from the second turn on: those that are neither of the new turn
    nor of its injection."""
    total = 0
    for readings, plain in zip(way.readings, direct.readings, strict=True):
        for turn, new_injection in enumerate(injected_anew(readings, plain, keeps), 1):
            new_turn = plain[turn].prompt - plain[turn - 1].answered
            total += readings[turn].prompt - readings[turn].cached - new_turn - new_injection
    return total


def table(direct: Way, foreword: Way, front: Way) -> str:
    lines = [
        "| from the second turn on | prompt tokens | of them cached | injected anew a turn | read again needlessly"
        " | prompt ms a turn, mean | p95 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way in (direct, foreword, front):
        later = way.later()
        prompt = sum(reading.prompt for reading in later)
        cached = sum(reading.cached for reading in later)
        times = sorted(reading.milliseconds for reading in later)
        again = wasted(way, direct, way is not front)
        pairs = zip(way.readings, direct.readings, strict=True)
        anew = [tokens for pair in pairs for tokens in injected_anew(*pair, way is not front)]
        lines.append(
            f"| {way.name} | {prompt} | {cached} ({cached / prompt:.1%}) | {sum(anew) / len(anew):.0f}"
            f" | {again} ({again / prompt:.1%})"
            f" | {sum(times) / len(times):.0f} | {times[int(len(times) * 0.95)]:.0f} |"
        )
    return "\n".join(lines)


def targets(direct: Way, foreword: Way, front: Way) -> list[str]:
    def total(way: Way) -> float:
        return sum(reading.milliseconds for reading in way.later())

    prompt = sum(reading.prompt for reading in foreword.later())
    share = wasted(foreword, direct, True) / prompt
    ratio = total(front) / total(foreword)
    decisions: dict[str, int] = {}
    for conversation in foreword.readings:
        for reading in conversation:
            decisions[reading.decision] = decisions.get(reading.decision, 0) + 1
    return [
        f"read again needlessly through foreword: {share:.2%} of the prompt (target: at most 5 %)",
        f"prompt time of facts at the front against foreword: {ratio:.1f} times (target: at least 5)",
        "decisions: " + ", ".join(f"{name or 'none'} {count}" for name, count in sorted(decisions.items())),
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench cache", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, default=20)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--model", type=Path, default=LLM / "smollm2-135m-instruct-q4_1.gguf", metavar="FILE.gguf")
    parser.add_argument("--readings", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if "UPSTREAM" in os.environ and not os.environ.get("MODEL"):
        parser.error("UPSTREAM needs MODEL beside it: the name of the model to ask for")
    if "UPSTREAM" not in os.environ and not (options.model.is_file() and (LLM / "python").is_dir()):
        print("bench cache: skipped, there is no model to ask: scripts/setup --model --llm brings one, or set UPSTREAM")
        return 0
    questions = organic_questions()
    conversations = [scripted(number, options.turns, questions) for number in range(options.conversations)]
    started = time.monotonic()
    direct, foreword, front = read_all(conversations, options.model, options.readings)
    print(f"\n{options.conversations} conversations of {options.turns} turns, {os.environ.get('MODEL') or options.model.stem}\n")
    print(table(direct, foreword, front))
    print("\n" + "\n".join(targets(direct, foreword, front)))
    print(f"{time.monotonic() - started:.0f} seconds in all")
    return 0


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except (processes.ProcessError, processes.Stopped, OSError, KeyError) as error:
        sys.exit(processes.fail("bench cache", error))
