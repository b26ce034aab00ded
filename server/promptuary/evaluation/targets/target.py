"""The protocol of targets, and what a target returns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.conversation import TurnContext
from promptuary.evaluation.conversations.message import Message
from promptuary.evaluation.conversations.trajectory import Trajectory
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import ApplicationDetail, PassageDetail, ResultDetail, Variant
from promptuary.models.calls import ModelReply
from promptuary.prompt.content import Template
from promptuary.prompt.templates.prepared import Passage


@dataclass
class TargetTrace:
    """What a target recorded of one item; it is shown with the result, also if the item failed later.

    Attributes:
        messages: what the model received; None if the target did not get that far.
        passages: the retrieved passages in the prompt.
        application: how an application answered; empty for a prompt.
        replies: of the model in the current turn of a conversation, also if the turn failed later.
    """

    messages: Sequence[Message] | None = None
    passages: Sequence[Passage] = ()
    application: ApplicationDetail = field(default_factory=ApplicationDetail)
    replies: list[ModelReply] = field(default_factory=list)

    def json_body(self) -> ResultDetail:
        """Return the part of a result's detail that shows the trace."""
        if self.messages is None:
            return {}
        if self.application:
            return {"messages": [dict(message) for message in self.messages], "application": self.application}
        passages: list[PassageDetail] = [
            {"document": passage.document, "chunk": passage.chunk, "digest": passage.digest, "score": passage.score}
            for passage in self.passages
        ]
        return {"messages": [dict(message) for message in self.messages], "passages": passages}


@dataclass(frozen=True)
class TargetReply:
    """The response of a target, with what led to it.

    Attributes:
        reply: of the model.
        messages: what the model received.
        passages: the retrieved passages in the prompt.
        tools: what the model was offered to call, in OpenAI's form.
        timed: whether it was measured how long the response took.
        value: the output as JSON where an application answered with no text; None for the reply's output.
        template: of the prompt, as it was before it was rendered.
        metadata: what an application stated beside its output.
        added: in a conversation, the messages that the turn has added to it.
        trajectory: the steps that led to the output; None where an application does not state its calls of tools.
    """

    reply: ModelReply
    messages: tuple[Message, ...]
    passages: tuple[Passage, ...] = ()
    tools: tuple[JsonObject, ...] = ()
    timed: bool = True
    value: Any = None
    template: Template = ""
    metadata: JsonObject = field(default_factory=dict)
    added: tuple[Message, ...] = ()
    trajectory: Trajectory | None = None

    @property
    def output(self) -> Any:
        """The output as JSON."""
        return self.reply.output if self.value is None else self.value

    @property
    def latency_ms(self) -> float | None:
        """How long the response took; None where it was not measured."""
        return self.reply.latency_ms if self.timed else None


class Target(Protocol):
    """Responds to cases; used by many tasks of one event loop at once."""

    async def answer(
        self, case: Case, variant: Variant, repeat: int, trace: TargetTrace, turn: TurnContext | None = None
    ) -> TargetReply:
        """Return the response to a case, or to a turn of one, under a variant.

        Args:
            case: of the dataset; in a conversation, as the turn has it.
            variant: of the plan.
            repeat: the number of the repeat, from 0; each repeat has a separate response.
            trace: records what leads to the response as soon as it is known.
            turn: of a conversation; None for a case that is answered once.
        """

    async def close(self) -> None:
        """Release connections and processes; the target opens them again if it answers again."""

    def is_sensitive(self, case: Case, variant: str) -> bool:
        """Return whether a sensitive value of the case reaches the variant, so that error texts may repeat it."""
