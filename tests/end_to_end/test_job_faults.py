"""What cannot become a job ends red, says what to do, and costs nothing."""

from dataclasses import dataclass

import pytest

from tests.end_to_end.bench import Bench, csv_of

pytestmark = pytest.mark.stack


@dataclass(frozen=True)
class Case:
    """A file (and a recipe) that cannot become a job; the error's name, and what its message must tell."""

    body: bytes
    error: str
    tells: tuple[str, ...]
    recipe: str | None = "model: claude-haiku-5-5\nprompt: 'Classify: {{ text }}'\n"
    name: str = "x.csv"


GOOD = csv_of(["one", "two"])
CASES = {
    "unknown recipe key": Case(
        GOOD,
        "RecipeRejected",
        ("/unknown recipe key.yaml", "'max_tokns'", "did you mean 'max_tokens'?"),
        recipe="model: m\nprompt: p\nmax_tokns: 5\n",
    ),
    "wrong recipe value": Case(
        GOOD, "RecipeRejected", ("key 'max_tokens'", "whole number"), recipe="model: m\nprompt: p\nmax_tokens: many\n"
    ),
    "recipe with broken yaml": Case(
        GOOD, "RecipeRejected", ("a closing bracket or a comma is missing",), recipe="model: [m\n"
    ),
    "no duration": Case(
        GOOD,
        "RecipeRejected",
        ("key 'finish_within'", "write 90s, 30m, 6h or 1d"),
        recipe="model: m\nprompt: p\nfinish_within: soon\n",
    ),
    "missing recipe": Case(
        GOOD, "RecipeRejected", ("recipes/missing recipe.yaml", "the recipe does not exist", "then drop"), recipe=None
    ),
    "missing file type": Case(GOOD, "UploadRejected", ("no file type", "x.csv or x.jsonl"), name="x"),
    "unknown file type": Case(GOOD, "UploadRejected", (".doc files", "Save the file as .csv, "), name="x.doc"),
    "no workbook": Case(GOOD, "UploadRejected", ("x.xlsx", "not an Excel workbook"), name="x.xlsx"),
    "empty file": Case(b"", "UploadRejected", ("x.csv", "empty", "drop it again")),
    "header without rows": Case(b"id,text\n", "UploadRejected", ("the file has no rows", "drop it again")),
    "missing column": Case(
        b"id,body\n1,good\n",
        "RecipeRejected",
        ("column 'text'", "x.csv", "(columns: id, body)", "Fix the recipe's prompt or the header"),
    ),
    "not utf-8": Case(
        b"id,text\n1,good\n2,caf\xe9\n", "UploadRejected", ("row 2", "byte 20", "0xe9", "save the file as UTF-8")
    ),
    "json lines that are not utf-8": Case(
        b'{"text":"good"}\n{"text":"caf\xe9"}\n', "UploadRejected", ("row 2", "byte 28", "UTF-8"), name="x.jsonl"
    ),
    "unclosed quote": Case(b'text\none\n"two\nthree\n', "UploadRejected", ("row 2", "never ends", "Close the quote")),
    "all rows rejected": Case(
        b"id,text\n1\n2\n3\n",
        "NothingToSend",
        ("none of its 3 rows", "row 1 (line 2)", "1 cell, the header has 2 columns"),
    ),
    "broken json lines only": Case(
        b"{broken\n", "NothingToSend", ("none of its 1 rows", "row 1 (line 1)", "not JSON"), name="x.jsonl"
    ),
    "bad row that stops": Case(
        b"id,text\n1,good\n2\n",
        "UploadRejected",
        ("row 2 (line 3)", "1 cell, ", "Fix the row, or set on_bad_row: skip"),
        recipe="model: m\nprompt: '{{ text }}'\non_bad_row: stop\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_job_fault(bench: Bench, name: str) -> None:
    """The job ends red under the fault's name, summary.json says what to do, and nothing was sent or billed."""
    case = CASES[name]
    if case.recipe is not None:
        bench.recipe(name, case.recipe)
    job = bench.run(f"inbox/{name}/{case.name}", case.body)
    assert (job.status, job.error) == ("FAILED", case.error)
    assert job.summary["status"] == "failed"
    (fault,) = job.summary["faults"]
    assert (fault["type"], fault["shard"]) == (case.error, None)
    for words in case.tells:
        assert words in fault["message"]
    assert fault["message"] in job.cause
    assert bench.claude.bill() == []
    assert bench.creates() == 0


def test_key_that_would_lead_out_of_its_folder(bench: Bench) -> None:
    """A key with an empty folder name is refused; its summary goes where no key can lead it."""
    job = bench.run("inbox//x.csv", GOOD)
    assert (job.status, job.error) == ("FAILED", "UploadRejected")
    assert job.summary["results"].startswith("results/_unnamed/")
    assert bench.creates() == 0
