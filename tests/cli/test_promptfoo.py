"""promptfoo files run as they are and imported: with promptfoo's verdicts, and a word on every part that is not carried."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run

Write = Callable[[str, str], Path]
GOLDEN = Path(__file__).parents[1] / "golden" / "promptfoo"
IN_ANOTHER_ORDER = {
    "combinations",  # promptfoo goes through all combinations of a test once before it repeats them
    "files",  # promptfoo takes the files of a pattern in the folder's order, which is anybody's; here it is that of names
}
FILES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and not path.name.startswith("_"))
# MLflow asks SQLAlchemy in a way that its newest release means to take away.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture
def data_dir(data_dir: Path, mlflow_file: Path) -> Path:
    """The data directory, with MLflow's database."""
    shutil.copy(mlflow_file, data_dir)
    return data_dir


def told(one: dict[str, Any]) -> tuple[Any, ...]:
    """Give a result as both sides tell it."""
    named = one["namedScores"] if "namedScores" in one else one["metrics"]
    score = None if one["score"] is None else round(one["score"], 6)
    return one["output"], one["pass"], score, {name: round(value, 6) for name, value in sorted(named.items())}


def ours(path: Path) -> list[list[tuple[Any, ...]]]:
    """Give the results of each version, in the order of versions."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    variants = list(dict.fromkeys(one["variant"] for one in results))
    return [[told(one) for one in results if one["variant"] == variant] for variant in variants]


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_promptfoos_verdicts(name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_JINJA2", "true")
    theirs = json.loads((GOLDEN / name / "verdicts.json").read_text(encoding="utf-8"))
    prompts = sorted({one["prompt"] for one in theirs})
    done = run("eval", "run", GOLDEN / name / "promptfooconfig.yaml", "--json", tmp_path / "run.json")
    assert done.code == 1, done.err  # some test of each file fails
    expected = [[told(one) for one in theirs if one["prompt"] == prompt] for prompt in prompts]
    found = ours(tmp_path / "run.json")
    if name in IN_ANOTHER_ORDER:
        expected, found = ([sorted(one, key=str) for one in side] for side in (expected, found))
    assert found == expected


def test_the_cases_of_every_kind_have_promptfoos_verdicts(run: Run, tmp_path: Path) -> None:
    cases = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))["tests"]
    config = {"prompts": ["{{out}}"], "providers": ["echo"], "tests": [{**one, "expected": None} for one in cases]}
    for test in config["tests"]:
        del test["expected"]
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = run("eval", "run", path, "--json", tmp_path / "run.json")
    assert done.code == 1, done.err
    (found,) = ours(tmp_path / "run.json")
    wanted = [(one["expected"]["pass"], round(one["expected"]["score"], 6), one["expected"]["namedScores"]) for one in cases]
    assert [(passed, score, named) for _, passed, score, named in found] == wanted
