"""The context of an output: the case's variable `context`, else the passages that were in the prompt."""

import re

from promptuary.evaluation.scorers.score import ScorerInput
from promptuary.prompt.errors import Invalid

_EMPTY_CONTEXT = "there is no context: the case has no variable `context`, and the prompt has no passages"


def context_text(sample: ScorerInput, *, default: str | None = None) -> str:
    """Return the context as one text; `default` where there is none.

    Raises:
        Invalid: as `_context_of`.
    """
    context = _context_of(sample, default)
    return context if isinstance(context, str) else "\n\n".join(context)


def context_pieces(sample: ScorerInput) -> list[str]:
    """Return the parts of the context that are counted: its passages, else its lines, else the sentences of its only line.

    Raises:
        Invalid: as `_context_of`.
    """
    return split_context(_context_of(sample, None))


def split_context(context: list[str] | str) -> list[str]:
    """Return the passages of a context; of a text its lines, or the sentences of its only line."""
    if not isinstance(context, str):
        return context
    lines = [line.strip() for line in context.splitlines() if line.strip()]
    if len(lines) > 1:
        return lines
    return [sentence.strip() for sentence in re.split(r"(?<=[.!?])\s+", context) if sentence.strip()]


def _context_of(sample: ScorerInput, default: str | None) -> list[str] | str:
    """Return the context, a text or a list of texts.

    Raises:
        Invalid: where there is none and no default, or the variable is neither a text nor a list of texts.
    """
    if sample.context is not None:
        return sample.context if isinstance(sample.context, str) else list(sample.context)
    variable = sample.case.vars.get("context")
    if isinstance(variable, str) and variable.strip():
        return variable
    if isinstance(variable, list) and variable and all(isinstance(text, str) and text.strip() for text in variable):
        return [str(text) for text in variable]
    if variable:
        raise Invalid("the variable `context` must be a text or a list of texts, none of them empty")
    if sample.passages:
        return [passage.text for passage in sample.passages]
    if default:
        return default
    raise Invalid(_EMPTY_CONTEXT)
