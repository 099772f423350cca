"""Run a job step by step without an execution: each answer is the event of the next invocation.

So each function gets an event with a real job, shard and Message Batch.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import botocore.exceptions

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
RECIPE_KEY = "recipes/invoke.yaml"
FILE_KEY = "inbox/invoke/reviews.csv"
# With a sample, so that there is one to show; it continues by itself, so that no task is left waiting on the stack.
SAMPLE = "lane: batch\nsample: {rows: 4, lane: batch, continue_under_usd: 1}\n"
ROWS = 8
MOST_LOOKS = 600

Event = dict[str, Any]
Invoke = Callable[[str, Event], Any]


class StepError(Exception):
    """A step before the requested function failed; the message says which, and its answer."""


@dataclass
class JobSteps:
    """The steps of one job, for one event: repeated steps find what is already done.

    `invoke` runs a function of the stack, `new_token` returns the token of a waiting task, `pause` waits between two
    polls of a Message Batch.
    """

    invoke: Invoke
    s3: Any
    bucket: str
    new_token: Callable[[], str]
    pause: Callable[[], None]

    def event(self, function: str) -> Event:
        """Return `events/<function>.json`, filled in, after running the steps before it. Raises StepError."""
        given = json.loads((EVENTS / f"{function}.json").read_text(encoding="utf-8"))
        fill: dict[str, Callable[[Event], Event]] = {
            "split_upload": self._fresh_upload,
            "submit_shard": lambda given: given | self._state(0),
            "settle_submission": lambda given: given | self._state(0),
            "poll_batch": lambda given: given | self._submitted(0),
            "collect_results": lambda given: given | self._polled(0),
            "plan_slices": lambda given: given | self._state(0) | {"lane": given["lane"]},
            "answer_requests": self._slice,
            "check_pilot": self._sampled,
            "show_sample": self._sampled,
            "await_approval": lambda _given: {"upload": self._split_upload["upload"], "task_token": self.new_token()},
            "close_job": self._collected,
            "show_progress": lambda given: given | {"job_id": self._submitted(0)["job_id"]},
        }
        return fill[function](given) if function in fill else given

    @cached_property
    def _upload(self) -> Event:
        """Return the job's record of a file in the bucket; uploads it if it is missing."""
        recipe = (ROOT / "examples/recipes/sentiment.yaml").read_text(encoding="utf-8") + SAMPLE
        file = _first_rows(ROOT / "examples/reviews.csv")
        self.s3.put_object(Bucket=self.bucket, Key=RECIPE_KEY, Body=recipe.encode())
        if not self._is_there(len(file)):  # the upload also starts a job on the stack
            self.s3.put_object(Bucket=self.bucket, Key=FILE_KEY, Body=file)
        found = self.s3.head_object(Bucket=self.bucket, Key=FILE_KEY)
        now = datetime.now(UTC)
        return {
            "job_id": f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(5)}",
            "bucket": self.bucket,
            "key": FILE_KEY,
            "etag": found["ETag"].strip('"'),
            "size": found["ContentLength"],
            "uploaded_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _is_there(self, size: int) -> bool:
        try:
            return bool(self.s3.head_object(Bucket=self.bucket, Key=FILE_KEY)["ContentLength"] == size)
        except botocore.exceptions.ClientError:
            return False

    def _fresh_upload(self, given: Event) -> Event:
        """Return the S3 event of another upload of the file; its real event has already started a job."""
        [record] = given["Records"]
        record["eventTime"] = self._upload["uploaded_at"]
        record["s3"]["bucket"] |= {"name": self.bucket, "arn": f"arn:aws:s3:::{self.bucket}"}
        described = {"key": FILE_KEY, "size": self._upload["size"], "eTag": self._upload["etag"]}
        record["s3"]["object"] = {**described, "sequencer": secrets.token_hex(9).upper()}
        return given

    @cached_property
    def _split_upload(self) -> Event:
        """Return the job's upload and its finished split."""
        task = {"upload": self._upload}
        split = self._answer("split_upload", task)
        while not split["finished"]:
            split = self._answer("split_upload", task)
        return {**task, "split": split}

    @cached_property
    def _items(self) -> list[Event]:
        """Return the Map's items."""
        key = f"jobs/{self._split_upload['upload']['job_id']}/shards.json"
        items: list[Event] = json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return items

    def _state(self, shard: int) -> Event:
        """Return a shard's state at the start of its Map child."""
        done = self._split_upload
        split = done["split"]
        return {"job_id": done["upload"]["job_id"], "expires_at": split["expires_at"], **self._items[shard]}

    def _submitted(self, shard: int) -> Event:
        return self._answer("submit_shard", self._state(shard))

    def _polled(self, shard: int) -> Event:
        """Return a shard's state once its Message Batch has ended."""
        state = self._submitted(shard)
        for _ in range(MOST_LOOKS):
            state = self._answer("poll_batch", state)
            if state["ended"]:
                return state
            self.pause()
        raise StepError(f"Message Batch {state['batch_id']} did not end within {MOST_LOOKS} looks")

    def _collect(self, shard: int) -> None:
        self._answer("collect_results", self._polled(shard))

    def _slice(self, given: Event) -> Event:
        """Return the queue's message of a slice, with the token of a waiting task."""
        state = self._state(0) | {"lane": "live"}
        [first, *_] = self._answer("plan_slices", state)["slices"]
        [record] = given["Records"]
        slice_ = {"job_id": state["job_id"], "shard": 0, "round": 0, **first}
        record["body"] = json.dumps({"task_token": self.new_token(), "slice": slice_})
        return given

    def _sampled(self, given: Event) -> Event:
        """Return the state after the sample's shard."""
        self._collect(0)
        done = self._split_upload
        return given | done | {"split": given["split"] | done["split"]}

    def _collected(self, given: Event) -> Event:
        """Return the state after all shards."""
        for item in self._items:
            self._collect(item["shard"])
        return given | {"upload": self._split_upload["upload"]}

    def _answer(self, function: str, event: Event) -> Event:
        answer = self.invoke(function, event)
        if not isinstance(answer, dict) or "errorType" in answer:
            raise StepError(f"{function}, which comes before, answered {json.dumps(answer)[:1_000]}")
        return answer


def _first_rows(path: Path) -> bytes:
    """Return a CSV file's header and its first rows."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(islice(csv.reader(file), 1 + ROWS))
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
