"""The workflow for GitHub Actions is YAML, and the commands that it runs exist."""

from __future__ import annotations

import yaml

from tests.docs.pages import blocks, read_page
from tests.docs.test_inline_commands import unknown
from tests.project import ROOT


def test_the_workflow_runs_commands_that_exist() -> None:
    """With options that they have; it may ask for a role, and nothing of it is a secret."""
    [block] = blocks(read_page(ROOT / "docs" / "ci.md"), "yml")
    workflow = yaml.safe_load(block.text)
    assert workflow["permissions"] == {"id-token": "write", "contents": "read"}
    runs = [step["run"] for step in workflow["jobs"]["label"]["steps"] if "run" in step]
    ours = [run for run in runs if run.startswith("batchdrop ")]
    assert len(ours) == 2
    assert [unknown(run) for run in ours] == ["", ""]
    assert "secrets." not in block.text
