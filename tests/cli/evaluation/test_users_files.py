"""Files of every kind that users have, run as they are: promptfoo files with promptfoo's verdicts, suites, tables, outputs."""

import json
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from doubles.application import LoopbackApplication, serve_application
from doubles.users_stub import UsersStub
from paths import GOLDEN
from promptuary.cli.evaluation import runs

USERS = GOLDEN / "users"
ADDRESS = "127.0.0.1:8640"
NAMES = sorted(path.parent.name for path in USERS.glob("*/verdicts.json"))
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def stub() -> Iterator[LoopbackApplication]:
    with serve_application(UsersStub()) as application:
        yield application


@pytest.fixture
def environment(stub: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> LoopbackApplication:
    """Set what a user's shell has: the model server's address and keys. MLflow, which takes seconds, gets nothing."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{stub.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    monkeypatch.setenv("SHOP_TOKEN", "token-of-the-shop")
    monkeypatch.setenv("PROMPTUARY_JINJA2", "true")
    monkeypatch.setattr(runs, "mlflow_delivery", lambda: nullcontext(lambda: None))
    return stub


def verdicts(path: Path) -> list[list[list[Any]]]:
    """Return whether each result passed, and its score: by variant, in the order of the results."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    by_variant: dict[str, list[list[Any]]] = {}
    for result in results:
        score = result["score"]
        by_variant.setdefault(result["variant"], []).append([result["pass"], None if score is None else round(score, 4)])
    return list(by_variant.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_users_file_runs_unchanged(name: str, run: Run, environment: LoopbackApplication, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(USERS / name, tmp_path / name))
    for file, expected in json.loads((folder / "verdicts.json").read_text(encoding="utf-8")).items():
        path = folder / file
        path.write_text(
            path.read_text(encoding="utf-8").replace(ADDRESS, environment.url.removeprefix("http://")), encoding="utf-8"
        )
        prompts = ["--prompts", folder / "prompts"] if "evals" in path.parts else []
        result = run("eval", "run", path, *prompts, "--allow-code", "--json", tmp_path / "run.json")
        assert (file, verdicts(tmp_path / "run.json")) == (file, expected["results"]), result.err
        assert (file, result.code) == (file, expected["exit"]), result.err
