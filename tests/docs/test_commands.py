"""Every command of the documentation is run: here, beside one stack, or by the test that is named for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.commands import BATCHDROP, USERS_OWN, Command, start
from tests.docs.pages import PAGES, page_name, typed_lines
from tests.docs.walk import Walk
from tests.local.polling import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
WAIT_SCALE = "0.001"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """One `batchdrop up` for all pages, which finds itself."""
    folder = tmp_path_factory.mktemp("docs")
    command = start([BATCHDROP, "up", "--wait-scale", WAIT_SCALE], folder)
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN and "AWS" not in name}
    environment = own | {"XDG_RUNTIME_DIR": str(command.temp_root), "TMPDIR": str(folder)}
    try:
        yield _walk(command, folder, environment)
        command.interrupt()
        assert command.ended() == 0
        command.nothing_is_left()
    finally:
        command.kill_all()


def _walk(command: Command, folder: Path, environment: dict[str, str]) -> Walk:
    def started() -> bool:
        assert command.process.poll() is None, command.output
        return "Ctrl-C" in command.output

    eventually(started, seconds=200, what="the start of `batchdrop up`")
    endpoint, bucket = (_printed(command.output, name) for name in ("AWS endpoint", "bucket"))
    return Walk(endpoint, command.output, bucket, folder, environment)


def _printed(output: str, name: str) -> str:
    found = re.search(rf"^{name} +(\S+)$", output, re.MULTILINE)
    assert found, output
    return found[1]


@pytest.mark.parametrize("page", [page for page in PAGES if typed_lines(page)], ids=page_name)
def test_every_command_of_a_page(up: Walk, page: Path, tmp_path: Path) -> None:
    """In the page's order, in a folder with the files that it names; it shows what the page shows; all jobs succeed."""
    walk = replace(up, folder=tmp_path, job="", shown_jobs=set())
    walk.lay_out()
    for typed in typed_lines(page):
        walk.type(typed)
    walk.ended_well()
