"""Strategies for variables: a single one, and a pair as in a version and the next one."""

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.prompt.variables import Variable

VALUES: list[Any] = [
    *(None, True, False, -9, -1, 0, 1, 2, 3, 4, 9, 0.0, 1.0, 2.0, -9.5, -1.5, 0.25, 0.5, 1.25, 1.5, 2.5, 9.5),
    *("", "a", "b", "aa", "é\n", "aaa", "aaaa", "a" * 9, "true", "1"),
    *([], [1], [True], [0, 1], [0, 0, 0], [None] * 4, [0] * 9, {}, {"a": 1}, {"a": True}, {"a": [0.5]}),
]
"""Values enough to show the difference of any two different schemas with small bounds."""
BOUND = st.none() | st.sampled_from([-1, 0, 0.25, 0.5, 1, 1.0, 1.5, 2, 3])
LENGTH = st.none() | st.integers(0, 4)


@st.composite
def variables(draw: st.DrawFn) -> Variable:
    fields = {
        "type": draw(st.sampled_from([None, "string", "integer", "number", "boolean", "array", "object"])),
        "enum": draw(st.none() | st.lists(st.sampled_from(VALUES), min_size=1, max_size=4)),
        "required": draw(st.booleans()),
        "default": draw(st.none() | st.sampled_from(VALUES)),
        **{name: draw(LENGTH) for name in ("minLength", "maxLength", "minItems", "maxItems")},
        **{name: draw(BOUND) for name in ("minimum", "maximum")},
    }
    try:
        return Variable(**fields)
    except ValidationError:
        return Variable(**fields | {"default": None})


def changed_variable(old: Variable, **fields: Any) -> Variable:
    return Variable.model_validate({**old.model_dump(), **fields})


@st.composite
def variable_pairs(draw: st.DrawFn) -> tuple[Variable, Variable]:
    """Draw two variables: independent ones, or the second with a few fields changed, as versions have them."""
    old, other = draw(variables()), draw(variables())
    likely = ["required", "default", "type", *Variable.model_fields]
    names = draw(st.sets(st.sampled_from(likely), max_size=2) | st.none())
    if names is None:
        return old, other
    fields = {name: getattr(other, name) for name in names}
    try:
        return old, changed_variable(old, **fields)
    except ValidationError:
        return old, changed_variable(old, **{**fields, "default": None})
