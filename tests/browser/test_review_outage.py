"""The API is killed while a decision is on its way: real processes, a real browser, and nothing is lost or counted twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.browser import ReviewerAtQueue, Service
from factories.processes import free_port, wait_until_ready

pytestmark = [pytest.mark.browser, pytest.mark.process]


class Api:
    """The API in a process of its own that is stopped, killed and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "promptuary.cli.main", "serve", "--port", str(self.port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTUARY_")}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**environment, "PROMPTUARY_DATA_DIR": str(self.folder)}, stdout=log, stderr=log
            )
        wait_until_ready(f"{self.url}/healthz", self.process)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    process = Api(tmp_path)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def service(api: Api, tmp_path: Path) -> Iterator[Service]:
    """The pages in front of that API."""
    from promptuary.access.credentials import local_caller
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary_ui.launch import command

    settings = read_settings(data_dir=tmp_path)
    database = Database(settings.sql_url)

    def make_key(name: str, role: str) -> str:
        caller = local_caller(database, wall_clock())
        with database.write() as session:
            return str(AccessService(UnitOfWork(session, caller, wall_clock, settings)).create_key(name, Role(role))[1])

    port = free_port()
    arguments, more = command("127.0.0.1", port, api.url)
    with (tmp_path / "pages-log").open("wb") as log:
        process = subprocess.Popen(arguments, env={**os.environ, **more}, stdout=log, stderr=log)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield Service(api.url, f"http://127.0.0.1:{port}", make_key, tmp_path)
        finally:
            process.terminate()
            process.wait(20)
            database.dispose()


def test_an_api_killed_in_mid_decision_loses_nothing(api: Api, service: Service, page: Any) -> None:
    author = service.make_key("author", "author")
    service.call(author, "PUT", "/queues/q", {})
    items = [{"source": f"item-{number}", "payload": {"output": f"output {number}"}} for number in range(4)]
    service.call(author, "POST", "/queues/q/items", {"items": items})
    reviewer = ReviewerAtQueue(service, page, "q", service.make_person("Rita", "reviewer"), author)
    reviewer.open()
    reviewer.can_decide("output 0")
    page.wait_for_load_state("networkidle")

    api.send(signal.SIGSTOP)  # what is sent now gets no answer
    reviewer.comment.fill("the first")
    page.keyboard.press("Escape")
    with page.expect_request("**/submit"):
        reviewer.press("a")
    reviewer.can_decide("output 1")
    api.kill()
    page.get_by_text("Not saved, retrying.").first.wait_for()
    reviewer.comment.fill("the second")
    page.keyboard.press("Escape")
    reviewer.press("x")
    reviewer.sees("The next item is on its way…")
    page.get_by_text("2 decisions wait.").wait_for()

    api.start()
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", "the first"), ("item-1", "reject", "the second")]
    page.locator(".pr-root[data-saving=idle]").wait_for()
