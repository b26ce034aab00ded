"""Evaluations: suites, datasets, runs, scorers, verdicts, evidence and reports.

`evaluate` and `EvaluationResult` are for programs and notebooks. They stand in `promptuary.cli.python`, above this package, and
are loaded when they are used.
"""

import importlib
from typing import Any

_PUBLIC = ("EvaluationResult", "evaluate")


def __getattr__(name: str) -> Any:
    """Return a public name of the Python API.

    Raises:
        AttributeError: for another name.
    """
    if name in _PUBLIC:
        return getattr(importlib.import_module("promptuary.cli.python.evaluate"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
