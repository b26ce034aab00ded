"""The upgrade to people and services: which old rows belong to which key, and what old keys are allowed."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from promptuary.core.database import Database
from promptuary.migrations import upgrade as upgrade_module
from promptuary.migrations.upgrade import upgrade

KEYS = [
    ("ann", 1, "Ann", "reviewer"),
    ("dana1", 1, "Dana", "reviewer"),
    ("dana2", 1, "Dana", "author"),
    ("dana3", 2, "Dana", "reviewer"),
    ("pipe", 1, "pipeline", "ci"),
    ("app", 1, "shop", "reader"),
]


@pytest.fixture
def old(empty_url: str) -> Iterator[Database]:
    """A database of the schema before people, with keys in two projects."""
    database = Database(empty_url)
    config = Config()
    config.set_main_option("script_location", str(upgrade_module.__file__).rpartition("/")[0])
    with database.write() as session:
        connection = session.connection()
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        for number in (1, 2):
            connection.execute(
                text(
                    "INSERT INTO project (id, name, revision, audit_sequence, created_at) "
                    "VALUES (:id, :name, 0, 0, '2026-03-02')"
                ),
                {"id": number, "name": f"p{number}"},
            )
        for key, project, name, role in KEYS:
            connection.execute(
                text(
                    "INSERT INTO api_key (id, project_id, name, role, hash, created_at, revoked_at) "
                    "VALUES (:id, :project, :name, :role, 'h', '2026-03-02', :revoked)"
                ),
                {
                    "id": key,
                    "project": project,
                    "name": name,
                    "role": role,
                    "revoked": "2026-03-03" if key == "dana2" else None,
                },
            )
    yield database
    database.dispose()


def test_a_name_of_an_old_row_is_the_one_key_that_has_it_also_a_revoked_one(old: Database) -> None:
    upgrade(old)
    with old.read() as session:
        rows = session.connection().execute(text("SELECT id, former_identity FROM api_key")).all()
    assert {key: former for key, former in rows} == {
        "ann": "key:Ann",
        "dana1": None,
        "dana2": None,
        "dana3": "key:Dana",
        "pipe": "key:pipeline",
        "app": "key:shop",
    }


def test_old_keys_of_pipelines_and_applications_have_their_grants_written_out(old: Database) -> None:
    upgrade(old)
    with old.read() as session:
        rows = session.connection().execute(text("SELECT id, grants FROM api_key WHERE grants IS NOT NULL")).all()
    assert {key: grants for key, grants in rows} == {
        "pipe": "context:write dataset:write schedule:write suite:write",
        "app": "context:read prompt:read",
    }
