"""One end user's calls are erased with what was made of them, and nobody else's."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from factories.databases import file_bytes
from factories.reported_calls import call, calls
from promptuary.core.database import Database
from promptuary.review.tables import AdjudicationRow, ClaimRow, DecisionRow, GoldCaseRow, ItemRow, QueueRow, SchemaRow
from promptuary.traffic.calls.model_call import CallContents, CallMessage
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.tables import FeedbackRow, LogContentsRow, ObservationRow, OnlineScoreRow

USER = "customer-4711-of-berlin"
WORDS = "Zwiebelkuchen"
PATH = "/v1/observations/erase"
WHY = {"user": USER, "reason": f"{USER} asked for it, mail bob@example.org"}
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def add_review_texts(session: Any, queue: int, item: str, word: str) -> None:
    """Store a decision, a draft, adjudications and a gold case on an item, each with a text and a choice."""
    kinds = {"why": "text", "words": "tags", "part": "spans", "kind": "choice"}
    options = {"words": ["rude"], "kind": ["a", "b"]}
    fields = [
        {"name": name, "type": kind, "title": name, "required": False, "options": options.get(name)}
        for name, kind in kinds.items()
    ]
    session.add(SchemaRow(queue_id=queue, number=1, fields=fields, examples=[], created_by="lead", created_at=AT))
    claim: dict[str, Any] = {"item_id": item, "reviewer": "ann", "nonce": "n", "lease_until": AT, "created_at": AT}
    session.add(ClaimRow(id=f"c-{item}", state="submitted", **claim))
    session.add(ClaimRow(id=f"d-{item}", state="leased", draft={"comment": word}, **claim))
    session.flush()
    labels = {"why": word, "words": ["rude", word], "part": [{"start": 0, "end": 2}], "kind": "a"}
    texts: dict[str, Any] = {"comment": word, "correction": word, "labels": labels, "schema_number": 1}
    session.add(
        DecisionRow(queue_id=queue, item_id=item, claim_id=f"c-{item}", reviewer="ann", decision="good", at=AT, **texts)
    )
    for field, value in (("decision", "good"), ("why", word), ("words", ["rude", word])):
        settled = {"item_id": item, "field": field, "value": value, "reason": word}
        session.add(AdjudicationRow(**settled, adjudicator="lead", schema_number=1, at=AT))
    gold: dict[str, Any] = {"dataset": "g", "dataset_version": 1, "case_id": item, "item_id": item, "reason": word}
    session.add(GoldCaseRow(project_id=1, reviewer="ann", accepted_by="lead", accepted_at=AT, **gold))


@pytest.fixture
def stored(local: Any, opened_database: Database, clock: Any, settings: Any) -> Database:
    """Calls of two users, with feedback, scores and a review item that was made of each."""
    local.post("/v1/prompts/support.triage/versions", json={"type": "text", "template": "Sort {{ticket}} in the Ofen."})
    intake = TrafficIntake(opened_database, clock, settings, draw=lambda: 0.0)
    contents = CallContents(input=(CallMessage("user", f"{WORDS} {USER}"),), output=WORDS, variables={"ticket": WORDS})
    others = CallContents(input=(CallMessage("user", "Apfelstrudel"),), output="Apfelstrudel")
    intake.take(1, calls(call(1, user=USER, contents=contents), call(2, user="another", contents=others)))
    with opened_database.write() as session:
        for row in session.exec(select(ObservationRow)).all():
            word = WORDS if row.key == call(1).key else "Apfelstrudel"
            common: dict[str, Any] = {"project_id": 1, "at": AT, "created_at": AT}
            session.add(FeedbackRow(id=f"tied-{row.id}", observation_id=row.id, comment=word, **common))
            session.add(FeedbackRow(id=f"named-{row.id}", subject=row.key, correction=word, **common))
            session.add(FeedbackRow(id=f"own-{row.id}", user_hash=row.user_hash, comment=word, **common))
            session.add(OnlineScoreRow(observation_id=row.id, metric="length", score=1.0, at=AT))
            queue = QueueRow(project_id=1, name=f"queue-{row.id}", decisions=["good"], created_at=AT)
            session.add(queue)
            session.flush()
            payload = {"input": {"ticket": word}, "output": word, "case": row.id, "messages": [word], "observation": row.id}
            session.add(ItemRow(id=row.id, queue_id=queue.id or 0, source=row.id, place=1, payload=payload, created_at=AT))
            session.flush()
            add_review_texts(session, queue.id or 0, row.id, word)
    return opened_database


def stored_texts(database: Database) -> str:
    """Return every value of every table."""
    with database.read() as session:
        tables = inspect(session.connection()).get_table_names()
        return "".join(str(row) for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"')))


@pytest.mark.usefixtures("database")
def test_a_user_is_erased_with_what_was_made_of_their_calls(local: Any, stored: Database) -> None:
    erased = local.post(PATH, json=WHY)
    assert erased.status_code == 200, erased.text
    body = erased.json()
    expected = {"calls": 1, "feedback": 3, "online_scores": 1, "review_items": 1, "results": 0, "stored_responses": 0}
    expected |= {"cases": 0, "review_texts": 5, "cached_responses": 0}
    assert body["removed"] == expected
    assert body["storage"]["scrubbed"] is True
    texts = stored_texts(stored)
    assert WORDS not in texts
    assert USER not in texts
    assert "Apfelstrudel" in texts
    with stored.read() as session:
        assert len(session.exec(select(ObservationRow)).all()) == 1
        assert len(session.exec(select(FeedbackRow)).all()) == 3
    again = local.post(PATH, json=WHY).json()
    assert again["removed"]["calls"] == again["removed"]["review_items"] == 0
    assert again["user_hash"] == body["user_hash"]


@pytest.mark.usefixtures("database")
def test_the_texts_of_reviewers_go_and_their_choices_stay(local: Any, stored: Database) -> None:
    assert local.post(PATH, json=WHY).json()["removed"]["review_texts"] == 5
    with stored.read() as session:
        mine, others = sorted(session.exec(select(DecisionRow)).all(), key=lambda row: len(row.comment))
        assert (mine.decision, mine.reviewer, mine.comment, mine.correction) == ("good", "ann", "", None)
        assert mine.labels == {"words": ["rude"], "part": [{"start": 0, "end": 2}], "kind": "a"}
        assert others.labels is not None
        assert others.labels["why"] == others.correction == "Apfelstrudel"
        settled = session.exec(select(AdjudicationRow).where(AdjudicationRow.item_id == mine.item_id)).all()
        assert [(row.value, row.reason) for row in settled] == [("good", ""), (None, ""), (["rude"], "")]
    assert local.post(PATH, json=WHY).json()["removed"]["review_texts"] == 0


@pytest.mark.usefixtures("database")
def test_the_database_itself_refuses_any_other_change_of_what_reviewers_decided(stored: Database) -> None:
    changes = {
        "decision": (
            "comment = 'x'",
            "correction = 'x'",
            "decision = 'bad'",
            "reviewer = 'ben'",
            """labels = '{"kind": "b"}'""",
        ),
        "adjudication": ("reason = 'x'", """value = '"bad"'""", "adjudicator = 'ben'"),
        "gold_case": ("reason = 'x'", "accepted_by = 'ben'"),
    }
    for table, column in ((table, column) for table, columns in changes.items() for column in columns):
        with pytest.raises(DBAPIError, match="append-only"), stored.write() as session:
            session.execute(text(f"UPDATE {table} SET {column}"))


@pytest.mark.usefixtures("stored")
def test_the_audit_chain_has_the_hash_and_not_the_id(local: Any) -> None:
    body = local.post(PATH, json=WHY).json()
    entry = local.get("/v1/audit").json()["items"][-1]
    assert (entry["action"], entry["detail"]["user_hash"]) == ("traffic.user_erased", body["user_hash"])
    assert entry["detail"]["reason"] == "[user] asked for it, mail [redacted: e-mail]"
    assert local.get("/v1/audit/verify").json()["broken_at"] is None


@pytest.mark.usefixtures("stored")
def test_the_files_of_sqlite_do_not_contain_the_user(local: Any, sqlite: Database) -> None:
    local.post(PATH, json={**WHY, "reason": "asked"}, headers={"Idempotency-Key": "once"})
    files = file_bytes(sqlite)
    assert USER.encode() not in files
    assert WORDS.encode() not in files


@pytest.mark.usefixtures("database")
def test_stored_responses_that_name_a_call_are_replaced(local: Any, stored: Database) -> None:
    body = {"prompt": "support.triage", "version": 1, "value": 0, "comment": WORDS, "user": USER, "id": "f-1"}
    sent = local.post("/v1/feedback", json=body, headers={"Idempotency-Key": "k"})
    assert sent.status_code in (200, 201), sent.text
    assert local.post(PATH, json=WHY).json()["removed"]["stored_responses"] == 1
    assert WORDS not in stored_texts(stored)


@pytest.mark.usefixtures("database")
def test_cases_are_erased_in_every_version_and_stay_in_place(local: Any, stored: Database) -> None:
    with stored.read() as session:
        mine = session.exec(select(ObservationRow).where(ObservationRow.key == call(1).key)).one()
    cluster = f"user:{mine.user_hash}"
    edited = {"id": "a", "vars": {"ticket": WORDS}, "expected": WORDS, "metadata": {"observation": mine.id, "note": WORDS}}
    merged = {"id": "b", "vars": {"ticket": WORDS}, "metadata": {"observation": "gone", "users": ["user:x", cluster]}}
    late = {"id": "late", "vars": {"ticket": WORDS}, "cluster": cluster, "weight": 3, "metadata": {"observation": "late"}}
    other = {"id": "o", "vars": {"ticket": "Apfelstrudel"}, "cluster": "user:x", "metadata": {"observation": "gone"}}
    local.post("/v1/datasets/kept/versions", json={"cases": [edited, other]})
    version = local.post("/v1/datasets/kept/versions", json={"cases": [other, edited, merged, late]}).json()
    local.post("/v1/datasets/kept.outputs/versions", json={"cases": [{"id": "late", "vars": {"output": WORDS}}]})

    body = local.post(PATH, json=WHY).json()

    assert body["removed"]["cases"] == 5
    assert WORDS not in stored_texts(stored)
    page = local.get("/v1/datasets/kept").json()
    assert (page["version"], page["digest"], page["cases"]) == (2, version["digest"], 4)
    assert [(case["id"], case.get("erased", False)) for case in page["items"]] == [
        ("o", False), ("a", True), ("b", True), ("late", True)
    ]  # fmt: skip
    assert page["items"][0]["vars"] == {"ticket": "Apfelstrudel"}
    again = local.post(PATH, json=WHY).json()
    assert again["removed"]["cases"] == 0
    assert [sentence for sentence in again["remaining"] if "'kept' v1, 'kept' v2, 'kept.outputs' v1" in sentence]


@pytest.mark.usefixtures("database")
def test_the_database_itself_refuses_any_other_change_of_a_case(local: Any, stored: Database) -> None:
    local.post("/v1/datasets/kept/versions", json={"cases": [{"id": "a", "vars": {"ticket": "x"}}]})
    for change in ('body = \'{"id": "b", "erased": true, "vars": {}}\'', 'body = \'{"id": "a"}\'', "ordinal = 7"):
        with pytest.raises(DBAPIError, match="append-only"), stored.write() as session:
            session.execute(text(f"UPDATE dataset_case SET {change}"))


def test_only_an_admin_erases_and_gives_a_reason(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    assert api.post(PATH, json=WHY, headers=bearer("lead")).status_code == 403
    assert api.post(PATH, json=WHY, headers=bearer("admin")).status_code == 200
    for body in ({}, {"user": USER}, {"user": "", "reason": "x"}, {"user": USER, "reason": " "}):
        refused = api.post(PATH, json=body, headers=bearer("admin"))
        assert refused.status_code == 422
        assert USER not in refused.text


@pytest.mark.usefixtures("database")
def test_an_erased_version_leaves_nothing_of_its_text_in_calls(local: Any, stored: Database, clock: Any, settings: Any) -> None:
    intake = TrafficIntake(stored, clock, settings, draw=lambda: 0.0)
    contents = CallContents(input=(CallMessage("user", "Sort x in the Ofen."),))
    intake.take(1, calls(call(3, contents=contents), call(4, None, contents=contents, under=77)))
    with stored.write() as session:
        session.add(LogContentsRow(span=1, project_id=1, contents=b"x", at=1))
    erased = local.post("/v1/prompts/support.triage/versions/1/erase", json={"reason": "a key"})
    assert (erased.status_code, erased.json()["removed"]["sampled_calls"]) == (200, 5)
    intake.take(1, calls(call(5, contents=contents)))
    with stored.read() as session:
        assert {row.contents for row in session.exec(select(ObservationRow))} == {None}
        assert session.exec(select(LogContentsRow)).all() == []
