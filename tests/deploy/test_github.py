"""The GitHub Action: its steps, run as the runner runs them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from deploy.conftest import Machine, Step
from paths import ROOT

pytestmark = [
    pytest.mark.acceptance,
    # MLflow calls SQLAlchemy in a way that its newest release is going to remove.
]
FILE = ROOT / "deploy" / "github" / "action.yml"
ACTION: dict[str, Any] = yaml.safe_load(FILE.read_text())
INSTALL, EVALUATE = ACTION["runs"]["steps"]


@dataclass(frozen=True)
class ActionResult:
    """How the action ended: its step, its outputs, and the summary of the job."""

    step: Step
    outputs: Mapping[str, str]
    summary: str


def use(machine: Machine, *, only_install: bool = False, **named_inputs: str) -> ActionResult:
    """Use the action in the machine's checkout with some inputs."""
    inputs = {name.replace("_", "-"): value for name, value in named_inputs.items()}
    assert set(inputs) <= set(ACTION["inputs"])
    assert inputs.keys() >= {name for name, definition in ACTION["inputs"].items() if definition.get("required")}
    values = {name: inputs.get(name, definition.get("default", "")) for name, definition in ACTION["inputs"].items()}
    files = {name: machine.temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")}
    for path in files.values():
        path.write_text("")
    platform = {name: str(path) for name, path in files.items()} | {
        "GITHUB_ACTION_PATH": str(FILE.parent),
        "RUNNER_TEMP": str(machine.temporary),
        "GITHUB_ACTIONS": "true",
    }
    installed = machine.bash(INSTALL["run"], platform | _environment(INSTALL, values))
    assert installed.code == 0, installed.output
    if only_install:
        return ActionResult(installed, {}, "")
    platform["PATH"] = f"{files['GITHUB_PATH'].read_text().strip()}:{machine.path}"
    step = machine.bash(EVALUATE["run"], platform | _environment(EVALUATE, values))
    step_outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    outputs = {
        name: step_outputs.get(definition["value"].removeprefix("${{ steps.evaluate.outputs.").removesuffix(" }}"), "")
        for name, definition in ACTION["outputs"].items()
    }
    return ActionResult(step, outputs, files["GITHUB_STEP_SUMMARY"].read_text())


def _environment(step: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: values[match[1]], value)
        for name, value in step["env"].items()
    }


def test_what_a_pull_request_can_write_is_no_part_of_a_script() -> None:
    for step in (INSTALL, EVALUATE):
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
    assert "SERVER_KEY" not in EVALUATE["run"].split("words=(")[1]


def test_every_input_is_used_and_every_use_is_an_input() -> None:
    used = {
        name
        for step in (INSTALL, EVALUATE)
        for value in step["env"].values()
        for name in re.findall(r"inputs\.([\w-]+)", value)
    }
    assert used == set(ACTION["inputs"])


@pytest.mark.parametrize(
    ("named_inputs", "requirement"),
    [
        ({}, f"{ROOT}[server,evaluation,context,local]"),
        ({"extras": "server,evaluation"}, f"{ROOT}[server,evaluation]"),
        ({"package": "promptuary[server]==1.2.3"}, "promptuary[server]==1.2.3"),
    ],
    ids=["plain", "extras", "package"],
)
def test_the_action_installs_its_own_version_or_the_requested_one(
    machine: Machine, named_inputs: dict[str, str], requirement: str
) -> None:
    use(machine, only_install=True, suites="evals/good.yaml", **named_inputs)
    assert machine.pip_arguments == ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]


@pytest.mark.parametrize(("suite", "code"), [("good", 0), ("bad", 1), ("open", 2)])
def test_without_a_server_the_verdict_is_the_exit_code(machine: Machine, suite: str, code: int) -> None:
    result = use(machine, suites=f"evals/{suite}.yaml", sync="main")
    assert result.step.code == code, result.step.output
    assert result.outputs == {
        "exit-code": str(code),
        "reports": "promptuary-reports",
        "junit": "promptuary-reports/junit.xml",
        "summary": "promptuary-reports/summary.md",
    }
    reports = machine.checkout / "promptuary-reports"
    assert {path.name for path in reports.iterdir()} == {"junit.xml", "summary.md", "results.json", "report.html"}
    assert ElementTree.parse(reports / "junit.xml").getroot().tag == "testsuites"
    assert result.summary == (reports / "summary.md").read_text()
    assert result.summary.startswith(f"## {suite}: ")


def test_a_change_is_compared_with_what_is_in_production(machine: Machine) -> None:
    result = use(
        machine,
        **{"suites": "evals/good.yaml\nevals/open.yaml", "sync": "main", "prompts": "prompts", "baseline": "production"},
        **{"models": "echo:", "repeats": "2", "max_cost": "0.5", "reports": "out/of it"},
    )
    assert result.step.code == 1, result.step.output
    assert "| v2 − v1 | exact | −1.000 |" in result.summary
    names = {path.name for path in (machine.checkout / "out" / "of it").iterdir()}
    assert names == {"junit.xml", "summary.md", "results.json", "report.good.html", "report.open.html"}


def test_patterns_name_suites_and_the_worst_verdict_counts(machine: Machine) -> None:
    result = use(machine, suites="evals/[bg]*d.yaml", sync="main")
    assert result.step.code == 1, result.step.output
    assert ("## bad: regression" in result.summary, "## good: pass" in result.summary) == (True, True)


def test_a_missing_suite_is_reported_and_leaves_no_old_summary(machine: Machine) -> None:
    old = machine.checkout / "promptuary-reports" / "summary.md"
    old.parent.mkdir()
    old.write_text("an old verdict")
    result = use(machine, suites="evals/none.yaml", sync="main")
    assert (result.step.code, result.outputs["exit-code"], result.summary) == (64, "64", "")
    assert "none.yaml" in result.step.output


def test_a_name_that_looks_like_an_option_is_a_name(machine: Machine) -> None:
    result = use(machine, suites="--allow-code", sync="main")
    assert result.step.code == 64
    assert not (machine.checkout / "promptuary-reports" / "junit.xml").exists()


def test_a_folder_that_cannot_be_synchronised_ends_the_step(machine: Machine) -> None:
    result = use(machine, suites="evals/good.yaml", sync="nowhere")
    assert (result.step.code, result.outputs["exit-code"]) == (64, "64")
    assert "nowhere" in result.step.output


def test_with_a_server_its_worker_executes_the_run(machine: Machine, server: Mapping[str, str]) -> None:
    result = use(
        machine, suites="evals/good.yaml", prompts="prompts", baseline="production", url=server["url"], api_key=server["key"]
    )
    assert result.step.code == 1, result.step.output
    assert result.summary.startswith("## good: regression")
    assert server["key"] not in result.step.output
    assert server["key"] not in "".join(path.read_text() for path in (machine.checkout / "promptuary-reports").iterdir())


def test_a_pipeline_does_not_sync_to_a_server(machine: Machine, server: Mapping[str, str]) -> None:
    result = use(machine, suites="evals/good.yaml", sync="main", url=server["url"], api_key=server["key"])
    assert (result.step.code, result.outputs["exit-code"]) == (64, "64")
    assert "::error::sync and context" in result.step.output


def test_a_server_that_does_not_answer_is_infrastructure(machine: Machine) -> None:
    result = use(machine, suites="evals/good.yaml", url="http://127.0.0.1:9", api_key="pmt_x")
    assert (result.step.code, result.outputs["exit-code"]) == (3, "3")
