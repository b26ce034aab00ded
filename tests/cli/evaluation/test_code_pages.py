"""The examples of the pages on JavaScript and transforms, written to files and run as a user runs them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from paths import ROOT

# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = pytest.mark.process
BLOCK = re.compile(r"^```(?:yaml|js|json)\n(?:#|//) (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run_page(page: str, run: Run, folder: Path) -> list[dict[str, Any]]:
    """Write the files of a page, run its suite, and return the results."""
    files = dict(BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (suite,) = [name for name in files if name.startswith("evals/") and name.endswith(".yaml")]
    result = run("eval", "run", folder / suite, "--prompts", folder / "prompts", "--json", folder / "run.json")
    assert result.code in (0, 2), result.err + result.out
    results: list[dict[str, Any]] = json.loads((folder / "run.json").read_text())["results"]
    return results


def test_the_javascript_of_its_page_decides_as_the_page_says(run: Run, tmp_path: Path) -> None:
    lunch, dinner = run_page("javascript.md", run, tmp_path)
    assert lunch["metrics"] == {"short": 1, "items": 0.75, "dishes": 1, "no-apology": 1, "plain": 1, "first": 1}
    assert dinner["metrics"] == {"short": 1, "items": 0.5, "dishes": 0.5, "no-apology": 1, "plain": 1, "first": 0}
    assert [lunch["pass"], dinner["pass"]] == [True, True]


def test_the_transforms_of_their_page_make_what_is_scored(run: Run, tmp_path: Path) -> None:
    first, second = run_page("transforms.md", run, tmp_path)
    assert first["output"] == '{"id":" AB-1","queue":"billing","tags":["card"]}'
    assert second["output"] == '{"id":"CD-2","queue":"returns","tags":[]}'
    for result in (first, second):
        assert result["metrics"] == {"queue": 1, "few-tags": 1, "id": 1, "is-json": 1}
