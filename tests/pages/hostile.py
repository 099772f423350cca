"""A job whose every text comes from an enemy: names, recipe, cells and answers."""

from __future__ import annotations

import json

from batchdrop.adapters.pages.html_pages import HtmlPages
from tests.fakes import FakeBatchApi, errored, succeeded
from tests.jobs import World

TEXTS = (
    "<script>document.title='owned'</script>",
    "</style><script>document.title='owned'</script>",
    "<img src=https://evil.example/x onerror=\"document.title='owned'\">",
    "<svg/onload=document.title='owned'><a xlink:href='javascript:alert(1)'>",
    "{{7*7}} {% raw %} ${7*7} #{7*7}",
    '"><iframe src=https://evil.example>',
    "\u202ereversed\u2066inside",
    "null\x00byte\x07bell",
    "<!--", "]]>", "&lt;b&gt;", "</title></svg></table>", "' onmouseover='x",
    "x" * 100_000,
)  # fmt: skip
NAME = "</style><img src=x onerror=alert(1)>\u202e{{7*7}}"


def hostile_job() -> World:
    """Return a job that ended: each text is a cell and an answer, in a column with such a name."""
    recipe = json.dumps(
        {
            "model": "claude-<script>alert(1)</script>",
            "system": TEXTS[1],
            "dedupe": False,
            "prompt": "{{ x }} </pre><script>document.title='owned'</script> " + TEXTS[6],
            "answer": {
                "<b>label</b>\u202e": {"enum": [text[:200].replace("\x00", "") for text in TEXTS[:7]]},
                "t": "string",
            },
        }
    )
    rows = [json.dumps({"x": text, NAME: text}) for text in TEXTS for _ in range(2)]
    world = World(pages=HtmlPages()).drop(
        f"inbox/r/{NAME}.jsonl".replace("/style", "style"), "\n".join(rows).encode(), recipe=recipe
    )
    asked: list[str] = []

    def result(request: dict[str, object]) -> dict[str, object]:
        if request["custom_id"] not in asked:
            asked.append(str(request["custom_id"]))
        text = TEXTS[asked.index(str(request["custom_id"])) // 2]
        if asked.index(str(request["custom_id"])) % 2:
            return errored("evil_error", text)
        label = text[:200].replace("\x00", "")
        return succeeded(json.dumps({"<b>label</b>\u202e": label, "t": text}), model="claude-<script>")

    world.api = FakeBatchApi(result_of=result)
    world.run()
    return world
