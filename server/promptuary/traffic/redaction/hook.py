"""A redaction of the operator's own, from text to text. A text on which it fails is not stored."""

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as HookTimeout
from functools import lru_cache

import structlog

from promptuary.core.errors import FieldError
from promptuary.core.settings import InvalidSettings, Settings
from promptuary.traffic.redaction.presidio import REQUIREMENT, build_presidio
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.redaction.text import redact_text

WITHHELD = "[withheld: the redaction failed]"
SECONDS = 2.0
"""How long the function may take for one text."""
SETTING = "PROMPTUARY_TRAFFIC_REDACTION"
PRESIDIO = "presidio"
"""The value of the setting that names no function of the operator's."""
log = structlog.get_logger(__name__)


class HookRedaction:
    """Calls the operator's function with one text at a time."""

    def __init__(self, function: Callable[[str], object], seconds: float = SECONDS) -> None:
        """Use a function; `seconds` is how long it may take."""
        self._function = function
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "redaction")

    def __call__(self, text: str) -> tuple[str, int]:
        """Return the text as the function returns it, and whether it changed; where it fails, no part of the text."""
        try:
            redacted = self._thread.submit(self._function, text).result(self._seconds)
        except HookTimeout:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = ThreadPoolExecutor(1, "redaction")
            log.warning("the redaction's function took too long; the text is not stored", seconds=self._seconds)
            return WITHHELD, 1
        except Exception as error:  # its message may have the text
            log.warning("the redaction's function failed; the text is not stored", error=type(error).__name__)
            return WITHHELD, 1
        if not isinstance(redacted, str):
            log.warning("the redaction's function returned no text; the text is not stored", type=type(redacted).__name__)
            return WITHHELD, 1
        return redacted, int(redacted != text)


def build_redactor(settings: Settings) -> Redactor:
    """Return the redaction of a service: the patterns, then the operator's function where there is one.

    Raises:
        InvalidSettings: for a function that cannot be imported, and where Presidio is not installed.
    """
    return _build(settings.traffic_redaction)


@lru_cache
def _build(name: str) -> Redactor:
    return Redactor((redact_text, HookRedaction(_load(name)))) if name else Redactor()


def _load(name: str) -> Callable[[str], object]:
    if name == PRESIDIO:
        return _load_presidio()
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        problem = f"'{name}' cannot be imported ({type(error).__name__}); write `module:function` of an installed module"
        raise InvalidSettings("the redaction cannot be used", [FieldError(SETTING, problem)]) from None
    if not callable(function):
        raise InvalidSettings("the redaction cannot be used", [FieldError(SETTING, f"'{name}' is no function")])
    return function  # type: ignore[no-any-return]  # of the operator's module


def _load_presidio() -> Callable[[str], object]:
    try:
        return build_presidio()
    except ImportError as error:
        problem = f"Presidio cannot be used ({error}); run `pip install {REQUIREMENT}` in the environment of this service"
        raise InvalidSettings("the redaction cannot be used", [FieldError(SETTING, problem)]) from None
