"""What a function or a command returned, as an answer: the output alone, or an object of `output` and figures."""

import json
import math
from collections.abc import Mapping
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.targets.application import ApplicationOutput, StatedToolCall
from promptuary.evaluation.targets.errors import ApplicationFailed

ERROR_LIMIT = 500


def provider_response(returned: Any, latency_ms: float, name: str, *, strict: bool) -> ApplicationOutput:
    """Parse what an application returned.

    An object that has `output` or `error` states beside it what is known: `tokens` (or promptfoo's `tokenUsage`), `cost`,
    `tool_calls`, `finish_reason`, `version`, `metadata`. Anything else is the output itself.

    Args:
        returned: as JSON has it.
        latency_ms: how long it took.
        name: of the application, for errors.
        strict: whether only such an object is an answer, as in promptfoo.

    Raises:
        ApplicationFailed: for an `error`, nothing, or with `strict` anything else.
    """
    if isinstance(returned, Mapping) and ("output" in returned or "error" in returned):
        if returned.get("error"):
            raise ApplicationFailed(str(returned["error"])[:ERROR_LIMIT])
        return ApplicationOutput(
            value=_required(returned.get("output"), name),
            latency_ms=latency_ms,
            tokens=_tokens(returned),
            cost=_amount(returned.get("cost")),
            tool_calls=stated_calls(returned.get("tool_calls")),
            finish_reason=_text(returned.get("finish_reason") or returned.get("finishReason")),
            metadata=_metadata(returned),
        )
    if strict:
        raise ApplicationFailed(f"{name} must return an object that has `output` or `error`")
    return ApplicationOutput(_required(returned, name), latency_ms)


def _required(value: Any, name: str) -> Any:
    if value is None:
        raise ApplicationFailed(f"{name} returned nothing")
    return value


def _metadata(returned: JsonObject) -> JsonObject:
    metadata = returned.get("metadata")
    stated = {"version": returned["version"]} if isinstance(returned.get("version"), str) else {}
    return {**metadata, **stated} if isinstance(metadata, Mapping) else stated


def _tokens(returned: JsonObject) -> dict[str, int] | None:
    for key, names in (("tokens", ("input", "output")), ("tokenUsage", ("prompt", "completion"))):
        usage = returned.get(key)
        counts = [_amount(usage.get(name)) for name in names] if isinstance(usage, Mapping) else []
        known = [int(count) for count in counts if count is not None]
        if len(known) == len(names):
            return {"input": known[0], "output": known[1]}
    return None


def stated_calls(value: Any) -> tuple[StatedToolCall, ...] | None:
    """Return calls of tools; None for what is no list of calls as `{name, args, id}` or in OpenAI's form.

    A call that is in neither form makes all of them unknown: without it, a check that a tool was not used could pass.
    """
    calls = [_call(item) for item in value] if isinstance(value, list) else [None]
    known = tuple(call for call in calls if call is not None)
    return known if len(known) == len(calls) else None


def _call(item: Any) -> StatedToolCall | None:
    body = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str):
        return None
    arguments = body.get("args", body.get("arguments", {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return None
    return StatedToolCall(body["name"], arguments, item.get("id"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
