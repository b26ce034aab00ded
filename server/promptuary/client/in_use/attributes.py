"""What a span gets of the prompt in use."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from promptuary.client.in_use import uses
from promptuary.client.span import OPENTELEMETRY, SEMANTIC_NAME, SEMANTIC_VERSION

VARIABLE_PREFIX = "gen_ai.prompt.variable."


def span_attributes(
    metadata: Mapping[str, Any], name: str, version: int | None, variables: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the attributes: metadata, the two of the conventions, and the variables where they are known."""
    attributes = {**metadata, SEMANTIC_NAME: name}
    if version is not None:
        attributes[SEMANTIC_VERSION] = str(version)
    for variable, value in (variables or {}).items():
        attributes[f"{VARIABLE_PREFIX}{variable}"] = value if isinstance(value, str) else _text(value)
    return attributes


def note_use(metadata: Mapping[str, Any], name: str, version: int | None, variables: Mapping[str, Any] | None = None) -> None:
    """Put a prompt in use for the spans inside the current one; without OpenTelemetry, do nothing."""
    api = sys.modules.get(OPENTELEMETRY)
    if api is None:
        return
    context = api.get_current_span().get_span_context()
    span_id = context.span_id if context.is_valid else uses.NO_SPAN
    uses.use_in_span(span_attributes(metadata, name, version, variables), span_id)


def note_rendering(rendering: Any, variables: Mapping[str, Any] | None) -> None:
    """Put the prompt of a rendering by the server in use; without a span processor, do nothing."""
    if not uses.is_followed:
        return
    named = {"name": rendering.name, "version": rendering.version, "digest": rendering.digest}
    metadata = {f"promptuary.{name}": value for name, value in named.items() if value is not None}
    note_use({**metadata, "promptuary.source": "server"}, rendering.name, rendering.version, variables)


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
