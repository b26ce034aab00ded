import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest
from sqlalchemy import text

from factories.conditions import if_match
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Database
from promptuary.core.errors import Conflict, Forbidden, InvalidRequest, NotFound, PreconditionFailed
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registration, Registry
from promptuary.registry.store import PromptFilter

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]


def content(words: str = "Hi {{name}}") -> Content:
    return Content(type="text", template=words)


def register(unit_as: Units, words: str, name: str = "p", **more: Any) -> Registration:
    with unit_as("author") as unit:
        return Registry(unit).register(name, content(words), **more)


def move(unit_as: Units, version: int, *, label: str = "production", expected: int | None = None) -> int:
    with unit_as("author") as unit:
        return Labels(unit).move("p", label, version, f"to {version}", if_match(expected)).revision


def looked_up(unit_as: Units, **by: Any) -> int:
    with unit_as("viewer") as unit:
        return Registry(unit).lookup("p", **by).version.number


# --- versions -----------------------------------------------------------------------------------------------------------


def test_versions_count_up_from_1_and_hold_what_was_registered(unit_as: Units, clock: Any) -> None:
    for number in (1, 2, 3):
        registration = register(unit_as, f"text {number}", message=f"the {number}.", tags=("a", "b"))
        assert registration.created
        assert registration.version.number == number
    with unit_as("viewer") as unit:
        version = Registry(unit).version("p", 2)
    assert content_from_json(version.content) == content("text 2")
    assert version.digest == content_digest(content("text 2"))
    assert (version.message, version.tags, version.author, version.created_at) == ("the 2.", ("a", "b"), "key:author", clock())


def test_the_newest_content_makes_no_new_version_but_an_older_one_does(unit_as: Units) -> None:
    assert register(unit_as, "a").created
    again = register(unit_as, "a", message="another message")
    assert (again.created, again.version.number, again.version.message) == (False, 1, "")
    assert register(unit_as, "b").version.number == 2
    assert register(unit_as, "a").version.number == 3


def test_registering_the_same_again_changes_no_revision_and_writes_no_audit(database: Database, unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    with unit_as("viewer") as unit:
        before = Registry(unit).lookup("p")
    register(unit_as, "a", labels=("production",))
    with unit_as("viewer") as unit:
        assert Registry(unit).lookup("p") == before
    with database.read() as session:
        assert session.connection().execute(text("SELECT count(*) FROM audit")).scalar_one() == 2


def test_a_content_that_cannot_be_used_takes_no_number(unit_as: Units) -> None:
    with pytest.raises(InvalidPrompt):
        register(unit_as, "{{name")
    with unit_as("viewer") as unit, pytest.raises(NotFound, match="there is no prompt 'p' in the project 'default'"):
        Registry(unit).version("p", 1)
    assert register(unit_as, "fine").version.number == 1


def test_numbers_are_gapless_and_unique_however_many_write_at_once(database: Database, unit_as: Units) -> None:
    threads, each = 8, 25
    start = threading.Barrier(threads)

    def write(writer: int) -> list[int]:
        start.wait()
        return [register(unit_as, f"{writer} wrote {number}").version.number for number in range(each)]

    with ThreadPoolExecutor(threads) as pool:
        assigned = [number for numbers in pool.map(write, range(threads)) for number in numbers]
    assert sorted(assigned) == list(range(1, threads * each + 1))
    with database.read() as session:
        stored = session.connection().execute(text("SELECT number FROM version ORDER BY number")).scalars().all()
        audited = session.connection().execute(text("SELECT count(*) FROM audit")).scalar_one()
    assert stored == list(range(1, threads * each + 1))
    assert audited == threads * each


def test_a_prompt_that_many_register_first_at_once_is_one_prompt(unit_as: Units) -> None:
    start = threading.Barrier(6)

    def write(_writer: int) -> tuple[bool, int]:
        start.wait()
        registration = register(unit_as, "the same")
        return registration.created, registration.version.number

    with ThreadPoolExecutor(6) as pool:
        registration = list(pool.map(write, range(6)))
    assert sorted(registration) == [(False, 1)] * 5 + [(True, 1)]


@pytest.mark.parametrize("table", ["version", "label_move", "audit"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_history(database: Database, unit_as: Units, table: str, statement: str) -> None:
    register(unit_as, "a", labels=("production",))
    with pytest.raises(Exception, match=f"{table} is append-only"), database.write() as session:
        session.connection().execute(text(statement.format(table)))
    assert looked_up(unit_as) == 1


def test_a_flipped_byte_is_detected_in_its_version_and_in_no_other(database: Database, unit_as: Units) -> None:
    register(unit_as, "one", labels=("production",))
    register(unit_as, "two")
    with database.write() as session:
        connection = session.connection()
        if database.dialect == "sqlite":
            connection.execute(text("DROP TRIGGER version_no_update"))
        else:
            connection.execute(text("ALTER TABLE version DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE version SET content = replace(content, 'one', 'onf') WHERE number = 1"))
    with unit_as("viewer") as unit:
        for read in (
            lambda: Registry(unit).lookup("p"),
            lambda: Registry(unit).version("p", 1),
            lambda: Registry(unit).versions("p", 10, None),
        ):
            with pytest.raises(Conflict, match="version 1 of 'p' was changed in the database; restore it from a backup"):
                read()
        assert Registry(unit).version("p", 2).number == 2


# --- lookups and lists --------------------------------------------------------------------------------------------------


def test_a_lookup_is_by_label_by_version_or_by_production(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    register(unit_as, "b", labels=("staging",))
    register(unit_as, "c")
    assert looked_up(unit_as) == 1
    assert looked_up(unit_as, label="staging") == 2
    assert looked_up(unit_as, label="latest") == 3
    assert looked_up(unit_as, version=2) == 2


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ({"label": "nope"}, "the prompt 'p' has no label 'nope'; its labels are: staging"),
        ({}, "the prompt 'p' has no label 'production'; its labels are: staging"),
        ({"version": 7}, "the prompt 'p' has no version 7; its newest is 1"),
    ],
)
def test_what_is_not_found_is_told_with_what_there_is(unit_as: Units, by: dict[str, Any], words: str) -> None:
    register(unit_as, "a", labels=("staging",))
    with pytest.raises(NotFound) as raised:
        looked_up(unit_as, **by)
    assert raised.value.message == words


def test_a_label_and_a_version_together_are_refused(unit_as: Units) -> None:
    register(unit_as, "a")
    with pytest.raises(InvalidRequest, match="send a label or a version, not both"):
        looked_up(unit_as, label="latest", version=1)


def test_the_revision_grows_with_every_change_of_the_prompt_and_only_then(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    seen = []
    for change in (
        lambda: None,
        lambda: register(unit_as, "b"),
        lambda: move(unit_as, 2),
        lambda: register(unit_as, "x", name="q"),
    ):
        change()
        with unit_as("viewer") as unit:
            seen.append(Registry(unit).lookup("p").revision)
    assert seen[0] < seen[1] < seen[2] == seen[3]


def test_prompts_are_listed_by_name_found_by_a_part_of_it_and_by_label(unit_as: Units) -> None:
    for name in ("b.two", "a.one", "c_3", "b.one"):
        register(unit_as, "x", name=name, labels=("production",) if "one" in name else ())
    with unit_as("viewer") as unit:
        registry = Registry(unit)

        def names(**by: Any) -> list[str]:
            return [prompt.name for prompt in registry.prompts(10, None, PromptFilter(**by)).items]

        assert names() == ["a.one", "b.one", "b.two", "c_3"]
        assert names(search="one") == ["a.one", "b.one"]
        assert names(search="ONE") == ["a.one", "b.one"]
        assert names(search="_") == ["c_3"]
        assert names(search="%") == []
        assert names(label="production") == ["a.one", "b.one"]
        assert names(search="b.", label="production") == ["b.one"]
        first = registry.prompts(3, None)
        assert [prompt.name for prompt in registry.prompts(3, first.next_cursor).items] == ["c_3"]
        assert first.items[0].labels == {"production": 1}


def test_versions_and_moves_are_listed_the_newest_first(unit_as: Units) -> None:
    for number in range(1, 6):
        register(unit_as, f"v{number}", labels=("production",))
    with unit_as("viewer") as unit:
        registry = Registry(unit)
        first = registry.versions("p", 3, None)
        second = registry.versions("p", 3, first.next_cursor)
        assert [version.number for version in (*first.items, *second.items)] == [5, 4, 3, 2, 1]
        assert [version.labels for version in first.items] == [("production",), (), ()]
        moves = Labels(unit).history("p", "production", 2, None)
        assert [(row.previous, row.version) for row in moves.items] == [(4, 5), (3, 4)]
        assert [row.version for row in Labels(unit).history("p", "production", 9, moves.next_cursor).items] == [3, 2, 1]
        assert Labels(unit).history("p", "never", 9, None).items == []


# --- labels -------------------------------------------------------------------------------------------------------------


def test_a_label_moves_and_its_ledger_tells_who_where_from_and_why(unit_as: Units, clock: Any) -> None:
    register(unit_as, "a", labels=("production",), message="first")
    register(unit_as, "b")
    clock.move(hours=1)
    move(unit_as, 2)
    assert looked_up(unit_as) == 2
    with unit_as("viewer") as unit:
        moves = Labels(unit).history("p", "production", 10, None).items
    assert [(row.previous, row.version, row.reason, row.actor) for row in moves] == [
        (1, 2, "to 2", "key:author"),
        (None, 1, "first", "key:author"),
    ]
    assert moves[0].at == clock()
    assert moves[0].revision > moves[1].revision


def test_latest_cannot_be_set_by_anyone(unit_as: Units) -> None:
    register(unit_as, "a")
    with pytest.raises(InvalidRequest) as raised:
        move(unit_as, 1, label="latest")
    assert [error.path for error in raised.value.field_errors] == ["labels.latest"]
    with pytest.raises(InvalidRequest):
        register(unit_as, "b", labels=("staging", "latest"))
    assert looked_up(unit_as, label="latest") == 1


def test_a_label_points_at_a_version_that_there_is(unit_as: Units) -> None:
    register(unit_as, "a")
    with pytest.raises(NotFound, match="has no version 2; its newest is 1"):
        move(unit_as, 2)
    with unit_as("author") as unit, pytest.raises(NotFound, match="there is no prompt 'q'"):
        Labels(unit).move("q", "production", 1, "")


def test_who_may_not_move_labels_registers_none_and_leaves_nothing(unit_as: Units) -> None:
    def labelled() -> None:
        with unit_as("ci") as unit:
            Registry(unit).register("p", content(), labels=("production",))

    with pytest.raises(Forbidden, match="the scope 'label:move'"):
        labelled()
    assert register(unit_as, "a").version.number == 1


def test_a_label_given_twice_moves_once(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production", "production"))
    with unit_as("viewer") as unit:
        assert len(Labels(unit).history("p", "production", 10, None).items) == 1


def test_a_move_on_an_outdated_view_is_refused(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    register(unit_as, "b")
    seen = move(unit_as, 1)
    assert move(unit_as, 2, expected=seen) > seen
    with pytest.raises(PreconditionFailed, match="the label 'production' of 'p' has changed since it was read"):
        move(unit_as, 1, expected=seen)
    with pytest.raises(PreconditionFailed):
        move(unit_as, 1, label="fresh", expected=seen)
    assert looked_up(unit_as) == 2


def test_of_many_who_compare_and_set_at_once_exactly_one_wins_each_round(unit_as: Units) -> None:
    register(unit_as, "a")
    register(unit_as, "b")
    seen, clients, rounds = move(unit_as, 1), 6, 5
    won = []
    for _ in range(rounds):
        start = threading.Barrier(clients)

        def try_to_move(client: int, expected: int = seen, start: threading.Barrier = start) -> int | None:
            start.wait()
            try:
                return move(unit_as, 1 + client % 2, expected=expected)
            except PreconditionFailed:
                return None

        with ThreadPoolExecutor(clients) as pool:
            winners = [revision for revision in pool.map(try_to_move, range(clients)) if revision is not None]
        assert len(winners) == 1
        seen = winners[0]
        won.append(seen)
    with unit_as("viewer") as unit:
        history = Labels(unit).history("p", "production", 50, None).items
    assert [row.revision for row in history][:rounds] == won[::-1]
    assert [row.previous for row in history[:-1]] == [row.version for row in history[1:]]


def test_a_rollback_goes_to_where_the_label_was_before_and_says_why(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    register(unit_as, "b", labels=("production",))
    with unit_as("author") as unit:
        assert Labels(unit).roll_back("p", "production", "it was worse").version == 1
    assert looked_up(unit_as) == 1
    with unit_as("viewer") as unit:
        newest = Labels(unit).history("p", "production", 1, None).items[0]
    assert (newest.previous, newest.version, newest.reason) == (2, 1, "it was worse")


def test_a_label_that_was_nowhere_else_cannot_be_rolled_back(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    with unit_as("author") as unit:
        with pytest.raises(Conflict, match="has never pointed anywhere else"):
            Labels(unit).roll_back("p", "production", "")
        with pytest.raises(NotFound, match="the prompt 'p' has no label 'staging'"):
            Labels(unit).roll_back("p", "staging", "")
        with pytest.raises(NotFound, match="there is no prompt 'q'"):
            Labels(unit).roll_back("q", "production", "")


def test_rollbacks_and_registrations_at_once_do_not_lock_each_other_out(unit_as: Units) -> None:
    register(unit_as, "a", labels=("production",))
    register(unit_as, "b", labels=("production",))
    start = threading.Barrier(4)

    def work(worker: int) -> None:
        start.wait()
        for number in range(8):
            if worker % 2:
                register(unit_as, f"{worker} {number}", labels=("production",))
            else:
                with suppress(Conflict), unit_as("author") as unit:  # there may be nothing further back
                    Labels(unit).roll_back("p", "production", "")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert looked_up(unit_as, label="latest") == 18


def test_a_rollback_skips_repeated_moves_to_the_current_version(unit_as: Units) -> None:
    register(unit_as, "a")
    register(unit_as, "b")
    for version in (1, 2, 2):
        move(unit_as, version)
    with unit_as("author") as unit:
        assert Labels(unit).roll_back("p", "production", "worse").version == 1


# --- many lookups at once -----------------------------------------------------------------------------------------------


def test_what_a_label_gives_for_many_prompts_is_what_each_lookup_gives(database: Database, unit_as: Units) -> None:
    for name, words in (("a", "one"), ("b", "{{> a}}"), ("c", "one"), ("hidden", "x"), ("broken", "broken")):
        register(unit_as, words, name, labels=("production",))
    register(unit_as, "two", "c")
    register(unit_as, "draft", "unlabelled")
    with unit_as("author") as unit:
        Labels(unit).split("c", "production", [(2, 1.0), (1, 3.0)], "carefully")
        Registry(unit).archive("hidden", "old")
    with database.write() as session:
        tampered = (
            "DROP TRIGGER version_no_update" if database.dialect == "sqlite" else "ALTER TABLE version DISABLE TRIGGER USER"
        )
        session.connection().execute(text(tampered))
        session.connection().execute(text("UPDATE version SET content = replace(content, 'broken', 'changed')"))
    with unit_as("viewer") as unit:
        registry = Registry(unit)
        whole = registry.labelled("production", None, 10)
        assert whole == [registry.lookup(name) for name in ("a", "b", "c")]
        assert registry.labelled("production", "a", 1) == [registry.lookup("b")]
        assert registry.labelled("production", "c", 10) == registry.labelled("staging", None, 10) == []
