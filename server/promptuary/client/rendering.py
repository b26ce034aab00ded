"""A prompt that the server rendered, with the passages that it retrieved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.client.errors import PromptUnavailable, Reason
from promptuary.client.transport.wire import FetchFailure, HttpResponse, ServerRefusal, read_error_response
from promptuary.client.versions.selector import build_selector
from promptuary.client.versions.version import UnusableResponse, read_json
from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.messages.objects import json_messages

RENDER_DEADLINE = 10.0
"""Seconds. The server embeds the query and searches, which takes longer than a lookup."""


@dataclass(frozen=True)
class Rendering:
    """What goes to a model: `messages` of a chat prompt or `text` of a text prompt; and the passages of the context.

    `answer` is the server's whole response body.
    """

    name: str
    version: int | None
    digest: str | None
    messages: list[dict[str, Any]] | None
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
    """Build the request's body.

    Raises:
        Invalid: for a name, label, version or targeting key that is not valid.
        InvalidVariables: for a message object that has no form in JSON.
    """
    selector = build_selector(name, label, version, targeting_key)
    field_errors: list[FieldError] = []
    values = {key: json_messages(value, key, field_errors) for key, value in (variables or {}).items()}
    if field_errors:
        raise InvalidVariables("the variables do not fit the prompt", field_errors)
    body: dict[str, Any] = {"variables": values}
    optional = {
        "label": selector.label,
        "version": selector.version,
        "targeting_key": selector.targeting_key,
        "query": query,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def read_rendering(name: str, version: int | None, response: HttpResponse | FetchFailure) -> Rendering:
    """Parse the server's response, and check that it is for the requested prompt, and version where one was requested.

    Raises:
        Refused, InvalidVariables, RenderTooLarge: when the server refused the request.
        PromptUnavailable: when it sent no usable answer.
    """
    if isinstance(response, HttpResponse) and response.status == 200:
        try:
            return _read(name, version, read_json(response.body))
        except UnusableResponse as error:
            response = FetchFailure(Reason.UNUSABLE, f"the server's answer cannot be used: {error}")
    outcome = response if isinstance(response, FetchFailure) else read_error_response(response)
    if isinstance(outcome, ServerRefusal):
        raise outcome.error
    raise PromptUnavailable(f"prompt '{name}' was not rendered: {outcome.detail}", outcome.reason)


def _read(name: str, version: int | None, body: dict[str, Any]) -> Rendering:
    if body.get("name", name) != name or (version is not None and body.get("version", version) != version):
        raise UnusableResponse("it is not a rendering of the requested prompt and version")
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
