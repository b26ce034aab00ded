"""Sampled calls that become items of review queues, each with its inclusion probability."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from factories.clock import ManualClock
from factories.reviews import Reviews
from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.review.gold.service import GoldService
from promptuary.review.queues.queue import Item, QueueDefinition
from promptuary.review.queues.service import QueueService
from promptuary.review.queues.store import item_from_row
from promptuary.review.tables import ItemRow
from promptuary.traffic.online import store
from promptuary.traffic.online.queue_filling import QueueFillings
from promptuary.traffic.online.rule import OnlineScoring, QueueFilling, TrafficRule
from promptuary.traffic.online.service import TrafficRuleService
from promptuary.traffic.online.store import OnlineScore
from promptuary.traffic.tables import FeedbackRow, Stratum

pytestmark = pytest.mark.usefixtures("database")
LOW = StoredCall("low", {"text": "yes"}, "bad", feedback=0.0, stratum=Stratum.LOW_FEEDBACK, probability=0.5)
PutRule = Callable[..., None]
Items = Callable[[], dict[str, Item]]


@pytest.fixture
def put_rule(create_words_suite: Any, unit_as: Any, clock: ManualClock) -> PutRule:
    """Create the prompt `word` and the queue `production`, and put a rule that fills it, two hours before the present."""
    create_words_suite()
    with unit_as("lead") as unit:
        QueueService(unit).put_queue(QueueDefinition(name="production"))

    def put(scoring: OnlineScoring | None = None, **filling: Any) -> None:
        with unit_as("lead") as unit:
            rule = TrafficRule(
                "word-rule", "word", QueueFilling("production", **filling), scoring, "key:lead", clock.now - timedelta(hours=2)
            )
            TrafficRuleService(unit).put(rule)

    return put


@pytest.fixture
def fillings(opened_database: Any, clock: ManualClock, settings: Any) -> QueueFillings:
    """The step of the worker."""
    return QueueFillings(opened_database, clock, settings)


@pytest.fixture
def items(unit_as: Any) -> Items:
    """Return the items of the queue by the id of their call."""

    def read() -> dict[str, Item]:
        with unit_as("lead") as unit:
            queue = QueueService(unit).find("production")
            rows = unit.session.exec(select(ItemRow).where(ItemRow.queue_id == queue.id))
            queue_items = [item_from_row(unit.session, row) for row in rows]
            return {item.source.removeprefix("observation/"): item for item in queue_items}

    return read


def test_low_feedback_comes_for_certain_with_its_own_probability(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items
) -> None:
    put_rule()
    store_calls(LOW, StoredCall("good", {"text": "a"}, feedback=1.0), StoredCall("none", {"text": "b"}))
    fillings.step()
    (item,) = items().values()
    assert (item.source, item.probability, item.slice_probability, item.selection) == ("observation/low", 0.5, None, "priority")
    assert item.payload["input"] == {"text": "yes"}
    assert item.payload["output"] == "bad"
    assert (item.payload["prompt"], item.payload["version"]) == ("word", 1)


def test_a_random_share_has_the_product_of_both_probabilities(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items
) -> None:
    put_rule(low_feedback=False, share=0.5)
    store_calls(*(StoredCall(f"call-{number}", {"text": str(number)}, probability=0.1) for number in range(100)))
    fillings.step()
    drawn = items()
    assert 30 < len(drawn) < 70
    assert {item.probability for item in drawn.values()} == {0.05}
    assert {item.slice_probability for item in drawn.values()} == {0.05}


def test_looking_again_adds_nothing(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items, unit_as: Any
) -> None:
    put_rule(share=1.0)
    store_calls(LOW, StoredCall("other", {"text": "b"}))
    assert fillings.step() is False
    before = items()
    assert len(before) == 2
    fillings.step()
    with unit_as("lead") as unit:
        (rule,) = store.all_rules(unit.session)
        store.set_progress(
            unit.session, rule.id, replace(rule.progress, filled=type(rule.progress.filled)(rule.rule.created_at))
        )
    fillings.step()
    assert items().keys() == before.keys()


def test_late_low_feedback_comes_too_and_raises_the_probability(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items, unit_as: Any, clock: ManualClock
) -> None:
    put_rule(share=1e-9)
    store_calls(StoredCall("late", {"text": "b"}, probability=0.2), StoredCall("drawn", {"text": "c"}, probability=0.2))
    fillings.step()
    assert items() == {}
    put_rule(share=1.0)
    clock.move(minutes=1)
    _add_feedback(unit_as, clock, "late")
    clock.move(minutes=1)
    fillings.step()
    late = items()["late"]
    assert (late.probability, late.selection) == (pytest.approx(0.2), "priority")


def _add_feedback(unit_as: Any, clock: ManualClock, observation: str) -> None:
    with unit_as("author") as unit:
        (rule,) = store.all_rules(unit.session)
        row = FeedbackRow(
            id=f"late-{observation}",
            project_id=rule.project,
            prompt_id=rule.prompt_id,
            version=1,
            observation_id=observation,
            value=0.0,
            at=clock.now,
            created_at=clock.now,
        )
        unit.session.add(row)


def test_an_item_by_chance_gets_the_larger_probability_with_low_feedback(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items, unit_as: Any, clock: ManualClock
) -> None:
    put_rule(share=0.999999)
    store_calls(StoredCall("late", {"text": "b"}, probability=0.2))
    fillings.step()
    assert items()["late"].selection == "slice"
    clock.move(minutes=1)
    _add_feedback(unit_as, clock, "late")
    clock.move(minutes=1)
    fillings.step()
    item = items()["late"]
    assert (item.probability, item.selection) == (0.2, "priority")
    assert item.slice_probability == pytest.approx(0.2, rel=1e-5)


def test_calls_on_which_a_judge_disagrees_come(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items, unit_as: Any, clock: ManualClock
) -> None:
    judge = {"type": "llm-rubric", "value": "polite", "model": "echo:", "name": "polite"}
    scorers = (judge, {"type": "contains", "value": "yes", "name": "yes"})
    put_rule(OnlineScoring(scorers, 1.0), low_feedback=False, disagreements=True)
    store_calls(
        StoredCall("agree", {"text": "a"}, feedback=1.0),
        StoredCall("with-user", {"text": "b"}, feedback=0.0),
        StoredCall("with-scorer", {"text": "c"}),
        StoredCall("failed", {"text": "d"}),
    )
    fillings.step()
    assert items() == {}
    verdicts = [("agree", True, True), ("with-user", True, True), ("with-scorer", True, False), ("failed", None, False)]
    with unit_as("author") as unit:
        for call, polite, yes in verdicts:
            error = "no answer" if polite is None else None
            first = OnlineScore(call, "polite", None if polite is None else float(polite), polite, error, None, clock.now)
            store.add_scores(unit.session, [first, OnlineScore(call, "yes", float(yes), yes, None, None, clock.now)])
    clock.move(minutes=1)
    fillings.step()
    assert items().keys() == {"with-user", "with-scorer"}


def test_calls_that_wait_and_those_before_the_rule_are_left_alone(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items, clock: ManualClock
) -> None:
    put_rule(share=1.0)
    store_calls(StoredCall("old", {"text": "a"}, at=clock.now - timedelta(hours=3)), replace(LOW, id="waits", is_settled=False))
    fillings.step()
    assert items() == {}


def test_gold_cases_and_calls_without_an_answer_do_not_come(
    put_rule: PutRule, store_calls: StoreCalls, fillings: QueueFillings, items: Items
) -> None:
    put_rule(share=1.0)
    store_calls(StoredCall("empty", {"text": "a"}, None), LOW)
    fillings.step()
    assert items().keys() == {"low"}


def test_a_correction_of_production_becomes_gold(
    put_rule: PutRule,
    store_calls: StoreCalls,
    fillings: QueueFillings,
    items: Items,
    unit_as: Any,
) -> None:
    put_rule()
    store_calls(LOW)
    fillings.step()
    with unit_as("reviewer") as unit:
        claim = Reviews(unit).claims.claim("production")
        assert claim is not None
        decision = Reviews(unit).submit(claim.claim.id, claim.claim.nonce, "reject", correction="the right answer").id
    with unit_as("lead") as unit:
        DatasetService(unit).put_version("real", [Case("c1", {"text": "other"}, "yes")])
        accepted = GoldService(unit).accept("real", [decision], "reviewed")
    assert accepted.version.cases == 2
    assert accepted.cases[0].case == "low"


def test_a_rule_whose_queue_is_unknown_is_refused(put_rule: PutRule, unit_as: Any, clock: ManualClock) -> None:
    rule = TrafficRule("r", "word", QueueFilling("missing"), None, "key:lead", clock.now)
    with unit_as("lead") as unit, pytest.raises(InvalidRequest) as refused:
        TrafficRuleService(unit).put(rule)
    assert refused.value.field_errors[0].path == "queue"
    with unit_as("lead") as unit, pytest.raises(NotFound, match="no traffic rule 'r'"):
        TrafficRuleService(unit).get("r")
