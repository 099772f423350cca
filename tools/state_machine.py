"""Check the state machine with asl-validator, as it is deployed: `make asl`.

The definition is checked with the template's substitutions filled in, because `${ShardConcurrency}` is a number only
then. A definition with a mistake is checked, too: a validator that accepts it proves nothing.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.findings import VARIANTS, template_for

STATE_MACHINE = "AWS::StepFunctions::StateMachine"
HOLE = re.compile(r"\$\{(\w+)\}")
NAMES = {"AWS::Partition": "aws"}
ARN = "arn:aws:lambda:us-east-1:111122223333:function:{}"  # of a function; another resource needs only some name


def filled_in(machine: dict[str, Any]) -> dict[str, Any]:
    """Return a state machine's definition with its substitutions. Raises KeyError for one that is not given."""
    values = {name: _value(value) for name, value in machine["DefinitionSubstitutions"].items()}
    text = json.dumps(machine["Definition"])
    for name, value in values.items():
        if value.isdecimal():  # alone in its place, it is a number
            text = text.replace(f'"${{{name}}}"', value)
    definition: dict[str, Any] = json.loads(HOLE.sub(lambda hole: values[hole[1]], text))
    return definition


def _value(value: Any) -> str:
    match value:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return ARN.format(name)
        case {"Ref": str(name)}:
            return NAMES.get(name, name)
        case _:
            return str(value)


def definition_for(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that a stack with these parameters has."""
    resources = template_for(parameters)["Resources"].values()
    [machine] = [one["Properties"] for one in resources if one["Type"] == STATE_MACHINE]
    return filled_in(machine)


def complaints(validator: Path, definition: dict[str, Any]) -> str:
    """Return what the validator says against a definition; empty if it is valid."""
    with tempfile.NamedTemporaryFile("w", suffix=".asl.json", encoding="utf-8") as file:
        json.dump(definition, file)
        file.flush()
        command = [str(validator), "--json-path", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    return "" if done.returncode == 0 else (done.stdout + done.stderr).replace(file.name, "the state machine").strip()


def main(validator: str) -> int:
    """Check the definition of each variant of the template; return the exit code."""
    wrong = [*filter(None, (complaints(Path(validator), definition_for(one)) for one in VARIANTS.values()))]
    broken = definition_for({}) | {"StartAt": "Nowhere"}
    if not complaints(Path(validator), broken):
        wrong.append("asl-validator accepts a state machine whose first state does not exist")
    print("\n".join(wrong) or f"asl-validator: {len(VARIANTS)} variants of the state machine are valid")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
