"""Sharding: nothing lost, doubled, reordered or oversized, and every byte counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.money.answer_weight import weigher
from batchdrop.money.estimate import Estimate
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.row import Cursor, Row, StoredRow
from batchdrop.requests.sharding import BODY_HEAD, BODY_TAIL, MAX_ANSWER_BYTES, Loads, Packer, ShardLimits
from batchdrop.split.rows_to_send import RenderedRows
from batchdrop.split.shard_writer import ShardWriter
from tests.fakes import FakeObjectStore
from tests.formats.reading import reader_of

JOB = "20261122T120000-0123456789"
EMPTY_BODY = len(BODY_HEAD) + len(BODY_TAIL)
LARGEST_LINE = 110  # bytes of a request line around params, with room to spare

params_or_reject = st.none() | st.integers(0, 300).map(lambda size: b'{"x":"%b"}' % (b"y" * size))


class Place(NamedTuple):
    """Where a row is: its shard, and its number in it, from 0."""

    shard: int
    number: int


@dataclass
class Packed:
    """What rows became: their places, the shards' items, and their bodies."""

    places: list[Place]
    items: list[ShardItem]
    bodies: list[bytes]
    rows: list[list[StoredRow]]


def _places(packer: Packer, loads: Loads, *, together: int = 1_000) -> list[Place]:
    """Put rows into shards, some together, as split_upload does."""
    places: list[Place] = []
    index = 0
    while len(places) < len(loads.params):
        begin = len(places)
        some = Loads._make(own[begin : begin + together] for own in loads)
        taken = packer.take(some)
        places += [Place(packer.shard, number) for number in range(index, index + taken)]
        index += taken
        if taken < len(some.params):
            assert index, "an empty shard takes any row"
            packer.open_next()
            index = 0
    return places


def _loads(sizes: Sequence[int | None], answers: Sequence[int] = ()) -> Loads:
    return Loads(sizes, answers or [0] * len(sizes))


def _pack(rows: list[bytes | None], limits: ShardLimits, *, together: int = 1_000) -> Packed:
    """Place rows and write their shards, as split_upload does."""
    loads = _loads([None if params is None else len(params) for params in rows])
    places = _places(Packer(JOB, limits), loads, together=together)
    store, keys = FakeObjectStore(), JobKeys(JOB)
    packed = Packed(places, [], [], [])
    for shard in sorted({place.shard for place in places}):
        mine = [(place, params) for place, params in zip(places, rows, strict=True) if place.shard == shard]
        with ShardWriter(store, keys, shard, reader_of("f.csv")) as writer:
            for begin in range(0, len(mine), together):
                writer.add(_asked(mine[begin : begin + together]))
        packed.items.append(writer.item(Estimate()))
        packed.bodies.append(store.read(keys.requests(shard)))
        packed.rows.append([StoredRow(**json.loads(line)) for line in store.read(keys.rows(shard)).splitlines()])
    return packed


def _asked(placed: list[tuple[Place, bytes | None]]) -> RenderedRows:
    rows = [Row(str(params), Cursor(rows=place.number)) for place, params in placed]
    params, nothing = [params for _, params in placed], [None] * len(placed)
    return RenderedRows(
        rows, params, [""] * len(rows), [None if own else "no" for own in params], nothing, [False] * len(rows), nothing
    )


@st.composite
def limits(draw: st.DrawFn) -> ShardLimits:
    """Return limits that rows of this size meet often; any one request fits."""
    return ShardLimits(
        max_rows=draw(st.integers(1, 9)),
        max_bytes=draw(st.integers(EMPTY_BODY + 420, 1_500)),
        first=tuple(draw(st.lists(st.integers(1, 9), max_size=2))),
    )


all_rows = st.lists(params_or_reject, max_size=40)


@given(all_rows, limits(), st.integers(1, 50))
def test_rows_together_go_where_each_alone_would(rows: list[bytes | None], limit: ShardLimits, together: int) -> None:
    """However many are put in at once: the same places, and to the byte the same files."""
    assert _pack(rows, limit, together=together) == _pack(rows, limit, together=1)


@given(all_rows, limits())
def test_every_row_has_one_place_in_order(rows: list[bytes | None], limit: ShardLimits) -> None:
    """Shards follow each other without a gap, and so do the rows in each."""
    places = _pack(rows, limit).places
    assert len(places) == len(rows)
    for before, after in pairwise(places):
        assert (after.shard, after.number) in {(before.shard, before.number + 1), (before.shard + 1, 0)}
    assert not places or places[0] == Place(0, 0)


@given(all_rows, limits())
def test_no_shard_is_oversized(rows: list[bytes | None], limit: ShardLimits) -> None:
    """Neither rows nor bytes go over the limit."""
    packed = _pack(rows, limit)
    for item, body in zip(packed.items, packed.bodies, strict=True):
        assert item.rows <= limit.max_rows
        assert len(body) <= limit.max_bytes
    assert all(item.requests <= most for item, most in zip(packed.items, limit.first, strict=False))


@given(all_rows, limits())
def test_bytes_are_exact(rows: list[bytes | None], limit: ShardLimits) -> None:
    """A shard's item says to the byte how long its create body is."""
    packed = _pack(rows, limit)
    assert [item.bytes for item in packed.items] == [len(body) for body in packed.bodies]


@given(all_rows, limits())
def test_bodies_are_json_and_hold_each_request_once(rows: list[bytes | None], limit: ShardLimits) -> None:
    """The bodies parse, and their requests are the rows' params, in order, each under its own custom_id."""
    packed = _pack(rows, limit)
    requests = [request for body in packed.bodies for request in json.loads(body)["requests"]]
    assert [request["params"] for request in requests] == [json.loads(params) for params in rows if params is not None]
    assert [request["custom_id"] for request in requests] == [
        f"{JOB}-{place.shard:05d}-{place.number:06d}"
        for place, params in zip(packed.places, rows, strict=True)
        if params is not None
    ]


@given(all_rows, limits())
def test_counts_add_up(rows: list[bytes | None], limit: ShardLimits) -> None:
    """Rows are requests plus rejects, in every shard and in all."""
    packed = _pack(rows, limit)
    assert sum(item.rows for item in packed.items) == len(rows)
    assert sum(item.requests for item in packed.items) == sum(params is not None for params in rows)
    for item, stored in zip(packed.items, packed.rows, strict=True):
        assert item.rows == len(stored)
        assert item.requests == sum(row.error is None for row in stored)


@given(all_rows, limits())
def test_no_shard_ends_early(rows: list[bytes | None], limit: ShardLimits) -> None:
    """A shard ends only where the next row would have gone over a limit."""
    packed = _pack(rows, limit)
    firsts = [number for number, place in enumerate(packed.places) if place.number == 0 and number]
    for first, item in zip(firsts, packed.items, strict=False):
        if item.shard < len(limit.first) and item.requests == limit.first[item.shard]:
            continue
        params = rows[first]
        cost = 0 if params is None else len(params) + LARGEST_LINE
        assert item.rows == limit.max_rows or item.bytes + cost > limit.max_bytes


def test_a_limit_is_met_exactly() -> None:
    """A request that fills the shard to its last byte goes in; one byte more opens the next shard."""
    params = b'{"x":1}'
    two = len(_pack([params, params], ShardLimits()).bodies[0])
    assert len(_pack([params, params], ShardLimits(max_bytes=two)).items) == 1
    assert len(_pack([params, params], ShardLimits(max_bytes=two - 1)).items) == 2


def test_rejects_take_no_bytes() -> None:
    """A request that fills the shard exactly also does so behind a reject."""
    params = b'{"x":1}'
    one = len(_pack([params], ShardLimits()).bodies[0])
    assert len(_pack([None, params, None], ShardLimits(max_bytes=one)).items) == 1


def test_a_shard_of_rejects_has_an_empty_body() -> None:
    """Rejects take a place, and no bytes."""
    packed = _pack([None, None], ShardLimits())
    assert [json.loads(body) for body in packed.bodies] == [{"requests": []}]
    assert packed.items == [ShardItem(shard=0, rows=2, requests=0, bytes=EMPTY_BODY)]


def test_one_request_a_line() -> None:
    """The stored body has the form that the layout promises."""
    [body] = _pack([b"{}", None, b"{}"], ShardLimits()).bodies
    assert body.splitlines()[0] == b'{"requests":['
    assert body.splitlines()[-1] == b"]}"
    assert len(body.splitlines()) == 4


def test_a_later_invocation_goes_on_with_the_next_shard() -> None:
    """A packer that starts at shard 7 gives the rows of shard 7 the same ids as one that came there by itself."""
    keys, store = JobKeys(JOB), FakeObjectStore()
    packer = Packer(JOB, ShardLimits(), first_shard=7)
    [place] = _places(packer, _loads([2]))
    with ShardWriter(store, keys, packer.shard, reader_of("f.csv")) as writer:
        writer.add(_asked([(place, b"{}")]))
    [request] = json.loads(store.read(keys.requests(7)))["requests"]
    assert request["custom_id"] == f"{JOB}-00007-000000"


def _shards_of(loads: Loads, limits: ShardLimits, *, together: int = 1_000) -> list[int]:
    return [place.shard for place in _places(Packer("job", limits), loads, together=together)]


weights = st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=60)


@given(weights, st.integers(100, 300))
def test_no_shard_weighs_more_than_its_disk_holds(asked: list[int | None], most: int) -> None:
    """Nothing is lost or reordered, and no shard ends before the next answer would have gone over."""
    loads = _loads([None if own is None else 10 for own in asked], answers=[own or 0 for own in asked])
    placed = _shards_of(loads, ShardLimits(max_answer_bytes=most))
    shards = [
        [own for place, own in zip(placed, loads.answers, strict=True) if place == shard]
        for shard in range(placed[-1] + 1)
    ]
    assert [own for shard in shards for own in shard] == list(loads.answers)
    assert all(shard and sum(shard) <= most for shard in shards)
    for shard, after in pairwise(shards):
        assert sum(shard) + after[0] > most


def test_answers_fill_the_disk_exactly() -> None:
    """What just fits goes in; a byte more opens the next shard, also behind rows without a request."""
    loads = _loads([10] * 5, answers=[60, 40, 1, 99, 1])
    assert _shards_of(loads, ShardLimits(max_answer_bytes=100)) == [0, 0, 1, 1, 2]


def test_the_usual_recipe_fills_its_shards() -> None:
    """100,000 answers of the recipe's default `max_tokens`, and of four times as many, are one shard."""
    for max_tokens in (1_024, 4_096):
        weight = weigher(Recipe(model="m", prompt="p", max_tokens=max_tokens))([b""])[0]
        assert weight * MAX_BATCH_REQUESTS <= MAX_ANSWER_BYTES
