"""Spans around calls as they wait, with what they state of people: redacted by patterns before it is stored. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.traffic.calls.contents_codec import encode_contents
from promptuary.traffic.calls.model_call import CallContents, PromptMark
from promptuary.traffic.redaction.json_value import redact_json
from promptuary.traffic.redaction.text import redact_text

_DIGEST = re.compile("(?:sha256:)?[0-9a-fA-F]{64}")
RedactText = Callable[[str], tuple[str, int]]


@dataclass(frozen=True, slots=True)
class SpanVariables:
    """The values with which a prompt was rendered, of a span around calls.

    Attributes:
        values: by name.
        removed: for values that waited, and are redacted by patterns: how many passages were removed from each that had any;
            None for values as they were reported.
    """

    values: Mapping[str, Any]
    removed: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class WaitingSpan:
    """A span around calls.

    Attributes:
        span: the digest of its project and ids.
        parent: of the span around it; None for a root.
        prompt: that it names.
        variables: of that prompt.
        user_hash: of the end user.
        conversation: the id of the conversation.
        is_call: whether it is a call itself, whose contents are stored as such, and not once more for calls inside it.
    """

    span: int
    parent: int | None
    prompt: PromptMark | None
    variables: SpanVariables | None = None
    user_hash: str | None = None
    conversation: str | None = None
    is_call: bool = False

    @property
    def states_anything(self) -> bool:
        """Whether a call may take anything from it."""
        return self.prompt is not None or self._has_contents

    @property
    def _has_contents(self) -> bool:
        return not (self.variables is None and self.user_hash is None and self.conversation is None)

    def contents_row(self, project: int, now: int, redact: RedactText) -> dict[str, Any] | None:
        """Return what the span states of people, as it is stored; None where it states nothing."""
        if self.is_call or not self._has_contents:
            return None
        variables, removed = (None, None) if self.variables is None else _redacted(self.variables.values, redact)
        return {
            "span": self.span,
            "project_id": project,
            "variables": None if variables is None else encode_contents(CallContents(variables=variables)),
            "removed": removed or None,
            "user_hash": self.user_hash,
            "conversation": None if self.conversation is None else redact(self.conversation)[0],
            "at": now,
        }


def mark_json(mark: PromptMark) -> dict[str, str]:
    """Return a mark as JSON without people's data; a digest is one of hex digits, which patterns could take for a number."""
    names = ("name", "version", "label", "variant")
    texts = {name: redact_text(value)[0] for name in names if (value := getattr(mark, name)) is not None}
    has_digest = mark.digest is not None and _DIGEST.fullmatch(mark.digest) is not None
    return texts | ({"digest": str(mark.digest)} if has_digest else {})


def _redacted(variables: Mapping[str, Any], redact: RedactText) -> tuple[dict[str, Any], dict[str, int]]:
    values: dict[str, Any] = {}
    removed: dict[str, int] = {}
    for name, value in variables.items():
        cleaned, count = redact_json({name: value}, redact)
        values |= cleaned
        removed |= dict.fromkeys(cleaned, count) if count else {}
    return values, removed
