"""The scorers of a case: the suite's, its own, and sets of them; built once, labelled apart, and never a crash of the run."""

import asyncio
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.scorers import per_case
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, run_scorer
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.errors import Invalid

FOX = "The quick brown fox"


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


PARTS = ScorerDependencies(embed=nobody, ask=nobody)


async def answer(scorer: Scorer, sample: ScorerInput) -> Score:
    return await run_scorer(scorer, sample, discreet=sample.discreet)


def case_of(*asserts: dict[str, Any], **more: Any) -> Case:
    return CaseIn.model_validate({"id": "c", "vars": {}, "assert": list(asserts), **more}).case()


def contains(word: str, **more: Any) -> dict[str, Any]:
    return {"type": "contains", "value": word, **more}


def judge(case: Case, *suite: dict[str, Any], threshold: float | None = None, **sample: Any) -> CombinedScore:
    scorers = CaseScorers.of([ScorerSpec.model_validate(spec) for spec in suite], PARTS, threshold)
    return asyncio.run(score_output(scorers, ScorerInput(case, FOX, **sample), answer))


def test_a_cases_own_stand_beside_the_suites() -> None:
    found = judge(case_of(contains("cat")), contains("fox", name="exact"))
    assert (found.passed, found.score, found.metrics) == (False, 0.5, {"exact": 1.0})
    assert list(found.shown) == ["exact", "contains"]
    assert found.shown["contains"]["score"] == 0.0


def test_own_ones_with_a_name_are_metrics_and_add_to_the_suites() -> None:
    own = case_of(contains("cat", name="exact", weight=3), contains("fox", name="tone"))
    assert judge(own, contains("fox", name="exact")).metrics == {"exact": 0.25, "tone": 1.0}


def test_each_answer_has_a_label_of_its_own() -> None:
    own = case_of(contains("a"), contains("fox"), contains("quick"), contains("fox", name="contains 2"))
    assert list(judge(own, contains("fox")).shown) == ["contains", "contains 2", "contains 3", "contains 4", "contains 2 2"]


def test_a_cases_threshold_goes_before_the_suites() -> None:
    half = [contains("fox"), contains("cat", name="cat")]
    assert judge(case_of(), *half, threshold=0.5).passed is True
    assert judge(case_of(threshold=0.6), *half, threshold=0.5).passed is False
    assert judge(case_of(threshold=0), *half).passed is True


def test_a_case_that_is_asked_nothing_passes() -> None:
    assert judge(case_of()) == CombinedScore(True, 1.0, {}, {})


def test_a_set_enters_as_one_and_its_error_leaves_the_case_open() -> None:
    whole = {"type": "assert-set", "name": "form", "threshold": 0.5, "assert": [contains("fox", name="fox"), contains("cat")]}
    found = judge(case_of(), whole)
    assert (found.passed, found.score, found.metrics) == (True, 0.5, {"form": 0.5, "fox": 1.0})
    broken = judge(case_of(), {"type": "assert-set", "assert": [contains("fox"), {"type": "cost", "threshold": 1}]})
    assert (broken.passed, broken.score, broken.metrics) == (None, None, {"assert-set": None})
    assert "cost: the cost is not known" in str(broken.shown["assert-set"]["error"])
    shrugged = judge(
        case_of(), {"type": "assert-set", "assert": [contains("fox"), {"type": "cost", "threshold": 1, "weight": 0}]}
    )
    assert (shrugged.passed, shrugged.score) == (True, 1.0)


def test_sets_stand_in_sets() -> None:
    inner = {"type": "assert-set", "assert": [contains("cat", name="deep")], "weight": 3}
    found = judge(case_of(), {"type": "assert-set", "assert": [inner, contains("fox")]})
    assert (found.passed, found.score, found.metrics) == (False, 0.25, {"assert-set": 0.25, "deep": 0.0})


def test_a_set_repeats_no_sensitive_value() -> None:
    own = case_of({"type": "assert-set", "assert": [contains("{{nobody}}")]})
    told = judge(own, discreet=True).shown["assert-set"]["error"]
    assert told == "contains: Invalid (its words are left out: the prompt has a sensitive variable)"


def test_the_names_of_metrics_are_known_before_any_answer() -> None:
    whole = {"type": "assert-set", "assert": [contains("x", name="deep"), contains("y")]}
    scorers = CaseScorers.of([ScorerSpec.model_validate(one) for one in (whole, contains("fox", name="exact"))], PARTS)
    assert scorers.names == ("assert-set", "deep", "exact")
    assert scorers.names_of(case_of(contains("z"), contains("z", name="tone"))) == ("assert-set", "deep", "exact", "tone")


def test_equal_scorers_of_many_cases_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[ScorerSpec] = []
    build = per_case.build_scorer

    def count(spec: ScorerSpec, parts: ScorerDependencies) -> Scorer:
        built.append(spec)
        return build(spec, parts)

    monkeypatch.setattr(per_case, "build_scorer", count)
    scorers = CaseScorers.of([], PARTS)
    for _ in range(1000):
        scorers.asked(case_of(contains("fox"), contains("{{expected}}")))
    assert len(built) == 2


def test_scorers_of_cases_do_not_pile_up() -> None:
    scorers = CaseScorers.of([], PARTS)
    for number in range(2 * per_case.CACHED_SCORERS):
        scorers.asked(case_of(contains(f"{number}")))
    own: Any = scorers.own
    assert own.cache_info().currsize == per_case.CACHED_SCORERS


def test_one_that_cannot_be_built_is_its_cases_error() -> None:
    case = Case("c", {}, asserts=({"type": "gone", "name": "g"}, contains("fox")))
    found = judge(case)
    assert (found.passed, found.score, found.metrics) == (None, None, {"g": None})
    assert "the scorer cannot be made" in str(found.shown["g"]["error"])
    assert "'gone' is not a known scorer" in str(found.shown["g"]["error"])


def test_one_of_the_suite_that_cannot_be_built_ends_the_run_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(spec: ScorerSpec, parts: ScorerDependencies) -> Scorer:
        raise Invalid("code is not run here")

    monkeypatch.setattr(per_case, "build_scorer", refuse)
    with pytest.raises(Invalid, match="code is not run here"):
        CaseScorers.of([ScorerSpec.model_validate(contains("x"))], PARTS)


def nested(depth: int) -> dict[str, Any]:
    return contains("x") if not depth else {"type": "assert-set", "assert": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "assert-set"}, "needs the scorers that it is made of"),
        ({"type": "assert-set", "assert": []}, "needs the scorers that it is made of"),
        ({"type": "not-assert-set", "assert": [contains("x")]}, "cannot be turned by not-"),
        ({"type": "assert-set", "value": 1, "assert": [contains("x")]}, "is not taken"),
        ({"type": "assert-set", "assert": [{"type": "nonsense"}]}, "'nonsense' is not a known scorer"),
        ({"type": "contains", "value": "x", "assert": [contains("x")]}, "is not made of other scorers"),
        (nested(6), "is nested more than 5 deep"),
    ],
)
def test_a_set_that_is_none_is_refused(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScorerSpec.model_validate(spec)
    assert ScorerSpec.model_validate(nested(5)).kind == "assert-set"
