"""A prompt that the server rendered, with the passages that it retrieved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.client.errors import PromptUnavailable, Reason
from promptuary.client.transport.wire import FetchFailure, HttpResponse, ServerRefusal, read_error_response
from promptuary.client.versions.selector import build_selector
from promptuary.client.versions.version import UnusableResponse, read_json

RENDER_DEADLINE = 10.0
"""Seconds: the server embeds the query and searches, which is no lookup."""


@dataclass(frozen=True)
class Rendering:
    """What goes to a model: `messages` of a chat prompt or `text` of a text prompt; and what the context gave.

    `answer` is the server's whole answer, whatever else it says.
    """

    name: str
    version: int | None
    digest: str | None
    messages: list[dict[str, str]] | None
    text: str | None
    passages: list[dict[str, Any]]
    manifest: Any
    answer: Mapping[str, Any]


def rendering_body(
    name: str,
    variables: Mapping[str, Any] | None,
    label: str | None,
    version: int | None,
    targeting_key: str | None,
    query: str | None,
) -> dict[str, Any]:
    """Make the request's body.

    Raises:
        Invalid: for a name, label, version or targeting key that cannot be one.
    """
    selector = build_selector(name, label, version, targeting_key)
    body: dict[str, Any] = {"variables": dict(variables or {})}
    said = {
        "label": selector.label,
        "version": selector.version,
        "targeting_key": selector.targeting_key,
        "query": query,
    }
    return body | {key: value for key, value in said.items() if value is not None}


def read_rendering(name: str, answer: HttpResponse | FetchFailure) -> Rendering:
    """Read the server's answer.

    Raises:
        Refused, InvalidVariables, RenderTooLarge: when the server said no.
        PromptUnavailable: when it gave no answer that can be used.
    """
    if isinstance(answer, HttpResponse) and answer.status == 200:
        try:
            return _read(name, read_json(answer.body))
        except UnusableResponse as error:
            answer = FetchFailure(Reason.UNUSABLE, f"the server's answer cannot be used: {error}")
    outcome = answer if isinstance(answer, FetchFailure) else read_error_response(answer)
    if isinstance(outcome, ServerRefusal):
        raise outcome.error
    raise PromptUnavailable(f"prompt '{name}' was not rendered: {outcome.detail}", outcome.reason)


def _read(name: str, body: dict[str, Any]) -> Rendering:
    messages, text, passages = body.get("messages"), body.get("text"), body.get("passages")
    chat = isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
    if not chat and not isinstance(text, str):
        raise UnusableResponse("it has neither messages nor a text")
    return Rendering(
        name=name,
        version=body.get("version"),
        digest=body.get("digest"),
        messages=messages if chat else None,
        text=None if chat else text,
        passages=passages if isinstance(passages, list) else [],
        manifest=body.get("manifest"),
        answer=body,
    )
