"""Choose the stack of a console: one on AWS, a running `batchdrop up`, or an embedded one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.run.keep_up import Up, running
from batchdrop.cli.run.running_stacks import running_stacks
from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.stack_in_use import StackInUse


@dataclass(frozen=True, slots=True)
class Where:
    """The options that name a stack; all empty for the one on this machine."""

    stack: str | None
    region: str | None
    endpoint_url: str | None

    @property
    def is_named(self) -> bool:
        """Return whether the user named a stack."""
        return any((self.stack, self.region, self.endpoint_url))


def stack_at(where: Where, service: Service, out: Path, console: Console) -> StackInUse:
    """Return the stack, to be started."""
    if where.is_named or running_stacks():
        return StackInUse(lambda: _found(where))
    return StackInUse(lambda: _own(service, out, console), is_own=True)


@contextmanager
def _found(where: Where) -> Iterator[tuple[Deployment, Callable[[], None]]]:
    yield find_deployment(where.stack, region=where.region, endpoint_url=where.endpoint_url), lambda: None


@contextmanager
def _own(service: Service, out: Path, console: Console) -> Iterator[tuple[Deployment, Callable[[], None]]]:
    with running(Up(service, out, None, service.wait_scale), console) as stack:
        found = find_deployment(stack.options.stack_name, region=None, endpoint_url=stack.endpoint_url)
        yield found, stack.check_alive
