"""Lookups stay up while the database does not answer, or is busy with writers."""

import threading
from typing import Any

from starlette.testclient import TestClient
from structlog.testing import capture_logs

from doubles.eventually import DEADLINE_SECONDS, eventually
from factories.lookup_paths import GREET, Bearer, LookupPaths, Units, register
from promptuary.access.credentials import local_caller
from promptuary.access.role import Role
from promptuary.access.service import AccessService
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.api.app import create_app
from promptuary.api.lookup.change_tracker import PAUSE_SECONDS
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import read_settings
from promptuary.registry.labels import Labels


def test_while_the_database_is_away_lookups_are_answered_from_memory(postgres: Any, tmp_path: Any, clock: Any) -> None:
    with postgres.copy() as url, capture_logs() as logs:
        app = create_app(read_settings(data_dir=tmp_path, database_url=url), clock=clock)
        caller = local_caller(app.services.database, clock())
        with app.services.database.write() as session:
            unit = UnitOfWork(session, caller, clock, app.services.settings)
            register(unit, "greet", "one", "production")
            register(unit, "greet", "two")
            headers = {"Authorization": f"Bearer {AccessService(unit).create_key('k', Role.AUTHOR)[1]}"}
        name = app.services.database.engine.url.database
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert client.get(GREET, headers=headers).json()["version"] == 1
            assert eventually(lambda: app.services.change_feed.revisions(caller.project) is not None)
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            assert eventually(lambda: any("disconnected" in entry["event"] for entry in logs))
            assert [client.get(GREET, headers=headers).status_code for _ in range(20)] == [200] * 20
            away = client.get(f"{GREET}?version=2", headers=headers)
            assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "unavailable", "1")
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert client.put(f"{GREET}/labels/production", json={"version": 2}, headers=headers).status_code == 200
            assert client.get(GREET, headers=headers).json()["version"] == 2


def test_memory_is_kept_for_a_while_when_changes_cannot_be_read(
    database: Database, prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    reader, lookup, released, seconds = bearer("reader"), paths.fast.lookup, threading.Event(), [0.0]
    lookup.changes.monotonic = lambda: seconds[0]
    assert api.get(GREET, headers=reader).json()["version"] == 1
    paths.finish_prefetching()
    read_changes = lookup.reader.changes

    def refused(*_arguments: Any) -> Any:
        raise Unavailable("the database does not answer")

    def blocked(*_arguments: Any) -> Any:
        released.wait(DEADLINE_SECONDS)
        raise Unavailable("late")

    with prompts("author") as unit:
        Labels(unit).move("greet", "production", 2, "unseen")
    for broken, timeout, error in ((refused, 60.0, "the database does not answer"), (blocked, 0.02, "no answer for 0.02 s")):
        lookup.reader.changes, lookup.changes.timeout_seconds = broken, timeout
        with capture_logs() as logs:
            assert [api.get(GREET, headers=reader).json()["version"] for _ in range(3)] == [1, 1, 1]
        assert [entry["error"] for entry in logs if "error" in entry] == [error]
        seconds[0] += PAUSE_SECONDS
    released.set()
    lookup.reader.changes, lookup.changes.timeout_seconds = read_changes, 60.0
    assert api.get(GREET, headers=reader).json()["version"] == 2


def test_no_lookup_waits_for_writers_however_many_they_are(
    sqlite: Database, prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    """Thirty connections are in use, and one of them has the write lock."""
    reader, connections = bearer("reader"), [sqlite.engine.connect() for _ in range(30)]
    connections[0].exec_driver_sql("UPDATE project SET name = name")
    assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
    for connection in connections:
        connection.close()
