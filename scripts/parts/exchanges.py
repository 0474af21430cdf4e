"""Recorded exchanges with providers, replayed through foreword: what leaves is what came, around what is inserted.

    scripts/parts/exchanges.py FILE    JSON lines with method, path, query, request_headers, request_body, status,
                                       response_headers, response_body (fields as lists of pairs, bodies as texts)

Each is sent under each recipe, with a length or in chunks, to an upstream that gives the recorded answer, streams event
by event. The knowledge holds the questions of the requests, so that injections happen. Without a file nothing is done.
Needs the foreword that FOREWORD_BIN names, else target/debug/foreword.
"""

import collections
import gzip
import http.client
import http.server
import json
import sys
import tempfile
import threading
from pathlib import Path

import foreword_server
import processes

RECIPES = ["pairs", "inline", "lead", "message"]
LISTS = {"/chat/completions": "messages", "/responses": "input", "/completions": "prompt"}
# Fields of one connection, and those that say how a body is framed.
FRAMING = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "x-case", "accept-encoding"}
CONFIG = """[knowledge]\nprompts = "{prompts}"\n[topics]\nnever = []\n[injection]\ntokenizer = "estimate"
[retrieval]\nmodel = "off"\ndeadline = "10s"\ndeadline_cap = "10s"\n[upstream]\nprofile = "lenient"\n[log]\nsample = 0.0\n"""


def values(text: str, at: int):
    """Key (None in a list), start and end of each value of the object or list that begins at `at`."""
    decode = json.JSONDecoder().raw_decode
    is_object, at = text[at] == "{", at + 1
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] in "]}":
            return
        key = None
        if is_object:
            key, at = decode(text, at)
            while text[at] in " \t\r\n:":
                at += 1
        start, (_, at) = at, decode(text, at)
        yield key, start, at


def is_within(part: str, whole: str) -> bool:
    """Whether `part` is `whole` with something cut out."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


def fault(sent: str, got: str, key: str) -> str | None:
    """What is wrong with a body that something was inserted into."""
    start, end = next((start, end) for name, start, end in values(sent, sent.index("{")) if name == key)
    place, stop = next((start, end) for name, start, end in values(got, got.index("{")) if name == key)
    if sent[:start] != got[:place] or sent[end:] != got[stop:]:
        return "something outside of the list has changed"
    if not is_within(sent[start:end], got[place:stop]):
        return "something in the list was cut out or replaced"
    if sent[start] == "[":
        ours = [got[a:b] for _, a, b in values(got, place)]
        theirs = [sent[a:b] for _, a, b in values(sent, start)]
        is_text_added = len(ours) == len(theirs)
        rest = iter(ours)
        if not is_text_added and not all(message in rest for message in theirs):
            return "a message has changed or moved"
    return None


def fields(pairs) -> collections.Counter:
    named = [(name.lower(), value) for name, value in pairs]
    return collections.Counter(
        pair for pair in named if pair[0] not in FRAMING and not pair[0].startswith("x-foreword-")
    )


class Upstream(http.server.BaseHTTPRequestHandler):
    """Gives the recorded answer of the case that the request names, and keeps what has arrived."""

    protocol_version = "HTTP/1.1"
    cases, received = [], {}

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        while self.headers.get("transfer-encoding") and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size)
            self.rfile.readline()
        if self.headers.get("transfer-encoding"):
            self.rfile.readline()
        number = int(self.headers["x-case"])
        self.received[number] = (self.command, self.path, fields(self.headers.items()), body)
        case = self.cases[number]
        head = f"HTTP/1.1 {case['status']} Recorded\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in case["answer_fields"])
        self.wfile.write(head.encode("latin-1"))
        if len(case["pieces"]) <= 1:
            body = b"".join(case["pieces"])
            return self.wfile.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        self.wfile.write(b"transfer-encoding: chunked\r\n\r\n")
        for piece in [*case["pieces"], b""]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


def read(file: Path) -> list[dict]:
    cases = [json.loads(line) for line in file.open()]
    for case in cases:
        kept = [(name, value) for name, value in case["response_headers"] if name.lower() not in FRAMING]
        is_packed = ("content-encoding", "gzip") in [(name.lower(), value) for name, value in kept]
        # An encoding that cannot be made here would be a lie.
        case["answer_fields"] = [pair for pair in kept if is_packed or pair[0].lower() != "content-encoding"]
        text = case["response_body"].encode()
        if any("event-stream" in value for _, value in kept) and not is_packed:
            events = text.split(b"\n\n")
            case["pieces"] = [piece for piece in [*(event + b"\n\n" for event in events[:-1]), events[-1]] if piece]
        else:
            case["pieces"] = [gzip.compress(text) if is_packed else text]
    return cases


def questions(cases: list[dict]):
    """The last texts of users."""
    for case in cases:
        try:
            body = json.loads(case["request_body"])
            said = body.get("messages") or body.get("input") or body.get("prompt")
        except (ValueError, AttributeError):
            continue
        for message in reversed(said if isinstance(said, list) else [said]):
            content = message.get("content") if isinstance(message, dict) else message
            if isinstance(content, list):
                content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
            if isinstance(content, str) and content.strip():
                yield content
                break


def write_site(folder: Path, cases: list[dict]) -> Path:
    brand = folder / "knowledge/acme"
    brand.mkdir(parents=True)
    (brand / "brand.toml").write_text('name = "Acme"\n')
    (brand / "about.md").write_text('---\npinned: true\n---\n# About Acme\n\nAcme makes "anvils" & tongs.\n')
    answer = 'Acme knows: \u00e9 "x" \\ \U0001f600'
    asked = enumerate(sorted({question[:1500] for question in questions(cases)}))
    items = [{"id": f"q{number}", "question": question, "answer": answer} for number, question in asked]
    (brand / "asked.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    config = folder / "foreword.toml"
    config.write_text(CONFIG.format(prompts=foreword_server.ROOT / "prompts"))
    return config


def ask(address: str, number: int, case: dict) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.putrequest(case["method"], target(case), skip_accept_encoding=True)
    for name, value in case["request_headers"]:
        if name.lower() not in FRAMING:
            connection.putheader(name, value)
    connection.putheader("x-case", str(number))
    body = case["request_body"].encode()
    in_chunks = number % 2 == 1
    connection.putheader(*("transfer-encoding", "chunked") if in_chunks else ("content-length", str(len(body))))
    pieces = [body[at : at + 700] for at in range(0, len(body), 700)]
    connection.endheaders(pieces if in_chunks else body, encode_chunked=in_chunks)
    answer = connection.getresponse()
    return answer, answer.read()


def target(case: dict) -> str:
    return case["path"] + ("?" + case["query"] if case["query"] else "")


def compare(address: str, number: int, case: dict) -> tuple[str, str, list[str]]:
    """What it was, the decision, and what is wrong."""
    answer, body = ask(address, number, case)
    method, path, sent_fields, received = Upstream.received.pop(number)
    key = next((key for end, key in LISTS.items() if case["path"].endswith(end)), None)
    decision = answer.headers.get("x-foreword-decision", "not looked at")
    wrong = {
        "target": (method, path) != (case["method"], target(case)),
        "fields of the request": sent_fields != fields(case["request_headers"]),
        "answer": (answer.status, body) != (case["status"], b"".join(case["pieces"])),
        "fields of the answer": fields(answer.headers.items()) != fields(case["answer_fields"]),
        "a request that was left alone": decision != "injected" and received != case["request_body"].encode(),
    }
    faults = [what for what, is_wrong in wrong.items() if is_wrong]
    if decision == "injected":
        faults += filter(None, [fault(case["request_body"], received.decode(), key)])
    return key or "other paths", decision, faults


def main(arguments: list[str]) -> int:
    if not arguments or not Path(arguments[0]).is_file():
        print("exchanges: no file of them, nothing done", file=sys.stderr)
        return 0
    Upstream.cases = read(Path(arguments[0]))
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    seen, wrong = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder, processes.Children() as children:
        config = write_site(Path(folder), Upstream.cases)
        for recipe in RECIPES:
            settings = {"FOREWORD_INJECTION__RECIPE": recipe}
            binary = foreword_server.binary_named_by_environment()
            url = f"http://127.0.0.1:{upstream.server_port}"
            server = foreword_server.start(children, binary, url, settings, config)
            address = server.base_url.removeprefix("http://").partition("/")[0]
            for number, case in enumerate(Upstream.cases):
                kind, decision, faults = compare(address, number, case)
                seen[recipe, kind, decision] += 1
                wrong += len(faults)
                for fault in faults:
                    print(f"{case.get('id', number)} under {recipe}: {fault}", file=sys.stderr)
    for (recipe, kind, decision), count in sorted(seen.items()):
        print(f"{recipe:8} {kind:12} {decision:20} {count}")
    streams = sum(len(case["pieces"]) > 1 for case in Upstream.cases)
    print(f"{len(Upstream.cases)} exchanges ({streams} streams) under {len(RECIPES)} recipes: {wrong} differences")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
