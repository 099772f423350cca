"""Packs that come back unpaid are sent again byte for byte, in flat memory."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers import custom_id
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.next_packs import next_packs
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.job.job_files import read_manifest
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.shard_state import ShardState
from batchdrop.requests.sharding import ShardLimits
from batchdrop.split.split_upload import split_upload
from benchmarks.folder_store import FolderStore
from tests.fakes import FakeClock, FakeLedger
from tests.jobs import JOB, KEYS
from tests.packs.grouped import grouped

GROUPS, CHARS = 20, 1_500_000


def _planned(store: FolderStore, round_number: int, lines: bytes = b"") -> None:
    """Plan the round after this one, whose result lines are given."""
    manifest = read_manifest(store, JOB)
    assert manifest is not None
    state = ShardState(job_id=JOB, shard=0, shards=1, requests=GROUPS, expires_at=0, lane="batch", round=round_number)
    rounds = PackedRounds(manifest, 0, store)
    budget: Any = None  # the job has no cap
    with TemporaryFile() as spool:
        index = AnswerIndex(spool, job_id=JOB, shard=0, rows=manifest.shards[0].rows)
        index.fill([])
        if round_number:
            index.fill(rounds.rows(round_number, [lines]))
        parts: dict[str, Any] = {"store": store, "ledger": FakeLedger(), "clock": FakeClock(), "budget": budget}
        assert next_packs(state, manifest, index, rounds, live_rows=0, **parts) is not None


def test_repeated_packs_are_not_held_in_memory(tmp_path: Path) -> None:
    """A round of 30 MB of packs is written again with a fraction of that."""
    store = FolderStore(tmp_path)
    rows = [f'q{one},c{one % GROUPS},"{one % GROUPS:05d}{"x" * CHARS}",question {one}' for one in range(2 * GROUPS)]
    store.write("inbox/r/f.csv", "\n".join(("id,contract_id,contract,question", *rows)).encode())
    store.write("recipes/r.yaml", grouped(2).encode())
    size = store.size("inbox/r/f.csv")
    upload = UploadRecord(JOB, "bucket", "inbox/r/f.csv", "etag", size, datetime.now(UTC))
    limits, clock = ShardLimits(), FakeClock()
    split_upload(upload, store=store, clock=clock, formats=FileFormats(), limits=limits, time_reserve=60)
    _planned(store, 0)
    first = store.size(KEYS.requests(0, 1))
    assert first > 10_000_000
    own = custom_id.prefix(JOB, 0)
    line = '{"custom_id":"%s","result":{"type":"expired"}}\n'
    expired = "".join(line % custom_id.after(own, 2 * one) for one in range(GROUPS)).encode()
    tracemalloc.start()
    _planned(store, 1, expired)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    again, before = ({*store.read(KEYS.requests(0, number)).replace(b",\n", b"\n").split(b"\n")} for number in (2, 1))
    assert again == before
    assert peak < first * 0.6  # the buffers of the bucket have about 10 MB
