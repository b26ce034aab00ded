"""Settled calls of a sample, put into the tables as the settling leaves them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from factories.clock import ManualClock
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry import store as registry_store
from promptuary.traffic.calls.contents_codec import encode_contents
from promptuary.traffic.calls.model_call import CallContents, CallStatus, TokenCounts
from promptuary.traffic.sample.call_details import CallDetails
from promptuary.traffic.tables import FeedbackRow, ObservationRow, ReservoirRow, SeriesRow, Stratum


@dataclass(frozen=True)
class StoredCall:
    """A call in the sample; `variables` None is a call without them, `output` None one without an answer."""

    id: str
    variables: Mapping[str, Any] | None = None
    output: str | None = "yes"
    version: int = 1
    label: str = "production"
    probability: float = 1.0
    threshold: float = 1.0
    stratum: Stratum = Stratum.RANDOM
    status: CallStatus = CallStatus.OK
    user: str | None = None
    conversation: str | None = None
    is_settled: bool = True
    feedback: float | None = None
    correction: str | None = None
    at: datetime | None = None


StoreCalls = Callable[..., None]


@pytest.fixture
def store_calls(opened_database: Any, unit_as: Any, clock: ManualClock) -> StoreCalls:
    """Store calls of a prompt, an hour before the present; `prompt=` is its name."""

    def store(*calls: StoredCall, prompt: str = "word") -> None:
        with unit_as("author") as unit:
            store_calls_in(unit, clock.now - timedelta(hours=1), calls, prompt)

    return store


def store_calls_in(unit: UnitOfWork, at: datetime, calls: Sequence[StoredCall], prompt: str) -> None:
    """Store calls in a unit of work; those without a time of their own began at `at`."""
    session, project = unit.session, unit.caller.project
    record = registry_store.find_prompt(session, project, prompt)
    assert record is not None
    series: dict[tuple[int, str], int] = {}
    for call in calls:
        key = call.version, call.label
        if key not in series:
            row = SeriesRow(
                project_id=project, prompt_id=record.id, prompt_key=record.id, version=key[0], label=key[1], model=prompt
            )
            session.add(row)
            session.flush()
            series[key] = row.id or 0
        _store_call(session, project, record.id, series[key], call, call.at or at)


def _store_call(session: Any, project: int, prompt: int, series: int, call: StoredCall, at: datetime) -> None:
    details = CallDetails(conversation=call.conversation, tokens=TokenCounts(input=3, output=1), latency_ms=20.0)
    contents = CallContents(variables=call.variables, output=call.output)
    day = (at - datetime(1970, 1, 1, tzinfo=UTC)).days
    if call.threshold != 1 and session.get(ReservoirRow, (project, prompt, call.version, day, call.stratum.value)) is None:
        session.add(
            ReservoirRow(
                project_id=project,
                prompt_key=prompt,
                version=call.version,
                day=day,
                stratum=call.stratum.value,
                threshold=call.threshold,
            )
        )
    session.add(
        ObservationRow(
            id=call.id,
            project_id=project,
            key=call.id,
            series_id=series,
            prompt_id=prompt,
            version=call.version,
            at=at,
            received_at=at,
            settle_at=at,
            is_settled=call.is_settled,
            user_hash=call.user,
            stratum=call.stratum.value,
            random=0.0,
            probability=call.probability,
            status=call.status.value,
            details=details.to_json(),
            contents=encode_contents(contents),
        )
    )
    session.flush()
    if call.feedback is not None or call.correction is not None:
        session.add(
            FeedbackRow(
                id=f"f-{call.id}",
                project_id=project,
                prompt_id=prompt,
                version=call.version,
                observation_id=call.id,
                value=call.feedback,
                correction=call.correction,
                at=at,
                created_at=at,
            )
        )
        session.flush()
