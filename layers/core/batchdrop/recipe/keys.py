"""The keys of a recipe: types, defaults and descriptions. `docs/recipe.schema.json` is generated from them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from batchdrop.recipe.duration import duration_named
from batchdrop.recipe.file_keys import Input, Keys, Output
from batchdrop.recipe.pack_keys import GroupedPack, PackRows
from batchdrop.recipe.save_keys import Save

DEFAULT_ROUNDS = 3
MAX_ROUNDS = 10  # ours: a row that failed ten times needs a person
MAX_SAMPLE = 10_000  # ours: nobody reads more answers before approving; they fit into one shard
MAX_INVALID = 5  # ours: each retry is paid, and the sixth rarely succeeds where five failed
MAX_REMEMBERED = timedelta(days=365)  # ours: the lifecycle rule of `answers/` deletes what is older

Caching = bool | Literal["auto"]  # of the prompt cache


def is_template(text: str) -> bool:
    """Return whether a text is filled in for each row."""
    return "{{" in text or "{%" in text


class System(Keys, frozen=True, kw_only=True):
    """The system prompt; `cache` says whether the API's prompt cache may keep the parts that all rows share."""

    text: Annotated[str, Meta(description="The system prompt: plain text, the same for all rows.")]
    cache: Annotated[
        Caching,
        Meta(
            description="The prompt cache for the parts that all rows share. 'auto': where it saves; true: always "
            "where it saves anything; false: never.",
        ),
    ] = "auto"


class Turn(Keys, frozen=True, kw_only=True):
    """One message of a conversation; `content` is a template."""

    role: Annotated[Literal["user", "assistant"], Meta(description="Roles alternate; the first and last are 'user'.")]
    content: Annotated[str, Meta(description="The message: a template.", examples=["Review: {{ review }}"])]


class Example(Keys, frozen=True, kw_only=True):
    """A row and the answer it should get. The model sees it before each row."""

    row: Annotated[dict[str, Any], Meta(description="The cells that the prompt uses.", examples=[{"review": "Fine."}])]
    answer: Annotated[
        Any,
        Meta(description="The answer: text, or a mapping of the answer's fields.", examples=[{"label": "positive"}]),
    ]


class Attach(Keys, frozen=True, kw_only=True):
    """A column whose cells name a file to send with the request."""

    column: Annotated[
        str, Meta(description="The column: keys under files/ in the bucket, or https:// URLs.", examples=["path"])
    ]
    kind: Annotated[
        Literal["document", "image"], Meta(description="The files are documents (PDF or text), or images.")
    ] = msgspec.field(name="as")


class Retry(Keys, frozen=True, kw_only=True):
    """Which paid answers to request again."""

    max_tokens: Annotated[
        Literal["x2"] | None, Meta(description="'x2': a cut answer is requested once more, with twice the limit.")
    ] = None
    invalid: Annotated[
        int,
        Meta(ge=0, le=MAX_INVALID, description="How often to request an answer again, at most, if it breaks 'answer'."),
    ] = 0


class Escalate(Keys, frozen=True, kw_only=True):
    """Which paid answers to replace by those of another model."""

    to: Annotated[
        str, Meta(description="The model that answers these rows again, once.", examples=["claude-sonnet-5-5"])
    ]
    when: Annotated[
        str | list[str],
        Meta(
            description="Which answers: comparisons of answer fields, or statuses (invalid, refusal, max_tokens, "
            "empty, model_context_window_exceeded). One entry of a list is enough.",
            examples=["confidence < 0.8", ["invalid", "refusal", "max_tokens"]],
        ),
    ]


class FailIf(Keys, frozen=True, kw_only=True):
    """When a job counts as failed, although each of its shards succeeded."""

    answered_below: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="The job fails if fewer of its rows are answered: a share of all rows that are not rejected.",
            examples=[0.9],
        ),
    ]


class Sample(Keys, frozen=True, kw_only=True):
    """The rows to answer first. The other rows wait for `batchdrop approve`."""

    rows: Annotated[
        int, Meta(ge=1, le=MAX_SAMPLE, description="How many of the file's rows to answer first.", examples=[50])
    ]
    random: Annotated[
        bool, Meta(description="Draw the rows at random from the whole file; else they are the file's first rows.")
    ] = False
    continue_under_usd: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(
            description="Continue without approval if the whole file is projected to cost at most this many dollars.",
            examples=[5],
        ),
    ] = None
    lane: Annotated[
        Literal["auto", "batch", "live"],
        Meta(description="The sample's lane; 'auto': live up to 'live_rows' rows, else batch."),
    ] = "auto"


class Recipe(Keys, frozen=True, kw_only=True):
    """The question to send for each row of a file.

    It has either `prompt` or `messages`. With `input: files`, each dropped file is one row. `answer` is None for a text
    answer in one column. `max_rounds` limits how often a row is sent while it fails with transient errors; failures are
    not billed.
    """

    model: Annotated[
        str,
        Meta(
            description="The model's id; or a template, such as '{{ model }}', for a model per row.",
            examples=["claude-haiku-5-5"],
        ),
    ]
    prompt: Annotated[
        str | None,
        Meta(
            description="The question for each row: a template with the row's columns.",
            examples=["Classify this review: {{ review }}"],
        ),
    ] = None
    messages: Annotated[
        list[Turn] | None, Meta(description="A conversation, instead of 'prompt'; each content is a template.")
    ] = None
    max_tokens: Annotated[
        Annotated[int, Meta(ge=1)] | str,
        Meta(
            description="The most tokens an answer may have; or a template, such as '{{ max_tokens }}', per row.",
            examples=[256],
        ),
    ] = 1024
    system: Annotated[
        str | System | None,
        Meta(description="The system prompt: text, or {text, cache}.", examples=["You label product reviews."]),
    ] = None
    examples: Annotated[
        list[Example], Meta(description="Rows and the answers they should get; the model sees them before each row.")
    ] = msgspec.field(default_factory=list)
    answer: Annotated[
        dict[str, Any] | None,
        Meta(
            description="The answer's fields, one column each; or {schema: file.json}. Default: one text.",
            examples=[{"label": {"enum": ["positive", "negative"]}, "confidence": "number"}, {"schema": "review.json"}],
        ),
    ] = None
    attach: Annotated[
        Attach | list[Attach], Meta(description="Columns whose cells name files to send with the request.")
    ] = msgspec.field(default_factory=list)
    params: Annotated[
        dict[str, Any],
        Meta(
            description="Any other parameter of the Messages API, passed through unchanged.",
            examples=[{"output_config": {"effort": "low"}}],
        ),
    ] = msgspec.field(default_factory=dict)
    betas: Annotated[
        list[str],
        Meta(description="Betas of the API, sent as the header anthropic-beta.", examples=[["output-300k-2026-03-24"]]),
    ] = msgspec.field(default_factory=list)
    input: Annotated[
        Input | Literal["files"],
        Meta(description="How to read the upload; 'files': each dropped file is one row."),
    ] = Input()
    output: Annotated[Output, Meta(description="How to write the output.")] = Output()
    lane: Annotated[
        Literal["auto", "batch", "live"],
        Meta(
            description="'batch': half the price, minutes to 24 h; 'live': seconds; 'auto': by 'live_rows'.",
            examples=["batch"],
        ),
    ] = "auto"
    live_rows: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="With 'lane: auto': the most requests that still use the live lane; 200 by default."),
    ] = None
    finish_within: Annotated[
        str | None,
        Meta(
            description="After this time since the upload, open rows move to the live lane: 90s, 30m, 6h, 1d.",
            examples=["6h"],
        ),
    ] = None
    on_leftovers: Annotated[
        Literal["batch", "live"],
        Meta(description="'live': if a round leaves few rows unanswered, they are sent through the live lane."),
    ] = "batch"
    max_cost_usd: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="The most that all answers of the job may cost, in dollars; the job stops before that.",
            examples=[5],
        ),
    ] = None
    on_bad_row: Annotated[
        Literal["skip", "stop"],
        Meta(description="A row that cannot be sent is skipped, or it stops the job before anything is sent."),
    ] = "skip"
    on_empty: Annotated[
        Literal["send", "skip", "reject"],
        Meta(description="A row in which all columns of the prompt are empty is sent, skipped, or rejected."),
    ] = "send"
    max_rounds: Annotated[
        int,
        Meta(ge=1, le=MAX_ROUNDS, description="How often to send a row at most while it fails with transient errors."),
    ] = DEFAULT_ROUNDS
    retry: Annotated[Retry, Meta(description="Which paid answers to request again.")] = Retry()
    escalate: Annotated[
        Escalate | None,
        Meta(
            description="Which answers another model gives again, once.",
            examples=[{"to": "claude-sonnet-5-5", "when": "confidence < 0.8"}],
        ),
    ] = None
    fail_if: Annotated[
        FailIf | None,
        Meta(
            description="When the job counts as failed; by default, only if no row at all is answered.",
            examples=[{"answered_below": 0.9}],
        ),
    ] = None
    dedupe: Annotated[
        bool | None,
        Meta(
            description="Whether identical requests are sent once; by default, only if 'answer' names fields.",
            examples=[False],
        ),
    ] = None

    gold: Annotated[
        dict[str, str],
        Meta(
            description="Columns of the file that hold the right answer for some rows, by the answer's field. They are "
            "never sent; the summary says how many answers are right.",
            examples=[{"label": "expected_label"}],
        ),
    ] = msgspec.field(default_factory=dict)

    sample: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_SAMPLE)] | Sample | None,
        Meta(
            description="How many rows to answer first; the rest waits for 'batchdrop approve', or for a low cost.",
            examples=[50, {"rows": 50, "continue_under_usd": 5}],
        ),
    ] = None

    save: Annotated[
        Save | None,
        Meta(
            description="Search for a cheaper model that agrees with the recipe's own on most rows, before the file is "
            "sent: 'batchdrop save'.",
            examples=[{"keep": 0.98, "try": ["claude-haiku-5-5"]}],
        ),
    ] = None

    pack: Annotated[
        PackRows | GroupedPack | None,
        Meta(
            description="How many rows share one request, so that the instruction in 'system' is paid once for all of "
            "them; 'auto': as many as are measured to pay. A mapping: rows about the same text share a request.",
            examples=[20, "auto", {"rows": 20, "by": "contract_id", "shared": "{{ contract }}"}],
        ),
    ] = None

    remember: Annotated[
        str | None,
        Meta(
            description="How long answers are kept, and used for equal rows of later files at no cost: 365d at most. "
            "Not at all by default.",
            examples=["90d"],
        ),
    ] = None

    subject: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="The column that says whom a row is about: 'batchdrop forget --subject' finds its rows.",
            examples=["customer_id"],
        ),
    ] = None

    pilot: Annotated[
        bool | None,
        Meta(
            description="Whether the first request is sent alone, to prove the recipe; by default from 1,000 requests, "
            "and where the prompt cache saves.",
            examples=[False],
        ),
    ] = None

    @property
    def pack_rows(self) -> int | Literal["auto"] | None:
        """Return how many rows may share a request; None if each is sent alone."""
        return self.pack.rows if isinstance(self.pack, GroupedPack) else self.pack

    @property
    def grouped(self) -> GroupedPack | None:
        """Return `pack`, if rows about the same text share requests."""
        return self.pack if isinstance(self.pack, GroupedPack) else None

    @property
    def per_row(self) -> dict[str, str]:
        """Return the templates of `model` and `max_tokens`, as far as they are templates."""
        both = {"model": self.model, "max_tokens": self.max_tokens}
        return {key: value for key, value in both.items() if isinstance(value, str) and is_template(value)}

    @property
    def own_model(self) -> str | None:
        """Return the model of all rows; None if each row has its own."""
        return None if is_template(self.model) else self.model

    @property
    def later_model(self) -> str | None:
        """Return the model of all requests of later rounds; None if they have several."""
        return None if self.escalate else self.own_model

    @property
    def own_tokens(self) -> int | None:
        """Return the `max_tokens` of all rows; None if each row has its own."""
        return self.max_tokens if isinstance(self.max_tokens, int) else None

    @property
    def sampled(self) -> Sample | None:
        """Return `sample` as a mapping."""
        return Sample(rows=self.sample) if isinstance(self.sample, int) else self.sample

    @property
    def cap(self) -> Decimal | None:
        """Return `max_cost_usd` as an exact decimal."""
        return None if self.max_cost_usd is None else Decimal(str(self.max_cost_usd))

    @property
    def remembered_for(self) -> timedelta | None:
        """Return how long answers are used again; None if they are not kept."""
        return None if self.remember is None else duration_named(self.remember)

    @property
    def system_text(self) -> str:
        """Return the system prompt; empty without one."""
        return self.system.text if isinstance(self.system, System) else self.system or ""

    @property
    def caching(self) -> Caching:
        """Return whether the API's prompt cache may keep the parts that all rows share."""
        return self.system.cache if isinstance(self.system, System) else "auto"

    @property
    def attached(self) -> list[Attach]:
        """Return `attach` as a list."""
        return self.attach if isinstance(self.attach, list) else [self.attach]

    @property
    def turns(self) -> list[Turn]:
        """Return the messages' templates, from `messages` or from `prompt`."""
        return [Turn(role="user", content=self.prompt or "")] if self.messages is None else self.messages
