"""Promptfoo files of a test, translated, and an engine for their JavaScript."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.promptfoo_files import FILE, Read
from promptuary.evaluation.javascript.engine import EngineLimits, JavaScriptEngine
from promptuary.evaluation.promptfoo.translation import Translation, translate


@pytest.fixture(scope="module")
def engine() -> Iterator[JavaScriptEngine]:
    """Start one engine for the tests of a module."""
    engine = JavaScriptEngine(EngineLimits(deadline=120.0), processes=1)
    yield engine
    engine.close()


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Translate a file with these changes, beside files of these texts: `read({"tests": …}, {"cases.csv": "…"})`."""

    def translation(changes: dict[str, Any] | None = None, files: dict[str, str] | None = None, **options: Any) -> Translation:
        for name, text in (files or {}).items():
            path = tmp_path / "desk" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        path = tmp_path / "desk" / "promptfooconfig.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**FILE, **(changes or {})}), encoding="utf-8")
        return translate(path, **options)

    return translation
