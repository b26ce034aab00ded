"""The version that a name selects over the Model Context Protocol, which has no field for a label."""

from dataclasses import dataclass

from promptuary.core.errors import NotFound
from promptuary.prompt.name import fold_label, is_name
from promptuary.prompt.numbers import parse_version_number


@dataclass(frozen=True)
class PromptSelection:
    """A prompt's name, with the label or the number of the version; one of both is None."""

    name: str
    label: str | None
    version: int | None


def parse_selection(text: str, label: str) -> PromptSelection:
    """Parse the name that a client sends.

    Args:
        text: `name`, `name@label` or `name@NUMBER`; a label that consists of digits cannot be selected so.
        label: the label of a name without a suffix.

    Raises:
        NotFound: when no prompt, label or version can have that name.
    """
    name, at, suffix = text.partition("@")
    suffix = fold_label(suffix)
    if not is_name(name) or (at and not is_name(suffix)):
        raise NotFound(f"there is no such prompt: {_FORM}")
    if not suffix.isdigit():
        return PromptSelection(name, suffix or label, None)
    number = parse_version_number(suffix)
    if number is None:
        raise NotFound(f"the prompt '{name}' has no such version; versions are numbered 1, 2, 3 …")
    return PromptSelection(name, None, number)


_FORM = "write its name, or `name@label` or `name@NUMBER`; prompts/list has the names"
