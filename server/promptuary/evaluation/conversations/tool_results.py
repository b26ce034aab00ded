"""The results of a case's tools: what a call of a tool is answered with, without the tool.

The results of a tool are one value, which answers every call, or a list of entries. An entry with `args` answers every call
whose arguments have these values among them; the first that fits is taken. The others answer the remaining calls in order, one
call each. The name `*` is of all tools that have no results of their own.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.canonical_json import json_equal
from promptuary.prompt.errors import Invalid

ANY_TOOL = "*"
_FIELDS = {"args", "result"}


def tool_results_errors(results: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield what is wrong with the results of tools."""
    for name, entries in results.items():
        if not name:
            yield "a tool has no name"
        for number, entry in enumerate(entries if isinstance(entries, list) else (), 1):
            if not isinstance(entry, dict) or "result" not in entry or entry.keys() - _FIELDS:
                yield (
                    f"entry {number} of '{name}' must be an object of `result` and, where it is for certain arguments, `args`; "
                    "a result that is a list itself is written [{result: […]}]"
                )
            elif "args" in entry and not isinstance(entry["args"], dict):
                yield f"entry {number} of '{name}' has `args` that are no object"
        if entries == []:
            yield f"'{name}' has an empty list of results"


@dataclass
class ToolAnswers:
    """Answers the tool calls of one conversation from its case.

    Attributes:
        results: by the tool's name.
        shows_arguments: whether errors may repeat arguments; not where a sensitive value may be among them.
    """

    results: Mapping[str, JsonValue]
    shows_arguments: bool = True
    _used: Counter[str] = field(default_factory=Counter)

    def answer(self, name: str, arguments: JsonObject) -> str:
        """Return the text with which a call is answered; a result that is no text as JSON.

        Raises:
            Invalid: for a call that the case has no result for.
        """
        key = name if name in self.results else ANY_TOOL
        if key not in self.results:
            raise Invalid(f"the model called the tool '{name}', which has no result in the case: add it to `tool_results`")
        entries = self.results[key]
        if not isinstance(entries, list):
            return _text(entries)
        return _text(self._choose(key, name, entries, arguments))

    def _choose(self, key: str, name: str, entries: Sequence[JsonValue], arguments: JsonObject) -> Any:
        objects = [entry for entry in entries if isinstance(entry, dict)]
        for entry in objects:
            if "args" in entry and _has(arguments, entry["args"]):
                return entry["result"]
        in_order = [entry for entry in objects if "args" not in entry]
        position = self._used[key]
        if position >= len(in_order):
            raise Invalid(self._error(name, len(in_order), arguments))
        self._used[key] += 1
        return in_order[position]["result"]

    def _error(self, name: str, in_order: int, arguments: JsonObject) -> str:
        call = f"the model called the tool '{name}'"
        if self.shows_arguments:
            call += f" with {_text(dict(arguments))[:300]}"
        if not in_order:
            return f"{call}, and no entry of its `tool_results` in the case has these `args`"
        return f"{call} more often than the case has results for it: {in_order} in `tool_results`"


def _has(actual: Any, expected: Any) -> bool:
    """Return whether an object has the expected members, each with the expected value; members inside objects likewise."""
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            name in actual and _has(actual[name], value) for name, value in expected.items()
        )
    return json_equal(actual, expected)


def _text(value: Any) -> str:
    """Return a result as a model gets it: a text as it is, everything else as JSON in its order."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
