"""A direct call has the outcome that LangChain's model and OpenAI's package have, for whatever a server answers."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer, completion
from promptuary.core.settings import Settings
from promptuary.models.calls.messages import langchain_input
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.request import ModelRequest
from promptuary.models.calls.retries import error_chain, http_status, is_overloaded, is_transient, may_be_billed, retry_after
from promptuary.models.calls.setup.errors import setup_problem
from promptuary.models.chat_models import ChatModels
from promptuary.models.direct.direct_chat import DirectChat

TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
STRICT_TOOL = {"type": "function", "function": {**TOOL["function"], "strict": True}}  # type: ignore[dict-item]  # of JSON
SCHEMA = {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": SCHEMA}
QUESTION = [{"role": "system", "content": "Be ünbiased 🙂"}, {"role": "user", "content": 'one "two"\n'}]
HTML = b"<!doctype html><html><body>Sign in</body></html>"
JSON = "application/json"


@dataclass(frozen=True)
class Call:
    """What is asked."""

    messages: Sequence[Mapping[str, Any]] = field(default_factory=lambda: QUESTION)
    config: Mapping[str, Any] = field(default_factory=dict)
    bound: Mapping[str, Any] = field(default_factory=dict)
    model: str = "openai:stub"


PLAIN = Call()
CALLS = {
    "settings": Call(config={"temperature": 0.5, "max_tokens": 7, "top_p": 0.5, "seed": 1, "stop": ["x"], "top_k": 3}),
    "an o-series model": Call(model="openai:o3-mini"),
    "reasoning effort": Call(config={"reasoning_effort": "low"}, model="openai:gpt-5"),
    "tools": Call(bound={"tools": [TOOL]}),
    "strict tools": Call(bound={"tools": [STRICT_TOOL]}),
    "a JSON object": Call(bound={"response_format": {"type": "json_object"}}),
    "a JSON schema": Call(bound={"response_format": JSON_SCHEMA}),
    "a JSON schema and tools": Call(bound={"response_format": JSON_SCHEMA, "tools": [STRICT_TOOL]}),
    "a JSON schema and loose tools": Call(bound={"response_format": JSON_SCHEMA, "tools": [TOOL]}),
    "an image": Call(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            }
        ]
    ),
    "a conversation with tools": Call(
        [
            {"role": "user", "content": "u"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "r", "tool_call_id": "1"},
            {"role": "assistant", "content": ""},
            {"role": "user", "name": "ann", "content": "v"},
        ]
    ),
    "a lone surrogate": Call([{"role": "user", "content": "\ud800"}]),
}


def message(**parts: Any) -> dict[str, Any]:
    """Return the message of a completion."""
    return {"role": "assistant", "content": "one", **parts}


def tool_call(arguments: Any, **parts: Any) -> dict[str, Any]:
    """Return a message that calls a tool."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}, **parts}
    return message(content=None, tool_calls=[call])


def body(**parts: Any) -> bytes:
    """Return the body of a completion with other parts."""
    return json.dumps(json.loads(completion(message())) | parts).encode()


def error(status: int, content: Any, **headers: str) -> Reaction:
    """Return a refusal with headers whose names have underscores here."""
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reaction(status=status, body=payload, headers={name.replace("_", "-"): value for name, value in headers.items()})


def openai_error(status: int, text: str = "no", code: str | None = None, **headers: str) -> Reaction:
    """Return a refusal in OpenAI's form."""
    return error(status, {"error": {"message": text, "type": "t", "param": None, "code": code}}, **headers)


MESSAGES: dict[str, Reaction] = {
    "a text": Reaction(body=completion(message())),
    "white space": Reaction(body=completion(message(content=" \n x \n"))),
    "other scripts": Reaction(body=completion(message(content="ü 🙂 \u2028 \x00"))),
    "a text cut": Reaction(body=completion(message(), "length")),
    "a filtered text": Reaction(body=completion(message(content=""), "content_filter")),
    "no content": Reaction(body=completion(message(content=None))),
    "JSON": Reaction(body=completion(message(content='{"a": 1}'))),
    "a refusal": Reaction(body=completion(message(content=None, refusal="I can't."))),
    "no refusal": Reaction(body=completion(message(refusal=None))),
    "reasoning content": Reaction(body=completion(message(reasoning_content="because"))),
    "reasoning": Reaction(body=completion(message(reasoning="because"))),
    "reasoning details": Reaction(body=completion(message(reasoning_details=[{"type": "reasoning.text", "text": "because"}]))),
    "think tags": Reaction(body=completion(message(content="<think>because</think>one"))),
    "a tool call": Reaction(body=completion(tool_call('{"a": 1}'), "tool_calls")),
    "an empty tool call": Reaction(body=completion(tool_call(""), "tool_calls")),
    "a malformed tool call": Reaction(body=completion(tool_call('{"a": '), "tool_calls")),
    "arguments that are an object": Reaction(body=completion(tool_call({"a": 1}), "tool_calls")),
    "a tool call without id": Reaction(body=completion(tool_call("{}", id=None), "tool_calls")),
    "a custom tool call": Reaction(body=completion(tool_call("{}", type="custom", custom={"name": "f", "input": "x"}))),
    "no tool calls": Reaction(body=completion(message(tool_calls=[]))),
    "a function call": Reaction(body=completion(message(content=None, function_call={"name": "f", "arguments": "{}"}))),
    "parts as content": Reaction(body=completion(message(content=[{"type": "text", "text": "one"}]))),
    "a number as content": Reaction(body=completion(message(content=7))),
    "no role": Reaction(body=completion({"content": "one"})),
    "another role": Reaction(body=completion({"role": "user", "content": "one"})),
    "annotations and audio": Reaction(body=completion(message(annotations=[], audio=None))),
}
BODIES: dict[str, Reaction] = {
    "no usage": Reaction(body=body(usage=None)),
    "an empty usage": Reaction(body=body(usage={})),
    "details of usage": Reaction(
        body=body(
            usage={
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": None},
                "completion_tokens_details": {"reasoning_tokens": 2},
            }
        )
    ),
    "texts as usage": Reaction(body=body(usage={"prompt_tokens": "9", "completion_tokens": 1.5})),
    "a service tier": Reaction(body=body(service_tier="flex", system_fingerprint="fp")),
    "two choices": Reaction(body=body(choices=json.loads(body())["choices"] * 2)),
    "log probabilities": Reaction(
        body=body(
            choices=[
                {
                    "index": 0,
                    "message": message(),
                    "finish_reason": "stop",
                    "logprobs": {"content": [{"token": "one", "logprob": -0.5, "bytes": None, "top_logprobs": []}]},
                }
            ]
        )
    ),
    "no reason to finish": Reaction(body=body(choices=[{"index": 0, "message": message()}])),
    "unknown parts": Reaction(body=body(provider="x", choices=[{"message": message(x=1), "finish_reason": "eos", "y": {}}])),
    "no message": Reaction(body=body(choices=[{"index": 0, "finish_reason": "stop"}])),
    "no choices": Reaction(body=body(choices=[])),
    "null choices": Reaction(body=body(choices=None)),
    "an error with success": Reaction(body=body(error={"message": "overloaded", "code": 503}, choices=None)),
    "an error beside choices": Reaction(body=body(error={"message": "overloaded"})),
    "a list": Reaction(body=b"[]"),
    "a text in JSON": Reaction(body=b'"hello"'),
    "null": Reaction(body=b"null"),
    "other JSON": Reaction(body=b'{"object": "list", "data": []}'),
    "NaN": Reaction(body=body().replace(b'"created": 0', b'"created": NaN')),
    "broken JSON": Reaction(body=b'{"id": '),
    "nothing": Reaction(body=b""),
    "a page": Reaction(body=HTML, headers={"content-type": "text/html"}),
    "a page that calls itself JSON": Reaction(body=HTML),
    "JSON that calls itself a page": Reaction(body=body(), headers={"content-type": "text/html; charset=utf-8"}),
    "a problem type": Reaction(body=body(), headers={"content-type": "application/problem+json"}),
    "a byte order mark": Reaction(body=b"\xef\xbb\xbf" + body()),
    "UTF-16": Reaction(body=body().decode().encode("utf-16")),
    "no UTF-8": Reaction(body=body().replace(b"one", b"\xff")),
    "gzip": Reaction(body=gzip.compress(body()), headers={"content-encoding": "gzip"}),
    "broken gzip": Reaction(body=b"no gzip", headers={"content-encoding": "gzip"}),
    "a broken body": Reaction(drop=True),
}
ERRORS: dict[str, Reaction] = {
    **{f"status {status}": openai_error(status) for status in (400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 499)},
    **{f"status {status}": openai_error(status) for status in (500, 502, 503, 504, 529)},
    "too many": openai_error(429, retry_after="7"),
    "too many, in milliseconds": openai_error(429, retry_after_ms="1500"),
    "too many, until a date": openai_error(429, retry_after="Wed, 21 Oct 2065 07:28:00 GMT"),
    "too many, without a time": openai_error(429),
    "too many, as a page": error(429, HTML, content_type="text/html", retry_after="3"),
    "no quota": openai_error(429, code="insufficient_quota"),
    "overloaded": openai_error(503, retry_after="2"),
    "too long": openai_error(400, "This model's maximum context length is 8 tokens", "context_length_exceeded"),
    "a filtered prompt": openai_error(400, "The response was filtered", "content_filter"),
    "a page": error(502, HTML, content_type="text/html"),
    "a text": error(500, b"oops", content_type="text/plain"),
    "nothing": error(500, b""),
    "an error as a text": error(400, {"error": "no"}),
    "an error of FastAPI": error(422, {"detail": [{"loc": ["body"], "msg": "bad"}]}),
    "a list": error(400, [1]),
    "a compressed error": error(400, gzip.compress(b'{"error": {"message": "no"}}'), content_encoding="gzip"),
    "a redirection": error(307, b"", location="/elsewhere"),
    "not modified": error(304, b""),
    "created": error(201, completion(message())),
    "no content": error(204, b""),
}


@pytest.fixture(scope="module")
def server() -> Iterator[StubModelServer]:
    """The server of this module's tests; every `openai:` name reaches it."""
    stub = StubModelServer()
    with stub.listening() as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_BASE_URL", url)
        environment.setenv("OPENAI_API_KEY", "key of the test")
        yield stub


@pytest.fixture(scope="module")
def chats(server: StubModelServer) -> Iterator[ChatModels]:
    with ChatModels(Settings(case_timeout=30)) as models:
        yield models


@dataclass(frozen=True)
class Outcome:
    """What a caller sees of a call."""

    reply: Any = None
    error: Any = None


def description(raised: BaseException) -> Any:
    """Return what is read of an error anywhere: its classes, texts and status, and whether it may pass."""
    provider = [cause for cause in error_chain(raised) if type(cause).__module__.partition(".")[0] != "aiohttp"][:2]
    return (
        [(type(cause).__mro__, http_status(cause)) for cause in provider],
        str(raised),
        getattr(raised, "body", None),
        getattr(raised, "code", None),
        (is_transient(raised), is_overloaded(raised), may_be_billed(raised), retry_after(raised)),
        setup_problem(ModelRequest("openai:stub", ()), raised),
    )


def outcomes(models: ChatModels, call: Call) -> tuple[Outcome, Outcome]:
    """Call by OpenAI's package and directly, and return both outcomes."""
    chat: Any = models.chat(call.model, call.config)
    if "tools" in call.bound:
        chat = chat.bind_tools(call.bound["tools"])
    if "response_format" in call.bound:
        chat = chat.bind(response_format=call.bound["response_format"])
    direct = models.direct(chat)
    assert isinstance(direct, DirectChat)

    async def outcome(model: Any) -> Outcome:
        try:
            return Outcome(parse_reply(await model.ainvoke(langchain_input(call.messages)), 0.0))
        except Exception as raised:  # whatever it is
            return Outcome(error=description(raised))

    async def both() -> tuple[Outcome, Outcome]:
        try:
            return await outcome(chat), await outcome(direct)
        finally:
            await models.close_connections()

    return asyncio.run(both())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_same_request_is_sent(chats: ChatModels, server: StubModelServer, call: Call) -> None:
    server.react = lambda number, request: None
    server.bodies.clear()
    through_package, direct = outcomes(chats, call)
    assert direct == through_package
    sent = [json.dumps(request) for request in server.bodies]
    assert len(sent) in (0, 2)
    assert len(set(sent)) <= 1


@pytest.mark.parametrize("reaction", [*MESSAGES.values(), *BODIES.values()], ids=[*MESSAGES, *BODIES])
@pytest.mark.parametrize("call", [PLAIN, CALLS["tools"], CALLS["a JSON object"], CALLS["a JSON schema and tools"]])
def test_the_same_answer_is_read(chats: ChatModels, server: StubModelServer, call: Call, reaction: Reaction) -> None:
    server.react = lambda number, request: reaction
    server.bodies.clear()
    through_package, direct = outcomes(chats, call)
    assert direct == through_package
    assert server.requests == 2


@pytest.mark.parametrize("reaction", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("call", [PLAIN, CALLS["a JSON schema"]])
def test_the_same_error_is_raised(chats: ChatModels, server: StubModelServer, call: Call, reaction: Reaction) -> None:
    server.react = lambda number, request: reaction
    server.bodies.clear()
    through_package, direct = outcomes(chats, call)
    assert direct == through_package
    assert server.requests == 2


def test_the_same_error_is_raised_without_an_answer_in_time(server: StubModelServer) -> None:
    server.react = lambda number, request: Reaction(hang=True)
    with ChatModels(Settings(case_timeout=1)) as models:
        through_package, direct = outcomes(models, PLAIN)
    assert through_package.error[3:] == (None, (True, False, True, None), None)
    assert direct == through_package


def test_the_same_error_is_raised_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatModels(Settings(case_timeout=30)) as models:
        through_package, direct = outcomes(models, PLAIN)
    assert through_package.error[4] == (True, False, False, None)
    assert direct == through_package


def test_the_same_error_is_raised_for_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://no-such-host.invalid/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatModels(Settings(case_timeout=30)) as models:
        through_package, direct = outcomes(models, PLAIN)
    assert direct == through_package
