"""A bundle: a file of versions that an application ships, for a start without any server.

    {"format": "promptuary-bundle/1",
     "prompts": {"support.triage": {"labels": {"production": 3, "canary": {"split": {"salt": …, "arms": […]}}},
                                    "versions": {"3": {…a lookup's body…}, "4": …}}}}

`labels` contains the version that a label points at, or its split; `latest` is the highest version in the file. Other keys are
ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptuary.client.errors import InvalidBundle
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion, UnusableResponse, read_json, read_version
from promptuary.prompt.split import InvalidSplit, split_from_json

LATEST = "latest"
FORMAT = "promptuary-bundle/1"
_NUMBER = re.compile(r"[1-9][0-9]{0,9}\Z")


@dataclass(frozen=True)
class Bundle:
    """The prompts of a bundle file. Each version is checked when it is used; `warn` reports one that cannot be."""

    prompts: Mapping[str, Mapping[str, Any]]
    warn: Callable[[str], None]

    def find(self, selector: Selector) -> ResolvedVersion | None:
        """Return the version for the selector; None where the file does not have it, or not intact."""
        prompt = self.prompts.get(selector.name)
        if prompt is None:
            return None
        versions, number, arm, split = prompt["versions"], selector.version, None, None
        if number is None:
            newest = max((int(key) for key in versions), default=None)
            number = newest if selector.label == LATEST else prompt["labels"].get(selector.label)
        if isinstance(number, dict):
            split = split_from_json(number["split"])
            arm = split.arm(selector.targeting_key)
            number = arm.version
        body = versions.get(str(number))
        if body is None:
            return None
        try:
            version = read_version(body, selector.name, number)
        except UnusableResponse as error:
            self.warn(f"{selector}: the bundle's version {number} is ignored: {error}")
            return None
        return replace(version, label=selector.label, split=split, variant=None if arm is None else arm.variant)


def read_bundle(path: Path, warn: Callable[[str], None]) -> Bundle:
    """Read a bundle file. `warn` reports a version that cannot be used, when it is looked up.

    Raises:
        InvalidBundle: when it is missing, not JSON, or not of the shape above.
    """
    try:
        body = read_json(path.read_bytes())
    except OSError as error:
        raise InvalidBundle(f"the bundle {path} cannot be read: {error.strerror}") from None
    except UnusableResponse as error:
        raise InvalidBundle(f"the bundle {path} cannot be used: {error}") from None
    if body.get("format", FORMAT) != FORMAT:
        raise InvalidBundle(f"the bundle {path} has the format {body['format']!a}; this release reads '{FORMAT}'")
    prompts = body.get("prompts")
    if not isinstance(prompts, dict):
        raise InvalidBundle(f"the bundle {path} has no `prompts`")
    for name, prompt in prompts.items():
        if not _has_shape(prompt):
            raise InvalidBundle(
                f"the bundle {path}: '{name}' must have `labels` (of numbers or splits) and `versions` (of lookup bodies)"
            )
    return Bundle(prompts, warn)


def _has_shape(prompt: Any) -> bool:
    if (
        not isinstance(prompt, dict)
        or not isinstance(prompt.get("labels"), dict)
        or not isinstance(prompt.get("versions"), dict)
    ):
        return False
    return all(_is_label_target(target) for target in prompt["labels"].values()) and all(
        _NUMBER.match(key) and isinstance(body, dict) for key, body in prompt["versions"].items()
    )


def _is_label_target(target: Any) -> bool:
    """Return whether a value is the target of a label: a version number, or a complete split."""
    if not isinstance(target, dict):
        return type(target) is int and target >= 1
    try:
        split_from_json(target.get("split"))
    except InvalidSplit:
        return False
    return True
