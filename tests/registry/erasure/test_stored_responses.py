"""An erasure replaces the responses that are stored for retries and have the content, and no other."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from factories.reviews import SEEN
from promptuary.search.similarity import SimilarPromptCheck

TEXT: dict[str, Any] = {"type": "text"}
WHY = {"reason": "a key was pasted", "labelled": True, "including": True}
PROMPT_TAG = {"key": "mlflow.prompt.is_prompt", "value": "true"}


def send(client: Any, key: str, path: str, body: Any, method: str = "POST") -> Any:
    return client.request(method, path, json=body, headers={"Idempotency-Key": key})


def erase(client: Any, name: str = "leak", number: int = 1) -> Any:
    answer = client.post(f"/v1/prompts/{name}/versions/{number}/erase", json=WHY)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stored_bodies(database: Any) -> dict[str, str]:
    with database.read() as session:
        rows = session.execute(text("SELECT key, body FROM idempotency")).all()
        return {key: body for key, body in rows}


@pytest.mark.usefixtures("database")
def test_a_text_of_any_length_is_replaced_and_others_with_it_are_not(local: Any) -> None:
    short, long = "ab {{n}}", "Answer in one sentence, please."
    writes = {
        "short": ("/v1/prompts/leak/versions", TEXT | {"template": short}),
        "same text": ("/v1/prompts/twin/versions", TEXT | {"template": short}),
        "label": ("/v1/prompts/leak/labels/staging", {"version": 1, "reason": f"for {short}"}),
        "queue": ("/v1/queues/q", {"instructions": f"look at {short}, and: {long}"}),
        "next": ("/v1/prompts/leak/versions", TEXT | {"template": f"{long} {short}"}),
        "long": ("/v1/prompts/long/versions", TEXT | {"template": long}),
    }
    for key, (path, body) in writes.items():
        method = "PUT" if key in ("label", "queue") else "POST"
        assert send(local, key, path, body, method).status_code < 300, key
    before = {key: send(local, key, *write, "PUT" if key in ("label", "queue") else "POST") for key, write in writes.items()}
    assert erase(local)["removed"]["stored_responses"] == 1
    assert erase(local, "long")["removed"]["stored_responses"] == 1
    for key, write in writes.items():
        replayed = send(local, key, *write, "PUT" if key in ("label", "queue") else "POST")
        if key in ("short", "long"):
            assert (replayed.status_code, replayed.json()["code"]) == (410, "erased"), key
        else:
            assert (replayed.status_code, replayed.text) == (before[key].status_code, before[key].text), key
    assert erase(local)["removed"]["stored_responses"] == 0


@pytest.mark.usefixtures("database")
def test_what_includes_the_version_or_answers_it_again_is_replaced(local: Any) -> None:
    send(local, "first", "/v1/prompts/leak/versions", TEXT | {"template": "x1"})
    send(local, "same", "/v1/prompts/leak/versions", TEXT | {"template": "x1", "labels": ["staging"]})
    send(local, "outer", "/v1/prompts/outer/versions", TEXT | {"template": "a {{> leak@1}}"})
    send(local, "renew", "/v1/prompts/outer/renew", {})
    send(local, "langfuse", "/api/public/v2/prompts/leak/versions/1", {"newLabels": ["beta"]}, "PATCH")
    send(local, "tag", "/api/2.0/mlflow/model-versions/set-tag", {"name": "leak", "version": "1", "key": "a", "value": "x1"})
    send(local, "archive", "/v1/prompts/leak/archive", {"reason": "x1"})
    assert erase(local)["removed"]["stored_responses"] == 5
    tag = {"name": "leak", "version": "1", "key": "a", "value": "x1"}
    assert send(local, "tag", "/api/2.0/mlflow/model-versions/set-tag", tag).status_code == 200
    assert send(local, "archive", "/v1/prompts/leak/archive", {"reason": "x1"}).status_code == 200
    assert send(local, "renew", "/v1/prompts/outer/renew", {}).status_code == 410


@pytest.mark.usefixtures("database")
def test_every_form_of_a_compatible_route_is_replaced(local: Any, database: Any) -> None:
    words = 'Use "§"\nfor é'
    chat = [{"role": "user", "content": words}]
    tags = [{"key": "mlflow.prompt.text", "value": json.dumps(chat)}, {"key": "_mlflow_prompt_type", "value": "chat"}]
    send(local, "langfuse", "/api/public/v2/prompts", {"name": "leak", "type": "chat", "prompt": chat})
    local.post("/api/2.0/mlflow/registered-models/create", json={"name": "other", "tags": [PROMPT_TAG]})
    send(local, "mlflow", "/api/2.0/mlflow/model-versions/create", {"name": "other", "tags": [*tags, PROMPT_TAG]})
    bodies = stored_bodies(database)
    assert all("§" in body or "\\u00a7" in body for body in bodies.values()), bodies
    assert (erase(local)["removed"]["stored_responses"], erase(local, "other")["removed"]["stored_responses"]) == (1, 1)
    assert all('"code": "erased"' in body for body in stored_bodies(database).values())


def test_a_claim_of_an_item_from_a_run_is_replaced_and_the_runs_response_is_not(
    local: Any, create_words_suite: Callable[..., None], finish_run: Callable[..., Any]
) -> None:
    create_words_suite(versions=("Say {{text}} politely.",))
    submission = send(local, "submit", "/v1/runs", {"suite": "words"})
    assert submission.status_code == 202, submission.text
    local.post(f"/v1/runs/{submission.json()['id']}/cancel")
    run = finish_run()
    (variant,) = run.plan.variants
    local.put("/v1/queues/q", json={"instructions": "look"})
    local.post("/v1/queues/q/items", json={"run": run.id, "only": "all"})
    claimed = send(local, "claim", "/v1/queues/q/claims", None)
    assert claimed.json()["item"]["payload"]["output"] is not None
    body = {"nonce": claimed.json()["nonce"], "decision": "approve", **SEEN}
    decided = send(local, "decide", f"/v1/claims/{claimed.json()['id']}/submit", body)
    assert decided.status_code == 200, decided.text
    erase(local, variant.prompt, variant.version)
    assert send(local, "claim", "/v1/queues/q/claims", None).json()["code"] == "erased"
    assert decided.json()["beginning"] != ""  # so the response has some of the item
    assert send(local, "decide", f"/v1/claims/{claimed.json()['id']}/submit", body).json()["code"] == "erased"
    assert send(local, "submit", "/v1/runs", {"suite": "words"}).json() == submission.json()


@pytest.mark.usefixtures("database")
def test_a_response_of_an_earlier_release_is_replaced_if_it_is_not_older(local: Any, database: Any, clock: Any) -> None:
    send(local, "before", "/v1/prompts/other/versions", TEXT | {"template": "x1"})
    clock.move(seconds=1)
    send(local, "leak", "/v1/prompts/leak/versions", TEXT | {"template": "x1"})
    send(local, "after", "/v1/prompts/third/versions", TEXT | {"template": "x1"})
    with database.write() as session:
        session.execute(text("DELETE FROM idempotency_content"))
        session.execute(text("UPDATE idempotency SET contents_known = false"))
    assert erase(local)["removed"]["stored_responses"] == 2
    assert send(local, "before", "/v1/prompts/other/versions", TEXT | {"template": "x1"}).status_code == 201
    assert send(local, "after", "/v1/prompts/third/versions", TEXT | {"template": "x1"}).status_code == 410
    assert erase(local)["removed"]["stored_responses"] == 0


@pytest.fixture
def erasing_similarity(local: Any) -> Iterator[None]:
    """Erase the version between the commit of its registration and the completion of the response."""
    original = SimilarPromptCheck.check_similarity

    def erase_first(self: Any, *arguments: Any) -> Any:
        erase(local)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimilarPromptCheck, "check_similarity", erase_first)
        yield


@pytest.mark.usefixtures("database", "erasing_similarity")
def test_a_response_completed_after_the_erasure_stays_replaced(local: Any, database: Any) -> None:
    path, body = "/v1/prompts/leak/versions?similar=true", TEXT | {"template": "the secret text"}
    assert send(local, "once", path, body).status_code == 201
    [stored] = stored_bodies(database).values()
    assert "the secret text" not in stored
    assert send(local, "once", path, body).status_code == 410
