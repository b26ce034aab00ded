"""The real thing, as a reviewer has it: the API on a port, Streamlit on another, and a Chromium in front of it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

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


@dataclass(frozen=True)
class Service:
    """Where the API, the pages and the data are, and a way to make keys."""

    api: str
    pages: str
    make_key: Callable[[str, str], str]
    data: Path

    def make_person(self, name: str, role: str) -> str:
        """Make a person with a role, and return a key of theirs."""
        operator = self.make_key("operator", "operator")
        person = self.call(operator, "POST", "/people", {"name": name, "role": role})["id"]
        key: str = self.call(operator, "POST", "/keys", {"name": "personal", "role": role, "person": person})["key"]
        return key

    def make_code(self, key: str) -> str:
        """Make a one-time code of the person whose key it is."""
        person = self.call(key, "GET", "/self")["actor_id"].removeprefix("person:")
        code: str = self.call(self.make_key("operator", "operator"), "POST", f"/people/{person}/codes")["code"]
        return code

    def call(self, key: str, method: str, path: str, body: Any = None) -> Any:
        """Call the API, require success, and return the response's JSON."""
        answer = httpx.request(method, f"{self.api}/v1{path}", json=body, headers={"Authorization": f"Bearer {key}"})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


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


@dataclass(frozen=True)
class ReviewerAtQueue:
    """A reviewer in front of a queue of their own; items are `item-0` and so on."""

    service: Service
    page: Any
    queue: str
    key: str
    author: str

    def open(self) -> None:
        """Open the queue's page and sign in."""
        self.page.goto(f"{self.service.pages}/?queue={self.queue}")
        self.sign_in()

    def sign_in(self) -> None:
        """Sign in with the key."""
        self.page.get_by_label("API key").fill(self.key)
        self.page.get_by_role("button", name="Sign in").click()

    def sees(self, text: str, milliseconds: float = 30_000) -> None:
        """Wait for a text on the page."""
        self.page.get_by_text(text, exact=True).first.wait_for(timeout=milliseconds)

    def press_until(self, text: str, press: Callable[[], None]) -> None:
        """Wait until the page accepts a press, press once, and wait for the text that follows."""
        self.wait_for_accepted_presses()
        press()
        self.sees(text)

    def wait_for_accepted_presses(self) -> None:
        """Wait until the displayed item accepts a press: the page marks its form then."""
        self.page.locator('[class*="st-key-decide-"][data-presses="accepted"]').wait_for(timeout=30_000)

    def decisions(self) -> list[tuple[str, str, str]]:
        """Return the queue's decisions: source, decision, comment."""
        rows = self.service.call(self.author, "GET", f"/queues/{self.queue}/export")["items"]
        return [(row["source"], row["decision"], row["comment"]) for row in rows]


@pytest.fixture
def reviewer_at_queue(service: Service, page: Any, request: pytest.FixtureRequest) -> Callable[..., ReviewerAtQueue]:
    """Make a queue with items and put a new reviewer in front of it: `desk(3)`, or `desk(payloads=[…])`."""

    def create(items: int = 3, payloads: list[dict[str, Any]] | None = None) -> ReviewerAtQueue:
        name = "q-" + str(abs(hash(request.node.nodeid)))
        author = service.make_key("author", "author")
        payloads = payloads or [
            {"input": {"ticket": f"ticket {number}"}, "output": f"output {number}", "expected": f"expected {number}"}
            for number in range(items)
        ]
        service.call(author, "PUT", f"/queues/{name}", {"instructions": "Is the output right?"})
        rows = [{"source": f"item-{number}", "payload": payload} for number, payload in enumerate(payloads)]
        service.call(author, "POST", f"/queues/{name}/items", {"items": rows})
        return ReviewerAtQueue(service, page, name, service.make_person(name, "reviewer"), author)

    return create
