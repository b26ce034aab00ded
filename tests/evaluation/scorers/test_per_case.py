"""The scorers of a case: the suite's, its own, and sets of them; built once, labelled, and never a crash of the run."""

import asyncio
from typing import Any

import pytest

from factories.scorers import NO_MODELS
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.scorers import per_case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import Scorer, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.errors import Invalid

FOX = "The quick brown fox"


def create_case(*asserts: dict[str, Any], **more: Any) -> Case:
    return CaseIn.model_validate({"id": "c", "vars": {}, "assert": list(asserts), **more}).case()


def contains(word: str, **more: Any) -> dict[str, Any]:
    """Create the JSON of a `contains` scorer."""
    return {"type": "contains", "value": word, **more}


def score_fox(case: Case, *suite: dict[str, Any], threshold: float | None = None, **sample: Any) -> CombinedScore:
    """Score the output about the fox by a suite's scorers and the case's own."""
    scorers = CaseScorers.build([ScorerSpec.model_validate(spec) for spec in suite], NO_MODELS, threshold)
    return asyncio.run(score_output(scorers, ScorerInput(case, FOX, **sample), run_scorer))


def test_a_cases_scorers_are_added_to_the_suites() -> None:
    combined = score_fox(create_case(contains("cat")), contains("fox", name="exact"))
    assert (combined.passed, combined.score, combined.metrics) == (False, 0.5, {"exact": 1.0})
    assert list(combined.labelled_scores) == ["exact", "contains"]
    assert combined.labelled_scores["contains"]["score"] == 0.0


def test_a_cases_scorer_with_a_name_contributes_to_the_metric() -> None:
    own = create_case(contains("cat", name="exact", weight=3), contains("fox", name="tone"))
    assert score_fox(own, contains("fox", name="exact")).metrics == {"exact": 0.25, "tone": 1.0}


def test_each_score_has_a_label_of_its_own() -> None:
    own = create_case(contains("a"), contains("fox"), contains("quick"), contains("fox", name="contains 2"))
    assert list(score_fox(own, contains("fox")).labelled_scores) == [
        "contains",
        "contains 2",
        "contains 3",
        "contains 4",
        "contains 2 2",
    ]


def test_a_cases_threshold_has_precedence_over_the_suites() -> None:
    half = [contains("fox"), contains("cat", name="cat")]
    assert score_fox(create_case(), *half, threshold=0.5).passed is True
    assert score_fox(create_case(threshold=0.6), *half, threshold=0.5).passed is False
    assert score_fox(create_case(threshold=0), *half).passed is True


def test_a_case_without_scorers_passes() -> None:
    assert score_fox(create_case()) == CombinedScore(True, 1.0, {}, {})


def test_a_set_counts_as_one_score_and_its_error_leaves_no_verdict() -> None:
    whole = {"type": "assert-set", "name": "form", "threshold": 0.5, "assert": [contains("fox", name="fox"), contains("cat")]}
    combined = score_fox(create_case(), whole)
    assert (combined.passed, combined.score, combined.metrics) == (True, 0.5, {"form": 0.5, "fox": 1.0})
    broken = score_fox(create_case(), {"type": "assert-set", "assert": [contains("fox"), {"type": "cost", "threshold": 1}]})
    assert (broken.passed, broken.score, broken.metrics) == (None, None, {"assert-set": None})
    assert "cost: the cost is not known" in str(broken.labelled_scores["assert-set"]["error"])
    ignored = score_fox(
        create_case(), {"type": "assert-set", "assert": [contains("fox"), {"type": "cost", "threshold": 1, "weight": 0}]}
    )
    assert (ignored.passed, ignored.score) == (True, 1.0)


def test_sets_can_be_nested() -> None:
    inner = {"type": "assert-set", "assert": [contains("cat", name="deep")], "weight": 3}
    combined = score_fox(create_case(), {"type": "assert-set", "assert": [inner, contains("fox")]})
    assert (combined.passed, combined.score, combined.metrics) == (False, 0.25, {"assert-set": 0.25, "deep": 0.0})


def test_a_sets_error_repeats_no_sensitive_value() -> None:
    own = create_case({"type": "assert-set", "assert": [contains("{{missing}}")]})
    error = score_fox(own, sensitive=True).labelled_scores["assert-set"]["error"]
    assert error == "contains: Invalid (its message is left out: the prompt has a sensitive variable)"


def test_metric_names_are_known_before_any_score() -> None:
    whole = {"type": "assert-set", "assert": [contains("x", name="deep"), contains("y")]}
    scorers = CaseScorers.build([ScorerSpec.model_validate(spec) for spec in (whole, contains("fox", name="exact"))], NO_MODELS)
    assert scorers.metric_names == ("assert-set", "deep", "exact")
    assert scorers.metric_names_of(create_case(contains("z"), contains("z", name="tone"))) == (
        "assert-set",
        "deep",
        "exact",
        "tone",
    )


def test_equal_scorers_of_many_cases_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[ScorerSpec] = []
    build = per_case.build_scorer

    def count(spec: ScorerSpec, dependencies: ScorerDependencies) -> Scorer:
        built.append(spec)
        return build(spec, dependencies)

    monkeypatch.setattr(per_case, "build_scorer", count)
    scorers = CaseScorers.build([], NO_MODELS)
    for _ in range(1000):
        scorers.of_case(create_case(contains("fox"), contains("{{expected}}")))
    assert len(built) == 2


def test_the_cache_of_case_scorers_is_bounded() -> None:
    scorers = CaseScorers.build([], NO_MODELS)
    for number in range(2 * per_case.CACHED_SCORERS):
        scorers.of_case(create_case(contains(f"{number}")))
    cached: Any = scorers.case_scorer
    assert cached.cache_info().currsize == per_case.CACHED_SCORERS


def test_a_case_scorer_that_cannot_be_built_is_that_cases_error() -> None:
    case = Case("c", {}, asserts=({"type": "gone", "name": "g"}, contains("fox")))
    combined = score_fox(case)
    assert (combined.passed, combined.score, combined.metrics) == (None, None, {"g": None})
    assert "the scorer cannot be built" in str(combined.labelled_scores["g"]["error"])
    assert "'gone' is not a known scorer" in str(combined.labelled_scores["g"]["error"])


def test_a_suite_scorer_that_cannot_be_built_raises_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(spec: ScorerSpec, dependencies: ScorerDependencies) -> Scorer:
        raise Invalid("code is not run here")

    monkeypatch.setattr(per_case, "build_scorer", refuse)
    with pytest.raises(Invalid, match="code is not run here"):
        CaseScorers.build([ScorerSpec.model_validate(contains("x"))], NO_MODELS)


def nested(depth: int) -> dict[str, Any]:
    return contains("x") if not depth else {"type": "assert-set", "assert": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "assert-set"}, "needs the scorers that it is made of"),
        ({"type": "assert-set", "assert": []}, "needs the scorers that it is made of"),
        ({"type": "not-assert-set", "assert": [contains("x")]}, "cannot be inverted by not-"),
        ({"type": "assert-set", "value": 1, "assert": [contains("x")]}, "is not taken"),
        ({"type": "assert-set", "assert": [{"type": "nonsense"}]}, "'nonsense' is not a known scorer"),
        ({"type": "contains", "value": "x", "assert": [contains("x")]}, "is not made of other scorers"),
        (nested(6), "is nested more than 5 deep"),
    ],
)
def test_an_invalid_set_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScorerSpec.model_validate(spec)
    assert ScorerSpec.model_validate(nested(5)).type_name == "assert-set"
