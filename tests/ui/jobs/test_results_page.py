"""A job's results in the console: filter, sort, count, read a row's story, correct it, export."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from batchdrop.cli.ui.results.columns import Headings, ResultColumn
from batchdrop.cli.ui.results.filling import Plan, fill
from batchdrop.cli.ui.results.table import ResultTable
from tests.cli.deployed import Deployed
from tests.jobs import JOB
from tests.ui.consoles import OWN
from tests.ui.jobs.ended import ATTACK, TEXTS, console, ended_job, results

GOLD = f"results/r/注文/{JOB}/gold.jsonl"


def _rows(text: str) -> list[int]:
    return [int(row) for row in re.findall(r'data-row="(\d+)"', text)]


def test_rows_are_filtered_and_sorted(deployed: Deployed) -> None:
    """By label, status, text and range; in a column's order, and in the file's."""
    ended_job(deployed)
    with console(deployed) as at:
        shown = results(at)
        assert _rows(shown) == [1, 2, 3, 4, 5, 6]
        assert _rows(results(at, query="is2=neutral")) == [2, 4, 6]
        assert _rows(results(at, query="is2=neutral&is2=positive&q=良い")) == [1]
        assert _rows(results(at, query="status=invalid")) == [5]
        assert _rows(results(at, query="q=OKAY")) == [2]
        assert _rows(results(at, query="q=neutral&in=1")) == []
        assert "No row fits" in results(at, query="q=nowhere")
        by_sure = _rows(results(at, query="sort=-3"))
        assert by_sure[-1] == 5  # it has no number
        assert by_sure[0] == 4
        assert _rows(results(at, query="in3=0.2..")) == [2, 4]
        assert _rows(at.client.get(f"/jobs/{JOB}/results/rows?behind=4").text) == [5, 6]
        assert _rows(at.client.get(f"/jobs/{JOB}/results/rows?sort=-3&behind={by_sure[2]}").text) == by_sure[3:]


def test_counts_lead_to_filters(deployed: Deployed) -> None:
    """A histogram counts the chosen rows; a filtered column still shows its other labels."""
    ended_job(deployed)
    with console(deployed) as at:
        results(at)
        shown = at.client.get(f"/jobs/{JOB}/results/counts?is2=positive").text
        assert re.search(r"<strong>1</strong> row\s+<span class=\"quiet\">of 6", shown)
        assert "is2=positive&amp;is2=neutral" in shown
        assert re.search(r'neutral</span><span class="count">3<', shown)
        assert "sure" in shown


def test_a_story_has_everything_about_its_row(deployed: Deployed) -> None:
    """Its cells, prompt, answer, tokens, dollars and ids."""
    ended_job(deployed)
    with console(deployed) as at:
        results(at)
        told = at.client.get(f"/jobs/{JOB}/results/rows/1").text
        for words in (
            "とても良い商品でした",
            "Judge とても良い商品でした",
            "positive",
            "input tokens",
            f"{JOB}-00000-0",
            "$",
        ):
            assert words in told
        assert at.client.get(f"/jobs/{JOB}/results/rows/7").status_code == 404


def test_an_answer_is_corrected_into_gold(deployed: Deployed) -> None:
    """The line has the row's own cells and the truth; a second correction replaces it, and none takes it back."""
    ended_job(deployed)
    with console(deployed) as at:
        results(at)

        def correct(row: int, **truths: str) -> int:
            path = f"/jobs/{JOB}/results/rows/{row}/gold"
            return at.client.post(path, data=truths, headers={"origin": OWN}).status_code

        assert correct(3, **{"truth-2": "neutral", "truth-3": "0.5"}) == 200
        assert correct(1, **{"truth-2": "negative", "truth-3": ""}) == 200
        assert correct(3, **{"truth-2": "positive"}) == 200
        lines = [json.loads(line) for line in deployed.found().store.read(GOLD).splitlines()]
        assert lines == [
            {"_row": 1, "id": "r-1", "text": TEXTS[0], "expected_label": "negative", "expected_sure": None},
            {"_row": 3, "id": "r-3", "text": TEXTS[2], "expected_label": "positive", "expected_sure": 0.5},
        ]
        assert "<option selected>positive</option>" in at.client.get(f"/jobs/{JOB}/results/rows/3").text
        refused = at.client.post(
            f"/jobs/{JOB}/results/rows/3/gold", data={"truth-2": "excellent"}, headers={"origin": OWN}
        )
        assert refused.status_code == 409
        assert "one of positive, neutral, negative" in refused.text
        assert correct(1, **{"truth-2": ""}) == 200
        assert [json.loads(line)["_row"] for line in deployed.found().store.read(GOLD).splitlines()] == [3]


def test_a_selection_is_exported(deployed: Deployed) -> None:
    """As CSV and as JSON lines, in its order, as an attachment."""
    ended_job(deployed)
    with console(deployed) as at:
        results(at)
        csv = at.client.get(f"/jobs/{JOB}/results/export.csv?is2=neutral&sort=-1")
        assert csv.headers["content-disposition"].startswith("attachment")
        assert csv.text.splitlines()[0] == "_row,id,text,label,sure,_status,_error,_raw"
        assert [line.split(",")[0] for line in csv.text.splitlines()[1:]] == ["2", "6", "4"]
        lines = [json.loads(line) for line in at.client.get(f"/jobs/{JOB}/results/export.jsonl").iter_lines()]
        assert [line["text"] for line in lines] == list(TEXTS)
        assert lines[4]["_raw"] == ATTACK
        assert at.client.get(f"/jobs/{JOB}/results/export.html").status_code == 404


def test_foreign_text_stays_text(deployed: Deployed) -> None:
    """XSS: a cell, an answer and a file's name, in every part of the pages."""
    ended_job(deployed)
    with console(deployed) as at:
        pages = [results(at), results(at, query="q=%3Cscript%3E&is1=%22%3E%3Cscript%3E")]
        pages += [at.client.get(f"/jobs/{JOB}/results/{part}").text for part in ("counts", "rows", "rows/4", "rows/5")]
        pages += [at.client.get(path).text for path in ("/jobs", f"/jobs/{JOB}")]
        for text in pages:
            assert "<img src=x" not in text
            assert "<script>" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in pages[0]


def test_the_table_opens_no_other_file(tmp_path: Path) -> None:
    """Even SQL that got in could not read a file, or change that it may not."""
    output = tmp_path / "output.csv"
    output.write_text("text,_status\nfine,answered\n", encoding="utf-8")
    status = ResultColumn(place=0, name="_status", kind="status", is_new=True)
    plan = Plan(str(output), str(tmp_path / "rows.duckdb"), Headings([status], ["text"], has_header=True))
    fill(plan, lambda _: None)
    table = ResultTable(tmp_path / "rows.duckdb")
    for sql in (f"SELECT * FROM read_text('{output}')", "SET enable_external_access = true", "DELETE FROM rows"):
        with pytest.raises(duckdb.Error):
            table._database.execute(sql)
    table.close()
