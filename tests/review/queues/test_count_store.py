"""The counts of several queues at once, compared with a look at every item."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import event

from factories.reviews import Reviews
from promptuary.core.database import Database
from promptuary.review.claims.store import find_next_item
from promptuary.review.queues.service import NewItem, QueueState
from promptuary.review.tables import GoldCaseRow

ReviewsAs = Callable[[str], Any]
REVIEWERS = ("ann", "ben", "cid")


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that the database is sent."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def fill(reviews_as: ReviewsAs, name: str, slots: int) -> None:
    """Make a queue of eight items: one repeats another, one is of a gold case, and one is so with known labels."""
    pair = {side: {"output": side} for side in ("first", "second")}
    items = [NewItem(f"item-{number}", {"output": f"text {number}"}, case_key=f"case {number}") for number in range(6)]
    items.append(NewItem("pair", {"input": "a question"}, pair_sides=pair))
    items.append(NewItem("pair~swapped", {"input": "a question"}, pair_sides=pair, repeat_of=items[-1].id))
    items[2] = replace(items[2], gold={"decision": "approve"})
    with reviews_as("author") as reviews:
        reviews.put_queue(name, slots=slots)
        reviews.queues.add_items(name, items)


def accept_gold(reviews: Reviews, item: str, *cases: str) -> None:
    """Store cases as gold of the project."""
    for case in cases:
        row = GoldCaseRow(
            project_id=reviews.unit.caller.project, dataset="gold", dataset_version=1, case_id=case, case_key=case
        )
        row.item_id, row.reviewer, row.accepted_by, row.accepted_at = item, "key:ann", "key:lea", reviews.unit.clock()
        reviews.unit.session.add(row)
    reviews.unit.session.flush()


def remaining(reviews_as: ReviewsAs, name: str, reviewer: str) -> int:
    """Return how many items a reviewer gets one after another, in a transaction that is rolled back.

    A repetition that comes only since the reviewer has just decided its pair is not counted.
    """
    sources: list[str] = []
    with suppress(InterruptedError), reviews_as(reviewer) as reviews:
        while (result := reviews.claims.claim(name)) is not None:
            reviews.submit(result.claim.id, result.claim.nonce)
            sources.append(result.claim.item.source)
        raise InterruptedError
    return len(sources) - ({"pair", "pair~swapped"} <= set(sources))


def states(reviews_as: ReviewsAs, reviewer: str) -> dict[str, QueueState]:
    with reviews_as(reviewer) as reviews:
        return {state.queue.name: state for state in reviews.queues.queues(50, None).items}


def decide(reviews_as: ReviewsAs, reviewer: str, name: str) -> int:
    with reviews_as(reviewer) as reviews:
        claim = reviews.claims.claim(name).claim
        return int(reviews.submit(claim.id, claim.nonce).id)


def test_what_is_left_is_what_a_reviewer_gets(database: Database, reviews_as: ReviewsAs) -> None:
    for name, slots in (("one", 1), ("two", 2)):
        fill(reviews_as, name, slots)
    with reviews_as("author") as reviews:
        claimed = reviews.claims.claim("one").claim
        reviews.claims.release(claimed.id)
        accept_gold(reviews, claimed.item.id, "case 1", "case 2")
    for name in ("one", "two"):
        decide(reviews_as, "ann", name)
        with reviews_as("ben") as reviews:
            undone = decide_in(reviews, name)
            reviews.submissions.undo(undone)
    decide(reviews_as, "cid", "two")
    for reviewer in REVIEWERS:
        with reviews_as("ben") as reviews:  # whose claims would be in the way of the others
            for name in ("one", "two"):
                if (result := reviews.claims.claim(name)) is not None:
                    reviews.claims.release(result.claim.id)
        for name, state in states(reviews_as, reviewer).items():
            assert state.counts.left == remaining(reviews_as, name, reviewer), (name, reviewer)


def decide_in(reviews: Reviews, name: str) -> int:
    claim = reviews.claims.claim(name)
    assert claim is not None
    return int(reviews.submit(claim.claim.id, claim.claim.nonce).id)


def test_gold_cases_and_full_items_are_closed(database: Database, reviews_as: ReviewsAs) -> None:
    fill(reviews_as, "one", 1)
    decide(reviews_as, "ann", "one")
    with reviews_as("author") as reviews:
        item = find_next_item(reviews.unit.session, reviews.queues.find("one"), ["key:ben"], reviews.unit.clock())
        assert item is not None
        accept_gold(reviews, item.id, "case 0", "case 1", "case 2")  # decided, open, and open with known labels
    counts = states(reviews_as, "ann")["one"].counts
    assert (counts.items, counts.closed, counts.open, counts.mine) == (8, 2, 6, 1)


def test_an_undone_decision_is_in_no_count(database: Database, reviews_as: ReviewsAs) -> None:
    fill(reviews_as, "one", 1)
    fill(reviews_as, "two", 2)
    first = decide(reviews_as, "ann", "one")
    decide(reviews_as, "ann", "two")
    with reviews_as("ann") as reviews:
        reviews.submissions.undo(first)
    listed = states(reviews_as, "ann")
    assert [(listed[name].counts.mine, vars(listed[name].pace)) for name in ("one", "two")] == [
        (0, {"hour": 0, "day": 0, "reviewers": 0}),
        (1, {"hour": 1, "day": 1, "reviewers": 1}),
    ]


def test_the_pace_is_of_the_last_hour_and_day(database: Database, reviews_as: ReviewsAs, clock: Any) -> None:
    fill(reviews_as, "two", 2)
    for minutes, reviewer in ((0, "ann"), (22 * 60, "ben"), (61, "cid"), (59, "cid")):
        clock.move(seconds=60 * minutes)
        decide(reviews_as, reviewer, "two")
    assert vars(states(reviews_as, "ann")["two"].pace) == {"hour": 2, "day": 3, "reviewers": 2}


def test_more_queues_need_no_more_statements_to_count(database: Database, reviews_as: ReviewsAs) -> None:
    numbers = []
    for name in ("one", "two", "three"):
        fill(reviews_as, name, 2)
        with reviews_as("ann") as reviews, statements(database) as sent:
            reviews.queues.queues(50, None)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1] == numbers[2]


def test_no_count_reads_each_item_of_a_queue(sqlite: Database, reviews_as: ReviewsAs) -> None:
    fill(reviews_as, "two", 2)
    with reviews_as("ann") as reviews, statements(sqlite) as sent:
        reviews.queues.queue("two")
    counts = [statement for statement in sent if "count(" in statement]
    with sqlite.engine.connect() as connection:
        for statement in counts:
            parameters = (1,) * statement.count("?")
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            reads = [
                step for step in plan if step.startswith(("SCAN", "SEARCH review_item", "SEARCH claim", "SEARCH decision "))
            ]
            whole = [
                step for step in reads if step.startswith("SCAN") or ("COVERING" not in step and step.endswith("(queue_id=?)"))
            ]
            assert whole == [], statement
    assert len(counts) >= 6
