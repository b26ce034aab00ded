"""What is stored for retries, and what is not."""

from typing import Any

from sqlalchemy import text


def test_a_retried_key_creation_creates_one_key_and_stores_its_text_nowhere(local: Any, sqlite: Any) -> None:
    headers, body = {"Idempotency-Key": "make-me-one"}, {"name": "app", "role": "reader"}
    first = local.post("/v1/keys", json=body, headers=headers)
    again = local.post("/v1/keys", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"key": "pmt_[redacted]"}
    assert len(local.get("/v1/keys").json()["items"]) == 1
    with sqlite.read() as session:
        stored_body = session.connection().execute(text("SELECT body FROM idempotency")).scalar_one()
    assert first.json()["key"] not in stored_body


def test_a_replay_has_the_entity_tag_of_the_first_response(local: Any) -> None:
    for number in (1, 2):
        local.post("/v1/prompts/p/versions", json={"type": "text", "template": f"v{number}"})
    move = {"json": {"version": 1, "reason": "r"}, "headers": {"Idempotency-Key": "move"}}
    first, again = (local.put("/v1/prompts/p/labels/production", **move) for _ in range(2))
    assert first.headers["etag"]
    assert again.headers["etag"] == first.headers["etag"]
    assert again.json() == first.json()


def test_a_replay_belongs_to_the_key_that_wrote(api: Any, bearer: Any) -> None:
    def register(headers: dict[str, str], template: str) -> Any:
        body = {"type": "text", "template": template}
        return api.post("/v1/prompts/p/versions", json=body, headers=headers | {"Idempotency-Key": "same"})

    writer, other = bearer("author"), bearer("author")
    assert register(writer, "first").json()["version"] == 1
    assert register(other, "second").json()["version"] == 2  # another write, and not the first key's response
    assert register(writer, "first").json()["version"] == 1
    assert register(other, "second").json()["version"] == 2
    assert register(other, "first").status_code == 422


def test_a_key_that_names_another_owner_gets_nothing_of_it(api: Any, bearer: Any) -> None:
    writer, other = bearer("author"), bearer("author")
    body, owner = {"type": "text", "template": "x"}, writer["Authorization"].split("_")[1]
    path = "/v1/prompts/p/versions"
    assert api.post(path, json=body, headers=writer | {"Idempotency-Key": "k"}).status_code == 201
    again = api.post(path, json=body, headers=other | {"Idempotency-Key": f"{owner}/k"})
    assert again.status_code == 200  # a write of its own, of the same content
