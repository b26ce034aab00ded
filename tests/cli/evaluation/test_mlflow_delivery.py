"""The process that delivers runs to MLflow beside a command."""

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doubles.eventually import eventually
from promptuary.cli.evaluation.mlflow_delivery import deliver_in_background, mlflow_delivery
from promptuary.core import outbox
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.worker.mlflow_delivery import LOCK_FILE

pytestmark = pytest.mark.process


def test_a_server_delivers_without_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_URL", "http://127.0.0.1:8400")
    with mlflow_delivery() as deliver:
        assert deliver is None


@pytest.fixture
def pending_messages(opened_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], int]:
    """Enqueue a message of a deleted run, which needs no MLflow run; return a function that counts the pending messages."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROMPTUARY_DATABASE_URL", opened_database.engine.url.render_as_string(hide_password=False))

    def count_pending() -> int:
        with opened_database.read() as session:
            return outbox.count_pending(session, "mlflow")

    with opened_database.write() as session:
        outbox.enqueue(session, "mlflow", {"run": "run_0"}, wall_clock())
    assert count_pending() == 1
    return count_pending


@pytest.fixture
def _own_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Name an MLflow that is not the one of the data directory."""
    monkeypatch.setenv("PROMPTUARY_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")


def test_pending_messages_are_delivered_after_the_command_where_mlflow_is_embedded(pending_messages: Callable[[], int]) -> None:
    with mlflow_delivery() as deliver:
        assert deliver is deliver_in_background
        deliver()
        deliver()
    assert eventually(lambda: pending_messages() == 0)


def test_the_process_in_the_background_waits_for_another_one(pending_messages: Callable[[], int], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "promptuary.worker.mlflow_delivery", "--once"]
    with (tmp_path / "data" / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(3)
            assert pending_messages() == 1
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert process.wait(120) == 0
    assert pending_messages() == 0


@pytest.mark.usefixtures("_own_server")
def test_pending_messages_are_delivered_on_request(pending_messages: Callable[[], int]) -> None:
    with mlflow_delivery() as deliver:
        assert deliver is not None
        deliver()
        assert pending_messages() == 0
        deliver()


@pytest.mark.usefixtures("_own_server")
def test_a_process_that_cannot_start_leaves_the_messages_pending(
    pending_messages: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_LOG_LEVEL", "none of these")
    with mlflow_delivery() as deliver:
        assert deliver is not None
        deliver()
        deliver()
    assert pending_messages() == 1


def test_the_process_ends_with_its_input_and_prints_nothing(pending_messages: Callable[[], int]) -> None:
    result: Any = subprocess.run(
        [sys.executable, "-m", "promptuary.worker.mlflow_delivery"], input=b"", capture_output=True, timeout=120, check=False
    )
    assert (result.returncode, result.stdout) == (0, b"")
    assert pending_messages() == 1
