"""GitLab's template: its script, run as the runner runs it."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from deploy.conftest import Machine, Step
from paths import ROOT

pytestmark = [
    pytest.mark.acceptance,
    # MLflow calls SQLAlchemy in a way that its newest release is going to remove.
]
FILE = ROOT / "deploy" / "gitlab" / "promptuary.gitlab-ci.yml"
JOB: dict[str, Any] = yaml.safe_load(FILE.read_text())[".promptuary"]


def run(machine: Machine, secrets: Mapping[str, str] | None = None, **variables: str) -> Step:
    """Run a job that extends the template with some variables: both scripts in one shell, a line after the other."""
    assert set(variables) <= set(JOB["variables"])
    platform = {"GITLAB_CI": "true", "CI_PROJECT_DIR": str(machine.checkout)}
    script = "\n".join([*JOB["before_script"], *JOB["script"]])
    return machine.bash(script, platform | JOB["variables"] | variables | dict(secrets or {}))


@pytest.mark.parametrize(("suite", "code"), [("good", 0), ("bad", 1), ("open", 2)])
def test_without_a_server_the_verdict_is_the_exit_code(machine: Machine, suite: str, code: int) -> None:
    result = run(machine, EVAL_SUITES=f"evals/{suite}.yaml", EVAL_SYNC="main")
    assert result.code == code, result.output
    assert machine.pip_arguments[-1] == "promptuary[server,evaluation,context,local]"
    (folder,) = JOB["artifacts"]["paths"]
    files = {path.name for path in (machine.checkout / folder).iterdir()}
    assert files == {"junit.xml", "summary.md", "results.json", "report.html"}
    assert (machine.checkout / JOB["artifacts"]["reports"]["junit"]).read_text().count("<testcase") in (21, 11)
    assert JOB["artifacts"]["when"] == "always"


def test_a_change_is_compared_with_what_is_in_production(machine: Machine) -> None:
    result = run(
        machine,
        **{"EVAL_SUITES": "evals/g*.yaml", "EVAL_SYNC": "main", "EVAL_PROMPTS": "prompts", "EVAL_BASELINE": "production"},
        **{"EVAL_MODELS": "echo:", "EVAL_REPEATS": "2", "EVAL_MAX_COST": "0.5"},
    )
    assert result.code == 1, result.output
    assert "v2 − v1  exact −1.000" in result.output


def test_with_a_server_its_worker_executes_the_run(machine: Machine, server: Mapping[str, str]) -> None:
    secrets = {"PROMPTUARY_URL": server["url"], "PROMPTUARY_API_KEY": server["key"]}
    result = run(machine, secrets, EVAL_SUITES="evals/good.yaml")
    assert result.code == 0, result.output
    assert server["key"] not in result.output


@pytest.mark.parametrize(
    ("variables", "message"),
    [({}, "EVAL_SUITES names no suite"), ({"EVAL_SUITES": "evals/good.yaml", "EVAL_SYNC": "main"}, "a server has its prompts")],
)
def test_variables_that_contradict_each_other_are_reported(machine: Machine, variables: dict[str, str], message: str) -> None:
    result = run(machine, {"PROMPTUARY_URL": "http://127.0.0.1:9"}, **variables)
    assert (result.code, message in result.output) == (64, True)


def test_documents_are_added_before_the_run(machine: Machine) -> None:
    result = run(machine, EVAL_SUITES="evals/good.yaml", EVAL_SYNC="main", EVAL_CONTEXT="facts nowhere.md")
    assert result.code == 64
    assert "nowhere.md" in result.output
