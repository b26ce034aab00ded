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
