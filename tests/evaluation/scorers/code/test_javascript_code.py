"""The scorer that runs a suite's JavaScript, with real child processes."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.javascript.engine import EngineLimits, JavaScriptEngine
from promptuary.evaluation.scorers.aggregate import metric_scores
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import OutputStages, Score, ScorerInput, WeightedScore, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.syntax_check import syntax_errors
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid

pytestmark = pytest.mark.process

SAMPLE = ScorerInput(
    Case("c", {"city": "Paris", "limit": 4}, "Paris", metadata={"team": "blue"}),
    "Paris.",
    ({"role": "user", "content": "Where?"},),
    model="openai:gpt-5",
)
Judge = Callable[..., Score]


async def no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("these scorers need no judge")


@pytest.fixture(scope="module")
def engine() -> Iterator[JavaScriptEngine]:
    """Start one engine for all scorers."""
    engine = JavaScriptEngine(EngineLimits(deadline=120.0), processes=1)
    yield engine
    engine.close()


@pytest.fixture
def judge(engine: JavaScriptEngine) -> Judge:
    """Score an output by one scorer of a suite."""

    def score(value: Any, sample: ScorerInput = SAMPLE, type: str = "javascript", **spec: Any) -> Score:  # noqa: A002
        dependencies = ScorerDependencies(list, no_judge, javascript=engine)
        scorer = build_scorer(ScorerSpec.model_validate({"type": type, "value": value, **spec}), dependencies)
        return asyncio.run(run_scorer(scorer, sample))

    return score


def file(code: str, function: str = "", name: str = "check.js") -> dict[str, str]:
    return {"file": name, "function": function, "code": code}


@pytest.mark.parametrize(
    ("value", "passed", "score"),
    [
        ("output === 'Paris.'", True, 1.0),
        ("output === 'Rome'", False, 0.0),
        ("output.length / 10", True, 0.6),
        ("output.length", True, 6.0),
        ("-1", False, -1.0),
        ("({pass: false, score: 0.9, reason: 'r'})", False, 0.9),
        ("undefined", False, 0.0),
        ("'true'", False, 0.0),
        ("nope()", False, 0.0),
        ("const n = output.length; n > 3", True, 1.0),
    ],
)
def test_what_the_code_returns_decides(judge: Judge, value: str, passed: bool, score: float) -> None:
    result = judge(value)
    assert (result.passed, result.score, result.error) == (passed, score, None)


def test_a_threshold_applies_to_a_number_alone(judge: Judge) -> None:
    assert judge("0.4", threshold=0.5).passed is False
    assert judge("0.5", threshold=0.5).passed is True
    assert judge("({pass: true, score: 0.2, reason: 'r'})", threshold=0.5).passed is True
    assert judge("false", threshold=0).passed is False


def test_not_turns_a_verdict_and_never_an_error_that_is_thrown(judge: Judge) -> None:
    turned = [judge(value, type="not-javascript") for value in ("true", "0", "0.4", "nope()", "null")]
    assert [(score.passed, score.score) for score in turned] == [(False, 0), (True, 0), (False, 0.4), (False, 0), (False, 0)]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "({pass: true, score: NaN, reason: 'r'})"])
def test_a_score_that_is_not_finite_leaves_the_verdict_and_no_score(judge: Judge, value: str) -> None:
    score = judge(value)
    assert score.passed is not None
    assert metric_scores([WeightedScore(score, metric="m")]) == {"m": None}


def test_named_scores_add_to_metrics_by_their_weights(judge: Judge) -> None:
    named = "namedScores: {tone: 0.5, own: 0.1}, namedScoreWeights: {tone: 3}"
    components = "componentResults: [{pass: true, score: 1, reason: 'a'}]"
    score = judge(f"({{pass: true, score: 1, reason: 'r', {named}, {components}}})", name="own")
    other = judge("({pass: true, score: 1, reason: 'r', namedScores: {tone: 1}})", name="other")
    metrics = metric_scores([WeightedScore(score, metric="own"), WeightedScore(other, metric="other")])
    assert metrics == {"own": 1.0, "tone": 0.625, "other": 1.0}
    assert [part.score.reason for part in score.parts if part.metric is None] == ["a"]


def test_the_context_has_the_case_and_the_answer(judge: Judge) -> None:
    checks = [
        "context.vars.limit === 4",
        "context.prompt === 'Where?'",
        "context.test.expected === 'Paris' && context.test.metadata.team === 'blue'",
        "context.config.least === 2",
        "context.provider.id() === 'openai:gpt-5'",
        "context.providerResponse.output === output",
        "context.logProbs === undefined && context.metadata.team === undefined",
        "typeof process === 'object' && typeof require === 'undefined'",
    ]
    for check in checks:
        assert judge(check, config={"least": 2}).passed, check


def test_the_output_is_the_value_that_a_transform_made(judge: Judge) -> None:
    stages = OutputStages(provider='{"n": 5}', case={"n": 5}, value={"n": 5})
    sample = replace(SAMPLE, output='{"n":5}', stages=stages)
    assert judge("output.n === 5 && context.providerResponse.providerTransformedOutput === '{\"n\": 5}'", sample).passed


def test_a_file_exports_its_function(judge: Judge) -> None:
    assert judge(file("module.exports = (output) => output.length / 10")).score == 0.6
    assert judge(file("module.exports = {}; module.exports.named = (o, { vars }) => vars.limit === 4", "named")).passed
    module = "const least = 3;\nexport default async function (output) { return output.length > least; }"
    assert judge(file(module, name="check.mjs")).passed
    assert judge(file("export const longer = (output) => output.length > 3;", "longer", "check.mjs")).passed


def test_an_error_in_a_file_is_an_error_of_the_scorer(judge: Judge) -> None:
    assert "own" in (judge(file("module.exports = () => { throw new Error('own') }")).error or "")
    assert "no function 'other'" in (judge(file("module.exports = () => true", "other")).error or "")


def test_a_limit_is_an_error_of_this_scorer_alone(judge: Judge) -> None:
    looping = judge("(() => { for (;;); })()")
    assert looping.passed is None
    assert "processor time" in (looping.error or "")
    assert judge("true").passed


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "is required"),
        ("require('fs').existsSync('x')", "`require` loads a module"),
        ("fetch('http://x').then(r => r.ok)", "`fetch` reaches the network"),
        ("process.env.KEY === output", "`process.env` reaches the system"),
        ("Buffer.from(output).length > 2", "`Buffer` belongs to Node"),
        ("a.localeCompare(b) > 0", "`localeCompare` depends on languages"),
        (file("import x from 'y';\nexport default x", name="check.mjs"), "`import` loads a module"),
        (file("export default (output: string) => true", name="check.ts"), "is TypeScript"),
        ({"code": "true"}, "file, function and code"),
        ("x" * 300_000, "bytes of code"),
    ],
)
def test_what_cannot_be_run_is_refused_by_its_name(value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ScorerSpec.model_validate({"type": "javascript", "value": value})


def test_code_that_does_not_parse_is_an_error_of_a_suite(engine: JavaScriptEngine) -> None:
    spec = {"type": "assert-set", "assert": [{"type": "javascript", "value": "return (output"}]}
    scorer = build_scorer(ScorerSpec.model_validate(spec), ScorerDependencies(list, no_judge, javascript=engine))
    assert [field for field, _ in syntax_errors(scorer)] == ["value"]


def test_an_operator_turns_javascript_off() -> None:
    spec = ScorerSpec.model_validate({"type": "javascript", "value": "true"})
    with pytest.raises(Invalid, match="PROMPTUARY_JAVASCRIPT=false"):
        build_scorer(spec, ScorerDependencies(list, no_judge, javascript=None))


def test_code_is_filled_from_the_case_before_it_is_read(judge: Judge) -> None:
    assert judge("output.startsWith('{{city}}')").passed
    assert "`fetch`" in (judge("{{call}}", replace(SAMPLE, case=Case("c", {"call": "fetch('x')"}))).error or "")
