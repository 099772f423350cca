"""Find the rows that the answer store knows. They are not sent, and their answers are pinned beside the shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from batchdrop.answer_store.key import Keys
from batchdrop.answer_store.pins import pinned_lines
from batchdrop.answer_store.ports import LookUp, Place
from batchdrop.answers import custom_id
from batchdrop.job.manifest import Manifest
from batchdrop.job.remembering import AnswersOf, job_view, oldest, policy_of, remembers, store_of
from batchdrop.ports import ObjectStore
from batchdrop.split.rows_to_send import RenderedRows

ROW_BYTES = 20  # ours: a guess, low for compressed files; many look-ups read a copy of the index, few read parts of it


class KnownRows(NamedTuple):
    """Rows without the requests whose answers are known. `places` says where these are; None for other rows."""

    rendered: RenderedRows
    places: Sequence[Place | None]


class RememberedRows:
    """The look-ups of one split."""

    def __init__(self, keys: Keys, look_up: LookUp, *, packed: bool) -> None:
        self._keys = keys
        self._look_up = look_up
        self._packed = packed

    def keys(self, params: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the keys of the rows' requests."""
        return self._keys.of_all(params)

    def known(self, rendered: RenderedRows, keys: Sequence[bytes | None]) -> KnownRows:
        """Look up the rows that have a request. `keys` are those of all rows."""
        wanted = [None if params is None else key for params, key in zip(rendered.params, keys, strict=True)]
        places = self.places(wanted)
        each = zip(rendered.params, places, strict=True)
        left = [params if place is None else None for params, place in each]
        return KnownRows(rendered._replace(params=left), places)

    def places(self, keys: Sequence[bytes | None]) -> list[Place | None]:
        """Return where the answers to these keys are."""
        return self._look_up.find(keys, packed=self._packed)

    def pins(self, job_id: str, shard: int, places: Sequence[tuple[int, Place]]) -> Iterator[bytes]:
        """Yield the result lines of a shard's remembered rows. Raises AnswerStoreDamaged."""
        return (line for _, line in pinned_lines(self._look_up, places, custom_id.prefix(job_id, shard)))

    def lines(self, requests: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return the result lines of the requests that are known, by the same numbers."""
        keys = self._keys.of_all(requests.values())
        each = zip(requests, self.places(keys), strict=True)
        found = [(number, place) for number, place in each if place is not None]
        return dict(pinned_lines(self._look_up, found, custom_id.prefix("try", 0)))


def with_pins(answers: Sequence[int], places: Sequence[Place | None]) -> Sequence[int]:
    """Return what rows take of the disk on which a shard is joined, in bytes; remembered answers take their size."""
    if not places:
        return answers
    return [size if place is None else place.entry.length for size, place in zip(answers, places, strict=True)]


@contextmanager
def looked_up(manifest: Manifest, answers: AnswersOf | None) -> Iterator[RememberedRows | None]:
    """Open the answer store for a check, which fixes no view and writes nothing; yield None if it has no answers."""
    known = answers() if answers is not None and remembers(manifest) else None
    view = None if known is None else known.view(store_of(manifest), since=oldest(manifest))
    if known is None or view is None or not view.runs:
        yield None
        return
    keys = Keys(known.secret(store_of(manifest)), policy_of(manifest))
    rows = manifest.upload.size // ROW_BYTES
    with known.opened(store_of(manifest), view, since=oldest(manifest), rows=rows) as look_up:
        yield RememberedRows(keys, look_up, packed=manifest.is_packed)


@contextmanager
def remembered_rows(
    manifest: Manifest, store: ObjectStore, answers: AnswersOf | None
) -> Iterator[RememberedRows | None]:
    """Open the job's view of the answer store; yield None if the job looks nothing up. Raises AnswerStoreDamaged."""
    if answers is None or not remembers(manifest) or manifest.pays_again:
        yield None
        return
    known = answers()
    view = job_view(manifest, store, known)
    keys = view.keys(known, policy_of(manifest))
    rows = manifest.upload.size // ROW_BYTES
    with known.opened(view.recipe, view.view, since=view.since, rows=rows) as look_up:
        yield RememberedRows(keys, look_up, packed=manifest.is_packed)
