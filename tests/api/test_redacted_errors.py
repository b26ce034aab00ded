"""An error answer and the log of a request do not repeat personal data that applications send."""

import io
import logging
from typing import Any

import pytest

ADDRESS = "anna.berg@example.org"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/feedback", {ADDRESS: 1}),
        ("/v1/feedback", {"prompt": ADDRESS, "version": 1, "value": 1}),
        ("/v1/observations", {"observations": [{ADDRESS: 1}]}),
        ("/v1/traffic/datasets", {ADDRESS: 1}),
    ],
)
def test_an_error_of_a_senders_route_names_what_is_wrong_without_an_address(local: Any, path: str, body: Any) -> None:
    answer = local.post(path, json=body)
    assert answer.status_code in (404, 422)
    assert ADDRESS not in answer.text
    assert "[redacted: e-mail]" in answer.text


def test_a_list_of_refused_feedback_repeats_no_address(local: Any) -> None:
    items = [{"prompt": ADDRESS, "version": 1, "value": 1, "id": "4111111111111111"}]
    (rejected,) = local.post("/v1/feedback", json={"items": items}).json()["rejected"]
    assert rejected["message"].endswith("[redacted: e-mail]' in this project")
    assert rejected["id"].startswith("hashed-")


def test_the_log_has_the_path_without_an_address(local: Any, caplog: pytest.LogCaptureFixture) -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    logging.root.addHandler(handler)
    logging.getLogger("promptuary").setLevel(logging.INFO)
    try:
        local.get(f"/v1/observations/{ADDRESS}")
    finally:
        logging.root.removeHandler(handler)
    assert ADDRESS not in output.getvalue() + caplog.text
