"""Runs llama.cpp's OpenAI-compatible server on a free port; prints `listening URL`.

    llama_server.py MODEL.gguf NAME [TEMPLATE.jinja]

A program of its own, because the library prints to the terminal and ends by ending the process. It must find the
package `xllamacpp` (PYTHONPATH) and serves until SIGTERM. A template renders conversations in place of the model's own.
"""

import os
import pathlib
import signal
import sys

# Waiting threads must not spin: on a busy machine with few cores that makes generation several times slower. The
# OpenMP library reads this when it is loaded.
os.environ["OMP_WAIT_POLICY"] = "passive"

import xllamacpp  # noqa: E402

CONTEXT_TOKENS = 4096


def parameters(model: str, name: str, template: str | None) -> xllamacpp.CommonParams:
    threads = min(os.cpu_count() or 1, 4)
    chosen = xllamacpp.CommonParams()
    chosen.model.path = model
    chosen.model_alias = {name}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = 0
    # Two conversations at a time, so that nobody waits for an answer that another client no longer reads.
    chosen.n_parallel = 2
    chosen.n_ctx = CONTEXT_TOKENS * chosen.n_parallel
    chosen.cpuparams.n_threads = threads
    chosen.cpuparams_batch.n_threads = threads
    chosen.use_jinja = True
    if template:
        chosen.chat_template = pathlib.Path(template).read_text()
    chosen.offline = True
    chosen.ui = False
    return chosen


def main() -> None:
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked before the server's threads are made, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = xllamacpp.Server(parameters(os.path.abspath(sys.argv[1]), sys.argv[2], *sys.argv[3:] or [None]))
    print(f"listening {server.listening_address}", flush=True)
    signal.sigwait(signals)
    # Nothing to save; the library's own way out waits for running answers.
    os._exit(0)


if __name__ == "__main__":
    main()
