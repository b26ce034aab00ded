"""Redaction of a call before anything stores it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from promptuary.traffic.calls.model_call import CallContents, CallMessage, ModelCall, ReportedToolCall
from promptuary.traffic.redaction.json_value import RedactText, redact_json
from promptuary.traffic.redaction.sensitive_values import redact_sensitive, sensitive_pattern
from promptuary.traffic.redaction.text import redact_text

SENSITIVE = "[redacted: variable]"


@dataclass(frozen=True)
class Redactor:
    """Removes people's data from calls: sensitive variables, patterns, then what further steps find.

    Attributes:
        steps: each redacts one text, and returns it with the number of passages; in order.
    """

    steps: Sequence[RedactText] = (redact_text,)

    def redact(self, call: ModelCall, sensitive_names: Collection[str] = ()) -> tuple[ModelCall, int]:
        """Return a call without people's data, and the number of passages that were removed.

        A prompt's sensitive variables are removed wherever their values stand. Where the report has no variables, their values
        cannot be found in the messages and the answer, so that none of the contents is returned, and no conversation's id.

        Args:
            call: as it was reported.
            sensitive_names: the prompt's variables that are declared as sensitive.
        """
        contents = call.contents
        if sensitive_names and contents.variables is None:
            withheld = replace(call, contents=CallContents(is_complete=False), conversation=None)
            return self._with_details(withheld, redact=self.redact_text, count=int(_has_texts(contents)))
        redact, variables, count = self.redact_text, contents.variables, 0
        if sensitive_names and variables is not None:
            pattern = sensitive_pattern(variables, sensitive_names)
            if pattern is not None:
                redact = partial(_redact_both, partial(redact_sensitive, pattern=pattern), self.redact_text)
            hidden = [name for name in sensitive_names if variables.get(name) is not None]
            count = len(hidden)
            variables = {**variables, **dict.fromkeys(hidden, SENSITIVE)}
        redacted, removed = _redact_contents(replace(contents, variables=variables), redact)
        return self._with_details(replace(call, contents=redacted), redact, count + removed)

    def redact_text(self, text: str) -> tuple[str, int]:
        """Return a text without people's data, and the number of passages that were removed."""
        count = 0
        for step in self.steps:
            text, removed = step(text)
            count += removed
        return text, count

    def _with_details(self, call: ModelCall, redact: RedactText, count: int) -> tuple[ModelCall, int]:
        """Redact the texts of a call that are no contents, but that an application may put anything into."""
        names = (
            "conversation",
            "error_type",
            "finish",
            "model",
            "response_model",
            "provider",
            "operation",
            "service",
            "emitter",
        )
        changed: dict[str, Any] = {}
        for name in names:
            value = getattr(call, name)
            if value is not None:
                text, removed = redact(value)
                if removed:
                    changed[name] = text
                    count += removed
        return (replace(call, **changed) if changed else call), count


def _redact_both(first: RedactText, second: RedactText, text: str) -> tuple[str, int]:
    text, count = first(text)
    text, more = second(text)
    return text, count + more


def _has_texts(contents: CallContents) -> bool:
    return any((contents.input, contents.output, contents.tool_calls, contents.error_message))


def _redact_contents(contents: CallContents, redact: RedactText) -> tuple[CallContents, int]:
    total = 0

    def keep(value: Any) -> Any:
        nonlocal total
        redacted, count = redact_json(value, redact)
        total += count
        return redacted

    redacted = replace(
        contents,
        input=None if contents.input is None else [_redact_message(message, keep) for message in contents.input],
        output=keep(contents.output),
        tool_calls=_redact_tool_calls(contents.tool_calls, keep),
        variables=keep(contents.variables) if contents.variables is None else keep(dict(contents.variables)),
        error_message=keep(contents.error_message),
    )
    return redacted, total


def _redact_message(message: CallMessage, keep: Callable[[Any], Any]) -> CallMessage:
    return replace(
        message,
        role=keep(message.role),
        content=keep(message.content),
        tool_calls=_redact_tool_calls(message.tool_calls, keep),
        tool_call_id=keep(message.tool_call_id),
    )


def _redact_tool_calls(calls: Sequence[ReportedToolCall], keep: Callable[[Any], Any]) -> Sequence[ReportedToolCall]:
    return tuple(replace(call, id=keep(call.id), name=keep(call.name), arguments=keep(call.arguments)) for call in calls)
