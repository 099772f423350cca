"""A split that runs out of time goes on at its cursor, in every format, and gives the shards of an unbroken one."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from tests.formats.tables import UPLOADS, rows_of
from tests.jobs import JOB, KEYS, World, dropped

ROWS = rows_of(40)  # quoted newlines, quotes and several alphabets among them
SHARD_ROWS = 7
RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ text }}'\n"


def _world(name: str) -> World:
    return dropped(UPLOADS[name](ROWS), key=f"inbox/r/{name}", recipe=RECIPE, rows=SHARD_ROWS)


def _shards(world: World) -> dict[str, bytes | pa.Table]:
    """Return the shards' files: bytes, but Parquet's exact values as a table, for Arrow may cut them elsewhere."""
    files = world.store.under(f"jobs/{JOB}/shards/")
    return {key: _arrow(body) if key.endswith(".exact") else body for key, body in files.items()}


def _arrow(body: bytes) -> pa.Table:
    return pa.ipc.open_stream(io.BytesIO(body)).read_all().combine_chunks()


@pytest.mark.parametrize("looks", [1, 2, 3, 4])
@pytest.mark.parametrize("name", UPLOADS)
def test_every_format_goes_on_at_its_cursor(name: str, looks: int) -> None:
    """After so many looks at the clock an invocation ends; bodies, rows and items are equal to the byte."""
    whole, pieced, calls = _world(name), _world(name), 1
    assert whole.split().rows == len(ROWS)
    while not pieced.split(looks=looks + 1).finished:
        calls += 1
        assert calls <= len(ROWS), "no invocation comes further"
    assert calls >= len(ROWS) // SHARD_ROWS // (looks + 1)
    assert calls > 1
    assert _shards(pieced) == _shards(whole)
    assert pieced.store.read(KEYS.shards) == whole.store.read(KEYS.shards)
    assert pieced.manifest.shards == whole.manifest.shards
