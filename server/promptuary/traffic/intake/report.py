"""What an intake did with one request. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IntakeReport:
    """What was taken of one request.

    Attributes:
        calls: that were counted.
        repeats: reports of calls that were counted before.
        unattributed: of the calls, those without a prompt.
        moved: calls of earlier requests that were counted without a prompt, and whose prompt is known now.
        evaluations: that were stored as feedback.
        rejected: spans or records that could not be read.
        message: which and why, for OTLP's partial success; empty for none.
    """

    calls: int = 0
    repeats: int = 0
    unattributed: int = 0
    moved: int = 0
    evaluations: int = 0
    rejected: int = 0
    message: str = ""
