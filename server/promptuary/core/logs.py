"""Structured logs on standard error: a line of JSON an event, or readable lines on a terminal. No secret is logged."""

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

_SECRET = re.compile(r"\b(pm[ts])_[A-Za-z0-9]+_[A-Za-z0-9]+|\b(pmc)_[A-Za-z0-9]{4}-[A-Za-z0-9]{4}-[A-Za-z0-9]{4}")
"""An API key, the token of a session, or a one-time code."""
_WEBHOOK_SECRET = re.compile(r"\bwhsec_[A-Za-z0-9+/]+=*")
_BASIC = re.compile(r"\b(Basic) [A-Za-z0-9+/]{60,}=*", re.IGNORECASE)
_REDACTED_WEBHOOK_SECRET = "whsec_[redacted]"
_PREFIXES = ("pmt_", "pms_", "pmc_", "whsec_")
_SECRET_NAMES = ("authorization", "key", "password", "secret", "token", "api_key")


def redact_api_keys(text: str) -> str:
    """Return the text with every API key, session token, one-time code and secret of a webhook replaced."""
    redacted = _SECRET.sub(lambda match: f"{match[1] or match[2]}_[redacted]", text)
    return _WEBHOOK_SECRET.sub(_REDACTED_WEBHOOK_SECRET, redacted)


def redact_entry(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact the values of fields that are named like a secret, and every API key in any text."""
    for name, value in entry.items():
        if name.lower() in _SECRET_NAMES:
            entry[name] = "[redacted]"
        elif isinstance(value, str) and any(prefix in value for prefix in _PREFIXES):
            entry[name] = redact_api_keys(value)
    return entry


def redact_line(_logger: Any, _method: str, line: Any) -> str:
    """Redact every API key in a finished line, at any depth of a value, and in the form that HTTP Basic sends."""
    return _BASIC.sub(r"\1 [redacted]", redact_api_keys(str(line)))


def configure_logging(level: str) -> None:
    """Configure the process's logging, including the standard library's; each command that runs something calls it once."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact_entry,
                renderer,
                redact_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log whole requests at DEBUG, with the values of variables: only Promptuary's own events are logged at DEBUG.
    root.setLevel(level)
    logging.getLogger("promptuary").setLevel(root.level)
    root.setLevel(max(logging.INFO, root.level))
    for name in ("httpx", "httpcore", "urllib3", "alembic", "chromadb", "mcp", "mlflow", "sentence_transformers"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


@contextmanager
def restored_logging() -> Iterator[None]:
    """Undo what `configure_logging` changes in this process at the end of the block, for what runs inside an application."""
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
