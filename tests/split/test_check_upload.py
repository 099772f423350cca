"""What `check` learns from a whole file, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.key import Keys
from batchdrop.cli.check.findings_view import warnings_of_rows
from batchdrop.cli.check.local_file import LocalFile
from batchdrop.cli.check.local_files import named_only
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.remembering import AnswersOf, policy_of
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.split import check_upload as module
from batchdrop.split.check_upload import REASONS_SHOWN, SHOWN, Check, check_upload
from tests.fakes import START
from tests.jobs import JOB

Checking = Callable[..., tuple[Check, Manifest]]


@pytest.fixture
def check_of(tmp_path: Path) -> Checking:
    """Return what checks a CSV with a column of these texts."""

    def checking(
        texts: list[str], *, sample: int = 0, live_rows: int = 0, answers: AnswersOf | None = None, **fields: object
    ) -> tuple[Check, Manifest]:
        recipe = parse_recipe({"model": "claude-haiku-5-5", "prompt": "{{ x }}", "max_tokens": 20, **fields}, name="r")
        path = tmp_path / "f.csv"
        path.write_text("".join(f"{text}\n" for text in ["x,n", *(f"{text},0" for text in texts)]))
        source = LocalFile(path)
        upload = UploadRecord(JOB, "bucket", "inbox/r/f.csv", "etag", source.size, START)
        manifest = Manifest(upload=upload, format="csv", recipe=recipe)
        check = check_upload(
            manifest,
            source,
            formats=FileFormats(),
            attach=named_only,
            sample=sample,
            live_rows=live_rows,
            answers=answers,
        )
        return check, manifest

    return checking


@pytest.mark.parametrize(("dedupe", "sent", "shared"), [(True, 2, 3), (False, 5, 0)])
def test_equal_rows_count_once_only_where_they_share_an_answer(
    check_of: Checking, *, dedupe: bool, sent: int, shared: int
) -> None:
    """With `dedupe: false` each row is a request of its own, in the estimate too."""
    check, manifest = check_of(["a", "b", "a", "a", "b"], dedupe=dedupe)
    assert (check.estimate.requests, check.duplicates, check.rows) == (sent, shared, 5)
    assert manifest.estimate == check.estimate


def test_duplicates_are_forgotten_beyond_what_a_split_knows(
    check_of: Checking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About as the split does: memory is bounded."""
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    check, _ = check_of(["a", "a", "b", "a", "c"], dedupe=True)
    assert (check.estimate.requests, check.duplicates) == (4, 1)


def test_it_shows_the_first_requests_and_rejects_only(check_of: Checking) -> None:
    """However many follow."""
    check, _ = check_of([*" " * 8, *"abcdef"])
    assert (check.rows, check.rejected, len(check.reasons), len(check.first)) == (14, 8, REASONS_SHOWN, SHOWN)
    assert check.estimate.requests == 6
    assert b'"a"' in check.first[0]


@pytest.mark.parametrize("wanted", [0, 2, 50])
def test_it_keeps_as_many_requests_as_wanted(check_of: Checking, wanted: int) -> None:
    """And none where the caller wants none."""
    check, _ = check_of([f"text {number}" for number in range(40)], sample=wanted)
    assert len(check.sample) == min(wanted, 40)


@pytest.mark.parametrize(("live_rows", "lane"), [(4, "batch"), (5, "live")])
def test_the_lane_is_the_one_that_the_job_would_take(check_of: Checking, live_rows: int, lane: str) -> None:
    """By the number of requests, not of rows."""
    _, manifest = check_of([*"abcde", *"aaaa"], dedupe=True, lane="auto", live_rows=live_rows)
    assert manifest.lane == lane


def test_a_check_counts_what_is_remembered(check_of: Checking, tmp_path: Path) -> None:
    """Requests with an answer are not in the estimate; what they would cost is beside it. Nothing is written."""
    store = SqliteAnswerStore(tmp_path / "answers.sqlite")
    asked: dict[str, object] = {"remember": "90d", "answers": lambda: store}
    check, manifest = check_of(["a", "b", "a"], **asked)
    assert (check.estimate.requests, check.remembered, check.saved) == (2, 0, None)
    keys = Keys(store.secret("r"), policy_of(manifest))
    answer = Answer(keys.of(check.first[0]).hex(), int(START.timestamp()), "recipe", msgspec.Raw(b"{}"))
    store.write_run("r", "run", [answer])
    store.publish("r", ["run"])
    check, _ = check_of(["a", "b", "a"], **asked)
    assert (check.estimate.requests, check.remembered, check.duplicates) == (1, 1, 1)
    assert check.saved is not None
    assert check.saved.requests == 1
    check, _ = check_of(["a"], **asked, system="another question")
    assert (check.estimate.requests, check.remembered) == (1, 0)
    assert check.saved is not None


def test_truths_are_counted_before_anything_is_sent(check_of: Checking) -> None:
    """The column `n` holds 0 for each row; a field of another type says which rows have no truth."""
    answer = {"stars": "integer", "label": {"enum": ["a"]}}
    check, _ = check_of(["a", "b", "c"], answer=answer, gold={"stars": "n", "label": "n"})
    assert check.gold["stars"].truths == 3
    assert check.gold["label"].truths == 0
    assert warnings_of_rows(check)[:2] == [
        f"gold.label: row {row}: column 'n' has '0', but 'label' is one of a. The row has no truth; fix the cell, or "
        "empty it"
        for row in (1, 2)
    ]
