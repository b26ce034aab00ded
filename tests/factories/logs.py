"""Logs in tests: dropped, or captured as a process would write them."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog


def pytest_configure() -> None:
    """Keep logs out of the tests' output; what a test captures it still sees."""
    drop_logs()


def drop_logs() -> None:
    """Drop every log line; `structlog.testing.capture_logs` still sees them."""

    def dropped(_logger: Any, _method: str, _entry: Any) -> Any:
        raise structlog.DropEvent

    structlog.reset_defaults()
    structlog.configure(processors=[dropped], cache_logger_on_first_use=False)


@contextmanager
def restored_logging() -> Iterator[None]:
    """Undo what setting a process's logging up changes, in this process, at the end of the block."""
    loggers = [logging.getLogger(name) for name in (None, "promptuary")]
    handlers, levels, old = list(loggers[0].handlers), [logger.level for logger in loggers], structlog.get_config()
    configure = structlog.configure
    # A logger that keeps its settings from its first use on would keep them for all later tests.
    structlog.configure = lambda **options: configure(**{**options, "cache_logger_on_first_use": False})
    try:
        yield
    finally:
        structlog.configure = configure
        structlog.configure(**old)
        loggers[0].handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[], str]]]:
    """Configure logging as a process does: `log_lines("INFO")` returns a reader of the lines written since."""
    stream = io.StringIO()

    def at(level: str) -> Callable[[], str]:
        from promptuary.core.logs import configure_logging

        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", stream)
            configure_logging(level)
        return stream.getvalue

    with restored_logging():
        yield at
