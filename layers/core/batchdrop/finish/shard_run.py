"""Give a shard's own answers to the answer store, as a run. The closing of the job publishes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.forgotten import subject_id
from batchdrop.answer_store.key import Keys
from batchdrop.answers import custom_id
from batchdrop.errors import AnswerStoreDamaged
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.join_shard import AnsweredRows
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.ports import InputFormat
from batchdrop.job.remembering import AnswersOf, job_view, policy_of, recipe_digest, remembers, store_of, subject_of
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore
from batchdrop.requests.stored_request import stored_request

EVER = 2**16  # more rounds than a shard has


class _Result(msgspec.Struct):
    message: msgspec.Raw


class _Line(msgspec.Struct):
    result: _Result
    packed: int = 0


_LINE = msgspec.json.Decoder(_Line)


def noted_rows(manifest: Manifest, rows: int, answers: AnswersOf | None, reader: InputFormat) -> AnsweredRows | None:
    """Return what notes the answered rows of a shard while it is joined; None if the recipe keeps no answers."""
    if answers is None or not remembers(manifest):
        return None
    column = manifest.recipe.subject if manifest.recipe else None
    if column is None:
        return AnsweredRows(rows)
    secret = answers().secret(store_of(manifest))
    return AnsweredRows(rows, lambda row: subject_id(secret, subject_of(reader.cells(row.raw), column)))


def store_run(
    manifest: Manifest,
    shard: int,
    name: str,
    index: AnswerIndex,
    noted: AnsweredRows | None,
    *,
    store: ObjectStore,
    answers: AnswersOf | None,
) -> int:
    """Write the answers of the rows that `noted` has as the run `name`; return their number.

    A damaged store gets none: the answers are paid, so the job goes on. Each call of the same join writes the same.
    """
    if noted is None or answers is None or not any(noted.rows):
        return 0
    known = answers()
    try:
        view = job_view(manifest, store, known)
        run = _Run(manifest, shard, index, noted, view.keys(known, policy_of(manifest)))
        known.write_run(view.recipe, name, run.answers(store))
    except AnswerStoreDamaged:
        return 0
    return run.stored


class _Run:
    """The answers of one shard, in the order of its create body."""

    def __init__(self, manifest: Manifest, shard: int, index: AnswerIndex, noted: AnsweredRows, keys: Keys) -> None:
        self._body = JobKeys(manifest.upload.job_id).requests(shard)
        self._at = int(manifest.upload.uploaded_at.timestamp())
        self._recipe = recipe_digest(manifest)
        self._index = index
        self._keys = keys
        self._subjects = noted.subjects
        # A later job would never escalate what is stored.
        waiting = index.escalations.waiting(most=EVER) if index.escalations is not None else set()
        self._wanted = [bool(is_answered) and row not in waiting for row, is_answered in enumerate(noted.rows)]
        self.stored = sum(self._wanted)

    def answers(self, store: ObjectStore) -> Iterator[Answer]:
        with closing(store.stream(self._body)) as blocks:
            for line in whole_lines(blocks):
                request = stored_request(line)
                parsed = custom_id.parse(request.custom_id) if request else None
                if request is not None and parsed is not None and self._wanted[parsed.index]:
                    yield self._answer(parsed.index, bytes(request.params))

    def _answer(self, row: int, params: bytes) -> Answer:
        [kept] = self._index.lines([row])
        assert kept is not None, "an answered row has a line"
        line = _LINE.decode(kept)
        key = self._keys.of(params).hex()
        subject = self._subjects.get(row, "")
        return Answer(key, self._at, self._recipe, line.result.message, packed=line.packed > 0, subject=subject)
