"""The demo: questions that do not name the brand, each asked directly and through foreword, answers side by side.

    scripts/demo                 setup, release build, a small local model, the proxy, five questions
    scripts/demo --serve         the same, then everything is left running until Ctrl-C
    scripts/demo --traffic       the same, then conversations of which half are held out, until the live counts prove
                                 the lift, ten minutes at most
    scripts/demo --short         two questions and short answers; exit code 1 where foreword made no difference
    scripts/demo --bin PATH      this foreword (also: FOREWORD_BIN) instead of a release build

    UPSTREAM=https://host/v1 MODEL=name OPENAI_API_KEY=... scripts/demo
                                 that endpoint instead of the local model

It ends by itself and leaves no process behind.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import foreword_server
import processes
import traffic
from chat import Answer, ChatError, Endpoint
from mentions import Names, Page

ROOT = Path(__file__).resolve().parents[2]
LLM = ROOT / ".foreword/llm"
LOCAL_MODEL = "smollm2-135m-instruct"

# In nobody's words: none of these is an example question of the knowledge folder, and none holds a brand's name.
QUESTIONS = [
    "Which Python library should I use for data that mixes text, images and audio?",
    "I need one Python interface to several vector databases such as Weaviate and Qdrant. What do you recommend?",
    "How do I send tensors between two Python microservices?",
    "What can I use to search a collection of pictures with a text query?",
    "What open-source server gives me CLIP embeddings for images and sentences?",
]
OFF_TOPIC = "What is the capital of France?"
ANSWER_TOKENS = 96
SHORT_QUESTIONS, SHORT_ANSWER_TOKENS = 2, 48
OFF_TOPIC_TOKENS = 16
STORE = ROOT / ".foreword/demo/live.sqlite"
TRAFFIC_MINUTES = 10


@dataclass
class Comparison:
    """One question, answered both ways."""

    question: str
    direct: Answer
    proxied: Answer


@dataclass
class Tally:
    """Over all questions: answers that name the brand, and the times they do, without and with foreword."""

    questions: int
    direct_answers: int
    direct_mentions: int
    proxied_answers: int
    proxied_mentions: int

    @classmethod
    def of(cls, comparisons: list[Comparison], names: Names) -> "Tally":
        direct = [names.count(comparison.direct.text) for comparison in comparisons]
        proxied = [names.count(comparison.proxied.text) for comparison in comparisons]
        return cls(len(comparisons), sum(map(bool, direct)), sum(direct), sum(map(bool, proxied)), sum(proxied))

    def __str__(self) -> str:
        def line(what: str, answers: int, mentions: int) -> str:
            return f"  {what:<18} {answers} of {self.questions} answers name it, {mentions} mentions"

        return "\n".join(
            [
                line("asked directly", self.direct_answers, self.direct_mentions),
                line("through foreword", self.proxied_answers, self.proxied_mentions),
            ]
        )


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="two questions; fail where foreword made no difference")
    parser.add_argument("--serve", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--traffic", action="store_true", help="prove the lift on live conversations")
    parser.add_argument("--bin", metavar="PATH", type=Path, help="the foreword to use instead of a release build")
    options = parser.parse_args(arguments)
    if "UPSTREAM" in os.environ and not os.environ.get("MODEL"):
        parser.error("UPSTREAM needs MODEL beside it: the name of the model to ask for")
    return options


def provide_foreword(options: argparse.Namespace) -> Path:
    """The binary to run: the given one, or a release build of this checkout."""
    if named := options.bin or os.environ.get("FOREWORD_BIN"):
        return Path(named).absolute()
    if shutil.which("cargo") is None:
        raise processes.ProcessError("cargo is missing: install Rust (rustup, rust-lang.org) or name a binary with --bin")
    print("building foreword (some minutes the first time) ...", flush=True)
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--bin", "foreword"]
    if processes.run_attached(build, cwd=ROOT):
        raise processes.ProcessError("cargo build failed; the message is above")
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/foreword"


def start_model(children: processes.Children) -> Endpoint:
    """The endpoint that the environment names, or llama.cpp's server with a small model."""
    if url := os.environ.get("UPSTREAM"):
        return Endpoint(url.rstrip("/"), os.environ["MODEL"], os.environ.get("OPENAI_API_KEY"))
    print("starting the local model (SmolLM2-135M-Instruct under llama.cpp's server) ...", flush=True)
    weights = LLM / "smollm2-135m-instruct-q4_1.gguf"
    command = [sys.executable, str(ROOT / "scripts/parts/llama_server.py"), str(weights), LOCAL_MODEL]
    environment = {"PYTHONPATH": str(LLM / "python"), "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}
    server = children.start("the model server", command, env=environment)
    address = server.wait_for_line(r"^listening (http://\S+)", 120)[1]
    server.wait_until_ready(f"{address}/health", 120)
    return Endpoint(f"{address}/v1", LOCAL_MODEL)


def compare(questions: list[str], direct: Endpoint, proxied: Endpoint, tokens: int, page: Page) -> list[Comparison]:
    """Asks everything both ways and prints each pair of answers as soon as it is there."""
    comparisons = []
    for number, question in enumerate(questions, 1):
        print(f"\n{number}. {question}", flush=True)
        comparison = Comparison(question, direct.ask(question, tokens), proxied.ask(question, tokens))
        comparisons.append(comparison)
        texts = (comparison.direct.text, comparison.proxied.text)
        print("\n" + page.side_by_side(("asked directly", "through foreword"), texts))
        print(page.dim(f"\n   {decision_of(comparison.proxied)}"), flush=True)
    return comparisons


def decision_of(answer: Answer) -> str:
    names = ("x-foreword-decision", "x-foreword-items")
    return ", ".join(f"{name}: {answer.headers.get(name, '(none)')}" for name in names)


def verdict(tally: Tally, off_topic: Answer) -> list[str]:
    """What is wrong with the outcome, if anything."""
    problems = []
    if tally.proxied_answers <= tally.direct_answers:
        problems.append("foreword did not make more answers name the brand")
    if off_topic.headers.get("x-foreword-decision", "injected") == "injected":
        problems.append(f"the off-topic question was not left alone ({decision_of(off_topic)})")
    return problems


def experiment() -> dict[str, str]:
    """Half of the conversations are held out, and counted from nothing."""
    for leftover in STORE.parent.glob(f"{STORE.name}*"):
        leftover.unlink()
    return {
        "FOREWORD_EXPERIMENT__HOLDOUT": "0.5",
        "FOREWORD_LIVE__STORE": str(STORE),
        # The model takes the processor that retrieval would need.
        "FOREWORD_RETRIEVAL__DEADLINE": "2s",
        "FOREWORD_ADMIN__CONSOLE": "true",
    }


def live_lift(binary: Path, proxied: Endpoint) -> list[str]:
    """Sends conversations, prints what `foreword report` says; what is wrong with it."""
    print("\nConversations, of which half are held out:", flush=True)
    is_proven = traffic.run(proxied, binary, STORE, TRAFFIC_MINUTES)
    command = [str(binary), "report", "--store", str(STORE), "--since", "2d"]
    print(f"\n$ foreword report --since 2d\n{subprocess.run(command, capture_output=True, text=True).stdout}", flush=True)
    return [] if is_proven else [f"the lift was not proven within {TRAFFIC_MINUTES} minutes"]


def keep_serving(
    children: processes.Children, server: foreword_server.ForewordServer, direct: Endpoint, is_experiment: bool
) -> None:
    """Says how to use what is running, shows foreword's log, and waits for Ctrl-C."""
    address, model = server.base_url, direct.model
    key = "your own key" if direct.key else "any key will do"
    authorization = "-H \"authorization: Bearer $OPENAI_API_KEY\" " if direct.key else ""
    console = f"The console is at {server.admin_url}/console/" if is_experiment else ""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": QUESTIONS[0]}]})
    print(
        f"""
Everything is left running. Point a chatbot at the proxy:

  base URL   {address}
  model      {model}
  API key    {key}

or ask from another terminal:

  curl -Ni {address}/chat/completions -H 'content-type: application/json' {authorization}\\
    -d '{body}'

The model without foreword is at {direct.base_url}
Health and metrics are at {server.admin_url}/healthz and {server.admin_url}/metrics
{console}
Edit a file in knowledge/ and ask again: it is taken in while foreword runs.

foreword's log follows; Ctrl-C ends everything.
""",
        flush=True,
    )
    server.child.echo = True
    ended = children.wait_for_first_end()
    raise processes.ProcessError(f"{ended.name} ended. Its last lines:\n{ended.last_lines()}")


def main(arguments: list[str]) -> int:
    options = read_options(arguments)
    started = time.monotonic()
    pieces = ["--model"] if "UPSTREAM" in os.environ else ["--model", "--llm"]
    if code := processes.run_attached([str(ROOT / "scripts/setup"), *pieces]):
        return code
    binary = provide_foreword(options)
    names = Names.of_knowledge(ROOT / "knowledge")
    questions = QUESTIONS[:SHORT_QUESTIONS] if options.short else QUESTIONS
    if telling := [question for question in questions if names.count(question)]:
        raise ChatError(f"these questions name the brand themselves: {telling}")
    tokens = SHORT_ANSWER_TOKENS if options.short else ANSWER_TOKENS
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    page = Page(names, shutil.get_terminal_size((110, 40)).columns, colours)

    with processes.Children() as children:
        direct = start_model(children)
        server = foreword_server.start(children, binary, direct.base_url)
        proxied = Endpoint(server.base_url, direct.model, direct.key)
        print(f"{direct.model} at {direct.base_url}, foreword in front of it at {server.base_url}")
        comparisons = compare(questions, direct, proxied, tokens, page)
        off_topic = proxied.ask(OFF_TOPIC, OFF_TOPIC_TOKENS)
        problems = []
        tally = Tally.of(comparisons, names)
        print(f"\nMentions of {names.described}:\n{tally}")
        print(f"  off topic          \"{OFF_TOPIC}\": {decision_of(off_topic)}")
        print(f"  {time.monotonic() - started:.0f} seconds in all", flush=True)
        if options.traffic:
            # A proxy of its own: the questions above were to be answered with foreword, whatever their arm.
            server = foreword_server.start(children, binary, direct.base_url, experiment())
            problems.extend(live_lift(binary, Endpoint(server.base_url, direct.model, direct.key)))
        if options.serve:
            keep_serving(children, server, direct, options.traffic)
    if options.short:
        problems.extend(verdict(tally, off_topic))
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except processes.Stopped as stopped:
        print("\ndemo: stopped", file=sys.stderr)
        sys.exit(stopped.exit_code)
    except (processes.ProcessError, ChatError, OSError, KeyError) as error:
        sys.exit(processes.fail("demo", error))
