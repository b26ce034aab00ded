"""The application that promptfoo was run against for the golden verdicts: each answer depends on the request alone."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from doubles.application import Answer, LoopbackApplication

FIXED = {
    "/null": "null",
    "/empty": "",
    "/zero": "0",
    "/false": "false",
    "/list": "[1, 2]",
    "/string": '"quoted"',
    "/broken": '{"a": ',
}


class PromptfooStub(LoopbackApplication):
    """The stub; its paths are those of the golden files."""

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the answer to a request."""
        url = urlsplit(request["path"])
        text = question_of(request)
        if url.path == "/echo":
            headers = {
                name: value
                for name, value in request["headers"].items()
                if name in ("content-type", "authorization") or name.startswith("x-")
            }
            query = dict(parse_qsl(url.query))
            body = {"method": request["method"], "path": url.path, "query": query, "headers": headers}
            return reply({**body, "body": request["body"], "json": request["json"]})
        if url.path == "/answer":
            message = {"role": "assistant", "content": f"You said: {text}"}
            usage = {"usage": {"total_tokens": 7}, "ok": True, "n": 3}
            return reply({"output": f"You said: {text}", "choices": [{"message": message}], **usage})
        if url.path == "/text":
            return 200, {"Content-Type": "text/plain; charset=utf-8"}, f"plain: {text}".encode()
        if url.path.startswith("/status/"):
            status = url.path.split("/")[2]
            return reply({"error": f"E{status}", "output": f"body of {status}"}, int(status))
        return 200, {"Content-Type": "application/json"}, FIXED[url.path].encode()


def reply(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value, ensure_ascii=False).encode()


def question_of(request: dict[str, Any]) -> str:
    """Return the question: the first text of a known name, else of the last message, else the body."""
    value = request["json"]
    if isinstance(value, dict):
        for name in ("prompt", "message", "question", "input", "q"):
            if isinstance(value.get(name), str):
                return str(value[name])
        messages = value.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
            return str(messages[-1].get("content"))
    return str(request["body"])
