"""What one render may cost: characters of output, and steps. Both are counted, so a limit is the same on every machine."""

from dataclasses import dataclass

from promptuary.prompt.errors import RenderTooLarge
from promptuary.prompt.templates.value import UNDEFINED, Undefined

WORK_LIMIT = 500_000
"""The most steps of one render, about one second of one processor.

A tag, a round of a loop and a part of an expression are one step each, and so are 16 characters of an intermediate text.
Steps are counted and no clock is read: a prompt that renders today also renders on a machine under load.
"""


@dataclass
class RenderBudget:
    """What a render has used so far, and its rule for missing values; all messages of a prompt share one budget.

    Attributes:
        limit: the most characters of output.
        strict: whether a text from a missing value is an error; else it is empty.
        size: characters of output so far.
        work: steps so far.
        subject: what is limited, for the message.
    """

    limit: int
    strict: bool = False
    size: int = 0
    work: int = 0
    subject: str = "the rendered prompt is"

    def missing(self, reason: str, name: str | None = None) -> Undefined:
        """Return the value of a name or member that has none."""
        return Undefined(reason, name) if self.strict else UNDEFINED

    def add_output(self, size: int) -> None:
        """Count characters of output.

        Raises:
            RenderTooLarge: the output is over the limit.
        """
        self.size += size
        if self.size > self.limit:
            raise RenderTooLarge(f"{self.subject} over the limit of {self.limit} characters; shorten the values")

    def add_steps(self, steps: int = 1) -> None:
        """Count steps.

        Raises:
            RenderTooLarge: the steps are over their limit.
        """
        self.work += steps
        if self.work > WORK_LIMIT:
            raise RenderTooLarge(f"the prompt takes more than {WORK_LIMIT} steps to render; shorten its lists or its loops")

    def add_intermediate(self, size: int) -> None:
        """Count an intermediate text of an expression; call this before the text is built.

        Raises:
            RenderTooLarge: the text by itself is over the limit of output, or the steps are over theirs.
        """
        if size > self.limit:
            raise RenderTooLarge(f"an expression makes a text over the limit of {self.limit} characters; shorten the values")
        self.add_steps(size // 16)
