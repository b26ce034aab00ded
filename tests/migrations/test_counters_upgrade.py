"""The upgrade to counters of days: they are filled from the hours that are there."""

import json

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from promptuary.core.database import Database
from promptuary.migrations import upgrade as upgrade_module
from promptuary.migrations.upgrade import upgrade

COUNTERS = {"errors": 1, "incomplete": 0, "replayable": 2, "token_calls": 2, "input_tokens": 2**40, "output_tokens": 3}
COUNTERS |= {"cached_tokens": 1, "reasoning_tokens": 0, "cost_calls": 1, "redacted": 4}
COUNTERS |= {"feedback": 2, "feedback_low": 1}
AMOUNTS = {"cost": 0.25, "latency_ms": 12.5, "feedback_sum": 1.5}


def old_database(url: str) -> Database:
    """Make a database of the schema before it, with the hours of two series on three days."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(upgrade_module.__file__).rpartition("/")[0])
    with database.write() as session:
        connection = session.connection()
        config.attributes["connection"] = connection
        command.upgrade(config, "0026")
        connection.execute(
            text("INSERT INTO project (id, name, revision, audit_sequence, created_at) VALUES (1, 'p', 0, 0, '2026-03-02')")
        )
        for series in (1, 2):
            connection.execute(
                text(
                    "INSERT INTO traffic_series (id, project_id, prompt_key, version, label, variant, model, reason) "
                    "VALUES (:id, 1, 0, 0, '', '', :model, 'no_prompt')"
                ),
                {"id": series, "model": f"m{series}"},
            )
        for series, hour, calls, latencies in (
            (1, 24, 3, {"4": 1, "10": 2}),
            (1, 47, 2, {"10": 1, "7": 1}),
            (1, 48, 1, {}),
            (2, 30, 5, {"41": 5}),
        ):
            row = {"series_id": series, "hour": hour, "calls": calls, "latency_calls": sum(latencies.values()), **COUNTERS}
            row |= AMOUNTS | {"latencies": json.dumps(latencies) if latencies else ""}
            names = ", ".join(row)
            connection.execute(
                text(f"INSERT INTO traffic_hour ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row
            )
    return database


def test_days_are_filled_from_the_hours_that_are_there(empty_url: str) -> None:
    database = old_database(empty_url)
    upgrade(database)
    with database.read() as session:
        rows = session.connection().execute(text("SELECT * FROM traffic_day ORDER BY series_id, day")).mappings().all()
    assert [(row["series_id"], row["day"], row["calls"], row["latencies"]) for row in rows] == [
        (1, 1, 5, '{"4":1,"7":1,"10":3}'),
        (1, 2, 1, ""),
        (2, 1, 5, '{"41":5}'),
    ]
    assert {name: rows[0][name] for name in (*COUNTERS, *AMOUNTS)} == {
        name: 2 * value for name, value in (COUNTERS | AMOUNTS).items()
    }
    database.dispose()


def test_an_upgrade_without_traffic_has_no_days(empty_url: str) -> None:
    database = Database(empty_url)
    upgrade(database)
    with database.read() as session:
        assert session.connection().execute(text("SELECT COUNT(*) FROM traffic_day")).scalar_one() == 0
    database.dispose()
