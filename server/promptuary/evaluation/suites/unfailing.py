"""Scorers of a suite that no output can fail: silently green, so they are refused when a suite is read or stored.

Only configurations by which a scorer passes every output that it gets are named. Cases may have such scorers, because promptfoo
files have them, whose verdicts are kept; suites that were stored before stay as they are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptuary.core.errors import FieldError
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.value_template import has_no_content, split_list
from promptuary.prompt.errors import Invalid

LIMITS = ("cost", "latency", "levenshtein", "perplexity")
"""Types whose threshold is the most that passes: 0 is the strictest."""
_LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
_TEXTS = ("contains", "icontains", "starts-with")
_ASSERTIONS = re.compile(r"[\^$]|\\[bB1-9k]|\(\?(?:[=!]|<[=!])")
_EMPTY_TEXT = "is an empty text, which every output contains"
_REMEDY = "every output passes; leave it out, or record the score alone by `weight: 0`"


def unfailing_scorers(scorers: Sequence[ScorerSpec], place: str = "scorers") -> Iterator[FieldError]:
    """Yield an error for each scorer that no output can fail, at its place in the suite.

    Args:
        scorers: of a suite, or of a set.
        place: of the list.
    """
    for number, spec in enumerate(scorers):
        here = f"{place}.{number}"
        if not spec.inverse:
            yield from (FieldError(f"{here}.{path}", message) for path, message in _errors_of(spec))
        yield from unfailing_scorers(spec.asserts or (), f"{here}.assert")


def _errors_of(spec: ScorerSpec) -> Iterator[tuple[str, str]]:
    if spec.threshold == 0 and spec.weight > 0 and spec.type_name not in (*LIMITS, "javascript", "python", "llm-rubric"):
        yield "threshold", f"is 0, so that {_REMEDY}"
    if spec.type_name in _LISTS:
        yield from ((path, _EMPTY_TEXT) for path in _empty_texts(spec.value))
    elif spec.type_name in _TEXTS and has_no_content(spec.value):
        yield "value", _EMPTY_TEXT
    elif spec.type_name == "regex" and isinstance(spec.value, str) and matches_everything(spec.value):
        yield "value", "matches the empty text, so that it is found in every output"
    elif spec.type_name == "word-count" and isinstance(spec.value, Mapping) and _is_unbounded(spec.value):
        yield "value", "has a min of 0 and no max, which every output has"


def _empty_texts(value: Any) -> Iterator[str]:
    """Yield the paths of the texts in a list that are empty, also of those in a text that stands for a list."""
    if isinstance(value, list):
        yield from (f"value.{number}" for number, item in enumerate(value) if has_no_content(item))
    elif isinstance(value, str) and "{{" not in value:
        try:
            empty = "" in split_list(value)
        except Invalid:
            return
        if empty:
            yield "value"
    elif has_no_content(value):
        yield "value"


def matches_everything(pattern: str) -> bool:
    """Return whether a pattern matches at the beginning of every text: without assertions, where it matches an empty text."""
    free = pattern.lstrip("^")
    if "{{" in pattern or _ASSERTIONS.search(free):
        return False
    try:
        return re.match(free, "") is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _is_unbounded(value: JsonObject) -> bool:
    return value.get("max") is None and value.get("min") in (0, "0")
