"""Upgrades of databases that the releases 0.1.0, 0.2.0 and 0.3.0 wrote: today's code answers as those releases did."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from factories.releases import (
    DIALECTS,
    RELEASES,
    RecordedEmbedder,
    RecordedResponse,
    RecordingIndex,
    added_keys,
    differences_between,
    read_release,
    rows_of,
    schema_of,
)
from factories.upgraded_release import Ask, UpgradedRelease, copied, empty_database, serving, settings_for
from factories.word_embedder import word_embedding_backend
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core.database import Database
from promptuary.migrations.upgrade import HEAD, current_revision, upgrade
from promptuary.worker.assembly import build_worker

SCHEMA = {"0.1.0": "0001", "0.2.0": "0003", "0.3.0": "0004"}
SINCE_0_3 = {
    "actor_id",
    "adjudicator_ids",
    "adjudicators",
    "author_id",
    "blind",
    "changed_metrics",
    "config",
    "correction",
    "draft",
    "due_at",
    "finished_only",
    "given_name",
    "grants",
    "id",
    "inferred",
    "labels",
    "may_decide",
    "method",
    "pace",
    "part",
    "person",
    "person_id",
    "prompt_tags",
    "renamed",
    "reviewer_id",
    "reviewer_ids",
    "reviewers",
    "rollback",
    "schema",
    "schema_number",
    "schema_numbers",
    "searched",
    "seen_at",
    "sides",
    "source",
    "swap_share",
    "swapped",
    "target",
    "target_version",
    "targets",
    "undo_seconds",
    "units",
    "unpaired",
    "weight",
}
SINCE_0_2 = SINCE_0_3 | {
    "adjusted",
    "cached",
    "cache",
    "cluster",
    "collection",
    "context_digest",
    "cost",
    "latency_ms",
    "max_cost",
    "p_value",
    "schedule",
    "spent",
    "tokens_input",
    "tokens_output",
}
SINCE_0_1 = SINCE_0_2 | {"archived_at", "includes", "split", "splits", "tags", "variant"}
ADDED_SINCE: dict[str, set[str]] = {"0.1.0": SINCE_0_1, "0.2.0": SINCE_0_2, "0.3.0": SINCE_0_3 | {"effective", "seen_by_id"}}
"""The keys that later releases added to the responses."""
DERIVED = "prompt_words"
"""The tables that an upgrade fills from the versions: the full-text index, which SQLite keeps in several."""
Replayed = list[tuple[RecordedResponse, Any]]


@pytest.fixture(scope="module")
def fresh_schemas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema that an empty database gets, by dialect."""
    schemas = {}
    for dialect in DIALECTS:
        with empty_database(request, dialect, tmp_path_factory.mktemp("fresh") / "fresh.db") as (url, _):
            database = Database(url)
            upgrade(database)
            schemas[dialect] = schema_of(database)
            database.dispose()
    return schemas


@pytest.fixture(scope="module", params=product(RELEASES, DIALECTS), ids="-".join)
def old(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fresh_schemas: dict[str, Any]
) -> Iterator[UpgradedRelease]:
    """The upgraded database of each release, on SQLite and on PostgreSQL."""
    name, dialect = request.param
    release = read_release(name)
    folder = tmp_path_factory.mktemp("release")
    with empty_database(request, dialect, folder / "old.db") as (url, template):
        release.restore(url)
        database = Database(url)
        before, revision = rows_of(database), current_revision(database)
        upgrade(database)
        after, schema = rows_of(database), schema_of(database)
        database.dispose()
        yield UpgradedRelease(release, template, before, after, revision, schema, fresh_schemas[dialect])


@pytest.fixture
def upgraded(old: UpgradedRelease, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A copy of the upgraded database for one test."""
    with copied(old, request, tmp_path) as database:
        yield database


@pytest.fixture
def ask(old: UpgradedRelease, upgraded: Database, tmp_path: Path) -> Iterator[Ask]:
    """Send a request to today's app: `ask("GET", path, key)` returns the response; `key` is an old key's short name."""
    with serving(old, upgraded, tmp_path / "data") as send:
        yield send


@pytest.fixture(scope="module")
def replayed(old: UpgradedRelease, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Each recorded answer with today's response to the same request."""
    folder = tmp_path_factory.mktemp("replayed")
    with copied(old, request, folder) as database, serving(old, database, folder / "data") as send:
        return [
            (recorded, send(recorded.method, recorded.path, recorded.key, recorded.body)) for recorded in old.release.responses
        ]


# --- the database -------------------------------------------------------------------------------------------------------


def test_an_upgraded_database_has_the_schema_of_a_fresh_one(old: UpgradedRelease) -> None:
    assert old.schema_before == SCHEMA[old.release.name]
    assert old.schema == old.fresh_schema


def test_an_upgrade_changes_no_value_of_an_old_row(old: UpgradedRelease) -> None:
    for table, rows in old.rows_before.items():
        columns = rows[0].keys() if rows else ()
        after = [{name: row[name] for name in columns} for row in old.rows_after[table]]
        assert sorted(after, key=repr) == sorted(rows, key=repr), table
    new_tables = {table for table in old.rows_after.keys() - old.rows_before.keys() if not table.startswith(DERIVED)}
    assert [table for table in new_tables if old.rows_after[table]] == []


def test_a_second_upgrade_of_an_old_database_changes_nothing(old: UpgradedRelease, upgraded: Database) -> None:
    upgrade(upgraded)
    assert current_revision(upgraded) == HEAD
    assert (rows_of(upgraded), schema_of(upgraded)) == (old.rows_after, old.schema)


# --- recorded responses -----------------------------------------------------------------------------------------


def test_an_upgraded_database_answers_as_the_old_release_did(old: UpgradedRelease, replayed: Replayed) -> None:
    differences: list[str] = []
    keys: set[str] = set()
    for recorded, response in replayed:
        if response.status_code != recorded.status:
            differences.append(f"{recorded.about}: was {recorded.status}, is {response.status_code}: {response.text}")
            continue
        before, now = (comparable(answer, old.release.name) for answer in (recorded.answer, response.json()))
        differences += [
            f"{recorded.about}: {line}" for line in differences_between(before, now, 1e-6 if recorded.computed else 0)
        ]
        keys |= set(added_keys(before, now))
    assert differences == []
    assert keys == ADDED_SINCE[old.release.name]


NEW_SCOPES = {
    "dataset:write",
    "person:manage",
    "prompt:erase",
    "prompt:import",
    "prompt:lookup",
    "review:adjudicate",
    "schedule:write",
    "self:read",
    "session:own",
    "suite:write",
    "feedback:send",
    "observation:erase",
    "observation:read",
    "traffic:manage",
    "traffic:read",
    "traffic:send",
    "webhook:manage",
}
"""The scopes of roles since 0.1.0: two since 0.2.0, one since 0.4.0, six since 0.5.0."""


WITHHELD = {"messages", "model", "passed", "scores", "variant", "version"}
"""The fields of a run's item that a claim no longer has."""


def _without_interval(coefficient: dict[str, Any]) -> dict[str, Any]:
    changed = {"low", "high"} | ({"value"} if coefficient["coefficient"] == "gwet-ac1" else set())
    return {name: value for name, value in coefficient.items() if name not in changed}


def comparable(answer: Any, release: str) -> Any:
    """Return an answer without what a release may reword or extend: messages of errors and diffs, and new scopes of roles."""
    if "status" in answer and "code" in answer:
        return {"code": answer["code"], "paths": [error["path"] for error in answer.get("errors", [])]}
    if "same_dataset" in answer and release < "0.3.0":  # 0.3.0 took the bootstrap for intervals of few clusters
        comparisons = [{**item, "interval": estimate_of(item["interval"])} for item in answer["comparisons"]]
        return {**answer, "comparisons": comparisons}
    if "spreads" in answer:  # 0.4.0 counts cases, of whose repeats the mean is taken, where earlier releases counted results
        return {**answer, "spreads": [shares_of(histogram) for histogram in answer["spreads"]]}
    if "coefficients" in answer:  # 0.5.0 widens intervals of few labels, and counts an item with one label in AC1's chance
        coefficients = [_without_interval(coefficient) for coefficient in answer["coefficients"]]
        return {**answer, "coefficients": coefficients}
    if "nonce" in answer:  # since 0.5.0 a claim has nothing that could bias its reviewer
        item = answer["item"]
        payload = {name: value for name, value in item["payload"].items() if name not in WITHHELD}
        return {**answer, "item": {**item, "source": item["id"], "payload": payload}}
    if "scopes" in answer:
        return {**answer, "scopes": sorted(set(answer["scopes"]) - NEW_SCOPES)}
    if "changes" in answer and "reasons" in answer:
        changes = [{**change, "why": change["why"] is not None} for change in answer["changes"]]
        return {**answer, "changes": changes, "reasons": len(answer["reasons"])}
    return answer


def shares_of(histogram: dict[str, Any]) -> tuple[str, list[float]]:
    """Return the shares of a histogram, which do not depend on the number of repeats where all repeats of a case agree."""
    total = sum(histogram["counts"])
    return histogram["variant"], [count / total for count in histogram["counts"]]


def estimate_of(interval: dict[str, Any] | None) -> list[Any] | None:
    """Return what does not depend on the method of an interval."""
    return interval and [interval["estimate"], interval["n"], interval["clusters"]]


def test_the_summary_of_an_old_run_stays_as_it_was_stored(replayed: Replayed) -> None:
    runs = [(recorded.answer, response.json()) for recorded, response in replayed if "summary" in recorded.answer]
    assert sum(before["summary"] is not None for before, _ in runs) >= 2
    for before, now in runs:
        assert now["summary"] == before["summary"]


def test_the_audit_chain_of_an_old_release_verifies_and_continues(old: UpgradedRelease, ask: Ask) -> None:
    for key in ("admin", "branch"):
        before = next(answer.answer for answer in old.release.responses_to("/audit/verify") if answer.key == key)
        assert before["broken_at"] is None
        name = f"after.{key}"
        assert ask("POST", f"/prompts/{name}/versions", key, {"type": "text", "template": "New"}).status_code == 201
        after = ask("GET", "/audit/verify", key).json()
        assert (after["rows"], after["broken_at"]) == (before["rows"] + 1, None)


def test_a_retry_gets_the_answer_that_the_old_release_stored(old: UpgradedRelease, ask: Ask) -> None:
    retry = old.release.retry
    response = ask("POST", retry["path"], retry["key"], retry["content"], **retry["headers"])
    assert (response.status_code, response.json()) == (retry["status"], retry["answer"])


# --- work after an upgrade ---------------------------------------------------------------------------------------------------


def test_new_versions_and_label_moves_follow_the_old_ones(old: UpgradedRelease, ask: Ask) -> None:
    name, label = "support.greeting", "production"
    old_moves = ask("GET", f"/prompts/{name}/labels/{label}/history", "reader").json()["items"]
    new = ask("POST", f"/prompts/{name}/versions", "author", {"type": "text", "template": "Good day"}).json()
    assert new["version"] == 4
    moved = ask("PUT", f"/prompts/{name}/labels/{label}", "author", {"version": 4, "reason": "shorter"})
    assert moved.status_code == 200
    version = ask("GET", f"/prompts/{name}", "reader").json()
    assert (version["version"], version["template"], version["digest"]) == (4, "Good day", new["digest"])
    moves = ask("GET", f"/prompts/{name}/labels/{label}/history", "reader").json()["items"]
    assert moves[1:] == old_moves
    assert (moves[0]["previous"], moves[0]["revision"]) == (old_moves[0]["version"], version["revision"])
    back = ask("POST", f"/prompts/{name}/labels/{label}/rollback", "author", {"reason": "back"}).json()
    assert back["version"] == old_moves[0]["version"]


def test_old_content_registered_again_is_no_new_version(old: UpgradedRelease, ask: Ask) -> None:
    newest = {}
    for recorded in old.release.responses_to("/prompts/"):
        if recorded.path.endswith("/versions?limit=200"):
            newest[recorded.path.split("/")[2]] = recorded.answer["items"][0]
    parts = ("type", "template", "format", "variables", "model", "response_format", "tools", "context")
    for name, version in newest.items():
        if name in ("old.notice", "old.tools"):  # archived; with tools that no release since 0.2.0 takes
            continue
        content = {part: version[part] for part in parts if version[part] is not None}
        again = ask("POST", f"/prompts/{name}/versions", "author", content)
        assert (again.status_code, again.json()["digest"]) == (200, version["digest"]), name


def test_a_run_queued_by_the_old_release_is_executed_after_the_upgrade(
    old: UpgradedRelease, ask: Ask, upgraded: Database, tmp_path: Path
) -> None:
    settings = settings_for(upgraded, tmp_path / "data")
    retrieval = PassageRetrieval(upgraded, old.clock, word_embedding_backend(upgraded, settings, RecordedEmbedder({})))
    with build_worker(settings, database=upgraded, clock=old.clock, retrieval=retrieval) as worker:
        while worker.work():
            pass
    for queued, finished in old.release.queued.items():
        runs = [ask("GET", f"/runs/{run}", "ci").json() for run in (queued, finished)]
        assert (runs[0]["state"], runs[0]["verdict"]) == ("finished", runs[1]["verdict"]), runs[0]["error"]
        results, before = (ask("GET", f"/runs/{run}/results?limit=200", "ci").json()["items"] for run in (queued, finished))
        fields = ("ordinal", "case", "variant", "repeat", "pass", "score", "metrics", "output")
        assert [pick(result, fields) for result in results] == [pick(result, fields) for result in before]
        if runs[0]["variants"][0]["model"].startswith("openai:"):  # no model is reachable: the cache has every reply
            assert [result["cached"] for result in results] == [result["output"] is not None for result in results]


def pick(values: dict[str, Any], names: Sequence[str]) -> list[Any]:
    """Return some of the values."""
    return [values[name] for name in names]


def test_messages_of_the_old_outbox_are_delivered(old: UpgradedRelease, upgraded: Database, tmp_path: Path) -> None:
    settings, index = settings_for(upgraded, tmp_path / "data"), RecordingIndex()
    backend = build_embedding_backend(upgraded, settings, embedder=RecordedEmbedder({}), index=index)
    retrieval = PassageRetrieval(upgraded, old.clock, backend)
    pending = [row for row in old.rows_before["outbox"] if row["done_at"] is None]
    with build_worker(settings, database=upgraded, clock=old.clock, retrieval=retrieval) as worker:
        relays = dict(worker.relays)
        assert {row["topic"] for row in pending} <= relays.keys()
        for topic in ("chroma", "prompts"):
            worker.deliver(topic, relays[topic])
    after = [row["topic"] for row in rows_of(upgraded)["outbox"] if row["done_at"] is None]
    assert sorted(after) == sorted(row["topic"] for row in pending if row["topic"] in ("mlflow", "webhook"))
    assert index.deleted != []
