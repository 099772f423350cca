"""Who counts tokens for `check --exact`: the real service, or the emulator, started for as long as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from batchdrop.cli.run.service import Service
from batchdrop.split.ports import TokenCounter

EMULATOR_KEY = "sk-emulator"  # it takes any


@contextmanager
def token_counter(service: Service) -> Iterator[TokenCounter]:
    """Open a counter on the service; on the emulator, where it names none."""
    from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter

    if service.base_url is not None:
        with closing(AnthropicTokenCounter(api_key=service.api_key or "", base_url=service.base_url)) as counter:
            yield counter
        return
    from batchdrop.local.claude_api.testing import running_emulator

    with (
        running_emulator(speed=1) as emulator,
        closing(AnthropicTokenCounter(api_key=EMULATOR_KEY, base_url=emulator.base_url)) as counter,
    ):
        yield counter
