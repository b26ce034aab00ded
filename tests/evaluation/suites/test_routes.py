"""A suite that no run here would be accepted for is refused when it is stored, and the stored one stays."""

from typing import Any

import pytest

SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
}
CODE = {"type": "python", "value": "len(output) > 1", "name": "code"}
WEBHOOK = {"type": "webhook", "value": "https://example.org/score", "name": "hook"}
METADATA = {"name": "openai:m", "base_url": "http://169.254.169.254/v1"}
ADDRESS = {"name": "openai:m", "base_url": "https://example.org/v1"}


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"scorers": [CODE]}, "scorers.0.value", "PROMPTUARY_CODE_SCORERS"),
        ({"scorers": [WEBHOOK]}, "scorers.0.value", "PROMPTUARY_WEBHOOK_HOSTS"),
        ({"models": [METADATA]}, "models.0.base_url", "169.254.169.254"),
        ({"models": [ADDRESS]}, "models.0.base_url", "PROMPTUARY_MODEL_HOSTS"),
        ({"target": {"name": "app", "exec": ["true"]}}, "target", "is a command"),
    ],
)
def test_a_suite_that_could_not_be_run_here_is_not_stored(local: Any, change: dict[str, Any], path: str, message: str) -> None:
    stored = local.put("/v1/suites/words", json=SUITE).json()
    changed = {**SUITE, **change}
    if "target" in change:
        del changed["prompt"], changed["models"]
    response = local.put("/v1/suites/words", json=changed)
    assert response.status_code == 422, response.text
    error = response.json()["errors"][0]
    assert (error["path"].startswith(path), message in error["message"]) == (True, True), error
    assert local.get("/v1/suites/words").json() == stored
