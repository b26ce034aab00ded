from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from factories.conditions import if_match
from factories.splits import bucket_shares
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import InvalidRequest, NotFound, PreconditionFailed
from promptuary.prompt.content import Content
from promptuary.prompt.split import InvalidSplit, bucket
from promptuary.registry.labels import Labels
from promptuary.registry.service import LookupResult, Registry

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]
KEYS = [f"user-{number}" for number in range(300)]


@pytest.fixture(autouse=True)
def _three_versions(unit_as: Units) -> None:
    for number in (1, 2, 3):
        with unit_as("author") as unit:
            labels = ("production",) if number == 1 else ()
            Registry(unit).register("p", Content(type="text", template=f"text {number}"), labels=labels)


def split(unit_as: Units, *weights: tuple[int, float], label: str = "production", **more: Any) -> Any:
    with unit_as("author") as unit:
        return Labels(unit).split("p", label, weights, "carefully", **more)


def look_up(unit_as: Units, key: str | None = None, **by: Any) -> LookupResult:
    with unit_as("viewer") as unit:
        return Registry(unit).lookup("p", targeting_key=key, **by)


def versions_of(unit_as: Units) -> dict[str, int]:
    with unit_as("viewer") as unit:
        return {key: Registry(unit).lookup("p", targeting_key=key).version.number for key in KEYS}


def test_the_same_key_stays_in_the_same_arm_and_the_answer_says_which(unit_as: Units) -> None:
    label = split(unit_as, (1, 80.0), (2, 20.0))
    versions = versions_of(unit_as)
    assert set(versions.values()) == {1, 2}
    assert versions == versions_of(unit_as)
    for key, number in versions.items():
        answer = look_up(unit_as, key)
        assert (answer.variant, answer.split) == (f"v{number}", label.split)
        assert number == (1 if bucket("p/production", key) < 8000 else 2)


def test_raising_a_canary_from_5_to_10_percent_moves_nobody_who_is_in(unit_as: Units) -> None:
    split(unit_as, (1, 95.0), (2, 5.0))
    before = versions_of(unit_as)
    split(unit_as, (1, 90.0), (2, 10.0))
    after = versions_of(unit_as)
    assert {(before[key], after[key]) for key in KEYS if before[key] != after[key]} <= {(1, 2)}
    assert [key for key in KEYS if after[key] == 2] != [key for key in KEYS if before[key] == 2]


def test_a_lookup_without_a_key_gets_the_first_arm(unit_as: Units) -> None:
    assert look_up(unit_as, "anybody").variant is None
    split(unit_as, (2, 1.0), (1, 99.0))
    answer = look_up(unit_as)
    assert (answer.version.number, answer.variant) == (2, "v2")
    assert look_up(unit_as, label="latest").variant is None


def test_every_arm_carries_the_label_and_lists_show_the_split(unit_as: Units) -> None:
    split(unit_as, (1, 1.0), (3, 1.0))
    with unit_as("viewer") as unit:
        listed = Registry(unit).versions("p", 9, None).items
        (prompt,) = Registry(unit).prompts(9, None).items
    assert [version.labels for version in listed] == [("production",), (), ("production",)]
    assert (prompt.labels, bucket_shares(prompt.splits["production"])) == ({"production": 1}, {1: 0.5, 3: 0.5})


def test_a_rollback_brings_a_split_back_with_its_buckets_and_ends_one(unit_as: Units) -> None:
    first = split(unit_as, (1, 95.0), (2, 5.0))
    split(unit_as, (1, 50.0), (2, 50.0))
    with unit_as("author") as unit:
        assert Labels(unit).roll_back("p", "production", "too fast").target == first.target
    assert look_up(unit_as).split == first.split
    with unit_as("author") as unit:
        Labels(unit).move("p", "production", 2, "all of it")
        assert Labels(unit).roll_back("p", "production", "no").target == first.target
        history = Labels(unit).history("p", "production", 9, None).items
    assert [move.split is not None for move in history] == [True, False, True, True, True, False]
    assert look_up(unit_as, "x").version.number in (1, 2)


def test_pointing_at_one_version_ends_a_split_also_at_its_first_arm(unit_as: Units) -> None:
    split(unit_as, (1, 95.0), (2, 5.0))
    with unit_as("author") as unit:
        Labels(unit).move("p", "production", 1, "back to one")
    assert (look_up(unit_as).variant, set(versions_of(unit_as).values())) == (None, {1})


def test_a_registration_with_a_split_label_ends_the_split(unit_as: Units) -> None:
    split(unit_as, (3, 50.0), (1, 50.0))
    with unit_as("author") as unit:
        Registry(unit).register("p", Content(type="text", template="text 3"), labels=("production",))
    assert look_up(unit_as).split is None


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ([(1, 1.0)], InvalidSplit, "2 to 16 arms"),
        ([(1, 1.0), (1, 1.0)], InvalidSplit, "a version in two arms"),
        ([(1, 1.0), (2, 0.0)], InvalidSplit, "positive number"),
        ([(1, 1.0), (9, 1.0)], NotFound, "the prompt 'p' has no version 9; its newest is 3"),
    ],
)
def test_a_split_that_cannot_be_leaves_the_label_as_it_was(
    unit_as: Units, weights: list[tuple[int, float]], error: type[Exception], words: str
) -> None:
    before = look_up(unit_as)
    with pytest.raises(error, match=words):
        split(unit_as, *weights)
    assert look_up(unit_as) == before


def test_a_split_is_a_move_compare_and_set_and_latest_is_nobodys(unit_as: Units) -> None:
    seen = split(unit_as, (1, 1.0), (2, 1.0)).revision
    split(unit_as, (1, 1.0), (2, 2.0), condition=if_match(seen))
    with pytest.raises(PreconditionFailed):
        split(unit_as, (1, 1.0), (2, 3.0), condition=if_match(seen))
    with pytest.raises(InvalidRequest, match="by the registry itself"):
        split(unit_as, (1, 1.0), (2, 3.0), label="latest")
