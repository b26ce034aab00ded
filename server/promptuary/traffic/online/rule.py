"""A rule for the sample of a prompt: which calls reviewers get, and which scorers run on all of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.evaluation.json_object import JsonObject

PLACES = ("filled", "feedback", "scores", "scored")
"""The fields of `RuleProgress` that are places."""


@dataclass(frozen=True)
class QueueFilling:
    """Which sampled calls become items of a review queue.

    Attributes:
        queue: its name.
        low_feedback: whether all calls with low feedback do.
        share: of all sampled calls, those that do by chance, from 0 to 1.
        disagreements: whether calls do on which an online judge disagrees with feedback or with another online scorer.
    """

    queue: str
    low_feedback: bool = True
    share: float = 0.0
    disagreements: bool = False


@dataclass(frozen=True)
class OnlineScoring:
    """Scorers that run on every sampled call of the prompt.

    Attributes:
        scorers: as JSON, as a suite has them.
        max_cost: the most that their judges may cost a day, in US dollars; None where no judge asks a model.
    """

    scorers: Sequence[JsonObject] = ()
    max_cost: float | None = None


@dataclass(frozen=True)
class TrafficRule:
    """A rule as it is stored.

    Attributes:
        name: unique in the project.
        prompt: the prompt's name.
        filling: None where no queue is filled.
        scoring: None where nothing is scored.
        created_by: the identity of who stored it.
        created_at: when it was first stored; calls that settled before are left alone.
        error: why its last step failed; None where it did not.
    """

    name: str
    prompt: str
    filling: QueueFilling | None
    scoring: OnlineScoring | None
    created_by: str
    created_at: datetime
    error: str | None = None


@dataclass(frozen=True)
class StepPlace:
    """How far a step of a rule has come: the time and the id of the last row that it looked at."""

    at: datetime
    key: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that is stored."""
        return {"at": self.at.isoformat(), "key": self.key}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "StepPlace":
        """Build the place from its stored JSON."""
        return cls(datetime.fromisoformat(body["at"]), body["key"])


@dataclass(frozen=True)
class RuleProgress:
    """What the steps of a rule have done.

    Attributes:
        filled: the place of the queue's filling among calls, by the ends of their waits.
        feedback: its place among feedback.
        scores: its place among online scores.
        scored: the place of the scoring among calls.
        day: the day, in ISO format, that `spent` is of.
        spent: by judges on that day, in US dollars.
        left_out: how many calls were not scored, since the day's cost limit was reached for too long.
        error: why the last step failed.
        leased_until: until when one worker has the scoring, in ISO format, so that no call is judged twice; empty for nobody.
    """

    filled: StepPlace
    feedback: StepPlace
    scores: StepPlace
    scored: StepPlace
    day: str = ""
    spent: float = 0.0
    left_out: int = 0
    error: str | None = None
    leased_until: str = ""

    @classmethod
    def start(cls, at: datetime) -> "RuleProgress":
        """Return the progress of a rule that has done nothing."""
        return cls(StepPlace(at), StepPlace(at), StepPlace(at), StepPlace(at))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that is stored."""
        return {**vars(self), **{name: getattr(self, name).to_json() for name in PLACES}}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "RuleProgress":
        """Build the progress from its stored JSON."""
        return cls(**{**body, **{name: StepPlace.from_json(body[name]) for name in PLACES}})


def rule_to_json(filling: QueueFilling | None, scoring: OnlineScoring | None) -> dict[str, Any]:
    """Return what a rule does as the JSON that is stored."""
    body: dict[str, Any] = {}
    if filling is not None:
        body["filling"] = vars(filling)
    if scoring is not None:
        body["scoring"] = {"scorers": list(scoring.scorers), "max_cost": scoring.max_cost}
    return body


def rule_parts(body: dict[str, Any]) -> tuple[QueueFilling | None, OnlineScoring | None]:
    """Return what a rule does from its stored JSON."""
    filling, scoring = body.get("filling"), body.get("scoring")
    return (
        None if filling is None else QueueFilling(**filling),
        None if scoring is None else OnlineScoring(tuple(scoring["scorers"]), scoring["max_cost"]),
    )
