"""The ETag of a queue that is filled from a run."""

from typing import Any


def test_filling_from_a_run_does_not_change_the_tag(api: Any, bearer: Any, finished_run: str) -> None:
    lead = bearer("lead")
    body = {"judge": {"metric": "tone", "passes": ["approve"]}}
    tag = api.put("/v1/queues/triage", json=body, headers=lead).headers["etag"]
    added = api.post("/v1/queues/triage/items", json={"run": finished_run, "only": "all"}, headers=lead).json()
    assert added["added"] > 0
    assert api.get("/v1/queues/triage", headers=lead).headers["etag"] == tag
    assert api.put("/v1/queues/triage", json={"slots": 2}, headers=lead | {"If-Match": tag}).status_code == 200
