"""The real thing, as a reviewer has it: the API on a port, Streamlit on another, and a Chromium in front of it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.browser import ReviewerAtQueue, Service
from factories.processes import free_port, wait_until_ready

CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, HIGH = 1280, 800


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[str, str], str], Path]]:
    """The API on a free port, a way to make keys in it, and its data directory."""
    import uvicorn

    from promptuary.access.credentials import local_caller
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.api.app import create_app
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings

    settings = read_settings(data_dir=tmp_path_factory.mktemp("service"))
    database = Database(settings.sql_url)
    port = free_port()
    app = create_app(settings, database=database)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, name="api")
    thread.start()

    def make_key(name: str, role: str) -> str:
        caller = local_caller(database, wall_clock())
        with database.write() as session:
            unit = UnitOfWork(session, caller, wall_clock, settings)
            return str(AccessService(unit).create_key(name, Role(role))[1])

    url = f"http://127.0.0.1:{port}"
    wait_until_ready(f"{url}/healthz")
    yield url, make_key, settings.data_dir
    server.should_exit = True
    thread.join()
    database.dispose()


@pytest.fixture(scope="session")
def service(
    api_server: tuple[str, Callable[[str, str], str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The API, and Streamlit in a process of its own as `promptuary ui` starts it."""
    from promptuary_ui.launch import command

    api, make_key, data = api_server
    port = free_port()
    arguments, more = command("127.0.0.1", port, api)
    log: Path = tmp_path_factory.mktemp("pages") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(arguments, env={**os.environ, **more}, stdout=out, stderr=out)
        try:
            pages = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{pages}/_stcore/health", process)
            yield Service(api, pages, make_key, data)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def worker(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker in a process of its own, which does the runs."""
    log = tmp_path_factory.mktemp("worker") / "log"
    arguments = [sys.executable, "-m", "promptuary.cli.main", "worker"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTUARY_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            arguments,
            env={**environment, "PROMPTUARY_DATA_DIR": str(service.data)},
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window; of one module, for Playwright keeps an event loop running in this process meanwhile."""
    from playwright.sync_api import sync_playwright

    from conftest import CHROMIUM

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of a browser profile of its own."""
    context = browser.new_context(viewport={"width": WIDE, "height": HIGH})
    yield context.new_page()
    context.close()


@pytest.fixture
def reviewer_at_queue(service: Service, page: Any, request: pytest.FixtureRequest) -> Callable[..., ReviewerAtQueue]:
    """Make a queue with items and put a new reviewer in front of it.

    `desk(3)`, or `desk(items=[{"payload": …}])`; other arguments are fields of the queue.
    """

    def create(items: int | list[dict[str, Any]] = 3, **fields: Any) -> ReviewerAtQueue:
        name = "q-" + str(abs(hash(request.node.nodeid)))
        author = service.make_key("author", "author")
        if isinstance(items, int):
            items = [
                {
                    "payload": {
                        "input": {"ticket": f"ticket {number}"},
                        "output": f"output {number}",
                        "expected": f"expected {number}",
                    }
                }
                for number in range(items)
            ]
        service.call(author, "PUT", f"/queues/{name}", {"instructions": "Is the output right?", **fields})
        rows = [{"source": f"item-{number}", **item} for number, item in enumerate(items)]
        service.call(author, "POST", f"/queues/{name}/items", {"items": rows})
        return ReviewerAtQueue(service, page, name, service.make_person(name, "reviewer"), author)

    return create
