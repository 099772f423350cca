"""Which outputs are rewritten row by row, and which go whole."""

from __future__ import annotations

import gzip
import json
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.cli.forget.cuts import rewritten
from batchdrop.cli.forget.outputs import NotByRows, cuts, matching_rows
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.recipe.recipe import Input
from tests.fakes import FakeObjectStore

ANN = Wanted("r", subject="ann", columns=("who",))
SECOND = Wanted("r", frozenset({"j"}), frozenset({2}))


def after(name: str, body: bytes, wanted: Wanted = ANN, options: Input | None = None) -> bytes:
    """Return a file after its rows were forgotten. Forgetting them again changes nothing."""
    store = FakeObjectStore(block=5)
    key = f"results/r/f/j/{name}"
    for _ in range(2):
        store.objects[key] = body
        found = cuts(store, key, wanted, options or Input())
        body = b"".join(rewritten(store.stream(key), found))
    assert not found
    return body


@pytest.mark.parametrize(
    ("name", "body", "kept"),
    [
        ("output.csv", "who,x,_status\nann,1,answered\nbob,2,answered\n", ",,skipped\nbob,2,answered\n"),
        (
            "output.csv",
            'who,x,_status\nbob,"a\nann",answered\nann,"b\nc",answered',
            'bob,"a\nann",answered\n,,skipped\n',
        ),
        ("output.csv", "who;x;_status\r\n ann ;1;answered\r\nbob;2;x\r\n", ";;skipped\r\nbob;2;x\r\n"),
        ("output.csv", "who,x,state\nann,1,answered\nbob,2,y\n", ",,forgotten\nbob,2,y\n"),
        ("output.tsv", "who\tx\t_status\nann\t1\tanswered\nanna\t2\ty\n", "\t\tskipped\nanna\t2\ty\n"),
    ],
)
def test_a_row_of_a_table_is_emptied(name: str, body: str, kept: str) -> None:
    """The header, the other rows and their line ends stay as they are."""
    header = body.split("\n", 1)[0] + "\n"
    assert after(name, body.encode()).decode() == header + kept


def test_a_table_without_a_header() -> None:
    """Its columns have numbers."""
    wanted = Wanted("r", subject="ann", columns=("column_1",))
    assert after("output.csv", b"ann,1,yes\nbob,2,no\n", wanted, Input(header=False)) == b",,forgotten\nbob,2,no\n"


def test_lines_of_json() -> None:
    """Of an output, a line stays in its place; of failed.jsonl it goes. Numbers are compared as they are written."""
    lines = [b'{"who": "ann", "x": 1}', b'{"who": "bob"}', b'{"who": 17}', b'{"x": null}']
    body = b"".join(line + b"\n" for line in lines)
    [first, *rest] = after("output.jsonl", body).splitlines()
    assert (json.loads(first), rest) == ({"_status": "skipped", "_error": "forgotten"}, lines[1:])
    number = Wanted("r", subject="17", columns=("who",))
    assert after("failed.jsonl", body, number).splitlines() == [lines[0], lines[1], lines[3]]
    for name in ("perhaps-paid.jsonl", "gold.jsonl"):
        assert after(name, b'{"_row": 2}\n{"_row": 3}\n', SECOND) == b'{"_row": 3}\n'


def test_rows_by_their_numbers() -> None:
    """A row keeps its number, so the second stays the second."""
    once = after("output.csv", b"x,_status\na,1\nb,1\nc,1\n", SECOND)
    assert once == b"x,_status\na,1\n,skipped\nc,1\n"


def _parquet() -> bytes:
    target = BytesIO()
    pq.write_table(pa.table({"who": ["ann", "bob"], "x": ["1", "2"]}), target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("output.parquet", _parquet()),
        ("output.csv.gz", gzip.compress(b"who,x\nann,1\nbob,2\n")),
        ("output.json", b'[{"who": "ann"}, {"who": "bob"}]'),
    ],
)
def test_other_outputs_go_whole(name: str, body: bytes) -> None:
    """If they have such a row. Without one they stay."""
    with pytest.raises(NotByRows):
        after(name, body)
    assert after(name, body, Wanted("r", subject="eve", columns=("who",))) == body


@pytest.mark.parametrize("body", [b"who,x\nann,1,2,3\n", b'who,x\n"ann,1\n'])
def test_a_table_that_cannot_be_read_goes_whole(body: bytes) -> None:
    """Nothing tells whose rows they are."""
    with pytest.raises(NotByRows):
        after("output.csv", body)


def test_rows_of_a_dropped_file() -> None:
    """In any format that a job reads."""
    store = FakeObjectStore()
    store.objects["inbox/r/f.parquet"] = _parquet()
    store.objects["inbox/r/f.csv.gz"] = gzip.compress(b"who,x\nann,1\nann,2\nbob,2\n")
    store.objects["inbox/r/f.parquet.gz"] = b"broken"
    assert matching_rows(store, "inbox/r/f.parquet", ANN, Input()) == 1
    assert matching_rows(store, "inbox/r/f.csv.gz", ANN, Input()) == 2
    with pytest.raises(NotByRows):
        matching_rows(store, "inbox/r/f.parquet.gz", ANN, Input())
