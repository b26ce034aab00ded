"""Families of promptfoo tests whose verdicts promptfoo 0.121.20 gave, and what their tests share."""

import json
from typing import Any

import pytest

from paths import GOLDEN, SHARED

FOLDER = GOLDEN / "promptfoo-families"


def family_cases(*families: str) -> list[Any]:
    """Return the tests of families as parameters, each called by its family and number."""
    return [
        pytest.param(test, id=f"{family}-{number}")
        for family in families
        for number, test in enumerate(json.loads((FOLDER / f"{family}.json").read_text())["tests"])
    ]


def is_that_of_the_captures(family: str) -> bool:
    """Return whether a family has what promptfoo's captures have, where these are at hand."""
    capture = SHARED / "data" / "promptfoo-js" / f"{family}.json"
    return not capture.exists() or json.loads(capture.read_text()) == json.loads((FOLDER / f"{family}.json").read_text())
