"""The protocol of applications: what one is asked, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import ApplicationDetail

PROMPT = "prompt"
"""The name of the rendered prompt among the values of a question."""


@dataclass(frozen=True)
class ApplicationQuestion:
    """What an application is asked.

    Attributes:
        case: whose variables they are; its expectation is not passed on.
        values: the case's variables, and `prompt` where the suite has one.
        prompt: the rendered prompt, if the suite has one.
        repeat: the number of the repeat, from 0.
    """

    case: Case
    values: JsonObject
    prompt: str | None
    repeat: int


@dataclass(frozen=True)
class StatedToolCall:
    """A call of a tool, as the application states that it made it.

    Attributes:
        name: of the tool.
        arguments: as JSON; an object wherever the application follows a provider's form.
        id: of the call; None where the application states none.
    """

    name: str
    arguments: Any
    id: Any = None

    def json_body(self) -> JsonObject:
        """Return the call as a model's reply has it."""
        return {"name": self.name, "args": self.arguments, "id": self.id}


@dataclass(frozen=True)
class ApplicationOutput:
    """What an application answered.

    Attributes:
        value: the output as JSON has it: a text, or another value.
        latency_ms: of the attempt that succeeded; None for an output that was there.
        tokens: `input` and `output`, where the application states both.
        cost: in US dollars, where the application states it.
        tool_calls: in their order; None where the application does not state them.
        finish_reason: why it stopped, in its own word.
        metadata: what else it states.
    """

    value: Any
    latency_ms: float | None = None
    tokens: Mapping[str, int] | None = None
    cost: float | None = None
    tool_calls: Sequence[StatedToolCall] | None = None
    finish_reason: str | None = None
    metadata: JsonObject = field(default_factory=dict)


class Application(Protocol):
    """Answers questions; used by many tasks of one event loop at once."""

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Return the answer to a question.

        Args:
            question: of a case.
            detail: records how the application answered, as soon as it is known.
        """

    async def close(self) -> None:
        """Release connections and processes."""
