"""The state machine as it is deployed: what `make asl` gives to asl-validator."""

import json
from pathlib import Path

import pytest

from tools.findings import EVERYTHING
from tools.state_machine import complaints, definition_for, filled_in, main


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["plain", "everything"])
def test_nothing_stays_to_be_filled_in(parameters: dict[str, object]) -> None:
    """And a number is one."""
    definition = definition_for(parameters)
    assert "${" not in json.dumps(definition)
    assert definition["States"]["Send every shard"]["MaxConcurrency"] == 40


def test_a_substitution_that_is_missing_is_an_error() -> None:
    """Step Functions would refuse the definition while the stack is created."""
    machine = {"Definition": {"StartAt": "${Nobody}"}, "DefinitionSubstitutions": {"Somebody": "x"}}
    with pytest.raises(KeyError, match="Nobody"):
        filled_in(machine)


def _validator(folder: Path, script: str) -> Path:
    path = folder / "validator"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_complaint_is_told_without_the_name_of_a_temporary_file(tmp_path: Path) -> None:
    """The words are the validator's."""
    told = complaints(_validator(tmp_path, 'echo "$2 is invalid"; exit 1'), {"StartAt": "x"})
    assert told == "the state machine is invalid"


def test_a_validator_that_accepts_everything_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is given a state machine without its first state, too."""
    assert main(str(_validator(tmp_path, "exit 0"))) == 1
    assert "whose first state does not exist" in capsys.readouterr().out
