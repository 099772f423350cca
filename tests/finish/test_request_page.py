"""The page of a job whose requests are being answered: somebody else draws it, now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from batchdrop.finish.request_page import EVERY, request_page
from tests.fake_board import FakeProgressBoard
from tests.fakes import START, FakeClock


@dataclass
class _Drawer:
    broken: bool = False
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    def request(self, job_id: str, at: datetime) -> None:
        if self.broken:
            raise RuntimeError(job_id)
        self.asked.append((job_id, at))


def test_it_is_asked_for_once_in_a_while() -> None:
    """However many workers have news; each job has its own turns."""
    board, drawer, clock = FakeProgressBoard(), _Drawer(), FakeClock()
    for job_id in ("a", "a", "b"):
        request_page(job_id, board=board, drawer=lambda: drawer, clock=clock)
    clock.advance(EVERY.total_seconds())
    request_page("a", board=board, drawer=lambda: drawer, clock=clock)
    assert drawer.asked == [("a", START), ("b", START), ("a", START + EVERY)]


@pytest.mark.parametrize("broken", ["board", "drawer"])
def test_what_breaks_raises_nothing(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    """A page must not stop a slice; the log says what was wrong."""
    board, drawer = FakeProgressBoard(), _Drawer(broken=broken == "drawer")
    if broken == "board":
        board.broken = RuntimeError("throttled")
    request_page("a", board=board, drawer=lambda: drawer, clock=FakeClock())
    assert "the page of job a could not be requested" in caplog.text
