"""The command in this process, on a data directory of the test's own, and the same service on a port."""

import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptuary.cli.main import main
from promptuary.core.logs import restored_logging

WORD = {"type": "text", "template": "{{text}}"}
SUITE = """\
name: words
prompt: word
dataset: words.jsonl
models: ["echo:"]
scorers:
  - {type: equals, value: "{{expected}}", name: exact}
"""


@dataclass(frozen=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The parsed output of a command that ended with 0."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error_line(self) -> str:
        """The one line of the error, without the command's name before it."""
        assert self.err.startswith("promptuary: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("promptuary: ").rstrip("\n")


Run = Callable[..., CommandResult]


@contextmanager
def restored_process_state() -> Iterator[None]:
    """Undo what a command sets for its process: logging, and the environment that MLflow reads."""
    environment = dict(os.environ)
    try:
        with restored_logging():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


@pytest.fixture
def data_dir(tmp_path: Path, migrated_file: Path) -> Path:
    """A data directory with a migrated, empty database."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copy(migrated_file, folder)
    return folder


@pytest.fixture(scope="session")
def mlflow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables; a test gets a copy, because creating the tables takes seconds."""
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker

    folder = tmp_path_factory.mktemp("mlflow")
    with restored_process_state():
        MlflowTracker(
            read_settings(data_dir=folder), Database(f"sqlite:///{folder / 'none.db'}")
        )._client().search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as a shell would: `run("get", "word", "--json")`."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(data_dir))

    def command(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["promptuary", *map(str, arguments)])
        capsys.readouterr()
        with restored_process_state(), pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return CommandResult(ended.value.code or 0, output.out, output.err)  # type: ignore[arg-type]  # a number or None

    return command


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file under the test's folder `files`: `write("prompts/word.yaml", text)`."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@contextmanager
def unit_of_work_on(data_dir: Path) -> Iterator[Any]:
    """Open a unit of work on a data directory, as another process of the machine's operator would."""
    from promptuary.access.credentials import local_caller
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings

    settings = read_settings(data_dir=data_dir)
    database = Database(settings.sql_url)
    caller = local_caller(database, wall_clock())
    with database.write() as session:
        yield UnitOfWork(session, caller, wall_clock, settings)
    database.dispose()


@pytest.fixture
def word(write: Callable[[str, str], Path], run: Run) -> Path:
    """The prompt `word`, whose version 1 renders the variable `text`; registered, under the label `production`."""
    path = write("prompts/word.yaml", json.dumps({**WORD, "labels": ["production"]}))
    assert run("push", path).code == 0
    return path


@contextmanager
def serving(data_dir: Path) -> Iterator[str]:
    """Serve the API on a free port; yield its URL."""
    import uvicorn

    from promptuary.api.app import create_app
    from promptuary.core.settings import read_settings

    app: Any = create_app(read_settings(data_dir=data_dir))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api")
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        assert httpx.get(f"{url}/readyz").status_code == 200
        yield url
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def served(data_dir: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Mapping[str, str]]]:
    """Serve the data directory; `served("author")` directs the next commands to the server, with a key of that role.

    `served("ci", "suite:write")` allows the key a scope beyond its role.
    """
    with serving(data_dir) as url:

        def use_server(role: str, *allowed: str) -> Mapping[str, str]:
            monkeypatch.delenv("PROMPTUARY_URL", raising=False)
            key = run("key", "create", role, "--role", role, *(f"--allow={scope}" for scope in allowed), "--json").json["key"]
            variables = {"PROMPTUARY_URL": url, "PROMPTUARY_API_KEY": key}
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            return variables

        yield use_server
