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


def test_a_server_delivers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_URL", "http://127.0.0.1:8400")
    with mlflow_delivery() as deliver:
        assert deliver is None


@pytest.fixture
def due(opened_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], int]:
    """Put a message of a run that is gone, which needs no MLflow run, and give how many wait."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROMPTUARY_DATABASE_URL", opened_database.engine.url.render_as_string(hide_password=False))

    def waiting() -> int:
        with opened_database.read() as session:
            return outbox.count_pending(session, "mlflow")

    with opened_database.write() as session:
        outbox.enqueue(session, "mlflow", {"run": "run_0"}, wall_clock())
    assert waiting() == 1
    return waiting


def test_what_is_due_is_delivered_when_it_is_asked_for(due: Callable[[], int]) -> None:
    with mlflow_delivery() as deliver:
        assert deliver is not None
        deliver()
        assert due() == 0
        deliver()


def test_a_process_that_cannot_even_start_leaves_what_is_due(due: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_LOG_LEVEL", "none of these")
    with mlflow_delivery() as deliver:
        assert deliver is not None
        deliver()
        deliver()
    assert due() == 1


def test_the_process_ends_with_its_input_and_says_nothing(due: Callable[[], int]) -> None:
    done: Any = subprocess.run(
        [sys.executable, "-m", "promptuary.worker.mlflow_delivery"], input=b"", capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert due() == 1
