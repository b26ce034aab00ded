"""The root of every error that Promptuary raises on purpose, and the errors of a prompt by itself.

The rest of the tree is in `promptuary.core.errors`. The root is here because the client, which has no server parts, raises
errors of the same tree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One error in an input.

    Attributes:
        path: the field, dotted; empty for the whole input.
        message: what is wrong with it, as the rest of a sentence that begins with the field.
        line: its line in a file, from 1; None where there is none.
    """

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        """Return `line 3: messages.0.role: unknown role`."""
        where = ": ".join(filter(None, [f"line {self.line}" if self.line else "", self.path]))
        return f"{where}: {self.message}" if where else self.message


def with_field_errors(message: str, field_errors: Sequence[FieldError]) -> str:
    """Return a message and the errors after it, in one line."""
    return f"{message}: {'; '.join(map(str, field_errors))}" if field_errors else message


class PromptuaryError(Exception):
    """Promptuary refuses or cannot do something: a stable `code`, and a message with the noun and the remedy."""

    code = "error"

    def __init__(self, message: str) -> None:
        """Store the message, which people read; it must contain no secret."""
        super().__init__(message)
        self.message = message


class Invalid(PromptuaryError):
    """An input is wrong. `field_errors` lists every error in it, not only the first."""

    code = "invalid"

    def __init__(self, message: str, field_errors: Iterable[FieldError] = ()) -> None:
        """Store the message and the errors, in the order of the input."""
        super().__init__(message)
        self.field_errors = tuple(field_errors)

    @property
    def faults(self) -> tuple[FieldError, ...]:
        """`field_errors`, by the name that it had until 0.3.0."""
        return self.field_errors

    def __str__(self) -> str:
        """Return the message and the errors after it, in one line."""
        return with_field_errors(self.message, self.field_errors)


class InvalidPrompt(Invalid):
    """A prompt's content cannot be registered, for example because a template does not parse."""

    code = "invalid_prompt"


class InvalidVariables(Invalid):
    """Values of a render are missing, unknown, or of the wrong type."""

    code = "invalid_variables"


class RenderTooLarge(PromptuaryError):
    """The rendered text, or the work to render it, is over the limit."""

    code = "render_too_large"
