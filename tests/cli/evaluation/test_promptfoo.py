"""promptfoo files, run as they are and imported: promptfoo's verdicts, and a report on every unsupported part."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from paths import GOLDEN

Write = Callable[[str, str], Path]
CONFIGS = GOLDEN / "promptfoo"
IN_ANOTHER_ORDER = {
    "combinations",  # promptfoo runs all combinations of a test once before it repeats them
    "files",  # promptfoo takes the files of a pattern in the unspecified order of the folder; here they are sorted by name
}
FILES = sorted(path.name for path in CONFIGS.iterdir() if path.is_dir() and not path.name.startswith("_"))
# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = pytest.mark.process


@pytest.fixture
def data_dir(data_dir: Path, mlflow_file: Path) -> Path:
    """The data directory, with MLflow's database."""
    shutil.copy(mlflow_file, data_dir)
    return data_dir


def comparable(result: dict[str, Any]) -> tuple[Any, ...]:
    """Return a result of promptfoo or of Promptuary in one form."""
    named = result["namedScores"] if "namedScores" in result else result["metrics"]
    score = None if result["score"] is None else round(result["score"], 6)
    return result["output"], result["pass"], score, {name: round(value, 6) for name, value in sorted(named.items())}


def results_by_version(path: Path) -> list[list[tuple[Any, ...]]]:
    """Return the results of each version, in the order of versions."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    variants = list(dict.fromkeys(result["variant"] for result in results))
    return [[comparable(result) for result in results if result["variant"] == variant] for variant in variants]


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_promptfoos_verdicts(name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_JINJA2", "true")
    reference = json.loads((CONFIGS / name / "verdicts.json").read_text(encoding="utf-8"))
    prompts = sorted({verdict["prompt"] for verdict in reference})
    result = run("eval", "run", CONFIGS / name / "promptfooconfig.yaml", "--json", tmp_path / "run.json")
    assert result.code == 1, result.err  # some test of each file fails
    expected = [[comparable(verdict) for verdict in reference if verdict["prompt"] == prompt] for prompt in prompts]
    results = results_by_version(tmp_path / "run.json")
    if name in IN_ANOTHER_ORDER:
        expected, results = ([sorted(version, key=str) for version in side] for side in (expected, results))
    assert results == expected


def test_the_cases_of_every_assertion_type_have_promptfoos_verdicts(run: Run, tmp_path: Path) -> None:
    cases = json.loads((CONFIGS / "cases.json").read_text(encoding="utf-8"))["tests"]
    config = {"prompts": ["{{out}}"], "providers": ["echo"], "tests": [{**case, "expected": None} for case in cases]}
    for test in config["tests"]:
        del test["expected"]
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    result = run("eval", "run", path, "--json", tmp_path / "run.json")
    assert result.code == 1, result.err
    (results,) = results_by_version(tmp_path / "run.json")
    expected = [
        (case["expected"]["pass"], round(case["expected"]["score"], 6), case["expected"]["namedScores"]) for case in cases
    ]
    assert [(passed, score, named) for _, passed, score, named in results] == expected


SMALL = """\
description: Small talk
prompts: ["{{said}}", "Well: {{said}}"]
providers: [echo]
tests:
  - vars: {said: hello}
    assert: [{type: contains, value: hello}]
"""


def test_a_run_again_tries_the_same_versions(run: Run, write: Write) -> None:
    path = write("promptfooconfig.yaml", SMALL)
    first, second = (run("eval", "run", path) for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.err
    assert [line.split()[0] for line in second.out.splitlines()[1:3]] == ["v1", "v2"]
    (prompt,) = [prompt for prompt in run("prompts", "--json").json if prompt["name"] == "small-talk"]
    assert prompt["newest"] == 2
    assert "promptfooconfig.yaml: carried   assertion contains" in first.err


def test_an_unsupported_part_is_reported_and_nothing_is_run(run: Run, write: Write) -> None:
    path = write("promptfooconfig.yaml", SMALL + "    options: {storeOutputAs: first}\n")
    result = run("eval", "run", path)
    assert result.code == 64
    assert result.out == ""
    assert "refused   test option storeOutputAs" in result.err
    assert "has 1 part without which verdicts would change (--partial runs the rest)" in result.err
    assert run("eval", "list", "--json").json == []
    assert run("eval", "run", path, "--partial").code == 0


def test_a_model_may_be_named_instead_of_the_files_providers(run: Run, write: Write) -> None:
    path = write("promptfooconfig.yaml", SMALL.replace("[echo]", "[file://provider.py]"))
    assert run("eval", "run", path).code == 64
    assert run("eval", "run", path, "--model", "echo:").code == 0


def test_an_imported_file_runs_as_a_suite(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("promptfooconfig.yaml", SMALL)
    result = run("eval", "import", path, "--to", tmp_path / "repository")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == f"+ {tmp_path}/repository/evals/datasets/small-talk.jsonl"
    assert "carried   assertion contains" in lines
    apply, evaluate = (line.split("promptuary ")[1].split() for line in lines[-2:])
    assert run(*apply).code == 0
    assert run(*evaluate).code == 0
    assert run("eval", "import", path, "--to", tmp_path / "repository").code == 0
    (tmp_path / "repository" / "evals" / "small-talk.1.yaml").write_text("name: mine\n", encoding="utf-8")
    again = run("eval", "import", path, "--to", tmp_path / "repository")
    assert again.code == 64
    assert "exists with another content" in again.error_line
    assert run("eval", "import", path, "--to", tmp_path / "repository", "--force").code == 0


def test_the_report_is_json_for_programs_also_where_parts_are_refused(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("promptfooconfig.yaml", SMALL + "    options: {storeOutputAs: first}\n")
    result = run("eval", "import", path, "--to", tmp_path / "out", "--json")
    assert result.code == 64
    body = json.loads(result.out)
    assert body["files"] == []
    assert body["report"][0] == {
        "kind": "test option",
        "name": "storeOutputAs",
        "fate": "refused",
        "why": "changes how this one test is asked or graded",
        "count": 1,
        "places": ["tests[0]"],
    }
    assert not (tmp_path / "out").exists()
    fine = run("eval", "import", write("other.yaml", SMALL), "--to", tmp_path / "out", "--name", "talk", "--json").json
    assert [Path(name).name for name in fine["files"]] == ["talk.jsonl", "1.yaml", "talk.1.yaml", "2.yaml", "talk.2.yaml"]


def test_a_file_is_stored_as_a_suite_of_the_server(
    run: Run, write: Write, served: Callable[[str], Any], data_dir: Path, tmp_path: Path
) -> None:
    served("author")
    path = write("promptfooconfig.yaml", SMALL)
    assert run("eval", "import", path, "--to", tmp_path / "out").code == 0
    from promptuary.cli.connection import connect
    from promptuary.cli.evaluation.suites import store_suite

    with connect(None) as api:
        stored = store_suite(api, str(path))
        assert api.get("/suites/small-talk")["definition"]["gate"] == [
            {"metric": "pass", "every": True, "at_least": None, "not_worse_than": None, "by": None}
        ]
    assert (stored.name, stored.versions) == ("small-talk", (1, 2))
