"""Whether the variables of a call fit a version that is to answer them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.prepared import PreparedPrompt


def mismatch_finder(candidates: Sequence[PreparedPrompt]) -> Callable[[Mapping[str, Any]], str | None]:
    """Return what names the variables by which a call does not fit each of the candidates; None where it does.

    A variable that a candidate no longer has is left out. Where it lacks another one at the same time, the variable was
    renamed, and an answer without it would be another question's.
    """

    def mismatch(values: Mapping[str, Any]) -> str | None:
        return next((text for candidate in candidates if (text := _mismatch(candidate, values)) is not None), None)

    return mismatch


def _mismatch(candidate: PreparedPrompt, values: Mapping[str, Any]) -> str | None:
    unknown = sorted(values.keys() - candidate.variables.keys())
    context = candidate.content.context
    filled = frozenset() if context is None else frozenset({context.into})
    absent = sorted(candidate.variables.keys() - values.keys() - filled)
    if unknown and absent:
        return f"no {', '.join(absent)}, but {', '.join(unknown)}"
    try:
        candidate.check_values({name: value for name, value in values.items() if name in candidate.variables})
    except Invalid as error:
        names = sorted({field.path.rpartition("variables.")[2].partition(".")[0] for field in error.field_errors})
        return ", ".join(names) or "refused values"
    return None
