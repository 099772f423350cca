"""Read from a round's answers how much of the shared prefix came from the prompt cache."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import islice

from batchdrop.answers.odd_records import heads_of
from batchdrop.answers.tokens import Tokens
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import LedgerContended
from batchdrop.job.layout import JobKeys
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore

LINES_READ = 2_000  # ours: results come in any order, so the first ones are a fair sample of the round


def note_reads(state: ShardState, store: ObjectStore, prefix: WarmPrefix, ended_at: str | None) -> None:
    """Note the cache usage of a collected round. `ended_at` is the end of its Message Batch; None if it is not known.

    Without it, or if the ledger is busy, nothing is noted. That may cost money, but never a row.
    """
    ended = _date(ended_at)
    if not state.may_be_marked or state.lane != "batch" or ended is None:
        return
    used = Tokens("")
    with closing(store.stream(JobKeys(state.job_id).answers(state.shard, state.round))) as blocks:
        for line in islice(whole_lines(blocks), LINES_READ):
            messages = [head.result.message for head in heads_of(line)] if line.strip() else []
            used.add([message.usage for message in messages if message is not None])
    with suppress(LedgerContended):
        prefix.note(
            requests=state.requests,
            read=used.cache_read,
            written=used.cache_write_5m + used.cache_write_1h,
            ended_at=ended,
        )


def _date(text: str | None) -> datetime | None:
    """Return an aware date; None for any other text, which gateways may send."""
    try:
        date = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
