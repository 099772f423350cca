"""The page of a running job: drawn now and then, replaced at the end, and never in a poll's way."""

from __future__ import annotations

import pytest

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.finish.show_progress import note_progress, show_progress
from batchdrop.job.job_progress import ShardProgress
from tests.fake_board import FakeProgressBoard
from tests.fakes import START
from tests.jobs import JOB, World, dropped, reviews

PAGE = f"results/r/f/{JOB}/status.html"


def _look(world: World, board: FakeProgressBoard, shard: int = 0, processing: int = 2) -> None:
    progress = ShardProgress(shard, "asked", 0, "batch", world.clock.now(), 2, processing, batch_id="msgbatch_0")
    show_progress(
        JOB, progress, board=board, ledger=world.ledger, store=lambda: world.store, pages=HtmlPages, clock=world.clock
    )


@pytest.fixture
def world() -> World:
    """A job of three shards that is split."""
    world = dropped(reviews(5), rows=2)
    world.pages = HtmlPages()
    world.split()
    return world


def test_a_look_draws_the_page(world: World) -> None:
    """Rows, shards by state, and a page that loads itself again."""
    _look(world, FakeProgressBoard())
    page = world.store.read(PAGE).decode()
    assert '<meta http-equiv="refresh" content="30">' in page
    assert "0 of 5 rows answered" in page
    assert '<td>waiting</td><td class="number">2</td>' in page


def test_many_looks_draw_it_once(world: World) -> None:
    """Within 20 seconds the others only note their own progress; the next drawing tells of all."""
    board = FakeProgressBoard()
    _look(world, board)
    first = world.store.read(PAGE)
    _look(world, board, 1, processing=0)
    assert world.store.read(PAGE) == first
    world.clock.advance(20)
    _look(world, board, 2)
    assert b"2 of 5 rows answered" in world.store.read(PAGE)


@pytest.mark.parametrize("broken", ["board", "store", "pages"])
def test_what_breaks_raises_nothing(world: World, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the ledger, nor the bucket, nor the page itself can fail a poll."""
    board = FakeProgressBoard()
    if broken == "board":
        board.broken = RuntimeError("throttled")
    elif broken == "store":
        monkeypatch.setattr(world.store, "write", _refuse)
    else:
        monkeypatch.setattr(HtmlPages, "status", _refuse)
    _look(world, board)
    note_progress(JOB, ShardProgress(0, "collected", 0, "batch", START), board=board)
    assert PAGE not in world.store.objects


def _refuse(*_args: object, **_options: object) -> None:
    message = "no"
    raise RuntimeError(message)


def test_a_late_look_does_not_cover_the_end(world: World) -> None:
    """A poll that was given up for dead, and draws minutes after the job was closed, changes nothing."""
    board = FakeProgressBoard()
    late = world.clock.now()
    world.clock.advance(60)
    world.close()
    ended = world.store.read(PAGE)
    assert b"report.html" in ended
    world.clock.time = late
    _look(world, board)
    assert world.store.read(PAGE) == ended


def test_a_resumed_job_has_its_page_again(world: World) -> None:
    """What runs after an earlier closing is shown."""
    world.close()
    world.clock.advance(60)
    _look(world, FakeProgressBoard())
    assert b"rows answered" in world.store.read(PAGE)


def test_a_closing_between_the_look_and_the_write_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is closed while the page is made: the page of the end stays."""
    made = HtmlPages.status

    def closing_meanwhile(*args: object) -> bytes:
        world.clock.advance(1)
        world.close()
        return made(*args)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(HtmlPages, "status", closing_meanwhile)
    _look(world, FakeProgressBoard())
    assert b"report.html" in world.store.read(PAGE)


def test_a_report_that_cannot_be_made_costs_only_the_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job still ends with its output and a summary that names no report."""
    monkeypatch.setattr(HtmlPages, "report", _refuse)
    summary = world.run()
    assert summary.status == "succeeded"
    assert summary.outputs.report is None
    assert world.result("output.csv")


def test_every_end_has_its_report(world: World) -> None:
    """The summary names it, and it is there."""
    summary = world.run()
    assert summary.outputs.report == f"results/r/f/{JOB}/report.html"
    report = world.result("report.html").decode()
    assert "5 of 5 rows answered" in report
    assert "estimated $" in report
