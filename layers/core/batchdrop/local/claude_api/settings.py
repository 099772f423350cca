"""All settings, from the command line or `POST /_control/settings`."""

from typing import Annotated, Literal

import msgspec

MAX_BATCH_REQUESTS = 100_000  # Message Batches: at most 100,000 requests
MAX_BATCH_BYTES = 256_000_000  # Message Batches: 256 MB; decimal, the stricter reading
MAX_MESSAGE_BYTES = 32_000_000  # Messages: 32 MB; decimal, the stricter reading

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The emulator's settings. Seconds are emulated unless noted."""

    speed: NotNegative = 1.0
    """Emulated seconds per real second; 0 stops the clock."""
    seed: int = 0
    """Seed of all chance."""

    batch_seconds: NotNegative = 90.0
    """The duration of a Message Batch, plus its requests / `requests_per_second`."""
    requests_per_second: Positive = 2000.0
    cancel_seconds: NotNegative = 5.0
    """From the cancel call to `ended`."""

    max_batch_requests: int = MAX_BATCH_REQUESTS
    max_batch_bytes: int = MAX_BATCH_BYTES
    max_message_bytes: int = MAX_MESSAGE_BYTES
    most_listed: int = 1000
    """Message Batches in a page of the list, whatever the call's `limit`."""
    batches_rpm: NotNegative = 4000.0
    """Calls per minute to all batches endpoints."""
    queue_limit: int = 500_000
    """Requests in processing, over all Message Batches."""
    messages_rpm: NotNegative = 50_000.0
    """Messages calls per minute, for each model."""
    messages_itpm: NotNegative = 100_000_000.0
    """Uncached input tokens per minute, for each model."""
    messages_otpm: NotNegative = 100_000_000.0
    """Output tokens per minute, for each model."""
    count_tokens_rpm: NotNegative = 2000.0
    """Calls per minute to count_tokens, separate from the other limits."""

    latency_seconds: NotNegative = 0.0
    """Median latency of a Messages call, in real seconds."""
    latency_sigma: NotNegative = 0.0
    """Spread of the lognormal latency; 0 makes it constant."""

    errored_rate: Share = 0.0
    """Share of requests, 0 to 1, that fail by seeded chance with one of `errored_types`."""
    errored_types: list[str] = msgspec.field(default_factory=lambda: ["api_error", "overloaded_error"])
    expired_rate: Share = 0.0
    refusal_rate: Share = 0.0
    max_tokens_rate: Share = 0.0

    unsure_rates: dict[str, Share] = msgspec.field(default_factory=dict)
    """By model: the share of its requests whose answers have numbers in the lower half of their range. Those of its
    other answers are in the top tenth. Numbers of other models are anywhere."""

    error_rates: dict[str, Share] = msgspec.field(default_factory=dict)
    """By model: the share of rows that it answers wrongly. All models that are named here share the right answers,
    which depend on the row's own text alone. Other models answer as they like."""

    pack_missing_rate: Share = 0.0
    """Share of a pack's rows that its answer leaves out."""
    pack_invented_rate: Share = 0.0
    """Share of the packs whose answer has a number that nobody asked for."""
    pack_doubled_rate: Share = 0.0
    """Share of the packs whose answer has a number twice, with different answers if the schema allows them."""
    pack_shuffled_rate: Share = 0.0
    """Share of the packs whose answer has two rows in each other's place."""
    pack_growth: NotNegative = 0.0
    """How fast these rates grow with the rows of a pack: a pack of 20 has (20 / 10) to this power times the rate."""

    warm_hit_rate: Share = 1.0
    """Share of the requests that read a prefix which was written before their Message Batch was created."""
    cold_hit_rate: Share = 0.0
    """The same share while the prefix is cold. Public measurements of Message Batches: almost none reads."""

    strict_schemas: bool = True
    """Refuse JSON schemas that structured outputs do not support (open objects, `minimum`, ...)."""

    accepted_keys: list[str] | None = None
    """Accepted API keys; None accepts any key that is not empty. Other keys get 401."""
    workspaces: dict[str, str] = msgspec.field(default_factory=dict)
    """The workspace of each API key; keys that are not here belong to `wrkspc_default`."""
    unpaid_keys: list[str] = msgspec.field(default_factory=lambda: ["sk-unpaid"])
    """API keys that get 402 billing_error."""
    forbidden_keys: list[str] = msgspec.field(default_factory=lambda: ["sk-forbidden"])
    """API keys that get 403 permission_error."""
    revoked_keys: list[str] = msgspec.field(default_factory=lambda: ["sk-revoked"])
    """API keys that get 401 authentication_error, even if `accepted_keys` has them."""

    provider: Literal["anthropic", "aws"] = "anthropic"
    """`aws`: be Claude Platform on AWS. Calls are signed with SigV4, and no API key is accepted."""
    aws_region: str = "us-east-1"
    """The region that signatures must name."""
    aws_account: str = "000000000000"
    """The account whose workspaces these are, for AWS's messages."""
    aws_credentials: list[str] = msgspec.field(default_factory=lambda: ["AKIDEMULATOR:secret"])
    """Accepted credentials, `KEY:SECRET` or `KEY:SECRET:SESSION_TOKEN`."""
    aws_expired_keys: list[str] = msgspec.field(default_factory=list)
    """Access keys whose session has expired."""
    aws_denied_actions: list[str] = msgspec.field(default_factory=list)
    """IAM actions that the caller's policy does not allow, such as `CreateBatchInference`."""
    aws_workspaces: list[str] | None = None
    """Workspaces that the caller's policy allows; None allows any."""
    aws_skew_seconds: float = 0.0
    """The service's clock less the real one, for the dates of signatures. The emulated clock does not date them."""


def changed(settings: Settings, change: dict[str, object]) -> Settings:
    """Return `settings` with `change` applied; raises msgspec.ValidationError for unknown names or wrong types."""
    return msgspec.convert({**msgspec.to_builtins(settings), **change}, Settings)
