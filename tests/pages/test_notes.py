"""The notes of a job, on its report page."""

from __future__ import annotations

from batchdrop.adapters.pages.html_pages import HtmlPages
from tests.jobs import World


def test_notes_are_on_the_report() -> None:
    """What was found in the file, as text, beside what came of it."""
    recipe = "model: claude-haiku-5-5\nprompt: '{{ x }}'\n"
    world = World(pages=HtmlPages()).drop("inbox/r/f.csv", b"Sales of <b>May</b>\nnr,x\n1,a\n2,b\n", recipe=recipe)
    world.run()
    assert b"Note: <bdi>the header is in line 2, below &#39;Sales of &lt;b&gt;May&lt;/b&gt;&#39;</bdi>" in (
        world.result("report.html")
    )
