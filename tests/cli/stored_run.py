"""The folder of a run that was stopped: a ledger, and a manifest where ministack stores the bucket."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.ledger import NoShardFailures, SqliteLedger
from batchdrop.cli.run.run_folder import RunFolder
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem, UploadRecord
from batchdrop.job.submission import Submission
from batchdrop.money.estimate import Estimate, EstimatedRequests
from tests.fakes import START

JOB = "20261122T140000-0123456789"
KEY = "inbox/ask/five rows.csv"
BUCKET = "batchdrop-000000000000-us-east-1"


def manifest(shards: int = 2) -> Manifest:
    """A job of 100 requests in each shard, of 1,000 tokens and at most 10,000 tokens of answers."""
    upload = UploadRecord(JOB, BUCKET, KEY, "e", 1, START)
    items = [ShardItem(number, 100, 100, 1, 1_000, 10_000) for number in range(shards)]
    part = EstimatedRequests("claude-haiku-5-5", "below", 100 * shards, 1_000 * shards, max_output=10_000 * shards)
    return Manifest(upload=upload, format="csv", recipe=None, shards=items, cursor=None, estimate=Estimate([part]))


def store(folder: RunFolder, key: str, body: bytes) -> None:
    """Write an object as ministack does."""
    path = folder.state.bucket_data / "000000000000" / BUCKET / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    Path(f"{path}.meta.json").write_text('{"version_id": "v1"}', encoding="utf-8")


def ledger(folder: RunFolder) -> SqliteLedger:
    """The folder's ledger."""
    return SqliteLedger(FactFile(folder.state.ledger_file), NoShardFailures())


def stopped(folder: RunFolder) -> None:
    """Shard 0 was accepted, the answer of shard 1's create was lost."""
    folder.path.mkdir(parents=True, exist_ok=True)
    store(folder, JobKeys(JOB).manifest, msgspec.json.encode(manifest()))
    book = ledger(folder)
    for shard in (0, 1):
        intent = Submission(JOB, shard, 0, 100, f"a{shard}", START, START + timedelta(minutes=5))
        book.begin(intent)
        if shard == 0:
            book.accept(intent, "msgbatch_1")
