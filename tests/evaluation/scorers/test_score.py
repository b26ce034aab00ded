import asyncio
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.errors import Invalid


async def no_judge(*_: Any, **__: Any) -> Any:
    raise AssertionError("no model is called when a scorer is built")


@pytest.mark.parametrize(
    ("passed", "score", "error"),
    [
        (None, None, None),
        (True, None, None),
        (None, 1.0, None),
        (True, float("nan"), None),
        (True, 1.1, None),
        (True, -0.1, None),
        (True, 1.0, "broken"),
        (None, 0.0, "broken"),
    ],
)
def test_a_score_is_a_verdict_or_an_error_and_never_both(passed: bool | None, score: float | None, error: str | None) -> None:
    with pytest.raises(ValueError, match="scorer 'x' returned"):
        Score("x", passed, score, "", error)


class BrokenScorer:
    name = "broken"
    weight = 1.0

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def score(self, sample: ScorerInput) -> Score:
        raise self.error


SAMPLE = ScorerInput(Case("c", {}), "x")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by zero\nand more"), "ZeroDivisionError: by zero"),
        (KeyError(), "KeyError"),
        (Invalid("the value is wrong"), "the value is wrong"),
        (RuntimeError("x" * 5000), "RuntimeError: " + "x" * 486),
    ],
)
def test_a_scorer_that_raises_has_an_error_score(error: Exception, message: str) -> None:
    assert asyncio.run(run_scorer(BrokenScorer(error), SAMPLE)) == Score("broken", None, None, "", message)


def test_a_cancellation_passes_through() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run_scorer(BrokenScorer(asyncio.CancelledError()), SAMPLE))


FIELDS: dict[str, dict[str, Any]] = {
    "equals": {"value": "x"},
    "assert-set": {"assert": [{"type": "equals", "value": "x"}]},
    "cost": {"threshold": 1},
    "latency": {"threshold": 1},
    "token-count": {"value": 3},
    "trajectory:step-count": {"value": {"max": 3}},
    "trajectory:tool-args-match": {"value": {"name": "search", "args": {"q": "x"}}},
    "trajectory:tool-sequence": {"value": ["search"]},
    "trajectory:tool-used": {"value": "search"},
    "webhook": {"value": "https://hooks.example.com/"},
    "word-count": {"value": 3},
}


def test_every_type_can_be_built() -> None:
    dependencies = ScorerDependencies(embed=list, ask=no_judge, code=True, webhook_hosts=frozenset({"hooks.example.com"}))
    for name, scorer_type in scorer_types().items():
        if name == "javascript":
            continue  # it is in the catalog only to be refused with a message
        fields = FIELDS.get(name) or ({} if scorer_type.value_error(None) is None else {"value": "x"})
        fields = fields | ({"model": "echo:"} if scorer_type.judged else {})
        for prefix in ("", "not-") if scorer_type.invertible else ("",):
            spec = ScorerSpec.model_validate({"type": prefix + name, **fields})
            assert build_scorer(spec, dependencies).name == prefix + name


def test_a_spec_that_was_not_validated_is_not_built() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        build_scorer(ScorerSpec.model_construct(type="nonsense", value="x"), ScorerDependencies(embed=list, ask=no_judge))
