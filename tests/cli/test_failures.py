"""`failed.jsonl`, counted as it is read: by kind, bounded, whatever the rows hold."""

import json
from collections.abc import Iterator

import pytest

from batchdrop.cli.job import failures
from batchdrop.cli.job.failures import MOST_KINDS, MOST_SAMPLES, failures_in, kind_of


def lines(*rows: dict[str, object]) -> Iterator[bytes]:
    """The file, in blocks that cut everywhere."""
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return (body[start : start + 7] for start in range(0, len(body), 7))


def row(reason: str, status: str = "failed", **cells: object) -> dict[str, object]:
    """One failed row."""
    return {**cells, "_status": status, "_error": reason}


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("failed", "api_error: Internal server error", "api_error"),
        ("failed", "expired: the Message Batch did not …", "expired"),
        ("failed", "the API returned no result for this row", "the API returned no result for this row"),
        ("canceled", "the job was canceled by its user at 2026-11-22 12:00:00 UTC", "canceled"),
        ("rejected", "row 17 (line 23): no column 'text'", "no column …"),
        ("rejected", "sheet 'Q3' row 1841: it has 1 cells", "it has … cells"),
        ("rejected", "row 3 (line 4): it has 2 cells, not 1; quote them", "it has … cells, not …"),
    ],
)
def test_kinds(status: str, reason: str, kind: str) -> None:
    """An error's type, or what is left without the row's particulars."""
    assert kind_of(status, reason) == kind


def test_counted_with_samples() -> None:
    """The most frequent first; a few rows of each, cut short, with their number where the reason has it."""
    many = [row("api_error: no", text="long " * 1_000) for _ in range(9)]
    found = failures_in(lines(row("row 3 (line 5): bad", "rejected", n=1, nothing=None, list=[1]), *many))
    assert [(kind.kind, kind.status, kind.rows) for kind in found.kinds] == [
        ("api_error", "failed", 9),
        ("bad", "rejected", 1),
    ]
    assert len(found.kinds[0].samples) == MOST_SAMPLES
    assert len(found.kinds[0].samples[0].cells["text"]) == failures.LONGEST_CELL
    (sample,) = found.kinds[1].samples
    assert (sample.row, sample.cells) == (3, {"n": "1", "nothing": "", "list": "[1]"})


def test_the_rows_number_is_its_place() -> None:
    """Not one of its cells."""
    [kind] = failures_in(lines(row("api_error: later", id="a", _row=7))).kinds
    assert (kind.samples[0].row, kind.samples[0].cells) == (7, {"id": "a"})


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million kinds are not kept, nor are a million rows read: that is said."""
    monkeypatch.setattr(failures, "MOST_ROWS", 50)
    found = failures_in(lines(*(row(f"error_{'abcdefghij'[n % 10]}{'abcdefghij'[n // 10]}: x") for n in range(60))))
    assert (found.rows, found.is_whole) == (50, False)
    assert len(found.kinds) == MOST_KINDS + 1
    assert sum(kind.rows for kind in found.kinds) == 50


def test_a_file_that_was_spoilt() -> None:
    """It breaks nothing."""
    found = failures_in([b'{"a": 1\n[1]\n\n"x"\n'])
    assert found.rows == 3
    assert failures_in([]).kinds == []
