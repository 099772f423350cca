"""Estimate tokens: about 4 Latin characters or 1 CJK character each, 30 % more for models from 4.7 on."""

from batchdrop.local.claude_api.prices import MODELS

NEW_TOKENISER = 1.3
_CHARS_PER_TOKEN = 4
_FACTORS = {name: 1.0 if model.old_tokens else NEW_TOKENISER for name, model in MODELS.items()}


def count_tokens(text: str, model: str) -> int:
    """Return the estimate, at least 1 for a text that is not empty."""
    if text.isascii():
        plain = (len(text) + _CHARS_PER_TOKEN - 1) // _CHARS_PER_TOKEN
    else:
        # A CJK character has two bytes of UTF-8 beyond its first, so half of these bytes counts the wide characters.
        wide = min(len(text), (len(text.encode("utf-8", "replace")) - len(text)) // 2)
        plain = wide + (len(text) - wide + _CHARS_PER_TOKEN - 1) // _CHARS_PER_TOKEN
    return int(plain * _FACTORS[model] + 0.5)


def cut_to_tokens(text: str, limit: int, model: str) -> str:
    """Return the longest prefix of `text` with at most `limit` tokens."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(text[:middle], model) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
