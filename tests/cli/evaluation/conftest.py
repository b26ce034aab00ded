"""Runs whose results reach MLflow in the process of the test, where MLflow is imported once."""

from contextlib import nullcontext

import pytest

from promptuary.cli.evaluation import mlflow_delivery, runs


@pytest.fixture(autouse=True)
def delivery_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the process that delivers to MLflow, which imports MLflow for two seconds in each run."""
    monkeypatch.setattr(runs, "mlflow_delivery", lambda: nullcontext(None))


@pytest.fixture
def delivery_by_a_process(delivery_in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliver to MLflow as the command does outside of tests."""
    monkeypatch.setattr(runs, "mlflow_delivery", mlflow_delivery.mlflow_delivery)
