"""Rollbacks go one step further back each time, and a removed label comes back."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import text

from factories.conditions import if_match
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, InvalidRequest, NotFound, PreconditionFailed
from promptuary.prompt.content import Content
from promptuary.registry.events import event_store
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]


@pytest.fixture(autouse=True)
def _three_versions(unit_as: Units) -> None:
    for words in ("a", "b", "c"):
        with unit_as("author") as unit:
            Registry(unit).register("p", Content(type="text", template=words))


def move(unit_as: Units, *versions: int) -> None:
    for version in versions:
        with unit_as("author") as unit:
            Labels(unit).move("p", "production", version, "")


def roll_back(unit_as: Units, to: int | None = None) -> int:
    with unit_as("author") as unit:
        return Labels(unit).roll_back("p", "production", "worse", to).version


def remove(unit_as: Units) -> None:
    with unit_as("author") as unit:
        Labels(unit).remove("p", "production", "no longer")


def test_each_rollback_goes_one_step_further_back(unit_as: Units) -> None:
    move(unit_as, 1, 2, 3)
    assert [roll_back(unit_as), roll_back(unit_as)] == [2, 1]
    with pytest.raises(Conflict, match="has nothing further back; name a version with `to`"):
        roll_back(unit_as)


def test_a_move_after_a_rollback_does_not_bring_the_bad_version_back(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    roll_back(unit_as)
    move(unit_as, 3)
    assert roll_back(unit_as) == 1
    with pytest.raises(Conflict, match="nothing further back"):
        roll_back(unit_as)


def test_a_repeated_move_after_a_rollback_is_no_way_forward(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    roll_back(unit_as)
    move(unit_as, 1)
    with pytest.raises(Conflict, match="nothing further back"):
        roll_back(unit_as)


def test_a_rollback_can_name_any_version_that_the_label_has_pointed_at(unit_as: Units) -> None:
    move(unit_as, 2, 1, 3)
    assert roll_back(unit_as, to=2) == 2
    with pytest.raises(Conflict, match="nothing further back"):
        roll_back(unit_as)
    assert roll_back(unit_as, to=3) == 3
    assert roll_back(unit_as) == 2


def test_a_rollback_to_where_the_label_never_was_or_is_now_is_refused(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    for to, words in ((3, "has never pointed at version 3; set the label"), (2, "points at version 2 already")):
        with pytest.raises(Conflict, match=words):
            roll_back(unit_as, to)


def test_a_rollback_to_the_arm_of_a_split_says_what_to_do(unit_as: Units) -> None:
    move(unit_as, 1)
    with unit_as("author") as unit:
        Labels(unit).split("p", "production", [(1, 90), (2, 10)], "")
    move(unit_as, 3)
    with pytest.raises(Conflict, match="has pointed at version 2 only as an arm of a split; set the label to the version"):
        roll_back(unit_as, 2)
    assert roll_back(unit_as, 1) == 1


def test_a_rollback_passes_over_splits_with_their_buckets(unit_as: Units) -> None:
    move(unit_as, 1)
    with unit_as("author") as unit:
        split = Labels(unit).split("p", "production", [(1, 90), (2, 10)], "").target
    move(unit_as, 3)
    with unit_as("author") as unit:
        assert Labels(unit).roll_back("p", "production", "").target == split
    assert roll_back(unit_as) == 1


def test_rollbacks_of_a_release_that_did_not_mark_them_are_recognized(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    with unit_as("author") as unit:
        unit.session.execute(
            text(
                "INSERT INTO label_move (prompt_id, label, version, previous, actor, reason, revision, at) SELECT prompt_id, "
                "label, 1, 2, actor, 'rolled back', revision + 1, at FROM label_move ORDER BY id DESC LIMIT 1"
            )
        )
    with pytest.raises(Conflict, match="nothing further back"):
        roll_back(unit_as)


def test_an_outdated_rollback_or_removal_is_refused(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    with unit_as("author") as unit:
        labels = Labels(unit)
        outdated = if_match(labels.label("p", "production").revision)
    move(unit_as, 3)
    with unit_as("author") as unit:
        for write in (Labels(unit).roll_back, Labels(unit).remove):
            with pytest.raises(PreconditionFailed):
                write("p", "production", "worse", condition=outdated)
        assert Labels(unit).label("p", "production").version == 3


def test_a_removed_label_is_not_found_until_a_rollback_brings_it_back(unit_as: Units) -> None:
    move(unit_as, 1, 2)
    remove(unit_as)
    with unit_as("viewer") as unit:
        with pytest.raises(NotFound, match="has no label 'production'; its labels are: none"):
            Registry(unit).lookup("p")
        removal = Labels(unit).history("p", "production", 1, None).items[0]
        event = event_store.list_events(unit.session, unit.caller.project, 0, 100)[-1]
    assert (removal.version, removal.split, removal.previous, removal.reason) == (None, None, 2, "no longer")
    assert (event.kind, event.detail["label"], event.detail["version"]) == ("label.removed", "production", None)
    assert [roll_back(unit_as), roll_back(unit_as)] == [2, 1]


def test_no_rollback_removes_a_label(unit_as: Units) -> None:
    move(unit_as, 1)
    remove(unit_as)
    move(unit_as, 2)
    assert roll_back(unit_as) == 1


def test_a_label_that_is_not_there_or_is_nobodys_cannot_be_removed(unit_as: Units) -> None:
    with unit_as("author") as unit:
        with pytest.raises(NotFound, match="the prompt 'p' has no label 'production'"):
            Labels(unit).remove("p", "production", "")
        with pytest.raises(InvalidRequest, match="by the registry itself"):
            Labels(unit).remove("p", "latest", "")
        with pytest.raises(NotFound, match="there is no prompt 'q'"):
            Labels(unit).remove("q", "production", "")
