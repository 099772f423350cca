"""Open a token counter for `check --exact`: the real service, or the emulator for the time of the check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from batchdrop.cli.run.service import Service
from batchdrop.split.ports import TokenCounter

EMULATOR_KEY = "sk-emulator"  # the emulator accepts any key


@contextmanager
def token_counter(service: Service, betas: tuple[str, ...] = ()) -> Iterator[TokenCounter]:
    """Yield a counter on the service, or on the emulator if the service has no URL."""
    from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter

    if service.base_url is not None:
        counter = AnthropicTokenCounter(**service.access(), betas=betas)
        with closing(counter):
            yield counter
        return
    from batchdrop.local.claude_api.testing import running_emulator

    with (
        running_emulator(speed=1) as emulator,
        closing(AnthropicTokenCounter(api_key=EMULATOR_KEY, base_url=emulator.base_url, betas=betas)) as counter,
    ):
        yield counter
