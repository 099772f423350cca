"""Submit a create body from the bucket to the API, compared with the SDK and a list of requests.

    python -m benchmarks.submit [--quick] [--runs 3]

The bodies have 100,000 requests of 500 bytes, and as many in 250 MB. The server, a separate process, reads and discards
them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.batches_server import batches_server
from benchmarks.findings import begin, scratch
from benchmarks.measure import Contender, Work

MODULE = "benchmarks.submit"
LABELS = {"ours": "batchdrop: the body streamed from the bucket", "sdk": "SDK: batches.create(requests=list)"}
BODY, PROMPTS = "body.json", "prompts.txt"
KEY = "sk-bench"


def ours(folder: str, url: str) -> Work:
    """Return the real adapter, and the body that submit_shard gives it."""
    from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
    from batchdrop.batch_lane.submit_shard import StoredBody
    from benchmarks.folder_store import FolderStore

    api, store = AnthropicBatchCreator(api_key=KEY, base_url=url), FolderStore(Path(folder))
    api.retrieve("msgbatch_bench")  # the connection is open, and what the SDK imports late is there

    def work() -> dict[str, Any]:
        body = StoredBody(store, BODY)
        return {"id": api.create(body, timeout=600).id}

    return work


def sdk(folder: str, url: str) -> Work:
    """Return the code of the SDK's documentation, for prompts in a file, one per line."""
    import anthropic
    from anthropic.types.messages.batch_create_params import Request

    client = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)
    client.messages.batches.retrieve("msgbatch_bench")

    def work() -> dict[str, Any]:
        with (Path(folder) / PROMPTS).open(encoding="utf-8") as prompts:
            requests = [
                Request(
                    custom_id=f"row-{number:06d}",
                    params={
                        "model": "claude-haiku-5-5",
                        "max_tokens": 64,
                        "messages": [{"role": "user", "content": prompt.rstrip("\n")}],
                    },
                )
                for number, prompt in enumerate(prompts)
            ]
        return {"id": client.messages.batches.create(requests=requests, timeout=600).id}

    return work


CONTENDERS: dict[str, Contender] = {"ours": ours, "sdk": sdk}


def lay(folder: Path, requests: int, size: int) -> None:
    """Write prompts, and a create body of them with `size` bytes per request."""
    from batchdrop.requests.request import request_line
    from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL

    params = b'{"model":"claude-haiku-5-5","max_tokens":64,"messages":[{"role":"user","content":"%b"}]}'
    prompt = b"word " * ((size - len(request_line("row-000000", params)) - len(BODY_SEPARATOR)) // 5)
    with (folder / BODY).open("wb") as body, (folder / PROMPTS).open("wb") as prompts:
        for number in range(requests):
            body.write(BODY_SEPARATOR if number else BODY_HEAD)
            body.write(request_line(f"row-{number:06d}", params % prompt))
            prompts.write(prompt + b"\n")
        body.write(BODY_TAIL)


def main() -> int:
    """Measure both sizes."""
    found = begin("submit", "Submit one create: 100,000 requests of 500 bytes, and of 250 MB")
    requests = found.of_scale(full=100_000, quick=20_000, smoke=200)
    for size in found.cases((500, 2_500)):
        case = f"{requests:,} x {size:,} B"
        with scratch() as folder, batches_server() as url:
            lay(folder, requests, size)
            figures = found.compare(case, MODULE, LABELS, folder=str(folder), url=url)
        found.bar(f"{case}: CPU of the SDK / ours", figures["sdk"]["cpu_s"] / figures["ours"]["cpu_s"], 6)
        found.bar(f"{case}: growth of RSS, MB", figures["ours"]["grown_mb"], 16, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
