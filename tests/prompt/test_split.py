"""Split labels: the buckets are as published, and a change of weights moves nobody who need not move."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.splits import bucket_shares
from paths import ROOT
from promptuary.prompt.split import BUCKETS, InvalidSplit, Split, bucket, divide, split_from_json

DOCUMENT = ROOT / "docs" / "split-labels.md"
SALT = "support.triage/production"
KEYS = [f"user-{number}" for number in range(2000)]
weights = st.floats(0.5, 100, allow_nan=False)


@st.composite
def arms(draw: st.DrawFn) -> list[tuple[int, float]]:
    versions = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5, unique=True))
    return [(version, draw(weights)) for version in versions]


def versions_of(split: Split) -> dict[str, int]:
    return {key: split.arm(key).version for key in KEYS}


def test_the_buckets_are_those_of_the_published_vectors() -> None:
    vectors = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)[0])
    assert len(vectors) >= 8
    for vector in vectors:
        assert bucket(vector["salt"], vector["targeting_key"]) == vector["bucket"], vector


def test_the_documents_example_is_what_dividing_gives() -> None:
    example = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)[1])
    assert divide(SALT, [(3, 95.0), (4, 5.0)], before=3).as_json() == example


def test_keys_fall_into_arms_by_their_shares() -> None:
    split = divide(SALT, [(1, 90.0), (2, 10.0)])
    assert bucket_shares(split) == {1: 0.9, 2: 0.1}
    counted = list(versions_of(split).values()).count(2)
    assert 140 < counted < 260  # 200 expected, standard deviation 13


@pytest.mark.parametrize("weight", [5e-324, 1e-300, 1.0, 1e300, 1e308, 1.7976931348623157e308])
def test_weights_count_relative_to_their_sum_however_large(weight: float) -> None:
    arms = divide("s", [(1, weight), (2, weight), (3, weight), (4, weight)]).arms
    assert [sum(end - start for start, end in arm.buckets) for arm in arms] == [2500] * 4


def test_without_a_key_the_first_arm_is_given() -> None:
    assert divide(SALT, [(2, 1.0), (1, 99.0)]).arm(None).version == 2


def test_raising_a_canary_moves_nobody_who_is_in_it_and_nobody_between_the_others() -> None:
    before = divide(SALT, [(1, 85.0), (2, 10.0), (3, 5.0)], before=1)
    after = divide(SALT, [(1, 80.0), (2, 10.0), (3, 10.0)], before=before)
    was, now = versions_of(before), versions_of(after)
    assert {(was[key], now[key]) for key in KEYS if was[key] != now[key]} == {(1, 3)}


@given(arms(), arms())
def test_only_as_many_buckets_change_hands_as_must(first: list[tuple[int, float]], second: list[tuple[int, float]]) -> None:
    before = divide(SALT, first)
    after = divide(SALT, second, before=before)
    had, has = bucket_shares(before), bucket_shares(after)
    must = sum(max(0.0, had[version] - has.get(version, 0.0)) for version in had)
    moved = sum(before.arm_of(at).version != after.arm_of(at).version for at in range(BUCKETS))
    assert moved == round(must * BUCKETS)


@given(arms())
def test_the_arms_own_every_bucket_once_and_survive_the_wire(given_arms: list[tuple[int, float]]) -> None:
    split = divide(SALT, given_arms)
    assert split_from_json(json.loads(json.dumps(split.as_json()))) == split
    assert sum(bucket_shares(split).values()) == pytest.approx(1)
    total = sum(weight for _, weight in given_arms)
    for version, weight in given_arms:
        assert abs(bucket_shares(split)[version] - weight / total) <= 1 / BUCKETS


@pytest.mark.parametrize(
    ("given_arms", "words"),
    [
        ([(1, 1.0)], "2 to 16 arms, and has 1; for one version, point the label at it without a split"),
        ([(number, 1.0) for number in range(1, 18)], "2 to 16 arms"),
        ([(1, 1.0), (1, 2.0)], "a version in two arms"),
        ([(1, 1.0), (2, 0.0)], "split.1.weight: must be a positive number"),
        ([(1, 1.0), (2, -3.0)], "split.1.weight: must be a positive number"),
        ([(1, float("nan")), (2, 1.0)], "split.0.weight: must be a positive number"),
        ([(1, float("inf")), (2, 1.0)], "split.0.weight: must be a positive number"),
        ([(1, 1e9), (2, 1.0)], "split.1.weight: is less than one part in 10,000"),
    ],
)
def test_what_is_no_split_is_refused(given_arms: list[tuple[int, float]], words: str) -> None:
    with pytest.raises(InvalidSplit, match=re.escape(words)):
        divide(SALT, given_arms)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"salt": "x"},
        {"salt": "x", "arms": []},
        {"salt": "x", "arms": [{"version": 1, "weight": 1, "buckets": [[0, 9999]]}]},
        {
            "salt": "x",
            "arms": [
                {"version": 1, "weight": 1, "buckets": [[0, 5000]]},
                {"version": 2, "weight": 1, "buckets": [[4000, 10000]]},
            ],
        },
        {"salt": "x", "arms": [{"version": 1, "weight": 1, "buckets": [[0, 10000], [10000, 10000]]}]},
    ],
)
def test_an_incomplete_split_is_refused(value: object) -> None:
    with pytest.raises(InvalidSplit, match="the split is incomplete"):
        split_from_json(value)
