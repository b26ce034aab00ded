"""One row of promptfoo's test tables: variables, and columns with two underscores that have a meaning."""

import re
from collections.abc import Iterator
from typing import Any

from promptuary.evaluation.promptfoo.files import is_code, is_reference
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import Unsupported
from promptuary.evaluation.scorers.value_template import split_list
from promptuary.prompt.errors import Invalid

ASSERTION_TYPES = (
    *("agent-rubric", "answer-relevance", "bleu", "classifier", "contains", "contains-all", "contains-any", "contains-html"),
    *("contains-json", "contains-sql", "contains-xml", "context-faithfulness", "context-recall", "context-relevance"),
    *("conversation-relevance", "cost", "equals", "factuality", "finish-reason", "g-eval", "gleu", "guardrails", "icontains"),
    *("icontains-all", "icontains-any", "is-html", "is-json", "is-refusal", "is-sql", "is-valid-function-call"),
    *("is-valid-openai-function-call", "is-valid-openai-tools-call", "is-xml", "javascript", "latency", "levenshtein"),
    *("llm-rubric", "pi", "meteor", "model-graded-closedqa", "model-graded-factuality", "moderation", "perplexity"),
    *("perplexity-score", "python", "regex", "rouge-n", "ruby", "similar", "similar:cosine", "similar:dot"),
    *("similar:euclidean", "starts-with", "tool-call-f1", "skill-used", "trajectory:goal-success"),
    *("trajectory:tool-args-match", "trajectory:step-count", "trajectory:tool-sequence", "trajectory:tool-used"),
    *("trace-error-spans", "trace-span-count", "trace-span-duration", "search-rubric", "webhook", "word-count"),
)
"""Every type that promptfoo 0.121.20 knows, in the order in which it tries them; each also with `not-`."""
SPECIAL_ASSERTION_TYPES = ("assert-set", "select-best", "max-score", "human")
_EXPECTED = re.compile(rf"^(not-)?({'|'.join(map(re.escape, ASSERTION_TYPES))})(?:\((\d+(?:\.\d+)?)\))?(?::([\s\S]*))?$")
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$")
_CODE = ("javascript:", "fn:", "eval:")
_LISTS = ("contains-all", "contains-any", "icontains-all", "icontains-any")
_WITH_THRESHOLD = (
    *("answer-relevance", "classifier", "context-faithfulness", "context-recall", "context-relevance", "cost", "latency"),
    *("levenshtein", "perplexity-score", "perplexity", "rouge-n", "similar", "starts-with"),
)
_DEFAULT, _SIMILAR = 0.75, 0.8


def parse_row(cells: RawObject, number: int) -> RawObject:
    """Parse a row as a test.

    Raises:
        Unsupported: for a cell that cannot be read.
    """
    test: RawObject = {"vars": {}, "assert": [], "options": {}}
    metadata: RawObject = {}
    thresholds: dict[int, float] = {}
    metric = None
    for column, cell in cells.items():
        key, value = column.strip(), cell if isinstance(cell, str) else str(cell)
        if key.startswith("__expected"):
            if value.strip():
                test["assert"].append(parse_assertion(value.strip()))
        elif key in ("__prefix", "__suffix"):
            test["options"][key.removeprefix("__")] = value
        elif key in ("__description", "__providerOutput"):
            test |= {key.removeprefix("__"): value} if value else {}
        elif key == "__metric":
            metric = value or None
        elif key == "__threshold":
            test |= {"threshold": parsed} if (parsed := parse_number(value)) is not None else {}
        elif key.startswith("__metadata:"):
            metadata |= dict(_metadata(key.removeprefix("__metadata:"), value))
        elif key.startswith("__config:"):
            thresholds |= dict([_threshold(key, value)])
        elif key != "__metadata":
            test["vars"][key] = cell
    for place, assertion in enumerate(test["assert"]):
        assertion |= ({"metric": metric} if metric else {}) | ({"threshold": thresholds[place]} if place in thresholds else {})
    test.setdefault("description", f"Row #{number}")
    return test | ({"metadata": metadata} if metadata else {})


def _metadata(key: str, value: str) -> Iterator[tuple[str, Any]]:
    if not value.strip():
        return
    if key.endswith("[]"):
        yield key.removesuffix("[]"), [part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", value)]
    else:
        yield key, value


def _threshold(key: str, value: str) -> tuple[int, float]:
    """Read `__config:__expected2:threshold`."""
    match = re.fullmatch(r"__config:__expected([1-9]\d*)?:threshold", key)
    parsed = parse_number(value)
    if match is None or parsed is None:
        raise Unsupported(f"the column '{key}' must be __config:__expected[N]:threshold, and have a number")
    return int(match[1] or 1) - 1, parsed


def parse_number(cell: str) -> float | int | None:
    """Read a cell as a number; None where it is none."""
    text = cell.strip()
    if not _NUMBER.match(text):
        return None
    number = float(text)
    return int(number) if number.is_integer() else number


def parse_assertion(text: str) -> RawObject:
    """Read `(not-)type(threshold):value`; what is not of that form is what the output must equal.

    Raises:
        Unsupported: for a list whose quotes do not close.
    """
    if text.startswith(_CODE) or (is_reference(text) and is_code(text) and ".py" not in text):
        prefix = next((mark for mark in _CODE if text.startswith(mark)), "")
        return {"type": "javascript", "value": text.removeprefix(prefix).strip()}
    if text.startswith(("grade:", "llm-rubric:")):
        return {"type": "llm-rubric", "value": text.partition(":")[2]}
    if text.startswith("python:") or (is_reference(text) and is_code(text)):
        return {"type": "python", "value": text[len("python:") :].strip()}
    match = _EXPECTED.match(text)
    if match is None:
        return {"type": "equals", "value": text}
    inverse, kind, threshold, value = match.groups()
    parsed: RawObject = {"type": (inverse or "") + kind}
    if kind in _LISTS:
        try:
            return parsed | {"value": split_list(value) if value else value}
        except Invalid as error:
            raise Unsupported(f"the list of '{kind}' cannot be read: {error.message}") from None
    if kind in ("contains-json", "is-json"):
        return parsed | {"value": value}
    if kind in _WITH_THRESHOLD:
        return parsed | {
            "value": value.strip() if value is not None else None,
            "threshold": parse_number(threshold) if threshold else _SIMILAR if kind == "similar" else _DEFAULT,
        }
    return parsed | {"value": value.strip() if value is not None else None}
