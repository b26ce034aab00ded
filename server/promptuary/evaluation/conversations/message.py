"""Messages in OpenAI's form, as a conversation has them and as models receive them."""

from promptuary.evaluation.json_object import JsonObject

Message = JsonObject
"""A message: `role`, `content`, and whatever else its provider adds, which is passed on as it is."""


def user_message(text: str) -> Message:
    """Return a message of the user."""
    return {"role": "user", "content": text}
