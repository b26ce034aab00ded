"""What an intake did with one request. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class IntakeReport:
    """What was taken of one request.

    Attributes:
        calls: that were counted.
        repeats: reports of calls that were counted before.
        unattributed: how many of the calls have no known prompt or version, by the reason: values of `MissingPrompt`.
        moved: calls of earlier requests that were counted without a prompt, and whose prompt is known now.
        evaluations: that were stored as feedback.
        rejected: spans or records that could not be read.
        message: which and why, for OTLP's partial success; empty for none.
    """

    calls: int = 0
    repeats: int = 0
    unattributed: Mapping[str, int] = field(default_factory=dict)
    moved: int = 0
    evaluations: int = 0
    rejected: int = 0
    message: str = ""
