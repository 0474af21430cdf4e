"""Drives nginx and foreword with the same load, each alone on one processor, and prints the table.

The gateway has processor 0 for itself; upstream and load share processor 1. CPU time is the process's own, as the
kernel accounts it. Latency added is against the upstream without a gateway.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAT = "/v1/chat/completions"
# Seconds after which memory that a start needed and serving does not has been given back to the system.
GIVEN_BACK = 25
TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
ORGANIC = "Which Python library can I use to represent nested multimodal data such as text, images and audio?"
OFF_TOPIC = "What is the capital of France, and how many people live there?"
ANSWER = "An answer of a usual length, which says neither too little nor too much about what the user asked in this turn."


def conversation(question: str, size: int, turns: int, **fields) -> bytes:
    """A chat request with so many turns of history, padded to about `size` bytes by its system text."""
    messages = [{"role": "system", "content": ""}]
    for turn in range(turns - 1):
        messages.append({"role": "user", "content": f"And what about {turn}, which is another thing altogether?"})
        messages.append({"role": "assistant", "content": ANSWER})
    messages.append({"role": "user", "content": question})
    body = {"model": "bench", "messages": messages, **fields}
    missing = size - len(json.dumps(body))
    messages[0]["content"] = ("You are a helpful assistant. " * (max(missing, 29) // 29 + 1))[: max(missing, 29)]
    return json.dumps(body, separators=(",", ":")).encode()


class Process:
    """A child on one processor, with its CPU time and memory."""

    def __init__(self, name, command, processor, log, env=None):
        self.name, self.log = name, log
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(processor), *command],
                cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )

    def line(self, pattern, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, pathlib.Path(self.log).read_text(errors="replace")):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        sys.exit(f"{self.name} did not start:\n{pathlib.Path(self.log).read_text(errors='replace')[-2000:]}")

    def pids(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [self.process.pid, *map(int, children)]

    def cpu_us(self):
        """User and system time of the process and its children, in microseconds."""
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total * TICK

    def memory_mb(self, field):
        text = "".join(pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids())
        return sum(int(kb) for kb in re.findall(rf"^{field}:\s+(\d+) kB", text, re.M)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class Bench:
    def __init__(self, foreword, gateway, folder, seconds):
        self.foreword, self.gateway, self.folder, self.seconds = foreword, gateway, folder, seconds
        self.upstream = Process("upstream", [gateway, "upstream"], 1, folder / "upstream.log")
        self.port = int(self.upstream.line(r"port (\d+)")[1])

    def events(self, port, body):
        """How long the first bytes of streams and their events are on their way, by the number of streams at once."""
        return {count: self.load(port, body, count, max(self.seconds, 2.0), what="events") for count in (1, 16)}

    def load(self, port, body, connections, seconds=None, what="load"):
        path = self.folder / "body.json"
        path.write_bytes(body)
        command = ["taskset", "-c", "1", self.gateway, what, f"127.0.0.1:{port}", CHAT, str(path), str(connections)]
        ran = subprocess.run([*command, str(seconds or self.seconds)], capture_output=True, text=True, timeout=300)
        if ran.returncode:
            sys.exit(f"the load failed: {ran.stderr}")
        return json.loads(ran.stdout)

    def start_nginx(self):
        conf = self.folder / "nginx.conf"
        conf.write_text(f"""
            worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx-error.log;
            events {{ worker_connections 1024; }}
            http {{
              access_log {self.folder}/nginx-access.log; client_max_body_size 16m; client_body_buffer_size 1m;
              keepalive_requests 1000000;
              client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
              fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
              upstream model {{ server 127.0.0.1:{self.port}; keepalive 128; keepalive_requests 1000000; }}
              server {{ listen 127.0.0.1:{self.nginx_port()};
                location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
                             proxy_buffering off; tcp_nodelay on; }} }}
            }}""")
        nginx = Process("nginx", ["nginx", "-c", str(conf)], 0, self.folder / "nginx.log")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                self.load(self.nginx_port(), conversation(OFF_TOPIC, 500, 1), 1, 0.05)
                return nginx, self.nginx_port()
            except SystemExit:
                time.sleep(0.1)
        sys.exit("nginx did not start: " + (self.folder / "nginx.log").read_text())

    def nginx_port(self):
        if not hasattr(self, "_nginx_port"):
            import socket
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._nginx_port = probe.getsockname()[1]
        return self._nginx_port

    def start_foreword(self, knowledge, model=True):
        command = [self.foreword, "serve", "--config", str(self.folder / "foreword.toml"), "--knowledge", str(knowledge),
                   "--prompts", str(ROOT / "prompts"), "--upstream", f"http://127.0.0.1:{self.port}/v1",
                   "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        env = {"FOREWORD_RETRIEVAL__MODEL": str(ROOT / ".foreword/models/all-minilm-l6-v2-int8") if model else "off",
               "FOREWORD_KNOWLEDGE__CACHE": str(self.folder / ("cache" if model else "cache-words"))}
        process = Process("foreword", command, 0, self.folder / "foreword.log", env)
        port = int(process.line(r"listening on http://127.0.0.1:(\d+)", 600)[1])
        process.line("Stop with Ctrl-C")
        ready = int(process.line(r"ready in (\d+) ms")[1])
        self.wait_for_vectors(process.line(r"admin on (http://\S+)")[1])
        return process, port, ready

    def wait_for_vectors(self, admin):
        """A first start serves by words at first, and embeds meanwhile."""
        for _ in range(600):
            with urllib.request.urlopen(f"{admin}/readyz", timeout=5) as answer:
                if not json.load(answer)["snapshot"]["texts_waiting"]:
                    return
            time.sleep(0.5)
        sys.exit("foreword has not embedded its texts within five minutes")

    def measure(self, process, port, body, connections=64, wait_for=None):
        """`wait_for`: the decision that must have been reached before measuring begins."""
        deadline = time.monotonic() + 60
        while self.load(port, body, 4, 0.5)["decision"] != (wait_for or "") and wait_for:
            if time.monotonic() > deadline:
                sys.exit(f"a request never got the decision {wait_for}")
        before = process.cpu_us()
        result = self.load(port, body, connections)
        spent = process.cpu_us() - before
        result["cpu_us"] = spent / result["requests"]
        result["rate"] = result["requests"] / result["seconds"]
        if result["events"]:
            result["cpu_us_event"] = spent / result["events"]
        return result


def make_knowledge(folder: pathlib.Path) -> pathlib.Path:
    """The project's own items, and generated ones up to a thousand."""
    knowledge = folder / "knowledge"
    shutil.copytree(ROOT / "knowledge", knowledge)
    (knowledge / "padding").mkdir()
    (knowledge / "padding/brand.toml").write_text('name = "Padding"\n')
    parts = ["valve", "gasket", "bearing", "rotor", "flange", "spindle", "coupling", "bushing", "manifold", "actuator"]
    lines = [
        json.dumps({"title": f"{parts[n % 10].title()} number {n}",
                    "text": f"Padding's {parts[n % 10]} {n} fits shafts of {n % 90 + 10} millimetres and costs {n} euros."})
        for n in range(881)
    ]
    (knowledge / "padding/parts.jsonl").write_text("\n".join(lines) + "\n")
    return knowledge


def main():
    foreword, gateway, *options = sys.argv[1:]
    seconds = 1.5 if "--quick" in options else 4.0
    if (os.cpu_count() or 1) < 2:
        sys.exit("two processors are needed: one for the gateway, one for what drives it")
    with tempfile.TemporaryDirectory(prefix="foreword-bench-") as folder:
        folder = pathlib.Path(folder)
        (folder / "foreword.toml").write_text('[knowledge]\ndefault_brands = ["docarray", "jina-ai", "padding"]\n')
        bench = Bench(str(ROOT / foreword), gateway, folder, seconds)
        try:
            (delays if "--delays" in options else report)(bench, folder)
        finally:
            bench.upstream.stop()


def delays(bench, folder):
    stamped = conversation(OFF_TOPIC, 2_000, 1, stream=True, stamped=True)
    found = {"direct": bench.events(bench.port, stamped)}
    nginx, port = bench.start_nginx()
    found["nginx"] = bench.events(port, stamped)
    nginx.stop()
    proxy, port, _ = bench.start_foreword(make_knowledge(folder), model=False)
    found["foreword"] = bench.events(port, stamped)
    proxy.stop()
    table_of_delays(found)


def report(bench, folder):
    knowledge = make_knowledge(folder)
    small, large = conversation(OFF_TOPIC, 2_000, 1), conversation(OFF_TOPIC, 100_000, 400)
    stream = conversation(OFF_TOPIC, 2_000, 1, stream=True)
    stamped = conversation(OFF_TOPIC, 2_000, 1, stream=True, stamped=True)
    injected = conversation(ORGANIC, 2_000, 1)
    unseen = conversation(ORGANIC + " Ticket @@@@@@@@.", 2_000, 1)
    history = conversation(ORGANIC, 100_000, 400)

    direct = {c: bench.load(bench.port, small, c, 1.0) for c in (1, 16, 64)}
    nginx, port = bench.start_nginx()
    base = {
        "small": bench.measure(nginx, port, small),
        "large": bench.measure(nginx, port, large, 16),
        "stream": bench.measure(nginx, port, stream, 16),
        "latency": {c: bench.load(port, small, c, 1.0) for c in (1, 16, 64)},
        "events": bench.events(port, stamped),
        "memory": nginx.memory_mb("VmHWM"),
    }
    nginx.stop()

    first, port, _ = bench.start_foreword(knowledge)
    time.sleep(3)  # The vectors are kept once they serve.
    first.stop()
    proxy, port, ready = bench.start_foreword(knowledge)
    time.sleep(GIVEN_BACK)
    rest = proxy.memory_mb("VmRSS")
    found = {
        "small": bench.measure(proxy, port, small, wait_for="below_threshold"),
        "injected": bench.measure(proxy, port, injected, wait_for="injected"),
        "unseen": bench.measure(proxy, port, unseen, 1),
        "history": bench.measure(proxy, port, history, 16, wait_for="injected"),
        "stream": bench.measure(proxy, port, stream, 16),
        "latency": {c: bench.load(port, small, c, 1.0) for c in (1, 16, 64)},
        "latency_injected": {c: bench.load(port, injected, c, 1.0) for c in (1, 16, 64)},
        "events": bench.events(port, stamped),
        "memory": proxy.memory_mb("VmHWM"),
    }
    proxy.stop()
    delays = {"direct": bench.events(bench.port, stamped), "nginx": base["events"], "foreword": found["events"]}
    words, _, _ = bench.start_foreword(knowledge, model=False)
    words.stop()
    words, _, _ = bench.start_foreword(knowledge, model=False)
    time.sleep(GIVEN_BACK)
    rest_words = words.memory_mb("VmRSS")
    words.stop()
    tables(direct, base, found, delays, ready, rest, rest_words)


def tables(direct, base, found, delays, ready, rest, rest_words):
    ratio = lambda a, b: f"{a / b:.2f}"
    row = lambda *cells: print("| " + " | ".join(str(cell) for cell in cells) + " |")
    n2, n100 = base["small"]["cpu_us"], base["large"]["cpu_us"]
    row("saturated, one processor", "nginx", "foreword", "ratio or difference", "target")
    row("---", "---", "---", "---", "---")
    row("CPU µs, 2 KB, nothing injected", f"{n2:.0f}", f"{found['small']['cpu_us']:.0f}", ratio(found["small"]["cpu_us"], n2), "1.5")
    row("CPU µs, 2 KB, injected, seen before", f"{n2:.0f}", f"{found['injected']['cpu_us']:.0f}", ratio(found["injected"]["cpu_us"], n2), "2")
    row("CPU µs, 2 KB, injected, never seen", "", f"{found['unseen']['cpu_us']:.0f}", found["unseen"]["decision"], "the embedding + 150")
    row("CPU µs, 100 KB of 400 turns, injected, seen before", f"{n100:.0f}", f"{found['history']['cpu_us']:.0f}", f"+{found['history']['cpu_us'] - n100:.0f}", "+250")
    row("CPU µs a streamed event", f"{base['stream']['cpu_us_event']:.1f}", f"{found['stream']['cpu_us_event']:.1f}", ratio(found["stream"]["cpu_us_event"], base["stream"]["cpu_us_event"]), "1.5")
    row("requests/s, 2 KB, nothing injected", f"{base['small']['rate']:.0f}", f"{found['small']['rate']:.0f}", ratio(found["small"]["rate"], base["small"]["rate"]), "")
    row("requests/s, 2 KB, injected", "", f"{found['injected']['rate']:.0f}", "", "")
    row("peak RSS, MB", f"{base['memory']:.0f}", f"{found['memory']:.0f}", "", "")
    row("RSS at rest, 1,000 items, with the model, MB", "", f"{rest:.0f}", "", "200")
    row("RSS at rest, 1,000 items, without, MB", "", f"{rest_words:.0f}", "", "40")
    row("start to ready, 1,000 items, vectors cached, ms", "", ready, "", "1000")
    print()
    row("latency added, µs (2 KB)", "nginx p50", "p99", "foreword p50", "p99", "injected p50", "p99")
    row("---", "---", "---", "---", "---", "---", "---")
    for connections in (1, 16, 64):
        added = []
        for kind in (base["latency"], found["latency"], found["latency_injected"]):
            added += [kind[connections][key] - direct[connections][key] for key in ("p50_us", "p99_us")]
        row(f"{connections} at once", *added)
    print()
    table_of_delays(delays)


def table_of_delays(found):
    row = lambda *cells: print("| " + " | ".join(str(cell) for cell in cells) + " |")
    row("from the upstream's write to the client's read, µs", "first bytes p50", "p99", "events p50", "p99")
    row("---", "---", "---", "---", "---")
    for name, by_streams in found.items():
        for streams, delay in by_streams.items():
            figures = (delay[key] for key in ("first_p50_us", "first_p99_us", "p50_us", "p99_us"))
            row(f"{name}, {streams} at once", *figures)


if __name__ == "__main__":
    main()
