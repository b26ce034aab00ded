"""Variables as Hypothesis draws them: one alone, and two as a version and the next one have them."""

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.prompt.variables import Variable

VALUES: list[Any] = [
    *(None, True, False, -9, -1, 0, 1, 2, 3, 4, 9, 0.0, 1.0, 2.0, -9.5, -1.5, 0.25, 0.5, 1.25, 1.5, 2.5, 9.5),
    *("", "a", "b", "aa", "é\n", "aaa", "aaaa", "a" * 9, "true", "1"),
    *([], [1], [True], [0, 1], [0, 0, 0], [None] * 4, [0] * 9, {}, {"a": 1}, {"a": True}, {"a": [0.5]}),
]
"""Enough values that two schemas of small bounds which differ, differ on one of them."""
BOUND = st.none() | st.sampled_from([-1, 0, 0.25, 0.5, 1, 1.0, 1.5, 2, 3])
LENGTH = st.none() | st.integers(0, 4)


@st.composite
def variables(draw: st.DrawFn) -> Variable:
    said = {
        "type": draw(st.sampled_from([None, "string", "integer", "number", "boolean", "array", "object"])),
        "enum": draw(st.none() | st.lists(st.sampled_from(VALUES), min_size=1, max_size=4)),
        "required": draw(st.booleans()),
        "default": draw(st.none() | st.sampled_from(VALUES)),
        **{word: draw(LENGTH) for word in ("minLength", "maxLength", "minItems", "maxItems")},
        **{word: draw(BOUND) for word in ("minimum", "maximum")},
    }
    try:
        return Variable(**said)
    except ValidationError:
        return Variable(**said | {"default": None})


def changed_variable(old: Variable, **words: Any) -> Variable:
    return Variable.model_validate({**old.model_dump(), **words})


@st.composite
def variable_pairs(draw: st.DrawFn) -> tuple[Variable, Variable]:
    """Two variables: unlike each other, or the second one a little different from the first, as versions are."""
    old, other = draw(variables()), draw(variables())
    likely = ["required", "default", "type", *Variable.model_fields]
    words = draw(st.sets(st.sampled_from(likely), max_size=2) | st.none())
    if words is None:
        return old, other
    said = {word: getattr(other, word) for word in words}
    try:
        return old, changed_variable(old, **said)
    except ValidationError:
        return old, changed_variable(old, **{**said, "default": None})
