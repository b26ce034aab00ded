"""The model and the application that the golden files of users are run against: each answer depends on the request alone."""

import json
from typing import Any

from doubles.application import Answer, LoopbackApplication, as_json

REPLIES = {
    "refund": "Thank you for asking: your refund comes in 3 days. Sorry for the delay, and please call us if it does not.",
    "order 17": json.dumps({"items": [{"name": "tea", "price": 10}, {"name": "pot", "price": 20}]}),
    "Sunday": "We are closed.",
    "Classify": '```json\n{"intent": "card", "confidence": 0.9}\n```',
    "nowhere": "There is no such city.",
}
"""The model's replies, by a part of the last message; another message is repeated."""


class UsersStub(LoopbackApplication):
    """A model server at `/v1`, and a shop's assistant at `/chat` that wants a token."""

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the answer to a request."""
        body = request["json"]
        if request["path"] == "/v1/chat/completions":
            return as_json(completion(body))
        if request["headers"].get("authorization") != "Bearer token-of-the-shop":
            return as_json({"error": "no token"}, 401)
        return as_json({"answer": f"You said: {body['question']}"})


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion; a request with tools gets a call of the first one for each city but `nowhere`."""
    text = str(body["messages"][-1]["content"])
    reply = next((reply for part, reply in REPLIES.items() if part in text), text)
    message: dict[str, Any] = {"role": "assistant", "content": reply}
    if body.get("tools") and "nowhere" not in text:
        arguments = json.dumps({"city": text.removeprefix("Weather in ").removesuffix("?")})
        function = {"name": body["tools"][0]["function"]["name"], "arguments": arguments}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }
