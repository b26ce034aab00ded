"""The answer of an application over HTTP, and which part of it is the output."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from promptuary.evaluation.applications.answer_path import AnswerPath, parse_path
from promptuary.evaluation.applications.event_stream import StreamPart, is_stream, stream_parts
from promptuary.evaluation.applications.spec import PROMPTFOO, TEXT_OUTPUT, HttpSpec
from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.errors import Invalid

EXCERPT = 200
_HTML = re.compile(r"^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)


class AnswerUnreadable(Invalid):
    """An application answered, and its answer has no output where the suite looks for one."""

    code = "answer_unreadable"


@dataclass(frozen=True)
class HttpAnswer:
    """An answer.

    Attributes:
        status: its number.
        reason: the status's text.
        headers: by their names in small letters.
        text: the body, without values of secrets.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    text: str

    @property
    def media_type(self) -> str:
        """The media type without parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def excerpt(self) -> str:
        """The beginning of the body in one line."""
        text = " ".join(self.text.split())
        return text[:EXCERPT] + ("…" if len(text) > EXCERPT else "")

    @property
    def is_html(self) -> bool:
        """Whether it is a page for a browser."""
        return self.media_type in ("text/html", "application/xhtml+xml") or bool(_HTML.match(self.text[:2000]))

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self._parsed[0]

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        return self._parsed[1]

    @cached_property
    def parts(self) -> list[StreamPart]:
        """The parts of a stream; empty for an answer that is none."""
        return stream_parts(self.text, self.media_type) if is_stream(self.media_type) else []

    @cached_property
    def _parsed(self) -> tuple[bool, Any]:
        try:
            return True, json.loads(self.text)
        except (ValueError, RecursionError):
            return False, None


@dataclass(frozen=True)
class OutputReader:
    """Reads the output of an answer.

    Attributes:
        path: where it is; None for the whole answer.
        as_text: whether the body is the output as it is.
        promptfoo: whether promptfoo's rules apply to the whole answer.
    """

    path: AnswerPath | None
    as_text: bool
    promptfoo: bool

    @classmethod
    def of(cls, spec: HttpSpec) -> Self:
        """Build the reader of a request's answers."""
        path = parse_path(spec.output) if isinstance(spec.output, str) and spec.output != TEXT_OUTPUT else None
        return cls(path, spec.output == TEXT_OUTPUT, spec.semantics == PROMPTFOO)

    def read(self, answer: HttpAnswer) -> Any:
        """Return the output as JSON has it: a text, or another value; where no expression reads it.

        Raises:
            AnswerUnreadable: where the answer has none.
        """
        if self.as_text:
            return answer.text
        if answer.parts:
            return self._of_stream(answer)
        if self.path is None:
            return self._whole(answer)
        if not answer.is_json:
            raise AnswerUnreadable(f"the answer is no JSON, and the output is to be at {self.path.source}: {answer.excerpt}")
        try:
            return self.path.value(answer.json)
        except LookupError as error:
            raise AnswerUnreadable(f"the answer cannot be used: {error}: {answer.excerpt}") from None

    def _whole(self, answer: HttpAnswer) -> Any:
        if self.promptfoo:
            value = answer.json if is_truthy(answer.json) else answer.text
            return value if is_truthy(value) else {"output": value}
        if not answer.text.strip():
            raise AnswerUnreadable(f"the answer has status {answer.status} and no content")
        return answer.json if answer.is_json else answer.text.strip()

    def _of_stream(self, answer: HttpAnswer) -> Any:
        """Return what the parts of a stream have, one after another; a value that is no text replaces those before it."""
        for part in answer.parts:
            if part.event == "error":
                raise AnswerUnreadable(f"the stream has an error: {part.text[:EXCERPT]}")
        if self.path is None:
            return "".join(part.value if part.is_json and isinstance(part.value, str) else part.text for part in answer.parts)
        values = [value for part in answer.parts if part.is_json for value in self.path.values(part.value) if value is not None]
        if not values:
            raise AnswerUnreadable(f"no part of the stream has anything at {self.path.source}: {answer.excerpt}")
        texts = [value for value in values if isinstance(value, str)]
        return "".join(texts) if len(texts) == len(values) else values[-1]


def is_truthy(value: Any) -> bool:
    """Return whether a JSON value counts as true in JavaScript."""
    return isinstance(value, list | dict) or bool(value)


def output_text(value: Any) -> str:
    """Return an output as the text that scorers see: a text as it is, everything else as JSON without spaces."""
    return value if isinstance(value, str) else canonical_json(InOrder(value, typed_numbers=False)).decode()
