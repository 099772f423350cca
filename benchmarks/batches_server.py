"""A minimal HTTP server in place of the Message Batches API, which costs its clients nothing.

    python -m benchmarks.batches_server [RESULTS]

It reads and discards the body of a create. Every Message Batch has ended, with the lines of the file RESULTS as its
results. It prints its address when it listens.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BLOCK = 1024 * 1024


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    results: Path | None = None
    lines = 1

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, BLOCK)))
        self._answer_json()

    def do_GET(self) -> None:
        if not self.path.endswith("/results") or self.results is None:
            self._answer_json()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-jsonl")
        self.send_header("Content-Length", str(self.results.stat().st_size))
        self.end_headers()
        with self.results.open("rb") as file:
            shutil.copyfileobj(file, self.wfile, BLOCK)

    def _answer_json(self) -> None:
        url = f"http://{self.headers['Host']}/v1/messages/batches/msgbatch_bench/results"
        counts = {"processing": 0, "succeeded": self.lines, "errored": 0, "canceled": 0, "expired": 0}
        when = "2026-11-22T12:00:00Z"
        body = json.dumps(
            {
                "id": "msgbatch_bench", "type": "message_batch", "processing_status": "ended", "request_counts": counts,
                "created_at": when, "ended_at": when, "expires_at": when, "archived_at": None,
                "cancel_initiated_at": None, "results_url": url,
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def batches_server(results: Path | None = None) -> Iterator[str]:
    """Run the server in a separate process; yield its address."""
    command = [sys.executable, "-m", "benchmarks.batches_server", *([str(results)] if results else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Serve until the process is terminated."""
    if len(sys.argv) > 1:
        _Answers.results = Path(sys.argv[1])
        with _Answers.results.open("rb") as file:
            _Answers.lines = sum(1 for _ in file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
