"""The trajectory of an answer: the steps that led to it, as they are counted and compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptuary.models.calls import ModelReply
from promptuary.models.calls.reply import own_text


class StepType(StrEnum):
    """What a step of a trajectory is."""

    TOOL = "tool"
    """A call of a tool."""
    MESSAGE = "message"
    """A text that the model or application answered."""
    REASONING = "reasoning"
    """What the model thought, where it shows it."""


@dataclass(frozen=True)
class Step:
    """A step of a trajectory.

    Attributes:
        type: what it is.
        name: of the tool; else the name of its type.
        arguments: of a call, as JSON; None where there are none that can be read.
    """

    type: StepType
    name: str
    arguments: Any = None

    def __str__(self) -> str:
        """Return the type and the name, as reasons show a step."""
        return f"{self.type}:{self.name}"


Trajectory = tuple[Step, ...]


def reply_steps(reply: ModelReply) -> Iterator[Step]:
    """Yield the steps of one reply of a model: what it thought, its text, and its calls, the invalid ones last."""
    if reply.reasoning:
        yield Step(StepType.REASONING, StepType.REASONING)
    if own_text(reply):
        yield Step(StepType.MESSAGE, StepType.MESSAGE)
    yield from (Step(StepType.TOOL, str(call["name"]), call["args"]) for call in reply.tool_calls)
    yield from (Step(StepType.TOOL, str(call["name"])) for call in reply.invalid_tool_calls)


def trajectory_of(replies: Sequence[ModelReply]) -> Trajectory:
    """Return the steps of several replies in their order."""
    return tuple(step for reply in replies for step in reply_steps(reply))
