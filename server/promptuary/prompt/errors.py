"""The root of every error that Promptuary raises on purpose, and the two that a prompt can cause by itself.

The rest of the tree hangs in `promptuary.core.errors`; the root stands here because the client, which has no server
parts, raises from the same tree.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong in an input: where (a dotted path, empty for the whole), what, and in which line."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        """Give the fault as `line 3: messages.0.role: unknown role`."""
        where = ": ".join(filter(None, [f"line {self.line}" if self.line else "", self.path]))
        return f"{where}: {self.message}" if where else self.message


class PromptuaryError(Exception):
    """Something that Promptuary refuses or cannot do: a stable `code`, and a sentence with the noun and the remedy."""

    code = "error"

    def __init__(self, message: str) -> None:
        """Keep the sentence that people read; it must hold no secret."""
        super().__init__(message)
        self.message = message


class Invalid(PromptuaryError):
    """An input is wrong; `faults` lists all that is, not only the first."""

    code = "invalid"

    def __init__(self, message: str, field_errors: Iterable[FieldError] = ()) -> None:
        """Keep the sentence and the faults in the order in which they stand in the input."""
        super().__init__(message)
        self.field_errors = tuple(field_errors)

    def __str__(self) -> str:
        """Give the sentence, and the faults behind it, in one line."""
        return self.message + (": " + "; ".join(map(str, self.field_errors)) if self.field_errors else "")


class InvalidPrompt(Invalid):
    """A prompt's content cannot be registered: say, a template does not parse, or a variable is never used."""

    code = "invalid_prompt"


class InvalidVariables(Invalid):
    """The values given to a render are missing, too many, or of the wrong type."""

    code = "invalid_variables"


class RenderTooLarge(PromptuaryError):
    """The rendered text passes the limit."""

    code = "render_too_large"
