"""What /metrics says, read by promtool as Prometheus reads it; and whether the dashboard and the alert rules name
metrics that exist."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import foreword_server
import processes
from chat import Endpoint

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana.json"
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Try DocArray."},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}\n\n'
    b"data: [DONE]\n\n"
)


class Upstream(BaseHTTPRequestHandler):
    """Answers every chat request alike."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(EVENTS)))
        self.end_headers()
        self.wfile.write(EVENTS)

    def log_message(self, *_):
        pass


def promtool(*arguments: str, text: str = "") -> None:
    tool = shutil.which("promtool")
    if tool is None:
        raise processes.ProcessError("promtool is missing: scripts/setup brings it (Debian: apt-get install prometheus)")
    ran = subprocess.run([tool, *arguments], input=text, capture_output=True, text=True)
    if ran.returncode:
        raise processes.ProcessError(f"promtool {' '.join(arguments)}:\n{ran.stdout}{ran.stderr}")


def sampled(text: str) -> set[str]:
    """The names of all samples."""
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bforeword_\w+", text))


def labels_of(text: str) -> dict[str, set[str]]:
    """The labels of each kind of sample."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(foreword_\w+)(?:\{(.*)\})? ", text, re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def unknown_labels(expression: str, known: dict[str, set[str]]) -> set[str]:
    """Labels that a query asks for and no metric in it has: such a query finds nothing, and says nothing of it."""
    names = named(expression)
    asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", " ".join(re.findall(r"\{(.*?)\}", expression))))
    for group in re.findall(r"\b(?:by|without)\s*\((.*?)\)", expression):
        asked.update(label.strip() for label in group.split(","))
    return asked - set().union(*(known.get(name, set()) for name in names))


def expressions() -> list[str]:
    """The queries of the dashboard and of the alert rules."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rules = re.findall(r"expr: (?:\|\n)?(.*?)\n {8}(?=\w+:)", ALERTS.read_text(), re.S)
    return [target["expr"] for panel in panels for target in panel.get("targets", [])] + rules


def classic(text: str) -> str:
    """OpenMetrics in the older text form, which is all that `promtool check metrics` reads: there the names in
    comments are those of the samples."""
    lines = []
    counters = set(re.findall(r"^# TYPE (\S+) counter$", text, re.M))
    infos = set(re.findall(r"^# TYPE (\S+) info$", text, re.M))
    for line in text.splitlines():
        words = line.split(" ")
        if line == "# EOF" or words[:2] == ["#", "UNIT"]:
            continue
        if words[0] == "#" and words[2] in counters:
            words[2] += "_total"
        if words[0] == "#" and words[2] in infos:
            words[2] += "_info"
            words[3:] = ["gauge"] if words[1] == "TYPE" else words[3:]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def read_metrics(admin_url: str) -> str:
    """All metrics, once the answers have been counted, which happens after they have left."""
    until = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(f"{admin_url}/metrics", timeout=10) as response:
            text = response.read().decode()
        if "foreword_answers_total" in text or time.monotonic() > until:
            return text
        time.sleep(0.05)


def main() -> int:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=upstream.serve_forever, daemon=True).start()
    with processes.Children() as children:
        settings = {"FOREWORD_EXPERIMENT__HOLDOUT": "0.5"}
        address = f"http://127.0.0.1:{upstream.server_port}/v1"
        server = foreword_server.start(children, foreword_server.binary_named_by_environment(), address, settings)
        client = Endpoint(server.base_url, "any")
        for number in range(8):
            question = "Which Python library holds nested text, images and audio?"
            client.ask(question, 9, {"x-foreword-conversation": str(number)})
        text = read_metrics(server.admin_url)
    promtool("check", "metrics", text=classic(text))
    promtool("check", "rules", str(ALERTS))
    dashboard = json.dumps(json.loads(DASHBOARD.read_text()))
    unknown = (named(dashboard) | named(ALERTS.read_text())) - sampled(text)
    if unknown:
        raise processes.ProcessError(f"the dashboard or the alert rules name metrics that are not there: {unknown}")
    known = labels_of(text)
    for expression in expressions():
        if labels := unknown_labels(expression, known):
            raise processes.ProcessError(f"no metric of this query has the labels {sorted(labels)}: {expression}")
    print(f"{len(sampled(text))} kinds of samples; promtool finds nothing to say; all names are known")
    return 0


if __name__ == "__main__":
    processes.stop_on_signals()
    try:
        sys.exit(main())
    except (processes.ProcessError, OSError) as error:
        sys.exit(processes.fail("metrics", error))
