"""The manifest: a job's upload, recipe and shards, and the progress of its split."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.answers.columns import Column
from batchdrop.job.upload import InboxKey, parse_inbox_key
from batchdrop.money.cache_plan import CachePlan
from batchdrop.money.estimate import Estimate
from batchdrop.money.prices import PriceTable
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.models import Model
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.row import Cursor

FAILED_FILE = "failed.jsonl"


class UploadRecord(msgspec.Struct, frozen=True):
    """The S3 object of a job, and the input of its execution. `resumes` counts the executions before this one.

    `version` is S3's id of the write, so that a later write of the same key does no harm; empty without versioning.
    `rows_key` is the object with the rows that a retry sends again; empty for the upload itself. A retry has the `key`
    of the first version's upload.
    """

    job_id: str
    bucket: str
    key: str
    etag: str
    size: int
    uploaded_at: datetime
    resumes: int = 0
    version: str = ""
    rows_key: str = ""

    @property
    def execution_name(self) -> str:
        """Return the name of the execution with this input. Step Functions starts a name only once."""
        return f"{self.job_id}-r{self.resumes}" if self.resumes else self.job_id


def file_key(upload: UploadRecord) -> InboxKey:
    """Return the name under which the rows are read: that of the upload, or failed.jsonl for a retry."""
    key = parse_inbox_key(upload.key)
    if not upload.rows_key:
        return key
    return InboxKey(key.recipe, key.name, "jsonl", written=FAILED_FILE)


class ShardItem(msgspec.Struct, frozen=True):
    """One shard, as the manifest keeps it. `requests` is rows minus rejects, duplicates and remembered rows.

    `input_tokens` is the estimate for its requests, `max_output_tokens` the most tokens that their answers may have.
    `worst_usd` is their highest cost at the standard price if the recipe has a `max_cost_usd`, else 0. `remembered`
    counts the rows whose answers came from the answer store, without the duplicates that share them. `borrowed` counts
    the rows that share an answer of an earlier shard, `sampled` those whose answer is in the random sample.
    """

    shard: int
    rows: int
    requests: int
    bytes: int
    input_tokens: int = 0
    max_output_tokens: int = 0
    worst_usd: Decimal = Decimal(0)
    remembered: int = 0
    borrowed: int = 0
    sampled: int = 0


class MapItem(msgspec.Struct, frozen=True):
    """One shard, as the Distributed Map reads it. `shards` counts the job's shards, `lane` is the first round's.

    The lane is stored here, so that every execution of the job sends a round in the same lane.
    """

    shard: int
    shards: int
    requests: int
    lane: Lane


class Draw(msgspec.Struct):
    """How far the rows of a random sample are drawn. `readable` counts the rows that a format can read.

    `cursor` is where the counting continues; None once all are counted.
    """

    readable: int = 0
    cursor: Cursor | None = Cursor()


class Grouping(msgspec.Struct):
    """How far the rows of a grouped job are gathered and sorted, and what their groups are.

    `places` has a number for each run of sorted requests: where the merge of the runs continues, in bytes.
    `is_gathered`: all runs are written. `groups` counts the groups, `packs` the requests if each pack is as large as it
    may be. `shared_tokens` is the estimate of the shared texts of all rows, `repeated_tokens` the part of it that packs
    do not send.
    """

    places: list[int] = []
    is_gathered: bool = False
    groups: int = 0
    packs: int = 0
    shared_tokens: float = 0.0
    repeated_tokens: float = 0.0

    def add(self, counted: Grouping) -> None:
        """Add the groups of another shard."""
        self.groups += counted.groups
        self.packs += counted.packs
        self.shared_tokens += counted.shared_tokens
        self.repeated_tokens += counted.repeated_tokens


class Manifest(msgspec.Struct, kw_only=True):
    """A job. `columns` are the input's own; `recipe` is None for ready-made requests.

    `notes` says what the reader found in the file that is not plain from its name.
    `header` is the part of the file's beginning that a later reader needs. `schema` is the content of the schema file
    that the recipe's `answer` names. `cursor` is where the split continues; None once the whole file is split.
    `longest` is the largest `max_tokens` of rows that have their own. `estimate` is of the shards so far. `prices` and
    `models` are the user's own at the start of the split. `lane` is the lane of the first round. `waves`: the requests
    together might cost more than the cap, so they are sent in waves. `first` limits the requests of the first shards:
    pilots. `cache` is the decision about the prompt cache, made at the end of the split; None without a shared prefix.
    In a grouped job, `blocks` are the file's rows in order, and the shards have their requests by group
    (`grouping`).
    `pays_again`: rows are sent although the answer store may know their answers. `draw` is set by a random sample. Its
    rows are the first shard; each stands in its own place, too, and gets its answer from there.
    """

    upload: UploadRecord
    format: str
    recipe: Recipe | None
    header: str = ""
    columns: list[Column] = []
    notes: list[str] = []
    schema: Any = None
    shards: list[ShardItem] = []
    cursor: Cursor | None = Cursor()
    split_seconds: float = 0.0
    split_ended_at: datetime | None = None
    estimate: Estimate | None = None
    prices: PriceTable | None = None
    models: dict[str, Model] = {}
    longest: int = 0
    lane: Lane = "batch"
    waves: bool = False
    first: list[int] = []
    cache: CachePlan | None = None
    pays_again: bool = False
    blocks: list[ShardItem] = []
    grouping: Grouping | None = None
    draw: Draw | None = None

    @property
    def draws_sample(self) -> bool:
        """Return whether the first shard has rows from anywhere in the file, which stand in other shards, too."""
        return self.recipe is not None and self.recipe.sampled is not None and self.recipe.sampled.random

    @property
    def is_grouped(self) -> bool:
        """Return whether shards have the rows of whole groups, from anywhere in the file."""
        return self.recipe is not None and self.recipe.grouped is not None

    @property
    def sections(self) -> list[ShardItem]:
        """Return the slices of the file, in its order: the shards, or the blocks of a grouped job.

        A random sample is left out: its rows stand in the other shards, too.
        """
        return self.blocks if self.is_grouped else self.shards[1:] if self.draws_sample else self.shards

    @property
    def is_packed(self) -> bool:
        """Return whether rows may share a request."""
        return self.recipe is not None and self.recipe.pack is not None

    @property
    def starts_empty(self) -> bool:
        """Return whether round 0 of each shard sends nothing, because collecting it plans what is sent first."""
        return self.waves or self.is_packed

    @property
    def model(self) -> str | None:
        """Return the recipe's model, or the models that rows name; None for ready-made requests."""
        if self.recipe is None:
            return None
        return self.recipe.own_model or ", ".join(self.estimate.models if self.estimate else ()) or self.recipe.model

    @property
    def rows(self) -> int:
        """Return the number of rows split so far."""
        return sum(section.rows for section in self.sections)

    @property
    def remembered(self) -> int:
        """Return the number of rows that the answer store answered, without their duplicates."""
        return sum(shard.remembered for shard in self.shards)

    @property
    def requests(self) -> int:
        """Return the number of requests split so far."""
        return sum(shard.requests for shard in self.shards)
