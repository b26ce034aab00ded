"""The operator's own redaction: a text on which it fails is not stored."""

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from promptuary.core.settings import InvalidSettings
from promptuary.traffic.redaction.hook import WITHHELD, HookRedaction, build_redactor


def test_the_function_gets_what_the_patterns_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("our_redaction")
    module.hide = lambda text: text.replace("Ada", "[name]")  # type: ignore[attr-defined]  # a module of the test
    monkeypatch.setitem(sys.modules, "our_redaction", module)
    redactor = build_redactor(settings.model_copy(update={"traffic_redaction": "our_redaction:hide"}))
    assert redactor.redact_text("Ada, ada@example.org") == ("[name], [redacted: e-mail]", 2)
    assert redactor.redact_text("nobody") == ("nobody", 0)


def test_a_text_on_which_the_function_fails_is_withheld_and_counted() -> None:
    assert HookRedaction(lambda text: 1 / 0)("secret") == (WITHHELD, 1)
    assert HookRedaction(lambda text: None)("secret") == (WITHHELD, 1)


def test_a_function_that_takes_too_long_withholds_one_text_only() -> None:
    released = threading.Event()
    hook = HookRedaction(lambda text: str(released.wait(20)) if text == "slow" else text, seconds=0.2)
    assert hook("slow") == (WITHHELD, 1)
    released.set()
    hook._seconds = 20.0
    assert hook("fast") == ("fast", 0)


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such", "json", "json:__name__"])
def test_a_function_that_cannot_be_used_stops_the_start(settings: Any, name: str) -> None:
    with pytest.raises(InvalidSettings):
        build_redactor(settings.model_copy(update={"traffic_redaction": name}))
