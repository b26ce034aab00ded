"""Agreement on the fields of a label schema, each at its level of measurement, from decisions made over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.reviews import SEEN
from promptuary.statistics.agreement import DistanceMetric, cohen_kappa, krippendorff_alpha

Headers = dict[str, str]
FIELDS = [
    {"name": "tone", "type": "ordinal", "title": "Tone", "options": ["curt", "fair", "warm"]},
    {"name": "score", "type": "number", "title": "Score"},
    {"name": "topics", "type": "choices", "title": "Topics", "options": ["card", "refund"]},
    {"name": "tags", "type": "tags", "title": "Tags"},
    {"name": "wrong", "type": "spans", "title": "What is wrong"},
    {"name": "why", "type": "text", "title": "Why"},
    {"name": "scale", "type": "ordinal", "title": "Scale", "minimum": 1, "maximum": 3},
]
MARKED, MARKED_LATER = [{"start": 0, "end": 4}], [{"start": 1, "end": 4}]
ANN = [
    {
        "tone": "curt",
        "score": 1,
        "topics": ["card"],
        "tags": ["rude"],
        "wrong": [{"start": 0, "end": 4}],
        "scale": 1,
        "why": "a",
    },
    {"tone": "warm", "score": 9.5, "topics": ["refund"], "scale": 3},
    {"tone": "fair", "score": 5, "topics": ["card", "refund"], "tags": ["odd"], "scale": 2},
]
BEN = [
    {
        "tone": "fair",
        "score": 2,
        "topics": ["card"],
        "tags": ["rude"],
        "wrong": [{"start": 1, "end": 4}],
        "scale": 1,
        "why": "b",
    },
    {"tone": "warm", "score": 9, "topics": ["refund"], "tags": ["kind"], "scale": 3},
    {"tone": "fair", "score": 5, "topics": ["refund"], "tags": ["odd"], "scale": 3},
]


@pytest.fixture
def labelled(sqlite: Any, api: Any, lead: Headers, header_of: Callable[..., Headers]) -> str:
    """Return the path of a queue of three items that ann and ben have labelled, without a primary decision."""
    path = "/v1/queues/fields"
    body = {"slots": 2, "decisions": [], "schema": {"fields": FIELDS}}
    response = api.put(path, json=body, headers=lead)
    assert response.status_code == 200, response.text
    items = [{"source": f"item-{number}", "payload": {"output": "A curt answer."}} for number in range(3)]
    assert api.post(f"{path}/items", json={"items": items}, headers=lead).status_code == 200
    for name, labels in (("ann", ANN), ("ben", BEN)):
        for values in labels:
            claim = api.post(f"{path}/claims", headers=header_of(name)).json()
            body = {"nonce": claim["nonce"], "labels": values, **SEEN}
            response = api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=header_of(name))
            assert response.status_code == 200, response.text
    return path


@pytest.fixture
def by_name(api: Any, labelled: str, lead: Headers) -> dict[str, Any]:
    agreement = api.get(f"{labelled}/agreement", headers=lead).json()
    assert (agreement["percent"], agreement["coefficients"]) == (None, [])  # there is no primary decision
    return {label["name"]: label for label in agreement["labels"]}


def alpha_of(label: dict[str, Any]) -> Any:
    return label["coefficients"][0]["value"]


def test_each_field_has_the_level_of_its_type(by_name: dict[str, Any]) -> None:
    levels = {name: label["level"] for name, label in by_name.items()}
    assert levels == {
        "tone": "ordinal",
        "score": "interval",
        "topics": "sets",
        "tags": "sets",
        "wrong": "characters",
        "why": "none",
        "scale": "ordinal",
    }


def test_an_ordinal_field_takes_its_order_from_the_options(by_name: dict[str, Any]) -> None:
    rows = [[labels["tone"] for labels in side] for side in (ANN, BEN)]
    order = ["curt", "fair", "warm"]
    expected = krippendorff_alpha(rows, metric=DistanceMetric.ORDINAL, categories=order).value
    assert alpha_of(by_name["tone"]) == pytest.approx(expected)
    [pair] = by_name["tone"]["pairs"]
    quadratic = [[(a - b) ** 2 for b in range(3)] for a in range(3)]
    kappa = cohen_kappa(*rows, weights=quadratic, categories=order).value
    assert pair["coefficient"]["coefficient"] == "cohen-kappa-weighted"
    assert pair["coefficient"]["value"] == pytest.approx(kappa)
    assert by_name["scale"]["options"] == [1, 2, 3]
    assert alpha_of(by_name["scale"]) is not None


def test_a_number_counts_by_its_difference(by_name: dict[str, Any]) -> None:
    rows = [[float(labels["score"]) for labels in side] for side in (ANN, BEN)]
    expected = krippendorff_alpha(rows, metric=DistanceMetric.INTERVAL).value
    assert alpha_of(by_name["score"]) == pytest.approx(expected)
    [pair] = by_name["score"]["pairs"]
    assert pair["coefficient"]["coefficient"] == "krippendorff-alpha-interval"


def test_sets_have_masi_and_each_option_by_itself(by_name: dict[str, Any]) -> None:
    topics = by_name["topics"]
    assert topics["coefficients"][0]["coefficient"] == "krippendorff-alpha-masi"
    card, refund = topics["per_option"]
    assert (card["option"], card["share"]) == ("card", pytest.approx(0.5))
    assert refund["coefficients"][0]["value"] == pytest.approx(1.0)  # chosen or not, both agree on each item


def test_no_tag_and_nothing_marked_are_labels_and_not_missing(by_name: dict[str, Any]) -> None:
    # Ann gave the second item no tag, Ben one; both marked nothing in the last two items.
    assert (by_name["tags"]["pairable"], by_name["tags"]["observed"]["value"]) == (3, pytest.approx(2 / 3))
    assert by_name["wrong"]["pairable"] == 3
    assert 0.7 < alpha_of(by_name["wrong"]) < 1.0  # three of four characters are marked by both


def test_free_text_has_no_coefficient_and_is_no_disagreement(api: Any, labelled: str, lead: Headers, by_name: Any) -> None:
    assert (by_name["why"]["coefficients"], by_name["why"]["pairs"], by_name["why"]["items"]) == ([], [], 1)
    items = api.get(f"{labelled}/disagreements", headers=lead).json()["items"]
    assert [item["differing"] for item in items] == [["tone", "score", "wrong"], ["score", "tags"], ["topics", "scale"]]


def test_a_field_is_adjudicated_by_its_value(api: Any, labelled: str, lead: Headers) -> None:
    item = api.get(f"{labelled}/disagreements", headers=lead).json()["items"][2]["item"]
    body = {"item": item, "labels": {"topics": ["card"], "scale": 2}, "reason": "both topics are asked"}
    assert api.post(f"{labelled}/adjudications", json=body, headers=lead).status_code == 201
    for labels, path in (
        ({"topics": ["none"]}, "labels.topics"),
        ({"scale": 4}, "labels.scale"),
        ({"score": "1"}, "labels.score"),
    ):
        response = api.post(f"{labelled}/adjudications", json={**body, "labels": labels}, headers=lead)
        assert (response.status_code, response.json()["errors"][0]["path"]) == (422, path)


def test_labels_that_the_schema_of_today_does_not_know_are_counted(api: Any, labelled: str, lead: Headers) -> None:
    fields = [{**FIELDS[0], "options": ["fair", "warm"]}]
    response = api.put(labelled, json={"slots": 2, "decisions": [], "schema": {"fields": fields}}, headers=lead)
    assert response.status_code == 200, response.text
    [tone] = api.get(f"{labelled}/agreement", headers=lead).json()["labels"]
    assert (tone["omitted"], tone["labels"], tone["pairable"]) == (1, 5, 2)


def test_an_export_has_a_column_for_each_field(api: Any, labelled: str, lead: Headers) -> None:
    header, first = api.get(f"{labelled}/export?format=csv", headers=lead).text.splitlines()[:2]
    for column in ("label.tone", "final.score", "final.topics.origin", "label.wrong"):
        assert column in header.split(",")
    assert '""start"": 0' in first
