"""The judges page, in front of responses of the API."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import INTERVAL, page_of

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
VALID = {"state": "valid", "changed": [], "labels": 60, "labels_needed": 0}
EXPIRED = {"state": "expired", "changed": ["judge prompt", "model"], "labels": 40, "labels_needed": 30}
FEW = {"state": "too_few_labels", "changed": [], "labels": 3, "labels_needed": 27}
POINT = {"low": 0.8, "high": 1.0, "labels": 12, "mean_score": 0.9, "passed": INTERVAL}
JUDGE: dict[str, Any] = {
    "digest": DIGEST,
    "metric": "polite",
    "type": "llm-rubric",
    "model": "local:m",
    "rubric": "is *polite* ![x](http://elsewhere.test/x.png)",
    "threshold": 0.5,
    "rubric_digest": "sha256:1234abcd" + "0" * 56,
    "suites": ["support"],
    "licence": VALID,
    "population": {"dataset": "tickets", "number": 2, "digest": DIGEST, "cases": 150},
    "queues": ["slice"],
    "confusion": {"both_pass": 30, "both_fail": 20, "judge_alone": 7, "people_alone": 3},
    "sensitivity": INTERVAL,
    "specificity": None,
    "kappa": {"value": 0.5, "low": 0.25, "high": 0.75, "reason": None},
    "ac1": {"value": None, "low": None, "high": None, "reason": "undefined: no variation"},
    "curve": [POINT],
    "tuned": 4,
    "left_out": ["queue old, v1 of run_1: no random sample"],
}
UNLABELLED = {
    **JUDGE,
    "digest": OTHER,
    "metric": "right",
    "licence": FEW,
    "confusion": None,
    "sensitivity": None,
    "kappa": None,
    "ac1": None,
    "curve": [],
    "tuned": 0,
    "left_out": [],
}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path."""
    return {
        "/v1/judges": page_of([JUDGE, UNLABELLED]),
        f"/v1/judges/{DIGEST}/calibration": JUDGE,
        f"/v1/judges/{OTHER}/calibration": UNLABELLED,
    }


def cells(page: Any) -> str:
    return "\n".join(element.value.to_string() for element in page.dataframe)


def test_each_judge_has_its_licence_its_errors_and_its_agreement(open_page: Any, page_text: Callable[[Any], str]) -> None:
    page = open_page("judges")
    text, table = page_text(page).replace("\\", ""), cells(page)
    for words in (
        "polite",
        "right",
        "Compared with 60 labels of people",
        "3 labels of people so far: 27 labels are still needed",
    ):
        assert words in text
    for words in ("rubric 1234abcd", "passes from 0.5", "suites: support", "tickets, version 2, 150 of them", "slice"):
        assert words in text
    for words in ("0.750  [0.625, 0.875]", "no label of this kind", "0.500  [0.250, 0.750]", "undefined: no variation"):
        assert words in table
    assert [row.split() for row in table.splitlines() if "by people" in row][0:2] == [
        ["0", "passed", "by", "people", "30", "3"],
        ["1", "failed", "by", "people", "7", "20"],
    ]
    assert "4 labels tuned the judge" in text
    assert "Left out: queue old" in text
    assert "elsewhere.test" not in "".join(str(element.value) for element in page.markdown)


def test_a_graded_judge_has_a_curve(open_page: Any) -> None:
    page = open_page("judges", judge=DIGEST)
    assert "0.800 to 1.000" in cells(page)
    (plot,) = page.get("vega_lite_chart")
    assert "polite. 0.90: 75% of 12 labels" in plot.proto.alt


def test_an_expired_judge_names_what_changed(
    open_page: Any, responses: dict[str, Any], page_text: Callable[[Any], str]
) -> None:
    responses[f"/v1/judges/{DIGEST}/calibration"] = {**JUDGE, "licence": EXPIRED}
    text = page_text(open_page("judges", judge=DIGEST)).replace("\\", "")
    assert "since its prompt and its model changed after them: 30 labels are still needed" in text


def test_one_judge_is_shown_by_its_address_and_left_again(open_page: Any, page_text: Callable[[Any], str]) -> None:
    page = open_page("judges", judge=OTHER)
    assert "Compared with 60" not in page_text(page)
    next(button for button in page.button if button.label == "All judges").click().run()
    assert "Compared with 60" in page_text(page)


def test_without_a_judge_the_page_names_a_scorer_that_is_one(
    open_page: Any, responses: dict[str, Any], page_text: Callable[[Any], str]
) -> None:
    responses["/v1/judges"] = page_of([])
    assert "llm-rubric" in page_text(open_page("judges"))
