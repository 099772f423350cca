"""Tables of Python become files, and outputs become tables of the same kind."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.library.tables import file_of, frame_of, rows_of

COLUMNS = {"id": [1, 2], "text": ["good", None], "tags": [["a"], []]}


def test_a_path_is_itself(tmp_path: Path) -> None:
    """Nothing is read or copied."""
    assert file_of("a/b.csv", tmp_path) == Path("a/b.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("table", [pa.table(COLUMNS), pl.DataFrame(COLUMNS)], ids=["pyarrow", "polars"])
def test_a_table_goes_and_comes_through_arrow(tmp_path: Path, table: Any) -> None:
    """With its types; what comes back is of the same kind."""
    file = file_of(table, tmp_path, name="mine")
    assert file.name == "mine.parquet"
    assert pq.read_table(file).to_pydict() == COLUMNS
    back = frame_of(file, table)
    assert type(back) is type(table)
    assert (back.to_dict(as_series=False) if isinstance(back, pl.DataFrame) else back.to_pydict()) == COLUMNS


def test_a_table_is_written_batch_by_batch(tmp_path: Path) -> None:
    """A stream is read once, and is never whole in memory."""
    batches = (pa.record_batch({"n": [number]}) for number in range(5))
    reader = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), batches)
    assert pq.ParquetFile(file_of(reader, tmp_path)).metadata.num_rows == 5


def test_a_table_of_pandas_comes_back_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By pyarrow's own way to pandas; the class tells whose table it was."""
    path = tmp_path / "output.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    seen = ModuleType("pyarrow_to_pandas")
    monkeypatch.setattr("pyarrow.parquet.read_table", lambda _path: SimpleNamespace(to_pandas=lambda: seen))
    given = type("DataFrame", (), {"__module__": "pandas.core.frame"})()
    assert frame_of(path, given) is seen


def test_mappings_become_lines(tmp_path: Path) -> None:
    """One for each row, in order; a generator is enough."""
    file = file_of(({"id": number, "t": "ü\n"} for number in range(3)), tmp_path)
    assert file.name == "table.jsonl"
    assert rows_of(file) == [{"id": number, "t": "ü\n"} for number in range(3)]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """With what is one."""
    with pytest.raises(
        TypeError, match="int cannot be read as a table; give a path, an object with __arrow_c_stream__, or a"
    ):
        file_of(3, tmp_path)


def test_an_output_of_any_format_is_a_table(tmp_path: Path) -> None:
    """Texts of a CSV stay texts."""
    path = tmp_path / "output.csv"
    path.write_text("id,answer\n001,good\n", encoding="utf-8")
    assert frame_of(path, "t.csv").to_pylist() == [{"id": "001", "answer": "good"}]


def test_importing_batchdrop_imports_next_to_nothing() -> None:
    """Functions on AWS pay for what they import."""
    import subprocess

    heavy = "{'boto3', 'pyarrow', 'typer', 'rich', 'msgspec', 'yaml', 'anthropic'}"
    code = f"import sys, batchdrop; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
