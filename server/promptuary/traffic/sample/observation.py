"""A call of the sample, as its readers get it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.traffic.calls.model_call import CallContents
from promptuary.traffic.sample.call_details import CallDetails
from promptuary.traffic.tables import Stratum


@dataclass(frozen=True, kw_only=True)
class JoinedFeedback:
    """Feedback on a call of the sample; `value` is from 0 to 1."""

    id: str
    name: str
    value: float | None
    label: str | None
    comment: str
    correction: str | None
    source: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A call of the sample.

    Attributes:
        id: its id.
        prompt: the prompt's name; None where it is unknown.
        version: None where it is unknown.
        label: by which the application looked the version up.
        variant: of a split label.
        at: when it began.
        status: how it ended.
        stratum: why it is in the sample.
        probability: with which a call such as this one is in the sample.
        user: the hash of the end user's id.
        redacted: the number of passages that were removed.
        is_replayable: whether the report had the variables of the prompt.
        details: what is known beside the contents.
        contents: None where they could not be stored, or have been erased.
        feedback: on the call, in the order of its time.
    """

    id: str
    prompt: str | None
    version: int | None
    label: str | None
    variant: str | None
    at: datetime
    status: str
    stratum: Stratum
    probability: float
    user: str | None
    redacted: int
    is_replayable: bool
    details: CallDetails
    contents: CallContents | None
    feedback: Sequence[JoinedFeedback] = ()
