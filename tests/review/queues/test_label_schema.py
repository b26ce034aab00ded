"""Label schemas: what a field may be, and that each change is a numbered state which decisions name."""

from typing import Any

import pytest

from factories.reviews import Reviews
from promptuary.core.errors import InvalidRequest
from promptuary.review.queues.choice import Choice
from promptuary.review.queues.label_schema import (
    FieldType,
    LabelField,
    LabelSchema,
    Option,
    fields_from_json,
    fields_to_json,
    validate_schema,
)
from promptuary.review.queues.queue import QueueDefinition
from promptuary.review.queues.service import NewItem

TONE = LabelField("tone", FieldType.CHOICE, "Tone", options=(Option("warm", "Warm"), Option("cold", "cold")))
FAULTS = LabelField("faults", FieldType.SPANS, "Faults", required=True)


def field(kind: str, options: str | None = None, name: str = "x", **rest: Any) -> LabelField:
    parsed = None if options is None else tuple(Option(value, value) for value in options.split())
    return LabelField(name, FieldType(kind), "X", options=parsed, **rest)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ([field("choice")], "0.options"),
        ([field("choice", "a")], "0.options"),
        ([field("choice", "a a")], "0.options.1"),
        ([field("choices", "a")], "0.options"),
        ([field("ordinal")], "0.options"),
        ([field("ordinal", "low")], "0.options"),
        ([field("ordinal", minimum=1)], "0.options"),
        ([field("ordinal", minimum=1, maximum=2.5)], "0.options"),
        ([field("ordinal", minimum=1, maximum=1)], "0.maximum"),
        ([field("ordinal", minimum=0, maximum=100)], "0.maximum"),
        ([field("ordinal", "low high", minimum=1)], "0.minimum"),
        ([field("choice", "a b", maximum=1)], "0.minimum"),
        ([field("preference", minimum=1)], "0.minimum"),
        ([field("number", "1 2")], "0.options"),
        ([field("number", minimum=2, maximum=1)], "0.maximum"),
        ([field("number", minimum=float("nan"))], "0.minimum"),
        ([field("text", minimum=-1)], "0.minimum"),
        ([field("tags", maximum=1.5)], "0.maximum"),
        ([field("text", name="Tone")], "0.name"),
        ([field("text", name="decision")], "0.name"),
        ([field("text"), field("number")], "1.name"),
    ],
)
def test_a_field_that_cannot_be_filled_in_is_refused(fields: list[LabelField], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_schema(LabelSchema(tuple(fields)))
    assert [error.path for error in caught.value.field_errors] == [f"schema.fields.{path}"]


def test_fields_are_stored_and_read_without_a_change() -> None:
    fields = (TONE, FAULTS, field("ordinal", minimum=1, maximum=5), field("tags", "a b"))
    assert fields_from_json(fields_to_json(fields)) == fields
    assert fields_to_json([TONE])[0]["options"] == [{"value": "warm", "label": "Warm"}, "cold"]


def test_each_change_of_the_schema_has_the_next_number(database: Any, reviews_as: Any) -> None:
    def put(*fields: LabelField, rubric: str = "") -> int:
        with reviews_as("author") as reviews:
            return int(reviews.put_queue("triage", schema=LabelSchema(fields, rubric)).queue.schema_number)

    numbers = [put(), put(TONE), put(TONE), put(TONE, rubric="r"), put(TONE, FAULTS, rubric="r"), put(TONE)]
    assert numbers == [0, 1, 1, 2, 3, 4]


def test_a_decision_names_the_schema_under_which_it_was_made(database: Any, reviews_as: Any) -> None:
    def decide(labels: dict[str, Any]) -> int:
        with reviews_as("ann") as reviews:
            claim = reviews.claims.claim("triage").claim
            return int(reviews.submit(claim.id, claim.nonce, labels=labels).schema_number)

    with reviews_as("author") as reviews:
        reviews.put_queue("triage", schema=LabelSchema((TONE,)))
        reviews.queues.add_items("triage", [NewItem(source, {"output": "text"}) for source in "ab"])
    assert decide({"tone": "warm"}) == 1
    with reviews_as("author") as reviews:
        reviews.put_queue("triage", schema=LabelSchema((TONE, FAULTS)))
    with pytest.raises(InvalidRequest) as caught:
        decide({"tone": "warm"})
    assert [error.path for error in caught.value.field_errors] == ["labels.faults"]
    assert decide({"tone": "cold", "faults": [{"start": 0, "end": 4}]}) == 2
    with reviews_as("author") as reviews:
        decisions = reviews.decisions.decisions("triage", 10, None).items
    assert [(each.schema_number, each.labels["tone"]) for each in decisions] == [(1, "warm"), (2, "cold")]


def test_a_queue_of_fields_alone_is_decided_as_saved(database: Any, reviews_as: Any) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("triage", choices=(), schema=LabelSchema((TONE,)))
        reviews.queues.add_items("triage", [NewItem(source, {"output": "text"}) for source in "ab"])
    for decision in (None, "saved"):
        with reviews_as("ann") as reviews:
            claim = reviews.claims.claim("triage").claim
            assert reviews.submit(claim.id, claim.nonce, decision).decision == "saved"
    with reviews_as("author") as reviews:
        assert reviews.put_queue("triage", choices=(), schema=LabelSchema((TONE, FAULTS))).queue.schema_number == 2


@pytest.mark.parametrize("choices", [(), (Choice("only", "Only"),)])
def test_a_queue_asks_something(sqlite: Any, reviews_as: Any, choices: tuple[Choice, ...]) -> None:
    with pytest.raises(InvalidRequest), reviews_as("author") as reviews:
        reviews.put_queue("triage", choices=choices)


def test_fields_that_a_request_leaves_out_stay_as_they_are(database: Any, reviews_as: Any, clock: Any) -> None:
    def put(reviews: Reviews, **rest: Any) -> Any:
        keep = {"schema", "revealed", "due_at", "undo_seconds", "reviewers"} - rest.keys()
        return reviews.queues.put_queue(QueueDefinition(name="triage", **rest), keep).queue

    with reviews_as("author") as reviews:
        put(reviews, schema=LabelSchema((TONE,)), revealed=("labels",), due_at=clock(), undo_seconds=60)
    with reviews_as("author") as reviews:
        queue = put(reviews, instructions="new")
    assert (queue.instructions, queue.revealed, queue.due_at, queue.undo_seconds) == ("new", ("labels",), clock(), 60)
    assert queue.schema.fields == (TONE,)
