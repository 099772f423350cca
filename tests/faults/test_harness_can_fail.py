"""The judge is worth as much as what it catches: here the protocol is broken on purpose, and it must say so."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any

import msgspec
import pytest

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.claude import create_batch, read_batches
from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.admission.admission import Admission
from batchdrop.answers.outcome import Outcome
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane import list_pass, settle_submission
from batchdrop.batch_lane.ports import BatchCreator, RequestBody
from batchdrop.errors import ApiUnavailable, ResultsIncomplete, SubmissionUncertain
from batchdrop.finish import collect_results, job_summary, stitch_job
from batchdrop.job import expiry
from batchdrop.job.ports import Formats, Ledger, OutputFormat, PartWriter
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import StoredRow
from batchdrop.split import split_upload
from tests.faults import run as conductor
from tests.faults.run import Report, run
from tests.faults.schedule import CREATE, Expiry, Fault, Rates, plain
from tests.faults.table import MemoryTable
from tests.faults.world import World

LOST_ANSWER = {"kind": "accept_then_drop", "endpoint": CREATE}


class _Wrapped:
    """Hands everything on to another object."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Unconditional(MemoryTable):
    """A table that writes whatever it is asked to: whoever begins may send, and there might as well be no intent."""

    def put_item(self, *, Item: dict[str, Any], **_condition: object) -> None:  # noqa: N803 - boto3's
        super().put_item(Item=Item)


class _Reposting(_Wrapped):
    """An API that is asked again when its answer was lost, as SDKs do by default."""

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        try:
            created: MessageBatch = self._inner.create(body, timeout=timeout, betas=betas)
        except SubmissionUncertain:
            created = self._inner.create(body, timeout=timeout, betas=betas)
        return created


class _Claiming(_Wrapped):
    """An API whose Message Batches all seem to be ours."""

    def __init__(self, inner: Any, custom_id: str) -> None:
        super().__init__(inner)
        self._line = msgspec.json.encode({"custom_id": custom_id, "result": {"type": "expired"}}) + b"\n"

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        yield self._line
        yield from self._inner.results(batch)


class _Meddling(_Wrapped):
    """An API client that cancels every Message Batch that it comes across."""

    def newest_first(self) -> Iterator[MessageBatch]:
        for batch in self._inner.newest_first():
            self._inner.cancel(batch.id)
            yield batch


class _SpoiltPart:
    def __init__(self, part: PartWriter, *, loses: bool) -> None:
        self._part = part
        self._loses = loses

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            if not self._loses:
                self._part.add([row], [msgspec.structs.replace(outcome, values=("an answer of another row",))])
            elif not row.raw.startswith("1,"):
                self._part.add([row], [outcome])


class _SpoiltOutput(_Wrapped):
    loses = False

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_SpoiltPart]:
        with self._inner.part(target, sidecar) as part:
            yield _SpoiltPart(part, loses=self.loses)


class _LosingOutput(_SpoiltOutput):
    loses = True


class _Spoilt(FileFormats):
    """Formats that lose the row with id 1, or give each row the answer of another."""

    def __init__(self, output: type[_SpoiltOutput]) -> None:
        self._output = output

    def writer(self, *args: Any, **options: Any) -> OutputFormat:
        return self._output(super().writer(*args, **options))


class _NoIntent(World):
    def ledger(self) -> Ledger:
        table = _Unconditional(self.table.call)
        table.items = self.table.items
        return DynamoLedger(table)  # type: ignore[arg-type]  # as much of a Table as it uses


class _Repost(World):
    def batch_creator(self) -> BatchCreator:
        return _Reposting(self.claude.api)


class _Adopt(World):
    def batch_creator(self) -> BatchCreator:
        [job_id] = self.engine.executions
        return _Claiming(self.claude.api, f"{job_id}-00000-000000")


class _Meddle(World):
    def batch_creator(self) -> BatchCreator:
        return _Meddling(self.claude.api)


class _Lose(World):
    def formats(self) -> Formats:
        return _Spoilt(_LosingOutput)


class _MixUp(World):
    def formats(self) -> Formats:
        return _Spoilt(_SpoiltOutput)


def _faults(report: Report) -> str:
    return "\n".join(report.verdict.faults)


def test_skipping_the_intent_is_caught() -> None:
    """Without an intent, an attempt that is repeated while the first one runs pays twice."""
    rates = Rates(lost_contact=0.5, crash=0.05)
    reports = [run(plain(seed=seed, rates=rates), make=_NoIntent) for seed in range(6)]
    assert any(report.verdict.paid_twice for report in reports)
    assert not any(run(plain(seed=seed, rates=rates)).verdict.faults for seed in range(6))


def test_posting_again_is_caught() -> None:
    """A create that is sent again because its answer was lost is paid twice."""
    report = run(plain(faults=(LOST_ANSWER,)), make=_Repost)
    assert report.verdict.paid_twice == 3


def test_adopting_a_foreign_message_batch_is_caught() -> None:
    """Another client's Message Batch of the same size is taken for ours."""
    nothing_created = {"kind": "drop_before_accept", "endpoint": CREATE}
    report = run(plain(faults=(nothing_created,), foreign_at=(0.5,)), make=_Adopt)
    assert "was adopted" in _faults(report)


def test_canceling_a_foreign_message_batch_is_caught() -> None:
    """Another client's Message Batch is canceled while we look for ours."""
    report = run(plain(faults=(LOST_ANSWER,), foreign_at=(0.5,), batch_seconds=600.0), make=_Meddle)
    assert "was canceled or deleted" in _faults(report)


def test_a_lost_row_is_caught() -> None:
    """An output that lacks a row is no output."""
    report = run(plain(), make=_Lose)
    assert report.verdict.lost
    assert "the output has 2 rows, the input 3" in _faults(report)


def test_a_mixed_up_answer_is_caught() -> None:
    """The right rows with the wrong answers are wrong."""
    assert "not its own" in _faults(run(plain(), make=_MixUp))


class _TrustingList(_Wrapped):
    """An API client that takes a list that broke off for one that was read to its end."""

    def newest_first(self) -> Iterator[MessageBatch]:
        try:
            yield from self._inner.newest_first()
        except ApiUnavailable as cut:
            if "list of Message Batches" not in str(cut):
                raise


class _Trust(World):
    def batch_creator(self) -> BatchCreator:
        return _TrustingList(self.claude.api)


@pytest.mark.parametrize("kind", ["list_null_cursor", "list_lost_cursor"])
def test_taking_a_cut_list_for_a_whole_one_is_caught(kind: str) -> None:
    """Ours stands on the page that did not come: it is sent again, and paid twice."""
    cut = {"kind": kind, "times": -1}
    schedule = plain(faults=(LOST_ANSWER, cut), foreign_at=(2.0,), most_listed=1)
    assert run(schedule, make=_Trust).verdict.paid_twice == 3
    assert not run(schedule).verdict.faults


class _OwnClock(_Wrapped):
    """An API client that takes the service's clock for ours."""

    def clock_offset(self, _now: datetime) -> timedelta:
        return timedelta()


class _OneClock(World):
    def batch_creator(self) -> BatchCreator:
        return _OwnClock(self.claude.api)


@pytest.mark.parametrize("ours_is_ahead", [900.0, 400.0])
def test_taking_the_services_clock_for_ours_is_caught(ours_is_ahead: float) -> None:
    """By its clock, ours was created before the attempt began."""
    schedule = plain(faults=(LOST_ANSWER,), skew=ours_is_ahead)
    assert run(schedule, make=_OneClock).verdict.paid_twice == 3
    assert not run(schedule).verdict.faults


def test_taking_another_workspaces_list_for_ours_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key in the secret is of another workspace since the create, whose list lacks ours."""
    schedule = plain(faults=(LOST_ANSWER,), key_swaps=(20.0, 4000.0))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(settle_submission, "why_another_workspace", lambda *_: "")
    assert run(schedule).verdict.paid_twice == 3


def test_the_service_may_be_ahead() -> None:
    """Where its clock is ahead of ours, ours seems to be created after the attempt."""
    assert not run(plain(faults=(LOST_ANSWER,), skew=-900.0)).verdict.faults


@pytest.mark.proof  # 35 CPU seconds: two days of lists
def test_waiting_for_all_that_others_create_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always one that has not ended: nothing is sent for two days, and the job ends red."""
    nothing_created = {"kind": "drop_before_accept", "endpoint": CREATE}
    schedule = plain(faults=(nothing_created,), batch_seconds=36_000.0, foreign_every=20_000.0, must_settle=True)
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(list_pass, "VISIBILITY_LAG", timedelta(days=30))
    assert "was not found out in two days" in _faults(run(schedule))


@pytest.mark.parametrize("status", [403, 404, 413, 429])
def test_taking_a_proxys_page_for_a_refusal_is_caught(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The create was accepted, and the page in its place says that it was not."""
    schedule = plain(faults=({"kind": "page_after_accept", "endpoint": CREATE, "status": status},))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(create_batch, "is_from_api", lambda _status, _body: True)
    assert run(schedule).verdict.paid_twice == 3


FOREIGN_RESULTS = {"kind": "results_foreign_host", "endpoint": "batches.*", "times": -1}


def test_not_reading_results_that_are_offered_elsewhere_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a gateway, each results_url names another host: paid answers that nobody reads."""
    schedule = plain(lasting=(FOREIGN_RESULTS,))
    assert not run(schedule).verdict.faults

    def refused(_api: object, batch: MessageBatch) -> str:
        raise ResultsIncomplete(batch.results_url)

    monkeypatch.setattr(read_batches.HttpBatchReader, "_results_url", refused)
    assert "the job never ends green" in _faults(run(schedule))


def test_sending_the_key_elsewhere_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes wherever results_url says."""
    monkeypatch.setattr(read_batches, "_is_below", lambda _base, _url: True)
    assert "the key was sent to results.example.invalid" in _faults(run(plain(lasting=(FOREIGN_RESULTS,))))


@pytest.mark.parametrize(
    ("module", "name", "old", "lasting"),
    [
        (read_batches, "json_of", bytes, {"kind": "odd_body", "endpoint": "batches.*", "shape": "bom", "times": -1}),
        (
            read_batches,
            "batch_of",
            partial(msgspec.json.decode, type=MessageBatch),
            {"kind": "odd_counts", "endpoint": "batches.retrieve", "times": -1},
        ),
    ],
)
def test_not_reading_what_a_gateway_changed_is_caught(
    module: ModuleType, name: str, old: Callable[[bytes], object], lasting: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte order mark, or counts that are null: the Message Batch is polled, and never read."""
    schedule = plain(lasting=(lasting,))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(module, name, old)
    monkeypatch.setattr(conductor, "LONGEST", 86_400.0)
    assert "the job does not end" in _faults(run(schedule))


def test_keeping_another_clients_message_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The create was answered with its id. Its results never become ours, and ours are paid and lost."""
    schedule = plain(misled_at=(0.0,))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(collect_results, "refuse_foreign_results", lambda *_: None)
    assert "was adopted" in _faults(run(schedule))


@pytest.mark.parametrize(
    ("module", "name", "broken", "fault"),
    [
        (collect_results, "keep_arrived", lambda *_: None, "was billed and arrived, but the output says"),
        (stitch_job, "uncertain_lines", lambda *_, **__: iter(()), "was billed and never arrived, but the output says"),
    ],
)
def test_an_answer_that_is_not_delivered_because_another_is_missing_is_caught(
    module: ModuleType, name: str, broken: Callable[..., object], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One result never arrives. The others are paid and there; the missing one may be paid."""
    schedule = plain(lasting=({"kind": "results_short", "times": -1},), is_deceived=True)
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(module, name, broken)
    assert fault in _faults(run(schedule))


@pytest.mark.parametrize("kind", ["page_before_accept", "error_before_accept"])
def test_green_without_the_answers_is_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results are refused for good. No row is answered, and the job must say so."""
    lie = {"kind": kind, "endpoint": "batches.results", "status": 403, "times": -1}
    schedule = plain(lasting=(lie,), is_deceived=True)
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(job_summary, "_status", lambda _faults: "succeeded")
    assert "green, although 3 paid answers are missing" in _faults(run(schedule))


@pytest.mark.parametrize("gives_up", [True, False])
def test_sending_a_job_again_whose_records_have_vanished_is_caught(
    gives_up: bool,  # noqa: FBT001 - pytest names it
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ledger and files are gone, so every row would be paid for again."""
    refused = ({"kind": "error_before_accept", "endpoint": CREATE, "status": 400},) if gives_up else ()
    schedule = plain(faults=refused, gives_up=gives_up, expiry=Expiry(36.0, forgets_ledger=True, forgets_objects=True))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(expiry, "RESUMABLE", timedelta(days=10_000))
    report = run(schedule)
    assert report.verdict.paid_twice >= 3
    assert "was resumed" in _faults(report)
    assert "the old event was not refused" in _faults(report)


def test_a_bill_above_the_cap_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that hold nothing are sent all the same, and together cost more than the recipe says."""
    monkeypatch.setattr(split_upload, "goes_in_waves", lambda _manifest: False)
    monkeypatch.setattr(Admission, "_is_covered", lambda _self: True)
    monkeypatch.setattr(Admission, "stands", lambda _self: True)
    report = run(plain(("",) * 8, shard_rows=1, max_cost_usd=2e-5))
    assert any("max_cost_usd" in fault for fault in report.verdict.faults)
