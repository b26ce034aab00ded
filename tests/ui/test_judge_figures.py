"""The judges on a run's page: their agreement with people, and both figures of each judged metric."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import INTERVAL, RUN, run_responses

PageText = Callable[[Any], str]
JUDGE = {
    "metric": "rubric",
    "model": "local:m",
    "state": "valid",
    "labels": 60,
    "tuned": 4,
    "sensitivity": INTERVAL,
    "kappa": {"value": 0.5, "low": 0.25, "high": 0.75},
    "ac1": {"value": None, "reason": "undefined: no variation"},
}
CORRECTIONS: dict[str, Any] = {
    "decided": "inconclusive",
    "verdict": "pass",
    "judges": [JUDGE],
    "corrections": [
        {
            "metric": "rubric",
            "variant": "v2",
            "raw": INTERVAL,
            "corrected": {**INTERVAL, "estimate": 0.5, "low": 0.375, "high": 0.625},
            "labels": 60,
            "effective_labels": 91.7,
            "labels_to_halve": 240,
        },
        {"metric": "rubric", "variant": "v1", "raw": INTERVAL, "labels": 3, "missing": 27, "reason": "3 outputs are labelled"},
    ],
}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses of a run with a judge."""
    responses = run_responses()
    path = f"/v1/runs/{RUN}"
    run = responses[path]
    responses[path] = {**run, "summary": {**run["summary"], "judges": [JUDGE]}}
    responses[f"{path}/corrections"] = CORRECTIONS
    return responses


def test_a_judges_figures_stand_beside_the_corrected_ones(open_page: Any, page_text: PageText) -> None:
    page = open_page("runs", run=RUN)
    text = page_text(page).replace("\\", "")
    assert "rubric by local:m: compared with 60 labels of people, sensitivity 0.750" in text
    assert "κ 0.500 [0.250, 0.750], AC1 undefined: no variation, 4 labels tuned the judge" in text
    assert "lead to the verdict pass; run the suite again" in text
    table = next(each.value for each in page.dataframe if "judge alone" in each.value.columns)
    assert table["judge alone"].tolist() == ["0.750  [0.625, 0.875]"] * 2
    assert table["corrected"].tolist() == ["0.500  [0.375, 0.625]", "not known"]
    assert table["halved by"].tolist() == ["240 more", "not known"]
    assert "rubric, v1: 3 outputs are labelled; 27 labels needed" in text


def test_labels_that_cannot_halve_the_interval_are_named(open_page: Any, responses: dict[str, Any]) -> None:
    first, second = CORRECTIONS["corrections"]
    path = f"/v1/runs/{RUN}/corrections"
    responses[path] = {**CORRECTIONS, "corrections": [{**first, "labels_to_halve": None}, second]}
    page = open_page("runs", run=RUN)
    table = next(each.value for each in page.dataframe if "judge alone" in each.value.columns)
    assert table["halved by"].tolist() == ["labels of all cases would not halve the interval", "not known"]
