"""The values of a prompt's sensitive variables, wherever a call repeats them."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from promptuary.traffic.redaction.passage import PassageType, PersonalPassage, replace_passages

_SHORT = 4
"""Shorter values are replaced as whole words only, so that `a` does not remove every a."""


def sensitive_pattern(variables: Mapping[str, Any], names: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern of the texts that the values of these variables may be written as; None where there is no value.

    That is the text itself, and as it stands in JSON, in HTML and in a URL; upper and lower case do not matter. Values of lists
    and objects count one by one.
    """
    texts = {text for name in names for leaf in _leaves(variables.get(name)) for text in _written_forms(leaf)}
    alternatives = []
    for text in sorted((text for text in texts if text.strip()), key=len, reverse=True):
        escaped = re.escape(text.strip())
        alternatives.append(rf"(?<!\w){escaped}(?!\w)" if len(text) < _SHORT else escaped)
    return re.compile("|".join(alternatives), re.IGNORECASE) if alternatives else None


def redact_sensitive(text: str, pattern: re.Pattern[str]) -> tuple[str, int]:
    """Return the text without the values that the pattern matches, and how many there were."""
    return replace_passages(text, (PersonalPassage(*match.span(), PassageType.VARIABLE) for match in pattern.finditer(text)))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str):
        yield value
        yield from value.splitlines()
    elif value is not None:
        yield json.dumps(value)


def _written_forms(text: str) -> tuple[str, ...]:
    return (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text), quote(text))
