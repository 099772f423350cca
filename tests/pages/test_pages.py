"""The pages in a real browser: they render, ask the network for nothing, run nothing, and can be read anywhere."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import pytest
from playwright.sync_api import Page

from tests.pages.compared import compare_page
from tests.pages.conftest import Opener
from tests.pages.example import JOBS, status_page
from tests.pages.hostile import TEXTS, hostile_job

KINDS = (*JOBS, "hostile", "status", "ended", "compare")


@cache
def _page_of(kind: str) -> bytes:
    with ThreadPoolExecutor(1) as pool:  # Playwright's loop runs in this thread, and the live lane wants one of its own
        return pool.submit(_made, kind).result()


def _made(kind: str) -> bytes:
    match kind:
        case "hostile":
            return hostile_job().result("report.html")
        case "compare":
            return compare_page()
        case "status":
            return status_page()
        case "ended":
            return JOBS["live"]().result("status.html")
        case _:
            return JOBS[kind]().result("report.html")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_a_page_is_quiet_and_fits(opened: Opener, kind: str, dark: bool, phone: bool) -> None:  # noqa: FBT001 - a test's parameters
    """No message on the console, no request but for the file itself, no scrolling sideways."""
    seen = opened(_page_of(kind), dark=dark, phone=phone)
    assert seen.console == []
    assert len(seen.requests) == 1
    assert seen.requests[0].startswith("file:")
    assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert seen.page.locator("h1").count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_holds_nothing_that_could_run(opened: Opener, kind: str) -> None:
    """No script, no handler, no frame, no image, nothing from elsewhere; and a policy that would forbid it."""
    seen = opened(_page_of(kind))
    for element in ("script", "iframe", "object", "img", "link", "form", "foreignObject", "svg style", "svg a"):
        assert seen.page.locator(element).count() == 0, element
    attributes = seen.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name + '=' + a.value))"
    )
    assert not [one for one in attributes if one.startswith("on")]
    outside = [one for one in attributes if re.match(r"(href|src|xlink:href|action)=", one)]
    assert not [one for one in outside if re.search(r"=(\w+:|/)", one)], outside
    policy = seen.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy is not None
    assert "default-src 'none'" in policy


def test_the_policy_would_stop_a_script(opened: Opener) -> None:
    """If a text ever came through as markup, the browser would still not run it: these tests can see that, too."""
    body = _page_of("live").replace(b"</main>", b"<script>document.title='owned'</script></main>")
    seen = opened(body)
    assert seen.page.title() != "owned"
    assert seen.console


def test_hostile_text_stays_text(opened: Opener) -> None:
    """Every text is on the page to be read, as text; nothing of it became an element, a template or a direction."""
    seen = opened(_page_of("hostile"))
    seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    text = seen.page.locator("body").inner_text()
    for hostile in TEXTS[:6]:
        assert " ".join(hostile.split()) in " ".join(text.split())
    assert "owned" not in seen.page.title()
    assert "\u202e" not in seen.page.content()
    assert "\\u202ereversed" in text
    assert "null\\u0000byte" in text
    assert len(seen.page.content()) < 400_000
    assert seen.page.locator("b", has_text="label").count() == 0


@pytest.mark.parametrize("kind", list(JOBS))
def test_a_report_is_accessible(opened: Opener, kind: str) -> None:
    """Headings step down one by one, each chart has a name and a table, each table a caption, the page a language."""
    page = opened(_page_of(kind)).page
    assert page.locator("html").get_attribute("lang") == "en"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    charts = page.locator("figure svg")
    for number in range(charts.count()):
        assert charts.nth(number).get_attribute("role") == "img"
        assert charts.nth(number).get_attribute("aria-label")
    assert page.locator("figure").count() == page.locator("figure table caption").count()
    assert page.locator("table").count() == page.locator("table caption").count()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_in_light_and_dark(opened: Opener, dark: bool) -> None:  # noqa: FBT001 - a test's parameter
    """WCAG AA: 4.5 to 1 between text and ground, in both themes; and the themes differ."""
    page = opened(_page_of("succeeded"), dark=dark).page
    ground = _color(page, "main", "body", "backgroundColor")
    assert (sum(ground) < 200) == dark
    for selector in ("h1", ".quiet", ".pill", "a", "dt", "th", ".card h3"):
        card = _color(page, selector, ".card", "backgroundColor")
        assert _contrast(_color(page, selector, selector, "color"), card) >= 4.5, selector
        assert _contrast(_color(page, selector, selector, "color"), ground) >= 4.4, selector


def _color(page: Page, _what: str, selector: str, name: str) -> tuple[float, ...]:
    value: str = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{name}")
    return tuple(float(part) for part in re.findall(r"[\d.]+", value)[:3])


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: tuple[float, ...]) -> float:
    parts = [part / 255 for part in color]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_page_answers_first(opened: Opener) -> None:
    """The result and the answers, then what needs attention, then the cost; the operator's part is folded away."""
    page = opened(_page_of("succeeded")).page
    assert page.locator("h1").inner_text() == "2,919 of 3,000 rows answered"
    heads = [head.inner_text() for head in page.locator("h2").all() if head.is_visible()]
    assert heads == ["Answers", "What needs attention", "What it cost"]
    first_chart = page.locator("figure").first.bounding_box()
    assert first_chart is not None
    assert first_chart["y"] < 400
    page.get_by_text("For the operator").click()
    assert page.get_by_role("heading", name="What was asked").is_visible()
    assert page.get_by_role("heading", name="Tokens and time").is_visible()


def test_a_failed_job_says_cause_and_command_at_once(opened: Opener) -> None:
    """On call: the fault, the command that goes on, and what is not billed again, without scrolling."""
    page = opened(_page_of("failed"), phone=True).page
    for text in ("credit balance is too low", "batchdrop resume ", "are kept and not billed again"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] < 700, text


def test_labels_have_examples_and_a_crosstab(opened: Opener) -> None:
    """Lists are counted, each label has up to three rows, and one column of the file is crossed with the label."""
    page = opened(_page_of("succeeded")).page
    topics = page.locator("figure", has=page.get_by_role("heading", name="topics"))
    topics.get_by_text("Examples").click()
    assert topics.locator(".examples dd").first.locator("p").count() == 3
    table = page.locator(".crosstab")
    assert table.get_by_role("heading").inner_text() == "label by product"
    assert table.locator("tbody tr").count() == 6
    counts = [int(cell.inner_text().replace(",", "")) for cell in table.locator("tbody td:nth-child(2)").all()]
    assert sum(counts) == 2919


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_text_of_other_scripts_keeps_its_place(opened: Opener, phone: bool) -> None:  # noqa: FBT001 - a test's parameter
    """Each name is isolated, so a right-to-left one turns no number around; none is squeezed to a letter a line."""
    page = opened(_page_of("succeeded"), phone=phone).page
    for name in ("غلاية ماء", "電気ケトル"):
        head = page.locator(".crosstab th", has_text=name)
        assert head.locator("bdi").inner_text() == name
        box = head.bounding_box()
        assert box is not None
        assert box["height"] < 60
        count = head.locator("xpath=../td[1]").bounding_box()
        assert count is not None
        assert count["x"] > box["x"]


def test_failures_have_plain_labels(opened: Opener) -> None:
    """Words first; the name for programs is beside them."""
    page = opened(_page_of("succeeded")).page
    heads = [head.inner_text() for head in page.locator(".cards h3").all()]
    assert heads[0] == "The API failed"
    assert "Answers cut at max_tokens" in heads
    assert page.locator(".cards code").first.inner_text() == "api_error"


def test_links_lead_to_the_files_beside_the_page(opened: Opener) -> None:
    """Relative names: the folder can be moved anywhere."""
    page = opened(_page_of("succeeded")).page
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    assert links == ["output.csv", "failed.jsonl", "summary.json"]
