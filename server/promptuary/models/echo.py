"""A chat model without weights: it replies with the last user message, so that a suite can be tested on itself.

Plain messages need no LangChain, whose import takes as long as a thousand replies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promptuary.models.calls.reply import VERBATIM

if TYPE_CHECKING:
    from promptuary.models.echo_chat import EchoChatModel


@dataclass(frozen=True)
class EchoReply:
    """A reply with the attributes of LangChain's messages that a run reads."""

    text: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    response_metadata: Mapping[str, Any] = field(default_factory=dict)
    usage_metadata: None = None


class EchoModel:
    """Replies to every conversation with the text of its last user message, or with an empty text.

    The reply is verbatim: white space around it stays, which is stripped from other models' replies.
    A LangChain model does everything else that a chat model can do.
    """

    async def ainvoke(self, messages: Any, *more: Any, **options: Any) -> Any:
        """Return the reply."""
        if more or options or not _plain(messages):
            return await self._chat.ainvoke(messages, *more, **options)
        texts = [message["content"] for message in messages if message["role"] == "user"]
        return EchoReply(texts[-1] if texts else "", response_metadata={VERBATIM: True})

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
        isinstance(message, dict) and message.keys() == {"role", "content"} and isinstance(message["content"], str)
        for message in messages
    )
