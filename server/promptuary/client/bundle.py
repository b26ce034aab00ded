"""A file of versions that an application ships, for a start with no server at all.

    {"prompts": {"support.triage": {"labels": {"production": 3},
                                    "versions": {"3": {…a lookup's body…}}}}}

`labels` says which version a label points at; `latest` is the highest version that the file has. More keys are ignored.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptuary.client.errors import InvalidBundle
from promptuary.client.version import Unusable, Version, read_version
from promptuary.client.wire import Selector

LATEST = "latest"


@dataclass(frozen=True)
class Bundle:
    """The file's prompts, each version checked when it is used."""

    prompts: Mapping[str, Mapping[str, Any]]
    tell: Callable[[str], None]

    def find(self, selector: Selector) -> Version | None:
        """Give the version that the selector means; None when the file does not have it, or not intact."""
        prompt = self.prompts.get(selector.name)
        if prompt is None:
            return None
        versions, number = prompt["versions"], selector.version
        if number is None:
            newest = max((int(key) for key in versions), default=None)
            number = newest if selector.label == LATEST else prompt["labels"].get(selector.label)
        body = versions.get(str(number))
        if body is None:
            return None
        try:
            version = read_version(body, selector.name, number)
        except Unusable as error:
            self.tell(f"{selector}: the bundle's version {number} is passed over: {error}")
            return None
        return replace(version, label=selector.label)


def read_bundle(path: Path, tell: Callable[[str], None]) -> Bundle:
    """Read a bundle file.

    Raises:
        InvalidBundle: when it is missing, not JSON, or not of the shape above.
    """
    try:
        body = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidBundle(f"the bundle {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidBundle(f"the bundle {path} is not JSON") from None
    prompts = body.get("prompts") if isinstance(body, dict) else None
    if not isinstance(prompts, dict):
        raise InvalidBundle(f"the bundle {path} has no `prompts`")
    for name, prompt in prompts.items():
        if not _has_shape(prompt):
            raise InvalidBundle(
                f"the bundle {path}: '{name}' must have `labels` (of numbers) and `versions` (of lookup bodies)"
            )
    return Bundle(prompts, tell)


def _has_shape(prompt: Any) -> bool:
    if (
        not isinstance(prompt, dict)
        or not isinstance(prompt.get("labels"), dict)
        or not isinstance(prompt.get("versions"), dict)
    ):
        return False
    numbers = all(type(number) is int for number in prompt["labels"].values())
    return numbers and all(key.isdecimal() and isinstance(body, dict) for key, body in prompt["versions"].items())
