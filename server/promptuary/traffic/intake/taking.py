"""What one request of an intake works with: its transaction, its project and its time."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from promptuary.core.database import Session
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.calls.sensitive_names import SensitiveNames
from promptuary.traffic.counters.counts import SECONDS_OF_AN_HOUR, CallCounts
from promptuary.traffic.counters.store import SeriesHour
from promptuary.traffic.feedback.recording import FeedbackRecording
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.settings.project_settings import ProjectTraffic
from promptuary.traffic.tables import Stratum

_AHEAD = timedelta(minutes=10)
"""How far the clock of a program may be ahead; what it reports from later than that is counted as of now."""


@dataclass
class Taking:
    """One request.

    Attributes:
        session: the transaction.
        project: the project's number.
        traffic: its settings, rules and key.
        now: the time at which the request came.
        draw: returns a random number from 0 to 1.
        redactor: removes people's data.
        sensitive: the variables that versions declare as sensitive.
        counts: what the request changes in the counters.
        moved: the ids of waiting calls that are counted elsewhere now.
    """

    session: Session
    project: int
    traffic: ProjectTraffic
    now: datetime
    draw: Callable[[], float]
    redactor: Redactor
    sensitive: SensitiveNames = field(default_factory=SensitiveNames)
    counts: dict[SeriesHour, CallCounts] = field(default_factory=lambda: defaultdict(CallCounts))
    moved: list[str] = field(default_factory=list)

    @cached_property
    def seconds(self) -> int:
        """The time of the request in seconds since 1970."""
        return int(self.now.timestamp())

    @property
    def feedback(self) -> FeedbackRecording:
        """What the recording of feedback needs in this transaction."""
        low_value = self.traffic.settings.low_value
        return FeedbackRecording(self.session, self.project, self.now, low_value, self.redactor.redact_text, self.sensitive)

    def time_of(self, at: datetime) -> datetime:
        """Return the time at which a call counts: its own, or now for one from the future."""
        return at if at <= self.now + _AHEAD else self.now

    def may_store(self, prompt_id: int | None) -> bool:
        """Return whether the contents of a call may be stored, by the prompt that it is counted for."""
        return prompt_id is not None or self.traffic.settings.keep == "all"

    def share(self, status: str) -> float:
        """Return the largest probability with which a call's contents may be stored, by how it ended."""
        reachable = {Stratum.RANDOM, Stratum.LOW_FEEDBACK} | ({Stratum.ERROR} if status == CallStatus.ERROR else set())
        return max(self.traffic.settings.probability(stratum) for stratum in reachable)


def hour_of(at: datetime) -> int:
    """Return the hour since 1970 in which a time is."""
    return int(at.timestamp() // SECONDS_OF_AN_HOUR)
