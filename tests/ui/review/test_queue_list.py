"""What the card of a queue shows beside its counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promptuary_ui.review.queue_list import describe, format_span
from promptuary_ui.wire.review import Queue

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
COUNTS = {"items": 9, "decided": 2, "open": 7, "claimed": 1, "mine": 1, "left": 6}


def queue(**fields: Any) -> Queue:
    return Queue.model_validate({"name": "triage", "counts": COUNTS, **fields})


def test_a_queue_shows_run_prompt_age_due_date_pace_and_who() -> None:
    lines = describe(
        queue(
            source={"run": "r1", "prompt": "support.triage", "seed": 7},
            created_at=NOW - timedelta(days=3),
            due_at=NOW + timedelta(hours=5),
            pace={"hour": 12, "day": 40, "reviewers": 2},
            reviewers=["Rita", "Sam"],
        ),
        NOW,
    )
    assert lines == [
        "prompt support.triage · run r1",
        "opened 3 days ago · due in 5 hours",
        "12 decisions in the last hour, 40 in the last day by 2 people",
        "Reviewers: Rita, Sam",
    ]


def test_what_is_not_known_is_not_shown() -> None:
    assert describe(queue(), NOW) == ["Reviewers: everyone who may review"]


def test_a_queue_in_which_nothing_happens_is_named_so() -> None:
    assert "no decision in the last day" in describe(queue(pace={"hour": 0, "day": 0, "reviewers": 0}), NOW)


def test_a_passed_due_date_is_named() -> None:
    assert "due 1 day ago" in describe(queue(due_at=NOW - timedelta(days=1)), NOW)[0]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=20), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_a_span_is_shown_in_its_largest_unit(span: timedelta, text: str) -> None:
    assert format_span(span) == text
