"""A small promptfoo file for tests, and the message of its report on a part."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.promptfoo.report import PartOutcome, TranslationReport
from promptuary.evaluation.promptfoo.translation import Translation, UnsupportedParts

CONTAINS = {"type": "contains", "value": "a"}
TEST = {"vars": {"x": "a"}, "assert": [CONTAINS]}
FILE: dict[str, Any] = {"prompts": ["{{x}}"], "providers": ["echo"], "tests": [TEST]}
Read = Callable[..., Translation]


def why(report: TranslationReport, fate: PartOutcome, name: str) -> str:
    """Return the report's message on a part of the file."""
    (message,) = [entry.why for entry in report.of(fate) if entry.name == name]
    return message


def refusal(read: Read, name: str, changes: dict[str, Any], files: dict[str, str] | None = None, **options: Any) -> str:
    """Return the message with which a part is refused."""
    with pytest.raises(UnsupportedParts) as refused:
        read(changes, files, **options)
    return why(refused.value.report, PartOutcome.REFUSED, name)
