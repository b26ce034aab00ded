"""The page on targets: its suites run, on a real application on loopback."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Run
from doubles.application import LoopbackApplication, as_json, serve_application
from paths import ROOT

PAGE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")
BLOCKS = {form: re.findall(rf"```{form}\n(.*?)```", PAGE, re.S) for form in ("yaml", "json", "jsonl", "python", "sh")}
SUITES = {block.split("\n", 1)[0].removeprefix("name: "): block for block in BLOCKS["yaml"]}
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def app() -> Iterator[LoopbackApplication]:
    with serve_application() as application:
        status, headers, content = as_json({"answer": "Ten days, from nine."})
        application.fixed["/answer"] = [(status, {**headers, "X-App-Version": "2.4"}, content)]
        yield application


@pytest.fixture
def folder(tmp_path: Path, app: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, and the environment that it names."""
    monkeypatch.setenv("DESK_URL", app.url)
    monkeypatch.setenv("DESK_KEY", "sk-12345")
    monkeypatch.setenv("PROMPTUARY_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    files = {"questions.jsonl": BLOCKS["json"][0], "monday.jsonl": BLOCKS["jsonl"][0], "bot.py": BLOCKS["python"][0]}
    files |= {"reply.sh": BLOCKS["sh"][0], **{f"{name}.yaml": text for name, text in SUITES.items()}}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", sorted(SUITES))
def test_each_suite_of_the_page_runs(name: str, folder: Path, run: Run) -> None:
    result = run("eval", "run", folder / f"{name}.yaml", "--allow-code", "--json", folder / "run.json")
    report = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert result.code in (0, 2), result.err
    assert {row["pass"] for row in report["results"]} == {True}, report["results"]
    assert "sk-12345" not in json.dumps(report) + result.out + result.err
