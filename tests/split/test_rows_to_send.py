"""Rows become requests some at a time, and each becomes what it would alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchdrop.errors import UploadRejected
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.recipe.recipe import Recipe, parse_recipe
from batchdrop.requests.request import RecipeRequests
from batchdrop.requests.row import Cursor, Row, Unusable
from batchdrop.split.rows_to_send import FEW, RenderedRows, rendered_rows
from tests.fakes import START
from tests.jobs import JOB

UPLOAD = UploadRecord(JOB, "bucket", "inbox/r/f.csv", "etag", 99, START)
BLANK, ABSENT, BROKEN, NOT_COMPUTED = " ", None, "broken", "a formula without a value"
KINDS = ["a", "b", "ß", "a", "b", BLANK, ABSENT, BROKEN, NOT_COMPUTED]
kinds = st.lists(st.sampled_from(KINDS) | st.just("plain"), max_size=60)


def _recipe(**fields: object) -> Recipe:
    return parse_recipe({"model": "claude-haiku-5-5", "prompt": "{{ x }}", **fields}, name="r")


def _row(number: int, kind: str | None) -> Row:
    start = Cursor(10 * number, number, number)
    if kind == BROKEN:
        return Row("broken", start, {}, "it is broken")
    if kind == NOT_COMPUTED:
        return Row("[null]", start, {"x": Unusable("it has no value")})
    return Row(str(kind), start, {} if kind is ABSENT else {"x": kind})


def _asked(recipe: Recipe, rows: list[Row], *, chunk_rows: int) -> list[RenderedRows]:
    source = RecipeRequests(recipe, name="r")
    source.chunk_rows = chunk_rows
    blocks = (rows[start : start + 50] for start in range(0, len(rows), 50))
    return list(rendered_rows(Manifest(upload=UPLOAD, format="csv", recipe=recipe), blocks, source))


def _each(asked: list[RenderedRows]) -> list[tuple[object, ...]]:
    return [row for some in asked for row in zip(*some, strict=True)]


@example(["plain", NOT_COMPUTED], 50)
@given(kinds, st.integers(2, 60))
def test_every_row_is_rendered_as_it_would_be_alone(kinds: list[str | None], chunk_rows: int) -> None:
    """Whatever stands beside it: rejects keep their reasons and places, requests their bytes."""
    recipe, rows = _recipe(), [_row(number, kind) for number, kind in enumerate(kinds)]
    asked = _asked(recipe, rows, chunk_rows=chunk_rows)
    assert _each(asked) == _each(_asked(recipe, rows, chunk_rows=1))
    assert [row for some in asked for row in some.rows] == rows
    assert all(len(some.rows) <= max(chunk_rows, FEW) for some in asked)


@pytest.mark.parametrize("chunk_rows", [1, 50])
def test_the_first_bad_row_can_stop_all(chunk_rows: int) -> None:
    """Its own message, whichever row of those that are asked together it is."""
    rows = [_row(number, kind) for number, kind in enumerate(["a", "b", BLANK, BROKEN])]
    with pytest.raises(UploadRejected, match=r"row 3 \(line 3\): the prompt is blank for this row.* Fix the row"):
        _asked(_recipe(on_bad_row="stop"), rows, chunk_rows=chunk_rows)
