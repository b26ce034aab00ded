"""An intake with a prompt of two versions, and what it left in the tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import col, select

from promptuary.access import store as access_store
from promptuary.core.database import Database
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.tables import HourRow, ObservationRow, SeriesRow


@dataclass(frozen=True)
class Traffic:
    """The traffic of the project `default` in a database."""

    database: Database
    project: int
    intake: TrafficIntake

    def take(self, reading: Any, project: int | None = None) -> Any:
        """Take a reading, as a request."""
        return self.intake.take(project or self.project, reading)

    def counted(self, project: int | None = None) -> dict[tuple[int, str], int]:
        """Return the counted calls by version and reason, of series with any."""
        with self.database.read() as session:
            query = select(SeriesRow, HourRow).join(HourRow, col(HourRow.series_id) == SeriesRow.id)
            rows = session.exec(query.where(SeriesRow.project_id == (project or self.project))).all()
        counts: dict[tuple[int, str], int] = {}
        for series, hour in rows:
            key = (series.version, series.reason)
            counts[key] = counts.get(key, 0) + hour.calls
        return {key: count for key, count in counts.items() if count}

    def hours(self) -> list[tuple[SeriesRow, HourRow]]:
        """Return the counters with any call."""
        with self.database.read() as session:
            query = select(SeriesRow, HourRow).join(HourRow, col(HourRow.series_id) == SeriesRow.id)
            rows = session.exec(query.where(HourRow.calls != 0).order_by(col(SeriesRow.id), col(HourRow.hour)))
            return [(series, hour) for series, hour in rows]

    def rows(self) -> list[ObservationRow]:
        """Return the calls that wait or are in the sample, in the order in which they came."""
        with self.database.read() as session:
            return list(session.exec(select(ObservationRow).order_by(col(ObservationRow.key))))


@pytest.fixture
def traffic_of(opened_database: Database, clock: Any, settings: Any, unit_as: Callable[..., Any]) -> Callable[..., Traffic]:
    """Make the traffic of the project `default`: `traffic_of(draw=…, traffic_wait=60)`."""

    def make(draw: Callable[[], float] = lambda: 0.0, **changed: Any) -> Traffic:
        with unit_as("editor") as unit:
            project = unit.caller.project
            for template in ("Sort {{ticket}}.", "Sort {{ticket}} again."):
                Registry(unit).register("support.triage", Content.model_validate({"type": "text", "template": template}))
        intake = TrafficIntake(opened_database, clock, settings.model_copy(update=changed), draw=draw)
        return Traffic(opened_database, project, intake)

    return make


@pytest.fixture
def traffic(traffic_of: Callable[..., Traffic]) -> Traffic:
    """Traffic whose calls all have the random number 0: each of them waits."""
    return traffic_of()


@pytest.fixture
def other_project(opened_database: Database, clock: Any) -> int:
    """A project beside the traffic's own."""
    with opened_database.write() as session:
        return int(access_store.add_project(session, "other", clock()).id)
