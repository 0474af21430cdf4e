#!/usr/bin/env python3
"""A model that names a brand when it was told of it, and a competitor when it was not. It answers in a stream, a word
at a time; the model `endless` goes on until nobody reads. Standard library only; prints `listening PORT`.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(json.dumps({"object": "list", "data": [{"id": "wordy"}, {"id": "endless"}]}).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body["model"] == "refusing":
            self.answer(b'{"error":{"message":"no such model <b>here</b>"}}', 404)
            return
        told = any(message["role"] == "assistant" for message in body["messages"])
        text = "Take the FeatherAnvil by Acme. <b>It</b> is light." if told else "Perhaps one by HeavyCo <i>would</i> do."
        if not body.get("stream"):
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 100 if told else 10, "completion_tokens": 8}
            usage["prompt_tokens_details"] = {"cached_tokens": 4}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.answer(json.dumps({"choices": [choice], "usage": usage}).encode())
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        words = text.split(" ")
        number = 0
        while number < len(words) or body["model"] == "endless":
            delta = {"content": words[number % len(words)] + " "}
            self.wfile.write(f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode())
            self.wfile.flush()
            number += 1
            # A model takes its time; without that an endless answer would fill every buffer.
            time.sleep(0.01)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def answer(self, body: bytes, status: int = 200):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self):
        # Somebody who stops an answer hangs up.
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("listening", server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
