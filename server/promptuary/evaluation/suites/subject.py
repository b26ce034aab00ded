"""The rules on what a suite evaluates: a prompt under models, or applications, or outputs that are there."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.spec import LocatedError

_OF_PROMPTS = {
    "models": "go with a prompt: an application calls its own",
    "label": "goes with a prompt: an application has a `version`",
}


def subject_errors(suite: JsonObject) -> Iterator[LocatedError]:
    """Yield what is wrong with the subject of a suite."""
    present = [name for name in ("prompt", "target", "outputs") if suite.get(name) is not None]
    if not present:
        yield ("prompt",), "is required: a prompt's name; or `target`, an application; or `outputs`, which are there already"
        return
    if len(present) > 1:
        yield (present[1],), f"is another subject than `{present[0]}`; a suite evaluates one: write two suites"
        return
    if present == ["prompt"]:
        yield from _prompt_errors(suite)
        return
    for name, message in _OF_PROMPTS.items():
        if suite.get(name) and suite.get(name) != "latest":
            yield (name,), message
    if suite.get("outputs") is not None and isinstance(suite.get("repeats"), int) and suite["repeats"] > 1:
        yield ("repeats",), "goes with calls: outputs that are there are the same each time"
    yield from _name_errors(suite.get("target"))


def _prompt_errors(suite: JsonObject) -> Iterator[LocatedError]:
    if suite.get("models") is None:
        yield ("models",), "is required"
    elif suite["models"] == []:
        yield ("models",), "List should have at least 1 item"
    if suite.get("version") is not None:
        yield ("version",), "goes with an application; a prompt's version is chosen by `label`, --prompts or the command line"


def _name_errors(target: Any) -> Iterator[LocatedError]:
    """Yield an error for each application of a list that is called as an earlier one."""
    seen: list[str] = []
    for number, entry in enumerate(target if isinstance(target, list) else ()):
        try:
            spec = entry if isinstance(entry, TargetSpec) else TargetSpec.model_validate(entry)
        except ValidationError:
            continue
        if spec.variant_name in seen:
            yield (
                ("target", number, "name"),
                f"'{spec.variant_name}' is another application already; give each a name or version",
            )
        seen.append(spec.variant_name)
