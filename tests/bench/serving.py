"""A data directory full of prompts, and servers run on it, for all benchmarks."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PROMPTS, VERSIONS = 10_000, 10
WORDS = " ".join(["You sort the tickets of a support desk into intents, and say which one fits best."] * 6)


@dataclass(frozen=True)
class Data:
    """A data directory with prompts in it, and a key that may read and move labels."""

    folder: Path
    key: str
    names: Sequence[str]

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


# --- the data set -------------------------------------------------------------------------------------------------------


def build(folder: Path, prompts: int = PROMPTS, versions: int = VERSIONS) -> Data:
    """Create a data directory in one transaction: each prompt with its versions, `production` on the newest."""
    from sqlalchemy import insert, update

    from promptuary.access.credentials import local_caller
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService
    from promptuary.access.tables import ProjectRow
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary.migrations.upgrade import upgrade
    from promptuary.prompt.content import Content
    from promptuary.prompt.digest import content_json, content_json_digest
    from promptuary.registry.tables import EventRow, LabelMoveRow, LabelRow, PromptRow, VersionRow

    settings = read_settings(data_dir=folder)
    database = Database(settings.sql_url)
    upgrade(database)
    caller, now = local_caller(database, wall_clock()), wall_clock()
    template = [{"role": "system", "content": WORDS + " NUMBER"}, {"role": "user", "content": "{{ticket}}"}]
    content = content_json(Content.model_validate({"type": "chat", "template": template}))
    names = [f"bench.p{number}" for number in range(prompts)]
    rows: dict[Any, list[dict[str, Any]]] = {PromptRow: [], VersionRow: [], LabelRow: [], LabelMoveRow: [], EventRow: []}
    revision = 0
    for at, name in enumerate(names, start=1):
        for number in range(1, versions + 1):
            body = json.loads(json.dumps(content).replace("NUMBER", f"{at} {number}"))
            stored = {"prompt_id": at, "number": number, "message": "", "tags": [], "author": "bench", "created_at": now}
            rows[VersionRow].append({**stored, "digest": content_json_digest(body), "content": json.dumps(body)})
            revision += 1
            event = {"project_id": caller.project, "prompt_id": at, "at": now}
            rows[EventRow].append({**event, "revision": revision, "kind": "version.created", "detail": {"version": number}})
        revision += 1
        moved = {"version": versions, "split": None, "revision": revision}
        rows[EventRow].append({**event, "revision": revision, "kind": "label.moved", "detail": {}})
        rows[LabelRow].append({**moved, "prompt_id": at, "name": "production", "moved_at": now})
        history = {"previous": None, "actor": "bench", "reason": "", "at": now}
        rows[LabelMoveRow].append({**moved, **history, "prompt_id": at, "label": "production"})
        prompt = {"newest": versions, "revision": revision, "created_at": now, "archived_at": None}
        rows[PromptRow].append({**prompt, "id": at, "project_id": caller.project, "name": name})
    with database.write() as session:
        for table, values in rows.items():
            session.connection().execute(insert(table), values)
        session.connection().execute(update(ProjectRow).values(revision=revision))
        _, key = AccessService(UnitOfWork(session, caller, wall_clock, settings)).create_key("bench", Role.AUTHOR)
    database.dispose()
    return Data(folder, str(key), names)


# --- processes ----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], url: str, environment: dict[str, str] | None = None) -> Iterator[str]:
    """Run a server until the block ends; yield its URL once it responds."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})})
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, f"{command} ended"
            assert time.monotonic() < deadline, f"{command} does not respond"
            try:
                if httpx.get(f"{url}/readyz").status_code != 503:  # the bare apps do not know the path
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def serving(data: Data) -> Iterator[str]:
    """Run `promptuary serve` on a data directory."""
    port = free_port()
    command = [sys.executable, "-m", "promptuary.cli.main", "serve", "--port", str(port)]
    environment = {"PROMPTUARY_DATA_DIR": str(data.folder), "PROMPTUARY_LOG_LEVEL": "WARNING"}
    with running(command, f"http://127.0.0.1:{port}", environment) as url:
        yield url
