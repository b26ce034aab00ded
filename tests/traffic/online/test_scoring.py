"""Online scorers on settled calls of the sample, within a cost limit a day."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from factories.clock import ManualClock
from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.models.chat_models import ChatModels
from promptuary.traffic.online import store
from promptuary.traffic.online.rule import OnlineScoring, TrafficRule
from promptuary.traffic.online.scoring import OnlineScorings
from promptuary.traffic.online.service import TrafficRuleService
from promptuary.traffic.online.store import DueRule, OnlineScore

pytestmark = pytest.mark.usefixtures("database")
JUDGE = {"type": "llm-rubric", "value": "is polite", "model": "openai:gpt-4o-mini", "name": "polite"}
LIMIT = 0.0012
"""Enough for the most that one call may cost, and for a few that cost what they do."""
CALLS = [StoredCall(f"call-{number:02}", {"text": "a"}, "hello") for number in range(40)]


@pytest.fixture
def put_rule(create_words_suite: Any, unit_as: Any, clock: ManualClock) -> Callable[..., None]:
    """Create the prompt `word`, and put a rule of scorers on its calls, two hours before the present."""
    create_words_suite()

    def put(*scorers: dict[str, Any], max_cost: float | None = None) -> None:
        with unit_as("lead") as unit:
            scoring = OnlineScoring(scorers, max_cost)
            rule = TrafficRule("r", "word", None, scoring, "key:lead", clock.now - timedelta(hours=2))
            TrafficRuleService(unit).put(rule)

    return put


@pytest.fixture
def scorings(opened_database: Any, clock: ManualClock, settings: Any) -> OnlineScorings:
    """The step of the worker."""
    models = ChatModels(settings)
    return OnlineScorings(opened_database, clock, settings, None, models, embed=lambda texts: [])  # type: ignore[arg-type]  # nothing is rendered


@pytest.fixture
def read(opened_database: Any) -> Callable[[], tuple[DueRule, list[OnlineScore]]]:
    """Return the rule and the scores of its calls."""

    def of_rule() -> tuple[DueRule, list[OnlineScore]]:
        with opened_database.read() as session:
            (rule,) = store.all_rules(session)
            scores = store.scores_of(session, [call.id for call in CALLS])
            return rule, [score for each in sorted(scores) for score in scores[each]]

    return of_rule


def drain(scorings: OnlineScorings) -> None:
    """Repeat the step until nothing is due."""
    while scorings.step():
        pass


def test_errors_are_errors_and_no_scores(put_rule: Any, store_calls: StoreCalls, scorings: OnlineScorings, read: Any) -> None:
    put_rule({"type": "cost", "threshold": 1, "name": "price"}, {"type": "contains", "value": "hello"})
    store_calls(*CALLS)
    drain(scorings)
    _, scores = read()
    assert len(scores) == 2 * len(CALLS)
    prices = [score for score in scores if score.metric == "price"]
    assert {(score.score, score.passed) for score in prices} == {(None, None)}
    assert all(score.error for score in prices)
    assert {score.score for score in scores if score.metric == "contains"} == {1.0}


def test_a_judge_stops_at_the_days_limit_and_goes_on_the_next_day(
    put_rule: Any, store_calls: StoreCalls, scorings: OnlineScorings, read: Any, stub_model: Any, clock: ManualClock
) -> None:
    stub_model.answer = lambda body: json.dumps({"pass": True, "score": 1.0, "reason": "it is"})
    put_rule(JUDGE, max_cost=LIMIT)
    store_calls(*CALLS)
    drain(scorings)
    rule, scores = read()
    assert 0 < len(scores) < len(CALLS)
    assert 0 < rule.progress.spent <= LIMIT
    assert sum(score.cost for score in scores) == pytest.approx(rule.progress.spent)
    scorings.step()
    assert len(read()[1]) == len(scores)
    clock.move(hours=13)
    drain(scorings)
    rule, later = read()
    assert len(later) > len(scores)
    assert rule.progress.left_out == 0


def test_calls_that_wait_longer_than_a_day_are_left_out_and_counted(
    put_rule: Any, store_calls: StoreCalls, scorings: OnlineScorings, read: Any, stub_model: Any, clock: ManualClock
) -> None:
    put_rule(JUDGE, max_cost=1e-9)
    store_calls(*CALLS)
    scorings.step()
    assert read()[1] == []
    clock.move(days=2)
    drain(scorings)
    rule, scores = read()
    assert scores == []
    assert rule.progress.left_out == len(CALLS)


def test_a_scorer_that_cannot_be_built_here_is_the_rules_error(
    put_rule: Any, store_calls: StoreCalls, scorings: OnlineScorings, read: Any
) -> None:
    put_rule({"type": "python", "value": "len(output) > 1"})
    store_calls(*CALLS)
    scorings.step()
    rule, scores = read()
    assert rule.rule.error
    assert scores == []
