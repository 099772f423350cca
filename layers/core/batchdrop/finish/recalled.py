"""Give a shard's remembered answers to its index, before those of its rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import msgspec

from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.answers.result_line import Remembered, errored_line
from batchdrop.errors import InvariantBroken
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.remembering import AnswersOf, store_of
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore

WHY = "its remembered answer was forgotten while the job ran. Drop failed.jsonl to send the row again"


class _Pin(msgspec.Struct):
    custom_id: str
    remembered: Remembered | None = None  # a line that stands in for a forgotten one has none


_PIN = msgspec.json.Decoder(_Pin)


def recall(
    index: AnswerIndex, item: ShardItem, keys: JobKeys, store: ObjectStore, forgotten: Forgotten | None = None
) -> None:
    """Read the shard's pins. Those forgotten since count as failed. Raises InvariantBroken if one is missing."""
    if not item.remembered:
        return
    with closing(store.stream(keys.remembered(item.shard))) as blocks:
        found = index.recall(without_forgotten(blocks, forgotten) if forgotten else blocks)
    if found != item.remembered:
        message = f"shard {item.shard}: {item.remembered} rows are remembered, and {found} answers are kept"
        raise InvariantBroken(message)


def forgotten_in(manifest: Manifest, item: ShardItem, answers: AnswersOf | None) -> Forgotten | None:
    """Return what the recipe's store has forgotten; None if the shard remembers nothing."""
    if answers is None or not item.remembered:
        return None
    return answers().forgotten(store_of(manifest))


def without_forgotten(blocks: Iterable[bytes], forgotten: Forgotten) -> Iterator[bytes]:
    """Yield the pins. A line without an answer stands in for each that is forgotten."""
    for block in line_blocks(blocks):
        lines = block.splitlines(keepends=True)
        yield b"".join(_line(line, forgotten) for line in lines)


def _line(line: bytes, forgotten: Forgotten) -> bytes:
    pin = _PIN.decode(line)
    source = pin.remembered
    if source is None or not forgotten.has(bytes.fromhex(source.key), source.at, source.subject):
        return line
    return errored_line(pin.custom_id, "invalid_request_error", WHY)
