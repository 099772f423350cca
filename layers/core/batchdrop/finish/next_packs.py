"""Plan a shard's next round in a job with packs, and write its create body and its sidecar.

A round sends packs of rows that were never sent, packs that came back unpaid, byte for byte, and rows alone: those that
a pack missed, and those that any job would send again. The sidecar has all packs that the round may send, also those
that do not fit under the cap or have no round left. So every attempt writes the same sidecar, whatever it sends.
"""

from __future__ import annotations

import tempfile

from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.group_answers import read_places
from batchdrop.finish.next_wave import MOST_WAVES, NextWave
from batchdrop.finish.pack_round import PackRound
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.shard_requests import ShardRequests
from batchdrop.finish.waiting_requests import WaitingRequests
from batchdrop.job.lane import lane_of_leftovers
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.ports import Clock, ObjectStore


def next_packs(
    state: ShardState,
    manifest: Manifest,
    index: AnswerIndex,
    rounds: PackedRounds,
    *,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
    budget: JobBudget,
    live_rows: int,
) -> NextWave | None:
    """Plan the next round, hold its worst case under a cap, and write it. Return None if no row waits.

    A halted job without unsent rows has no next round. With unsent rows it has, but nothing is held or written: the
    submission is then refused, and says why.
    """
    is_late = bool(state.deadline) and clock.now().timestamp() >= state.deadline
    is_halted = ledger.halted(state.job_id) is not None
    with tempfile.TemporaryFile(prefix="requests-") as spool:
        places = read_places(manifest, state.shard, store)
        requests = ShardRequests(spool, manifest.shards[state.shard].rows, places)
        requests.read(store, JobKeys(state.job_id).requests(state.shard))
        waiting = WaitingRequests(state, manifest, index, rounds, requests)
        lane = lane_of_leftovers(
            manifest.recipe,
            lane=state.lane,
            leftovers=len(waiting.units(goes_live=False)),
            live_rows=live_rows,
            is_late=is_late,
            has_new=waiting.has_new,
        )
        submission = ledger.submission(state.job_id, state.shard, state.round + 1)
        if submission is not None:
            lane = "batch"  # an earlier execution may have sent that round: find it, even if late; do not pay it twice
        units = waiting.units(goes_live=lane != state.lane)
        if not units or (is_halted and not waiting.has_new):
            return None
        writer = PackRound(state, manifest, rounds, requests, units, store, budget, lane)
        # A body that may be on its way must not change. A live round has no submission, and its answers may be stored.
        if (submission is not None or lane == "live") and writer.is_written:
            return writer.written()
        is_over = state.round >= MOST_WAVES * (1 + state.resumes)
        wave = None if is_halted or is_over else writer.wave()
        if wave is None:
            return NextWave(len(units), writer.worst(units), lane)
        return writer.write(units[: wave.requests], waiting.members())
