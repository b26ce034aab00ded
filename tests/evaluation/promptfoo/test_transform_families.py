"""Families of promptfoo tests with transforms, translated and run: each verdict is promptfoo 0.121.20's."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from factories.promptfoo_families import family_cases, is_that_of_the_captures
from factories.scorers import no_model
from promptuary.evaluation.case import Case
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.plan import CaseResult, Variant
from promptuary.evaluation.promptfoo.translation import translate
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.targets.target import TargetReply, TargetTrace
from promptuary.models.calls import ModelReply

pytestmark = pytest.mark.process

FAMILIES = ("transform-assert", "transform-test", "transform-vars")
ECHO = Variant("v1", VariantRole.CANDIDATE, "echo:", "p", 1, "sha256:0")


class EchoTarget:
    """Answers with the variable `out`, as the echo model does to the prompt `{{out}}`."""

    async def answer(self, case: Case, variant: Variant, repeat: int, trace: TargetTrace) -> TargetReply:
        output = case.vars["out"]
        return TargetReply(ModelReply(text=output, cost=0.0), ({"role": "user", "content": output},), template="{{out}}")

    def is_sensitive(self, case: Case, variant: str) -> bool:
        return False

    async def close(self) -> None:
        pass


def run_file(config: dict[str, Any], folder: Path, engine: JavaScriptEngine) -> list[CaseResult]:
    """Translate a file, and run its cases on the echo model."""
    path = folder / "promptfooconfig.yaml"
    path.write_text(json.dumps({"prompts": ["{{out}}"], "providers": ["echo"], **config}))
    translation = translate(path)
    dependencies = ScorerDependencies(no_model, no_model, javascript=engine)
    transforms = RunTransforms.build(translation.suite.transform, translation.suite.model_transforms, dependencies)
    scorers = CaseScorers.build((), dependencies)
    runner = Runner(EchoTarget(), scorers, 1, 60.0, lambda: datetime(2026, 1, 1, tzinfo=UTC), transforms)
    items = [WorkItem(number, case, ECHO, 0) for number, case in enumerate(translation.cases)]

    async def run() -> list[CaseResult]:
        return [result async for batch in runner.run(items) for result in batch]

    return asyncio.run(run())


@pytest.mark.parametrize("test", family_cases(*FAMILIES))
def test_a_test_with_a_transform_has_the_verdict_of_promptfoo(
    test: dict[str, Any], tmp_path: Path, engine: JavaScriptEngine
) -> None:
    expected = test["expected"]
    (result,) = run_file({"tests": [{name: part for name, part in test.items() if name != "expected"}]}, tmp_path, engine)
    if expected.get("error"):
        assert (result.passed, result.score) == (None, None)
        return
    assert (result.passed, result.score) == (expected["pass"], pytest.approx(expected["score"], abs=1e-9)), result.detail
    assert result.metrics == expected["namedScores"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_that_of_the_captures_at_hand(family: str) -> None:
    assert is_that_of_the_captures(family)


def test_a_providers_transform_comes_before_the_tests(tmp_path: Path, engine: JavaScriptEngine) -> None:
    before = 'context.providerResponse.providerTransformedOutput === "ok" && context.providerResponse.output === "ok!"'
    fine, broken = {"out": '{"r":"ok"}'}, {"out": "oops"}
    tests = [
        {"vars": fine, "assert": [{"type": "equals", "value": "ok"}]},
        {"vars": fine, "options": {"transform": 'output + "!"'}, "assert": [{"type": "javascript", "value": before}]},
        {"vars": broken, "assert": [{"type": "equals", "value": "oops"}]},
    ]
    providers = [{"id": "echo", "transform": "JSON.parse(output).r"}]
    results = run_file({"providers": providers, "tests": tests}, tmp_path, engine)
    assert [(result.passed, result.output) for result in results] == [(True, "ok"), (True, "ok!"), (None, None)]
    assert "the transform failed" in (results[2].error or "")
    assert (results[2].detail["answer"], results[2].cost) == ("oops", 0.0)


def test_a_providers_transform_sees_variables_and_the_template(tmp_path: Path, engine: JavaScriptEngine) -> None:
    transform = "output + context.vars.tail + context.prompt.raw + ('metadata' in context ? '+' : '-')"
    tests = [{"vars": {"out": "a", "tail": "Z"}, "assert": [{"type": "equals", "value": "aZ{% raw %}{{out}}{% endraw %}-"}]}]
    (result,) = run_file({"providers": [{"id": "echo", "transform": transform}], "tests": tests}, tmp_path, engine)
    assert result.passed, result.output


def test_transforms_stand_in_files_of_their_own(tmp_path: Path, engine: JavaScriptEngine) -> None:
    code = 'module.exports = (output) => output.split("").reverse().join("");'
    (tmp_path / "t.js").write_text(f"{code}\nmodule.exports.twice = (output, context) => output + output + context.vars.k;")
    tests = [
        {"vars": {"out": "abc"}, "options": {"transform": "file://t.js"}, "assert": [{"type": "equals", "value": "cba"}]},
        {
            "vars": {"out": "abc", "k": 2},
            "options": {"transform": "file://t.js:twice"},
            "assert": [{"type": "equals", "value": "abcabc2"}],
        },
        {"vars": {"out": "abc"}, "assert": [{"type": "equals", "value": "cba", "transform": "file://t.js"}]},
    ]
    results = run_file({"tests": tests}, tmp_path, engine)
    assert [(result.passed, result.output) for result in results] == [(True, "cba"), (True, "abcabc2"), (True, "abc")]


def test_variables_are_transformed_with_those_of_the_defaults(tmp_path: Path, engine: JavaScriptEngine) -> None:
    default = {"options": {"transformVars": 'return { ...vars, out: vars.out + (vars.mark || "?") };\n'}}
    tests = [
        {"vars": {"out": "a"}, "assert": [{"type": "equals", "value": "a?"}]},
        {"vars": {"out": "a", "mark": "!"}, "assert": [{"type": "equals", "value": "a!"}]},
    ]
    results = run_file({"defaultTest": default, "tests": tests}, tmp_path, engine)
    assert [result.passed for result in results] == [True, True]
