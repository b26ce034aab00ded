"""The type of what a prompt renders to: messages or a text, which only the prompt itself decides."""

from typing import TYPE_CHECKING, Any

Message = dict[str, Any]
"""A message in OpenAI's form: `role`, `content`, and what an agent's message has beside them."""

if TYPE_CHECKING:

    class Rendered(list[Message], str):  # type: ignore[misc] # both at once, which no value can be
        """The messages of a chat prompt (a `list[dict]`) or the text of a text prompt (a `str`), for type checkers.

        A type checker cannot know which of them a name leads to, and a union would make every caller ask. So this type allows
        what either allows: to iterate over messages, and to use it where a text is expected.
        """

else:
    Rendered = list[Message] | str
