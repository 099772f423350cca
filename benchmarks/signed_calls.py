"""What a signature costs: a create of 250 MB, and the live lane at full speed, with a key and with a role.

    python -m benchmarks.signed_calls [--quick] [--runs 3]

A signed create reads its body twice, so it takes more CPU. Its memory must stay as flat. Both lanes of the live
comparison take turns, in processes of their own, with 200 requests open at a server that answers after 200 ms, as in
benchmarks/live_lane.py.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.batches_server import batches_server
from benchmarks.findings import Findings, begin, scratch
from benchmarks.live_lane import server
from benchmarks.measure import ROOT, Contender, Work
from benchmarks.submit import BODY, KEY, lay

MODULE = "benchmarks.signed_calls"
LABELS = {"with_a_key": "a create with a key", "with_a_role": "a signed create"}
LANES = {"ours": "the live lane with a key", "signed": "the live lane, signed"}
WINDOW, LATENCY = 200, 0.2
LEAST_SPEED = 0.9  # of the speed without signatures


def with_a_key(folder: str, url: str) -> Work:
    """Return a create with a key."""
    return _create(folder, {"api_key": KEY, "base_url": url})


def with_a_role(folder: str, url: str) -> Work:
    """Return a signed create."""
    from botocore.credentials import Credentials

    from batchdrop.adapters.claude.signing import RequestSigner

    role = Credentials("ASIABENCH", "secret", "t" * 800)
    return _create(folder, {"signer": RequestSigner(role, region="us-east-1", workspace="w"), "base_url": url})


def _create(folder: str, access: dict[str, Any]) -> Work:
    from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
    from batchdrop.batch_lane.submit_shard import StoredBody
    from benchmarks.folder_store import FolderStore

    api, store = AnthropicBatchCreator(**access), FolderStore(Path(folder))
    api.retrieve("msgbatch_bench")  # the connection is open, and what the SDK imports late is there
    return lambda: {"id": api.create(StoredBody(store, BODY), timeout=600).id}


CONTENDERS: dict[str, Contender] = {"with_a_key": with_a_key, "with_a_role": with_a_role}


def create(found: Findings) -> None:
    """Measure the create."""
    requests = found.of_scale(full=100_000, quick=20_000, smoke=200)
    with scratch() as folder, batches_server() as url:
        lay(folder, requests, 2_500)
        figures = found.compare(f"{requests:,} x 2,500 B", MODULE, LABELS, folder=str(folder), url=url)
    found.bar("a signed create: growth of RSS, MB", figures["with_a_role"]["grown_mb"], 16, is_most=True)


def live(found: Findings) -> None:
    """Measure the live lane."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in LANES}
    for _ in range(found.runs):
        for name, samples in taken.items():
            samples.append(_lane(name, found.of_scale(full=8, quick=4, smoke=1)))
    speeds = {}
    for name, samples in taken.items():
        speeds[name] = statistics.median(one["answers"] / one["seconds"] for one in samples)
        cpu = statistics.median(1e3 * one["cpu"] / max(1.0, one["answers"]) for one in samples)
        found.line(f"{WINDOW} open", LANES[name], {"answers_s": round(speeds[name], 1), "cpu_ms": round(cpu, 4)})
    if found.scale != "smoke":
        found.bar("signed answers a second, of those with a key", speeds["signed"] / speeds["ours"], LEAST_SPEED)


def _lane(name: str, seconds: int) -> dict[str, float]:
    with server("fast", LATENCY, 0.0) as url:
        command = [
            sys.executable,
            "-m",
            "benchmarks.live_contenders",
            name,
            url,
            str(WINDOW),
            "--seconds",
            str(seconds),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> int:
    """Measure both."""
    found = begin("signed_calls", "Signatures: a create of 250 MB, and the live lane")
    create(found)
    live(found)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
