"""Every relative link of the documentation leads somewhere, its #anchor too."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, page_name, prose, read_page
from tests.project import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


@cache
def _anchors_of(page: Path) -> set[str]:
    return anchors(read_page(page))


def broken_links(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere, each with the reason."""
    broken = []
    for link in _LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            broken.append(f"{link}: there is no such file")
        elif anchor and anchor not in (anchors(text) if target == page else _anchors_of(target)):
            broken.append(f"{link}: the page has no such heading")
    return broken


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and anchors; addresses of the web are not asked."""
    assert broken_links(page, read_page(page)) == []


def test_a_broken_link_is_told() -> None:
    """A file that is not there, a heading that is not there; code is no link."""
    text = "# One, two `three`\n[a](faq.md#no-such) [b](gone.md) [c](#one-two-three) `[d](e)`\n```text\n[f](g)\n```\n"
    found = broken_links(ROOT / "docs" / "deploying.md", text.replace("`[d](e)`", ""))
    assert [link.split(":")[0] for link in found] == ["faq.md#no-such", "gone.md"]


def test_every_page_is_in_the_index() -> None:
    """docs/README.md has a line for each page, and one for the decisions."""
    index = read_page(ROOT / "docs" / "README.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
    assert "](adr/)" in index
