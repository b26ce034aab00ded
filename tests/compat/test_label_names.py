"""Labels with capitals, as another registry wrote them: every compatible route finds what the import made of them."""

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("database")
MLFLOW = "/api/2.0/mlflow"
LANGFUSE = "/api/public/v2/prompts"


@pytest.fixture
def staged(local: Any) -> Any:
    """A client of a prompt whose label `staging` points at version 1, and `latest` at version 2."""
    for words, labels in (("one", ["staging"]), ("two", [])):
        local.post("/v1/prompts/p/versions", json={"type": "text", "template": words, "labels": labels})
    return local


def test_an_old_label_is_found_by_every_route(staged: Any) -> None:
    numbers_and_statuses = {
        "langfuse": staged.get(f"{LANGFUSE}/p?label=Staging").json()["version"],
        "list": staged.get(f"{LANGFUSE}?label=Staging").json()["data"][0]["versions"],
        "mlflow": staged.get(f"{MLFLOW}/registered-models/alias?name=p&alias=Staging").json()["model_version"]["version"],
        "langsmith": staged.get("/langsmith/commits/-/p/Staging").status_code,
        "phoenix": staged.get("/phoenix/v1/prompts/p/tags/Staging").status_code,
    }
    assert numbers_and_statuses == {"langfuse": 1, "list": [1], "mlflow": "1", "langsmith": 200, "phoenix": 200}


def test_an_old_label_is_removed_and_a_new_one_is_lower_case(staged: Any) -> None:
    alias = {"name": "p", "alias": "Staging"}
    refused = staged.post(f"{MLFLOW}/registered-models/alias", json=alias | {"version": "2"})
    assert (refused.status_code, "'Staging' is not a name: use a-z" in refused.json()["message"]) == (400, True)
    assert staged.request("DELETE", f"{MLFLOW}/registered-models/alias", json=alias).status_code == 200
    assert staged.get("/v1/prompts/p/labels/staging").status_code == 404
