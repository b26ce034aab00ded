"""Secrets in texts of other programs: an application that repeats what it received must not bring them into a result."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

MASK = "***"
_SHORTEST = 4
"""Characters. A shorter value is no secret, and would be found inside other words."""


@dataclass(frozen=True)
class Redaction:
    """Replaces secrets.

    Attributes:
        secrets: the longest first, each also as it is written inside a JSON string and in an address.
    """

    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Iterable[str]) -> Self:
        """Build it from the secrets."""
        secrets = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        return cls(tuple(sorted(secrets, key=len, reverse=True)))

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value without the secrets."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value


def _forms(value: str) -> Iterator[str]:
    """Yield the ways in which a program may write a secret; some escape the slash in JSON, and keep it in a path."""
    for text in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", r"\/")
    for safe in ("", "/", "$"):
        yield quote(value, safe=safe, errors="replace")
