"""Rate limits: token buckets that refill continuously on the emulated clock, and their headers."""

import math

from batchdrop.local.claude_api.clock import EmulatedClock, rfc3339
from batchdrop.local.claude_api.errors import RATE_LIMIT, ApiError
from batchdrop.local.claude_api.settings import Settings

_MINUTE = 60.0


class Bucket:
    """A token bucket with a capacity of one minute."""

    def __init__(self, clock: EmulatedClock, per_minute: float) -> None:
        """Start full."""
        self._clock = clock
        self.limit = per_minute
        self._level = per_minute
        self._seen = clock.now()

    def level(self) -> float:
        """Return the current level; negative after a debt."""
        now = self._clock.now()
        self._level = min(self.limit, self._level + (now - self._seen) * self.limit / _MINUTE)
        self._seen = now
        return self._level

    def wait_for(self, amount: float) -> float:
        """Return the seconds until `amount` (at most a full bucket) is available; 0 if it is now."""
        if self.limit <= 0:
            return _MINUTE
        lacking = min(amount, self.limit) - self.level()
        return max(0.0, lacking * _MINUTE / self.limit)

    def take(self, amount: float) -> None:
        """Take `amount`; the level may become negative."""
        self._level = self.level() - amount

    def resize(self, per_minute: float) -> None:
        """Change the limit; a full bucket stays full."""
        if per_minute != self.limit:
            full = self.level() >= self.limit
            self.limit = per_minute
            self._level = per_minute if full else min(self._level, per_minute)

    def headers(self, name: str) -> dict[str, str]:
        """Return `anthropic-ratelimit-<name>-*`; reset is when the bucket will be full again."""
        level = self.level()
        filling = (self.limit - level) * _MINUTE / self.limit if self.limit > 0 else _MINUTE
        return {
            f"anthropic-ratelimit-{name}-limit": str(int(self.limit)),
            f"anthropic-ratelimit-{name}-remaining": str(max(0, math.floor(level))),
            f"anthropic-ratelimit-{name}-reset": rfc3339(self._clock.now() + filling),
        }


class ModelLimits:
    """The three buckets of one model in the Messages API."""

    def __init__(self, clock: EmulatedClock, settings: Settings) -> None:
        """Start full."""
        self.requests = Bucket(clock, settings.messages_rpm)
        self.input_tokens = Bucket(clock, settings.messages_itpm)
        self.output_tokens = Bucket(clock, settings.messages_otpm)

    def admit(self, input_tokens: int) -> None:
        """Take a request and its uncached input tokens; cache reads do not count.

        Raises ApiError (429, with retry-after) if the limit is reached.
        """
        _check_room(self.requests, 1, "requests")
        _check_room(self.input_tokens, input_tokens, "input tokens")
        _check_room(self.output_tokens, 1, "output tokens")
        self.requests.take(1)
        self.input_tokens.take(input_tokens)

    def settle(self, output_tokens: int) -> None:
        """Take the output tokens, which are only known after the answer, so the level may become negative."""
        self.output_tokens.take(output_tokens)

    def headers(self) -> dict[str, str]:
        """Return all headers; `tokens` describes the tighter of the two token limits."""
        tight = min((self.input_tokens, self.output_tokens), key=lambda bucket: bucket.level())
        return {
            **self.requests.headers("requests"),
            **tight.headers("tokens"),
            **self.input_tokens.headers("input-tokens"),
            **self.output_tokens.headers("output-tokens"),
        }

    def resize(self, settings: Settings) -> None:
        """Apply changed settings."""
        self.requests.resize(settings.messages_rpm)
        self.input_tokens.resize(settings.messages_itpm)
        self.output_tokens.resize(settings.messages_otpm)


class Limits:
    """All rate limits of the organization."""

    def __init__(self, clock: EmulatedClock, settings: Settings) -> None:
        """Start full."""
        self._clock = clock
        self._settings = settings
        self.batches = Bucket(clock, settings.batches_rpm)
        self.counts = Bucket(clock, settings.count_tokens_rpm)
        self._models: dict[str, ModelLimits] = {}

    def of_model(self, model: str) -> ModelLimits:
        """Return the Messages limits of a model."""
        if model not in self._models:
            self._models[model] = ModelLimits(self._clock, self._settings)
        return self._models[model]

    def admit_batches_call(self) -> None:
        """Take one call to a batches endpoint; raises ApiError (429) with retry-after if the limit is reached."""
        _check_room(self.batches, 1, "requests")
        self.batches.take(1)

    def admit_count(self) -> None:
        """Take one call to count_tokens; raises ApiError (429) with retry-after if the limit is reached."""
        _check_room(self.counts, 1, "token counting requests")
        self.counts.take(1)

    def batches_headers(self) -> dict[str, str]:
        """Return the headers of every response of the batches endpoints."""
        return self.batches.headers("requests")

    def admit_to_queue(self, waiting: int, added: int) -> None:
        """Raise ApiError (429) if `added` requests do not fit into the queue beside the `waiting` ones."""
        if waiting + added > self._settings.queue_limit:
            msg = (
                f"This batch would exceed the limit of {self._settings.queue_limit} batch requests in processing"
                f" ({waiting} are in the queue)."
            )
            raise ApiError(RATE_LIMIT, msg, headers={"retry-after": "60"})

    def resize(self, settings: Settings) -> None:
        """Apply changed settings."""
        self._settings = settings
        self.batches.resize(settings.batches_rpm)
        self.counts.resize(settings.count_tokens_rpm)
        for model in self._models.values():
            model.resize(settings)


def _check_room(bucket: Bucket, amount: float, what: str) -> None:
    wait = bucket.wait_for(amount)
    if wait > 0:
        msg = f"This request would exceed your organization's rate limit of {bucket.limit:g} {what} per minute."
        raise ApiError(RATE_LIMIT, msg, headers={"retry-after": str(math.ceil(wait))})
