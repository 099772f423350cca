"""Who runs the account on AWS: troubles of its credentials come and go, and the stack may change its provider."""

from __future__ import annotations

from functools import partial

from tests.faults.schedule import AwsTrouble
from tests.faults.world import World

WELL = {"aws_expired_keys": [], "aws_skew_seconds": 0.0, "aws_denied_actions": [], "aws_workspaces": None}


class Providers:
    """The troubles of a schedule's credentials, and its moves from one provider to the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_calm = False

    def start(self) -> None:
        """Start all that the schedule says."""
        schedule, scheduler = self._world.schedule, self._world.scheduler
        for trouble in schedule.aws_troubles:
            scheduler.start("credentials", partial(self._trouble, trouble), delay=trouble.at)
        for number, at in enumerate(schedule.moved_at):
            scheduler.start("move", partial(self._move, number % 2 == 1), delay=at)

    def calm(self) -> None:
        """End all troubles for good."""
        self._is_calm = True
        if self._world.schedule.on_aws:
            self._world.claude.state.change(dict(WELL))

    def put_back(self, turn: int) -> None:
        """Deploy one provider after the other, a resume each, so that what each of them created is collected."""
        if self._world.schedule.moved_at:
            self._be(is_aws=turn % 2 == 0)

    def _trouble(self, trouble: AwsTrouble) -> None:
        if self._is_calm:
            return
        [name] = trouble.settings
        self._world.log(f"AWS refuses calls: {trouble.settings}")
        self._world.storm.counts[f"AWS: {name}"] += 1
        self._world.claude.state.change(dict(trouble.settings))
        self._world.scheduler.sleep(trouble.seconds)
        self._world.claude.state.change({name: WELL[name]})

    def _move(self, is_back: bool) -> None:  # noqa: FBT001 - for a partial
        if not self._is_calm:
            self._world.storm.counts["moved to another provider"] += 1
            self._be(is_aws=is_back)

    def _be(self, *, is_aws: bool) -> None:
        self._world.log(f"the stack is deployed with Provider={'aws' if is_aws else 'anthropic'}")
        self._world.claude.state.change({"provider": "aws" if is_aws else "anthropic"})
