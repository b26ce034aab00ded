"""A release's database after an upgrade: copies of it, and today's app on them."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from factories.releases import RecordedEmbedder, Release, Rows
from factories.word_embedder import word_embedding_backend
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.database import Database
from promptuary.core.settings import Settings, read_settings

Ask = Callable[..., Any]


@dataclass(frozen=True)
class UpgradedRelease:
    """A release's database before and after today's upgrade.

    Attributes:
        release: the release that wrote it.
        template: the upgraded database, to be copied: a SQLite file, or the name of a PostgreSQL database.
        rows_before: every row of every table, before the upgrade.
        rows_after: every row of every table, after it.
        schema_before: the schema's revision before the upgrade.
        schema: the schema after the upgrade, as `schema_of` describes it.
        fresh_schema: the schema that an empty database gets from today's code.
    """

    release: Release
    template: str | Path
    rows_before: Rows
    rows_after: Rows
    schema_before: str | None
    schema: dict[str, Any]
    fresh_schema: dict[str, Any]

    def clock(self) -> datetime:
        """Return the timestamp at which the release responded."""
        return self.release.now


@contextmanager
def empty_database(request: pytest.FixtureRequest, dialect: str, file: Path) -> Iterator[tuple[str, str | Path]]:
    """Yield the URL of an empty database, and its name or file."""
    if dialect == "sqlite":
        yield f"sqlite:///{file}", file
        return
    with request.getfixturevalue("postgres").copy("template0") as url:
        yield url, url.partition("?")[0].rpartition("/")[2]


@contextmanager
def copied(old: UpgradedRelease, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """Yield a copy of the upgraded database."""
    if isinstance(old.template, Path):
        shutil.copy(old.template, folder / "promptuary.db")
        database = Database(f"sqlite:///{folder / 'promptuary.db'}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres").copy(old.template) as url:
        database = Database(url)
        yield database
        database.dispose()


def settings_for(database: Database, folder: Path) -> Settings:
    """Return settings for a database, with a data directory that has no index."""
    return read_settings(data_dir=folder, database_url=database.engine.url.render_as_string(hide_password=False))


@contextmanager
def serving(old: UpgradedRelease, database: Database, folder: Path) -> Iterator[Ask]:
    """Yield a function that sends requests to today's app, which finds passages by the vectors in SQL."""
    settings, embedder = settings_for(database, folder), RecordedEmbedder(old.release.vectors)
    retrieval = PassageRetrieval(database, old.clock, word_embedding_backend(database, settings, embedder))
    app = create_app(settings, database=database, clock=old.clock, retrieval=retrieval)
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def ask(method: str, path: str, key: str, body: Any = None, **headers: str) -> Any:
            headers |= {"Authorization": f"Bearer {old.release.keys[key]}", "Content-Type": "application/json"}
            content = json.dumps(body) if isinstance(body, dict) else body
            return client.request(method, f"/v1{path}", headers=headers, content=content)

        yield ask
    app.close()
    retrieval.close()
