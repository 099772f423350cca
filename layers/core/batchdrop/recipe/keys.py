"""A recipe's keys: their types, defaults and meaning. `docs/recipe.schema.json` is made from them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

DEFAULT_ROUNDS = 3
MAX_ROUNDS = 10  # ours: what failed ten times for passing reasons needs a person
MAX_SAMPLE = 10_000  # ours: nobody reads more answers before going on; it is one shard
MAX_INVALID = 5  # ours: each time is paid; what broke five times breaks the sixth

FormatName = Literal["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "txt"]
Compression = Literal["none", "gz", "zst", "bz2"]


class _Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of a recipe."""


class Input(_Keys, frozen=True, kw_only=True):
    """How the upload is read, where its name and its first bytes do not say it."""

    format: Annotated[
        FormatName | None, Meta(description="The file's format, where its name does not end in it.", examples=["csv"])
    ] = None
    encoding: Annotated[
        str | None,
        Meta(
            description="The text's encoding, where it is not UTF-8 and not found out.", examples=["cp1252", "utf-16"]
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        Meta(
            description="What stands between two cells of a CSV line: one character, or 'tab'.", examples=[";", "tab"]
        ),
    ] = None
    sheet: Annotated[
        str | None, Meta(description="The sheet of an xlsx file; its first one by default.", examples=["Reviews"])
    ] = None


class Output(_Keys, frozen=True, kw_only=True):
    """How the output is written; what is not set is as in the input."""

    format: Annotated[FormatName | None, Meta(description="The output's format.", examples=["parquet"])] = None
    compression: Annotated[Compression | None, Meta(description="How the output is packed.", examples=["gz"])] = None
    encoding: Annotated[
        str | None,
        Meta(description="The output's encoding; utf-8-sig lets Excel see UTF-8 in a CSV.", examples=["utf-8-sig"]),
    ] = None
    column: Annotated[
        str | None,
        Meta(description="What the column of a text answer is called; 'answer' by default.", examples=["label"]),
    ] = None
    prefix: Annotated[
        str, Meta(description="What stands before the name of every new column.", examples=["claude_"])
    ] = ""
    escape_formulas: Annotated[
        bool,
        Meta(description="Whether answers that a spreadsheet would run as a formula are made harmless."),
    ] = True


class System(_Keys, frozen=True, kw_only=True):
    """The system prompt; `cache` puts it, and what else all rows share, into the API's prompt cache for an hour."""

    text: Annotated[str, Meta(description="The system prompt: the same for all rows, no template.")]
    cache: Annotated[
        bool, Meta(description="Whether what all rows share goes into the API's prompt cache for an hour.")
    ] = False


class Turn(_Keys, frozen=True, kw_only=True):
    """One message of a conversation; `content` is a template."""

    role: Annotated[
        Literal["user", "assistant"], Meta(description="Who says it; they alternate, 'user' first and last.")
    ]
    content: Annotated[str, Meta(description="What is said: a template.", examples=["Review: {{ review }}"])]


class Example(_Keys, frozen=True, kw_only=True):
    """A row with the answer it should get; shown to the model before each row."""

    row: Annotated[
        dict[str, Any], Meta(description="The cells that the prompt asks for.", examples=[{"review": "Fine."}])
    ]
    answer: Annotated[
        Any,
        Meta(description="The answer: text, or a mapping of the answer's fields.", examples=[{"label": "positive"}]),
    ]


class Attach(_Keys, frozen=True, kw_only=True):
    """A column whose cells name a file that goes into the request."""

    column: Annotated[
        str, Meta(description="The column: files under files/ in the bucket, or https:// addresses.", examples=["path"])
    ]
    kind: Annotated[Literal["document", "image"], Meta(description="What the files are: PDF or text, or pictures.")] = (
        msgspec.field(name="as")
    )


class Retry(_Keys, frozen=True, kw_only=True):
    """Which paid answers are asked again."""

    max_tokens: Annotated[
        Literal["x2"] | None, Meta(description="'x2' asks an answer that was cut once more, with twice the limit.")
    ] = None
    invalid: Annotated[
        int,
        Meta(ge=0, le=MAX_INVALID, description="How often an answer that breaks 'answer' is asked again at most."),
    ] = 0


class Sample(_Keys, frozen=True, kw_only=True):
    """The rows that are asked first: their answers are shown, and the rest waits for `batchdrop approve`."""

    rows: Annotated[
        int, Meta(ge=1, le=MAX_SAMPLE, description="How many rows are asked first: the file's first.", examples=[50])
    ]
    continue_under_usd: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(
            description="Up to which projected cost of the whole file, in dollars, the job goes on by itself.",
            examples=[5],
        ),
    ] = None
    lane: Annotated[
        Literal["auto", "batch", "live"],
        Meta(description="The sample's lane; 'auto': live up to 'live_rows' rows, else batch."),
    ] = "auto"


class Recipe(_Keys, frozen=True, kw_only=True):
    """How to ask about each row of a file.

    Either `prompt` or `messages` says what to ask; with `input: files` each dropped file is a row of its own.
    `answer` is None for a text answer in one column. `max_rounds`: how often a row is asked at most while it fails for
    passing reasons; failures are not billed.
    """

    model: Annotated[str, Meta(description="The model's id.", examples=["claude-haiku-5-5"])]
    prompt: Annotated[
        str | None,
        Meta(
            description="What to ask about each row: a template with the row's columns.",
            examples=["Classify this review: {{ review }}"],
        ),
    ] = None
    messages: Annotated[
        list[Turn] | None, Meta(description="A conversation instead of 'prompt'; each content is a template.")
    ] = None
    max_tokens: Annotated[int, Meta(ge=1, description="The most tokens an answer may have.", examples=[256])] = 1024
    system: Annotated[
        str | System | None,
        Meta(description="The system prompt: text, or {text, cache}.", examples=["You label product reviews."]),
    ] = None
    examples: Annotated[
        list[Example], Meta(description="Rows with the answers they should get, shown to the model before each row.")
    ] = []
    answer: Annotated[
        dict[str, Any] | None,
        Meta(
            description="The answer's fields, a column each; or {schema: file.json}. Without it: one text.",
            examples=[{"label": {"enum": ["positive", "negative"]}, "confidence": "number"}, {"schema": "review.json"}],
        ),
    ] = None
    attach: Annotated[
        Attach | list[Attach], Meta(description="Columns whose cells name files that go into the request.")
    ] = []
    params: Annotated[
        dict[str, Any],
        Meta(
            description="Any other parameter of the Messages API, passed on as it is.",
            examples=[{"output_config": {"effort": "low"}}],
        ),
    ] = msgspec.field(default_factory=dict)
    input: Annotated[
        Input | Literal["files"],
        Meta(description="How the upload is read; 'files': each dropped file is a row of its own."),
    ] = Input()
    output: Annotated[Output, Meta(description="How the output is written.")] = Output()
    lane: Annotated[
        Literal["auto", "batch", "live"],
        Meta(
            description="'batch': half the price, minutes to 24 h; 'live': seconds; 'auto': by 'live_rows'.",
            examples=["batch"],
        ),
    ] = "auto"
    live_rows: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="With 'lane: auto', up to how many requests go through the live lane; 200 by default."),
    ] = None
    finish_within: Annotated[
        str | None,
        Meta(
            description="How long after the upload what is still open goes through the live lane: 90s, 30m, 6h, 1d.",
            examples=["6h"],
        ),
    ] = None
    on_leftovers: Annotated[
        Literal["batch", "live"],
        Meta(description="'live': what a round left over, if it is few, is asked in the live lane next."),
    ] = "batch"
    max_cost_usd: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="What all answers of the job may cost together, in dollars; the job stops before it is passed.",
            examples=[5],
        ),
    ] = None
    on_bad_row: Annotated[
        Literal["skip", "stop"],
        Meta(description="Whether a row that cannot be asked is skipped, or stops the job before anything is sent."),
    ] = "skip"
    max_rounds: Annotated[
        int,
        Meta(ge=1, le=MAX_ROUNDS, description="How often a row is asked at most while it fails for passing reasons."),
    ] = DEFAULT_ROUNDS
    retry: Annotated[Retry, Meta(description="Which paid answers are asked again.")] = Retry()
    dedupe: Annotated[
        bool | None,
        Meta(
            description="Whether rows with the same request are asked once; by default, where 'answer' names fields.",
            examples=[False],
        ),
    ] = None

    sample: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_SAMPLE)] | Sample | None,
        Meta(
            description="How many rows are asked first; the rest waits for 'batchdrop approve', or for a low cost.",
            examples=[50, {"rows": 50, "continue_under_usd": 5}],
        ),
    ] = None

    @property
    def sampled(self) -> Sample | None:
        """Return `sample` as a mapping."""
        return Sample(rows=self.sample) if isinstance(self.sample, int) else self.sample

    @property
    def cap(self) -> Decimal | None:
        """Return `max_cost_usd` in exact dollars."""
        return None if self.max_cost_usd is None else Decimal(str(self.max_cost_usd))

    @property
    def caches(self) -> bool:
        """Tell whether what rows share is written to the API's prompt cache."""
        return isinstance(self.system, System) and self.system.cache

    @property
    def attached(self) -> list[Attach]:
        """Return `attach` as a list."""
        return self.attach if isinstance(self.attach, list) else [self.attach]

    @property
    def turns(self) -> list[Turn]:
        """Return the messages' templates, whichever key gave them."""
        return [Turn(role="user", content=self.prompt or "")] if self.messages is None else self.messages
