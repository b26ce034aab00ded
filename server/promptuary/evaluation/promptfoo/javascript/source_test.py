"""The test of a promptfoo file as its JavaScript may read it: `context.test`, where some of it has no place in a case."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from promptuary.evaluation.promptfoo.raw import RawObject

_READS_TEST = re.compile(r"\btest\b(?!\s*\()")


def read_by_code(parts: RawObject, specs: Iterable[RawObject]) -> RawObject:
    """Return the parts of a test that only its code can read; empty where no JavaScript of it reads the test.

    Args:
        parts: of the test, by their names in the file.
        specs: its scorers.
    """
    if not any(_READS_TEST.search(code) for spec in specs for code in _javascript_of(spec)):
        return {}
    plain: RawObject = json.loads(json.dumps(parts, default=str))
    return plain


def _javascript_of(spec: RawObject) -> Iterator[str]:
    value: Any = spec.get("value")
    if spec["type"].removeprefix("not-") == "javascript":
        yield str(value.get("code") if isinstance(value, dict) else value)
    for nested in spec.get("assert") or ():
        yield from _javascript_of(nested)
