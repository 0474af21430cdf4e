"""Conversations of people who have never heard of the brand, sent through a running proxy that holds some of them out.

Ends when the live counts say that the lift is not zero, or after a number of conversations or minutes.
"""

import json
import random
import subprocess
import time
import uuid
from pathlib import Path

from chat import ChatError, Endpoint

# What is asked, and how it is wrapped: 96 conversations that differ, of which a quarter is about something else.
ORGANIC = [
    "Which Python library should I use for data that mixes text, images and audio?",
    "I need one Python interface to several vector databases such as Weaviate and Qdrant. What do you recommend?",
    "How do I send tensors between two Python microservices?",
    "What can I use to search a collection of pictures with a text query?",
    "How can I keep an embedding beside the document that it belongs to, in Python?",
    "Is there a Pydantic-like model for multimodal data with tensors as fields?",
    "What do people use in Python to load video, audio and 3D meshes into tensors?",
    "How do I train a PyTorch model on nested data of text and images?",
    "I want nearest neighbour search on my laptop without running a server. Which library?",
]
OFF_TOPIC = [
    "What is the capital of France?",
    "Write a short poem about the sea.",
    "How long do I boil an egg?",
]
WRAPPERS = ["{}", "Hello! {}", "Quick question: {}", "{} I am new to this.", "{} Please be brief.", "{} Thanks!"]
ANSWER_TOKENS = 40


def questions(seed: int):
    """Without end, in an order that the seed decides."""
    draw = random.Random(seed)
    while True:
        # Three of four fit.
        text = draw.choice(ORGANIC if draw.random() < 0.75 else OFF_TOPIC)
        yield draw.choice(WRAPPERS).format(text)


def report(binary: Path, store: Path) -> list[dict]:
    """What `foreword report --json` says; empty while there is nothing."""
    command = [str(binary), "report", "--json", "--store", str(store), "--since", "2d"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return json.loads(ran.stdout) if ran.returncode == 0 else []


def proves_a_lift(reports: list[dict]) -> bool:
    arms = [arm for report in reports for arm in report["arms"] if arm["name"] == "injected"]
    return any(arm["lift_always"] and arm["lift_always"]["lower"] > 0 for arm in arms)


def run(proxied: Endpoint, binary: Path, store: Path, minutes: float, seed: int = 1) -> bool:
    """Sends conversations one after the other; whether the counts prove a lift in the end."""
    until = time.monotonic() + minutes * 60
    failed = 0
    for number, question in enumerate(questions(seed), 1):
        try:
            proxied.ask(question, ANSWER_TOKENS, {"x-foreword-conversation": str(uuid.uuid4())})
        except ChatError as error:
            failed += 1
            if failed > 3:
                raise error
        if number % 10 == 0:
            reports = report(binary, store)
            print(f"  {number} conversations: {verdict(reports)}", flush=True)
            if proves_a_lift(reports):
                return True
        if time.monotonic() > until:
            return proves_a_lift(report(binary, store))
    return False


def verdict(reports: list[dict]) -> str:
    return " ".join(f"{report['brand']}: {report['verdict']}" for report in reports) or "nothing counted yet"
