"""What the page Try remembers: orders of jobs, and the recipe on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchdrop.cli.console import CommandError
from batchdrop.cli.ui.trying.desk import Desk
from batchdrop.cli.ui.trying.judging import Judged
from tests.ui.consoles import session_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("rows.csv")
    path.write_text("id,full name\n1,a\n", encoding="utf-8")
    return path


def test_an_order_works_once_and_for_its_file(file: Path) -> None:
    """A second click, an older price and a file that has changed start nothing."""
    desk = Desk(session_of(file=file), file)
    order = desk.order("model: a", Judged())
    assert desk.take_order(order.key) == order
    assert desk.take_order(order.key) is None
    older, newer = desk.order("model: a", Judged()), desk.order("model: b", Judged())
    assert desk.take_order(older.key) is None
    os.utime(file, ns=(1, 1))
    assert desk.take_order(newer.key) is None


def test_columns_as_the_prompt_reads_them(file: Path) -> None:
    """A name that is not one word is read from the row."""
    assert Desk(session_of(file=file), file).column_chips() == [
        ("id", "{{ id }}"),
        ("full name", '{{ row["full name"] }}'),
    ]


def test_a_saved_recipe_is_opened(file: Path) -> None:
    """Also if only the recipe can say how to read the table: then the columns come with the price."""
    Path("rows.yaml").write_text("model: mine\n", encoding="utf-8")
    assert Desk(session_of(file=file), file).text == "model: mine\n"
    other = Path("other.csv")
    other.write_bytes("id;größe\n1;a\n".encode("utf-16"))
    Path("other.yaml").write_text("input: {encoding: utf-16}\n", encoding="utf-8")
    assert Desk(session_of(file=other), other).text.startswith("input:")
    Path("rows.yaml").write_bytes("model: größe\n".encode("latin-1"))
    with pytest.raises(CommandError, match=r"rows.yaml is not UTF-8"):
        Desk(session_of(file=file), file)
