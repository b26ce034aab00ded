"""The process that delivers runs to MLflow beside a command."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.cli.evaluation.mlflow_delivery import mlflow_delivery
from promptuary.core import outbox
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database

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


def test_pending_messages_are_delivered_on_request(pending_messages: Callable[[], int]) -> None:
    with mlflow_delivery() as deliver:
        assert deliver is not None
        deliver()
        assert pending_messages() == 0
        deliver()


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
