"""Logs in tests: dropped, or captured as a process would write them."""

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from promptuary.core.logs import configure_logging, restored_logging


def pytest_configure() -> None:
    """Keep logs out of the tests' output; what a test captures it still sees."""
    drop_logs()


def drop_logs() -> None:
    """Drop every log line; `structlog.testing.capture_logs` still sees them."""

    def dropped(_logger: Any, _method: str, _entry: Any) -> Any:
        raise structlog.DropEvent

    structlog.reset_defaults()
    structlog.configure(processors=[dropped], cache_logger_on_first_use=False)


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[], str]]]:
    """Configure logging as a process does: `log_lines("INFO")` returns a reader of the lines written since."""
    stream = io.StringIO()

    def at(level: str) -> Callable[[], str]:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", stream)
            configure_logging(level)
        return stream.getvalue

    with restored_logging():
        yield at
