"""A chat model that needs no weights: it answers with the last user message, so that a suite can be tried on itself.

Plain messages are answered without LangChain, whose import takes as long as a thousand answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptuary.models.echo_chat import EchoChatModel

VERBATIM: Mapping[str, Any] = {"verbatim": True}


@dataclass(frozen=True)
class EchoReply:
    """An answer with what a run reads of LangChain's."""

    text: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    response_metadata: Mapping[str, Any] = field(default_factory=dict)
    usage_metadata: None = None


class EchoModel:
    """Answers every conversation with the text of its last user message, or with nothing where there is none.

    The answer is verbatim: white space around it stays, which is taken off what other models write.
    Whatever else is asked of a chat model, LangChain's does.
    """

    async def ainvoke(self, messages: Any, *more: Any, **options: Any) -> Any:
        """Answer."""
        if more or options or not _plain(messages):
            return await self._chat.ainvoke(messages, *more, **options)
        said = [message["content"] for message in messages if message["role"] == "user"]
        return EchoReply(said[-1] if said else "", response_metadata=VERBATIM)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._chat, name)

    @cached_property
    def _chat(self) -> "EchoChatModel":
        from promptuary.models.echo_chat import EchoChatModel

        return EchoChatModel()


def _plain(messages: Any) -> bool:
    return isinstance(messages, Sequence) and all(
        isinstance(one, dict) and one.keys() == {"role", "content"} and isinstance(one["content"], str) for one in messages
    )
