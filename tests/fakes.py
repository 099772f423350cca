"""In-memory stand-ins for every port. `tests/contract/` holds them to what the real adapters do."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.batch_lane.ports import RequestBody
from batchdrop.errors import MessageBatchLost, ResultsIncomplete, SubmissionRefused
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.live_lane.slice import names_of_round
from batchdrop.ports import Guard, ObjectChanged, ObjectMissing, Writer

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BLOCK = 7  # bytes: so small that lines, characters and rows are cut everywhere

JsonObject = dict[str, Any]


class FakeObjectStore:
    """A bucket in a dictionary. `on_read` is called with the key before every block, so that a test can interfere."""

    def __init__(self, *, block: int = 64 * 1024) -> None:
        self.objects: dict[str, bytes] = {}
        self.versions: dict[str, bytes] = {}  # by version id; a test that needs versions keeps them here
        self.on_read: Callable[[str], None] = lambda _key: None
        self._block = block

    def read(self, key: str) -> bytes:
        """Return an object. Raises ObjectMissing."""
        try:
            return self.objects[key]
        except KeyError:
            raise ObjectMissing(key) from None

    def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""
        return len(self.read(key))

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        return key in self.objects

    def stream(
        self, key: str, *, start: int = 0, etag: str | None = None, version: str | None = None
    ) -> Generator[bytes, None, None]:
        """Yield blocks from `start`. Raises ObjectMissing, ObjectChanged."""
        while True:
            self.on_read(key)
            body = self._pinned(key, etag, version)
            block = body[start : start + self._block]
            if not block:
                return
            yield block
            start += len(block)

    def read_range(
        self, key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
    ) -> bytes:
        """Return bytes of an object. Raises ObjectMissing, ObjectChanged."""
        self.on_read(key)
        return self._pinned(key, etag, version)[start:end]

    def _pinned(self, key: str, etag: str | None, version: str | None) -> bytes:
        if version and version not in self.versions:
            raise ObjectMissing(key)
        body = self.versions[version] if version else self.read(key)
        if etag and etag.strip('"') != hashlib.md5(body, usedforsecurity=False).hexdigest():
            raise ObjectChanged(key)
        return body

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write an object. Raises ObjectChanged."""
        seen = self.objects.get(key)
        if guard:
            guard()
            if self.objects.get(key) != seen:
                raise ObjectChanged(key)
        self.objects[key] = bytes(body)

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Collect pieces; the object appears when the context ends without an error."""
        pieces = _Pieces()
        yield pieces
        self.write(key, b"".join(pieces.written), guard=guard)

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write the concatenated strips. Raises ObjectMissing, ObjectChanged."""
        bodies = [strip if isinstance(strip, bytes) else self._unchanged(strip) for strip in strips]
        self.write(key, b"".join(bodies), guard=guard)

    def _unchanged(self, key: str) -> bytes:
        seen = self.read(key)
        self.on_read(key)
        if self.read(key) != seen:
            raise ObjectChanged(key)
        return seen

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""
        yield from self.under(prefix)

    def etag(self, key: str) -> str:
        """Return an object's ETag, as S3 makes it for a plain put."""
        return hashlib.md5(self.read(key), usedforsecurity=False).hexdigest()

    def under(self, prefix: str) -> dict[str, bytes]:
        """Return all objects whose keys start with `prefix`."""
        return {key: body for key, body in sorted(self.objects.items()) if key.startswith(prefix)}


class _Pieces:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.written.append(bytes(data))


class FakeLedger:
    """A ledger in dictionaries. `tries_of` returns the tries of a job's slices whose names begin so."""

    def __init__(self) -> None:
        self._submissions: dict[tuple[str, int, int], Submission] = {}
        self._claims: dict[str, tuple[str, int, int]] = {}
        self._witnesses: dict[str, str] = {}
        self._collected: set[tuple[str, int, int]] = set()
        self._failures: dict[tuple[str, int], ShardFailure] = {}
        self._halts: dict[str, Halt] = {}
        self.tries_of: Callable[[str, str], list[str]] = lambda _job_id, _beginning: []

    def begin(self, intent: Submission) -> Submission:
        """Write the intent if there is none or an armed one; return what stands then."""
        standing = self._submissions.get(_key(intent))
        if standing is None or standing.state == "armed":
            self._submissions[_key(intent)] = intent
        return self._submissions[_key(intent)]

    def end_attempt(self, submission: Submission, at: datetime, *, misled: bool = False) -> None:
        """Move `over_at` of the current attempt."""
        self._change_current(submission, over_at=at, misled=misled)

    def accept(self, submission: Submission, batch_id: str) -> Submission:
        """Write the Message Batch's id and its claim, if the attempt is current and the id is free."""
        if batch_id not in self._claims and self._change_current(submission, state="accepted", batch_id=batch_id):
            self._claims[batch_id] = _key(submission)
            self._witnesses[submission.key_print] = batch_id
        return self._submissions[_key(submission)]

    def disown(self, submission: Submission, batch_id: str) -> None:
        """Take an accepted Message Batch back, and drop its claim."""
        standing = self._submissions.get(_key(submission))
        if standing is not None and (standing.attempt, standing.batch_id) == (submission.attempt, batch_id):
            del self._claims[batch_id]
            ruled_out = (batch_id, *submission.ruled_out)
            self._submissions[_key(submission)] = replace(
                standing, state="sent", batch_id=None, misled=True, ruled_out=ruled_out
            )

    def rearm(self, submission: Submission) -> None:
        """Make the current attempt armed."""
        self._change_current(submission, state="armed")

    def witness(self, key_print: str) -> str | None:
        """Return the last Message Batch of a key."""
        return self._witnesses.get(key_print)

    def rule_out(self, submission: Submission, batch_ids: Sequence[str]) -> None:
        """Remember which Message Batches are others'."""
        self._change_current(submission, ruled_out=tuple(batch_ids))

    def submission(self, job_id: str, shard: int, round_number: int) -> Submission | None:
        """Return one submission."""
        return self._submissions.get((job_id, shard, round_number))

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""
        return [sent for key, sent in sorted(self._submissions.items()) if key[0] == job_id]

    def tries_left(self, job_id: str, shard: int, round_number: int) -> list[str]:
        """Return the tries that the round's leases have."""
        return self.tries_of(job_id, names_of_round(shard, round_number))

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
        """Note that a submission's answers are in the bucket."""
        key = (job_id, shard, round_number)
        self._collected.add(key)
        standing = self._submissions.get(key)
        if standing is not None and standing.collected_at is None:
            self._submissions[key] = replace(standing, collected_at=at)

    def uncollected(self, sent_before: datetime) -> Iterator[Submission]:
        """Yield accepted submissions whose answers are not in the bucket."""
        for key, sent in self._submissions.items():
            if sent.state == "accepted" and key not in self._collected and sent.sent_at < sent_before:
                yield sent

    def is_claimed(self, batch_id: str) -> bool:
        """Return whether a Message Batch belongs to a submission."""
        return batch_id in self._claims

    def claimant(self, batch_id: str) -> Submission | None:
        """Return the submission that a Message Batch belongs to."""
        return self._submissions.get(self._claims[batch_id]) if batch_id in self._claims else None

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""
        return [failure for key, failure in sorted(self._failures.items()) if key[0] == job_id]

    def fail(self, job_id: str, failure: ShardFailure) -> None:
        """Note a failed shard, as the state machine does."""
        self._failures[job_id, failure.shard] = failure

    def halt(self, job_id: str, halt: Halt) -> None:
        """Write why the job asks nothing more; JobCanceled replaces any other reason."""
        standing = self._halts.get(job_id)
        if standing is None or (halt.error == "JobCanceled" != standing.error):
            self._halts[job_id] = halt

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job asks nothing more."""
        return self._halts.get(job_id)

    def lift(self, job_id: str) -> None:
        """Forget the job's halt and its shards' failures."""
        self._halts.pop(job_id, None)
        self._failures = {key: failure for key, failure in self._failures.items() if key[0] != job_id}

    def _change_current(self, submission: Submission, **changes: Any) -> bool:
        standing = self._submissions.get(_key(submission))
        if standing is None or standing.attempt != submission.attempt or standing.state != "sent":
            return False
        self._submissions[_key(submission)] = replace(standing, **changes)
        return True


def _key(submission: Submission) -> tuple[str, int, int]:
    return submission.job_id, submission.shard, submission.round_number


def message(text: str, **fields: Any) -> JsonObject:
    """Return a message as the API writes it."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": usage,
        **fields,
    }


def succeeded(text: str, **fields: Any) -> JsonObject:
    """Return a result that answers with `text`."""
    return {"type": "succeeded", "message": message(text, **fields)}


def errored(kind: str, text: str = "no") -> JsonObject:
    """Return a result with an error, nested twice as the API does."""
    return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": text}}}


def echo(request: JsonObject) -> JsonObject:
    """Answer each request with its own prompt."""
    return succeeded(f"re: {request['params']['messages'][0]['content']}")


class FakeBatchApi:
    """The Message Batches API in a dictionary; batches end when `finish` is called, and are created at `time`.

    `in_turn`, if given, makes the results instead of `result_of`: it is told how often the row was asked before.
    `refuse_next` is raised by the next create instead of its work, `lose_next` after it; `unreachable` by every other
    call while it is set, `unreadable` by every results download. `spoil` changes the lines of a results download;
    what is in `unlisted` exists, and the list does not show it yet. `skew` is its clock less ours.
    """

    def __init__(
        self,
        *,
        result_of: Callable[[JsonObject], JsonObject] = echo,
        in_turn: Callable[[JsonObject, int], JsonObject] | None = None,
        seed: int = 0,
    ) -> None:
        self.created: dict[str, list[JsonObject]] = {}
        self.bodies: dict[str, bytes] = {}
        self.ended: set[str] = set()
        self.cancels: list[str] = []
        self.unlisted: set[str] = set()
        self.time = START
        self.workspace = ""
        self.key_print = "print"
        self.skew: timedelta | None = timedelta()
        self.calls = 0
        self.reads = 0
        self.refuse_next: BaseException | None = None
        self.lose_next: BaseException | None = None
        self.unreachable: Exception | None = None
        self.unreadable: Exception | None = None
        self.betas: list[tuple[str, ...]] = []
        self.spoil: Callable[[list[bytes]], list[bytes]] = lambda lines: lines
        self._created_at: dict[str, datetime] = {}
        self._canceled: set[str] = set()
        self._result_of = result_of
        self._in_turn = in_turn
        self._random = random.Random(seed)

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        """Take a create. Raises SubmissionRefused for a body that is none."""
        self.calls += 1
        if self.refuse_next:
            refusal, self.refuse_next = self.refuse_next, None
            raise refusal
        text = b"".join(body)
        requests = _requests_of(text)
        batch_id = f"msgbatch_{len(self.created)}"
        self.created[batch_id], self.bodies[batch_id] = requests, text
        self.betas.append(betas)
        self._created_at[batch_id] = self.time
        if self.lose_next:
            loss, self.lose_next = self.lose_next, None
            raise loss
        return self._view(batch_id)

    def finish(self) -> None:
        """End every Message Batch."""
        self.ended.update(self.created)

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost."""
        self._read()
        if batch_id not in self.created:
            raise MessageBatchLost(batch_id)
        return self._view(batch_id)

    def newest_first(self) -> Iterator[MessageBatch]:
        """Yield what was created, newest first."""
        self._read()
        for batch_id in reversed(self.created):
            if batch_id not in self.unlisted:
                yield self._view(batch_id)

    def clock_offset(self, now: datetime) -> timedelta | None:
        """Return `skew`, whatever the time."""
        del now
        return self.skew

    def cancel(self, batch_id: str) -> None:
        """Cancel what has not ended: it is canceling until it ends, and no row is answered. Raises MessageBatchLost."""
        self._read()
        if batch_id not in self.created:
            raise MessageBatchLost(batch_id)
        self.cancels.append(batch_id)
        if batch_id not in self.ended:
            self._canceled.add(batch_id)

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the shuffled results in small blocks. Raises ResultsIncomplete before the end."""
        self.reads += 1
        if self.unreadable:
            raise self.unreadable
        if batch.results_url is None:
            raise ResultsIncomplete(batch.id)
        lines = [
            msgspec.json.encode({"custom_id": request["custom_id"], "result": self._result(batch.id, request)}) + b"\n"
            for request in self.created[batch.id]
        ]
        self._random.shuffle(lines)
        text = b"".join(self.spoil(lines))
        yield from (text[start : start + BLOCK] for start in range(0, len(text), BLOCK))

    def _read(self) -> None:
        self.reads += 1
        if self.unreachable:
            raise self.unreachable

    def _view(self, batch_id: str) -> MessageBatch:
        ended = batch_id in self.ended
        created_at = self._created_at[batch_id].isoformat()
        return MessageBatch(
            id=batch_id,
            processing_status="ended" if ended else "canceling" if batch_id in self._canceled else "in_progress",
            request_counts=self._counts(batch_id),
            created_at=created_at,
            ended_at=created_at if ended else None,
            results_url=f"https://api.example/{batch_id}/results" if ended else None,
        )

    def _result(self, batch_id: str, request: JsonObject) -> JsonObject:
        if batch_id in self._canceled:
            return {"type": "canceled"}
        if self._in_turn is None:
            return self._result_of(request)
        return self._in_turn(request, self._asked_before(batch_id, request["custom_id"]))

    def _asked_before(self, batch_id: str, custom_id: str) -> int:
        earlier = list(self.created)[: list(self.created).index(batch_id)]
        return sum(request["custom_id"] == custom_id for one in earlier for request in self.created[one])

    def _counts(self, batch_id: str) -> RequestCounts:
        requests = self.created[batch_id]
        if batch_id not in self.ended:
            return RequestCounts(processing=len(requests))
        fates = [self._result(batch_id, request)["type"] for request in requests]
        known = {fate: fates.count(fate) for fate in ("succeeded", "canceled", "expired")}
        return RequestCounts(errored=len(requests) - sum(known.values()), **known)


def _requests_of(body: bytes) -> list[JsonObject]:
    try:
        requests: list[JsonObject] = msgspec.json.decode(body)["requests"]
    except msgspec.DecodeError as error:
        raise SubmissionRefused(str(error)) from error
    ids = [request["custom_id"] for request in requests]
    if not ids or len(set(ids)) < len(ids):
        message = "requests: at least one, and each custom_id once"
        raise SubmissionRefused(message)
    return requests


class FakeJobStarter:
    """Remembers the executions that were started, by name."""

    def __init__(self) -> None:
        self.started: dict[str, UploadRecord] = {}

    def start(self, upload: UploadRecord) -> bool:
        """Start an execution; False if it was started before."""
        if upload.execution_name in self.started:
            return False
        self.started[upload.execution_name] = upload
        return True


class FakeClock:
    """A clock that moves when told. `looks` is how often `remaining` still says that there is time; None: always."""

    def __init__(self, *, looks: int | None = None) -> None:
        self.time = START
        self.looks = looks

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.time += timedelta(seconds=seconds)

    def remaining(self) -> float:
        """Return 900 seconds while there is time, else none."""
        if self.looks is None:
            return 900.0
        self.looks -= 1
        return 900.0 if self.looks >= 0 else 0.0
