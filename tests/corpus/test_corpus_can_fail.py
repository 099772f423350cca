"""The judge and the fuzz see what they are for: a fault that is put in is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchdrop.adapters.formats.csv.input import CsvInput
from tests.corpus import fuzz
from tests.corpus.__main__ import verdict_on
from tests.corpus.judge import Job, faults
from tests.corpus.mutations import mutated, seeds
from tests.corpus.reading import finding
from tests.formats.sheets import saved

CSV = b"id,text\n1,late\n2,early\n"
GOOD = b"id,text,answer,_status,_error\n1,late,ok,answered,\n2,early,ok,answered,\n"


def _faults(output: bytes, rows: int = 2, upload: bytes = CSV) -> list[str]:
    return faults(Job("f.csv", upload, "output.csv", output, rows), Path("/tmp"))


def test_a_whole_output_is_good() -> None:
    """Also one with titles, which come back over the table."""
    assert _faults(GOOD) == []
    titles = b"A title here\n\n"
    assert _faults(titles + GOOD, upload=titles + CSV) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"1,late", b"1,Late", "row 1: column 2: 'late' became 'Late'"),
        (b"2,early,ok,answered,\n", b"", "2 rows in the upload, 2 in the summary, 1 in the output"),
        (b"answered,\n2", b"rejected,\n2", "row 1: status 'rejected', error"),
        (b"_error", b"_err", "its last columns are"),
        (b"id,text", b"id,txt", "3 rows in the upload, 2 in the summary, 2 in the output"),
    ],
)
def test_a_changed_output_is_a_fault(old: bytes, new: bytes, told: str) -> None:
    """With the row and the column."""
    assert told in _faults(GOOD.replace(old, new))[0]


def test_a_file_is_judged_through_a_whole_job(tmp_path: Path) -> None:
    """Good, refused with its name, or a fault."""
    for name, body, verdict in (
        ("a.csv", CSV, "good"),
        ("a.xlsx", saved([["id", "text"], [1, "late"]]), "good"),
        ("b.xlsx", b"no workbook", "refused"),
    ):
        (tmp_path / name).write_bytes(body)
        assert verdict_on(tmp_path / name, tmp_path)[0] == verdict


def test_an_error_of_ours_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any that is not a refusal; with the place."""
    assert finding("csv", CSV) == (2, "")
    monkeypatch.setattr(CsvInput, "_rows_of", lambda *_: 1 // 0)
    assert finding("csv", CSV)[1].startswith("ZeroDivisionError at ")


def test_mutations_are_the_same_again() -> None:
    """By seed and number, so that a finding can be repeated."""
    assert all(mutated(name, 1, 7) == mutated(name, 1, 7) for name in seeds())
    assert len({mutated("csv", 1, number) for number in range(50)}) > 40


def test_the_end_of_a_worker_names_its_mutation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the next worker goes on behind it."""
    good = {"number": 0, "rows": 1, "finding": "", "seconds": 0.0, "memory": 0}
    told: list[list[dict[str, Any]]] = [
        [{"number": 0, "begins": True}, good, {"number": 1, "begins": True}],
        [{"number": 2, "begins": True}, {**good, "number": 2, "seconds": 99.0}],
    ]
    monkeypatch.setattr(fuzz, "_worker", lambda *_: iter(told.pop(0)))
    assert fuzz.fuzz("csv", 1, 3, None) == 2
    printed = capsys.readouterr().out
    assert "mutation 1: the process ended" in printed
    assert "mutation 2: it took 99 s" in printed


@pytest.mark.parametrize("name", ["csv", "json", "parquet", "arrow", "xlsx", "zip"])
def test_some_mutations_of_each_format(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`make corpus` takes 4,000."""
    assert fuzz.fuzz(name, 3, 25, None) == 0, capsys.readouterr().out
