"""Keyword sentiment in English and Japanese: fast, and good enough to look plausible."""

import re

_LETTERS = bytes(byte if chr(byte) in "abcdefghijklmnopqrstuvwxyz'" else 32 for byte in range(256))
_ENOUGH = 500  # characters from either end of a long text
_GOOD = b"""
    good great love loved loves excellent amazing wonderful perfect perfectly best happy awesome fantastic nice enjoy
    enjoyed recommend recommended pleased delight delighted delightful superb satisfied
"""
_BAD = b"""
    bad terrible awful hate hated hates worst poor poorly broken broke disappoint disappointed disappointing horrible
    refund useless waste slow annoying fail failed fails failure defective sad angry rude unhappy
"""
_ENGLISH = {**dict.fromkeys(_GOOD.split(), 1), **dict.fromkeys(_BAD.split(), -1)}
_NOT = frozenset(b"not never no don't doesn't didn't isn't wasn't can't won't".split())
_GOOD_JAPANESE = """
    良い 良かった よかった 最高 素晴らし すばらし 満足 おすすめ 好き 便利 気に入 美味し おいし 嬉し 快適 感動
"""
_BAD_JAPANESE = """
    悪い 悪かった 最悪 残念 不満 壊れ ひどい 酷い 嫌い 故障 がっかり 不良 失望 使えない 遅い 二度と
    良くな よくな 好きではな 満足でき
"""
_JAPANESE = {**dict.fromkeys(_GOOD_JAPANESE.split(), 1), **dict.fromkeys(_BAD_JAPANESE.split(), -1)}
_JAPANESE_WORDS = re.compile("|".join(sorted(_JAPANESE, key=len, reverse=True)))


def sentiment(text: str) -> int:
    """Return the good words minus the bad ones; a negation up to two words before inverts an English word."""
    if len(text) > 2 * _ENOUGH:
        text = f"{text[:_ENOUGH]} {text[-_ENOUGH:]}"
    mood = _english(text)
    if text.isascii():
        return mood
    return mood + sum(map(_JAPANESE.__getitem__, _JAPANESE_WORDS.findall(text)))


def _english(text: str) -> int:
    words = text.lower().encode("utf-8", "replace").translate(_LETTERS).split()
    mood = sum(filter(None, map(_ENGLISH.get, words)))
    if _NOT.isdisjoint(words):
        return mood
    for place, word in enumerate(words):
        if word in _ENGLISH and not _NOT.isdisjoint(words[max(0, place - 2) : place]):
            mood -= 2 * _ENGLISH[word]
    return mood
