"""Agreement over HTTP: who sees which figures, and what they are."""

from typing import Any

import pytest


def test_the_figures_of_the_primary_decision_are_those_computed_by_hand(
    sqlite: Any, api: Any, queue: str, lead: dict[str, str], decide: Any
) -> None:
    decide("ann", "approve", "reject", "approve")
    decide("ben", "approve", "approve", "approve")
    agreement = api.get(f"{queue}/agreement", headers=lead).json()
    assert (agreement["items"], agreement["reviewers"], agreement["finished_only"]) == (3, 2, False)
    assert agreement["disagreements"] == ["item-1"]
    [label] = agreement["labels"]
    assert (label["name"], label["level"], label["pairable"], label["labels"]) == ("decision", "nominal", 3, 6)
    assert label["observed"]["value"] == pytest.approx(2 / 3)
    alpha, ac1 = label["coefficients"]
    # Coincidences: approve-approve 4, approve-reject 1 + 1; totals 5 and 1 of n = 6: alpha = 1 - 5 * (1 + 1) / (2 * 5 * 1) = 0.
    assert (alpha["coefficient"], alpha["units"]) == ("krippendorff-alpha-nominal", 3)
    assert alpha["value"] == pytest.approx(0.0)
    # Shares 5/6, 1/6 and 0 of three choices: chance is (5/36 + 5/36) / 2 = 5/36, so AC1 = (2/3 - 5/36) / (31/36) = 19/31.
    assert ac1["value"] == pytest.approx(19 / 31)
    assert ac1["low"] <= ac1["value"] <= ac1["high"]
    [pair] = label["pairs"]
    assert (pair["first"], pair["second"], pair["share"]["items"]) == ("key:ann", "key:ben", 3)
    assert (pair["coefficient"]["coefficient"], pair["coefficient"]["value"]) == ("cohen-kappa", pytest.approx(0.0))


def test_reviewers_are_compared_with_an_expected_value_that_is_a_choice(
    sqlite: Any, api: Any, queue: str, lead: dict[str, str], decide: Any
) -> None:
    decide("ann", "approve", "reject", "approve")
    decide("ben", "approve", "approve", "approve")
    everyone, ann, ben = api.get(f"{queue}/agreement", headers=lead).json()["labels"][0]["gold"]
    assert (everyone["reviewer"], everyone["share"]["value"]) == (None, pytest.approx(5 / 6))
    assert (ann["reviewer"], ann["share"]["value"]) == ("key:ann", pytest.approx(2 / 3))
    assert (ben["reviewer"], ben["share"]["value"], ben["share"]["high"]) == ("key:ben", 1.0, 1.0)
    assert 0.4 < ben["share"]["low"] < 0.5  # three of three prove little
    assert ben["coefficient"]["reason"] == "undefined: no variation"


def test_equal_labels_have_an_undefined_coefficient_and_an_observed_agreement(
    sqlite: Any, api: Any, queue: str, lead: dict[str, str], decide: Any
) -> None:
    decide("ann", "approve", "approve", "approve")
    decide("ben", "approve", "approve", "approve")
    [label] = api.get(f"{queue}/agreement", headers=lead).json()["labels"]
    assert [(each["value"], each["reason"], each["low"]) for each in label["coefficients"]] == [
        (None, "undefined: no variation", None)
    ] * 2
    assert label["observed"]["value"] == 1.0


def test_a_reviewer_sees_figures_for_finished_items_only(
    sqlite: Any, api: Any, queue: str, lead: dict[str, str], header_of: Any, decide: Any, clock: Any
) -> None:
    decide("ann", "approve", "reject")
    decide("ben", "approve")
    ann = header_of("ann")
    early = api.get(f"{queue}/agreement", headers=ann).json()
    assert (early["items"], early["finished_only"]) == (0, True)  # ben may still undo the decision
    clock.move(seconds=300)
    agreement = api.get(f"{queue}/agreement", headers=ann).json()
    assert (agreement["items"], agreement["labels"][0]["labels"], agreement["disagreements"]) == (1, 2, [])
    assert api.get(f"{queue}/agreement", headers=lead).json()["labels"][0]["labels"] == 3


def test_an_application_sees_no_agreement(sqlite: Any, api: Any, queue: str, header_of: Any) -> None:
    headers = header_of("app", "service")
    assert api.get(f"{queue}/agreement", headers=headers).status_code == 403
    assert api.get(f"{queue}/disagreements", headers=headers).status_code == 403


def test_agreement_of_an_unknown_queue_is_not_found(sqlite: Any, api: Any, lead: dict[str, str]) -> None:
    for path in ("agreement", "disagreements"):
        assert api.get(f"/v1/queues/none/{path}", headers=lead).status_code == 404
