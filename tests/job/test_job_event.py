"""Events of jobs: as the published schema says, whatever a file is called or an error says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.job.job_event import (
    MAX_MESSAGE_CHARS,
    JobEvent,
    encoded,
    job_awaits_approval,
    job_ended,
    job_split,
    job_started,
)
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.sample import Projection, RestBlock, SampleReport
from batchdrop.report.summary import CostBlock, Fault, OutputBlock, Summary, TallyBlock, TimingBlock
from tests.fakes import START
from tests.project import ROOT, template
from tools.job_event_schema import PATH, job_event_schema, written

VALID = jsonschema_rs.Draft202012Validator(job_event_schema())
UPLOAD = UploadRecord("20261122T120000-0123456789", "bucket", "inbox/r/f.csv", "etag", 12, START)
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def _summary(**changes: Any) -> Summary:
    fields: dict[str, Any] = {
        "job_id": UPLOAD.job_id,
        "status": "succeeded",
        "input": UPLOAD.key,
        "bytes": 12,
        "results": "results/r/f/job/",
        "model": "claude-haiku-5-5",
        "lanes": [],
        "shards": 1,
        "tally": TallyBlock(4, 1, 1, 1, 1, 0, {}),
        "tokens": [],
        "cost": CostBlock(Decimal("0.0214"), "2026-11-22"),
        "timings": TimingBlock(START, START, START, START + timedelta(seconds=9), 1.0, 9.0),
        "outputs": OutputBlock(None, None),
        "message_batches": [],
        "faults": [],
    }
    return Summary(**{**fields, **changes})


def _ended(upload: UploadRecord = UPLOAD, **changes: Any) -> JobEvent:
    return job_ended(upload, _summary(**changes), stack="batchdrop")


def _awaiting(upload: UploadRecord = UPLOAD, **changes: Any) -> JobEvent:
    fields: dict[str, Any] = {
        "job_id": upload.job_id,
        "shown_at": START,
        "model": "claude-haiku-5-5",
        "output": "results/r/f/job/sample.csv",
        "tally": TallyBlock(3, 2, 0, 0, 1, 0, {}),
        "tokens": [],
        "spent_usd": Decimal("0.0021"),
        "projected": Projection(Decimal("0.0391"), Decimal("0.0428"), Decimal("0.0466")),
        "continue_under_usd": None,
        "rest": RestBlock(951, 950, "batch", "wait", "it waits"),
    }
    return job_awaits_approval(upload, SampleReport(**{**fields, **changes}), stack="batchdrop")


@dataclass
class Told:
    """Each kind of event."""

    started: JobEvent = field(default_factory=lambda: job_started(UPLOAD, stack="batchdrop", at=START))
    split: JobEvent = field(
        default_factory=lambda: job_split(UPLOAD, stack="batchdrop", at=START, requests=2_000, shards=1)
    )
    awaiting_approval: JobEvent = field(default_factory=_awaiting)
    awaiting_of_unknown_price: JobEvent = field(default_factory=lambda: _awaiting(spent_usd=None, projected=None))
    succeeded: JobEvent = field(default_factory=_ended)
    failed: JobEvent = field(
        default_factory=lambda: _ended(status="failed", faults=[Fault("AccountTrouble", "HTTP 401: no", None)])
    )
    canceled: JobEvent = field(
        default_factory=lambda: _ended(status="canceled", faults=[Fault("JobCanceled", "by its user", None)])
    )
    unpriced: JobEvent = field(default_factory=lambda: _ended(cost=CostBlock(None, "2026-11-22")))


EVENTS: dict[str, JobEvent] = vars(Told())


def test_the_schema_is_of_this_day() -> None:
    """`python -m tools.job_event_schema` writes it anew."""
    assert PATH.read_text(encoding="utf-8") == written()
    assert jsonschema_rs.meta.is_valid(job_event_schema())


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_events_keep_to_the_schema(event: JobEvent) -> None:
    """What goes to EventBridge is what the schema tells consumers."""
    VALID.validate(json.loads(encoded(event)))


def test_the_schema_can_say_no() -> None:
    """A state that is not there, a missing job, a string for dollars."""
    fields = json.loads(encoded(EVENTS["succeeded"]))
    for change in ({"state": "done"}, {"usd": "0.02"}, {"said": 'a "quote"'}, {"version": 2}, {"rows": {"rows": 1}}):
        assert not VALID.is_valid({**fields, **change}), change
    assert not VALID.is_valid({name: value for name, value in fields.items() if name != "job_id"})


def test_every_state_is_in_the_schema() -> None:
    """And nothing but the states."""
    states = job_event_schema()["$defs"]["JobEvent"]["properties"]["state"]["enum"]
    assert {event.state for event in EVENTS.values()} == set(states)
    assert set(re.findall(r"`(started|split|awaiting_approval|succeeded|failed|canceled)`", PAGE)) == set(states)


def test_events_of_a_job_can_be_told_apart() -> None:
    """Job, execution, state and time: an event that comes twice is the same, a resumed job's is another."""
    resumed = UploadRecord("20261122T120000-0123456789", "bucket", "inbox/r/f.csv", "etag", 12, START, resumes=1)
    assert encoded(_ended()) == encoded(_ended())
    assert (_ended(resumed).job_id, _ended(resumed).execution) == (UPLOAD.job_id, f"{UPLOAD.job_id}-r1")
    assert EVENTS["succeeded"].at > EVENTS["started"].at


def test_said_tells_all_of_it() -> None:
    """Rows, dollars, where the results are, and why."""
    assert EVENTS["failed"].said == (
        "inbox/r/f.csv failed: 1 rows answered, 1 unusable, 1 failed, 1 rejected, for $0.0214. "
        "Results: s3://bucket/results/r/f/job/ AccountTrouble: HTTP 401: no"
    )
    assert "at an unknown price" in EVENTS["unpriced"].said


def test_the_end_of_a_red_job_names_the_command_and_what_is_kept() -> None:
    """Before the fault's message, which may be long; nothing of it where nothing was sent, or where all went well."""
    outputs = OutputBlock("output.csv", "failed.jsonl")
    fault = Fault("AccountTrouble", "HTTP 402: " + "x" * 2_000)
    said = _ended(status="failed", faults=[fault], outputs=outputs).said
    job_id = _summary().job_id
    assert f" To go on: `batchdrop resume {job_id}`; 2 answers are kept and not billed again. Results: " in said
    assert "To go on" not in _ended(outputs=outputs).said
    too_few = _ended(status="failed", faults=[Fault("TooFewAnswered", "few")], outputs=outputs).said
    assert f"`batchdrop retry {job_id}`" in too_few


def test_what_waits_for_approval_says_what_to_do() -> None:
    """The command first, then what the sample came to, what the whole would cost, and where to look."""
    assert EVENTS["awaiting_approval"].said == (
        "inbox/r/f.csv waits for `batchdrop approve 20261122T120000-0123456789`: its sample has 2 rows answered, "
        "0 unusable, 0 failed, 1 rejected, for $0.0021; the whole job will cost $0.0391 to $0.0466. "
        "Sample: s3://bucket/results/r/f/job/sample.csv"
    )
    assert "at an unknown price; the cost of the whole job is not known" in EVENTS["awaiting_of_unknown_price"].said
    long = UploadRecord("20261122T120000-0123456789", "bucket", f"inbox/r/{'x' * 890}", "etag", 12, START)
    assert "`batchdrop approve 20261122T120000-0123456789`" in _awaiting(long).said


def test_each_state_that_somebody_must_know_is_mailed() -> None:
    """A job that ended, and one that nobody helps on but its owner."""
    pattern = template()["Resources"]["NotifyRule"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["batchdrop"]
    assert set(pattern["detail"]["state"]) == {event.state for event in EVENTS.values()} - {"started", "split"}


HOSTILE = [
    'x".csv',
    "x\n\rInjected: yes.csv",
    "<script>alert(1)</script>.csv",
    "\\u0022.csv",
    "a\x00b\x1b[31m.csv",
    "\u202egpj.csv",
    "x" * 5_000,
    "${state} <state> {{ x }}.csv",
]


def _mail(said: str) -> str:
    """Return the mail that the rule's transformer makes of an event: variables stand in JSON strings, unescaped."""
    [target] = template()["Resources"]["NotifyRule"]["Properties"]["Targets"]
    filled = target["InputTransformer"]["InputTemplate"].replace("<said>", said)
    lines = [json.loads(line) for line in filled.splitlines()]
    assert all(isinstance(line, str) for line in lines)
    return "\n".join(lines)


def _post(said: str) -> Any:
    """Return what the webhook gets, decoded."""
    [target] = template()["Resources"]["WebhookRule"]["Properties"]["Targets"]
    return json.loads(target["InputTransformer"]["InputTemplate"].replace("<said>", said))


def test_the_webhook_gets_the_same_news_as_the_mail() -> None:
    """Slack reads `text` alone."""
    mail, webhook = (template()["Resources"][name]["Properties"] for name in ("NotifyRule", "WebhookRule"))
    assert mail["EventPattern"] == webhook["EventPattern"]
    said = EVENTS["succeeded"].said
    assert _post(said) == {"text": said}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(name: str) -> None:
    """The detail is whole JSON and keeps to the schema, and no mail gets another line by it."""
    hostile = UploadRecord("20261122T120000-0123456789", "bucket", f"inbox/r/{name}", "etag", 12, START)
    failed = _ended(hostile, status="failed", faults=[Fault("UploadRejected", name, None)])
    for event in (failed, _awaiting(hostile)):
        detail = json.loads(encoded(event))
        VALID.validate(detail)
        assert detail["upload"] == hostile.key
        assert len(detail["said"]) <= MAX_MESSAGE_CHARS
        assert len(_mail(detail["said"]).splitlines()) == len(_mail("x").splitlines())
        assert _post(detail["said"]) == {"text": detail["said"]}


@given(st.text())
def test_no_text_breaks_out_of_the_mail(text: str) -> None:
    """Whatever the error said."""
    said = _ended(status="failed", faults=[Fault("UploadRejected", text, None)]).said
    assert said.isprintable()
    assert said in _mail(said)


def test_the_page_shows_an_event() -> None:
    """docs/events.md: its example keeps to the schema, its rule to what is told."""
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    [example, waiting, rule] = blocks
    VALID.validate(example)
    VALID.validate(waiting)
    assert waiting.keys() == json.loads(encoded(EVENTS["awaiting_approval"])).keys()
    assert rule["source"] == ["batchdrop"]
    assert rule["detail-type"] == ["Job state changed"]
    assert rule["detail"].keys() <= example.keys()


def test_an_event_is_small() -> None:
    """EventBridge takes 256 KB an entry; a name is as long as a key, a message is cut."""
    long = UploadRecord("20261122T120000-0123456789", "b" * 63, "k" * 1_024, "etag", 12, START)
    event = _ended(long, status="failed", faults=[Fault("UploadRejected", "é" * 1_000_000, None)])
    assert len(encoded(event).encode()) < 16_000
