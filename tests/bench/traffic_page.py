"""The query of the traffic page over 30 days, on SQLite and on PostgreSQL.

    python -m bench.traffic_page

A prompt has 40 series with a call in every hour: 5 versions, 2 labels, 2 variants and 2 models. 60 more prompts have
12 series each, which are half a million rows.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from bench.audit import databases

if TYPE_CHECKING:
    from promptuary.core.database import Database

HOURS, OTHER_PROMPTS, OTHER_VERSIONS, ROUNDS = 30 * 24, 60, 12, 7
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATENCIES = '{"12":3,"13":9,"14":21,"15":40,"16":33,"17":12,"18":4,"19":2,"21":1}'


@dataclass(frozen=True)
class PageQuery:
    """A query, and the median of its seconds."""

    what: str
    rows: int
    seconds: float


def write(database: "Database") -> int:
    """Write the counters of all prompts; return the number of rows."""
    from promptuary.access.store import add_project
    from promptuary.core.database import table_of
    from promptuary.registry.store import add_prompt
    from promptuary.traffic.counters.counts import SeriesKey
    from promptuary.traffic.counters.store import require_series
    from promptuary.traffic.tables import DayRow, HourRow

    with database.write() as session:
        project = add_project(session, "bench", NOW).id
        prompts = [add_prompt(session, project, f"support.p{number}", NOW).id for number in range(OTHER_PROMPTS + 1)]
        values = product(range(1, 6), ("production", "staging"), ("", "b"), ("small", "large"))
        keys = [SeriesKey(prompts[0], *value) for value in values]
        keys += [SeriesKey(prompt, version) for prompt in prompts[1:] for version in range(1, OTHER_VERSIONS + 1)]
        series = sorted(require_series(session, project, keys).values())
    last = int(NOW.timestamp()) // 3600
    counts = {"calls": 125, "errors": 2, "incomplete": 1, "replayable": 120, "token_calls": 125, "input_tokens": 99_000}
    counts |= {"output_tokens": 20_000, "cached_tokens": 0, "reasoning_tokens": 0, "cost_calls": 0, "redacted": 3}
    more = {"cost": 0.0, "latency_calls": 125, "latency_ms": 25_000.0, "latencies": LATENCIES}
    more |= {"feedback": 5, "feedback_sum": 4.0, "feedback_low": 1}
    for each in series:
        rows = [{"series_id": each, "hour": last - hour, **counts, **more} for hour in range(HOURS)]
        with database.write() as session:
            session.connection().execute(insert(table_of(HourRow)), rows)
            session.connection().execute(insert(table_of(DayRow)), _days(rows))
    return len(series) * HOURS


def _days(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counters of the days of a series' hours."""
    from promptuary.traffic.counters.latency import LatencyHistogram

    days: dict[int, list[dict[str, Any]]] = {}
    for row in hours:
        days.setdefault(row["hour"] // 24, []).append(row)
    summed = []
    for day, rows in days.items():
        sums = {name: sum(row[name] for row in rows) for name in rows[0] if name not in ("series_id", "hour", "latencies")}
        latencies = LatencyHistogram.parse_sum(",".join(row["latencies"] for row in rows)).format()
        summed.append({"series_id": rows[0]["series_id"], "day": day, **sums, "latencies": latencies})
    return summed


def measured() -> Iterator[PageQuery]:
    """Yield the time of each query on each database."""
    from promptuary.access.role import Role
    from promptuary.access.store import find_project
    from promptuary.access.unit_of_work import Caller, UnitOfWork
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary.migrations.upgrade import upgrade
    from promptuary.traffic.figures.schemas import TrafficOut
    from promptuary.traffic.figures.service import TrafficRequest, report_project, report_prompt

    settings = read_settings()
    with databases() as urls:
        for name, url in urls.items():
            database = Database(url)
            upgrade(database)
            rows = write(database)
            request = TrafficRequest(NOW - timedelta(days=30), None, "version,day")
            overview = TrafficRequest(NOW - timedelta(days=30), None, "prompt,reason", has_latency=False)
            for what in ("a prompt by version and day", "the project by prompt"):
                seconds = []
                for _ in range(ROUNDS):
                    started = time.perf_counter()
                    with database.read() as session:
                        project = find_project(session, "bench")
                        assert project is not None
                        caller = Caller(project.id, "bench", "key:bench", Role.VIEWER)
                        unit = UnitOfWork(session, caller, lambda: NOW, settings)
                        of_prompt = what.startswith("a prompt")
                        report = report_prompt(unit, "support.p0", request) if of_prompt else report_project(unit, overview)
                        TrafficOut.of(report).model_dump_json(by_alias=True)
                    seconds.append(time.perf_counter() - started)
                yield PageQuery(f"{name}: {what}", rows, statistics.median(seconds))
            database.dispose()


if __name__ == "__main__":
    for query in measured():
        print(f"{query.what}: {query.rows:,} rows of counters, {query.seconds * 1000:.0f} ms", flush=True)
