"""Runs of a judged suite, queues that draw their results, and labels of people on these."""

import json
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlmodel import col, select

from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.store import Run
from promptuary.review.calibration.service import JudgeService
from promptuary.review.queues.judge_mapping import JudgeMapping
from promptuary.review.queues.service import NewItem
from promptuary.review.tables import ClaimRow, ClaimState, DecisionRow, ItemRow, QueueRow

JUDGE = "openai:judge"
RUBRIC = {"type": "llm-rubric", "value": "is good", "model": JUDGE, "name": "rubric"}
FLOOR = [{"metric": "rubric", "at_least": 0.5, "corrected": True}]


def judge_answer(body: Any) -> str:
    """Pass outputs with `good` and, wrongly, those with `smooth`."""
    output = str(body["messages"][-1]["content"]).split("</output>")[0]
    passed = "good" in output or "smooth" in output
    return json.dumps({"reason": "as it looks", "pass": passed, "score": 0.9 if passed else 0.2})


def texts(good: int, bad: int, smooth: int = 0) -> list[str]:
    """Make outputs, in a random order, that people pass (`good`), that all fail (`bad`), and that only the judge passes."""
    kinds = ["good"] * good + ["bad"] * bad + ["smooth"] * smooth
    random.Random(1).shuffle(kinds)
    return [f"a {kind} answer to question {number}" for number, kind in enumerate(kinds)]


@pytest.fixture
def judged_suite(create_words_suite: Callable[..., None], stub_model: Any) -> Callable[..., None]:
    """Create the suite `words` whose metric `rubric` a stand-in judges."""
    stub_model.answer = judge_answer

    def create(*outputs: str, rubric: Any = RUBRIC, **changes: Any) -> None:
        create_words_suite(*outputs, **({"scorers": [rubric], "gate": FLOOR} | changes))

    return create


@pytest.fixture
def draw_results(reviews_as: Any) -> Callable[..., None]:
    """Put results of a run into a queue: all with one chance, or those that a choice keeps with theirs."""

    def draw(run: Run, queue: str = "slice", *, chance: float | Callable[[Any], float] = 0.9, in_slice: bool = True) -> None:
        with reviews_as("author") as reviews:
            session = reviews.unit.session
            results = run_store.list_results(session, run.id)
            chances = {result.ordinal: chance(result) if callable(chance) else chance for result in results}
            reviews.put_queue(queue)
            items = [
                NewItem(
                    f"{run.id}/{result.ordinal}",
                    {"output": result.output, "case": result.case},
                    chances[result.ordinal],
                    slice_probability=chances[result.ordinal] if in_slice else None,
                )
                for result in results
                if chances[result.ordinal] > 0
            ]
            reviews.queues.add_items(queue, items)
            JudgeService(reviews.unit).put_mapping(queue, JudgeMapping("rubric", ("approve",)))

    return draw


@pytest.fixture
def label(reviews_as: Any, clock: Any) -> Callable[..., int]:
    """Decide a queue's items by their outputs, at most so many; those with `good` are approved."""

    def decide(queue: str = "slice", most: int | None = None, *, reviewer: str = "ann", values: Sequence[str] = ()) -> int:
        choose = values or ("approve", "reject")
        with reviews_as("author") as reviews:
            session = reviews.unit.session
            row = session.exec(select(QueueRow).where(QueueRow.name == queue)).one()
            items = session.exec(
                select(ItemRow).where(ItemRow.queue_id == row.id, ItemRow.decided == 0).order_by(col(ItemRow.place)).limit(most)
            ).all()
            for item in items:
                claim = ClaimRow(
                    id=uuid.uuid4().hex,
                    item_id=item.id,
                    reviewer=reviewer,
                    nonce="n",
                    state=ClaimState.SUBMITTED,
                    lease_until=clock(),
                    created_at=clock(),
                )
                session.add(claim)
                session.flush()
                value = choose[0] if "good" in (item.payload["output"] or "") else choose[1]
                session.add(
                    DecisionRow(
                        queue_id=item.queue_id,
                        item_id=item.id,
                        claim_id=claim.id,
                        reviewer=reviewer,
                        decision=value,
                        at=clock(),
                    )
                )
                item.decided += 1
            session.flush()
            return len(items)

    return decide


@pytest.fixture
def judges(reviews_as: Any) -> Callable[[Callable[[JudgeService], Any]], Any]:
    """Ask the judges' service as a member of the project."""

    def ask(question: Callable[[JudgeService], Any]) -> Any:
        with reviews_as("author") as reviews:
            return question(JudgeService(reviews.unit))

    return ask
