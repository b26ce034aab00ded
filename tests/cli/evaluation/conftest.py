"""Suites to run, whose results reach MLflow in the process of the test, where MLflow is imported once."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import SUITE
from promptuary.cli.evaluation import mlflow_delivery, runs

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def delivery_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the process that delivers to MLflow, which imports MLflow for two seconds in each run."""
    monkeypatch.setattr(runs, "mlflow_delivery", lambda: nullcontext(None))


@pytest.fixture
def delivery_by_a_process(delivery_in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliver to MLflow as the command does outside of tests."""
    monkeypatch.setattr(runs, "mlflow_delivery", mlflow_delivery.mlflow_delivery)


@pytest.fixture
def mlflow_database(data_dir: Path, mlflow_file: Path) -> None:
    """Put MLflow's database into the data directory."""
    shutil.copy(mlflow_file, data_dir)


@pytest.fixture
def suite_of(write: Write, word: Path) -> Callable[..., Path]:
    """Write the suite `words` on cases that expect `yes` and answer with the texts: `suite_of("yes", "no", gate="…")`."""

    def write_suite(*texts: str, **more: Any) -> Path:
        cases = [{"id": f"c{number}", "vars": {"text": text}, "expected": "yes"} for number, text in enumerate(texts, 1)]
        write("evals/words.jsonl", "".join(json.dumps(case) + "\n" for case in cases))
        return write("evals/words.yaml", SUITE + "".join(f"{name}: {json.dumps(value)}\n" for name, value in more.items()))

    return write_suite


def gate_at_least(bound: float) -> list[dict[str, Any]]:
    return [{"metric": "exact", "at_least": bound}]
