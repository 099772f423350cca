"""Pins: the answers that a job remembers, copied beside its shards. From then on the job does not need the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from batchdrop.answer_store.ports import LookUp, Place
from batchdrop.answers import custom_id
from batchdrop.answers.result_line import Remembered, remembered_line


def pinned_lines(look_up: LookUp, places: Sequence[tuple[int, Place]], own: str) -> Iterator[tuple[int, bytes]]:
    """Yield each found row with its result line, in the order of the store. `own` starts the shard's custom_ids.

    `places` are the rows' indexes in the shard, with where their answers are. Raises AnswerStoreDamaged.
    """
    for number, answer in look_up.answers([place for _, place in places]):
        row = places[number][0]
        known_as = custom_id.after(own, row)
        source = Remembered(answer.at, answer.recipe, answer.key, answer.subject)
        yield row, remembered_line(known_as, bytes(answer.message), source)
