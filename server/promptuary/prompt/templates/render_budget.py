"""What one render may cost: characters of output, and steps. Both are counted, so a limit means the same on every machine."""

from dataclasses import dataclass

from promptuary.prompt.errors import RenderTooLarge

WORK_LIMIT = 500_000
"""Steps of one render, about a second of one processor: each tag, turn and part of an expression is one, as are 16 characters
that are only made on the way. No clock is read: a prompt that renders today renders on a slow day too."""


@dataclass
class RenderBudget:
    """What is used up so far of `limit` characters and of the steps; the same budget serves all messages of a prompt."""

    limit: int
    size: int = 0
    work: int = 0

    def put(self, size: int) -> None:
        """Count characters of output.

        Raises:
            RenderTooLarge: when they pass the limit.
        """
        self.size += size
        if self.size > self.limit:
            raise RenderTooLarge(f"the rendered prompt is over the limit of {self.limit} characters; shorten the values")

    def step(self, steps: int = 1) -> None:
        """Count work.

        Raises:
            RenderTooLarge: when it passes the limit.
        """
        self.work += steps
        if self.work > WORK_LIMIT:
            raise RenderTooLarge(f"the prompt takes more than {WORK_LIMIT} steps to render; shorten its lists or its loops")

    def hold(self, size: int) -> None:
        """Count a text of this size that an expression is about to make on the way; called before it is made.

        Raises:
            RenderTooLarge: when it alone passes the limit, or the work does.
        """
        if size > self.limit:
            raise RenderTooLarge(f"an expression makes a text over the limit of {self.limit} characters; shorten the values")
        self.step(size // 16)
