"""Whether the time of an answer tells a client of one brand anything about another brand.

    scripts/attacks timing [--questions 320] [--json]

Two keys, one for each brand of knowledge/. With the first key are asked, in random order: questions with names of the second
brand's products against questions with names that nobody has, of as many tokens and about as many letters; and questions that the
second key has asked before against questions that nobody has. Each pair is compared by the Mann-Whitney test (two-sided, normal approximation with
ties): p below 0.01 is a difference beyond noise.
"""

import argparse
import http.client
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import foreword_server
from processes import Children, ProcessError, Stopped, fail, stop_on_signals
from scripted import start_upstream
from watched import Findings

LEAST_P = 0.01
OWN, OTHER = "docarray", "jina-ai"
# What the other brand's items are about, and what nobody's are.
NAMES = ["SceneXplain", "PromptPerfect", "DiscoArt", "AnnLite", "JinaColBERT", "Rationale", "Finetuner", "Jina Reader"]
VOCABULARY = foreword_server.ROOT / ".foreword/models/all-minilm-l6-v2-int8/tokenizer.json"
FORMS = [
    "Can {name} {task} for a team of {number} people?",
    "How does {name} {task} when there are {number} inputs?",
    "What does {name} cost to {task} about {number} times a day?",
    "Is {name} able to {task} within {number} seconds?",
]
TASKS = ["turn pages into clean text", "describe pictures", "improve prompts", "tune a model", "find near vectors", "rank results"]
SETTINGS = {
    # Nothing may be left out for being late: what is compared is how long it takes.
    "FOREWORD_RETRIEVAL__DEADLINE": "10s",
    "FOREWORD_RETRIEVAL__DEADLINE_CAP": "10s",
    "FOREWORD_LIVE__STORE": "off",
    "FOREWORD_LOG__LEVEL": "error",
}


class Names:
    """Names that nobody has."""

    def __init__(self):
        self.vocabulary = json.loads(VOCABULARY.read_text())["model"]["vocab"]
        words = [word for word in self.vocabulary if word.isascii() and word.isalpha() and 4 <= len(word) <= 7]
        ends = [word[2:] for word in self.vocabulary if word.startswith("##") and word[2:].isascii() and word[2:].isalpha()]
        self.words, self.ends = sorted(words), sorted(end for end in ends if 3 <= len(end) <= 6)

    def tokens(self, text: str) -> int:
        """As WordPiece counts: the longest piece first."""
        count = 0
        for word in text.lower().split():
            at = 0
            while at < len(word):
                end = len(word)
                while end > at + 1 and ("##" if at else "") + word[at:end] not in self.vocabulary:
                    end -= 1
                at, count = end, count + 1
        return count

    def like(self, name: str) -> str:
        """One of as many tokens, and about as many letters."""
        wanted = self.tokens(name)
        while True:
            made = random.choice(self.words).capitalize() + "".join(random.choice(self.ends) for _ in range(wanted - 1))
            if self.tokens(made) == wanted and abs(len(made) - len(name)) <= 3:
                return made


def questions(count: int, name_of) -> list[str]:
    asked = []
    for number in range(count):
        name = name_of(NAMES[number % len(NAMES)])
        form, task = FORMS[number % len(FORMS)], TASKS[number // len(FORMS) % len(TASKS)]
        asked.append(f"{form.format(name=name, task=task, number=random.randint(10, 99))} Case {random.randint(1000, 9999)}.")
    return asked


class Client:
    """Asks over one connection."""

    def __init__(self, base_url: str):
        self.connection = http.client.HTTPConnection(base_url.split("//")[1].split("/")[0], timeout=60)

    def ask(self, key: str, question: str) -> float:
        body = json.dumps({"model": "think-0", "messages": [{"role": "user", "content": question}]})
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        started = time.perf_counter()
        self.connection.request("POST", "/v1/chat/completions", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise ProcessError(f"status {answer.status}")
        return (time.perf_counter() - started) * 1000


def mann_whitney(a: list[float], b: list[float]) -> tuple[float, float]:
    """The chance that one of `a` is greater than one of `b`, and the p-value of no difference."""
    ranked = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    ranks = ties = 0.0
    start = 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        ranks += sum((start + end + 1) / 2 for at in range(start, end) if ranked[at][1] == 0)
        ties += (end - start) ** 3 - (end - start)
        start = end
    n, m = len(a), len(b)
    u = ranks - n * (n + 1) / 2
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    return u / (n * m), math.erfc(abs(u - n * m / 2) / math.sqrt(variance) / math.sqrt(2))


def new_key(binary: Path, file: Path, brand: str) -> str:
    command = [str(binary), "key", "new", "--name", brand, "--brand", brand, "--file", str(file)]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(word for word in made.split() if word.startswith("fw-"))


def compare(name: str, client: Client, key: str, one: list[str], other: list[str], findings: Findings) -> None:
    jobs = [(0, question) for question in one] + [(1, question) for question in other]
    random.shuffle(jobs)
    took: tuple[list[float], list[float]] = ([], [])
    for which, question in jobs:
        took[which].append(client.ask(key, question))
    chance, p = mann_whitney(*took)
    medians = [sorted(times)[len(times) // 2] for times in took]
    figure = f"{len(one)} each, medians {medians[0]:.2f} and {medians[1]:.2f} ms, slower in {chance:.1%} of pairs, p = {p:.2g}"
    findings.add(name, figure, f"p ≥ {LEAST_P}", p >= LEAST_P)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/attacks timing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=320)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    random.seed(options.seed)
    stop_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="foreword-timing-") as folder, Children() as children:
            findings = Findings(options.json)
            binary, file = foreword_server.binary_named_by_environment(), Path(folder) / "keys.toml"
            own, other = new_key(binary, file, OWN), new_key(binary, file, OTHER)
            settings = {**SETTINGS, "FOREWORD_SERVER__KEYS": str(file)}
            server = foreword_server.start(children, binary, f"{start_upstream(children)}/v1", settings)
            client = Client(server.base_url)
            names = Names()
            for question in questions(20, names.like):
                client.ask(own, question)
            count = options.questions
            named = questions(count, lambda name: name)
            compare("names of another brand against names of nobody", client, own, named, questions(count, names.like), findings)
            before = questions(count, lambda name: name)
            for question in before:
                client.ask(other, question)
            never = questions(count, lambda name: name)
            compare("asked before with another brand's key against never asked", client, own, before, never, findings)
            return findings.finish()
    except (ProcessError, Stopped, OSError, subprocess.CalledProcessError) as error:
        return fail("scripts/attacks timing", error)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
