"""The types of a promptfoo file's values, which only this folder handles: the edge, where YAML and JSON come in.

A value of another type than its assertion takes ends its test in an error in promptfoo 0.121.20. A value that is left out
altogether is not judged here: the file is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any

from promptuary.prompt.templates.value import is_number

RawObject = dict[str, Any]
"""An object of a promptfoo file, or of a suite that is made from one, as YAML or JSON has it; not checked yet."""
LIST_TYPES = ("contains-all", "contains-any", "icontains-all", "icontains-any")


def value_type_error(assertion_type: str, value: Any) -> str | None:
    """Return what promptfoo misses in a value of an assertion, filled with the test's variables; None where it takes it."""
    accepts, expected = _TYPES.get(assertion_type, (_anything, ""))
    return None if accepts(value) else f"the value must be {expected}"


def _anything(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_filled_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_filled_text_or_number(value: Any) -> bool:
    return is_number(value) or _is_filled_text(value)


def _is_text_or_list(value: Any) -> bool:
    return isinstance(value, list) or _is_filled_text(value)


def _is_text_or_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("contains", "icontains"), (_is_filled_text_or_number, "a text or a number, and not empty")),
    **dict.fromkeys(LIST_TYPES, (_is_text_or_list, "a list, or a text that is not empty")),
    **dict.fromkeys(("regex", "starts-with"), (_is_filled_text, "a text that is not empty")),
    **dict.fromkeys(("levenshtein", "rouge-n", "finish-reason"), (_is_text, "a text")),
    **dict.fromkeys(("bleu", "gleu"), (_is_text_or_texts, "a text or a list of texts")),
}
