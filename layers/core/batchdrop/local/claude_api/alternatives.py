"""Find the answers that a prompt allows, and choose one for a text."""

import re
from collections.abc import Sequence
from functools import lru_cache

from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.sentiment import sentiment

_WORD = r"[\"'`*「『]?\w[\w\-]*[\"'`*」』]?"
_ONE_OF = re.compile(
    r"\bone of(?: the following)?(?: \w+)?:?\s*[\[({]?\s*"
    rf"({_WORD}(?:\s*(?:,|/|\||\bor\b|\band\b)\s*(?:or\s+)?{_WORD})+)",
    re.IGNORECASE,
)
_OR = " or "
_AFTER_OR = re.compile(_WORD)
_SENTENCE_ENDS = ".:;!?\n"
_CUES = frozenset({"as", "with", "answer", "reply", "respond", "say", "either", "choose", "pick", "is", "only"})
_SLASHES = re.compile(rf"({_WORD}(?:\s?[/|]\s?{_WORD}){{1,9}})")
_JAPANESE_CUE = re.compile(r"(?:の|、)?(?:いずれか|どれか|どちらか|うち)")
_JAPANESE_QUOTED = re.compile(r"[「『](.{1,20}?)[」』]")
_JAPANESE_LEAD = re.compile(r".*[をはがで：。:\n]", re.DOTALL)  # noqa: RUF001 - what comes before the list
_SPLIT = re.compile(
    r"\s*(?:,|/|\||、|，|・|\bor\b|\band\b|または|もしくは)\s*",  # noqa: RUF001 - Japanese commas are meant
    re.IGNORECASE,
)
_QUOTES = "\"'`*「」『』[](){} \n\t"
_LIST = 3  # members that make a list without a cue before it
_WINDOW = 200  # characters before an `or` in which its list may lie

_LABELS = {
    **dict.fromkeys(("positive", "pos", "good", "happy", "ポジティブ", "肯定的", "肯定", "良い"), "positive"),
    **dict.fromkeys(("negative", "neg", "bad", "unhappy", "ネガティブ", "否定的", "否定", "悪い"), "negative"),
    **dict.fromkeys(("neutral", "mixed", "unclear", "ニュートラル", "中立", "中立的", "普通"), "neutral"),
}


@lru_cache(maxsize=512)
def alternatives_in(text: str) -> tuple[str, ...]:
    """Return the answers that `text` allows, in its own spelling; empty if it names none.

    These forms are understood: `one of: a, b, c`; `a, b or c`; `answer a or b`; `a/b/c`; `「a」「b」、cのいずれか`.
    """
    for find in (_after_one_of, _in_japanese, _around_or, _between_slashes):
        words = find(text)
        if words:
            distinct = tuple(dict.fromkeys(filter(None, words)))
            if len(distinct) > 1:
                return distinct
    return ()


def choose(alternatives: Sequence[str], text: str, dice: Dice) -> str:
    """Return the alternative that fits `text`: by sentiment if they are sentiments, else by dice."""
    by_label = _by_label(tuple(alternatives))
    if "positive" not in by_label or "negative" not in by_label:
        return dice.pick(alternatives)
    mood = sentiment(text)
    if mood == 0:
        return by_label.get("neutral") or dice.pick(alternatives)
    return by_label["positive" if mood > 0 else "negative"]


@lru_cache(maxsize=512)
def _by_label(alternatives: tuple[str, ...]) -> dict[str, str]:
    return {_LABELS.get(word.lower(), word): word for word in alternatives}


def _after_one_of(text: str) -> list[str]:
    if "one of" not in text and "One of" not in text:
        return []
    found = _ONE_OF.search(text)
    return _members(found[1]) if found else []


def _in_japanese(text: str) -> list[str]:
    """Return the quoted texts, or those between Japanese commas, before a word for `one of`."""
    if "か" not in text and "うち" not in text:  # much quicker than the search
        return []
    cue = _JAPANESE_CUE.search(text)
    if cue is None:
        return []
    before = text[max(0, cue.start() - _WINDOW) : cue.start()]
    sentence = before.rpartition("。")[2].rpartition("\n")[2]
    quoted = _JAPANESE_QUOTED.findall(sentence)
    return quoted if len(quoted) > 1 else _members(_JAPANESE_LEAD.sub("", sentence))


def _around_or(text: str) -> list[str]:
    """Return the first `a, b or c`, or the first `a or b` after a word that requests an answer."""
    place = text.find(_OR)
    while place >= 0:
        before, cued = _list_before(text[max(0, place - _WINDOW) : place].rstrip(","))
        after = _AFTER_OR.match(text, place + len(_OR))
        if after and (cued or len(before) + 1 >= _LIST):
            return [*before, after[0].strip(_QUOTES)]
        place = text.find(_OR, place + 1)
    return []


def _list_before(window: str) -> tuple[list[str], bool]:
    """Return the members at the end of `window`, and whether a cue or nothing precedes them."""
    sentence = window[max(map(window.rfind, _SENTENCE_ENDS)) + 1 :]
    first, *rest = sentence.split(",")
    singles: list[str] = []
    for piece in reversed(rest):
        words = piece.split()
        if len(words) != 1:
            return [words[-1].strip(_QUOTES), *singles] if words else singles, False
        singles.insert(0, words[0].strip(_QUOTES))
    lead = first.split()
    if not lead:
        return singles, True
    return [lead[-1].strip(_QUOTES), *singles], len(lead) == 1 or lead[-2].lower() in _CUES


def _between_slashes(text: str) -> list[str]:
    if "/" not in text and "|" not in text:
        return []
    for found in _SLASHES.finditer(text):
        words = _members(found[1])
        before = text[: found.start()].split()
        if len(words) >= _LIST or (before and before[-1].lower().rstrip(":") in _CUES):
            return words
    return []


def _members(text: str) -> list[str]:
    return [word.strip(_QUOTES) for word in _SPLIT.split(text)]
