"""Calls that feedback is about, as an intake stores them, and what is counted of feedback."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from promptuary.traffic.counters.counts import SeriesKey
from promptuary.traffic.counters.store import require_series
from promptuary.traffic.feedback.feedback import FeedbackCall
from promptuary.traffic.tables import HourRow, ObservationRow, SeriesRow

COUNTERS = ("feedback", "feedback_sum", "feedback_low")


def add_call(session: Session, at: datetime, version: int = 1, prompt_id: int | None = 1, **values: Any) -> FeedbackCall:
    """Add a call that waits, counted by the model `m`, and return what feedback needs of it."""
    key = SeriesKey(prompt_id, version, model="m") if prompt_id else SeriesKey(None, reason="no_prompt")
    series_id = require_series(session, 1, [key])[key]
    number = values.get("observation_id", "obs-1").removeprefix("obs-")
    names = {"observation_id": "obs-1", "key": f"key-{number}", "response_id": None, "trace_id": None, "span_id": None}
    fields = {**names, "parent_span_id": None, "prompt_id": prompt_id, "version": version if prompt_id else 0, **values}
    call = FeedbackCall(**fields, series_id=series_id, at=at)
    row = {name: getattr(call, name) for name in FeedbackCall.__dataclass_fields__ if name != "observation_id"}
    session.add(
        ObservationRow(
            id=call.observation_id,
            project_id=1,
            received_at=at,
            settle_at=at + timedelta(minutes=10),
            random=0.5,
            probability=1.0,
            status="ok",
            details={},
            **row,
        )
    )
    session.flush()
    return call


def feedback_counts(database: Any) -> dict[tuple[int, str, int], tuple[int, float, int]]:
    """Return what is counted of feedback, by version, model and hour; rows without feedback are left out."""
    with database.read() as session:
        rows = session.exec(select(SeriesRow, HourRow).where(SeriesRow.id == HourRow.series_id)).all()
    return {
        (series.version, series.model, hour.hour): (hour.feedback, hour.feedback_sum, hour.feedback_low)
        for series, hour in rows
        if any(getattr(hour, name) for name in COUNTERS)
    }
