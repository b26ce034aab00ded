"""Transforms as suites have them: their steps, their code in child processes, and what a failure is."""

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.javascript.engine import EngineLimits, JavaScriptEngine
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.run_transforms import Answer, RunTransforms
from promptuary.evaluation.scorers.transforms.steps import transform_error
from promptuary.evaluation.scorers.transforms.syntax_check import syntax_errors
from promptuary.evaluation.scorers.transforms.transform import TransformContext, TransformFailed, build_transform, value_text
from promptuary.prompt.errors import Invalid

pytestmark = pytest.mark.process

CONTEXT = TransformContext({"tail": "Z"}, {"raw": "{{q}}", "label": "{{q}}"}, {})


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


@pytest.fixture(scope="module")
def dependencies() -> Iterator[ScorerDependencies]:
    """Build dependencies that allow code, and close what was opened."""
    closing: list[Callable[[], None]] = []
    engine = JavaScriptEngine(EngineLimits(deadline=120.0), processes=1)
    yield ScorerDependencies(nobody, nobody, code=True, closing=closing.append, javascript=engine)
    for close in closing:
        close()
    engine.close()


def apply(value: Any, transform: Any, dependencies: ScorerDependencies) -> Any:
    built = build_transform(transform, dependencies)
    assert built is not None
    return asyncio.run(built.apply(value, CONTEXT))


@pytest.mark.parametrize(
    ("transform", "value", "result"),
    [
        ("strip-fences", "```\nx\n```", "x"),
        ({"json": "$.a"}, '{"a": [1]}', [1]),
        ({"regex": "(b+)"}, "abbc", "bb"),
        ({"javascript": "output + context.vars.tail"}, "a", "aZ"),
        ("output.trim()", " a ", "a"),
        ({"javascript": "const s = output;\nreturn { s };"}, "a", {"s": "a"}),
        (["strip-fences", {"json": "$.a"}, {"javascript": "output * 2"}], '```json\n{"a": 2}\n```', 4),
        ({"python": "output.upper() + context['vars']['tail']"}, "a", "AZ"),
        ({"python": "def get_transform(output, context):\n    return {'n': len(output)}"}, "abc", {"n": 3}),
        (
            {"python": {"file": "t.py", "function": "half", "code": "def half(output, context):\n    return output[:1]"}},
            "ab",
            "a",
        ),
        ({"javascript": {"file": "t.js", "function": "", "code": "module.exports = (o) => o + '!'"}}, "a", "a!"),
    ],
)
def test_the_steps_make_a_value(transform: Any, value: Any, result: Any, dependencies: ScorerDependencies) -> None:
    assert apply(value, transform, dependencies) == result


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ({"javascript": "undefined"}, "returned nothing"),
        ({"javascript": "null"}, "returned nothing"),
        ({"javascript": "nope()"}, "nope is not defined"),
        ({"javascript": "for (;;);\n"}, "processor time"),
        ({"python": "1 / 0"}, "ZeroDivisionError"),
        ({"json": "$.a"}, "no JSON"),
        ({"regex": "z"}, "nothing in the output matches z"),
    ],
)
def test_a_transform_that_makes_nothing_is_an_error(transform: Any, words: str, dependencies: ScorerDependencies) -> None:
    with pytest.raises(TransformFailed, match=words):
        apply("abc", transform, dependencies)


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("strip-fence", "must be strip-fences, strip-reasoning"),
        ({"json": "a.b"}, "is no JSONPath"),
        ({"regex": "(?=a)b"}, "look-around"),
        ({"javascript": "require('fs')"}, "`require` loads a module"),
        ({"javascript": "file://t.js"}, "names a file"),
        ({"python": "not python ("}, "is no Python"),
        ({"json": "$.a", "regex": "b"}, "must be"),
        ([], "from 1 to 20 steps"),
        (["strip-fences"] * 21, "from 1 to 20 steps"),
        ({"json": ""}, "has no json"),
        (5, "must be"),
    ],
)
def test_a_transform_that_cannot_be_used_says_why(transform: Any, words: str) -> None:
    assert words in (transform_error(transform) or "")


def test_code_needs_what_operators_allow() -> None:
    closed = ScorerDependencies(nobody, nobody, javascript=None)
    with pytest.raises(Invalid, match="PROMPTUARY_CODE_SCORERS=true"):
        build_transform({"python": "output"}, closed)
    with pytest.raises(Invalid, match="PROMPTUARY_JAVASCRIPT=false"):
        build_transform({"javascript": "output"}, closed)
    assert build_transform("strip-fences", closed) is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (5, "5"), (5.0, "5"), (0.5, "0.5"), ([1, {"a": "ü"}], '[1,{"a":"ü"}]'), (math.nan, "null"), (True, "true")],
)
def test_other_scorers_read_a_value_as_its_json(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_a_scorers_transform_is_its_own(dependencies: ScorerDependencies) -> None:
    case = Case("c", {})
    verdicts = []
    for spec in ({"type": "equals", "value": "x", "transform": {"json": "$.a"}}, {"type": "contains", "value": '"a"'}):
        scorer = build_scorer(ScorerSpec.model_validate(spec), dependencies)
        verdicts.append(asyncio.run(run_scorer(scorer, ScorerInput(case, '{"a": "x"}'))).passed)
    assert verdicts == [True, True]


def test_a_scorers_transform_that_fails_is_an_error_of_that_scorer(dependencies: ScorerDependencies) -> None:
    spec = {"type": "not-equals", "value": "x", "transform": {"json": "$.a"}}
    score = asyncio.run(
        run_scorer(build_scorer(ScorerSpec.model_validate(spec), dependencies), ScorerInput(Case("c", {}), "x"))
    )
    assert score.passed is None
    assert "the output is no JSON" in (score.error or "")


@pytest.mark.parametrize("type_name", ["assert-set", "select-best"])
def test_sets_and_comparisons_take_no_transform(type_name: str) -> None:
    parts = {
        "assert-set": {"assert": [{"type": "contains", "value": "a"}]},
        "select-best": {"value": "best", "model": "openai:b"},
    }
    with pytest.raises(ValidationError, match="is not taken by"):
        ScorerSpec.model_validate({"type": type_name, "transform": "strip-fences", **parts[type_name]})


def test_a_context_is_made_for_types_that_read_one() -> None:
    spec = {"type": "context-faithfulness", "model": "openai:b", "context_transform": {"json": "$.context"}}
    assert ScorerSpec.model_validate(spec).model_dump()["context_transform"] == {"json": "$.context"}
    with pytest.raises(ValidationError, match="reads no context"):
        ScorerSpec.model_validate({"type": "contains", "value": "a", "context_transform": "strip-fences"})


def test_a_cases_transform_stands_for_the_suites(dependencies: ScorerDependencies) -> None:
    transforms = RunTransforms.build("strip-fences", {"m": {"javascript": "output + 1"}}, dependencies)
    own = CaseIn.model_validate({"id": "c", "vars": {}, "transform": {"regex": "[a-z]"}}).case()

    def value(case: Case, source: str) -> Any:
        stages = asyncio.run(transforms.apply(case, Answer("```\nab\n```", source)))
        assert stages is not None
        return stages.provider, stages.value

    assert value(Case("c", {}), "other") == ("```\nab\n```", "ab")
    assert value(Case("c", {}), "m") == ("```\nab\n```1", "ab")
    assert value(own, "other") == ("```\nab\n```", "a")


def test_an_output_without_a_transform_stays_as_it_is(dependencies: ScorerDependencies) -> None:
    transforms = RunTransforms.build(None, {}, dependencies)
    assert asyncio.run(transforms.apply(Case("c", {}), Answer("x", "m"))) is None
    stages = asyncio.run(transforms.apply(Case("c", {}), Answer({"a": 1}, "m")))
    assert stages is not None
    assert stages.value == {"a": 1}


def test_javascript_that_does_not_parse_is_found_before_a_run(dependencies: ScorerDependencies) -> None:
    spec = {"type": "contains", "value": "a", "transform": {"javascript": "output."}}
    scorer = build_scorer(ScorerSpec.model_validate(spec), dependencies)
    assert [field for field, _ in syntax_errors(scorer)] == ["transform"]
