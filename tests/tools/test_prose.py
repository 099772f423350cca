"""`python -m tools.prose`: each rule catches a bad sentence, and lets good ones pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import ROOT
from tools.prose.__main__ import findings, in_page
from tools.prose.findings import prose_of
from tools.prose.markdown import MAX_COLUMNS, long_lines, prose_of_page
from tools.prose.phrases import Phrase, found_phrases, read_phrases
from tools.prose.sentences import MAX_WORDS, long_sentences
from tools.prose.sources import prose_of_source
from tools.prose.style import found_by_proselint

PHRASES = read_phrases()
MEND = Phrase(r"\bmend the\b", ["mend"], "fix", "Mend the key.")


def _messages(text: str, phrases: list[Phrase] = PHRASES) -> list[str]:
    return [one.message for one in found_phrases(prose_of("a.md", text), phrases)]


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.bad)
def test_each_phrase_is_caught(phrase: Phrase) -> None:
    """In its bad sentence, by its own rule; its good sentence passes all rules."""
    assert len(_messages(phrase.bad, [phrase])) == 1
    assert phrase.instead in _messages(phrase.bad, [phrase])[0]
    assert _messages(phrase.good) == []


@pytest.mark.parametrize(
    "bad",
    [
        "What a round holds is let go of only by whoever may send it.",
        "It is only a bell.",
        "Who does not come back for its turn loses it.",
        "Then it is no amount of dollars.",
        "Only one that was given up for dead meets it.",
        "Mend what failed.jsonl has of them.",
        "Tell of one job.",
        "The rows go some hundred together.",
    ],
)
def test_sentences_that_were_here_are_caught(bad: str) -> None:
    """They come from this repository."""
    assert _messages(bad)


@pytest.mark.parametrize(
    "good",
    [
        "Only the attempt that may send a round can release its reservation.",
        "The token only wakes the task. What does it cost? Who is it?",
        "A shard that stops polling loses its place after a few minutes.",
        "There is no alarm. It is no longer sent, and asks a few questions.",
        "`tell of` and `mend` are code.",
    ],
)
def test_plain_sentences_pass(good: str) -> None:
    """The same said plainly; code is not read."""
    assert list(in_page("a.md", good, PHRASES)) == []


def test_a_phrase_over_two_lines_is_found_where_it_starts() -> None:
    """Paragraphs are wrapped; the next item is another sentence."""
    prose = prose_of_page("a.md", "# Title\n\nYou must mend\nthe key.\n\n- mend\n- the key\n")
    assert [one[:2] for one in found_phrases(prose, [MEND])] == [("a.md", 3)]


def test_a_long_line_is_found() -> None:
    """Prose only: not tables, fences, generated blocks, or what cannot be wrapped."""
    words = "word " * 21
    free = (
        f"| {words} |\n```text\n{words}\n```\n<!-- demo:start -->\n{words}\n<!-- demo:end -->\n- `{words}`\n# {words}\n"
    )
    assert [one.line for one in long_lines("a.md", free + words)] == [free.count("\n") + 1]
    assert list(long_lines("a.md", words[:MAX_COLUMNS])) == []


def test_a_long_sentence_is_found() -> None:
    """Items, table cells and parts between colons are sentences of their own."""
    words = "word " * MAX_WORDS
    short = f"{words}. {words}: {words};\n\n- {words}\n- {words}\n\n| {words} {words} |\n"
    found = list(long_sentences(prose_of_page("a.md", f"{short}\nOne more {words}.")))
    assert [(one.line, f"a sentence of {MAX_WORDS + 2} words" in one.message) for one in found] == [(8, True)]


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        ("Read the the file.", "lexical_illusions"),
        ("It is kept for ever.", "archaism"),
        ("It counts a sample for free.", "redundancy"),
        ("At the end of the day it works.", "cliches"),
    ],
)
def test_proselint_reads_pages(bad: str, check: str) -> None:
    """Its own checks are its own business; these show that they run, and where."""
    found = list(found_by_proselint(prose_of_page("a.md", f"# Title\n\n```text\nthe the\n```\n{bad}\n")))
    assert any(check in one.message and one.line == 6 for one in found)


def test_python_is_read_by_its_texts() -> None:
    """Docstrings, comments and messages, also over two lines; names and code are not."""
    source = (
        'def mend(the: str) -> str:\n    """Say a\n\n    You mend\n    the key.\n    """\n'
        '    # mend\n    # the key\n    return mend(the) + f"so mend "\n    "the key {mend} `mend the`"\n'
    )
    prose = prose_of_source("a.py", source)
    assert [one.line for one in found_phrases(prose, [MEND])] == [4, 7, 9]


def test_yaml_and_templates_are_read() -> None:
    """Comments and descriptions of YAML; the words of a page, without its tags."""
    yaml = "Mend the: 1  # mend the\nAlarmDescription: Mend the key.\nName: mend the key\n"
    assert [one.line for one in found_phrases(prose_of_source("a.yaml", yaml), [MEND])] == [1, 2]
    page = '<p class="mend the">{{ mend.the }}{% if mend %}\nmend the</p>'
    assert [one.line for one in found_phrases(prose_of_source("a.html.j2", page), [MEND])] == [2]


def test_the_project_is_clean() -> None:
    """As `make lint` runs it."""
    assert list(findings(ROOT)) == []


def test_findings_name_their_place(tmp_path: Path) -> None:
    """Path and line, for an editor to jump to."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Title\n\nMend it.\n", encoding="utf-8")
    assert [one[:2] for one in findings(tmp_path)] == [("docs/a.md", 3)]
